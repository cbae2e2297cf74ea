//! The part that FreeBSD and macOS share. Every function here makes one system call, and converts the machine word that it returns to a
//! `Result`.
//!
//! # References
//! - [FreeBSD sys/sys/socket.h](https://github.com/freebsd/freebsd-src/blob/main/sys/sys/socket.h)
//! - [xnu bsd/sys/socket.h](https://github.com/apple-oss-distributions/xnu/blob/main/bsd/sys/socket.h)

use core::ffi::{c_int, c_void};
use core::mem::size_of;
use core::ptr::null;

use super::{MSG_NOSIGNAL, SigSetT, kernel};
use crate::errno::{Errno, Result};
use crate::fd::{AsRawFd, BorrowedFd, RawFd};
use crate::iovec::IoSlice;

pub(crate) mod hints;
pub(crate) mod native;
#[cfg(all(test, not(any(target_os = "linux", target_os = "android"))))]
mod tests;

/// The most that one call moves. The kernels' own limit is no smaller.
pub(crate) const MAX_RW_COUNT: usize = 0x7fff_f000;
/// The most slices of one call: `UIO_MAXIOV`.
pub(crate) const IOV_MAX: usize = 1024;
/// `SOCK_STREAM`, which [`socket_type`] returns for TCP and stream sockets of the Unix domain.
pub(crate) const SOCK_STREAM: usize = 1;
/// Whether sendmsg(2) has `MSG_MORE`.
pub(crate) const HAS_MSG_MORE: bool = false;
/// Whether sendfile can begin at the file's position.
pub(crate) const HAS_POSITION: bool = false;
/// Whether a cork may span calls that wait for room. Here they could wait for bytes that it holds back.
pub(crate) const CORKS_SMALL_STEPS: bool = false;

pub(super) const SOL_SOCKET: c_int = 0xffff;
const SO_TYPE: c_int = 0x1008;
/// The result of [`socket_protocol`].
pub(crate) const IPPROTO_TCP: usize = 6;
/// Does not exist here.
pub(crate) const IPPROTO_MPTCP: usize = 262;
pub(crate) const NO_ULP: u32 = 0;
pub(crate) const ULP_MPTCP: u32 = 1;
pub(super) const SOL_TCP: c_int = IPPROTO_TCP as c_int;
const TCP_NODELAY: c_int = 1;
const SEEK_CUR: c_int = 1;

/// `struct msghdr`.
#[repr(C)]
pub(super) struct MsgHdr {
    name: *const c_void,
    name_len: u32,
    iov: *const c_void,
    iov_len: c_int,
    control: *const c_void,
    control_len: u32,
    flags: c_int,
}

/// `struct sf_hdtr`: the slices before and after the file.
#[repr(C)]
pub(super) struct SfHdtr {
    headers: *const c_void,
    headers_len: c_int,
    trailers: *const c_void,
    trailers_len: c_int,
}

