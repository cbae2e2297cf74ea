//! Linux. Every function here makes one system call, and converts the machine word that it returns to a `Result`.
//!
//! # References
//! - [syscalls(2)](https://man7.org/linux/man-pages/man2/syscalls.2.html)

use core::ffi::{c_int, c_void};
use core::mem::size_of;
use core::ptr::{null, null_mut, without_provenance_mut};

use crate::errno::{Errno, Result};
use crate::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use crate::iovec::IoSlice;
use crate::sys;

#[path = "../../../arch/linux/mod.rs"]
mod arch;

mod nr;
#[cfg_attr(target_pointer_width = "32", path = "wide32.rs")]
#[cfg_attr(not(target_pointer_width = "32"), path = "wide64.rs")]
mod wide;

pub(crate) mod cork;
mod errno;
pub(crate) mod hints;

#[cfg(feature = "pins")] // a feature of tests/packages/no_libc only, which has the dependencies
mod pins;
#[cfg(test)]
mod tests;

/// The most that one call moves: `MAX_RW_COUNT` of include/linux/fs.h, INT_MAX rounded down to a page of 4096 bytes.
pub(crate) const MAX_RW_COUNT: usize = 0x7fff_f000;
/// The most slices of one call: `UIO_MAXIOV` of include/uapi/linux/uio.h.
pub(crate) const IOV_MAX: usize = 1024;
/// Whether sendmsg(2) has `MSG_MORE`.
pub(crate) const HAS_MSG_MORE: bool = true;
/// Whether sendfile can begin at the file's position.
pub(crate) const HAS_POSITION: bool = true;
/// Whether headers are passed to sendfile.
pub(crate) const NATIVE_HDTR: bool = false;
/// Whether a file alone needs the cork.
pub(crate) const CORKS_FILES: bool = false;
/// Whether a cork may span calls that wait for room, up to what one buffer of TCP's holds.
pub(crate) const CORKS_SMALL_STEPS: bool = true;
/// `SOCK_STREAM` of include/linux/net.h, which [`socket_type`] returns for TCP and stream sockets of the Unix domain.
pub(crate) const SOCK_STREAM: usize = 1;

const SOL_SOCKET: c_int = 1;
const SO_TYPE: c_int = 3;
const SO_PROTOCOL: c_int = 38;
const SO_SNDTIMEO: c_int = if cfg!(any(target_arch = "powerpc", target_arch = "powerpc64")) { 19 } else { 21 };
/// The result of [`socket_protocol`] for TCP.
pub(crate) const IPPROTO_TCP: usize = 6;
/// The result of [`socket_protocol`] for MPTCP.
pub(crate) const IPPROTO_MPTCP: usize = 262;
/// The results of [`tcp_ulp`] for plain TCP, and for MPTCP: the first four bytes of the name.
pub(crate) const NO_ULP: u32 = 0;
pub(crate) const ULP_MPTCP: u32 = u32::from_ne_bytes(*b"mptc");
const SOL_TCP: c_int = IPPROTO_TCP as c_int;
const TCP_NODELAY: c_int = 1;
const TCP_CORK: c_int = 3;
const TCP_ULP: c_int = 31;
const MSG_NOSIGNAL: c_int = 0x4000;
const MSG_MORE: c_int = 0x8000;
const RWF_NOWAIT: c_int = 8;
const SEEK_CUR: c_int = 1;
const SPLICE_F_NONBLOCK: isize = 2;
const O_CLOEXEC: c_int = 0o2_000_000;
const F_GETFL: c_int = 3;
const F_GETPIPE_SZ: c_int = 1032;
const O_NONBLOCK: usize = 0o4000;
const FIONREAD: usize =
    if cfg!(any(target_arch = "powerpc", target_arch = "powerpc64")) { 0x4004_667f } else { 0x541b };
const POLLIN: i16 = 1;
const POLLOUT: i16 = 4;
const POLLHUP: i16 = 0x10;
const POLLRDHUP: i16 = 0x2000;

/// Advice of posix_fadvise(2).
#[derive(Clone, Copy)]
#[repr(i32)]
pub(crate) enum Advice {
    WillNeed = 3,
    DontNeed = if cfg!(target_arch = "s390x") { 6 } else { 4 },
}

/// `struct msghdr` of the kernel (`user_msghdr` in include/linux/socket.h).
#[repr(C)]
struct MsgHdr {
    name: *const c_void,
    name_len: c_int,
    iov: *const c_void,
    iov_len: usize,
    control: *const c_void,
    control_len: usize,
    flags: c_int,
}

