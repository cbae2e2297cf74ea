"""Ways to break the crate, each of which has to turn a probe red: a name and a function that changes a file's text, or several of both.

They go by the names of registers, instructions, constants and functions. It does not matter how the source is laid out.

For the flags only where a compiler was seen to keep them across a trap: Linux and FreeBSD on x86_64. (Of powerpc's condition fields, its
ctr and its xer no compiler was seen to keep one.)
"""

import re

LITERAL_OR_COMMENT = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])')|//[^\n]*|/\*.*?\*/""", re.DOTALL)
# With the comma before it. It may have parentheses, three deep.
ARGUMENT = r",(?! \))(?:[^(),]|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))+"


def extent(text, name):
    """Returns where a function or a macro starts and ends."""
    starts = [found.start() for found in re.finditer(rf"\b(?:fn\s|macro_rules\s*!)\s*{name}\b", text)]
    if len(starts) != 1:
        raise LookupError(f"{name} stands there {len(starts)} times")
    ends = (found.end() for found in re.finditer("}", text) if found.end() > starts[0])
    return starts[0], next(end for end in ends if text.count("{", starts[0], end) == text.count("}", starts[0], end))


def change(name, pattern, new, *places):
    """Returns a name and a function, which changes what stands once in a text, or once in each of these functions and macros."""
    pattern = re.compile(re.sub(r"\\? ", r"\\s*", pattern), re.DOTALL)  # a space, or what re.escape makes of it, is any white space or none

    def changed(text):
        # No comment is found, and none is in the way.
        text = LITERAL_OR_COMMENT.sub(lambda found: found[1] or " ", text)
        for place in places or [None]:
            start, end = extent(text, place) if place else (0, len(text))
            part, times = pattern.subn(new, text[start:end])
            if times != 1 or part == text[start:end]:
                raise LookupError(f"{name}: {pattern.pattern} stands {times} times in {place or 'the file'}, or stays as it is")
            text = text[:start] + part + text[end:]
        return text

    return name + " in " * bool(places) + " and ".join(places), changed


def undeclare(register, *places):
    """Takes a register from those that the trap changes. It remains an input if it is one."""
    return change(f"{register} not declared", rf', (in)?lateout \( "{re.escape(register)}" \) (?:([^,]*?) => )?_(?!\w)',
                  lambda found: f', in("{register}") {found[2]}' if found[1] else "", *places)


def number_in(register):
    """Passes the number of the call in another register."""
    return change(f"number in {register}", r'\bin(?:lateout)? \( "[^"]*" \) \$ nr(?: => _)?(?= [,)])', f'in("{register}") $nr')


def result_in(register, *places):
    """Takes the result from another register."""
    return change(f"result in {register}", r"(\)|=>) result(?= [,)])", rf'\1 _, lateout("{register}") result', *places)


def argument_in(register, number, stubs="stubs"):
    """Passes an argument in another register."""
    return change(f"argument {number} in {register}",
                  rf'(\b{stubs} ! \( (?:[^;"]*;)?(?: "[^"]*"){{{number - 1}}} )"[^"]*"', rf'\1"{register}"')


def operand(name, new):
    """Replaces an operand that has a name, or `clobber_abi`."""
    return change(f"{new or 'nothing'} for {name}", rf", {name} (?=[=(])(?:\([^()]*\)|[^(),])*", f", {new}" if new else "")


def option(name, *places):
    """Adds an option to a trap."""
    return change(f"option {name}", r"(\basm ! \(.*?)(?:, options \( ([^)]*)\))? ,? \) ;", rf"\1, options({name}, \2));", *places)


def instructions(old, new, *places):
    """Replaces instructions that follow each other. Of an old one its mnemonic is enough, if there is no other."""
    return change(f"{new or 'nothing'} for {old}", " ".join(rf'" {re.escape(one.strip())}(?!\w)[^"]*" ,' for one in old.split(";")),
                  "".join(f'"{one.strip()}",' for one in new.split(";") if one), *places)


def swap(first, one, other, *places):
    """Swaps two arguments of a call, or two parameters of a function, counted from the one after the first: the call's number."""
    before, between = (rf"(?:{ARGUMENT}){{{count}}}" for count in [one - 1, other - one - 1])
    pattern = rf"(\b{first} {before})({ARGUMENT})({between})({ARGUMENT})"
    return change(f"{one} and {other} after {first} swapped", pattern, r"\1\4\3\2", *places)


def constant(name, value):
    """Gives a constant, or a variant of an enum, another value."""
    return change(f"{name} is {value}", rf"(\b{name} (?:: (\w+) )?=(?![=>]) )(?(2)[^;]+|(?:\{{[^}}]*\}}|[^,{{}}])+)", rf"\g<1>{value}")


def returns(function, result, new):
    """Changes what a function returns."""
    return change(f"{new} for {result}", r"(-> [^{]*)(\{.*\})", rf"\1{{ let {result} = \2; {new} }}", function)