impl SfHdtr {
    /// An empty list is null, because a pointer that is not null needs a count that is not 0.
    pub(super) fn new(headers: &[IoSlice<'_>], trailers: &[IoSlice<'_>]) -> Self {
        let list = |list: &[IoSlice<'_>]| if list.is_empty() { null() } else { list.as_ptr().cast() };
        Self {
            headers: list(headers),
            headers_len: headers.len() as c_int,
            trailers: list(trailers),
            trailers_len: trailers.len() as c_int,
        }
    }
}

/// Limits `count` to the bytes below the largest offset. FreeBSD's kernel adds the two. If the sum overflows, a file that changes its size
/// meanwhile is sent beyond its end.
pub(crate) fn below_limit(offset: u64, count: usize) -> usize {
    count.min((i64::MAX as u64).saturating_sub(offset) as usize)
}

/// sendfile(2) with Linux's meaning. It makes no call where the kernel's has another meaning: there is no call without an offset, a count of 0
/// would send the whole file, and a count above `i64::MAX` nothing.
#[inline]
pub(crate) fn sendfile(
    out_fd: BorrowedFd<'_>,
    in_fd: BorrowedFd<'_>,
    offset: Option<&mut u64>,
    count: usize,
) -> Result<usize> {
    let Some(offset) = offset else { return Err(Errno::EINVAL) };
    if count == 0 {
        return Ok(0);
    }
    if count > isize::MAX as usize || *offset > i64::MAX as u64 {
        return Err(Errno::EINVAL);
    }
    let count = below_limit(*offset, count);
    if count == 0 {
        return Ok(0); // at the end of the file
    }
    let (moved, errno) = super::sendfile_hdtr(out_fd, in_fd, *offset, count, &[], &[], 0);
    *offset += moved as u64;
    match errno {
        Some(errno) if moved == 0 => Err(errno),
        _ => Ok(moved),
    }
}

/// sendfile(2) with headers, if there are any, from `offset` on. The kernel would take a count of 0 for "to the end", and send nothing for a
/// count above `i64::MAX`.
pub(crate) fn send(
    out_fd: BorrowedFd<'_>,
    in_fd: BorrowedFd<'_>,
    offset: Option<u64>,
    count: usize,
    headers: &[IoSlice<'_>],
    flags: u32,
) -> (usize, Option<Errno>) {
    let Some(offset) = offset.filter(|_| count <= isize::MAX as usize) else { return (0, Some(Errno::EINVAL)) };
    if count == 0 {
        return (0, None);
    }
    let asked = headers.iter().fold(count, |sum, slice| sum.saturating_add(slice.len()));
    match super::sendfile_hdtr(out_fd, in_fd, offset, count, headers, &[], flags) {
        // After the last byte, macOS waits for room before it finds that nothing is left to send.
        (bytes, Some(Errno::EAGAIN | Errno::EINTR)) if bytes == asked => (bytes, None),
        sent => sent,
    }
}

/// Like `sendfile`, with numbers and a pointer that nobody vouches for.
///
/// # Safety
///
/// `offset` is null, or points to a `u64` that may be read and written.
pub(crate) unsafe fn sendfile_raw(out_fd: RawFd, in_fd: RawFd, offset: *mut u64, count: usize) -> Result<usize> {
    // std's type cannot hold −1.
    if out_fd == -1 || in_fd == -1 {
        return Err(Errno::EBADF);
    }
    // SAFETY: neither is −1. If one is not open, only the kernel gets it, and fails with `EBADF`.
    let (out_fd, in_fd) = unsafe { (BorrowedFd::borrow_raw(out_fd), BorrowedFd::borrow_raw(in_fd)) };
    // SAFETY: the caller vouches for the arguments.
    sendfile(out_fd, in_fd, unsafe { offset.as_mut() }, count)
}

/// sendmsg(2) without SIGPIPE. These kernels have no `MSG_MORE`.
pub(crate) fn sendmsg(out_fd: BorrowedFd<'_>, slices: &[IoSlice<'_>], _more: bool) -> Result<usize> {
    let message = MsgHdr {
        name: null(),
        name_len: 0,
        iov: slices.as_ptr().cast(),
        iov_len: slices.len() as c_int,
        control: null(),
        control_len: 0,
        flags: 0,
    };
    // SAFETY: the kernel only reads: `message`, which lives in this frame, and the slices it points to, which are borrowed
    // and, by `IoSlice`'s layout, an array of `struct iovec`.
    Errno::check(unsafe { kernel::sendmsg(out_fd.as_raw_fd(), &message, MSG_NOSIGNAL) })
}

/// writev(2).
pub(crate) fn writev(out_fd: BorrowedFd<'_>, slices: &[IoSlice<'_>]) -> Result<usize> {
    // SAFETY: the kernel only reads the slices, which are borrowed and, by `IoSlice`'s layout, an array of `struct iovec`.
    Errno::check(unsafe { kernel::writev(out_fd.as_raw_fd(), slices.as_ptr().cast(), slices.len() as c_int) })
}

