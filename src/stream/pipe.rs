//! A copy from socket to socket without a buffer: through a pipe.

use super::{CAP, StreamCopy, price};
use crate::drive::Status;
use crate::errno::{Errno, Result};
use crate::fd::{AsFd, BorrowedFd, OwnedFd};
use crate::sys;
use crate::transfer::{Count, Error};

/// A [`StreamCopy`] by splice(2) between two descriptors of which neither is a pipe, such as two sockets: through a pipe that it
/// owns. Nothing is copied through user space. Linux alone.
///
/// Bytes that have left the input and not reached the output are in the pipe: [`remainder`](Self::remainder) returns how many, and
/// [`read_remainder`](Self::read_remainder) takes them out when you give the copy up. Dropping the copy loses them.
///
/// The pipe is filled only when it is empty. The input's end, the flush promise, the budget, SIGPIPE, and the rule of the same two
/// descriptors are as those of [`StreamCopy`]. An output that appends, or an input that cannot splice, is an error (`EINVAL`):
/// [`StreamCopy`] has a buffer for them.
///
/// System calls: those of [`StreamCopy`]; `pipe2` to make one, and `close` on drop. Linux 2.6.27 or later.
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
    /// Bytes that were taken out of the pipe otherwise.
    taken: u64,
    budget: usize,
    reader: OwnedFd,
    writer: OwnedFd,
}

impl PipeCopy {
    /// Makes a copy of so many bytes, or to the end, through a new pipe.
    ///
    /// # Errors
    ///
    /// Those of pipe2(2): `EMFILE`, `ENFILE`.
    pub fn new(count: Count) -> Result<Self> {
        let (reader, writer) = sys::pipe()?;
        let (fill, drain) = (StreamCopy::new(count, []), StreamCopy::new(Count::ToEnd, []));
        Ok(Self { fill, drain, taken: 0, budget: CAP, reader, writer })
    }

    /// Limits each [`poll_send`](Self::poll_send), as [`StreamCopy::with_budget`] does.
    #[must_use]
    pub const fn with_budget(mut self, bytes: usize) -> Self {
        self.budget = if bytes == 0 { 1 } else { bytes };
        self
    }

    /// Returns the bytes written to the output until now.
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

    /// Takes the next bytes of the [`remainder`](Self::remainder) out of the copy, to be written elsewhere; 0 if there are none,
    /// or no room for one.
    ///
    /// System calls: `read`, none if it is empty.
    ///
    /// # Errors
    ///
    /// Those of read(2).
    pub fn read_remainder(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let Some(first) = buffer.first_mut() else { return Ok(0) };
        // A byte that came out of the pipe and was not written, or did not get into it.
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

    /// Copies as [`StreamCopy::send_all`] does, for blocking descriptors.
    ///
    /// # Errors
    ///
    /// Those of [`StreamCopy::send_all`], and of splice(2) if it refuses the input or the output. Nothing is lost: call again to go on.
    pub fn send_all(&mut self, out_fd: impl AsFd, in_fd: impl AsFd) -> Result<(), Error> {
        loop {
            match self.run(out_fd.as_fd(), in_fd.as_fd(), false, u64::MAX)? {
                Status::Done => return Ok(()),
                Status::Yielded => {}
                Status::OutFull | Status::InEmpty => return Err(Error::Errno(Errno::EAGAIN)),
            }
        }
    }

    /// Copies as [`StreamCopy::poll_send`] does, for nonblocking descriptors.
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
        let outcome = loop {
            let in_pipe = self.in_pipe();
            if budget == 0 && !(in_pipe == 0 && self.fill.is_done()) {
                break Ok(Status::Yielded);
            }
            let before = self.sent();
            let (outcome, blocked) = if in_pipe > 0 {
                let limit = budget.min(in_pipe);
                (self.drain.step(out_fd, self.reader.as_fd(), nonblocking, limit), Status::OutFull)
            } else {
                (self.fill.step(self.writer.as_fd(), in_fd, nonblocking, budget), Status::InEmpty)
            };
            match outcome {
                Ok(None) | Err(Error::Errno(Errno::EINTR)) => {}
                Ok(Some(status)) => break Ok(status),
                // Only a filter keeps it from being told; but what the pipe holds is known.
                Err(Error::Errno(Errno::EAGAIN)) if nonblocking => break Ok(blocked),
                Err(error) => break Err(error),
            }
            budget = budget.saturating_sub(price(self.sent() - before, self.remainder() > 0));
        };
        if outcome != Ok(Status::OutFull) {
            self.drain.tail.flush(out_fd, outcome == Ok(Status::Yielded));
        }
        outcome
    }
}
