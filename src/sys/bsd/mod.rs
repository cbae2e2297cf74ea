//! What FreeBSD and macOS have in common. Every function here is one system call and turns the machine word that comes back
//! into a `Result`.
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
/// The most slices that one call takes: `UIO_MAXIOV`.
pub(crate) const IOV_MAX: usize = 1024;
/// `SOCK_STREAM`, the answer of [`socket_type`] for TCP and stream sockets of the Unix domain.
pub(crate) const SOCK_STREAM: usize = 1;
/// Whether sendmsg(2) can be told that more follows.
pub(crate) const HAS_MSG_MORE: bool = false;
/// Whether sendfile can begin at the file's position.
pub(crate) const HAS_POSITION: bool = false;
/// Whether the cork may span calls that wait for room: here what it holds back can be what they wait for.
pub(crate) const CORKS_SMALL_STEPS: bool = false;

pub(super) const SOL_SOCKET: c_int = 0xffff;
const SO_TYPE: c_int = 0x1008;
/// The answer of [`socket_protocol`].
pub(crate) const IPPROTO_TCP: usize = 6;
/// Not here.
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
    /// An empty list is null, for a pointer that is not null has to be followed by a count that is not 0.
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

/// The bytes of `count` that lie below the largest offset, behind which no file has any: FreeBSD's kernel adds the two, and
/// when the sum overflows, a file that changes its size meanwhile is sent beyond its end.
pub(crate) fn below_limit(offset: u64, count: usize) -> usize {
    count.min((i64::MAX as u64).saturating_sub(offset) as usize)
}

/// sendfile(2) as Linux has it. It is one system call, or none where the kernel's would mean another thing: without an offset
/// there is no such call, a count of 0 would send the whole file, and one above `i64::MAX` nothing.
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
        return Ok(0); // the end
    }
    let (moved, errno) = super::sendfile_hdtr(out_fd, in_fd, *offset, count, &[], &[], 0);
    *offset += moved as u64;
    match errno {
        Some(errno) if moved == 0 => Err(errno),
        _ => Ok(moved),
    }
}

/// sendfile(2) with headers, if there are any, from the offset on. A count of 0 would tell the kernel to send to the end, one above
/// `i64::MAX` nothing.
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
        // Having sent all, macOS looks for room before it finds that there is nothing more to send.
        (bytes, Some(Errno::EAGAIN | Errno::EINTR)) if bytes == asked => (bytes, None),
        sent => sent,
    }
}

/// The same with numbers and a pointer that nobody vouches for.
///
/// # Safety
///
/// `offset` is null, or points to a `u64` that may be read and written.
pub(crate) unsafe fn sendfile_raw(out_fd: RawFd, in_fd: RawFd, offset: *mut u64, count: usize) -> Result<usize> {
    // For which std's type has no place.
    if out_fd == -1 || in_fd == -1 {
        return Err(Errno::EBADF);
    }
    // SAFETY: neither is −1. One that is not open is given to the kernel, which says so, and to nobody else.
    let (out_fd, in_fd) = unsafe { (BorrowedFd::borrow_raw(out_fd), BorrowedFd::borrow_raw(in_fd)) };
    // SAFETY: the caller's.
    sendfile(out_fd, in_fd, unsafe { offset.as_mut() }, count)
}

/// sendmsg(2) without SIGPIPE. These kernels cannot be told that more follows.
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

/// splice(2) is Linux's: the answer is that of a kernel without it.
pub(crate) fn splice(_in: BorrowedFd<'_>, _out: BorrowedFd<'_>, _count: usize, _nonblocking: bool) -> Result<usize> {
    Err(Errno::ENOSYS)
}

/// ppoll(2) is asked on behalf of splice, and for a datagram of no bytes, which is taken for the end here.
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

/// Whether it is a pipe: asked after a splice.
pub(crate) fn is_pipe(_in: BorrowedFd<'_>) -> bool {
    false
}

/// lseek(2) from the current position: the new position.
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

/// What kind of socket it is: `SO_TYPE`. `ENOTSOCK` if it is none.
pub(crate) fn socket_type(out_fd: BorrowedFd<'_>) -> Result<usize> {
    getsockopt(out_fd, SOL_SOCKET, SO_TYPE)
}

/// What lies on top of TCP is not told from TCP.
pub(crate) fn tcp_ulp(_out: BorrowedFd<'_>) -> Result<u32> {
    Err(Errno::ENOPROTOOPT)
}

/// Every stream is taken for TCP; one that is not refuses its options.
pub(crate) fn socket_protocol(_out: BorrowedFd<'_>) -> Result<usize> {
    Ok(IPPROTO_TCP)
}

/// The size is asked only for outputs that there are on Linux alone.
pub(crate) fn file_size(_in: BorrowedFd<'_>) -> Result<u64> {
    Err(Errno::ENOSYS)
}

/// Whether `TCP_NODELAY` is set (any number but 0); an error on all that is not TCP.
pub(crate) fn tcp_nodelay(out_fd: BorrowedFd<'_>) -> Result<usize> {
    getsockopt(out_fd, SOL_TCP, TCP_NODELAY)
}

/// Sets or clears `TCP_NODELAY`, for the writes that follow.
pub(crate) fn set_tcp_nodelay(out_fd: BorrowedFd<'_>, on: bool) -> Result<usize> {
    setsockopt(out_fd, SOL_TCP, TCP_NODELAY, on.into())
}

/// A set of signals: the lower ones, as many as are of interest.
pub(crate) type SigSet = u32;

/// The set of SIGPIPE alone: signal 13 is bit 12.
pub(crate) const SIGPIPE: SigSet = 1 << 12;

const SIG_BLOCK: c_int = 1;
const SIG_UNBLOCK: c_int = 2;

/// sigprocmask(2): blocks these signals in the calling thread; the set that was blocked before.
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

/// `struct sigaction`, of the kernel or of C. The handler comes first in each. The rest is not as long in all of them, but all 0.
#[repr(C)]
pub(super) struct SigAction {
    handler: usize,
    rest: [u64; 3],
}

/// sigaction(2): the whole process ignores SIGPIPE.
pub(crate) fn ignore_sigpipe() -> Result<usize> {
    let action = SigAction { handler: SIG_IGN, rest: [0; 3] };
    // SAFETY: it is read, and nothing of this process is called by it.
    Errno::check(unsafe { kernel::sigaction(SIGPIPE_NUMBER, &action) })
}

/// sigpending(2): the blocked signals that wait for the calling thread or its process.
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
    // SAFETY: the caller's. An error is not reported: the descriptor is gone after most of them and must not be closed twice.
    unsafe { kernel::close(fd) };
}
