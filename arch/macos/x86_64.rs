//! macOS on x86_64: the `syscall` instruction. **The vendor does not support this interface**: see the crate's feature
//! `macos-raw-syscalls`.
//!
//! | register | role |
//! |---|---|
//! | rax | number in, with the class of BSD calls in bits 24 and up; result or error number out |
//! | carry flag | set: rax is an error number |
//! | rdi, rsi, rdx, r10, r8, r9 | arguments 1 to 6 (the fourth in r10, because `syscall` overwrites rcx) |
//! | rdx | second half of a result out |
//! | rcx, r11 | overwritten by the instruction itself: return address and flags |
//! | stack | not touched |
//!
//! The result is as on Linux: an error number is negated. Every register that a C function may overwrite is
//! clobbered, because the vendor promises only the functions of libSystem.
//!
//! # References
//! - [xnu bsd/dev/i386/systemcalls.c](https://github.com/apple-oss-distributions/xnu/blob/main/bsd/dev/i386/systemcalls.c), `unix_syscall64`
//! - [xnu osfmk/mach/i386/syscall_sw.h](https://github.com/apple-oss-distributions/xnu/blob/main/osfmk/mach/i386/syscall_sw.h), the classes
//! - [System V ABI, AMD64 supplement](https://gitlab.com/x86-psABIs/x86-64-ABI)

use core::arch::asm;

/// `SYSCALL_CLASS_UNIX` in its place.
const CLASS: usize = 2 << 24;

/// Enters the kernel. Memory and the flags are clobbered: there is no `nomem`, `readonly` or `preserves_flags`.
macro_rules! trap {
    ($nr:ident; $($argument:tt)*) => {{
        let result: isize;
        asm!(
            "syscall",
            "jnc 2f",
            "neg rax",
            "2:",
            inlateout("rax") CLASS | $nr => result, // number, then result
            $($argument)*,
            clobber_abi("C"),
            options(nostack),
        );
        result
    }};
}

stubs!(inline(always); "rdi" "rsi" "rdx" "r10" "r8" "r9");
