//! Input that cannot be read twice: pipes, sockets, terminals, eventfds.

use crate::drive::Status;
use crate::errno::{Errno, Result};
use crate::fd::{AsFd, BorrowedFd};
use crate::iovec::IoSlice;
use crate::sys::{self, SOCK_STREAM, cork};
use crate::transfer::{Count, Error, RECORD};

#[cfg(any(target_os = "linux", target_os = "android"))]
mod pipe;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use pipe::PipeCopy;

/// The most bytes of one call, and the default budget of `poll_send`.
const CAP: usize = 2 << 20;
/// The least that a system call takes from the budget, so that 512 calls use up the default one.
const PRICE: u64 = 4096;

/// A copy from an input that cannot seek, which sendfile(2) mostly refuses. It uses splice(2) if one of the two descriptors is a
/// pipe, and a buffer otherwise.
///
/// Bytes that were read from such an input exist nowhere else. So the copy owns its buffer, and with it the bytes that are read and not yet
/// written: [`remainder`](Self::remainder). It is not `Clone`. The buffer is an array, a `Vec`, a `Box<[u8]>` or a `&mut [u8]`.
///
/// - [`send_all`](Self::send_all) blocks. [`poll_send`](Self::poll_send) is for an event loop.
/// - The caller writes headers before the copy, and trailers after it.
/// - Pass the same two descriptors to each call, because the copy remembers what it learns about them.
/// - From socket to socket, splice needs a pipe in between. On Linux, `PipeCopy` owns one.
/// - SIGPIPE can be raised as by [`sendfile`](crate::sendfile). [`SigpipeGuard`](crate::SigpipeGuard) prevents it.
///
/// **The end of the input** is where read(2) returns 0.
///
/// - Stream sockets: splice(2) stops at out-of-band data, so a read follows. It skips the urgent byte, unless
///   `SO_OOBINLINE` is set.
/// - Sockets of messages, such as datagram sockets: an empty message is not the end, and is not passed on. The end is when the peer has hung
///   up or the socket was shut down, and nothing is left in it. Of datagrams the kernel reports only the length of the next one, so two empty
///   ones in a row are then taken for the end. (On FreeBSD and macOS one empty message is.)
/// - Pipes in packet mode (`O_DIRECT`) have no empty packets. The end is when nobody writes any more.
///
/// **Spliced pages are shared, not copied.** If a pipe was filled by splice(2), sendfile(2) or vmsplice(2), the same pages of the file or
/// memory are sent on. If they are modified later, the receiver may get the new bytes, as with [`sendfile`](crate::sendfile). Bytes
/// that pass through the buffer are copied.
///
/// **The flush promise** holds if the output is TCP: when a call returns, no byte waits longer in the kernel than if one plain write had sent
/// the same bytes. After [`Status::OutFull`] a full queue sends by itself, and only the end of a splice that was cut short is flushed.
///
/// System calls: `splice`, `read` and `writev`. If a nonblocking splice would block, `ppoll`. If splice or read moved nothing, `getsockopt`, and
/// after splice `fcntl` and `statx`; of a socket of messages also `ppoll` and `ioctl`. For the first splice, `fcntl` and `getsockopt`. From a pipe
/// to a socket also `ioctl` before each splice, and `fcntl` and `ppoll` before one that would wait. For the flush, `getsockopt` and
/// `setsockopt`, tried only once if the output is not TCP. Linux 2.6.17 or later. Before that, everything is copied.
///
/// ```
/// # #[cfg(feature = "std")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use bare_sendfile::{Count, StreamCopy};
/// use std::io::{Read, Write};
/// # use std::os::unix::net::UnixStream;
/// # let ((client, mut a), (backend, mut b)) = (UnixStream::pair()?, UnixStream::pair()?);
/// # a.write_all(b"hello")?;
/// # drop(a);
/// let mut copy = StreamCopy::new(Count::ToEnd, [0; 4096]);
/// copy.send_all(&backend, &client)?;
/// assert_eq!(copy.sent(), 5);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "std"))]
/// # fn main() {}
/// ```
///
/// # References
/// - [splice(2)](https://man7.org/linux/man-pages/man2/splice.2.html)
/// - [tcp(7)](https://man7.org/linux/man-pages/man7/tcp.7.html), out-of-band data
#[derive(Debug)]
pub struct StreamCopy<B> {
    count: Count,
    budget: usize,
    buffer: B,
    /// The bytes of the buffer that are read and not written yet.
    start: usize,
    end: usize,
    /// Such a byte, read without a buffer.
    byte: Option<u8>,
    spliced: u64,
    copied: u64,
    at_end: bool,
    /// Whether splice works for this pair, or was not tried yet.
    splice: bool,
    /// Whether the input keeps what it was not asked for, if that is known.
    keeps: Option<bool>,
    /// Whether a splice must not ask for more than the input holds, and the most bytes that it may ask for, if that is known.
    exact: Option<Option<usize>>,
    tail: Tail,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> StreamCopy<B> {
    /// Makes a `StreamCopy` of `count` bytes. It moves nothing yet. If splice(2) does not work, it uses `buffer`, whose length is
    /// the size of the reads.
    ///
    /// With an empty buffer nothing is copied, and the copy fails if splice does. The exception is the byte after out-of-band data, for
    /// which the copy has a place of its own.
    ///
    /// Reading an eventfd needs 8 bytes, and a signalfd 128. If a datagram, or a packet of a pipe with `O_DIRECT`, is longer than the
    /// read, or a datagram longer than the room in a pipe that it is spliced to, the kernel discards the rest.
    pub const fn new(count: Count, buffer: B) -> Self {
        Self {
            count,
            budget: CAP,
            buffer,
            start: 0,
            end: 0,
            byte: None,
            spliced: 0,
            copied: 0,
            at_end: false,
            splice: true,
            keeps: None,
            exact: None,
            tail: Tail::new(),
        }
    }

    /// Sets the maximum number of bytes that one [`poll_send`](Self::poll_send) moves (0 counts as 1). The default is 2 MiB. A system call
    /// that moves fewer than 4096 bytes counts as 4096, so that tiny pieces hold a thread no longer than large ones. Only pipes and stream
    /// sockets are spliced in part. From other inputs one splice can exceed the budget, because it must not cut a message.
    #[must_use]
    pub const fn with_budget(mut self, bytes: usize) -> Self {
        self.budget = if bytes == 0 { 1 } else { bytes };
        self
    }

    /// Returns the number of bytes written so far.
    pub const fn sent(&self) -> u64 {
        self.spliced + self.copied
    }

    /// Returns how many bytes of [`sent`](Self::sent) splice(2) moved. The others passed through the buffer.
    pub const fn spliced(&self) -> u64 {
        self.spliced
    }

    /// Returns the bytes that were read from the input and not yet written to the output. Before you give up the copy, write them yourself.
    pub fn remainder(&self) -> &[u8] {
        match &self.byte {
            Some(byte) => core::slice::from_ref(byte),
            None => self.buffer.as_ref().get(self.start..self.end).unwrap_or(&[]),
        }
    }

    /// Copies until the count is reached or the input ends, on blocking descriptors. It goes on after `EINTR`. Only for an empty pipe does it
    /// wait in ppoll, and it flushes before. While it waits in a read or a splice, short segments can wait as after several plain writes.
    ///
    /// # Errors
    ///
    /// - Those of splice(2), read(2) and writev(2), including `EAGAIN`, so that `SO_RCVTIMEO` and `SO_SNDTIMEO` work.
    /// - [`Error::Truncated`] if the input ended before the count.
    /// - [`Error::WriteZero`].
    /// - [`Error::Unasked`] if a call reports more bytes than it was asked for. Only the bytes asked for are counted.
    ///
    /// Nothing is lost after an error. Call again to go on.
    pub fn send_all(&mut self, out_fd: impl AsFd, in_fd: impl AsFd) -> Result<(), Error> {
        loop {
            match self.run(out_fd.as_fd(), in_fd.as_fd(), false, u64::MAX)? {
                Status::Done => return Ok(()),
                Status::Yielded => {}
                Status::OutFull | Status::InEmpty => return Err(Error::Errno(Errno::EAGAIN)),
            }
        }
    }

    /// Copies until the count is reached, the input ends, the budget is used up, or the call would block. Returns which of these it was. Both
    /// descriptors have to be nonblocking.
    ///
    /// splice(2) does not report which side would block, so ppoll(2) is asked.
    ///
    /// # Errors
    ///
    /// - Those of [`send_all`](Self::send_all), but `EAGAIN` only if a filter refuses ppoll and the buffer is empty. (With a buffer, a read
    ///   into it decides.)
    /// - `EFAULT` if the buffer has become shorter than the bytes read into it.
    pub fn poll_send(&mut self, out_fd: impl AsFd, in_fd: impl AsFd) -> Result<Status, Error> {
        self.run(out_fd.as_fd(), in_fd.as_fd(), true, self.budget as u64)
    }

    fn run(
        &mut self,
        out_fd: BorrowedFd<'_>,
        in_fd: BorrowedFd<'_>,
        nonblocking: bool,
        mut budget: u64,
    ) -> Result<Status, Error> {
        let outcome = loop {
            if budget == 0 && !self.is_done() {
                break Ok(Status::Yielded);
            }
            let (before, held) = (self.sent(), self.holds());
            match self.step(out_fd, in_fd, nonblocking, budget) {
                Ok(None) | Err(Error::Errno(Errno::EINTR)) => {}
                Ok(Some(status)) => break Ok(status),
                Err(error) => break Err(error),
            }
            if !nonblocking && self.tail.cut {
                self.tail.flush(out_fd, true); // the next call may wait
            }
            budget = budget.saturating_sub(price(self.sent() - before, !held && self.holds()));
        };
        if outcome != Ok(Status::OutFull) || self.tail.cut {
            self.tail.flush(out_fd, outcome == Ok(Status::Yielded));
        }
        outcome
    }

    /// Whether bytes are read and not written yet.
    const fn holds(&self) -> bool {
        self.start < self.end || self.byte.is_some()
    }

    fn is_done(&self) -> bool {
        !self.holds() && (self.at_end || self.left() == 0)
    }

    /// Returns the bytes that are still to be read.
    const fn left(&self) -> u64 {
        match self.count {
            Count::Bytes(count) => count.saturating_sub(self.sent()),
            Count::ToEnd => u64::MAX,
        }
    }

    /// Makes one call that moves at most `budget` bytes to the output, if it can. Bytes in the buffer go first, so that the order is kept.
    fn step(
        &mut self,
        out_fd: BorrowedFd<'_>,
        in_fd: BorrowedFd<'_>,
        nonblocking: bool,
        budget: u64,
    ) -> Result<Option<Status>, Error> {
        if self.holds() {
            return self.write(out_fd, budget);
        }
        if self.is_done() {
            return Ok(Some(Status::Done));
        }
        // The budget limits the writes alone: the kernel discards the rest of a message that is read in part.
        let most = self.left().min(CAP as u64) as usize;
        if self.splice { self.splice(out_fd, in_fd, nonblocking, budget, most) } else { self.read(in_fd, most) }
    }

    /// Splices once, or reads if splice cannot.
    fn splice(
        &mut self,
        out_fd: BorrowedFd<'_>,
        in_fd: BorrowedFd<'_>,
        nonblocking: bool,
        budget: u64,
        most: usize,
    ) -> Result<Option<Status>, Error> {
        for _ in 0..2 {
            let (limit, empty) = self.limit(out_fd, in_fd, budget, most);
            // An empty pipe is waited for outside of splice, which could find more than `PARTS` afterwards.
            let waits = empty && !nonblocking && sys::is_nonblocking(in_fd) == Ok(false);
            let mut moved = sys::splice(in_fd, out_fd, limit, nonblocking || waits);
            if waits && moved == Err(Errno::EAGAIN) {
                self.tail.flush(out_fd, false);
                moved = match sys::wait_readable(in_fd) {
                    Ok(()) | Err(Errno::EINTR) => return Ok(None),
                    // A filter refuses ppoll.
                    Err(_) => sys::splice(in_fd, out_fd, limit, false),
                };
            }
            match moved {
                Ok(0) => return self.nothing_spliced(in_fd, most),
                Ok(moved) => {
                    self.tail.spliced(moved < limit);
                    self.spliced += moved.min(limit) as u64;
                    return asked(moved, limit);
                }
                // Neither is a pipe, or one of the two cannot splice.
                Err(Errno::EINVAL | Errno::ENOSYS | Errno::EPERM | Errno::EOPNOTSUPP) if self.copies() => {
                    self.splice = false;
                    return self.read(in_fd, most);
                }
                Err(Errno::EAGAIN) if nonblocking => match sys::ready(in_fd, out_fd) {
                    Ok((_, false)) => return Ok(Some(Status::OutFull)),
                    Ok((false, true)) => return Ok(Some(Status::InEmpty)),
                    // The bytes, or the room, came between the two calls.
                    Ok((true, true)) => {}
                    Err(_) if self.copies() => return self.read(in_fd, most),
                    Err(_) => return Err(Error::Errno(Errno::EAGAIN)),
                },
                Err(errno) => return Err(Error::Errno(errno)),
            }
        }
        self.stuck(in_fd, most)
    }

    /// Returns how many bytes to ask a splice for, and whether the input is a pipe that holds none.
    fn limit(&mut self, out_fd: BorrowedFd<'_>, in_fd: BorrowedFd<'_>, budget: u64, most: usize) -> (usize, bool) {
        let budget = budget.min(most as u64) as usize;
        let limit = if budget == most || self.keeps(in_fd) { budget } else { most };
        let Some(piece) = self.exact(out_fd, in_fd) else { return (limit, false) };
        match sys::unread(in_fd) {
            Ok(0) => (limit.min(PARTS), true),
            Ok(held) => (limit.min(piece).min(held), false),
            Err(_) => (limit.min(piece), false),
        }
    }

    /// Whether the input keeps the bytes that a splice does not ask for, as pipes and stream sockets do. Asked once.
    fn keeps(&mut self, in_fd: BorrowedFd<'_>) -> bool {
        *self.keeps.get_or_insert_with(|| sys::is_pipe(in_fd) || sys::socket_type(in_fd) == Ok(SOCK_STREAM))
    }

    /// Returns the most bytes of one splice from a pipe to a socket, or `None` for other pairs. Such a splice may not ask for more than the
    /// pipe holds, either. Since Linux 6.5 the kernel takes 16 parts of a pipe at a time. If it was asked for more, it can send the last part with
    /// `MSG_MORE` although nothing follows. kTLS and SCTP never send such bytes by themselves.
    fn exact(&mut self, out_fd: BorrowedFd<'_>, in_fd: BorrowedFd<'_>) -> Option<usize> {
        *self.exact.get_or_insert_with(|| if sys::is_pipe(in_fd) { piece(out_fd) } else { None })
    }

    /// Whether the caller has given a buffer to copy through.
    fn copies(&mut self) -> bool {
        !self.buffer.as_mut().is_empty()
    }

    /// Reads into the buffer, or a single byte if there is none.
    fn read(&mut self, in_fd: BorrowedFd<'_>, limit: usize) -> Result<Option<Status>, Error> {
        let mut byte = [0];
        let buffer = self.buffer.as_mut();
        let single = buffer.is_empty();
        let buffer = if single { &mut byte } else { buffer };
        let limit = limit.min(buffer.len());
        match sys::read(in_fd, buffer.get_mut(..limit).unwrap_or(&mut [])) {
            Ok(0) => self.nothing_read(in_fd),
            Ok(read) => {
                if single {
                    self.byte = Some(byte[0]);
                } else {
                    (self.start, self.end) = (0, read.min(limit));
                }
                asked(read, limit)
            }
            Err(Errno::EAGAIN) => Ok(Some(Status::InEmpty)),
            Err(errno) => Err(Error::Errno(errno)),
        }
    }

    /// Handles a splice that moved nothing. It may not be the end of a stream socket (out-of-band data), nor of a pipe (the output may have
    /// accepted nothing), nor of a file (FUSE can report too small a size). So a read decides. Other inputs are not read again, because a
    /// terminal reports its end only once.
    fn nothing_spliced(&mut self, in_fd: BorrowedFd<'_>, limit: usize) -> Result<Option<Status>, Error> {
        match sys::socket_type(in_fd) {
            Err(Errno::ENOTSOCK) if !sys::is_pipe(in_fd) && !sys::is_regular(in_fd) => self.end_of_input(),
            Ok(SOCK_STREAM) | Err(_) => self.read(in_fd, limit),
            Ok(_) => self.empty_message(in_fd),
        }
    }

    /// Handles a splice that would block twice although both sides are ready. The input is at out-of-band data, which a read passes.
    fn stuck(&mut self, in_fd: BorrowedFd<'_>, limit: usize) -> Result<Option<Status>, Error> {
        match sys::socket_type(in_fd) {
            _ if self.copies() => self.read(in_fd, limit),
            Ok(SOCK_STREAM) => self.read(in_fd, limit),
            Ok(_) if is_at_end(in_fd) => self.end_of_input(),
            _ => Ok(Some(Status::Yielded)),
        }
    }

    /// Handles a read of 0 bytes, which is the end or an empty message.
    fn nothing_read(&mut self, in_fd: BorrowedFd<'_>) -> Result<Option<Status>, Error> {
        match sys::socket_type(in_fd) {
            Ok(SOCK_STREAM) | Err(_) => self.end_of_input(),
            Ok(_) => self.empty_message(in_fd),
        }
    }

    fn empty_message(&mut self, in_fd: BorrowedFd<'_>) -> Result<Option<Status>, Error> {
        if is_at_end(in_fd) { self.end_of_input() } else { Ok(None) }
    }

    /// Writes the bytes in the buffer.
    fn write(&mut self, out_fd: BorrowedFd<'_>, limit: u64) -> Result<Option<Status>, Error> {
        let remainder = self.remainder();
        let limit = limit.min(remainder.len() as u64) as usize;
        // The caller's type may return another buffer each time.
        let bytes = remainder.get(..limit).filter(|bytes| !bytes.is_empty()).ok_or(Error::Errno(Errno::EFAULT))?;
        match sys::writev(out_fd, &[IoSlice::new(bytes)]) {
            Ok(0) => Err(Error::WriteZero),
            Ok(written) => {
                self.tail.written();
                if self.byte.take().is_none() {
                    self.start += written.min(limit);
                }
                self.copied += written.min(limit) as u64;
                asked(written, limit)
            }
            Err(Errno::EAGAIN) => Ok(Some(Status::OutFull)),
            Err(errno) => Err(Error::Errno(errno)),
        }
    }

    fn end_of_input(&mut self) -> Result<Option<Status>, Error> {
        if let Count::Bytes(_) = self.count {
            return Err(Error::Truncated { owed: self.left() });
        }
        self.at_end = true;
        Ok(Some(Status::Done))
    }
}

/// The parts of a pipe that the kernel takes at a time. Each has a byte, so that after so few bytes there is no `MSG_MORE`.
const PARTS: usize = 16;

/// Returns the most bytes of one splice to this output, or `None` if it is not a socket.
fn piece(out_fd: BorrowedFd<'_>) -> Option<usize> {
    match sys::tcp_ulp(out_fd) {
        Err(Errno::ENOTSOCK) => None,
        Ok(sys::NO_ULP | sys::ULP_MPTCP) | Err(_) => Some(usize::MAX),
        Ok(_) => Some(RECORD as usize),
    }
}

/// Returns what a step takes from the budget. The write after a read pays for both.
fn price(moved: u64, read: bool) -> u64 {
    if read { 0 } else { moved.max(PRICE) }
}

/// Whether a socket of messages is at its end: the peer has hung up or the socket was shut down, and nothing is left in it.
fn is_at_end(in_fd: BorrowedFd<'_>) -> bool {
    sys::hung_up(in_fd).unwrap_or(true) && sys::unread(in_fd).unwrap_or(0) == 0
}

/// Fails if a call reports more bytes than it was asked for. No kernel does, but a seccomp notifier can. (The caller counts only `limit`.)
fn asked(moved: usize, limit: usize) -> Result<Option<Status>, Error> {
    if moved > limit { Err(Error::Unasked) } else { Ok(None) }
}

/// Which bytes may wait in an output that may be TCP: the last ones, behind a short segment in flight.
#[derive(Clone, Copy, Debug)]
struct Tail {
    /// The pieces sent since the last flush: 0, 1, or 2 for what can be more than one. A single one owes no flush: a plain write would have
    /// sent the same.
    pieces: u8,
    /// Whether the last call was a splice that moved less than it was asked for. Its last piece may have `MSG_MORE`.
    cut: bool,
    /// Whether the output is not TCP.
    refused: bool,
}

impl Tail {
    const fn new() -> Self {
        Self { pieces: 0, cut: false, refused: false }
    }

    const fn written(&mut self) {
        self.pieces = if self.pieces == 0 { 1 } else { 2 };
        self.cut = false;
    }

    /// A splice from a pipe can make several pieces: if the pipe is filled meanwhile, if it has more than 16 parts, and before Linux 6.5 one
    /// for each part.
    const fn spliced(&mut self, cut: bool) {
        self.pieces = 2;
        self.cut = cut;
    }

    /// Sends the bytes that may wait. `at_once`: whether more follows that one plain write would have included.
    fn flush(&mut self, out_fd: BorrowedFd<'_>, at_once: bool) {
        if self.pieces == 2 && !self.refused {
            self.refused = cork::flush(out_fd, false, true).is_err();
        }
        self.pieces = if at_once { self.pieces.min(1) } else { 0 };
        self.cut = false;
    }
}
