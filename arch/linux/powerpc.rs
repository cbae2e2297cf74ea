//! Linux on powerpc and powerpc64, in either byte order: the `sc` instruction.
//!
//! | register | role |
//! |---|---|
//! | r0 | number in, overwritten |
//! | r3 | argument 1 in, result or error number out |
//! | cr0.SO | set: r3 is an error number |
//! | r4, r5, r6, r7, r8 | arguments 2 to 6 in, overwritten |
//! | r9–r12, ctr, xer, cr0, cr1, cr5–cr7 | overwritten |
//! | lr, cr2–cr4, r14–r31 | preserved |
//! | f0–f31, v0–v31, vs0–vs63 | preserved |
//! | stack | not touched |
//!
//! The result is as on other processors: an error number is negated. The instruction `scv 0` of newer processors is not used.
//!
//! # References
//! - [Linux Documentation/arch/powerpc/syscall64-abi.rst](https://docs.kernel.org/arch/powerpc/syscall64-abi.html)
//! - [OpenPOWER ELF V2 ABI](https://openpowerfoundation.org/specifications/64bitelfabi/)
//! - [syscall(2)](https://man7.org/linux/man-pages/man2/syscall.2.html)

use core::arch::asm;

/// Enters the kernel. Memory is clobbered: there is neither `nomem` nor `readonly`.
macro_rules! trap {
    ($nr:ident; $($argument:tt)*) => {{
        let result: isize;
        asm!(
            "sc",
            "bns 2f",
            "neg 3, 3",
            "2:",
            inlateout("r0") $nr => _,       // number
            lateout("r3") result,           // result, where argument 1 was
            $($argument)*,
            lateout("r4") _,                // not restored, as the next
            lateout("r5") _, lateout("r6") _, lateout("r7") _, lateout("r8") _,
            lateout("r9") _, lateout("r10") _, lateout("r11") _, lateout("r12") _,
            lateout("ctr") _, lateout("xer") _,
            lateout("cr0") _, lateout("cr1") _, lateout("cr5") _, lateout("cr6") _, lateout("cr7") _,
            options(nostack),
        );
        result
    }};
}

stubs!(inline(always); "r3" "r4" "r5" "r6" "r7" "r8");
stub_int2!("r3" "r4" "r5" "r6");
