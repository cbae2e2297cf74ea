//! What a program needs in place of a C library: an entry, an exit, and what the prebuilt `core` refers to.

use core::arch::{asm, global_asm};

// The kernel enters with the stack pointer at the argument count, aligned to 16.
#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "mov rdi, rsp", "call {enter}", enter = sym enter);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x29, xzr", "mov x0, sp", "bl {enter}", enter = sym enter);
// Without norelax the linker would load gp relative to gp.
#[cfg(target_arch = "riscv64")]
global_asm!(
    ".globl _start", "_start:", ".option push", ".option norelax", "lla gp, __global_pointer$", ".option pop",
    "mv a0, sp", "call {enter}", enter = sym enter
);

/// `stack`: the count of arguments, the pointers to them, a null pointer, and more.
unsafe extern "C" fn enter(stack: *const usize) -> ! {
    if cfg!(not(feature = "unrelocated")) {
        // SAFETY: `_start` passes the stack as the kernel laid it out, and the program has not begun.
        unsafe { super::relocate::relocate(stack) }
    }
    // SAFETY: as above.
    exit(super::main(unsafe { *stack }))
}

pub fn exit(status: u8) -> ! {
    // SAFETY: exit_group(2) reads no memory and does not return.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        asm!("syscall", in("rax") 231, in("rdi") u64::from(status), options(noreturn, nostack));
        #[cfg(target_arch = "aarch64")]
        asm!("svc 0", in("x8") 94, in("x0") u64::from(status), options(noreturn, nostack));
        #[cfg(target_arch = "riscv64")]
        asm!("ecall", in("a7") 94, in("a0") u64::from(status), options(noreturn, nostack));
    }
}

/// Required of every program; unreachable in this one, or its name would be in it.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(134)
}

/// The prebuilt `core` was compiled for unwinding and refers to it, but nothing unwinds.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// Those atomic operations of aarch64 that `core` calls by name ask by it whether the processor has better instructions. Of nothing
/// known they make do with the old ones.
#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
extern "C" fn getauxval(_: u64) -> u64 {
    0
}

// Compilers call these four by name for copies, fills and comparisons; every freestanding program has to have them.

#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    for i in 0..count {
        // SAFETY: the caller passes `count` bytes each.
        unsafe { *to.add(i) = *from.add(i) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    for i in 0..count {
        // Backwards when the copy would overwrite what it has yet to read.
        let i = if to.addr() > from.addr() { count - 1 - i } else { i };
        // SAFETY: the caller passes `count` bytes each.
        unsafe { *to.add(i) = *from.add(i) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
    for i in 0..count {
        // SAFETY: the caller passes `count` bytes.
        unsafe { *to.add(i) = byte as u8 };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
    for i in 0..count {
        // SAFETY: the caller passes `count` bytes each.
        let (a, b) = unsafe { (*a.add(i), *b.add(i)) };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
    }
    0
}