/// `struct pollfd` of include/uapi/asm-generic/poll.h.
#[repr(C)]
struct PollFd {
    fd: c_int,
    events: i16,
    revents: i16,
}

/// Returns an integer as an argument. A C `int` is sign-extended, as C does.
#[inline(always)]
const fn word(n: isize) -> *mut () {
    without_provenance_mut(n as usize)
}

/// Returns a descriptor as an argument.
#[inline(always)]
fn fd(fd: BorrowedFd<'_>) -> *mut () {
    word(fd.as_raw_fd() as isize)
}

/// sendfile(2). The kernel reads and writes the offset as a signed number.
#[cfg_attr(target_arch = "aarch64", inline(never))] // for SVE, see arch/linux/aarch64.rs
#[cfg_attr(not(target_arch = "aarch64"), inline(always))]
pub(crate) fn sendfile(
    out_fd: BorrowedFd<'_>,
    in_fd: BorrowedFd<'_>,
    offset: Option<&mut u64>,
    count: usize,
) -> Result<usize> {
    let offset = offset.map_or(null_mut(), |offset| (offset as *mut u64).cast());
    // SAFETY: the kernel writes only to the eight bytes of `offset`, which is null or borrowed mutably, and every bit pattern is a
    // u64.
    let result = unsafe {
        arch::syscall4_int2(nr::SENDFILE, out_fd.as_raw_fd(), in_fd.as_raw_fd(), offset, word(count as isize))
    };
    Errno::check(result)
}

/// sendfile(2) from the offset, or from the file's position. It accepts neither headers nor flags.
pub(crate) fn send(
    out_fd: BorrowedFd<'_>,
    in_fd: BorrowedFd<'_>,
    offset: Option<u64>,
    count: usize,
    headers: &[IoSlice<'_>],
    _flags: u32,
) -> (usize, Option<Errno>) {
    if !headers.is_empty() {
        return (0, Some(Errno::ENOSYS));
    }
    let mut at = offset.unwrap_or(0);
    match sendfile(out_fd, in_fd, offset.is_some().then_some(&mut at), count) {
        Ok(bytes) => (bytes, None),
        Err(errno) => (0, Some(errno)),
    }
}

/// Returns the same error: on this system each call returns its own.
pub(crate) fn pending_error(errno: Errno, _out: BorrowedFd<'_>) -> Errno {
    errno
}

/// Like `sendfile`, with numbers and a pointer that nobody vouches for.
///
/// # Safety
///
/// If the eight bytes at `offset` are writable, the call may change them, so nothing else may rely on them.
#[inline(never)] // as above
pub(crate) unsafe fn sendfile_raw(out_fd: RawFd, in_fd: RawFd, offset: *mut u64, count: usize) -> Result<usize> {
    // SAFETY: the kernel checks the pointer and writes to no other memory. The caller vouches that these bytes may change.
    let result = unsafe { arch::syscall4_int2(nr::SENDFILE, out_fd, in_fd, offset.cast(), word(count as isize)) };
    Errno::check(result)
}

/// sendfile(2) on descriptors that cannot be open. Returns `EBADF` if the call exists and is allowed. It sends nothing.
#[inline(never)] // as above, and it is not called in a loop
pub(crate) fn sendfile_probe() -> Errno {
    // SAFETY: no descriptor, no offset, no count: nothing can be written anywhere.
    let result = unsafe { arch::syscall4_int2(nr::SENDFILE, -1, -1, null_mut(), word(0)) };
    match Errno::check(result) {
        Err(errno) => errno,
        // It cannot succeed on a bad descriptor. A filter that returns 0 has replaced the call.
        Ok(_) => Errno::ENOSYS,
    }
}

/// sendmsg(2) without SIGPIPE; with `MSG_MORE` if more follows.
pub(crate) fn sendmsg(out_fd: BorrowedFd<'_>, slices: &[IoSlice<'_>], more: bool) -> Result<usize> {
    let message = MsgHdr {
        name: null(),
        name_len: 0,
        iov: slices.as_ptr().cast(),
        iov_len: slices.len(),
        control: null(),
        control_len: 0,
        flags: 0,
    };
    let flags = MSG_NOSIGNAL | if more { MSG_MORE } else { 0 };
    // SAFETY: the kernel only reads: `message`, which lives in this frame, and the slices it points to, which are borrowed
    // and, by `IoSlice`'s layout, an array of `struct iovec`.
    let result = unsafe {
        arch::syscall3(nr::SENDMSG, fd(out_fd), (&raw const message).cast_mut().cast(), word(flags as isize))
    };
    Errno::check(result)
}

