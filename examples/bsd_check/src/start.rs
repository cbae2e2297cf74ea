//! What a static FreeBSD program needs in place of a C library: a note that says what it is, an entry, an exit.

use core::arch::global_asm;

use crate::kernel::{exit, say};

// Without this note the kernel takes a static program for one of another system. Name, size of what follows, type
// NT_FREEBSD_ABI_TAG, "FreeBSD", and the oldest release that it is for: 13.0.
global_asm!(
    ".pushsection .note.tag, \"a\", %note",
    ".p2align 2",
    ".4byte 8, 4, 1",
    ".asciz \"FreeBSD\"",
    ".4byte 1300139",
    ".popsection",
);

#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "and rsp, -16", "call {main}", main = sym main);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x29, xzr", "bl {main}", main = sym main);
// Without norelax the linker would load gp relative to gp.
#[cfg(target_arch = "riscv64")]
global_asm!(
    ".globl _start", "_start:", ".option push", ".option norelax", "la gp, __global_pointer$", ".option pop",
    "call {main}", main = sym main
);

extern "C" fn main() -> ! {
    exit(crate::run().min(255) as i32)
}

/// The standard library was compiled for unwinding and refers to it, but nothing unwinds.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    say(format_args!("FAILED: {info}\n"));
    exit(255)
}
