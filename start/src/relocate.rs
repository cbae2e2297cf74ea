//! What a dynamic linker does for a position-independent program, for one that was started without.
//!
//! # References
//! - [ELF, dynamic linking](https://gabi.xinuos.com/elf/08-dynamic.html)
//! - [ELF for the Arm Architecture](https://github.com/ARM-software/abi-aa/blob/main/aaelf32/aaelf32.rst), `R_ARM_RELATIVE`
//! - [getauxval(3)](https://man7.org/linux/man-pages/man3/getauxval.3.html)

use core::arch::global_asm;

use crate::entry::start_main;

// As those in entry.rs, with the relocation before all else. A function of Rust does not call it: that of another crate may be
// called by a pointer in a table that is not right yet.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl _start", "_start:", "xor ebp, ebp", "mov rdi, rsp", "call {relocate}", "mov rdi, rsp", "call {main}",
    relocate = sym relocate, main = sym start_main
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl _start", "_start:", "mov x29, xzr", "mov x0, sp", "bl {relocate}", "mov x0, sp", "bl {main}",
    relocate = sym relocate, main = sym start_main
);
#[cfg(target_arch = "riscv64")]
global_asm!(
    ".globl _start", "_start:", ".option push", ".option norelax", "lla gp, __global_pointer$", ".option pop",
    "mv a0, sp", "call {relocate}", "mv a0, sp", "call {main}", relocate = sym relocate, main = sym start_main
);
#[cfg(target_arch = "arm")]
global_asm!(
    ".arm", ".p2align 2", ".globl _start", ".type _start, %function", "_start:", "mov r11, #0",
    "mov r0, sp", "bl {relocate}", "mov r0, sp", "bl {main}", relocate = sym relocate, main = sym start_main
);

const AT_PHDR: usize = 3;
const AT_PHNUM: usize = 5;
const AT_BASE: usize = 7;

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;

/// `Elf64_Ehdr`, `Elf32_Ehdr`: their size. The program headers follow.
const ELF_HEADER: usize = if cfg!(target_pointer_width = "64") { 64 } else { 52 };

/// `DT_RELA`. On 32-bit ARM, whose relocations have no addend, it is `DT_REL`.
const DT_TABLE: usize = if cfg!(target_arch = "arm") { 17 } else { 7 };
/// `DT_RELASZ` or `DT_RELSZ`.
const DT_TABLE_SIZE: usize = if cfg!(target_arch = "arm") { 18 } else { 8 };

/// Another table, of calls.
const DT_JMPREL: usize = 23;
/// The table of the same in less space, which no linker makes unless it is told to.
const DT_RELR: usize = 36;

/// `R_…_RELATIVE`: a word that is to be the load address plus the addend. On 32-bit ARM the addend is what the word holds.
#[cfg(target_arch = "x86_64")]
const RELATIVE: usize = 8;
#[cfg(target_arch = "aarch64")]
const RELATIVE: usize = 1027;
#[cfg(target_arch = "riscv64")]
const RELATIVE: usize = 3;
#[cfg(target_arch = "arm")]
const RELATIVE: usize = 23;

/// `Elf64_Phdr`, `Elf32_Phdr`
#[repr(C)]
struct ProgramHeader {
    kind: u32,
    #[cfg(target_pointer_width = "64")]
    flags: u32,
    offset: usize,
    address: usize,
    physical: usize,
    size_in_file: usize,
    size: usize,
    #[cfg(target_pointer_width = "32")]
    flags: u32,
    alignment: usize,
}

/// `Elf64_Rela`, `Elf32_Rel`
#[repr(C)]
struct Relocation {
    offset: usize,
    info: usize,
    #[cfg(not(target_arch = "arm"))]
    addend: usize,
}

/// Adds the load address to the pointers in the program's data. Nothing that follows such a pointer may run before. This here does not: it
/// calls no function of `core` either, as a build that is not optimised finds those by pointers in such a table. A program at a
/// fixed address has no such pointers, and one with a dynamic linker finds it done.
///
/// # Safety
///
/// `stack` is the stack as the kernel laid it out, and no reference to the program's data is alive.
unsafe extern "C" fn relocate(stack: usize) {
    // SAFETY: the count of arguments, the pointers to them, a null pointer; those to the environment follow.
    let mut next = unsafe { stack + (word(stack) + 2) * WORD };
    // SAFETY: a null pointer is at their end, and the auxiliary vector behind it.
    while unsafe { word(next) } != 0 {
        next += WORD;
    }
    next += WORD;
    let (mut headers, mut count, mut linker) = (0, 0, 0);
    loop {
        // SAFETY: the vector is pairs of words, and a pair with the key 0 is its last.
        let (key, value) = unsafe { (word(next), word(next + WORD)) };
        match key {
            0 => break,
            AT_PHDR => headers = value,
            AT_PHNUM => count = value,
            AT_BASE => linker = value,
            _ => {}
        }
        next += 2 * WORD;
    }
    if linker != 0 {
        return;
    }

    let (mut base, mut dynamic) = (0, 0);
    let (first, end) = (headers, headers + count * HEADER);
    while headers < end {
        // SAFETY: the kernel passes the address of so many headers, which are mapped with the program and never change.
        let header = unsafe { &*(headers as *const ProgramHeader) };
        match header.kind {
            PT_LOAD if header.offset == 0 => base = first - ELF_HEADER - header.address,
            PT_DYNAMIC => dynamic = header.address,
            // The dynamic linker was started with the program as its argument. Then the kernel passes no AT_BASE.
            PT_INTERP => return,
            _ => {}
        }
        headers += HEADER;
    }
    if dynamic == 0 {
        return;
    }

    let (mut relocations, mut bytes, mut all) = (0, 0, true);
    let mut entry = base + dynamic;
    loop {
        // SAFETY: the dynamic section is pairs of words, and a pair with the key 0 is its last.
        let (key, value) = unsafe { (word(entry), word(entry + WORD)) };
        match key {
            0 => break,
            DT_TABLE => relocations = base + value,
            DT_TABLE_SIZE => bytes = value,
            DT_JMPREL | DT_RELR => all = false,
            _ => {}
        }
        entry += 2 * WORD;
    }
    let end = relocations + bytes;
    while relocations < end {
        // SAFETY: the dynamic section says that so many bytes of relocations are there.
        let relocation = unsafe { &*(relocations as *const Relocation) };
        if relocation.info == RELATIVE {
            let place = (base + relocation.offset) as *mut usize;
            // SAFETY: the linker names words of the program's data, which are writable, and nobody else refers to them yet.
            unsafe {
                #[cfg(not(target_arch = "arm"))]
                let addend = relocation.addend;
                #[cfg(target_arch = "arm")]
                let addend = *place;
                *place = base + addend;
            }
        } else {
            all = false;
        }
        relocations += RELOCATION;
    }
    // The linker makes no others in a program that refers to no library; if it did, who runs it is told by the exit code.
    if !all {
        crate::exit(100);
    }
}

const WORD: usize = size_of::<usize>();
const HEADER: usize = size_of::<ProgramHeader>();
const RELOCATION: usize = size_of::<Relocation>();

/// The word at this address.
///
/// # Safety
///
/// There is one.
unsafe fn word(address: usize) -> usize {
    // SAFETY: the caller's.
    unsafe { *(address as *const usize) }
}
