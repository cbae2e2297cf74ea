//! Linux on aarch64: the `svc 0` instruction.
//!
//! | register | role |
//! |---|---|
//! | x8 | number in, preserved |
//! | x0 | argument 1 in, result out |
//! | x1, x2, x3, x4, x5 | arguments 2 to 6, preserved |
//! | nzcv | restored from SPSR_EL1 on return |
//! | v0–v31 | the low 128 bits are preserved |
//! | z0–z31, p0–p15, ffr | on a CPU with SVE the kernel zeroes the predicates, the first-fault register and all above bit 127 |
//! | stack | not touched |
//!
//! The stubs are never inlined. (The first form's stub is, but the function around it is not.) By the procedure call standard the caller
//! saves the registers that the kernel zeroes, around any call. So nothing else has to be declared. If the trap were inlined, it could end up
//! in a function with `#[target_feature(enable = "sve")]`, whatever this crate was compiled for. There the compiler would keep Z registers
//! across it, because there is no clobber for their upper part.
//!
//! # References
//! - [Procedure Call Standard for the Arm 64-bit Architecture](https://github.com/ARM-software/abi-aa/blob/main/aapcs64/aapcs64.rst),
//!   section 6.1, "Machine Registers"
//! - [Linux Documentation/arch/arm64/sve.rst](https://docs.kernel.org/arch/arm64/sve.html), section 3, "System call behaviour"
//! - [syscall(2)](https://man7.org/linux/man-pages/man2/syscall.2.html)

use core::arch::asm;

/// Enters the kernel. Memory is clobbered: there is neither `nomem` nor `readonly`.
macro_rules! trap {
    ($nr:ident; $($argument:tt)*) => {{
        let result: isize;
        asm!(
            "svc 0",
            in("x8") $nr,                    // number
            lateout("x0") result,           // result, where argument 1 was
            $($argument)*,
            options(nostack, preserves_flags),
        );
        result
    }};
}

stubs!(inline(never); "x0" "x1" "x2" "x3" "x4" "x5"); // for SVE, see above
stub_int2!("x0" "x1" "x2" "x3");
