"""A large file: CPU and time per GiB, beside a bare loop of the system call."""

import os
from collections import defaultdict

from common import PROGRAMS, build, ratio, run, spread

ROUNDS = int(os.environ.get("ROUNDS", "5"))
MIB = 128


def report(report):
    report.section(
        "Bulk",
        f"A file of {MIB} MiB from the page cache to a reader in another thread (to the file: without one), {ROUNDS} times, the ways by "
        "turns. CPU of the sending thread, in the kernel as well; time until the last call has returned. Beside the bare loop: the ratio "
        "in one turn (quartiles in brackets). Each call of the first three asks for 2 MiB at most; a pipe takes 64 KiB a call.",
    )
    measured = defaultdict(list)
    for line in run(build(PROGRAMS, "--bin", "bulk") / "bulk", ROUNDS, MIB).splitlines():
        out, way, *numbers = line.split("\t")
        measured[out, way].append([int(number) for number in numbers])
    rows = []
    for (out, way), each in measured.items():
        limit = measured[out, "bare loop"]
        scale = 1024 / MIB / 1e6
        rows.append([
            out,
            way,
            round(spread([cpu for cpu, _, _ in each])[0] * scale),
            round(spread([wall for _, wall, _ in each])[0] * scale),
            ratio([a[0] / b[0] for a, b in zip(each, limit)]),
            ratio([a[1] / b[1] for a, b in zip(each, limit)]),
            max(calls for _, _, calls in each) * 1024 // MIB or "–",
        ])
    report.table("bulk", ["to", "way", "CPU ms/GiB", "ms/GiB", "CPU / bare loop", "time / bare loop", "calls/GiB"], rows)
