//! macOS on aarch64: the `svc 0x80` instruction. **The vendor does not support this interface**: see the crate's feature
//! `macos-raw-syscalls`.
//!
//! | register | role |
//! |---|---|
//! | x16 | number in |
//! | x0 | argument 1 in, result or error number out |
//! | carry flag | set: x0 is an error number |
//! | x1 | argument 2 in, overwritten with the second half of a result |
//! | x2, x3, x4, x5 | arguments 3 to 6 |
//! | nzcv | overwritten |
//! | stack | not touched |
//!
//! The result is as on Linux: an error number is negated. Every register that a C function may overwrite is
//! clobbered, because the vendor promises only the functions of libSystem.
//!
//! # References
//! - [xnu bsd/dev/arm/systemcalls.c](https://github.com/apple-oss-distributions/xnu/blob/main/bsd/dev/arm/systemcalls.c), `arm_prepare_u64_syscall_return`
//! - [xnu libsyscall/custom/SYS.h](https://github.com/apple-oss-distributions/xnu/blob/main/libsyscall/custom/SYS.h)
//! - [Writing ARM64 code for Apple platforms](https://developer.apple.com/documentation/xcode/writing-arm64-code-for-apple-platforms)

use core::arch::asm;

/// Enters the kernel. Memory and the flags are clobbered: there is no `nomem`, `readonly` or `preserves_flags`.
macro_rules! trap {
    ($nr:ident; $($argument:tt)*) => {{
        let result: isize;
        asm!(
            "svc 0x80",
            "cneg x0, x0, cs",
            in("x16") $nr,                   // number
            lateout("x0") result,           // result, where argument 1 was
            $($argument)*,
            clobber_abi("C"),
            options(nostack),
        );
        result
    }};
}

stubs!(inline(always); "x0" "x1" "x2" "x3" "x4" "x5");
