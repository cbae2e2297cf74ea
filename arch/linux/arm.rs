//! Linux on 32-bit ARM, with the EABI: the `svc 0` instruction, also `swi 0`. It is the same in ARM and in Thumb mode.
//!
//! | register | role |
//! |---|---|
//! | r7 | number in, preserved |
//! | r0 | argument 1 in, result out |
//! | r1, r2, r3, r4, r5 | arguments 2 to 6, preserved |
//! | r6, r8–r12, lr | preserved |
//! | cpsr | restored from SPSR on return |
//! | d0–d31 | preserved |
//! | stack | not touched |
//!
//! In Thumb mode r7 is the frame pointer, and the compiler accepts it in no operand. So r7 is saved in another register around the trap. The
//! source does not know the mode of a function, so this is done in ARM mode too.
//!
//! # References
//! - [Procedure Call Standard for the Arm Architecture](https://github.com/ARM-software/abi-aa/blob/main/aapcs32/aapcs32.rst)
//! - [Linux arch/arm/kernel/entry-common.S](https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/arch/arm/kernel/entry-common.S), `vector_swi`
//! - [syscall(2)](https://man7.org/linux/man-pages/man2/syscall.2.html)

use core::arch::asm;

/// Enters the kernel. Memory is clobbered: there is neither `nomem` nor `readonly`.
macro_rules! trap {
    ($nr:ident; $($argument:tt)*) => {{
        let result: isize;
        asm!(
            "mov {r7}, r7",
            "mov r7, {nr}",
            "svc 0",
            "mov r7, {r7}",
            nr = in(reg) $nr,               // number
            r7 = out(reg) _,                // the frame pointer
            lateout("r0") result,           // result, where argument 1 was
            $($argument)*,
            options(nostack),               // no `preserves_flags`: in the oldest Thumb a move sets them
        );
        result
    }};
}

stubs!(inline(always); "r0" "r1" "r2" "r3" "r4" "r5");
stub_int2!("r0" "r1" "r2" "r3");
