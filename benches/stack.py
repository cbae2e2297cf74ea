"""The most stack that each public function can use, on each CPU: python3 benches/stack.py prints it.

Nothing is run: the compiler tells the frame of each function of tests/packages/stack, the assembly says who calls whom, and the deepest
path counts. That is a bound for every input, as there is no recursion, no call by a pointer and no frame of variable size, which
is looked at too. It holds for what the compiler made of it here: opt-level 3 with LTO, descriptors as `BorrowedFd`.
"""

import os
import re
import shutil

from common import CPUS, ROOT, run

# What a program without a C library brings itself: loops, which need no frame.
OUTSIDE = {"memcpy", "memmove", "memset", "memcmp", "bcmp"}
# What `call` itself pushes.
RETURN_ADDRESS = {"x86_64": 8, "aarch64": 0, "riscv64": 0, "armv7": 0}
# Of ARM every instruction may have one.
CONDITION = "(?:eq|ne|hs|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)?"
CALL = {
    "x86_64": r"callq\s+(.+)",
    "aarch64": r"blr?\s+(.+)",
    "riscv64": r"(?:call|jalr?)\s+(.+)",
    "armv7": rf"blx?{CONDITION}\s+(.+)",
}
# The way out of a function as well as the way within: the target tells.
JUMP = {
    "x86_64": r"j[a-z]+\s+(.+)",
    "aarch64": r"(?:b|b\.[a-z]+|br|cbn?z|tbn?z)\s+(.+)",
    "riscv64": r"(?:tail|j|jr|b[a-z]+)\s+(.+)",
    # `bx lr` is a return.
    "armv7": rf"(?:b{CONDITION}|bx{CONDITION}(?!\s+lr)|add\s+pc,)\s+(.+)",
}


def assembly(cpu):
    """The text of tests/packages/stack for a CPU."""
    target, *_ = CPUS[cpu]
    out = ROOT / "target" / "stack" / target
    # What other compilers left there must not be read.
    shutil.rmtree(out, ignore_errors=True)
    env = {
        **os.environ,
        # The sizes of frames are unstable.
        "RUSTC_BOOTSTRAP": "1",
        # The red zone below a frame would not be in its size.
        "RUSTFLAGS": "-Zemit-stack-sizes -Cno-redzone=yes --emit=asm",
    }
    manifest = ROOT / "tests/packages/stack" / "Cargo.toml"
    run("cargo", "build", "--quiet", "--locked", "--release", "--manifest-path", manifest, "--target", target,
        "--target-dir", ROOT / "target" / "stack", env=env)
    (file,) = (out / "release" / "deps").glob("stack-*.s")
    return file.read_text()


def uleb128(text):
    """The number in `.byte 8` or `.ascii "\\310\\002"`."""
    if text.startswith(".byte"):
        return int(text.split()[1], 0)
    raw = text.split('"')[1].encode().decode("unicode_escape").encode("latin-1")
    return sum((byte & 0x7F) << 7 * i for i, byte in enumerate(raw))


def functions(cpu):
    """{name: (frame, names that it calls, names that it ends with)}"""
    found = {}
    name = None
    lines = iter(assembly(cpu).splitlines())
    for line in lines:
        line = re.split(r"\s(?:#|//|@)\s", line)[0].strip()
        if match := re.fullmatch(r"\.type\s+(.+),[@%]function", line):
            name, frame, calls, ends, tables, held = match[1].strip('"'), None, set(), set(), False, {}
        elif ".stack_sizes" in line:
            next(lines)  # the address
            frame = uleb128(next(lines).strip())
            found[name] = frame, calls, ends
        elif ".LJTI" in line:
            tables = True
        elif match := re.fullmatch(r"movq\s+(\w+)@GOTPCREL\(%rip\), (%\w+)", line):
            held[match[2]] = match[1]
        elif match := re.fullmatch(CALL[cpu], line):
            # By a register, in a loop, that holds the address of memcpy.
            callee = held.get(match[1].removeprefix("*"), match[1])
            callee = re.sub(r"^\*(\w+)@GOTPCREL\(%rip\)$", r"\1", callee).strip('"')
            assert re.fullmatch(r"[A-Za-z_][\w.$:]*", callee) and not re.fullmatch(r"[arxts]\d+|ra|lr|ip", callee), f"{name}: {line}"
            calls.add(callee)
        elif match := re.fullmatch(JUMP[cpu], line):
            target = match[1].split(",")[-1].strip().strip('"')
            if re.fullmatch(r"\*%\w+|[arxts]\d+", target):
                # By a table within the function; without one it would go anywhere.
                assert tables, f"{name}: {line}"
            elif not target.startswith(".L"):
                ends.add(target)
        elif match := re.search(r"(?:, |popq\s+)(%\w+)$", line):
            held.pop(match[1], None)
    return found


def depth(cpu, found, name, above=()):
    """The bytes that `name` and all below it use, without the return address of `name` itself."""
    assert name not in above, f"{name} calls itself"
    if name in OUTSIDE:
        return 0
    frame, calls, ends = found[name]
    below = [frame + RETURN_ADDRESS[cpu] + depth(cpu, found, callee, (*above, name)) for callee in calls]
    # Who ends with a jump to another has given its own frame back.
    return max([frame, *below, *(depth(cpu, found, end, (*above, name)) for end in ends)])


def public():
    """The names of the crate's public functions, with the types that they belong to, and of destructors."""
    names = set()
    # What is not for Linux, or not reached from outside.
    left_out = {ROOT / "src" / name for name in ["native.rs", "sys.rs", "misuse.rs", "hints/bsd.rs"]}
    for file in set((ROOT / "src").glob("**/*.rs")) - left_out - set((ROOT / "src" / "sys").glob("**/*.rs")):
        owner = None
        text = re.sub(r'#\[cfg\(feature = "std"\)\]\n(?: *#.*\n)* *pub .*', "", file.read_text())
        for line in text.splitlines():
            if match := re.match(r" *impl(?:<.*?>)? (?:(\w+) for )?(\w+)", line):
                owner = match[2]
                if match[1] == "Drop":
                    names.add(f"{owner}::drop")
            elif match := re.match(r"( *)pub (?:const )?(?:unsafe )?fn (\w+)", line):
                names.add(f"{owner}::{match[2]}" if match[1] else match[2])
    return names


def measure():
    """{(cpu, function): bytes}"""
    text = (ROOT / "tests/packages/stack" / "src" / "lib.rs").read_text()
    names = re.findall(r'^    "([\w:]+)":', text, re.MULTILINE)
    assert public() <= set(names), f"tests/packages/stack has no {public() - set(names)}"

    most = {}
    for cpu in CPUS:
        found = functions(cpu)
        # Two frames, each with what its function needs besides.
        control = depth(cpu, found, "control")
        assert 3000 <= control <= 3200, f"{cpu}: the control has {control} bytes of stack"
        for name in names:
            most[cpu, name] = RETURN_ADDRESS[cpu] + depth(cpu, found, name)
    return most


def rows(most):
    names = dict.fromkeys(name for _, name in most)
    return sorted(([name, *(most[cpu, name] for cpu in CPUS)] for name in names), key=lambda row: -row[1])


def report(report):
    report.section("Stack", "The most bytes of stack that a call can use. " + __doc__.split("\n\n")[1])
    report.table("stack", ["function", *CPUS], rows(measure()))


if __name__ == "__main__":
    print(f"{'bytes of stack, at most':28}", *(f"{cpu:>8}" for cpu in CPUS))
    for name, *numbers in rows(measure()):
        print(f"{name:28}", *(f"{number:8}" for number in numbers))
