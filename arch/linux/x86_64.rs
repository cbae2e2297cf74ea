//! Linux on x86_64: the `syscall` instruction.
//!
//! | register | role |
//! |---|---|
//! | rax | number in, result out |
//! | rdi, rsi, rdx, r10, r8, r9 | arguments 1 to 6, preserved (the kernel takes the fourth in r10, as `syscall` overwrites rcx) |
//! | rcx, r11 | overwritten by the instruction itself: return address and flags |
//! | rflags | restored from r11 on return |
//! | xmm, ymm, zmm, k, x87 | preserved |
//! | stack | not touched: no red zone is skipped, nothing is pushed |
//!
//! # References
//! - [System V ABI, AMD64 supplement](https://gitlab.com/x86-psABIs/x86-64-ABI), appendix A.2, "AMD64 Linux Kernel Conventions"
//! - [Linux arch/x86/entry/entry_64.S](https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/arch/x86/entry/entry_64.S)
//! - [syscall(2)](https://man7.org/linux/man-pages/man2/syscall.2.html)

use core::arch::asm;

/// Enters the kernel. Memory is clobbered: there is neither `nomem` nor `readonly`.
macro_rules! trap {
    ($nr:ident; $($argument:tt)*) => {{
        let result: isize;
        asm!(
            "syscall",
            inlateout("rax") $nr => result, // number, then result
            $($argument)*,
            lateout("rcx") _,               // return address
            lateout("r11") _,               // saved flags
            options(nostack, preserves_flags),
        );
        result
    }};
}

/// A system call with one argument.
///
/// # Safety
///
/// The call `nr`, with these arguments, must not break memory that Rust relies on.
#[cfg(not(feature = "std"))] // for close(2), which std does itself
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

/// A system call with four arguments, the first two of them C `int`s. As in the C calling convention the upper half
/// of their registers is not specified (the kernel ignores it), which saves extending them.
///
/// # Safety
///
/// The call `nr`, with these arguments, must not break memory that Rust relies on.
#[inline(always)]
pub(crate) unsafe fn syscall4_int2(nr: usize, a0: i32, a1: i32, a2: *mut (), a3: *mut ()) -> isize {
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
