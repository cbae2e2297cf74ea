"""Compiles the probes for a target at every opt-level and runs them under a hostile kernel; then breaks the crate in
every way of mutations.py, and insists on a failure each time.

usage: abi.py TARGET
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

from debugged import CPUS as DEBUGGED, Debugged
from machine import Failure, Machine
from mutations import MUTATIONS
from probes import STUBS, cases

ROOT = pathlib.Path(__file__).resolve().parents[3]
LEVELS = ["0", "1", "2", "3", "s"]
ELF = f"{os.environ.get('LD', 'ld.lld')} --static --entry=0 --unresolved-symbols=ignore-all --gc-sections".split()
MACH_O = "lld -flavor darwin -dylib -undefined dynamic_lookup -platform_version macos 11.0 11.0 -dead_strip".split()
LINK = {
    ("linux", "x86_64"): [*ELF, "-m", "elf_x86_64"],
    ("linux", "x86"): [*ELF, "-m", "elf_i386"],
    ("linux", "aarch64"): [*ELF, "-m", "aarch64linux"],
    ("linux", "riscv64"): [*ELF, "-m", "elf64lriscv"],
    ("linux", "arm"): [*ELF, "-m", "armelf_linux_eabi"],
    ("linux", "s390x"): [*ELF, "-m", "elf64_s390"],
    ("linux", "powerpc64le"): [*ELF, "-m", "elf64lppc"],
    ("linux", "loongarch64"): [*ELF, "-m", "elf64loongarch"],
    ("freebsd", "x86_64"): [*ELF, "-m", "elf_x86_64_fbsd"],
    ("freebsd", "aarch64"): [*ELF, "-m", "aarch64linux"],
    ("freebsd", "riscv64"): [*ELF, "-m", "elf64lriscv"],
    ("macos", "x86_64"): [*MACH_O, "-arch", "x86_64"],
    ("macos", "aarch64"): [*MACH_O, "-arch", "arm64"],
}


def build(source, output, target, level):
    """A static program of all probes. What is undefined in it is called by none of them, or that call fails."""
    environment = {**os.environ, "CARGO_PROFILE_RELEASE_OPT_LEVEL": level}
    subprocess.run(
        ["cargo", "build", "--quiet", "--release", "--locked", "--target", target, "--target-dir", output],
        cwd=source / "tests/packages/abi", env=environment, check=True)
    library = output / target / "release/libabi_probe.a"
    program = output / f"probes-{target}-{level}"
    prefix = "_" if "darwin" in target else ""
    # The last is where a probe returns to, where QEMU runs it.
    roots = sorted({prefix + case.probe for case in cases(*pair(target))} | {prefix + "rust_eh_personality"})
    roots = [option for root in roots for option in ("-u", root)]
    subprocess.run([*LINK[pair(target)], *roots, library, "-o", program], check=True)
    return program


def pair(target):
    """Operating system and processor."""
    cpu, _, os, *_ = target.split("-")
    cpu = re.sub("^i[56]86", "x86", re.sub("^(arm|thumb)v.*", "arm", cpu.replace("riscv64gc", "riscv64")))
    return os.replace("darwin", "macos"), cpu


def failures(program, target):
    """Of each case one line, if it failed."""
    system, cpu = pair(target)
    machine = (Debugged if cpu in DEBUGGED else Machine)(program, system, cpu)
    try:
        for seed, case in enumerate(cases(system, cpu)):
            try:
                case.run(machine, seed)
            except Failure as failure:
                yield f"{case.probe}: {failure}"
    finally:
        machine.end()


def copy(to):
    """The crate, to be broken: the files that git knows, as others come and go (a fuzzer's inputs) while they are copied."""
    shutil.rmtree(to, ignore_errors=True)
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).exists():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


def stubs_of(text):
    """The names of the stubs: written there, or made by the macros of arch/stubs.rs."""
    stubs = set(re.findall(r"(?:fn |\) )(syscall\w+)\(", text))
    if registers := re.search(r"^stubs!\(.*;(.*)\)", text, re.MULTILINE):
        shared = re.findall(r" (syscall\w+)\(", (ROOT / "arch/stubs.rs").read_text())
        count = len(registers[1].split())
        stubs |= {stub for stub in shared if "int2" not in stub and int(stub[7:]) <= count}
    return stubs | ({"syscall4_int2"} if "stub_int2!(" in text else set())


def main(target):
    output = ROOT / "target/abi"
    system, cpu = pair(target)
    stubs = stubs_of((ROOT / f"arch/{system}/{cpu.replace('64le', '')}.rs").read_text())
    if stubs != set(STUBS[system]):
        sys.exit(f"{target}: the stubs are {stubs}; probes.py has others")

    for level in LEVELS:
        failed = list(failures(build(ROOT, output, target, level), target))
        print(f"{target} opt-level {level}: {len(cases(system, cpu))} cases, {len(failed)} failed", flush=True)
        if failed:
            sys.exit("\n".join(failed))

    missed = 0
    listed = [(path, mutation) for (*of, path), mutations in MUTATIONS.items() if of == [system, cpu] for mutation in mutations]
    if not listed:
        sys.exit(f"{target}: mutations.py has none")
    for path, mutation in listed:
        mutant = output / "mutant"
        copy(mutant)
        text = (mutant / path).read_text()
        for change in mutation[1::2]:
            text = change(text)
        (mutant / path).write_text(text)
        # The levels keep different things in registers; a compiler that keeps nothing there shows nothing.
        for level in "3", "s", "2", "1":
            failed = next(failures(build(mutant, output / "mutants", target, level), target), None)
            if failed:
                break
        print(f"{target} {', '.join(mutation[::2])}: " + (f"fails at {level}, {failed}" if failed else "NOT NOTICED"), flush=True)
        missed += not failed
    if missed:
        sys.exit(f"{missed} mutations were not noticed")


main(*sys.argv[1:])
