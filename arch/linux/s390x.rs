//! Linux on s390x: the `svc 0` instruction, which reads the number from a register.
//!
//! | register | role |
//! |---|---|
//! | r1 | number in, preserved |
//! | r2 | argument 1 in, result out |
//! | r3, r4, r5, r6, r7 | arguments 2 to 6, preserved |
//! | r0, r8–r15 | preserved |
//! | condition code | restored with the PSW |
//! | f0–f15, v0–v31 | preserved |
//! | stack | not touched |
//!
//! # References
//! - [s390x ELF ABI](https://github.com/IBM/s390x-abi)
//! - [Linux arch/s390/kernel/entry.S](https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/arch/s390/kernel/entry.S), `system_call`
//! - [syscall(2)](https://man7.org/linux/man-pages/man2/syscall.2.html)

use core::arch::asm;

/// Enters the kernel. Memory is clobbered: there is neither `nomem` nor `readonly`.
macro_rules! trap {
    ($nr:ident; $($argument:tt)*) => {{
        let result: isize;
        asm!(
            "svc 0",
            in("r1") $nr,                   // number
            lateout("r2") result,           // result, where argument 1 was
            $($argument)*,
            options(nostack),
        );
        result
    }};
}

stubs!(inline(always); "r2" "r3" "r4" "r5" "r6" "r7");
stub_int2!("r2" "r3" "r4" "r5");
