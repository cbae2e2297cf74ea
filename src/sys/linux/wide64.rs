//! Calls with 64-bit numbers on processors where such a number is one argument.

use super::{Errno, Result, arch, nr, word};

/// pread64(2).
///
/// # Safety
///
/// The kernel may write `len` bytes from `buffer` on.
#[inline]
pub(super) unsafe fn pread(fd: *mut (), buffer: *mut (), len: usize, offset: u64) -> isize {
    // SAFETY: the caller vouches for the arguments.
    unsafe { arch::syscall4(nr::PREAD64, fd, buffer, word(len as isize), word(offset as isize)) }
}

/// Returns an offset as two arguments of preadv2(2), the lower half first.
#[inline]
pub(super) const fn preadv2_offset(offset: u64) -> [*mut (); 2] {
    [word(offset as isize), word(0)]
}

/// fadvise64(2).
#[inline]
pub(super) fn fadvise(fd: *mut (), offset: u64, len: u64, advice: *mut ()) -> isize {
    // SAFETY: it touches no memory of this process.
    unsafe { arch::syscall4(nr::FADVISE64, fd, word(offset as isize), word(len as isize), advice) }
}

/// lseek(2): returns the new position.
#[inline]
pub(super) fn lseek(fd: *mut (), distance: i64, whence: *mut ()) -> Result<u64> {
    // SAFETY: it touches no memory of this process.
    let result = unsafe { arch::syscall3(nr::LSEEK, fd, word(distance as isize), whence) };
    Errno::check(result).map(|position| position as u64)
}
