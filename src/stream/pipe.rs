//! A copy from socket to socket through a pipe, without a buffer.

use super::{CAP, StreamCopy, piece, price};
use crate::drive::Status;
use crate::errno::{Errno, Result};
use crate::fd::{AsFd, BorrowedFd, OwnedFd};
use crate::sys;
use crate::transfer::{Count, Error};

/// A [`StreamCopy`] between two descriptors that are not pipes, such as two sockets. It uses splice(2) through a pipe that it owns, so
/// nothing is copied through user space. Linux only.
///
/// The pipe holds the bytes that have left the input and not reached the output. [`remainder`](Self::remainder) returns how many. Before
/// you give up the copy, take them out with [`read_remainder`](Self::read_remainder). Dropping the copy loses them.
///
/// The pipe is filled only when it is empty. The input's end, the flush promise, the budget, SIGPIPE, and the rule about the same two
/// descriptors are those of [`StreamCopy`]. If the output appends, or the input cannot splice, the error is `EINVAL`. Use
/// [`StreamCopy`] with a buffer then.
///
/// System calls: those of [`StreamCopy`]; `pipe2` in `new`, and `close` on drop. Linux 2.6.27 or later.
///
/// ```
/// # #[cfg(feature = "std")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use bare_sendfile::{Count, PipeCopy};
/// # use std::io::{Read, Write};
/// # use std::os::unix::net::UnixStream;
/// # let ((client, mut a), (backend, mut b)) = (UnixStream::pair()?, UnixStream::pair()?);
/// # a.write_all(b"hello")?;
/// # drop(a);
/// let mut copy = PipeCopy::new(Count::ToEnd)?;
/// copy.send_all(&backend, &client)?;
/// assert_eq!((copy.sent(), copy.remainder()), (5, 0));
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "std"))]
/// # fn main() {}
/// ```
///
/// # References
/// - [splice(2)](https://man7.org/linux/man-pages/man2/splice.2.html)
/// - [pipe2(2)](https://man7.org/linux/man-pages/man2/pipe.2.html)
#[derive(Debug)]
pub struct PipeCopy {
    /// From the input to the pipe.
    fill: StreamCopy<[u8; 0]>,
    /// From the pipe to the output.
    drain: StreamCopy<[u8; 0]>,
    /// Bytes that `read_remainder` has taken out.
    taken: u64,
    /// The most bytes of one splice to the output, if that is known.
    piece: Option<usize>,
    budget: usize,
    reader: OwnedFd,
    writer: OwnedFd,
}

impl PipeCopy {
    /// Makes a copy of `count` bytes, through a new pipe.
    ///
    /// # Errors
    ///
    /// Those of pipe2(2): `EMFILE`, `ENFILE`.
    pub fn new(count: Count) -> Result<Self> {
        let (reader, writer) = sys::pipe()?;
        let (mut fill, mut drain) = (StreamCopy::new(count, []), StreamCopy::new(Count::ToEnd, []));
        drain.keeps = Some(true);
        // Each splice to the output is limited to what is in the pipe, anyway.
        (fill.exact, drain.exact) = (Some(None), Some(None));
        Ok(Self { fill, drain, piece: None, taken: 0, budget: CAP, reader, writer })
    }

    /// Sets the budget of [`poll_send`](Self::poll_send), like [`StreamCopy::with_budget`].
    #[must_use]
    pub const fn with_budget(mut self, bytes: usize) -> Self {
        self.budget = if bytes == 0 { 1 } else { bytes };
        self
    }

    /// Returns the bytes written to the output so far.
    pub const fn sent(&self) -> u64 {
        self.drain.sent()
    }

    /// Returns how many bytes have left the input and are neither in the output nor taken out.
    pub fn remainder(&self) -> u64 {
        self.in_pipe() + self.fill.remainder().len() as u64
    }

    const fn in_pipe(&self) -> u64 {
        self.fill.sent().saturating_sub(self.drain.sent()).saturating_sub(self.taken)
    }

    /// Takes the next bytes of the [`remainder`](Self::remainder) out of the copy, and returns how many. It returns 0 if there are none,
    /// or if `buffer` is empty.
    ///
    /// System calls: `read`, or none if the remainder is empty.
    ///
    /// # Errors
    ///
    /// Those of read(2).
    pub fn read_remainder(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let Some(first) = buffer.first_mut() else { return Ok(0) };
        // This byte was read from the pipe and not written, or read from the input and not put into the pipe.
        let in_pipe = self.in_pipe();
        let byte = if in_pipe > 0 { self.drain.byte.take() } else { self.fill.byte.take() };
        if let Some(byte) = byte {
            *first = byte;
            if in_pipe == 0 {
                self.fill.copied += 1;
            }
            self.taken += 1;
            return Ok(1);
        }
        if in_pipe == 0 {
            return Ok(0);
        }
        let limit = in_pipe.min(buffer.len() as u64) as usize;
        let read = sys::read(self.reader.as_fd(), buffer.get_mut(..limit).unwrap_or(&mut []))?.min(limit);
        self.taken += read as u64;
        Ok(read)
    }

    /// Copies like [`StreamCopy::send_all`], on blocking descriptors.
    ///
    /// # Errors
    ///
    /// Those of [`StreamCopy::send_all`], and those of splice(2) if it refuses the input or the output. Nothing is lost. Call again to go on.
    pub fn send_all(&mut self, out_fd: impl AsFd, in_fd: impl AsFd) -> Result<(), Error> {
        loop {
            match self.run(out_fd.as_fd(), in_fd.as_fd(), false, u64::MAX)? {
                Status::Done => return Ok(()),
                Status::Yielded => {}
                Status::OutFull | Status::InEmpty => return Err(Error::Errno(Errno::EAGAIN)),
            }
        }
    }

    /// Copies like [`StreamCopy::poll_send`], on nonblocking descriptors.
    ///
    /// # Errors
    ///
    /// Those of [`send_all`](Self::send_all), without `EAGAIN`.
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
        // While the pipe holds bytes, a step drains it. Only draining counts for the budget and the flush.
        let outcome = loop {
            let in_pipe = self.in_pipe();
            if budget == 0 && !(in_pipe == 0 && self.fill.is_done()) {
                break Ok(Status::Yielded);
            }
            let (before, held) = (self.sent(), self.remainder() > 0);
            let (outcome, blocked) = if in_pipe > 0 {
                let piece = *self.piece.get_or_insert_with(|| piece(out_fd).unwrap_or(usize::MAX));
                let limit = budget.min(in_pipe).min(piece as u64);
                (self.drain.step(out_fd, self.reader.as_fd(), nonblocking, limit), Status::OutFull)
            } else {
                // As much as the pipe takes.
                (self.fill.step(self.writer.as_fd(), in_fd, nonblocking, u64::MAX), Status::InEmpty)
            };
            match outcome {
                Ok(None) | Err(Error::Errno(Errno::EINTR)) => {}
                Ok(Some(status)) => break Ok(status),
                // A filter refuses ppoll. The pipe's content still decides which side would block.
                Err(Error::Errno(Errno::EAGAIN)) if nonblocking => break Ok(blocked),
                Err(error) => break Err(error),
            }
            budget = budget.saturating_sub(price(self.sent() - before, !held && self.remainder() > 0));
        };
        if outcome != Ok(Status::OutFull) || self.drain.tail.cut {
            self.drain.tail.flush(out_fd, outcome == Ok(Status::Yielded));
        }
        outcome
    }
}
