//! What a program needs in place of a C library's start-up files: an entry, arguments, and what `core` refers to.

use core::arch::global_asm;
use core::ffi::{CStr, c_char};

use rustix::fd::BorrowedFd;

// SAFETY: who starts the program opens both, and it closes neither. Where nobody did, the kernel says EBADF.
pub const STDOUT: BorrowedFd<'static> = unsafe { BorrowedFd::borrow_raw(1) };
// SAFETY: as above.
pub const STDERR: BorrowedFd<'static> = unsafe { BorrowedFd::borrow_raw(2) };

// The kernel enters with the stack pointer at the argument count, aligned to 16; there is nobody to return to.
#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "mov rdi, rsp", "call {start}", start = sym start);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x29, xzr", "mov x0, sp", "bl {start}", start = sym start);
// In ARM mode, also where the compiler writes Thumb: the linker sees to the change.
#[cfg(target_arch = "arm")]
global_asm!(
    ".arm", ".p2align 2", ".globl _start", ".type _start, %function", "_start:", "mov r11, #0", "mov r0, sp", "bl {start}", start = sym start
);
// `norelax`, or the linker would make this load of gp relative to gp.
#[cfg(target_arch = "riscv64")]
global_asm!(
    ".globl _start", "_start:", ".option push", ".option norelax", "la gp, __global_pointer$", ".option pop",
    "mv a0, sp", "call {start}", start = sym start
);

/// The arguments of the program after its name.
#[derive(Clone, Copy)]
pub struct Arguments {
    next: *const *const c_char,
}

impl Iterator for Arguments {
    type Item = &'static CStr;

    fn next(&mut self) -> Option<&'static CStr> {
        // SAFETY: `next` points into the kernel's list of pointers, which lives as long as the program, and not behind
        // the null pointer at its end.
        let argument = unsafe { *self.next };
        if argument.is_null() {
            return None;
        }
        // SAFETY: the list goes on, as this one is not its end.
        self.next = unsafe { self.next.add(1) };
        // SAFETY: the kernel's strings end with a zero byte, live as long as the program, and nobody writes to them.
        Some(unsafe { CStr::from_ptr(argument) })
    }
}

/// `stack`: the count of arguments, the pointers to them, a null pointer.
unsafe extern "C" fn start(stack: *const *const c_char) -> ! {
    // SAFETY: `_start` passes the stack as the kernel laid it out. A count of 0 has the null pointer in the name's place.
    let arguments = unsafe { Arguments { next: stack.add(if (*stack).is_null() { 1 } else { 2 }) } };
    exit(crate::main(arguments))
}

fn exit(code: u8) -> ! {
    loop {
        // SAFETY: exit_group(2) touches no memory. It does not return.
        unsafe { syscalls::raw_syscall!(syscalls::Sysno::exit_group, code) };
    }
}

/// Required of every program; a program that cannot go on has no better way out.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(134)
}

/// The prebuilt `core` was compiled for unwinding and refers to it, but nothing unwinds.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// ARM's tables for unwinding name them, and nothing unwinds.
#[cfg(target_arch = "arm")]
#[unsafe(no_mangle)]
extern "C" fn __aeabi_unwind_cpp_pr0() {}
#[cfg(target_arch = "arm")]
#[unsafe(no_mangle)]
extern "C" fn __aeabi_unwind_cpp_pr1() {}

/// Those atomic operations of aarch64 that `core` calls by name ask by it whether the processor has better instructions. Of nothing
/// known they make do with the old ones.
#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
extern "C" fn getauxval(_: u64) -> u64 {
    0
}

// Compilers call these by name for copies, fills and comparisons; every program without a C library has to have them.

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

#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
    // SAFETY: the caller passes `count` bytes each.
    unsafe { memcmp(a, b, count) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(string: *const c_char) -> usize {
    let mut len = 0;
    // SAFETY: the caller's string ends with a zero byte, at which this stops.
    while unsafe { *string.add(len) } != 0 {
        len += 1;
    }
    len
}
