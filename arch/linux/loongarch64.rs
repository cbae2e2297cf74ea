//! Linux on loongarch64: the `syscall 0` instruction.
//!
//! | register | role |
//! |---|---|
//! | a7 | number in, preserved |
//! | a0 | argument 1 in, result out |
//! | a1, a2, a3, a4, a5 | arguments 2 to 6, preserved |
//! | t0–t8 | not preserved |
//! | f0–f31, fcc0–fcc7, and the vectors above them | preserved |
//! | stack | not touched |
//!
//! # References
//! - [LoongArch ELF psABI](https://github.com/loongson/la-abi-specs/blob/release/lapcs.adoc)
//! - [Linux arch/loongarch/kernel/entry.S](https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/arch/loongarch/kernel/entry.S), `handle_syscall`
//! - [syscall(2)](https://man7.org/linux/man-pages/man2/syscall.2.html)

use core::arch::asm;

/// Enters the kernel. Memory is clobbered: there is neither `nomem` nor `readonly`.
macro_rules! trap {
    ($nr:ident; $($argument:tt)*) => {{
        let result: isize;
        asm!(
            "syscall 0",
            in("$a7") $nr,                  // number
            lateout("$a0") result,          // result, where argument 1 was
            $($argument)*,
            lateout("$t0") _,               // not restored, as the next
            lateout("$t1") _, lateout("$t2") _, lateout("$t3") _, lateout("$t4") _,
            lateout("$t5") _, lateout("$t6") _, lateout("$t7") _, lateout("$t8") _,
            options(nostack),
        );
        result
    }};
}

stubs!(inline(always); "$a0" "$a1" "$a2" "$a3" "$a4" "$a5");
stub_int2!("$a0" "$a1" "$a2" "$a3");
