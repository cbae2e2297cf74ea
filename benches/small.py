"""Up to what size a body should be gathered with its head: what `Transfer::DEFAULT_SMALL` is chosen by."""

import os
from collections import defaultdict

from common import PROGRAMS, build, ratio, run, spread

ROUNDS = int(os.environ.get("ROUNDS", "5"))


def report(report):
    report.section(
        "Small bodies: one write, or MSG_MORE and sendfile",
        "A head of 250 bytes and a file over TCP on loopback. The sender and the reader are one thread, which alternates between "
        f"`Step::Gather` (pread and one sendmsg) and sendmsg with MSG_MORE followed by sendfile, {4 * ROUNDS} times 400 responses each; nanoseconds "
        "from the first call until all is read. The ratio is that of one turn (quartiles in brackets): below 1 gathering is better.",
    )
    times = defaultdict(list)
    for line in run(build(PROGRAMS, "--bin", "small") / "small", 4 * ROUNDS).splitlines():
        body, gathered, sent = map(int, line.split())
        times[body].append((gathered, sent))
    rows = [
        [body, round(spread([a for a, _ in each])[0]), round(spread([b for _, b in each])[0]), ratio([a / b for a, b in each])]
        for body, each in times.items()
    ]
    report.table("small", ["bytes", "gathered ns", "MSG_MORE + sendfile ns", "ratio"], rows)

    def draw(axes):
        for name, column in [("gathered", 1), ("MSG_MORE + sendfile", 2)]:
            axes.plot([row[0] for row in rows], [row[column] / 1000 for row in rows], marker="o", label=name)
        axes.set_xscale("log", base=2)
        axes.set_xlabel("bytes of the file")
        axes.set_ylabel("µs per response")
        axes.legend()

    report.plot("small", "A small file with its head", draw)