/// writev(2).
pub(crate) fn writev(out_fd: BorrowedFd<'_>, slices: &[IoSlice<'_>]) -> Result<usize> {
    // SAFETY: the kernel only reads the slices, which are borrowed and, by `IoSlice`'s layout, an array of `struct iovec`.
    let result = unsafe {
        arch::syscall3(nr::WRITEV, fd(out_fd), slices.as_ptr().cast_mut().cast(), word(slices.len() as isize))
    };
    Errno::check(result)
}

/// pread64(2).
pub(crate) fn pread(in_fd: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> Result<usize> {
    // SAFETY: the kernel writes at most `buffer.len()` bytes from its start, and it is borrowed mutably.
    Errno::check(unsafe { wide::pread(fd(in_fd), buffer.as_mut_ptr().cast(), buffer.len(), offset) })
}

/// read(2).
pub(crate) fn read(in_fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most `buffer.len()` bytes from its start, and it is borrowed mutably.
    let result =
        unsafe { arch::syscall3(nr::READ, fd(in_fd), buffer.as_mut_ptr().cast(), word(buffer.len() as isize)) };
    Errno::check(result)
}

/// splice(2) at the current positions. One of the two must be a pipe. `nonblocking`: whether not to wait for the pipe. (Before Linux 5.1,
/// splice ignores the pipe's own `O_NONBLOCK`.)
pub(crate) fn splice(in_fd: BorrowedFd<'_>, out_fd: BorrowedFd<'_>, count: usize, nonblocking: bool) -> Result<usize> {
    let (no_offset, flags) = (null_mut(), word(if nonblocking { SPLICE_F_NONBLOCK } else { 0 }));
    // SAFETY: without offsets it touches no memory of this process.
    let result =
        unsafe { arch::syscall6(nr::SPLICE, fd(in_fd), no_offset, fd(out_fd), no_offset, word(count as isize), flags) };
    Errno::check(result)
}

/// `struct statx` of include/uapi/linux/stat.h, the same on all processors.
#[repr(C)]
struct Statx {
    before: [u32; 7],
    mode: u16,
    between: [u16; 5],
    size: u64,
    after: [u64; 26],
}

/// statx(2): returns the size that the file reports.
pub(crate) fn file_size(in_fd: BorrowedFd<'_>) -> Result<u64> {
    const STATX_SIZE: isize = 0x200;
    statx(in_fd, STATX_SIZE).map(|stat| stat.size)
}

/// statx(2): whether this is a regular file.
pub(crate) fn is_regular(in_fd: BorrowedFd<'_>) -> bool {
    const STATX_TYPE: isize = 1;
    const S_IFMT: u16 = 0o170_000;
    const S_IFREG: u16 = 0o100_000;
    statx(in_fd, STATX_TYPE).is_ok_and(|stat| stat.mode & S_IFMT == S_IFREG)
}

fn statx(in_fd: BorrowedFd<'_>, mask: isize) -> Result<Statx> {
    const AT_EMPTY_PATH: isize = 0x1000;
    let mut stat = Statx { before: [0; 7], mode: 0, between: [0; 5], size: 0, after: [0; 26] };
    // SAFETY: the kernel reads the empty path and writes the 256 bytes of `stat`, of this frame.
    let result = unsafe {
        arch::syscall5(
            nr::STATX,
            fd(in_fd),
            c"".as_ptr().cast_mut().cast(),
            word(AT_EMPTY_PATH),
            word(mask),
            (&raw mut stat).cast(),
        )
    };
    Errno::check(result).map(|_| stat)
}

/// ppoll(2): returns the events that have happened. Errors and hang-ups are always included. `wait`: whether to wait for the first.
fn poll<const N: usize>(asked: [(BorrowedFd<'_>, i16); N], wait: bool) -> Result<[i16; N]> {
    let mut fds = asked.map(|(fd, events)| PollFd { fd: fd.as_raw_fd(), events, revents: 0 });
    let mut no_time: [i64; 2] = [0, 0];
    // SAFETY: the kernel reads and writes `fds`, `N` of them, and `no_time` (a timespec of two numbers of at most 64 bits), if it is
    // given; all of this frame. There is no set of signals.
    let result = unsafe {
        arch::syscall5(
            nr::PPOLL,
            fds.as_mut_ptr().cast(),
            word(N as isize),
            if wait { null_mut() } else { (&raw mut no_time).cast() },
            null_mut(),
            word(size_of::<SigSet>() as isize),
        )
    };
    match Errno::check(result) {
        // A signal came before anything had happened.
        Err(Errno::EINTR) => Ok([0; N]),
        result => result.map(|_| fds.map(|fd| fd.revents)),
    }
}

/// ppoll(2) without waiting: returns whether a read would not block (there are bytes, the end, or an error), and whether a write would not.
pub(crate) fn ready(in_fd: BorrowedFd<'_>, out_fd: BorrowedFd<'_>) -> Result<(bool, bool)> {
    poll([(in_fd, POLLIN), (out_fd, POLLOUT)], false).map(|[input, output]| (input != 0, output != 0))
}

/// ppoll(2) without waiting: returns whether nothing more can arrive.
pub(crate) fn hung_up(in_fd: BorrowedFd<'_>) -> Result<bool> {
    poll([(in_fd, POLLRDHUP)], false).map(|[input]| input & (POLLRDHUP | POLLHUP) != 0)
}

/// ppoll(2): waits until a read would not block. Fails with `EINTR` if a signal came before.
pub(crate) fn wait_readable(in_fd: BorrowedFd<'_>) -> Result<()> {
    poll([(in_fd, POLLIN)], true).and_then(|[input]| if input == 0 { Err(Errno::EINTR) } else { Ok(()) })
}

/// fcntl(2), `F_GETFL`: whether calls that would block fail with `EAGAIN`.
pub(crate) fn is_nonblocking(file: BorrowedFd<'_>) -> Result<bool> {
    // SAFETY: it touches no memory of this process.
    let result = unsafe { arch::syscall3(nr::FCNTL, fd(file), word(F_GETFL as isize), word(0)) };
    Errno::check(result).map(|flags| flags & O_NONBLOCK != 0)
}

/// Whether a send on this socket waits for room as long as it takes: the socket is blocking, has no `SO_SNDTIMEO`, and has not failed.
pub(crate) fn waits_for_ever(out_fd: BorrowedFd<'_>) -> bool {
    /// The `int`s of a `struct timeval`, which is two words. All are 0 if there is no limit.
    const TIMEVAL: usize = 2 * size_of::<isize>() / size_of::<c_int>();
    is_nonblocking(out_fd) == Ok(false)
        && poll([(out_fd, 0)], false) == Ok([0])
        && getsockopt_ints(out_fd, SOL_SOCKET, SO_SNDTIMEO).is_ok_and(|(limit, _)| limit == [0; TIMEVAL])
}

/// ioctl(2), `FIONREAD`: returns the bytes that can be read.
pub(crate) fn unread(in_fd: BorrowedFd<'_>) -> Result<usize> {
    let mut bytes: c_int = 0;
    // SAFETY: the kernel writes an `int`, to `bytes`, of this frame.
    let result = unsafe { arch::syscall3(nr::IOCTL, fd(in_fd), word(FIONREAD as isize), (&raw mut bytes).cast()) };
    Errno::check(result).map(|_| bytes as usize)
}

/// fcntl(2), `F_GETPIPE_SZ`: whether `fd` is a pipe.
pub(crate) fn is_pipe(in_fd: BorrowedFd<'_>) -> bool {
    // SAFETY: it touches no memory of this process.
    let result = unsafe { arch::syscall3(nr::FCNTL, fd(in_fd), word(F_GETPIPE_SZ as isize), word(0)) };
    Errno::check(result).is_ok()
}

/// pipe2(2): returns the end to read from and the end to write to. Both are closed at execve(2).
pub(crate) fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    let mut fds: [RawFd; 2] = [-1; 2];
    // SAFETY: the kernel writes two numbers, to `fds`, of this frame.
    let result = unsafe { arch::syscall3(nr::PIPE2, (&raw mut fds).cast(), word(O_CLOEXEC as isize), word(0)) };
    Errno::check(result)?;
    // SAFETY: the kernel has just opened both, and nothing else owns them.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

/// lseek(2) from the current position. Returns the new position.
pub(crate) fn seek_by(in_fd: BorrowedFd<'_>, distance: isize) -> Result<u64> {
    wide::lseek(fd(in_fd), distance as i64, word(SEEK_CUR as isize))
}

/// preadv2(2) of one byte with `RWF_NOWAIT`. Fails with `EAGAIN` if it is not in the page cache, and with `EOPNOTSUPP` if the file does not
/// support that.
pub(crate) fn read_cached_byte(in_fd: BorrowedFd<'_>, offset: u64) -> Result<usize> {
    let mut byte = 0_u8;
    let vector: [*mut (); 2] = [(&raw mut byte).cast(), word(1)];
    let [low, high] = wide::preadv2_offset(offset);
    // SAFETY: `vector` is one `struct iovec` (two words: base and length) that names one byte of this frame, which the
    // kernel may write.
    let result = unsafe {
        arch::syscall6(
            nr::PREADV2,
            fd(in_fd),
            vector.as_ptr().cast_mut().cast(),
            word(1),
            low,
            high,
            word(RWF_NOWAIT as isize),
        )
    };
    Errno::check(result)
}

/// posix_fadvise(2). A length of 0 means to the end.
pub(crate) fn fadvise(in_fd: BorrowedFd<'_>, offset: u64, len: u64, advice: Advice) -> Result<()> {
    Errno::check(wide::fadvise(fd(in_fd), offset, len, word(advice as isize))).map(drop)
}

/// getsockopt(2) of an `int`.
fn getsockopt(out_fd: BorrowedFd<'_>, level: c_int, option: c_int) -> Result<usize> {
    getsockopt_ints(out_fd, level, option).map(|([value], _)| value as usize)
}

/// Returns the first `N` `int`s of an option's value, and its length in bytes: getsockopt(2). The rest is 0.
fn getsockopt_ints<const N: usize>(out_fd: BorrowedFd<'_>, level: c_int, option: c_int) -> Result<([c_int; N], u32)> {
    let mut value: [c_int; N] = [0; N];
    let mut len = size_of_val(&value) as u32;
    // SAFETY: the kernel writes at most `len` bytes to `value`, which are `int`s whatever they are, and the length to `len`. Both are of
    // this frame.
    let result = unsafe {
        arch::syscall5(
            nr::GETSOCKOPT,
            fd(out_fd),
            word(level as isize),
            word(option as isize),
            (&raw mut value).cast(),
            (&raw mut len).cast(),
        )
    };
    Errno::check(result).map(|_| (value, len))
}

/// setsockopt(2) of an `int`.
fn setsockopt(out_fd: BorrowedFd<'_>, level: c_int, option: c_int, value: c_int) -> Result<usize> {
    // SAFETY: the kernel only reads `value`, of this frame.
    let result = unsafe {
        arch::syscall5(
            nr::SETSOCKOPT,
            fd(out_fd),
            word(level as isize),
            word(option as isize),
            (&raw const value).cast_mut().cast(),
            word(size_of::<c_int>() as isize),
        )
    };
    Errno::check(result)
}

/// Returns the kind of the socket, `SO_TYPE`, or fails with `ENOTSOCK`.
pub(crate) fn socket_type(out_fd: BorrowedFd<'_>) -> Result<usize> {
    getsockopt(out_fd, SOL_SOCKET, SO_TYPE)
}

/// Returns the protocol, `SO_PROTOCOL`, a number of the socket's family.
pub(crate) fn socket_protocol(out_fd: BorrowedFd<'_>) -> Result<usize> {
    getsockopt(out_fd, SOL_SOCKET, SO_PROTOCOL)
}

/// Returns the protocol on top of TCP: the first bytes of the name in `TCP_ULP`, or 0 if there is none. Fails if the socket is not TCP, and
/// before Linux 4.13.
pub(crate) fn tcp_ulp(out_fd: BorrowedFd<'_>) -> Result<u32> {
    getsockopt_ints(out_fd, SOL_TCP, TCP_ULP).map(|([name], len)| if len > 0 { name as u32 } else { NO_ULP })
}

/// Returns whether `TCP_CORK` is set, or fails if the socket is not TCP.
pub(crate) fn tcp_cork(out_fd: BorrowedFd<'_>) -> Result<usize> {
    getsockopt(out_fd, SOL_TCP, TCP_CORK)
}

/// Sets or clears `TCP_CORK`.
pub(crate) fn set_tcp_cork(out_fd: BorrowedFd<'_>, on: bool) -> Result<usize> {
    setsockopt(out_fd, SOL_TCP, TCP_CORK, on.into())
}

/// Returns whether `TCP_NODELAY` is set, or fails if the socket is not TCP.
pub(crate) fn tcp_nodelay(out_fd: BorrowedFd<'_>) -> Result<usize> {
    getsockopt(out_fd, SOL_TCP, TCP_NODELAY)
}

/// Sets or clears `TCP_NODELAY`. Setting it sends the bytes that wait.
pub(crate) fn set_tcp_nodelay(out_fd: BorrowedFd<'_>, on: bool) -> Result<usize> {
    setsockopt(out_fd, SOL_TCP, TCP_NODELAY, on.into())
}

/// The kernel's set of signals.
pub(crate) type SigSet = u64;

/// The set with only SIGPIPE: signal 13 is bit 12 of the first of the kernel's words.
pub(crate) const SIGPIPE: SigSet =
    if cfg!(all(target_pointer_width = "32", target_endian = "big")) { 1 << (32 + 12) } else { 1 << 12 };

const SIG_BLOCK: c_int = 0;
const SIG_UNBLOCK: c_int = 1;

/// rt_sigprocmask(2): blocks these signals in the calling thread. Returns the set that was blocked before.
pub(crate) fn block_signals(set: SigSet) -> Result<SigSet> {
    let mut before: SigSet = 0;
    change_mask(SIG_BLOCK, set, &mut before)?;
    Ok(before)
}

/// rt_sigprocmask(2): unblocks these signals in the calling thread.
pub(crate) fn unblock_signals(set: SigSet) -> Result<usize> {
    change_mask(SIG_UNBLOCK, set, &mut 0)
}

fn change_mask(how: c_int, set: SigSet, before: &mut SigSet) -> Result<usize> {
    // SAFETY: the kernel reads `set` and writes `before`, eight bytes each as the last argument says. Blocking a signal
    // invalidates no memory.
    let result = unsafe {
        arch::syscall4(
            nr::RT_SIGPROCMASK,
            word(how as isize),
            (&raw const set).cast_mut().cast(),
            (&raw mut *before).cast(),
            word(size_of::<SigSet>() as isize),
        )
    };
    Errno::check(result)
}

/// rt_sigtimedwait(2) without waiting: takes one pending signal of the set, which must be blocked. Fails with `EAGAIN` if none is pending.
pub(crate) fn take_signal(set: SigSet) -> Result<usize> {
    let no_time: [i64; 2] = [0, 0];
    // SAFETY: the kernel reads `set` (eight bytes, as the last argument says) and `no_time` (a timespec of two numbers of at
    // most 64 bits), and writes no siginfo, as the second argument is null.
    let result = unsafe {
        arch::syscall4(
            nr::RT_SIGTIMEDWAIT,
            (&raw const set).cast_mut().cast(),
            null_mut(),
            (&raw const no_time).cast_mut().cast(),
            word(size_of::<SigSet>() as isize),
        )
    };
    Errno::check(result)
}

/// The number of SIGPIPE.
const SIGPIPE_NUMBER: isize = 13;
const SIG_IGN: usize = 1;

/// The kernel's `struct sigaction`. The handler is its first word on every processor. The rest (flags, mostly a restorer, a set of signals)
/// differs, but it is all 0. All fields are words, because there could be a gap before a 64-bit number, which is not initialised.
#[repr(C)]
struct SigAction {
    handler: usize,
    rest: [usize; Self::REST],
}

impl SigAction {
    /// Two words and the set.
    const REST: usize = 2 + size_of::<SigSet>() / size_of::<usize>();
}

/// rt_sigaction(2): the whole process ignores SIGPIPE.
pub(crate) fn ignore_sigpipe() -> Result<usize> {
    let action = SigAction { handler: SIG_IGN, rest: [0; SigAction::REST] };
    // SAFETY: the kernel reads `action`, with a set of eight bytes, as the last argument says, and writes no old one. It calls nothing
    // in this process.
    let result = unsafe {
        arch::syscall4(
            nr::RT_SIGACTION,
            word(SIGPIPE_NUMBER),
            (&raw const action).cast_mut().cast(),
            null_mut(),
            word(size_of::<SigSet>() as isize),
        )
    };
    Errno::check(result)
}

/// rt_sigpending(2): returns the blocked signals that are pending for the calling thread or its process.
pub(crate) fn pending_signals() -> Result<SigSet> {
    let mut set: SigSet = 0;
    // SAFETY: the kernel writes the eight bytes of `set`, as the second argument says.
    let result = unsafe {
        arch::syscall3(nr::RT_SIGPENDING, (&raw mut set).cast(), word(size_of::<SigSet>() as isize), word(0))
    };
    Errno::check(result).map(|_| set)
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
    unsafe { arch::syscall1(nr::CLOSE, word(fd as isize)) };
}
