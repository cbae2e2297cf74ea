//! Input that cannot be read twice: pipes, sockets, terminals, eventfds.

use crate::drive::Status;
use crate::errno::{Errno, Result};
use crate::fd::{AsFd, BorrowedFd};
use crate::iovec::IoSlice;
use crate::sys::{self, SOCK_STREAM, cork};
use crate::transfer::{Count, Error};

#[cfg(any(target_os = "linux", target_os = "android"))]
mod pipe;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use pipe::PipeCopy;

/// The most bytes that one call moves, and what one nonblocking call moves unless told otherwise.
const CAP: usize = 2 << 20;
/// What a system call takes from the budget at least, however little it moved: 512 calls use up the usual one.
const PRICE: u64 = 4096;

/// A copy from an input that cannot seek, which sendfile(2) refuses: by splice(2) if one of the two is a pipe, else
/// through a buffer.
///
/// Bytes that were read from such an input exist nowhere else. The copy therefore owns its buffer, and with it the bytes that are read and
/// not yet written: [`remainder`](Self::remainder). It is not `Clone`. The buffer is an array, a `Vec`, a `Box<[u8]>` or, borrowed,
/// a `&mut [u8]`.
///
/// [`send_all`](Self::send_all) blocks, [`poll_send`](Self::poll_send) is for an event loop. The caller writes headers before the copy, and
/// trailers after it. Give each call the same two descriptors: the copy remembers what it learns about them.
/// From socket to socket nothing can be spliced without a pipe between them: `PipeCopy`, on Linux, owns one.
/// SIGPIPE can be raised as by [`sendfile`](crate::sendfile), and [`SigpipeGuard`](crate::SigpipeGuard) helps.
///
/// **The end of the input** is where read(2) returns 0. When splice(2) moves nothing from a stream socket, a read follows: at
/// out-of-band data, splice stops and a read goes on (and skips the urgent byte, unless `SO_OOBINLINE` is set). A message of no
/// bytes, as of a datagram socket, is not the end and is not passed on. Such a socket ends when the peer has hung up or it was shut
/// down, and nothing is left in it. (On FreeBSD and macOS an empty message is taken for the end.) A pipe in packet mode
/// (`O_DIRECT`) has no empty packets, and ends when nobody writes any more.
///
/// **Spliced pages are shared, not copied.** If a pipe was filled by splice(2), sendfile(2) or vmsplice(2), the pages of that file or
/// memory go on as they are. A later write to them can change what the receiver gets, as with [`sendfile`](crate::sendfile). What goes
/// through the buffer is copied.
///
/// **The flush promise** holds for an output that is TCP: when a call returns, no byte waits in the kernel for longer than after
/// one plain write of the same bytes. After [`Status::OutFull`] nothing is flushed, because a full queue sends by itself.
///
/// System calls: `splice`, `read`, `writev`; `ppoll` if a nonblocking splice would block; `getsockopt` and
/// `fcntl` if nothing came, and `ppoll` and `ioctl` if the input is a socket of messages; `getsockopt` and `setsockopt` for the flush,
/// tried only once if the output is not TCP. Linux 2.6.17 or later; before, everything is copied.
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
    /// The part of the buffer that is read and not written.
    start: usize,
    end: usize,
    /// The same of a byte that was read where there is no buffer.
    byte: Option<u8>,
    spliced: u64,
    copied: u64,
    at_end: bool,
    /// splice serves this pair, or was not tried yet.
    splice: bool,
    tail: Tail,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> StreamCopy<B> {
    /// Makes a copy of so many bytes, or to the end, through `buffer` if splice(2) does not work. Its length is the size of the reads.
    ///
    /// With an empty buffer nothing is copied and splice's refusal is the error. Only behind out-of-band data one byte is: into
    /// a place that the copy has for it.
    ///
    /// An eventfd wants to be read with 8 bytes, a signalfd with 128. Of a datagram, or a packet of a pipe with `O_DIRECT`, the
    /// kernel throws away what a read has no room for.
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
            tail: Tail::new(),
        }
    }

    /// Limits each [`poll_send`](Self::poll_send) to so many bytes (0 counts as 1), 2 MiB unless told otherwise. A system call
    /// that moves less than 4096 bytes counts as so many: tiny pieces hold a thread no longer than large ones.
    #[must_use]
    pub const fn with_budget(mut self, bytes: usize) -> Self {
        self.budget = if bytes == 0 { 1 } else { bytes };
        self
    }

    /// Returns the bytes written until now.
    pub const fn sent(&self) -> u64 {
        self.spliced + self.copied
    }

    /// Returns how many bytes of [`sent`](Self::sent) splice(2) moved; the rest went through the buffer.
    pub const fn spliced(&self) -> u64 {
        self.spliced
    }

    /// Returns the bytes that were read from the input and not yet written to the output. Write them elsewhere when you give the copy up.
    pub fn remainder(&self) -> &[u8] {
        match &self.byte {
            Some(byte) => core::slice::from_ref(byte),
            None => self.buffer.as_ref().get(self.start..self.end).unwrap_or(&[]),
        }
    }

    /// Copies until the count is reached or the input ends, and goes on after `EINTR`: for blocking descriptors. It never waits in poll.
    ///
    /// # Errors
    ///
    /// Those of splice(2), read(2) and writev(2), `EAGAIN` included, so that `SO_RCVTIMEO` and `SO_SNDTIMEO` work;
    /// [`Error::Truncated`] if the input ended before the count; [`Error::WriteZero`]; [`Error::Unasked`] if a call claims to have
    /// moved more than it was asked to, of which only so much is counted. Nothing is lost: call again to go on.
    pub fn send_all(&mut self, out_fd: impl AsFd, in_fd: impl AsFd) -> Result<(), Error> {
        loop {
            match self.run(out_fd.as_fd(), in_fd.as_fd(), false, u64::MAX)? {
                Status::Done => return Ok(()),
                Status::Yielded => {}
                Status::OutFull | Status::InEmpty => return Err(Error::Errno(Errno::EAGAIN)),
            }
        }
    }

    /// Copies until the count is reached, the input ends, the budget is used up, or it would block, and returns which of them it was. Both
    /// descriptors have to be nonblocking.
    ///
    /// splice(2) does not say on which side it would block: ppoll(2) does, without reading.
    ///
    /// # Errors
    ///
    /// Those of [`send_all`](Self::send_all); `EAGAIN` only if a filter refuses ppoll and the buffer is empty. (With a buffer, a
    /// read into it tells.) `EFAULT` if the buffer has become shorter than what was read into it.
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
            let before = self.sent();
            match self.step(out_fd, in_fd, nonblocking, budget) {
                Ok(None) | Err(Error::Errno(Errno::EINTR)) => {}
                Ok(Some(status)) => break Ok(status),
                Err(error) => break Err(error),
            }
            budget = budget.saturating_sub(price(self.sent() - before, self.holds()));
        };
        if outcome != Ok(Status::OutFull) {
            self.tail.flush(out_fd, outcome == Ok(Status::Yielded));
        }
        outcome
    }

    /// Whether something is read and not written.
    const fn holds(&self) -> bool {
        self.start < self.end || self.byte.is_some()
    }

    fn is_done(&self) -> bool {
        !self.holds() && (self.at_end || self.left() == 0)
    }

    /// What is to be read yet.
    const fn left(&self) -> u64 {
        match self.count {
            Count::Bytes(count) => count.saturating_sub(self.sent()),
            Count::ToEnd => u64::MAX,
        }
    }

    /// One call that moves something, `limit` bytes at the most, if it can. What is in the buffer goes first, so that the order
    /// is kept.
    fn step(
        &mut self,
        out_fd: BorrowedFd<'_>,
        in_fd: BorrowedFd<'_>,
        nonblocking: bool,
        limit: u64,
    ) -> Result<Option<Status>, Error> {
        if self.holds() {
            return self.write(out_fd, limit);
        }
        if self.is_done() {
            return Ok(Some(Status::Done));
        }
        let limit = limit.min(self.left()).min(CAP as u64) as usize;
        let mut second = false;
        while self.splice {
            match sys::splice(in_fd, out_fd, limit, nonblocking) {
                Ok(0) => return self.nothing_spliced(in_fd, limit),
                Ok(moved) => {
                    self.tail.spliced();
                    self.spliced += moved.min(limit) as u64;
                    return asked(moved, limit);
                }
                // Neither is a pipe, or one of them cannot splice.
                Err(Errno::EINVAL | Errno::ENOSYS | Errno::EPERM | Errno::EOPNOTSUPP) if self.copies() => {
                    self.splice = false;
                }
                Err(Errno::EAGAIN) if nonblocking => match sys::ready(in_fd, out_fd) {
                    Ok((_, false)) => return Ok(Some(Status::OutFull)),
                    Ok((false, true)) => return Ok(Some(Status::InEmpty)),
                    // It came in between.
                    Ok((true, true)) if !second => second = true,
                    Ok((true, true)) => return self.stuck(in_fd, limit),
                    Err(_) if self.copies() => break,
                    Err(_) => return Err(Error::Errno(Errno::EAGAIN)),
                },
                Err(errno) => return Err(Error::Errno(errno)),
            }
        }
        self.read(in_fd, limit)
    }

    /// Whether the caller has given a buffer to copy through.
    fn copies(&mut self) -> bool {
        !self.buffer.as_mut().is_empty()
    }

    /// Reads into the buffer; without one, a single byte.
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

    /// splice moved nothing. A read tells the end of a stream socket, where splice stops at out-of-band data, and of a pipe, whose
    /// output may have taken nothing. Elsewhere a second look would pass the end: a terminal tells it once.
    fn nothing_spliced(&mut self, in_fd: BorrowedFd<'_>, limit: usize) -> Result<Option<Status>, Error> {
        match sys::socket_type(in_fd) {
            Err(Errno::ENOTSOCK) if !sys::is_pipe(in_fd) => self.end_of_input(),
            Ok(SOCK_STREAM) | Err(_) => self.read(in_fd, limit),
            Ok(_) => self.empty_message(in_fd),
        }
    }

    /// splice would block though both sides are ready: at out-of-band data, which a read passes.
    fn stuck(&mut self, in_fd: BorrowedFd<'_>, limit: usize) -> Result<Option<Status>, Error> {
        match sys::socket_type(in_fd) {
            _ if self.copies() => self.read(in_fd, limit),
            Ok(SOCK_STREAM) => self.read(in_fd, limit),
            Ok(_) if is_at_end(in_fd) => self.end_of_input(),
            _ => Ok(Some(Status::Yielded)),
        }
    }

    /// A read found nothing: that is the end, or a message of no bytes.
    fn nothing_read(&mut self, in_fd: BorrowedFd<'_>) -> Result<Option<Status>, Error> {
        match sys::socket_type(in_fd) {
            Ok(SOCK_STREAM) | Err(_) => self.end_of_input(),
            Ok(_) => self.empty_message(in_fd),
        }
    }

    fn empty_message(&mut self, in_fd: BorrowedFd<'_>) -> Result<Option<Status>, Error> {
        if is_at_end(in_fd) { self.end_of_input() } else { Ok(None) }
    }

    /// Writes what is in the buffer.
    fn write(&mut self, out_fd: BorrowedFd<'_>, limit: u64) -> Result<Option<Status>, Error> {
        let remainder = self.remainder();
        let limit = limit.min(remainder.len() as u64) as usize;
        // The buffer may be of a type that gives another one each time.
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

/// What a step takes from the budget. The write that follows a read pays for both.
fn price(moved: u64, holds: bool) -> u64 {
    if moved == 0 && holds { 0 } else { moved.max(PRICE) }
}

/// Whether no message can follow in a socket of messages: the peer has hung up, or it was shut down, and nothing is left in it.
fn is_at_end(in_fd: BorrowedFd<'_>) -> bool {
    sys::hung_up(in_fd).unwrap_or(true) && sys::unread(in_fd).unwrap_or(0) == 0
}

/// No kernel moves more than it was asked to, but who answers in its place may say so. (What was asked for is counted.)
fn asked(moved: usize, limit: usize) -> Result<Option<Status>, Error> {
    if moved > limit { Err(Error::Unasked) } else { Ok(None) }
}

/// What may wait in an output that may be TCP: the end of what was sent, behind a short segment that is on its way.
#[derive(Clone, Copy, Debug)]
struct Tail {
    /// Pieces sent of what one plain write could have sent, two at the most.
    pieces: u8,
    /// The output is not TCP.
    refused: bool,
}

impl Tail {
    const fn new() -> Self {
        Self { pieces: 0, refused: false }
    }

    const fn written(&mut self) {
        self.pieces = if self.pieces == 0 { 1 } else { 2 };
    }

    /// The kernel makes several pieces of a splice from a pipe when the pipe is filled meanwhile, or has more than 16 parts: before
    /// Linux 6.5 one of each part.
    const fn spliced(&mut self) {
        self.pieces = 2;
    }

    /// Sends what may wait. What follows `at_once` would have been in the same write.
    fn flush(&mut self, out_fd: BorrowedFd<'_>, at_once: bool) {
        if self.pieces == 2 && !self.refused {
            self.refused = cork::flush(out_fd, false, true).is_err();
        }
        self.pieces = if at_once { self.pieces.min(1) } else { 0 };
    }
}
