//! `_start`, and what lies on the stack there.
//!
//! # References
//! - [System V ABI](https://gitlab.com/x86-psABIs/x86-64-ABI), "Initial Stack and Register State"
//! - [Linux fs/binfmt_elf.c](https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/fs/binfmt_elf.c), `create_elf_tables`
//! - [FreeBSD sys/amd64/amd64/exec_machdep.c](https://github.com/freebsd/freebsd-src/blob/main/sys/amd64/amd64/exec_machdep.c), `exec_setregs`

#[allow(unused_imports)] // with `relocate` all of it is in that file
use core::arch::global_asm;
use core::ffi::{CStr, c_char};
use core::iter::FusedIterator;

/// Names the function that the program begins with: `start::main!(main)`, where `main` takes a [`Start`] and returns the exit code, a
/// `u8`.
#[macro_export]
macro_rules! main {
    ($main:path) => {
        const _: () = {
            /// Called by `_start` alone.
            #[unsafe(export_name = "start_main")]
            unsafe extern "C" fn start_main(stack: *const usize) -> ! {
                // SAFETY: `_start` passes the stack as the kernel laid it out.
                unsafe { $crate::begin(stack, $main) }
            }
        };
    };
}

unsafe extern "C" {
    /// That of [`main!`](crate::main).
    pub(crate) fn start_main(stack: *const usize) -> !;
}

// The kernel enters with the stack pointer at the count of arguments, aligned to 16 (on 32 bits of some processors to 8), and nobody to
// return to. A null frame pointer ends a backtrace. (Those of `relocate` are in its file.)
#[cfg(all(target_arch = "x86_64", not(target_os = "freebsd"), not(feature = "relocate")))]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "mov rdi, rsp", "call {main}", main = sym start_main);
#[cfg(all(target_arch = "aarch64", not(target_os = "freebsd"), not(feature = "relocate")))]
global_asm!(".globl _start", "_start:", "mov x29, xzr", "mov x0, sp", "bl {main}", main = sym start_main);
// In ARM mode, also where the compiler writes Thumb: the linker sees to the change.
#[cfg(all(target_arch = "arm", not(feature = "relocate")))]
global_asm!(
    ".arm", ".p2align 2", ".globl _start", ".type _start, %function", "_start:", "mov r11, #0", "mov r0, sp", "bl {main}", main = sym start_main
);
#[cfg(target_arch = "x86")]
global_asm!(
    ".globl _start", "_start:", "xor ebp, ebp", "mov eax, esp", "sub esp, 12", "push eax", "call {main}", main = sym start_main
);
#[cfg(target_arch = "loongarch64")]
global_asm!(".globl _start", "_start:", "move $a0, $sp", "bl {main}", main = sym start_main);
// The callee may save registers above its frame.
#[cfg(target_arch = "s390x")]
global_asm!(".globl _start", "_start:", "lgr %r2, %r15", "aghi %r15, -160", "brasl %r14, {main}", main = sym start_main);
#[cfg(all(target_arch = "powerpc64", target_endian = "big", target_env = "gnu"))]
compile_error!(
    "the first version of powerpc64's ABI has another entry: use powerpc64-unknown-linux-musl, which has the second"
);
// The kernel enters with the entry's address in r12, from which a function finds its table of contents.
#[cfg(target_arch = "powerpc64")]
global_asm!(
    ".globl _start", "_start:", "addis 2, 12, .TOC. - _start@ha", "addi 2, 2, .TOC. - _start@l", "mr 3, 1", "li 0, 0",
    "stdu 0, -32(1)", "bl {main}", "nop", main = sym start_main
);
#[cfg(target_arch = "powerpc")]
global_asm!(
    ".globl _start", "_start:", "mr 3, 1", "li 0, 0", "stwu 0, -16(1)", "bl {main}", main = sym start_main
);
// Without norelax the linker would load gp relative to gp.
#[cfg(any(
    target_arch = "riscv32",
    all(target_arch = "riscv64", not(target_os = "freebsd"), not(feature = "relocate"))
))]
global_asm!(
    ".globl _start", "_start:", ".option push", ".option norelax", "lla gp, __global_pointer$", ".option pop",
    "mv a0, sp", "call {main}", main = sym start_main
);
// FreeBSD has the stack's address in the first register, and on x86_64 the stack pointer 8 below it, as behind a call.
#[cfg(all(target_arch = "x86_64", target_os = "freebsd"))]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "and rsp, -16", "call {main}", main = sym start_main);
#[cfg(all(target_arch = "aarch64", target_os = "freebsd"))]
global_asm!(".globl _start", "_start:", "mov x29, xzr", "bl {main}", main = sym start_main);
#[cfg(all(target_arch = "riscv64", target_os = "freebsd"))]
global_asm!(
    ".globl _start", "_start:", ".option push", ".option norelax", "lla gp, __global_pointer$", ".option pop",
    "call {main}", main = sym start_main
);

// Without this note FreeBSD's kernel takes a static program for one of another system. Name, size of what follows, type
// NT_FREEBSD_ABI_TAG, "FreeBSD", and the oldest release that it is for: 13.0.
#[cfg(target_os = "freebsd")]
global_asm!(
    ".pushsection .note.tag, \"a\", %note",
    ".p2align 2",
    ".4byte 8, 4, 1",
    ".asciz \"FreeBSD\"",
    ".4byte 1300139",
    ".popsection",
);

/// What every program is started with.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// Its arguments. The first is the name that it was called by, if the caller gave it one.
    pub arguments: Strings,
    /// Its environment, each `NAME=VALUE`.
    pub environment: Strings,
}

/// An iterator over strings that live as long as the program.
#[derive(Clone, Copy, Debug)]
pub struct Strings {
    /// Within a list that ends with a null pointer.
    next: *const *const c_char,
}

impl Strings {
    /// Without the first, which of arguments is the program's name.
    #[inline]
    pub fn skip_first(mut self) -> Self {
        // SAFETY: as in `next`.
        unsafe {
            if !(*self.next).is_null() {
                self.next = self.next.add(1);
            }
        }
        self
    }

    /// The rest of the list, with a null pointer at its end, as execve(2) takes it.
    #[inline]
    pub fn as_ptr(self) -> *const *const c_char {
        self.next
    }
}

impl Iterator for Strings {
    type Item = &'static CStr;

    #[inline]
    fn next(&mut self) -> Option<&'static CStr> {
        // SAFETY: `next` points into the kernel's list of pointers, which lives as long as the program, and not behind
        // the null pointer at its end.
        let string = unsafe { *self.next };
        if string.is_null() {
            return None;
        }
        // SAFETY: the list goes on, as this one is not its end.
        self.next = unsafe { self.next.add(1) };
        // SAFETY: the kernel's strings end with a zero byte, live as long as the program, and nobody writes to them.
        Some(unsafe { CStr::from_ptr(string) })
    }
}

impl FusedIterator for Strings {}

/// What [`main!`](crate::main) makes of `main`.
///
/// # Safety
///
/// `stack` is the stack as the kernel laid it out: the count of arguments, the pointers to them, a null pointer, those to the
/// environment, a null pointer, the auxiliary vector. The program has not begun yet.
#[doc(hidden)]
#[inline(always)]
pub unsafe fn begin(stack: *const usize, main: impl FnOnce(Start) -> u8) -> ! {
    // SAFETY: the caller's.
    let (arguments, environment) = unsafe { (stack.add(1), stack.add(*stack + 2)) };
    let [arguments, environment] = [arguments, environment].map(|list| Strings { next: list.cast() });
    crate::exit(main(Start { arguments, environment }))
}
