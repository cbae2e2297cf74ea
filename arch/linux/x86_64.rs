//! Linux on x86_64: the `syscall` instruction.
//!
//! | register | role |
//! |---|---|
//! | rax | number in, result out |
//! | rdi, rsi, rdx, r10, r8, r9 | arguments 1 to 6, preserved (the fourth in r10, because `syscall` overwrites rcx) |
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

stubs!(inline(always); "rdi" "rsi" "rdx" "r10" "r8" "r9");
stub_int2!("rdi" "rsi" "rdx" "r10");
