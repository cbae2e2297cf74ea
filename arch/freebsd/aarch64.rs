//! FreeBSD on aarch64: the `svc 0` instruction.
//!
//! | register | role |
//! |---|---|
//! | x8 | number in, preserved |
//! | x0 | argument 1 in, result or error number out |
//! | carry flag | set: x0 is an error number |
//! | x1 | argument 2 in, overwritten with the second half of a result |
//! | x2, x3, x4, x5, x6 | arguments 3 to 7, preserved |
//! | nzcv | overwritten |
//! | v0–v31 | the low 128 bits are preserved |
//! | z0–z31, p0–p15, ffr | not promised: treated as overwritten, except for the low 128 bits |
//! | stack | not touched |
//!
//! The result is as on Linux: an error number is negated. The stubs are never inlined, for the same
//! reason as Linux's: the caller saves SVE state around a call, and there is no clobber for it.
//!
//! # References
//! - [FreeBSD sys/arm64/arm64/trap.c](https://github.com/freebsd/freebsd-src/blob/main/sys/arm64/arm64/trap.c), `cpu_fetch_syscall_args`
//! - [FreeBSD sys/arm64/arm64/vm_machdep.c](https://github.com/freebsd/freebsd-src/blob/main/sys/arm64/arm64/vm_machdep.c), `cpu_set_syscall_retval`
//! - [Procedure Call Standard for the Arm 64-bit Architecture](https://github.com/ARM-software/abi-aa/blob/main/aapcs64/aapcs64.rst)

use core::arch::asm;

/// Enters the kernel. Memory and the flags are clobbered: there is no `nomem`, `readonly` or `preserves_flags`.
macro_rules! trap {
    ($nr:ident; $($argument:tt)*) => {{
        let result: isize;
        asm!(
            "svc 0",
            "cneg x0, x0, cs",
            in("x8") $nr,                    // number
            lateout("x0") result,           // result, where argument 1 was
            lateout("x1") _,                // second half of a result
            $($argument)*,
            options(nostack),
        );
        result
    }};
}

stubs!(inline(never); "x0" "x1" "x2" "x3" "x4" "x5" "x6"); // for SVE, see above
