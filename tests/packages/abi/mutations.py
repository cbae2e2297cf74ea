"""Ways to break the crate, each of which has to turn a probe red: name, file, and texts with their replacements.

For the flags only where a compiler was seen to keep them across a trap: Linux and FreeBSD on x86_64. (Of powerpc's condition fields, its
ctr and its xer no compiler was seen to keep one.)
"""


def mutations(os, cpu, list):
    return [(name, f"arch/{os}/{cpu}.rs", [*zip(texts[::2], texts[1::2])]) for name, *texts in list]


MUTATIONS = {
    ("linux", "x86_64"): mutations("linux", "x86_64", [
        ("rcx not declared", 'lateout("rcx") _,', ""),
        ("r11 not declared", 'lateout("r11") _,', ""),
        ("memory not declared", "options(nostack,", "options(nostack, nomem,"),
        ("memory declared as read only", "options(nostack,", "options(nostack, readonly,"),
        ("the fourth argument in rcx", '"rdx" "r10"', '"rdx" "rcx"'),
        ("arguments five and six swapped", '"r8" "r9"', '"r9" "r8"'),
    ]),
    ("linux", "aarch64"): mutations("linux", "aarch64", [
        ("number in x7", 'in("x8") $nr', 'in("x7") $nr'),
        ("result in x1", 'lateout("x0") result', 'lateout("x0") _, lateout("x1") result'),
        ("memory not declared", "options(nostack,", "options(nostack, nomem,"),
        ("memory declared as read only", "options(nostack,", "options(nostack, readonly,"),
        ("arguments five and six swapped", '"x4" "x5"', '"x5" "x4"'),
    ]),
    ("linux", "arm"): mutations("linux", "arm", [
        ("number in r6", '"mov r7, {nr}",', '"mov r6, {nr}",'),
        ("r7 not put back", '"mov r7, {r7}",', ""),
        ("r7 kept where an operand may be", "r7 = out(reg) _", "r7 = lateout(reg) _"),
        ("result in r1", 'lateout("r0") result', 'lateout("r0") _, lateout("r1") result'),
        ("memory not declared", "options(nostack)", "options(nostack, nomem)"),
        ("memory declared as read only", "options(nostack)", "options(nostack, readonly)"),
        ("arguments five and six swapped", '"r4" "r5"', '"r5" "r4"'),
    ]),
    # (No program shows that the pushes are declared: its ABI keeps nothing below the stack pointer.)
    ("linux", "x86"): mutations("linux", "x86", [
        ("esi not put back", '"int 0x80",\n            "xchg esi, {a3}",', '"int 0x80",'),
        ("the fourth argument not in esi", '"xchg esi, {a3}",\n            "int 0x80",\n            "xchg esi, {a3}",', '"/* {a3} */ int 0x80",'),
        ("esi left on the stack", '"pop esi",\n            inlateout', 'inlateout'),
        ("ebp and esi exchanged", '"pop esi",\n            "pop ebp",', '"pop ebp",\n            "pop esi",'),
        ("result in ebx", 'inlateout("eax") $nr => result', 'inlateout("eax") $nr => _, lateout("ebx") result'),
        ("the trap of another processor", '"int 0x80",\n            inlateout', '"syscall",\n            inlateout'),
        ("memory not declared", "options(nostack,", "options(nostack, nomem,"),
        ("memory declared as read only", "options(nostack,", "options(nostack, readonly,"),
        ("arguments four and six swapped", "nr), a3, a5]", "nr), a5, a3]"),
        ("arguments two and five swapped", 'in("ecx") a1,\n            in("edx") a2,\n            in("edi") a4,',
         'in("ecx") a4,\n            in("edx") a2,\n            in("edi") a1,'),
    ]),
    ("freebsd", "x86_64"): mutations("freebsd", "x86_64", [
        ("rcx not declared", 'lateout("rcx") _,', ""),
        ("r11 not declared", 'lateout("r11") _,', ""),
        ("rdx not declared", 'lateout("rdx") _,', ""),
        ("r10 not declared", 'lateout("r10") _,', ""),
        ("r8 not declared", 'lateout("r8") _,', ""),
        ("r9 not declared", 'lateout("r9") _,', ""),
        ("rdx not declared, with seven arguments", 'inlateout("rdx") a2 => _', 'in("rdx") a2'),
        ("r10 not declared, with seven arguments", 'inlateout("r10") a3 => _', 'in("r10") a3'),
        ("r8 not declared, with seven arguments", 'inlateout("r8") a4 => _', 'in("r8") a4'),
        ("r9 not declared, with seven arguments", 'inlateout("r9") a5 => _', 'in("r9") a5'),
        ("flags not declared", "options(nostack)", "options(nostack, preserves_flags)"),
        ("flags not declared, with seven arguments", "            lateout(\"r11\") _,               // saved flags\n        );",
         "            lateout(\"r11\") _,\n options(preserves_flags));"),
        ("the pushes not declared", "            lateout(\"r11\") _,               // saved flags\n        );",
         "            lateout(\"r11\") _,\n options(nostack));"),
        ("memory not declared", "options(nostack)", "options(nostack, nomem)"),
        ("the seventh argument without the word before it", '            "push {a6}",\n            "push', '            "push',
         "rsp + 16", "rsp + 8"),
        ("the seventh argument at the stack pointer", '"push {a6}",\n            "push {a6}", ', '"sub rsp, 8",\n            "push {a6}", '),
        ("the stack pointer put back by add", '"lea rsp, [rsp + 16]"', '"add rsp, 16"'),
        ("the carry flag ignored", '"jnc 2f",', '"jmp 2f",'),
        ("the fourth argument in rcx", '"rdx" "r10"', '"rdx" "rcx"'),
    ]),
    ("freebsd", "aarch64"): mutations("freebsd", "aarch64", [
        ("number in x7", 'in("x8") $nr', 'in("x7") $nr'),
        ("the seventh argument in x7", '"x5" "x6"', '"x5" "x7"'),
        ("the carry flag ignored", '"cneg x0, x0, cs",', ""),
        ("the carry flag reversed", "x0, cs", "x0, cc"),
        ("memory not declared, inlined", "options(nostack)", "options(nostack, nomem)", "inline(never)", "inline(always)"),
        ("x1 not declared, inlined", 'lateout("x1") _,', "", "inline(never)", "inline(always)"),
    ]),
    ("freebsd", "riscv64"): mutations("freebsd", "riscv64", [
        ("number in a7", 'inlateout("t0") $nr => _', 'in("a7") $nr'),
        ("t0 not declared", 'inlateout("t0") $nr => _', 'in("t0") $nr'),
        ("a1 not declared", 'lateout("a1") _,', ""),
        ("t0 ignored", '"beqz t0, 2f",', '"j 2f",'),
        ("memory not declared", "options(nostack)", "options(nostack, nomem)"),
        ("the seventh argument in a7", '"a5" "a6"', '"a5" "a7"'),
    ]),
    ("macos", "x86_64"): mutations("macos", "x86_64", [
        ("no class", "CLASS | $nr", "$nr"),
        ("only rcx and r11 declared", 'clobber_abi("C"),', 'lateout("rcx") _, lateout("r11") _,'),
        ("the carry flag ignored", '"jnc 2f",', '"jmp 2f",'),
        ("memory not declared", "options(nostack)", "options(nostack, nomem)"),
        ("arguments five and six swapped", '"r8" "r9"', '"r9" "r8"'),
    ]),
    ("macos", "aarch64"): mutations("macos", "aarch64", [
        ("number in x8", 'in("x16") $nr', 'in("x8") $nr'),
        ("Linux's trap", "svc 0x80", "svc 0"),
        ("nothing declared", 'clobber_abi("C"),', ""),
        ("the carry flag ignored", '"cneg x0, x0, cs",', ""),
        ("memory not declared", "options(nostack)", "options(nostack, nomem)"),
        ("arguments five and six swapped", '"x4" "x5"', '"x5" "x4"'),
    ]),
    ("linux", "riscv64"): mutations("linux", "riscv64", [
        ("number in a6", 'in("a7") $nr', 'in("a6") $nr'),
        ("result in a1", 'lateout("a0") result', 'lateout("a0") _, lateout("a1") result'),
        ("memory not declared", "options(nostack)", "options(nostack, nomem)"),
        ("memory declared as read only", "options(nostack)", "options(nostack, readonly)"),
        ("arguments five and six swapped", '"a4" "a5"', '"a5" "a4"'),
    ]),
    ("linux", "s390x"): mutations("linux", "s390x", [
        ("number in r0", 'in("r1") $nr', 'in("r0") $nr'),
        ("result in r3", 'lateout("r2") result', 'lateout("r2") _, lateout("r3") result'),
        ("memory not declared", "options(nostack)", "options(nostack, nomem)"),
        ("memory declared as read only", "options(nostack)", "options(nostack, readonly)"),
        ("arguments five and six swapped", '"r6" "r7"', '"r7" "r6"'),
    ]),
    ("linux", "powerpc64le"): [(name, path.replace("64le", ""), texts) for name, path, texts in mutations("linux", "powerpc64le", [
        ("cr0.SO ignored", '"bns 2f",', '"b 2f",'),
        ("cr0.SO reversed", '"bns 2f",', '"bso 2f",'),
        ("r0 not declared", 'inlateout("r0") $nr => _', 'in("r0") $nr'),
        *((f"r{i} not declared", f'lateout("r{i}") _,', "") for i in range(4, 13)),
        ("memory not declared", "options(nostack)", "options(nostack, nomem)"),
        ("arguments five and six swapped", '"r7" "r8"', '"r8" "r7"'),
    ])],
    ("linux", "loongarch64"): mutations("linux", "loongarch64", [
        ("number in a6", 'in("$a7") $nr', 'in("$a6") $nr'),
        ("result in a1", 'lateout("$a0") result', 'lateout("$a0") _, lateout("$a1") result'),
        *((f"t{i} not declared", f'lateout("$t{i}") _,', "") for i in range(9)),
        ("memory not declared", "options(nostack)", "options(nostack, nomem)"),
        ("arguments five and six swapped", '"$a4" "$a5"', '"$a5" "$a4"'),
    ]),
}