INLINED = change("inlined", r"\binline \( never \)", "inline(always)")
MEMORY = option("nomem"), option("readonly")
SWAPPED = change("arguments 5 and 6 swapped", r'(\bstubs ! \( [^;]*;(?: "[^"]*"){4})( "[^"]*")( "[^"]*")', r"\1\3\2")
MUTATIONS = {
    ("linux", "x86_64", "arch/linux/x86_64.rs"): [
        undeclare("rcx"), undeclare("r11"), *MEMORY, SWAPPED, argument_in("rcx", 4) + argument_in("rcx", 4, "stub_int2"),
    ],
    ("linux", "x86_64", "src/sys/linux/mod.rs"): [swap("SPLICE", 5, 6), swap("STATX", 3, 4)],  # the same on every processor
    ("linux", "x86_64", "src/sys/linux/wide64.rs"): [swap("FADVISE64", 3, 4), returns("preadv2_offset", "[low, _]", "[low, low]")],
    ("linux", "aarch64", "arch/linux/aarch64.rs"): [number_in("x7"), result_in("x1"), *MEMORY, SWAPPED],
    ("linux", "arm", "arch/linux/arm.rs"): [
        instructions("mov r7, {nr}", "mov r6, {nr}"),
        instructions("mov r7, {r7}", ""),  # not put back
        operand("r7", "r7 = lateout(reg) _"),  # where the register of another operand may be
        result_in("r1"), *MEMORY, SWAPPED,
    ],
    ("linux", "arm", "src/sys/linux/wide32.rs"): [
        constant("ALIGNED", "false"),
        returns("pair", "[low, high]", "[high, low]"),
        returns("preadv2_offset", "[low, _]", "[low, word(0)]"),
    ],
    # (No program shows that the pushes are declared: its ABI keeps nothing below the stack pointer.)
    ("linux", "x86", "arch/linux/x86.rs"): [
        instructions("int; xchg", "int 0x80", "trap_esi"),  # esi is not put back
        instructions("xchg; int; xchg", "/* {a3} */ int 0x80", "trap_esi"),  # nor is the argument in it
        instructions("pop esi", "", "syscall5"),  # it stays on the stack
        instructions("pop esi; pop ebp", "pop ebp; pop esi", "syscall6"),
        instructions("int", "syscall", "trap"),  # another processor's
        result_in("ebx", "trap", "trap_esi"), option("nomem", "trap", "trap_esi"), option("readonly", "trap", "trap_esi"),
        swap("nr : usize", 4, 6, "syscall6"), swap("nr : usize", 2, 5, "syscall5", "syscall6"),
    ],
    ("linux", "x86", "src/sys/linux/wide32.rs"): [constant("ALIGNED", "true")],
    ("linux", "x86", "src/sys/linux/nr/x86.rs"): [constant("SENDFILE", 187)],  # of 32 bits
    ("freebsd", "x86_64", "arch/freebsd/x86_64.rs"): [
        *(undeclare(register, "trap", "syscall7") for register in ["rcx", "r11"]),
        *(undeclare(register, place) for register in ["rdx", "r10", "r8", "r9"] for place in ["trap", "syscall7"]),
        option("nomem", "trap"), option("preserves_flags", "trap"), option("preserves_flags", "syscall7"),
        option("nostack", "syscall7"),  # in spite of the pushes
        instructions("push; push; syscall; lea", "push {a6}; syscall; lea rsp, [rsp + 8]"),  # without the word before the argument
        instructions("push; push", "sub rsp, 8; push {a6}"),  # the argument at the stack pointer
        instructions("lea", "add rsp, 16"),  # which changes the carry flag
        instructions("jnc", "jmp 2f", "trap", "syscall7"),
        argument_in("rcx", 4),
    ],
    ("freebsd", "x86_64", "src/sys/freebsd/mod.rs"): [swap("SIGTIMEDWAIT", 2, 3), constant("LSEEK", 199)],  # its old number
    ("freebsd", "aarch64", "arch/freebsd/aarch64.rs"): [
        number_in("x7"), argument_in("x7", 7), instructions("cneg", ""), instructions("cneg", "cneg x0, x0, cc"),
        option("nomem") + INLINED, undeclare("x1") + INLINED,
    ],
    ("freebsd", "riscv64", "arch/freebsd/riscv64.rs"): [
        number_in("a7"), undeclare("t0"), undeclare("a1"), instructions("beqz", "j 2f"), option("nomem"), argument_in("a7", 7),
    ],
    ("macos", "x86_64", "arch/macos/x86_64.rs"): [
        constant("CLASS", 0), operand("clobber_abi", 'lateout("rcx") _, lateout("r11") _'), instructions("jnc", "jmp 2f"),
        option("nomem"), SWAPPED,
    ],
    ("macos", "x86_64", "src/sys/macos/raw.rs"): [swap("SIGWAIT", 1, 2), constant("SIGPROCMASK", 48)],  # the process's
    ("macos", "aarch64", "arch/macos/aarch64.rs"): [
        number_in("x8"), instructions("svc", "svc 0"), operand("clobber_abi", ""), instructions("cneg", ""), option("nomem"), SWAPPED,
    ],
    ("linux", "riscv64", "arch/linux/riscv64.rs"): [number_in("a6"), result_in("a1"), *MEMORY, SWAPPED],
    ("linux", "s390x", "arch/linux/s390x.rs"): [number_in("r0"), result_in("r3"), *MEMORY, SWAPPED],
    # The name in the other byte order, and the advice that means another thing there.
    ("linux", "s390x", "src/sys/linux/mod.rs"): [constant("ULP_MPTCP", 'u32::from_le_bytes(*b"mptc")'), constant("DontNeed", 4)],
    ("linux", "powerpc64le", "arch/linux/powerpc.rs"): [
        instructions("bns", "b 2f"), instructions("bns", "bso 2f"), *(undeclare(f"r{i}") for i in [0, *range(4, 13)]),
        option("nomem"), SWAPPED,
    ],
    ("linux", "powerpc64le", "src/sys/linux/mod.rs"): [constant("FIONREAD", "0x541b")],  # the others'
    ("linux", "loongarch64", "arch/linux/loongarch64.rs"): [
        number_in("$a6"), result_in("$a1"), *(undeclare(f"$t{i}") for i in range(9)), option("nomem"), SWAPPED,
    ],
}
