"""Files from 4 KiB to 4 GiB: CPU and time per GiB, beside a bare loop of the system call."""

import os
import sys
from collections import defaultdict

from common import PROGRAMS, ROOT, build, ratio, run, spread

ROUNDS = int(os.environ.get("ROUNDS", "5"))
# Bytes, how often in a turn, and to what.
OUTPUTS = ["TCP", "Unix socket", "pipe", "file"]
# Nonblocking, to a reader that rests.
SLOW = "slow TCP"
# No file: from a stream that somebody keeps full.
STREAMS = ["TCP from a pipe", "TCP from a socket"]
# By which the program has each way in turn, and Python has none.
IN_TURN = [SLOW, *STREAMS]
SIZES = [
    (4 << 10, 8192, OUTPUTS),
    (256 << 10, 256, OUTPUTS),
    (16 << 20, 8, OUTPUTS),
    (60 << 20, 16, IN_TURN),
    (4 << 30, 1, OUTPUTS[:-1]),
]


def report(report):
    report.section(
        "Bulk",
        f"A file in the page cache to a reader in another thread (Python: another process; to a file: none), {ROUNDS} times (that of "
        "4 GiB twice), the ways by turns: files of 4 KiB 8192 times on one connection, of 256 KiB 256 times, of 16 MiB 8 times, of 4 GiB "
        "once. Sender and reader have a CPU each. CPU of the sending thread, in the kernel as well; time until the last call has returned. Beside the bare loop: the ratio in "
        "one turn (quartiles in brackets). Calls of sendfile ask for 2 MiB at most; a pipe takes 64 KiB a call. "
        "*Slow TCP* is nonblocking, to a reader that rests after each MiB: sendfile until the queue is full, and a poll, 60 MiB 16 times, a file "
        "by each way in turn; the median of a file, and five times as many rounds. *TCP from a pipe* and *from a socket* are StreamCopy and PipeCopy beside splice, measured alike.",
    )
    bulk = build(PROGRAMS, "--bin", "bulk") / "bulk"
    rows = []
    for size, times, outputs in SIZES:
        measured = defaultdict(list)
        # Those that wait differ most from themselves, and take a second.
        for _ in range(2 if size >= 1 << 30 else 5 * ROUNDS if outputs == IN_TURN else ROUNDS):
            python = [] if outputs == IN_TURN else [[sys.executable, ROOT / "benches" / "bulk_python.py"]]
            for command in ([bulk], *python):
                for line in run(*command, size, times, *outputs).splitlines():
                    out, way, *numbers = line.split("\t")
                    measured[out, way].append([int(number) for number in numbers])
        for out in outputs:
            limit = measured[out, "bare loop"]
            for way, each in ((way, each) for (name, way), each in measured.items() if name == out):
                scale = (1 << 30) / (size * times)
                rows.append([
                    size >> 10,
                    out,
                    way,
                    round(spread([cpu for cpu, _, _ in each])[0] * scale / 1e6),
                    round(spread([wall for _, wall, _ in each])[0] * scale / 1e6),
                    ratio([a[0] / b[0] for a, b in zip(each, limit)]),
                    ratio([a[1] / b[1] for a, b in zip(each, limit)]),
                    round(max(calls for _, _, calls in each) * scale) or "–",
                ])
    report.table("bulk", ["KiB", "to", "way", "CPU ms/GiB", "ms/GiB", "CPU / bare loop", "time / bare loop", "calls/GiB"], rows)
