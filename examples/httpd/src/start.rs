//! What a program needs in place of a C library: an entry, an exit, and what the prebuilt `core` refers to.

use core::arch::{asm, global_asm};
use core::ffi::{CStr, c_char};
use core::fmt::Write;

// The kernel enters with the stack pointer at the argument count, aligned to 16.
#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "mov rdi, rsp", "call {enter}", enter = sym enter);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x0, sp", "bl {enter}", enter = sym enter);
// In ARM mode, also where the compiler writes Thumb: the linker sees to the change.
#[cfg(target_arch = "arm")]
global_asm!(
    ".arm", ".p2align 2", ".globl _start", ".type _start, %function", "_start:", "mov r11, #0", "mov r0, sp", "bl {enter}", enter = sym enter
);
// Without norelax the linker would load gp relative to gp.
#[cfg(target_arch = "riscv64")]
global_asm!(
    ".globl _start", "_start:", ".option push", ".option norelax", "la gp, __global_pointer$", ".option pop",
    "mv a0, sp", "call {enter}", enter = sym enter
);

/// `stack`: the count of the arguments, their pointers, a null pointer.
unsafe extern "C" fn enter(stack: *const *const c_char) -> ! {
    let arguments = (1..).map_while(|i| {
        // SAFETY: the kernel ends the pointers with a null, at which `map_while` stops, and each points to a string that
        // stays where it is; index 0, the count, is stepped over, as is 1, the program's name.
        unsafe {
            let argument = *stack.add(i + 1);
            (!argument.is_null()).then(|| CStr::from_ptr(argument).to_bytes_with_nul())
        }
    });
    exit(super::main(&mut { arguments }))
}

fn exit(status: u8) -> ! {
    // SAFETY: exit_group(2) reads no memory and does not return.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        asm!("syscall", in("rax") 231, in("rdi") u64::from(status), options(noreturn, nostack));
        #[cfg(target_arch = "aarch64")]
        asm!("svc 0", in("x8") 94, in("x0") u64::from(status), options(noreturn, nostack));
        #[cfg(target_arch = "arm")]
        asm!("mov r7, #248", "svc 0", in("r0") usize::from(status), options(noreturn, nostack));
        #[cfg(target_arch = "riscv64")]
        asm!("ecall", in("a7") 94, in("a0") u64::from(status), options(noreturn, nostack));
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: as in main.
    let stderr = unsafe { rustix::stdio::stderr() };
    let _ = writeln!(super::Out(stderr), "httpd: {info}");
    exit(134)
}

/// The prebuilt `core` was compiled for unwinding and refers to it, but nothing unwinds.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// The same, of a landing pad.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    exit(134)
}

/// ARM's tables for unwinding name them, and nothing unwinds.
#[cfg(target_arch = "arm")]
#[unsafe(no_mangle)]
extern "C" fn __aeabi_unwind_cpp_pr0() {}
#[cfg(target_arch = "arm")]
#[unsafe(no_mangle)]
extern "C" fn __aeabi_unwind_cpp_pr1() {}

/// Asked by the atomics of aarch64's prebuilt library, which CPU it is: 0, one of the first.
#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
extern "C" fn getauxval(_: usize) -> usize {
    0
}

// Compilers call these by name for copies, fills and comparisons; every freestanding program has to have them. They are
// written so that no compiler makes a call of memcpy out of the loop in memcpy: in assembly, or with volatile accesses.

#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: the caller passes `count` bytes each. The direction flag is clear, as the ABI has it.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "x86_64"))]
    for i in 0..count {
        // SAFETY: the caller passes `count` bytes each.
        unsafe { to.add(i).write_volatile(*from.add(i)) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    if to.addr() == from.addr() {
        return to;
    }
    if to.addr().wrapping_sub(from.addr()) >= count {
        // SAFETY: the caller passes `count` bytes each, and a copy forwards overwrites nothing that it has yet to read.
        return unsafe { memcpy(to, from, count) };
    }
    for i in (0..count).rev() {
        // SAFETY: the caller passes `count` bytes each.
        unsafe { to.add(i).write_volatile(*from.add(i)) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
    // SAFETY: the caller passes `count` bytes. The direction flag is clear, as the ABI has it.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("rep stosb", inout("rcx") count => _, inout("rdi") to => _, in("al") byte as u8,
            options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "x86_64"))]
    for i in 0..count {
        // SAFETY: the caller passes `count` bytes.
        unsafe { to.add(i).write_volatile(byte as u8) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
    for i in 0..count {
        // SAFETY: the caller passes `count` bytes each.
        let (a, b) = unsafe { (a.add(i).read_volatile(), b.add(i).read_volatile()) };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
    }
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
    // SAFETY: the caller's.
    unsafe { memcmp(a, b, count) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const c_char) -> usize {
    // SAFETY: the caller passes a string with a NUL at its end.
    (0..).take_while(|&i| unsafe { text.add(i).read_volatile() } != 0).count()
}