/// pread(2).
pub(crate) fn pread(in_fd: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> Result<usize> {
    // SAFETY: the kernel writes at most `buffer.len()` bytes from its start, and it is borrowed mutably.
    Errno::check(unsafe { kernel::pread(in_fd.as_raw_fd(), buffer.as_mut_ptr(), buffer.len(), offset as i64) })
}

/// read(2).
pub(crate) fn read(in_fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most `buffer.len()` bytes from its start, and it is borrowed mutably.
    Errno::check(unsafe { kernel::read(in_fd.as_raw_fd(), buffer.as_mut_ptr(), buffer.len()) })
}

/// splice(2) is Linux's. This fails like a kernel without it.
pub(crate) fn splice(_in: BorrowedFd<'_>, _out: BorrowedFd<'_>, _count: usize, _nonblocking: bool) -> Result<usize> {
    Err(Errno::ENOSYS)
}

/// ppoll(2) is needed for splice, and for empty datagrams, which are taken for the end here.
pub(crate) fn ready(_in: BorrowedFd<'_>, _out: BorrowedFd<'_>) -> Result<(bool, bool)> {
    Err(Errno::ENOSYS)
}

/// The same.
pub(crate) fn hung_up(_in: BorrowedFd<'_>) -> Result<bool> {
    Err(Errno::ENOSYS)
}

/// The same.
pub(crate) fn unread(_in: BorrowedFd<'_>) -> Result<usize> {
    Err(Errno::ENOSYS)
}

/// The same.
pub(crate) fn wait_readable(_in: BorrowedFd<'_>) -> Result<()> {
    Err(Errno::ENOSYS)
}

/// The same.
pub(crate) fn is_nonblocking(_file: BorrowedFd<'_>) -> Result<bool> {
    Err(Errno::ENOSYS)
}

/// Asked after a short count, to find one that a signal has made. These kernels report the signal of a sendfile beside the bytes.
pub(crate) fn waits_for_ever(_out: BorrowedFd<'_>) -> bool {
    false
}

/// Asked after a splice only.
pub(crate) fn is_regular(_in: BorrowedFd<'_>) -> bool {
    false
}

/// Whether `fd` is a pipe; asked before a splice only.
pub(crate) fn is_pipe(_in: BorrowedFd<'_>) -> bool {
    false
}

/// lseek(2) from the current position. Returns the new position.
pub(crate) fn seek_by(in_fd: BorrowedFd<'_>, distance: isize) -> Result<u64> {
    // SAFETY: it touches no memory of this process.
    let result = unsafe { kernel::lseek(in_fd.as_raw_fd(), distance as i64, SEEK_CUR) };
    Errno::check(result).map(|position| position as u64)
}

/// getsockopt(2) of an `int`.
pub(super) fn getsockopt(out_fd: BorrowedFd<'_>, level: c_int, option: c_int) -> Result<usize> {
    let mut value: c_int = 0;
    let mut len = size_of::<c_int>() as u32;
    // SAFETY: the kernel writes at most `len` bytes to `value` and the length to `len`, both of this frame.
    let result = unsafe { kernel::getsockopt(out_fd.as_raw_fd(), level, option, &mut value, &mut len) };
    Errno::check(result).map(|_| value as usize)
}

/// setsockopt(2) of an `int`.
pub(super) fn setsockopt(out_fd: BorrowedFd<'_>, level: c_int, option: c_int, value: c_int) -> Result<usize> {
    // SAFETY: the kernel only reads `value`, of this frame.
    let result = unsafe { kernel::setsockopt(out_fd.as_raw_fd(), level, option, &value, size_of::<c_int>() as u32) };
    Errno::check(result)
}

/// Returns the kind of the socket, `SO_TYPE`, or fails with `ENOTSOCK`.
pub(crate) fn socket_type(out_fd: BorrowedFd<'_>) -> Result<usize> {
    getsockopt(out_fd, SOL_SOCKET, SO_TYPE)
}

/// Protocols on top of TCP are treated as TCP.
pub(crate) fn tcp_ulp(_out: BorrowedFd<'_>) -> Result<u32> {
    Err(Errno::ENOPROTOOPT)
}

/// Every stream is taken for TCP. If it is not, it refuses the options.
pub(crate) fn socket_protocol(_out: BorrowedFd<'_>) -> Result<usize> {
    Ok(IPPROTO_TCP)
}

/// The size is asked only for outputs that exist on Linux only.
pub(crate) fn file_size(_in: BorrowedFd<'_>) -> Result<u64> {
    Err(Errno::ENOSYS)
}

/// Returns whether `TCP_NODELAY` is set (not 0), or fails if the socket is not TCP.
pub(crate) fn tcp_nodelay(out_fd: BorrowedFd<'_>) -> Result<usize> {
    getsockopt(out_fd, SOL_TCP, TCP_NODELAY)
}

/// Sets or clears `TCP_NODELAY`, for the writes that follow.
pub(crate) fn set_tcp_nodelay(out_fd: BorrowedFd<'_>, on: bool) -> Result<usize> {
    setsockopt(out_fd, SOL_TCP, TCP_NODELAY, on.into())
}

/// A set of signals: the lower ones, which are the ones needed.
pub(crate) type SigSet = u32;

/// The set with only SIGPIPE: signal 13 is bit 12.
pub(crate) const SIGPIPE: SigSet = 1 << 12;

const SIG_BLOCK: c_int = 1;
const SIG_UNBLOCK: c_int = 2;

/// sigprocmask(2): blocks these signals in the calling thread. Returns the set that was blocked before.
pub(crate) fn block_signals(set: SigSet) -> Result<SigSet> {
    change_mask(SIG_BLOCK, set)
}

/// sigprocmask(2): unblocks these signals in the calling thread.
pub(crate) fn unblock_signals(set: SigSet) -> Result<SigSet> {
    change_mask(SIG_UNBLOCK, set)
}

fn change_mask(how: c_int, set: SigSet) -> Result<SigSet> {
    let (set, mut before) = (SigSetT::new(set), SigSetT::new(0));
    // SAFETY: the kernel reads `set` and writes `before`, of its own type. Blocking a signal invalidates no memory.
    Errno::check(unsafe { kernel::sigprocmask(how, &set, &mut before) })?;
    Ok(before.lower())
}

/// The number of SIGPIPE.
const SIGPIPE_NUMBER: c_int = 13;
const SIG_IGN: usize = 1;

/// `struct sigaction`, of the kernel or of C. The handler comes first in each. The rest differs in length, but it is all 0.
#[repr(C)]
pub(super) struct SigAction {
    handler: usize,
    rest: [u64; 3],
}

/// sigaction(2): the whole process ignores SIGPIPE.
pub(crate) fn ignore_sigpipe() -> Result<usize> {
    let action = SigAction { handler: SIG_IGN, rest: [0; 3] };
    // SAFETY: the kernel reads `action`, and calls nothing in this process.
    Errno::check(unsafe { kernel::sigaction(SIGPIPE_NUMBER, &action) })
}

/// sigpending(2): returns the blocked signals that are pending for the calling thread or its process.
pub(crate) fn pending_signals() -> Result<SigSet> {
    let mut set = SigSetT::new(0);
    // SAFETY: the kernel writes `set`, of its own type.
    Errno::check(unsafe { kernel::sigpending(&mut set) })?;
    Ok(set.lower())
}

/// close(2).
///
/// # Safety
///
/// The caller owns `fd` and does not use it afterwards.
#[cfg(not(feature = "std"))]
pub(crate) unsafe fn close(fd: crate::fd::RawFd) {
    // SAFETY: the caller owns `fd`. An error is not reported, because after most errors the descriptor is closed, and it must not be
    // closed twice.
    unsafe { kernel::close(fd) };
}
