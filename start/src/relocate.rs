//! What a dynamic linker does for a position-independent program, for one that was started without.
//!
//! # References
//! - [ELF, dynamic linking](https://gabi.xinuos.com/elf/08-dynamic.html)
//! - [getauxval(3)](https://man7.org/linux/man-pages/man3/getauxval.3.html)

use core::ptr::with_exposed_provenance as at;
use core::ptr::with_exposed_provenance_mut as at_mut;

const AT_PHDR: usize = 3;
const AT_PHNUM: usize = 5;
const AT_BASE: usize = 7;

const PT_DYNAMIC: u32 = 2;
const PT_PHDR: u32 = 6;

const DT_RELA: usize = 7;
const DT_RELASZ: usize = 8;

/// `R_…_RELATIVE`: a word that is to be the load address plus the addend.
#[cfg(target_arch = "x86_64")]
const RELATIVE: usize = 8;
#[cfg(target_arch = "aarch64")]
const RELATIVE: usize = 1027;
#[cfg(target_arch = "riscv64")]
const RELATIVE: usize = 3;

/// `Elf64_Phdr`
#[repr(C)]
struct ProgramHeader {
    kind: u32,
    flags: u32,
    offset: usize,
    address: usize,
    physical: usize,
    size_in_file: usize,
    size: usize,
    alignment: usize,
}

/// `Elf64_Rela`
#[repr(C)]
struct Relocation {
    offset: usize,
    info: usize,
    addend: usize,
}

/// Adds the load address to the pointers in the program's data. Nothing that follows such a pointer may run before; this
/// here does not. A program at a fixed address has none, and one with a dynamic linker finds it done.
///
/// # Safety
///
/// `stack` is the stack as the kernel laid it out, and no reference to the program's data is alive.
// Without a call, even when it is not optimised: on x86_64 calls go by the global offset table, which is not relocated yet. So it is
// inlined, and has no `for`.
#[inline(always)]
pub(crate) unsafe fn relocate(stack: *const usize) {
    // SAFETY: the count of arguments, the pointers to them, a null pointer; those to the environment follow.
    let mut next = unsafe { stack.add(*stack + 2) };
    // SAFETY: a null pointer is at their end, and the auxiliary vector behind it.
    while unsafe { *next } != 0 {
        // SAFETY: as above.
        next = unsafe { next.add(1) };
    }
    let (mut headers, mut count, mut linker) = (0, 0, 0);
    loop {
        // SAFETY: the vector is pairs of words, and a pair with the key 0 is its last.
        let (key, value) = unsafe {
            let pair = (*next.add(1), *next.add(2));
            next = next.add(2);
            pair
        };
        match key {
            0 => break,
            AT_PHDR => headers = value,
            AT_PHNUM => count = value,
            AT_BASE => linker = value,
            _ => {}
        }
    }
    if linker != 0 {
        return;
    }

    let (mut base, mut dynamic) = (0, None);
    let mut i = 0;
    while i < count {
        // SAFETY: the kernel passes the address of so many headers, which are mapped with the program and never change.
        let header = unsafe { &*at::<ProgramHeader>(headers).add(i) };
        match header.kind {
            PT_PHDR => base = headers - header.address,
            PT_DYNAMIC => dynamic = Some(header.address),
            _ => {}
        }
        i += 1;
    }
    let Some(dynamic) = dynamic else { return };

    let (mut relocations, mut bytes) = (0, 0);
    let mut entry = at::<[usize; 2]>(base + dynamic);
    loop {
        // SAFETY: the dynamic section is pairs of words, and a pair with the key 0 is its last.
        match unsafe { *entry } {
            [0, _] => break,
            [DT_RELA, address] => relocations = base + address,
            [DT_RELASZ, size] => bytes = size,
            _ => {}
        }
        // SAFETY: as above.
        entry = unsafe { entry.add(1) };
    }
    let mut i = 0;
    while i < bytes / size_of::<Relocation>() {
        // SAFETY: the dynamic section says that so many bytes of relocations are there.
        let relocation = unsafe { &*at::<Relocation>(relocations).add(i) };
        // The linker makes no others in a program that refers to no library; if it did, who runs it is told by the exit code.
        if relocation.info != RELATIVE {
            crate::exit(100);
        }
        // SAFETY: the linker names words of the program's data, which are writable, and nobody else refers to them yet.
        unsafe { *at_mut::<usize>(base + relocation.offset) = base + relocation.addend };
        i += 1;
    }
}
