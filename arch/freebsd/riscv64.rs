//! FreeBSD on riscv64: the `ecall` instruction.
//!
//! | register | role |
//! |---|---|
//! | t0 | number in (not a7, as on Linux); not 0 out: a0 is an error number |
//! | a0 | argument 1 in, result or error number out |
//! | a1 | argument 2 in, overwritten with the second half of a result |
//! | a2, a3, a4, a5, a6 | arguments 3 to 7, preserved |
//! | v0–v31, vl, vtype, vstart, vcsr | not promised: treated as unspecified, as on Linux |
//! | f0–f31, fcsr | preserved, but `preserves_flags` covers fcsr together with vl and vtype, so it cannot be claimed |
//! | stack | not touched |
//!
//! The result is as on Linux: an error number is negated.
//!
//! # References
//! - [FreeBSD sys/riscv/riscv/trap.c](https://github.com/freebsd/freebsd-src/blob/main/sys/riscv/riscv/trap.c), `cpu_fetch_syscall_args`
//! - [FreeBSD sys/riscv/riscv/vm_machdep.c](https://github.com/freebsd/freebsd-src/blob/main/sys/riscv/riscv/vm_machdep.c), `cpu_set_syscall_retval`
//! - [RISC-V ELF psABI](https://github.com/riscv-non-isa/riscv-elf-psabi-doc)

use core::arch::asm;

/// Enters the kernel. Memory is clobbered: there is neither `nomem` nor `readonly`.
macro_rules! trap {
    ($nr:ident; $($argument:tt)*) => {{
        let result: isize;
        asm!(
            "ecall",
            "beqz t0, 2f",
            "neg a0, a0",
            "2:",
            inlateout("t0") $nr => _,       // number, then whether it failed
            lateout("a0") result,           // result, where argument 1 was
            lateout("a1") _,                // second half of a result
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

stubs!(inline(always); "a0" "a1" "a2" "a3" "a4" "a5" "a6");
