//! macOS: the calls and numbers that it shares with no other system. They go through libSystem; with the feature
//! `macos-raw-syscalls`, by the trap.
//!
//! # References
//! - [xnu bsd/kern/syscalls.master](https://github.com/apple-oss-distributions/xnu/blob/main/bsd/kern/syscalls.master)
//! - [xnu bsd/kern/uipc_syscalls.c](https://github.com/apple-oss-distributions/xnu/blob/main/bsd/kern/uipc_syscalls.c), `sendfile`

use core::ffi::c_int;
use core::ptr::null;

use self::bsd::SfHdtr;
use crate::errno::{Errno, Result};
use crate::fd::{AsRawFd, BorrowedFd};
use crate::iovec::IoSlice;
use crate::sys;

#[cfg(feature = "macos-raw-syscalls")]
#[path = "../../../arch/macos/mod.rs"]
mod arch;

#[cfg_attr(feature = "macos-raw-syscalls", path = "raw.rs")]
#[cfg_attr(not(feature = "macos-raw-syscalls"), path = "libsystem.rs")]
mod kernel;

#[path = "../bsd/mod.rs"]
mod bsd;
pub(crate) mod cork;
mod errno;

pub(crate) use bsd::*;

/// Whether sendfile accepts flags.
const TAKES_FLAGS: bool = false;
const MSG_NOSIGNAL: c_int = 0x8_0000;
/// Whether headers are passed to sendfile. On a nonblocking socket or after a signal, this kernel does not notice that it has sent only a part
/// of them, and sends the file behind it.
pub(crate) const NATIVE_HDTR: bool = false;
/// Whether a file alone needs the cork. Here a short piece is pushed out only at the time of its write.
pub(crate) const CORKS_FILES: bool = true;

/// `sigset_t`.
#[repr(transparent)]
struct SigSetT(u32);

impl SigSetT {
    pub(super) const fn new(lower: SigSet) -> Self {
        Self(lower)
    }

    pub(super) const fn lower(&self) -> SigSet {
        self.0
    }
}

/// sendfile(2) with this kernel's meaning. Returns the bytes sent, headers and trailers included, and the error, if any.
///
/// A count of 0 means to the end of the file. The kernel counts the headers as a part of the count, so this function adds them. The kernel
/// accepts no flags.
pub(crate) fn sendfile_hdtr(
    out_fd: BorrowedFd<'_>,
    in_fd: BorrowedFd<'_>,
    offset: u64,
    count: usize,
    headers: &[IoSlice<'_>],
    trailers: &[IoSlice<'_>],
    flags: u32,
) -> (usize, Option<Errno>) {
    let hdtr = SfHdtr::new(headers, trailers);
    let hdtr = if headers.len() + trailers.len() == 0 { null() } else { &raw const hdtr };
    let mut len = count as i64;
    if count > 0 {
        len = headers.iter().fold(len, |sum, slice| sum.saturating_add(slice.len() as i64));
    }
    let asked = len;
    // SAFETY: the kernel reads `hdtr`, of this frame, and the slices it points to, which are borrowed and, by `IoSlice`'s
    // layout, arrays of `struct iovec`; it writes the eight bytes of `len`.
    let result = unsafe {
        kernel::sendfile(in_fd.as_raw_fd(), out_fd.as_raw_fd(), offset as i64, &mut len, hdtr, flags as c_int)
    };
    match Errno::check(result).err() {
        // A sandbox can refuse the call before the kernel's function runs. The count is then still what was asked for, and nothing was sent.
        Some(errno @ (Errno::EPERM | Errno::ENOSYS)) if len == asked => (0, Some(errno)),
        // The kernel's function writes it on each of its returns.
        errno => (len as usize, errno),
    }
}

/// Returns the same error: on this system each call returns its own.
pub(crate) fn pending_error(errno: Errno, _out: BorrowedFd<'_>) -> Errno {
    errno
}

/// sendfile(2) on descriptors that cannot be open. Returns `EBADF` if the call exists and is allowed. It sends nothing.
pub(crate) fn sendfile_probe() -> Errno {
    let mut len = 0;
    // SAFETY: no descriptor, and no pointer but to `len`, which the kernel may write.
    let result = unsafe { kernel::sendfile(-1, -1, 0, &mut len, null(), 0) };
    // It cannot succeed on a bad descriptor.
    Errno::check(result).err().unwrap_or(Errno::ENOSYS)
}

/// Takes one pending signal of the set, which must be blocked. Fails with `EAGAIN` if none is pending. sigwait(2) would wait, so
/// sigpending(2) is called first.
pub(crate) fn take_signal(set: SigSet) -> Result<usize> {
    if pending_signals()? & set == 0 {
        return Err(Errno::EAGAIN);
    }
    let mut signal = 0;
    // SAFETY: the kernel reads the set and writes `signal`.
    Errno::check(unsafe { kernel::sigwait(&SigSetT::new(set), &mut signal) })?;
    Ok(signal as usize)
}
