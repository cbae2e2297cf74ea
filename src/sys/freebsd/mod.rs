//! FreeBSD: the calls and numbers that it shares with no other system.
//!
//! # References
//! - [FreeBSD sys/kern/syscalls.master](https://github.com/freebsd/freebsd-src/blob/main/sys/kern/syscalls.master)
//! - [sendfile(2)](https://man.freebsd.org/cgi/man.cgi?query=sendfile&sektion=2)

use core::ffi::c_int;
use core::ptr::null_mut;

use self::bsd::{SOL_SOCKET, SOL_TCP, SfHdtr, getsockopt, setsockopt};
use self::kernel::word;
use crate::errno::{Errno, Result};
use crate::fd::{AsRawFd, BorrowedFd};
use crate::iovec::IoSlice;
use crate::sys;

#[path = "../../../arch/freebsd/mod.rs"]
mod arch;

#[path = "../bsd/mod.rs"]
mod bsd;
#[path = "../bsd/raw.rs"]
mod kernel;

pub(crate) mod cork;
mod errno;

pub(crate) use bsd::*;

/// System call numbers, the same on all processors.
mod nr {
    #[cfg(not(feature = "std"))]
    pub(super) const CLOSE: usize = 6;
    pub(super) const GETSOCKOPT: usize = 118;
    pub(super) const IOCTL: usize = 54;
    pub(super) const LSEEK: usize = 478;
    pub(super) const PREAD: usize = 475;
    pub(super) const READ: usize = 3;
    pub(super) const SENDFILE: usize = 393;
    pub(super) const SENDMSG: usize = 28;
    pub(super) const SETSOCKOPT: usize = 105;
    pub(super) const SIGACTION: usize = 416;
    pub(super) const SIGPENDING: usize = 343;
    pub(super) const SIGPROCMASK: usize = 340;
    pub(super) const SIGTIMEDWAIT: usize = 345;
    pub(super) const WRITEV: usize = 121;
}

#[cfg(all(test, target_os = "freebsd"))]
const _: () = assert!(TCP_NOPUSH == libc::TCP_NOPUSH);

/// Against the crate `sc`, which knows FreeBSD on this processor only.
#[cfg(all(test, target_os = "freebsd", target_arch = "x86_64"))]
const _: () = {
    #[cfg(not(feature = "std"))]
    assert!(nr::CLOSE == sc::nr::CLOSE);
    assert!(nr::GETSOCKOPT == sc::nr::GETSOCKOPT && nr::SETSOCKOPT == sc::nr::SETSOCKOPT);
    assert!(nr::IOCTL == sc::nr::IOCTL);
    assert!(nr::LSEEK == sc::nr::LSEEK && nr::PREAD == sc::nr::PREAD && nr::READ == sc::nr::READ);
    assert!(nr::SENDFILE == sc::nr::SENDFILE && nr::SENDMSG == sc::nr::SENDMSG && nr::WRITEV == sc::nr::WRITEV);
    assert!(nr::SIGPENDING == sc::nr::SIGPENDING && nr::SIGPROCMASK == sc::nr::SIGPROCMASK);
    assert!(nr::SIGACTION == sc::nr::SIGACTION && nr::SIGTIMEDWAIT == sc::nr::SIGTIMEDWAIT);
};

/// Whether sendfile accepts flags.
const TAKES_FLAGS: bool = true;
const MSG_NOSIGNAL: c_int = 0x2_0000;
const SO_ERROR: c_int = 0x1007;
const TCP_NOPUSH: c_int = 4;
/// Whether headers are passed to sendfile. Here they go with the file's first bytes, in one piece.
pub(crate) const NATIVE_HDTR: bool = true;
/// Whether a file alone needs the cork.
pub(crate) const CORKS_FILES: bool = false;

/// `sigset_t`.
#[repr(C)]
struct SigSetT([u32; 4]);

impl SigSetT {
    pub(super) const fn new(lower: SigSet) -> Self {
        Self([lower, 0, 0, 0])
    }

    pub(super) const fn lower(&self) -> SigSet {
        self.0[0]
    }
}

