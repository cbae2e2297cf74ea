//! macOS on x86_64: the `syscall` instruction. **The vendor does not support this interface**: see the crate's feature
//! `macos-raw-syscalls`.
//!
//! | register | role |
//! |---|---|
//! | rax | number in, with the class of BSD calls in bits 24 and up; result or error number out |
//! | carry flag | set: rax is an error number |
//! | rdi, rsi, rdx, r10, r8, r9 | arguments 1 to 6 (the fourth in r10, as `syscall` overwrites rcx) |
//! | rdx | second half of a result out |
//! | rcx, r11 | overwritten by the instruction itself: return address and flags |
//! | stack | not touched |
//!
//! The result is what Linux would give: an error number comes negated. No more is taken as preserved than by a function of
//! C, as the vendor promises only the functions of libSystem.
//!
//! # References
//! - [xnu bsd/dev/i386/systemcalls.c](https://github.com/apple-oss-distributions/xnu/blob/main/bsd/dev/i386/systemcalls.c), `unix_syscall64`
//! - [xnu osfmk/mach/i386/syscall_sw.h](https://github.com/apple-oss-distributions/xnu/blob/main/osfmk/mach/i386/syscall_sw.h), the classes
//! - [System V ABI, AMD64 supplement](https://gitlab.com/x86-psABIs/x86-64-ABI)

use core::arch::asm;

/// `SYSCALL_CLASS_UNIX` in its place.
const CLASS: usize = 2 << 24;

/// Enters the kernel. Memory is clobbered: there is neither `nomem` nor `readonly`. So are the flags: there is no
/// `preserves_flags`.
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

/// A system call with one argument.
///
/// # Safety
///
/// The call `nr`, with these arguments, must not break memory that Rust relies on.
#[inline(always)]
pub(crate) unsafe fn syscall1(nr: usize, a0: *mut ()) -> isize {
    // SAFETY: what the call does is vouched for by the caller; the registers it changes are declared by `trap`.
    unsafe { trap!(nr; in("rdi") a0) }
}

/// A system call with three arguments.
///
/// # Safety
///
/// The call `nr`, with these arguments, must not break memory that Rust relies on.
#[inline(always)]
pub(crate) unsafe fn syscall3(nr: usize, a0: *mut (), a1: *mut (), a2: *mut ()) -> isize {
    // SAFETY: what the call does is vouched for by the caller; the registers it changes are declared by `trap`.
    unsafe { trap!(nr; in("rdi") a0, in("rsi") a1, in("rdx") a2) }
}

/// A system call with four arguments.
///
/// # Safety
///
/// The call `nr`, with these arguments, must not break memory that Rust relies on.
#[inline(always)]
pub(crate) unsafe fn syscall4(nr: usize, a0: *mut (), a1: *mut (), a2: *mut (), a3: *mut ()) -> isize {
    // SAFETY: what the call does is vouched for by the caller; the registers it changes are declared by `trap`.
    unsafe { trap!(nr; in("rdi") a0, in("rsi") a1, in("rdx") a2, in("r10") a3) }
}

/// A system call with five arguments.
///
/// # Safety
///
/// The call `nr`, with these arguments, must not break memory that Rust relies on.
#[inline(always)]
pub(crate) unsafe fn syscall5(nr: usize, a0: *mut (), a1: *mut (), a2: *mut (), a3: *mut (), a4: *mut ()) -> isize {
    // SAFETY: what the call does is vouched for by the caller; the registers it changes are declared by `trap`.
    unsafe { trap!(nr; in("rdi") a0, in("rsi") a1, in("rdx") a2, in("r10") a3, in("r8") a4) }
}

/// A system call with six arguments.
///
/// # Safety
///
/// The call `nr`, with these arguments, must not break memory that Rust relies on.
#[inline(always)]
pub(crate) unsafe fn syscall6(
    nr: usize,
    a0: *mut (),
    a1: *mut (),
    a2: *mut (),
    a3: *mut (),
    a4: *mut (),
    a5: *mut (),
) -> isize {
    // SAFETY: what the call does is vouched for by the caller; the registers it changes are declared by `trap`.
    unsafe { trap!(nr; in("rdi") a0, in("rsi") a1, in("rdx") a2, in("r10") a3, in("r8") a4, in("r9") a5) }
}
