//! What a program needs in place of a C library: an entry, an end, and what the prebuilt `core` refers to.

use core::arch::global_asm;
use core::ffi::c_char;

use rustix::fd::BorrowedFd;
use syscalls::{Sysno, raw_syscall};

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
#[cfg(target_arch = "x86")]
global_asm!(
    ".globl _start", "_start:", "xor ebp, ebp", "mov eax, esp", "sub esp, 12", "push eax", "call {start}", start = sym start
);
// `norelax`, or the linker would make this load of gp relative to gp.
#[cfg(target_arch = "riscv64")]
global_asm!(
    ".globl _start", "_start:", ".option push", ".option norelax", "la gp, __global_pointer$", ".option pop",
    "mv a0, sp", "call {start}", start = sym start
);

/// What every program is started with.
#[derive(Clone, Copy)]
pub struct Start {
    /// The pointers to the arguments, a null pointer at their end. The first is the name of the program.
    pub arguments: *const *const c_char,
    /// The same of the environment.
    pub environment: *const *const c_char,
}

/// `stack`: the count of arguments, the pointers to them, a null pointer, those to the environment, a null pointer.
unsafe extern "C" fn start(stack: *const usize) -> ! {
    // SAFETY: `_start` passes the stack as the kernel laid it out.
    let (arguments, environment) = unsafe { (stack.add(1), stack.add(*stack + 2)) };
    crate::main(Start { arguments: arguments.cast(), environment: environment.cast() })
}

/// Ends this process.
pub fn exit(code: u8) -> ! {
    loop {
        // SAFETY: exit_group(2) touches no memory. It does not return.
        unsafe { raw_syscall!(Sysno::exit_group, code) };
    }
}

/// Required of every program. An init that ends takes the kernel with it, so not even this one just stops.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    crate::console::say(format_args!("init: FAILED: {info}"));
    crate::power_off(1)
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

/// The console, which the kernel opens for an init as standard output if the initramfs has /dev/console.
pub fn stdout() -> BorrowedFd<'static> {
    // SAFETY: nobody closes it. Where the kernel could not open it, calls fail with EBADF.
    unsafe { BorrowedFd::borrow_raw(1) }
}
