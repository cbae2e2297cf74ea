//! What a program needs in place of a C library: an entry, an exit, and what the prebuilt `core` refers to.

use core::arch::{asm, global_asm};

// The kernel enters with the stack pointer at the argument count, aligned to 16.
#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "mov rdi, rsp", "call {enter}", enter = sym enter);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x29, xzr", "mov x0, sp", "bl {enter}", enter = sym enter);
// In ARM mode, also where the compiler writes Thumb: the linker sees to the change.
#[cfg(target_arch = "arm")]
global_asm!(
    ".arm", ".p2align 2", ".globl _start", ".type _start, %function", "_start:", "mov r11, #0", "mov r0, sp", "bl {enter}", enter = sym enter
);
#[cfg(target_arch = "x86")]
global_asm!(
    ".globl _start", "_start:", "xor ebp, ebp", "mov eax, esp", "sub esp, 12", "push eax", "call {enter}", enter = sym enter
);
#[cfg(target_arch = "loongarch64")]
global_asm!(".globl _start", "_start:", "move $a0, $sp", "bl {enter}", enter = sym enter);
// The callee may save registers above its frame.
#[cfg(target_arch = "s390x")]
global_asm!(".globl _start", "_start:", "lgr %r2, %r15", "aghi %r15, -160", "brasl %r14, {enter}", enter = sym enter);
// The kernel enters with the entry's address in r12, from which a function finds its table of contents.
#[cfg(target_arch = "powerpc64")]
global_asm!(
    ".globl _start", "_start:", "addis 2, 12, .TOC. - _start@ha", "addi 2, 2, .TOC. - _start@l", "mr 3, 1", "li 0, 0",
    "stdu 0, -32(1)", "bl {enter}", "nop", enter = sym enter
);
#[cfg(target_arch = "powerpc")]
global_asm!(
    ".globl _start", "_start:", "mr 3, 1", "li 0, 0", "stwu 0, -16(1)", "bl {enter}", enter = sym enter
);
// Without norelax the linker would load gp relative to gp.
#[cfg(any(target_arch = "riscv32", target_arch = "riscv64"))]
global_asm!(
    ".globl _start", "_start:", ".option push", ".option norelax", "lla gp, __global_pointer$", ".option pop",
    "mv a0, sp", "call {enter}", enter = sym enter
);

/// `stack`: the count of arguments, the pointers to them, a null pointer, and more.
unsafe extern "C" fn enter(stack: *const usize) -> ! {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
    // the others are linked statically
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
        #[cfg(any(target_arch = "riscv32", target_arch = "riscv64"))]
        asm!("ecall", in("a7") 94, in("a0") usize::from(status), options(noreturn, nostack));
        #[cfg(target_arch = "arm")]
        asm!("mov r7, #248", "svc 0", in("r0") usize::from(status), options(noreturn, nostack));
        #[cfg(target_arch = "x86")]
        asm!("int 0x80", in("eax") 252, in("ebx") usize::from(status), options(noreturn, nostack));
        #[cfg(target_arch = "loongarch64")]
        asm!("syscall 0", in("$a7") 94, in("$a0") u64::from(status), options(noreturn, nostack));
        #[cfg(target_arch = "s390x")]
        asm!("svc 0", in("r1") 248, in("r2") u64::from(status), options(noreturn, nostack));
        #[cfg(any(target_arch = "powerpc", target_arch = "powerpc64"))]
        asm!("sc", in("r0") 234, in("r3") usize::from(status), options(noreturn, nostack));
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
