//! Linux on i686 and i586: the `int 0x80` instruction, which every processor and every kernel has.
//!
//! | register | role |
//! |---|---|
//! | eax | number in, result out |
//! | ebx, ecx, edx | arguments 1 to 3, preserved |
//! | esi | argument 4, preserved |
//! | edi | argument 5, preserved |
//! | ebp | argument 6, preserved |
//! | eflags | restored by the return |
//! | xmm, x87 | preserved |
//! | stack | not touched by the kernel |
//!
//! The compiler reserves esi and ebp and accepts them in no operand. With four arguments, the last is exchanged with esi around the trap. With five
//! and six the registers do not suffice, so the rest is in memory, and eax points to it.
//!
//! # References
//! - [System V ABI, Intel386 supplement](https://gitlab.com/x86-psABIs/i386-ABI)
//! - [Linux arch/x86/entry/entry_32.S](https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/arch/x86/entry/entry_32.S), `entry_INT80_32`
//! - [syscall(2)](https://man7.org/linux/man-pages/man2/syscall.2.html)

use core::arch::asm;

/// Enters the kernel. Memory is clobbered: there is neither `nomem` nor `readonly`.
macro_rules! trap {
    ($nr:ident; $($argument:tt)*) => {{
        let result: isize;
        asm!(
            "int 0x80",
            inlateout("eax") $nr => result, // number, then result
            $($argument)*,
            options(nostack, preserves_flags),
        );
        result
    }};
}

/// Enters the kernel with `$a3` in esi.
macro_rules! trap_esi {
    ($nr:ident, $a3:ident; $($argument:tt)*) => {{
        let result: isize;
        asm!(
            "xchg esi, {a3}",
            "int 0x80",
            "xchg esi, {a3}",
            a3 = in(reg) $a3,               // argument 4, exchanged twice
            inlateout("eax") $nr => result, // number, then result
            $($argument)*,
            options(nostack, preserves_flags),
        );
        result
    }};
}

stub! { inline(always) syscall1(a0 "ebx") }
stub! { inline(always) syscall3(a0 "ebx", a1 "ecx", a2 "edx") }

/// A system call with four arguments.
///
/// # Safety
///
/// The call `nr`, with these arguments, must not break memory that Rust relies on.
#[inline(always)]
pub(crate) unsafe fn syscall4(nr: usize, a0: *mut (), a1: *mut (), a2: *mut (), a3: *mut ()) -> isize {
    // SAFETY: the caller vouches for the effects of the call, and `trap_esi` declares the registers that it changes.
    unsafe { trap_esi!(nr, a3; in("ebx") a0, in("ecx") a1, in("edx") a2) }
}

/// A system call with four arguments, the first two of them C `int`s, which are words here.
///
/// # Safety
///
/// The call `nr`, with these arguments, must not break memory that Rust relies on.
#[inline(always)]
pub(crate) unsafe fn syscall4_int2(nr: usize, a0: i32, a1: i32, a2: *mut (), a3: *mut ()) -> isize {
    // SAFETY: the caller vouches for the effects of the call, and `trap_esi` declares the registers that it changes.
    unsafe { trap_esi!(nr, a3; in("ebx") a0, in("ecx") a1, in("edx") a2) }
}

/// A system call with five arguments.
///
/// # Safety
///
/// The call `nr`, with these arguments, must not break memory that Rust relies on.
#[inline(always)]
pub(crate) unsafe fn syscall5(nr: usize, a0: *mut (), a1: *mut (), a2: *mut (), a3: *mut (), a4: *mut ()) -> isize {
    let result: isize;
    let rest: [*mut (); 2] = [core::ptr::without_provenance_mut(nr), a3];
    // SAFETY: the caller vouches for the effects of the call. esi is restored from the stack. Without `nostack` the compiler keeps
    // nothing where the push writes.
    unsafe {
        asm!(
            "push esi",
            "mov esi, dword ptr [eax + 4]",
            "mov eax, dword ptr [eax]",
            "int 0x80",
            "pop esi",
            inlateout("eax") &raw const rest => result, // pointer to the rest, then result
            in("ebx") a0,
            in("ecx") a1,
            in("edx") a2,
            in("edi") a4,
            options(preserves_flags),
        );
    }
    result
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
    let result: isize;
    let rest: [*mut (); 3] = [core::ptr::without_provenance_mut(nr), a3, a5];
    // SAFETY: the caller vouches for the effects of the call. esi and ebp are restored from the stack. Without `nostack` the compiler
    // keeps nothing where the pushes write. All operands are registers. `rest` is read before ebp changes, because the compiler may
    // address it by ebp.
    unsafe {
        asm!(
            "push ebp",
            "push esi",
            "mov esi, dword ptr [eax + 4]",
            "mov ebp, dword ptr [eax + 8]",
            "mov eax, dword ptr [eax]",
            "int 0x80",
            "pop esi",
            "pop ebp",
            inlateout("eax") &raw const rest => result, // pointer to the rest, then result
            in("ebx") a0,
            in("ecx") a1,
            in("edx") a2,
            in("edi") a4,
            options(preserves_flags),
        );
    }
    result
}
