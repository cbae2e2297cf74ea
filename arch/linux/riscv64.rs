//! Linux on riscv64 and riscv32: the `ecall` instruction.
//!
//! | register | role |
//! |---|---|
//! | a7 | number in, preserved |
//! | a0 | argument 1 in, result out |
//! | a1, a2, a3, a4, a5 | arguments 2 to 6, preserved |
//! | v0–v31, vl, vtype, vstart, vcsr | unspecified after a system call, whether or not this code was compiled with V |
//! | f0–f31, fcsr | preserved, but `preserves_flags` covers fcsr together with vl and vtype, so it cannot be claimed |
//! | stack | not touched |
//!
//! # References
//! - [RISC-V ELF psABI](https://github.com/riscv-non-isa/riscv-elf-psabi-doc)
//! - [Linux Documentation/arch/riscv/vector.rst](https://docs.kernel.org/arch/riscv/vector.html), section 3,
//!   "Vector Register State Across System Calls"
//! - [syscall(2)](https://man7.org/linux/man-pages/man2/syscall.2.html)

use core::arch::asm;

/// Enters the kernel. Memory is clobbered: there is neither `nomem` nor `readonly`.
macro_rules! trap {
    ($nr:ident; $($argument:tt)*) => {{
        let result: isize;
        asm!(
            "ecall",
            in("a7") $nr,                    // number
            lateout("a0") result,           // result, where argument 1 was
            $($argument)*,
            // unspecified; no `preserves_flags`, for vl and vtype
            lateout("v0") _, lateout("v1") _, lateout("v2") _, lateout("v3") _,
            lateout("v4") _, lateout("v5") _, lateout("v6") _, lateout("v7") _,
            lateout("v8") _, lateout("v9") _, lateout("v10") _, lateout("v11") _,
            lateout("v12") _, lateout("v13") _, lateout("v14") _, lateout("v15") _,
            lateout("v16") _, lateout("v17") _, lateout("v18") _, lateout("v19") _,
            lateout("v20") _, lateout("v21") _, lateout("v22") _, lateout("v23") _,
            lateout("v24") _, lateout("v25") _, lateout("v26") _, lateout("v27") _,
            lateout("v28") _, lateout("v29") _, lateout("v30") _, lateout("v31") _,
            options(nostack),
        );
        result
    }};
}

stubs!(inline(always); "a0" "a1" "a2" "a3" "a4" "a5");
stub_int2!("a0" "a1" "a2" "a3");