/// sendfile(2) with this kernel's meaning. Returns the bytes sent, headers and trailers included, and the error, if any.
///
/// A count of 0 means to the end of the file.
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
    // Some errors do not write it.
    let mut sent: i64 = 0;
    // SAFETY: the kernel reads `hdtr`, of this frame, and the slices it points to, which are borrowed and, by `IoSlice`'s
    // layout, arrays of `struct iovec`; it writes the eight bytes of `sent`.
    let result = unsafe {
        arch::syscall7(
            nr::SENDFILE,
            word(in_fd.as_raw_fd() as isize),
            word(out_fd.as_raw_fd() as isize),
            word(offset as isize),
            word(count as isize),
            if headers.len() + trailers.len() == 0 { null_mut() } else { (&raw const hdtr).cast_mut().cast() },
            (&raw mut sent).cast(),
            word(flags as isize),
        )
    };
    (sent as usize, Errno::check(result).err())
}

/// sendfile(2) on descriptors that cannot be open. Returns `EBADF` if the call exists and is allowed. It sends nothing.
pub(crate) fn sendfile_probe() -> Errno {
    let (bad, no) = (word(-1), word(0));
    // SAFETY: no descriptor, no pointer: nothing can be read or written anywhere.
    let result = unsafe { arch::syscall7(nr::SENDFILE, bad, bad, no, no, no, no, no) };
    // It cannot succeed on a bad descriptor.
    Errno::check(result).err().unwrap_or(Errno::ENOSYS)
}

/// Returns the error behind this one. sendfile returns before the disk has been read. If the read fails, the kernel tears the connection
/// down: the next calls fail with `EPIPE`, and the socket keeps `EIO` until `SO_ERROR` is read.
pub(crate) fn pending_error(errno: Errno, out_fd: BorrowedFd<'_>) -> Errno {
    if errno != Errno::EPIPE {
        return errno;
    }
    let kept = getsockopt(out_fd, SOL_SOCKET, SO_ERROR).ok();
    kept.and_then(|number| Errno::from_raw_os_error(number as i32)).unwrap_or(errno)
}

/// Returns whether `TCP_NOPUSH` is set (not 0), or fails if the socket is not TCP.
pub(crate) fn tcp_nopush(out_fd: BorrowedFd<'_>) -> Result<usize> {
    getsockopt(out_fd, SOL_TCP, TCP_NOPUSH)
}

/// Sets or clears `TCP_NOPUSH`. Clearing it sends the bytes that wait.
pub(crate) fn set_tcp_nopush(out_fd: BorrowedFd<'_>, on: bool) -> Result<usize> {
    setsockopt(out_fd, SOL_TCP, TCP_NOPUSH, on.into())
}

/// ioctl(2), `FIONSPACE`: returns the room in the send buffer, in bytes.
pub(crate) fn send_room(out_fd: BorrowedFd<'_>) -> Result<usize> {
    const FIONSPACE: isize = 0x4004_6676;
    let mut room: c_int = 0;
    // SAFETY: the kernel writes the four bytes of `room`, of this frame.
    let result = unsafe {
        arch::syscall3(nr::IOCTL, word(out_fd.as_raw_fd() as isize), word(FIONSPACE), (&raw mut room).cast())
    };
    Errno::check(result).map(|_| room.max(0) as usize)
}

/// sigtimedwait(2) without waiting: takes one pending signal of the set, which must be blocked. Fails with `EAGAIN` if none is pending.
pub(crate) fn take_signal(set: SigSet) -> Result<usize> {
    let (set, no_time) = (SigSetT::new(set), [0_i64; 2]);
    // SAFETY: the kernel reads `set` and `no_time` (a timespec of two words), and writes no siginfo, as the second argument
    // is null.
    let result = unsafe {
        let (set, no_time) = ((&raw const set).cast_mut().cast(), (&raw const no_time).cast_mut().cast());
        arch::syscall3(nr::SIGTIMEDWAIT, set, null_mut(), no_time)
    };
    Errno::check(result)
}
