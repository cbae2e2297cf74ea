//! FreeBSD on x86_64: the `syscall` instruction.
//!
//! | register | role |
//! |---|---|
//! | rax | number in, result or error number out |
//! | carry flag | set: rax is an error number |
//! | rdi, rsi | arguments 1 and 2, preserved |
//! | rdx | argument 3 in, overwritten |
//! | r10, r8, r9 | arguments 4 to 6 in (the fourth in r10, because `syscall` overwrites rcx), zeroed |
//! | \[rsp + 8\] | argument 7: the kernel skips a word, which in C is the return address |
//! | rcx, r11 | overwritten by the instruction itself: return address and flags |
//! | xmm, ymm, zmm, k, x87 | preserved |
//!
//! The result is as on Linux: an error number is negated.
//!
//! # References
//! - [FreeBSD sys/amd64/amd64/exception.S](https://github.com/freebsd/freebsd-src/blob/main/sys/amd64/amd64/exception.S), `fast_syscall`
//! - [FreeBSD sys/amd64/amd64/trap.c](https://github.com/freebsd/freebsd-src/blob/main/sys/amd64/amd64/trap.c), `cpu_fetch_syscall_args`
//! - [FreeBSD sys/amd64/amd64/vm_machdep.c](https://github.com/freebsd/freebsd-src/blob/main/sys/amd64/amd64/vm_machdep.c), `cpu_set_syscall_retval`

use core::arch::asm;

/// Enters the kernel. Memory and the flags are clobbered: there is no `nomem`, `readonly` or `preserves_flags`.
macro_rules! trap {
    ($nr:ident; $($argument:tt)*) => {{
        let result: isize;
        asm!(
            "syscall",
            "jnc 2f",
            "neg rax",
            "2:",
            inlateout("rax") $nr => result, // number, then result
            $($argument)*,
            lateout("rdx") _,               // second half of a result
            lateout("r10") _,               // zeroed, as the next two
            lateout("r8") _,
            lateout("r9") _,
            lateout("rcx") _,               // return address
            lateout("r11") _,               // saved flags
            options(nostack),
        );
        result
    }};
}

stubs!(inline(always); "rdi" "rsi" "rdx" "r10" "r8" "r9");

/// A system call with seven arguments.
///
/// # Safety
///
/// The call `nr`, with these arguments, must not break memory that Rust relies on.
#[expect(clippy::too_many_arguments)]
#[inline(always)]
pub(crate) unsafe fn syscall7(
    nr: usize,
    a0: *mut (),
    a1: *mut (),
    a2: *mut (),
    a3: *mut (),
    a4: *mut (),
    a5: *mut (),
    a6: *mut (),
) -> isize {
    let result: isize;
    // SAFETY: the caller vouches for the effects of the call. Every register that it changes is declared. The stack pointer is
    // restored, by an instruction that does not change the carry flag. All operands are registers, none of them relative to the
    // stack pointer. Without `nostack` the compiler keeps nothing where the pushes write.
    unsafe {
        asm!(
            "push {a6}",
            "push {a6}",                    // in place of a return address; the value is ignored
            "syscall",
            "lea rsp, [rsp + 16]",
            "jnc 2f",
            "neg rax",
            "2:",
            a6 = in(reg) a6,
            inlateout("rax") nr => result,  // number, then result
            in("rdi") a0,
            in("rsi") a1,
            inlateout("rdx") a2 => _,       // second half of a result
            inlateout("r10") a3 => _,       // zeroed, as the next two
            inlateout("r8") a4 => _,
            inlateout("r9") a5 => _,
            lateout("rcx") _,               // return address
            lateout("r11") _,               // saved flags
        );
    }
    result
}
