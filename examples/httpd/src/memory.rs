//! Memory, from the kernel once at the start. What is not touched costs nothing.

use core::mem::MaybeUninit;
use core::ptr::{NonNull, null_mut};
use core::slice;

use rustix::io::Result;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};

/// The unit of [`release`]; larger pages of some kernels only release less.
pub const PAGE: usize = 4096;

/// Room for so many values.
pub fn slots<T>(count: usize) -> Result<&'static mut [MaybeUninit<T>]> {
    const { assert!(align_of::<T>() <= PAGE) };
    let start = map(count * size_of::<T>())?.cast();
    // SAFETY: the mapping is new, so nobody else refers to it; it is never unmapped, large enough and aligned to a page.
    Ok(unsafe { slice::from_raw_parts_mut(start.as_ptr(), count) })
}

/// So many bytes, all 0.
pub fn bytes(count: usize) -> Result<&'static mut [u8]> {
    let start = map(count)?;
    // SAFETY: as above; the kernel fills the mapping with zeros.
    Ok(unsafe { slice::from_raw_parts_mut(start.as_ptr(), count) })
}

fn map(len: usize) -> Result<NonNull<u8>> {
    // SAFETY: a new mapping at an address of the kernel's choice is no memory that Rust knows.
    let start = unsafe {
        mmap_anonymous(
            null_mut(),
            len.max(1),
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::PRIVATE | MapFlags::NORESERVE,
        )?
    };
    Ok(NonNull::new(start.cast()).unwrap_or(NonNull::dangling()))
}

/// Gives the memory of bytes of [`bytes`] back to the kernel until it is used again. It starts and ends with a page.
pub fn release(bytes: &mut [u8]) {
    // SAFETY: the bytes are borrowed mutably and of a private anonymous mapping; they become 0 or stay as they are, when the
    // kernel refuses because of larger pages.
    let _ = unsafe { madvise(bytes.as_mut_ptr().cast(), bytes.len(), Advice::LinuxDontNeed) };
}
