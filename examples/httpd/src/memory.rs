//! Memory, from the kernel once at the start. What is not touched costs nothing.

use core::mem::MaybeUninit;
use core::ptr::{NonNull, null_mut, without_provenance_mut};
use core::slice;

use rustix::io::Result;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};

/// No kernel has smaller pages.
const SMALLEST_PAGE: usize = 4096;

/// Room for so many values.
pub fn slots<T>(count: usize) -> Result<&'static mut [MaybeUninit<T>]> {
    const { assert!(align_of::<T>() <= SMALLEST_PAGE) };
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

/// The bytes of a page, which the kernel chooses: some of aarch64 have 16 or 64 KiB. It refuses advice that starts between
/// two pages, even about no bytes.
pub fn page() -> usize {
    // SAFETY: advice about no bytes changes nothing.
    let starts_page = |at| unsafe { madvise(without_provenance_mut(at), 0, Advice::LinuxDontNeed) }.is_ok();
    // Who refuses all advice also refuses that of `release`.
    (12..=20).map(|bits| 1 << bits).find(|&size| starts_page(size)).unwrap_or(SMALLEST_PAGE)
}

/// Gives the memory of bytes of [`bytes`] back to the kernel until it is used again. They are whole pages of [`page`] bytes:
/// of a page that they only start, the kernel would clear the rest too.
pub fn release(bytes: &mut [u8]) {
    // SAFETY: the bytes are borrowed mutably, of a private anonymous mapping, and whole pages. They become 0, or stay as they
    // are if the kernel refuses.
    let _ = unsafe { madvise(bytes.as_mut_ptr().cast(), bytes.len(), Advice::LinuxDontNeed) };
}
