//! Calls with 64-bit numbers on processors where such a number is two arguments.
//!
//! # References
//! - [syscall(2)](https://man7.org/linux/man-pages/man2/syscall.2.html), "Architecture-specific requirements"

use super::{Errno, Result, arch, nr, word};

/// Whether a pair begins at an argument with an odd number. posix_fadvise(2) then has another order of arguments.
const ALIGNED: bool = cfg!(any(target_arch = "arm", target_arch = "powerpc"));

/// Returns the lower and the upper half.
const fn halves(n: u64) -> [*mut (); 2] {
    [word(n as u32 as isize), word((n >> 32) as u32 as isize)]
}

/// Returns the halves in their order in memory.
const fn pair(n: u64) -> [*mut (); 2] {
    let [low, high] = halves(n);
    if cfg!(target_endian = "big") { [high, low] } else { [low, high] }
}

/// pread64(2).
///
/// # Safety
///
/// The kernel may write `len` bytes from `buffer` on.
pub(super) unsafe fn pread(fd: *mut (), buffer: *mut (), len: usize, offset: u64) -> isize {
    let (len, [first, second]) = (word(len as isize), pair(offset));
    // SAFETY: the caller vouches for the arguments.
    unsafe {
        if ALIGNED {
            arch::syscall6(nr::PREAD64, fd, buffer, len, word(0), first, second)
        } else {
            arch::syscall5(nr::PREAD64, fd, buffer, len, first, second)
        }
    }
}

/// Returns an offset as two arguments of preadv2(2): the lower half first, in either byte order.
pub(super) const fn preadv2_offset(offset: u64) -> [*mut (); 2] {
    halves(offset)
}

/// fadvise64_64(2), or arm_fadvise64_64(2).
pub(super) fn fadvise(fd: *mut (), offset: u64, len: u64, advice: *mut ()) -> isize {
    let ([o, p], [l, m]) = (pair(offset), pair(len));
    // SAFETY: it touches no memory of this process.
    unsafe {
        if ALIGNED {
            arch::syscall6(nr::FADVISE64, fd, advice, o, p, l, m)
        } else {
            arch::syscall6(nr::FADVISE64, fd, o, p, l, m, advice)
        }
    }
}

/// _llseek(2): returns the new position.
pub(super) fn lseek(fd: *mut (), distance: i64, whence: *mut ()) -> Result<u64> {
    let ([low, high], mut position) = (halves(distance as u64), 0_u64);
    // SAFETY: the kernel writes the eight bytes of `position`, of this frame.
    let result = unsafe { arch::syscall5(nr::LSEEK, fd, high, low, (&raw mut position).cast(), whence) };
    Errno::check(result).map(|_| position)
}
