"""Instructions of one call of sendfile(2), of several libraries, on each CPU."""

import os
import re

from common import CPUS, OUT, PROGRAMS, ROOT, build, run

LIBRARIES = ["bare-sendfile", "rustix", "nix", "libc", "syscalls", "sc", "nc"]
FORMS = ["function", "inlined"]
# In 32 bits these have an offset of no more, or do not compile.
WIDE_ONLY = {"nix", "sc", "nc"}
TIMES = 10_000


def counter(cpu):
    """A function that counts all instructions of a command."""
    if cpu == os.uname().machine:
        def count(*command):
            arguments = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command]
            text = run("sh", "-c", 'exec "$@" 2>&1', "sh", *arguments)
            return int(re.search(r"Collected : (\d+)", text)[1])
        return count

    _, emulates, tools = CPUS[cpu]
    plugin = OUT / "icount.so"
    OUT.mkdir(parents=True, exist_ok=True)
    run("gcc", "-O2", "-shared", "-fPIC", "-o", plugin, ROOT / "benches" / "icount.c")

    def count(*command):
        arguments = [f"qemu-{emulates}", "-L", f"/usr/{tools}", "-plugin", plugin, *command]
        text = run("sh", "-c", 'exec "$@" 2>&1', "sh", *arguments)
        return int(re.search(r"total=(\d+)", text)[1])

    return count


def measure(libraries=LIBRARIES):
    """Instructions: {(cpu, form, library): number}."""
    counts = {}
    for cpu in CPUS:
        program = build(PROGRAMS, "--bin", "calls", cpu=cpu) / "calls"
        count = counter(cpu)

        def once(library, form):
            return round((count(program, library, form, 2 * TIMES) - count(program, library, form, TIMES)) / TIMES)

        for form in FORMS:
            # The loop alone; a function that does nothing still has its call, and the result of a function has to be read,
            # which is a cost of the library.
            nothing = once("nothing", "inlined")
            for library in libraries:
                if cpu == "armv7" and library in WIDE_ONLY:
                    continue
                counts[cpu, form, library] = once(library, form) - nothing
    return counts


def report(report):
    counts = measure()
    report.section(
        "Instructions per call",
        f"A loop of {TIMES} calls that adds up what was sent and ends with an error, minus the same loop without a call: "
        "everything from loading the arguments to using the result, in the program and in libc. *Function*: the call is not "
        "inlined. All instructions of two runs of different lengths are counted, by callgrind on this machine and by "
        "[a plugin of qemu-user](../../benches/icount.c) for the others, and the difference is divided. The system call itself "
        "counts as one.",
    )
    rows = [
        [library, *(counts.get((cpu, form, library), "–") for form in FORMS for cpu in CPUS)]
        for library in LIBRARIES
    ]
    def cell(library, cpu):
        number = counts.get((cpu, "function", library), "–")
        fewest = min(counts[key] for key in counts if key[:2] == (cpu, "function"))
        return f"**{number}**" if number == fewest else number

    fewest_first = sorted(LIBRARIES, key=lambda library: counts[next(iter(CPUS)), "function", library])
    report.page("calls", ["", *CPUS], [[library, *(cell(library, cpu) for cpu in CPUS)] for library in fewest_first])
    report.table("calls", ["library", *(f"{form}, {cpu}" for form in FORMS for cpu in CPUS)], rows)

    def draw(axes):
        width = 0.75 / len(CPUS)
        for i, cpu in enumerate(CPUS):
            places = [place + (i - (len(CPUS) - 1) / 2) * width for place in range(len(LIBRARIES))]
            axes.bar(places, [counts.get((cpu, "function", library), 0) for library in LIBRARIES], width, label=cpu)
        axes.set_xticks(range(len(LIBRARIES)), LIBRARIES)
        axes.set_ylabel("instructions")
        axes.legend()

    report.plot("calls", "Instructions of one call that is not inlined", draw)
