//! Performs a transfer's steps on real files.

use core::ops::{Deref, DerefMut};

use crate::cork;
use crate::errno::{Errno, Result};
use crate::fd::{AsFd, BorrowedFd};
use crate::flags::{FlagsReport, SfFlags};
use crate::hints::Hints;
use crate::iovec::IoSlice;
use crate::sys;
use crate::transfer::{Count, Error, Mechanisms, Progress, Step, Transfer};

/// What was sent, whatever came after: an error takes nothing back.
#[derive(Clone, Copy, Debug)]
#[must_use = "the outcome may be an error, and less may have been sent than was asked for"]
pub struct Sent {
    /// Bytes per section.
    pub progress: Progress,
    /// How the bytes of the file were moved.
    pub mechanisms: Mechanisms,
    /// What became of the flags.
    pub flags: FlagsReport,
    /// Whether that is all, or why it stopped.
    pub outcome: core::result::Result<(), Error>,
}

impl Sent {
    fn nothing(error: Error, flags: FlagsReport) -> Self {
        Self { progress: Progress::default(), mechanisms: Mechanisms::default(), flags, outcome: Err(error) }
    }

    /// Bytes of headers, file and trailers together.
    pub const fn total(&self) -> u64 {
        self.progress.total()
    }
}

/// `sendfile(out, in, offset, count, headers, trailers, flags)`: writes the headers, `count` bytes of `in_fd` from `offset`
/// on, and the trailers, in this order, and tells how much of each was sent.
///
/// It goes on after a short count. It stops when all is sent, on `EAGAIN`, on `EINTR` and on errors; what was sent until then
/// is in the answer. For going on from there keep a [`Transfer`], whose driver this is.
///
/// - `offset` is in bytes from the start of the file. The position of `in_fd` is neither used nor changed.
/// - `count` is [`Count::Bytes`] (a plain `u64` will do) or [`Count::ToEnd`]. A count of 0 bytes sends headers and trailers.
/// - `headers` and `trailers` are of any number and length, empty ones included.
/// - `flags` are FreeBSD's; [`SfFlags`] says what each does here.
/// - `out_fd` is a stream socket, pipe or file. Other sockets are refused before a byte is sent.
///
/// **Segments.** On TCP, what fits one segment goes out as one: the headers say "more follows" (`MSG_MORE`), and where
/// trailers join the file `TCP_CORK` is set around them. **No byte waits** in the kernel, on any way out, for longer than after
/// one plain write of the same bytes; a `TCP_CORK` that the caller had set is left as it is and nothing is flushed under it.
///
/// **The pages are shared, not copied**: a later write to the file can still reach the receiver. [`Transfer::copying`] takes
/// a snapshot instead.
///
/// **SIGPIPE** can be raised while the file is sent, as by [`sendfile`](crate::sendfile); headers and trailers to a socket
/// raise none (`MSG_NOSIGNAL`).
///
/// System calls: `getsockopt`, `sendmsg` (sockets) or `writev` (others), `sendfile`, `setsockopt`; with flags `preadv2` and
/// `fadvise64`. Linux 2.6.33 or later.
///
/// # Errors
///
/// In [`Sent::outcome`]: those of [`Transfer::new`], [`Transfer::next_step`] and [`Transfer::complete`];
/// [`Error::UnknownFlags`]; `EBUSY` for [`SfFlags::NODISKIO`]. [`Error::Truncated`] when the file has fewer bytes than
/// `count`: the trailers are withheld then.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "std")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use bare_sendfile::{Count, IoSlice, SfFlags, sendfile_hdtr};
/// # let file = std::fs::File::open("Cargo.toml")?;
/// # let (socket, receiver) = std::os::unix::net::UnixStream::pair()?;
/// let header = [IoSlice::new(b"200 OK\r\n"), IoSlice::new(b"\r\n")];
/// let sent = sendfile_hdtr(&socket, &file, 0, 100, &header, &[], SfFlags::empty());
/// sent.outcome?;
/// assert_eq!((sent.progress.headers, sent.progress.file), (10, 100));
/// # drop(receiver);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "std"))]
/// # fn main() {}
/// ```
///
/// # References
/// - [os.sendfile](https://docs.python.org/3/library/os.html#os.sendfile), the second form
/// - [FreeBSD sendfile(2)](https://man.freebsd.org/cgi/man.cgi?query=sendfile&sektion=2), `struct sf_hdtr`
/// - [Linux tcp(7)](https://man7.org/linux/man-pages/man7/tcp.7.html), `TCP_CORK`; [send(2)](https://man7.org/linux/man-pages/man2/send.2.html), `MSG_MORE`
pub fn sendfile_hdtr(
    out_fd: impl AsFd,
    in_fd: impl AsFd,
    offset: u64,
    count: impl Into<Count>,
    headers: &[IoSlice<'_>],
    trailers: &[IoSlice<'_>],
    flags: SfFlags,
) -> Sent {
    if let Some(unknown) = flags.unknown() {
        let ignored = flags.without_readahead();
        return Sent::nothing(Error::UnknownFlags(unknown), FlagsReport { ignored, ..FlagsReport::default() });
    }
    let hints = Some(Hints::new(flags, offset));
    let send = Send { out_fd: out_fd.as_fd(), in_fd: in_fd.as_fd(), headers, trailers, buffer: &mut [], hints };
    send.run(offset, count.into(), false)
}

/// Sends until all is sent or an error, going on after `EINTR`: for blocking outputs. Returns on `EAGAIN`, so that a socket's
/// `SO_SNDTIMEO` works; it never polls. Go on with the same transfer.
///
/// `headers` and `trailers` are those that `transfer` was made with. Lending a `buffer` (any length but 0) is the consent to
/// copy through it what sendfile refuses, and small bodies; an empty one is none.
///
/// System calls: those of [`perform`].
///
/// # Errors
///
/// Those of [`Transfer::next_step`] and [`Transfer::complete`]. What was sent stands in [`Transfer::progress`], and the flush
/// promise holds on every way out.
///
/// ```
/// # #[cfg(feature = "std")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use bare_sendfile::{Count, IoSlice, Transfer, send_all};
/// # let file = std::fs::File::open("Cargo.toml")?;
/// # let (socket, receiver) = std::os::unix::net::UnixStream::pair()?;
/// let header = [IoSlice::new(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")];
/// let mut transfer = Transfer::new(0, Count::Bytes(100), &header, &[])?;
/// send_all(&mut transfer, &socket, &file, &header, &[], &mut [])?;
/// # drop(receiver);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "std"))]
/// # fn main() {}
/// ```
pub fn send_all(
    transfer: &mut Transfer,
    out_fd: impl AsFd,
    in_fd: impl AsFd,
    headers: &[IoSlice<'_>],
    trailers: &[IoSlice<'_>],
    buffer: &mut [u8],
) -> core::result::Result<(), Error> {
    let mut send = Send { out_fd: out_fd.as_fd(), in_fd: in_fd.as_fd(), headers, trailers, buffer, hints: None };
    send.drive(transfer, true)
}

/// How far a nonblocking call got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "it may have to be called again"]
pub enum Status {
    /// All is sent.
    Done,
    /// The budget is used up, and it could go on at once: call again when others had their turn. An edge-triggered epoll has no
    /// new event for that.
    Yielded,
    /// Call again when the output is writable.
    OutFull,
    /// Call again when the input is readable.
    InEmpty,
}

/// Sends until all is sent or it would block, going on after `EINTR`: for nonblocking outputs and an event loop. Arguments,
/// system calls and errors are those of [`send_all`]; `EAGAIN` is [`Status::OutFull`] (the input is a file, which is always
/// ready; the few that are not, such as some of FUSE opened with `O_NONBLOCK`, are for [`StreamCopy`](crate::StreamCopy)).
///
/// ```
/// # #[cfg(feature = "std")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use bare_sendfile::{Count, Status, Transfer, poll_send};
/// # let file = std::fs::File::open("Cargo.toml")?;
/// # let (socket, receiver) = std::os::unix::net::UnixStream::pair()?;
/// socket.set_nonblocking(true)?;
/// let mut transfer = Transfer::new(0, Count::ToEnd, &[], &[])?;
/// match poll_send(&mut transfer, &socket, &file, &[], &[], &mut [])? {
///     Status::Done => {}
///     Status::Yielded => { /* again, after the others */ }
///     Status::OutFull | Status::InEmpty => { /* back to epoll_wait */ }
/// }
/// # drop(receiver);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "std"))]
/// # fn main() {}
/// ```
pub fn poll_send(
    transfer: &mut Transfer,
    out_fd: impl AsFd,
    in_fd: impl AsFd,
    headers: &[IoSlice<'_>],
    trailers: &[IoSlice<'_>],
    buffer: &mut [u8],
) -> core::result::Result<Status, Error> {
    match send_all(transfer, out_fd, in_fd, headers, trailers, buffer) {
        Ok(()) => Ok(Status::Done),
        Err(Error::Errno(Errno::EAGAIN)) => Ok(Status::OutFull),
        Err(error) => Err(error),
    }
}

/// The common case in one call: headers, `count` of the file from `offset` on, trailers, on a blocking output, going on after
/// short counts and `EINTR` (where [`sendfile`](crate::sendfile) is one system call); with a `buffer`, through it where sendfile
/// is refused. It is [`send_all`] with a [`Transfer`] of its own.
///
/// System calls and errors: those of [`send_all`], in [`Sent::outcome`].
///
/// ```
/// # #[cfg(all(feature = "std", target_os = "linux"))]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use bare_sendfile::{Count, send_file};
/// # let (socket, receiver) = std::os::unix::net::UnixStream::pair()?;
/// let limits = std::fs::File::open("/proc/self/limits")?; // refuses sendfile
/// let sent = send_file(&socket, &limits, 0, Count::ToEnd, &[], &[], &mut [0; 4096]);
/// sent.outcome?;
/// assert_eq!(sent.mechanisms.copy, sent.total());
/// # drop(receiver);
/// # Ok(())
/// # }
/// # #[cfg(not(all(feature = "std", target_os = "linux")))]
/// # fn main() {}
/// ```
pub fn send_file(
    out_fd: impl AsFd,
    in_fd: impl AsFd,
    offset: u64,
    count: impl Into<Count>,
    headers: &[IoSlice<'_>],
    trailers: &[IoSlice<'_>],
    buffer: &mut [u8],
) -> Sent {
    let send = Send { out_fd: out_fd.as_fd(), in_fd: in_fd.as_fd(), headers, trailers, buffer, hints: None };
    send.run(offset, count.into(), true)
}

/// What the drivers have in common.
struct Send<'a> {
    out_fd: BorrowedFd<'a>,
    in_fd: BorrowedFd<'a>,
    headers: &'a [IoSlice<'a>],
    trailers: &'a [IoSlice<'a>],
    buffer: &'a mut [u8],
    hints: Option<Hints>,
}

impl Send<'_> {
    /// A transfer from beginning to end.
    fn run(mut self, offset: u64, count: Count, restart: bool) -> Sent {
        let mut transfer = match Transfer::new(offset, count, self.headers, self.trailers) {
            Ok(transfer) => transfer,
            Err(error) => return Sent::nothing(error, self.flags_report()),
        };
        #[cfg(target_os = "linux")]
        if let Some(hints) = &mut self.hints {
            hints.read_ahead(self.in_fd);
        }
        let outcome = self.drive(&mut transfer, restart);
        Sent { progress: transfer.progress(), mechanisms: transfer.mechanisms(), flags: self.flags_report(), outcome }
    }

    fn flags_report(&self) -> FlagsReport {
        self.hints.as_ref().map_or(FlagsReport::default(), Hints::report)
    }

    /// Steps until one of them says to stop, and flushes; `restart` goes on after `EINTR`.
    fn drive(&mut self, transfer: &mut Transfer, restart: bool) -> core::result::Result<(), Error> {
        let outcome = loop {
            let outcome = match transfer.next_step(self.headers, self.trailers, self.buffer.len()) {
                Ok(Step::Done) => break Ok(()),
                Ok(step) => self.perform(transfer, &step),
                Err(error) => Err(error),
            };
            match outcome {
                Ok(()) => {}
                Err(Error::Errno(Errno::EINTR)) if restart => {}
                Err(error) => break Err(error),
            }
        };
        flush_owed(transfer, self.out_fd);
        outcome
    }

    /// Performs a step, and what the flags ask for.
    fn perform(&mut self, transfer: &mut Transfer, step: &Step<'_>) -> core::result::Result<(), Error> {
        #[cfg(target_os = "linux")]
        if let (Some(hints), Step::SendFile { offset: Some(offset), count }) = (&mut self.hints, *step) {
            let count = match hints.cached(self.in_fd, offset, count) {
                Ok(count) => count,
                Err(errno) => return transfer.complete(Err(errno)),
            };
            hints.drop_cache(self.in_fd, offset);
            let step = Step::SendFile { offset: Some(offset), count };
            return complete(transfer, perform_on(&step, self.out_fd, self.in_fd, &mut [], 0));
        }
        #[cfg(target_os = "linux")]
        let flags = 0;
        #[cfg(not(target_os = "linux"))]
        let flags = self.hints.as_ref().map_or(0, Hints::native);
        complete(transfer, perform_on(step, self.out_fd, self.in_fd, self.buffer, flags))
    }
}

impl Transfer {
    /// Performs a step and completes it, as [`perform`] and [`complete`](Self::complete) do, and keeps an error that comes
    /// together with progress: FreeBSD's and macOS's sendfile can move bytes and fail in one.
    ///
    /// System calls: those of [`perform`].
    ///
    /// # Errors
    ///
    /// Those of [`complete`](Self::complete).
    pub fn perform(
        &mut self,
        step: &Step<'_>,
        out_fd: impl AsFd,
        in_fd: impl AsFd,
        buffer: &mut [u8],
    ) -> core::result::Result<(), Error> {
        complete(self, perform_on(step, out_fd.as_fd(), in_fd.as_fd(), buffer, 0))
    }
}

fn complete(transfer: &mut Transfer, (moved, errno): Outcome) -> core::result::Result<(), Error> {
    match errno {
        Some(errno) => transfer.complete_with_error(moved, errno),
        None => transfer.complete(Ok(moved)),
    }
}

/// Performs the flush of a transfer, if one is owed.
fn flush_owed(transfer: &mut Transfer, out_fd: BorrowedFd<'_>) {
    if let Some(Step::Flush { uncork, push }) = transfer.flush() {
        // A flush that fails has nothing to flush: the output is not TCP, or gone. The completion says so to the transfer.
        let _ = transfer.complete(cork::flush(out_fd, uncork, push));
    }
}

/// A [`Transfer`] with the output it goes to, which flushes what is owed when it is dropped: for code that can be left at any
/// point, such as an async task.
///
/// System calls on drop: those of [`Step::Flush`].
#[derive(Debug)]
pub struct FlushOnDrop<Fd: AsFd> {
    transfer: Transfer,
    out_fd: Fd,
}

impl<Fd: AsFd> FlushOnDrop<Fd> {
    /// Guards `transfer`, whose steps are performed on `out_fd`.
    pub const fn new(transfer: Transfer, out_fd: Fd) -> Self {
        Self { transfer, out_fd }
    }

    /// The output.
    pub const fn out_fd(&self) -> &Fd {
        &self.out_fd
    }
}

impl<Fd: AsFd> Deref for FlushOnDrop<Fd> {
    type Target = Transfer;

    fn deref(&self) -> &Transfer {
        &self.transfer
    }
}

impl<Fd: AsFd> DerefMut for FlushOnDrop<Fd> {
    fn deref_mut(&mut self) -> &mut Transfer {
        &mut self.transfer
    }
}

impl<Fd: AsFd> Drop for FlushOnDrop<Fd> {
    fn drop(&mut self) {
        flush_owed(&mut self.transfer, self.out_fd.as_fd());
    }
}

/// Performs one step of a [`Transfer`] on real files; hand the result to [`Transfer::complete`]. `buffer` is the lent one,
/// empty if none is.
///
/// System calls: those that [`Step`] names, one each, but for `Cork` and `Flush` (`getsockopt` and `setsockopt` as needed) and
/// `Copy` and `Gather` (`pread64` and a write; at the file's position two `lseek` as well, three if the write is short).
///
/// # Errors
///
/// The system call's; `EIO` when the output took nothing of a `Copy` or `Gather` and gave no reason; `ESPIPE` when the file's
/// position does not move, before anything is written. [`Step::Done`] is not to be performed: it gives `Ok(0)`. A step can move
/// bytes and fail in one: FreeBSD's and macOS's sendfile, and a copy that cannot take the position back to what was written. Then
/// the bytes are the result and the error is gone; [`Transfer::perform`] keeps it.
pub fn perform(step: &Step<'_>, out_fd: impl AsFd, in_fd: impl AsFd, buffer: &mut [u8]) -> Result<usize> {
    match perform_on(step, out_fd.as_fd(), in_fd.as_fd(), buffer, 0) {
        (0, Some(errno)) => Err(errno),
        (moved, _) => Ok(moved),
    }
}

/// What a call moved (or told), and the error that came with that or instead.
type Outcome = (usize, Option<Errno>);

fn outcome(result: Result<usize>) -> Outcome {
    match result {
        Ok(moved) => (moved, None),
        Err(errno) => (0, Some(errno)),
    }
}

/// The same, compiled once. `flags` are for the kernel, where it takes any.
fn perform_on(
    step: &Step<'_>,
    out_fd: BorrowedFd<'_>,
    in_fd: BorrowedFd<'_>,
    buffer: &mut [u8],
    flags: u32,
) -> Outcome {
    #[cfg(target_os = "linux")]
    let _ = flags; // it takes none
    outcome(match *step {
        #[cfg(not(target_os = "linux"))]
        Step::SendFile { offset: Some(offset), count } => return send_native(out_fd, in_fd, offset, count, &[], flags),
        #[cfg(not(target_os = "linux"))]
        Step::SendFileHdtr { headers, offset, count } => {
            return send_native(out_fd, in_fd, offset, count, headers.as_slice(), flags);
        }
        #[cfg(target_os = "linux")]
        Step::SendFile { offset: Some(mut offset), count } => sys::sendfile(out_fd, in_fd, Some(&mut offset), count),
        #[cfg(target_os = "linux")]
        Step::SendFileHdtr { .. } => Err(Errno::ENOSYS),
        Step::SendFile { offset: None, count } => sys::sendfile(out_fd, in_fd, None, count),
        Step::Copy { offset: Some(offset), count, more, socket } => {
            copy(out_fd, in_fd, offset, buffer.get_mut(..count), more, socket)
        }
        Step::Copy { offset: None, count, more, socket } => {
            return copy_from_position(out_fd, in_fd, buffer.get_mut(..count), more, socket);
        }
        Step::Gather { headers, sent, offset, count, trailers, more, socket } => {
            gather(buffer, headers, sent, in_fd, offset, count, trailers)
                .and_then(|bytes| write_some(out_fd, bytes, more, socket))
        }
        Step::SocketType => sys::socket_type(out_fd),
        Step::Write { slices, more, socket } => write(out_fd, slices.as_slice(), more, socket),
        Step::Cork => cork::cork(out_fd),
        Step::Flush { uncork, push } => cork::flush(out_fd, uncork, push),
        Step::Done => Ok(0),
    })
}

/// The kernel's own call, headers included. (A count of 0 would tell it to send to the end, one above `i64::MAX` nothing.)
#[cfg(not(target_os = "linux"))]
fn send_native(
    out_fd: BorrowedFd<'_>,
    in_fd: BorrowedFd<'_>,
    offset: u64,
    count: usize,
    headers: &[IoSlice<'_>],
    flags: u32,
) -> Outcome {
    if count == 0 {
        return (0, None);
    }
    if count > isize::MAX as usize {
        return (0, Some(Errno::EINVAL));
    }
    let asked = headers.iter().fold(count, |sum, slice| sum.saturating_add(slice.len()));
    match sys::sendfile_hdtr(out_fd, in_fd, offset, count, headers, &[], flags) {
        // Having sent all, macOS looks for room before it finds that there is nothing more to send.
        (moved, Some(Errno::EAGAIN | Errno::EINTR)) if moved == asked => (moved, None),
        outcome => outcome,
    }
}

/// Reads into the lent buffer, and writes what was read.
fn copy(
    out_fd: BorrowedFd<'_>,
    in_fd: BorrowedFd<'_>,
    offset: u64,
    buffer: Option<&mut [u8]>,
    more: bool,
    socket: bool,
) -> Result<usize> {
    let buffer = buffer.ok_or(Errno::EFAULT)?;
    let read = sys::pread(in_fd, buffer, offset)?;
    write_some(out_fd, buffer.get(..read).unwrap_or(&[]), more, socket)
}

/// The same at the file's position, which moves before the write: where it cannot, nothing is sent that would be read again.
/// What was not written is gone back by.
fn copy_from_position(
    out_fd: BorrowedFd<'_>,
    in_fd: BorrowedFd<'_>,
    buffer: Option<&mut [u8]>,
    more: bool,
    socket: bool,
) -> Outcome {
    let bytes = match read_at_position(in_fd, buffer) {
        Ok(bytes) => bytes,
        Err(errno) => return (0, Some(errno)),
    };
    let (written, errno) = outcome(write_some(out_fd, bytes, more, socket));
    if written == bytes.len() {
        return (written, errno);
    }
    match sys::seek_by(in_fd, written.wrapping_sub(bytes.len()) as isize) {
        Ok(_) => (written, errno),
        Err(stuck) => (written, Some(stuck)),
    }
}

/// Reads at the file's position and moves it.
fn read_at_position<'a>(in_fd: BorrowedFd<'_>, buffer: Option<&'a mut [u8]>) -> Result<&'a [u8]> {
    let buffer = buffer.ok_or(Errno::EFAULT)?;
    let at = sys::seek_by(in_fd, 0)?;
    let read = sys::pread(in_fd, buffer, at)?;
    // Some devices let themselves be told to move, and stay where they are.
    if read > 0 && sys::seek_by(in_fd, read as isize)? == at {
        return Err(Errno::ESPIPE);
    }
    Ok(buffer.get(..read).unwrap_or(&[]))
}

/// Gathers what a write is to carry in the lent buffer; the trailers only behind the whole range of the file.
fn gather<'a>(
    buffer: &'a mut [u8],
    headers: &[IoSlice<'_>],
    sent: u64,
    in_fd: BorrowedFd<'_>,
    offset: u64,
    count: usize,
    trailers: &[IoSlice<'_>],
) -> Result<&'a [u8]> {
    let len = fill(buffer, 0, headers, sent)?;
    let end = len.saturating_add(count);
    let read = sys::pread(in_fd, buffer.get_mut(len..end).ok_or(Errno::EFAULT)?, offset)?;
    let len = if read == count { fill(buffer, end, trailers, 0)? } else { len + read };
    Ok(buffer.get(..len).unwrap_or(&[]))
}

/// Writes, unless there is nothing to write: that alone is 0.
fn write_some(out_fd: BorrowedFd<'_>, bytes: &[u8], more: bool, socket: bool) -> Result<usize> {
    if bytes.is_empty() {
        return Ok(0);
    }
    match write(out_fd, &[IoSlice::new(bytes)], more, socket)? {
        0 => Err(Errno::EIO),
        written => Ok(written),
    }
}

fn write(out_fd: BorrowedFd<'_>, slices: &[IoSlice<'_>], more: bool, socket: bool) -> Result<usize> {
    if socket { sys::sendmsg(out_fd, slices, more) } else { sys::writev(out_fd, slices) }
}

/// Copies the slices, of which `sent` bytes are gone, into the buffer from `at` on; returns the end.
/// `EFAULT` if they do not fit: the buffer is smaller than the one that was lent.
fn fill(buffer: &mut [u8], mut at: usize, slices: &[IoSlice<'_>], mut sent: u64) -> Result<usize> {
    for slice in slices {
        let gone = sent.min(slice.len() as u64);
        sent -= gone;
        let rest = slice.get(gone as usize..).unwrap_or(&[]);
        let room = buffer.get_mut(at..).and_then(|room| room.get_mut(..rest.len())).ok_or(Errno::EFAULT)?;
        room.copy_from_slice(rest);
        at += rest.len();
    }
    Ok(at)
}
