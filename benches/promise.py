"""The time until the last byte, beside that of one plain write of the same bytes: the sweep of tests/promise.rs."""

import os
import shutil
from collections import defaultdict

from common import OUT, PAGE, ROOT, ratio, run, spread

SECONDS = os.environ.get("PROMISE_SECONDS", "60")
# Bytes below which a response is small.
SMALL = 16 << 10


def report(report):
    report.section(
        "The last byte, beside one write",
        f"The sweep of tests/promise.rs for {SECONDS} s: random responses (head, range of a file, trailer) by every driver, with Nagle's algorithm on and off, large and small "
        "buffers, quick and slow readers. Each is followed by one plain write of the same bytes on a connection of the same kind. *far* is a wire with a round trip of 50 ms. "
        "The ratio of the two times, by the size of the response.",
    )
    path = OUT / "promise.tsv"
    path.unlink(missing_ok=True)  # the tests append
    run(
        *["cargo", "test", "--quiet", "--locked", "--release", "--test", "promise", "--", "--test-threads=1", "--exact"],
        # Without MPTCP, which holds back a plain write of many bytes as well, for up to 250 ms (`MPTCP_STALLS` there).
        *["tcp", "tcp_far", "ktls", "ktls_far", "unix"],
        cwd=ROOT,
        env={**os.environ, "PROMISE_TIMES": str(path), "PROMISE_SECONDS": SECONDS},
    )
    ratios, later = defaultdict(lambda: defaultdict(list)), defaultdict(list)
    for line in path.read_text().splitlines():
        kind, sent, time, of_write = line.split("\t")
        ratios[kind][1 << max(10, int(sent).bit_length())].append(int(time) / int(of_write))
        if int(sent) < SMALL:
            later[kind].append((int(time) - int(of_write)) / 1000)
    rows = [
        [kind, size >> 10, len(each), ratio(each)]
        for kind, sizes in ratios.items()
        for size, each in sorted(sizes.items())
    ]
    report.table("promise", ["stream", "below KiB", "responses", "time / that of one write"], rows)
    report.table("small responses", ["stream", "µs later than one write"], [[kind, round(spread(each)[0])] for kind, each in later.items()])

    def draw(axes):
        for kind, sizes in ratios.items():
            points = sorted((size, spread(each)) for size, each in sizes.items() if len(each) >= 20)
            line = axes.plot([size for size, _ in points], [middle for _, (middle, _, _) in points], marker="o", label=kind)[0]
            low, high = ([each[i] for _, each in points] for i in (1, 2))
            axes.fill_between([size for size, _ in points], low, high, alpha=0.15, color=line.get_color())
        axes.axhline(1, color="black", linewidth=0.5)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log", base=2)
        axes.set_xlabel("bytes of the response, less than")
        axes.set_ylabel("time until the last byte / that of one write")
        axes.legend()

    report.plot("promise", "The last byte, beside one write (median and quartiles)", draw)
    if report.writes_page:
        shutil.copy(OUT / "promise.svg", PAGE.parent)