# Of single calls, which are the same on every processor.
MUTATIONS["linux", "x86_64"] += [(name, "src/sys/linux/mod.rs", [texts]) for name, *texts in [
    ("splice's count and flags swapped", "word(count as isize), flags)", "flags, word(count as isize))"),
    ("statx's flags and mask swapped", "word(AT_EMPTY_PATH),\n            word(mask)", "word(mask),\n            word(AT_EMPTY_PATH)"),
]]
# Of those that are a processor's own.
MUTATIONS["linux", "s390x"] += [(name, "src/sys/linux/mod.rs", [texts]) for name, *texts in [
    ("the name of MPTCP in the other byte order", 'from_ne_bytes(*b"mptc")', 'from_le_bytes(*b"mptc")'),
    ("the advice that means another thing", '"s390x") { 6 }', '"s390x") { 4 }'),
]]
MUTATIONS["linux", "powerpc64le"] += [("FIONREAD of the others", "src/sys/linux/mod.rs", [("0x4004_667f", "0x541b")])]
MUTATIONS["linux", "x86_64"] += [(name, "src/sys/linux/wide64.rs", [texts]) for name, *texts in [
    ("fadvise's length and advice swapped", "word(len as isize), advice", "advice, word(len as isize)"),
    ("preadv2's offset in both halves", "[word(offset as isize), word(0)]", "[word(offset as isize), word(offset as isize)]"),
]]
MUTATIONS["linux", "arm"] += [(name, "src/sys/linux/wide32.rs", [texts]) for name, *texts in [
    ("pairs at any register", 'cfg!(any(target_arch = "arm", ', "cfg!(any("),
    ("halves swapped", "{ [low, high] }", "{ [high, low] }"),
    ("preadv2's offset without its upper half", "word((offset >> 32) as u32 as isize)]", "word(0)]"),
]]
MUTATIONS["linux", "x86"] += [(name, path, [texts]) for name, path, *texts in [
    ("pairs at even registers", "src/sys/linux/wide32.rs", 'cfg!(any(target_arch = "arm", ', 'cfg!(any(target_arch = "x86", '),
    ("sendfile of 32 bits", "src/sys/linux/nr/x86.rs", "SENDFILE: usize = 239", "SENDFILE: usize = 187"),
]]
MUTATIONS["freebsd", "x86_64"] += [
    ("sigtimedwait's second and third argument swapped", "src/sys/freebsd/mod.rs",
     [("SIGTIMEDWAIT, set, null_mut(), no_time", "SIGTIMEDWAIT, set, no_time, null_mut()")]),
    ("lseek's old number", "src/sys/freebsd/mod.rs", [("LSEEK: usize = 478", "LSEEK: usize = 199")]),
]
MUTATIONS["macos", "x86_64"] += [
    ("sigwait's arguments swapped", "src/sys/macos/raw.rs",
     [("set.cast_mut().cast(), signal.cast()", "signal.cast(), set.cast_mut().cast()")]),
    ("the process's signal mask", "src/sys/macos/raw.rs", [("SIGPROCMASK: usize = 329", "SIGPROCMASK: usize = 48")]),
]
