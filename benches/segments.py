"""Segments of a response, and how long its last byte waits."""

from common import PROGRAMS, ROOT, build, run

ROUNDS = 100


def measure(rounds, *way):
    """Rows: case, way, TCP_NODELAY, segments, microseconds (median), microseconds (99th percentile)."""
    return read(run(build(PROGRAMS, "--bin", "segments") / "segments", rounds, *way))


def read(text):
    rows = [line.split("\t") for line in text.splitlines()]
    return [[case, way, nodelay, *map(int, numbers)] for case, way, nodelay, *numbers in rows]


def report(report):
    report.section(
        "Segments, and the wait for the last byte",
        "A head of 200 bytes, a file of 500 (empty; truncated to 300 or to nothing after its length was asked for) and perhaps a "
        "trailer of 100 over TCP on loopback, with Nagle's algorithm on (`false`) and off. Segments with data by TCP_INFO, the "
        f"most of {ROUNDS} connections; microseconds from the first call until the reader has the last byte, median and 99th "
        "percentile.",
    )
    rows = measure(ROUNDS)
    header = ["case", "way", "TCP_NODELAY", "segments", "µs", "p99 µs"]
    report.table("segments", header, rows)

    def draw(axes):
        ways = list(dict.fromkeys(row[1] for row in rows))
        cases = list(dict.fromkeys((row[0], row[2]) for row in rows))
        for i, way in enumerate(ways):
            values = [next(row[4] for row in rows if (row[0], row[2], row[1]) == (*case, way)) for case in cases]
            axes.bar([x + (i - 2) * 0.16 for x in range(len(cases))], values, 0.16, label=way)
        labels = [f"{name}\n{'NODELAY' if nodelay == 'true' else 'Nagle'}" for name, nodelay in cases]
        axes.set_xticks(range(len(cases)), labels, fontsize="xx-small", rotation=30)
        axes.set_yscale("log")
        axes.set_ylabel("µs until the last byte")
        axes.legend(fontsize="small")

    report.plot("segments", "How long the last byte waits", draw)

    report.note("The same on Debian 12's Linux 6.1 in an emulated machine, 15 connections each; its microseconds are the emulator's.")
    report.table("segments on 6.1", header, read(run(ROOT / "benches" / "segments_on", "bookworm")))
