//! Input that cannot be read twice: pipes, sockets, terminals, eventfds.

use crate::drive::Status;
use crate::errno::{Errno, Result};
use crate::fd::{AsFd, BorrowedFd};
use crate::iovec::IoSlice;

use crate::sys;
use crate::transfer::{Count, Error};

/// A copy from an input that cannot seek, which sendfile(2) refuses: by splice(2) where one of the two is a pipe, else
/// through a buffer.
///
/// What was read from such an input exists nowhere else. The copy therefore keeps its buffer for its whole life, and with it
/// what is read and not yet written: [`remainder`](Self::remainder). It is not `Clone`.
///
/// [`send_all`](Self::send_all) blocks, [`poll_send`](Self::poll_send) is for an event loop; headers and trailers are the
/// caller's to write before and after. A SIGPIPE is as for [`sendfile`](crate::sendfile), and
/// [`SigpipeGuard`](crate::SigpipeGuard) helps.
///
/// System calls: `splice`, `read`, `writev`. Linux 2.6.17 or later.
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
/// let mut buffer = [0; 4096];
/// let mut copy = StreamCopy::new(Count::ToEnd, &mut buffer);
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
#[derive(Debug)]
pub struct StreamCopy<'b> {
    count: Count,
    buffer: &'b mut [u8],
    /// The part of the buffer that is read and not written.
    start: usize,
    end: usize,
    spliced: u64,
    copied: u64,
    at_end: bool,
    /// splice serves this pair, or was not tried yet.
    splice: bool,
}

impl<'b> StreamCopy<'b> {
    /// The most bytes that one call moves.
    const CAP: usize = 2 << 20;

    /// So many bytes, or to the end, through `buffer` where splice(2) does not work. Its length is the size of the reads;
    /// with an empty one nothing is copied and splice's refusal is the error. (An eventfd wants to be read with 8 bytes, a
    /// signalfd with 128. Of a datagram, or a packet of a pipe with `O_DIRECT`, the kernel throws away what a read has no
    /// room for.)
    pub const fn new(count: Count, buffer: &'b mut [u8]) -> Self {
        Self { count, buffer, start: 0, end: 0, spliced: 0, copied: 0, at_end: false, splice: true }
    }

    /// Bytes written until now.
    pub const fn sent(&self) -> u64 {
        self.spliced + self.copied
    }

    /// Bytes of [`sent`](Self::sent) that splice(2) moved; the rest went through the buffer.
    pub const fn spliced(&self) -> u64 {
        self.spliced
    }

    /// What was read from the input and not yet written to the output. Write it elsewhere when the copy is given up.
    pub fn remainder(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or(&[])
    }

    /// Copies until the count is reached or the input ends, going on after `EINTR`: for blocking descriptors. It never polls.
    ///
    /// # Errors
    ///
    /// Those of splice(2), read(2) and writev(2), `EAGAIN` included; [`Error::Truncated`] if the input ended before the
    /// count; [`Error::WriteZero`]. Nothing is lost: call again to go on.
    pub fn send_all(&mut self, out_fd: impl AsFd, in_fd: impl AsFd) -> Result<(), Error> {
        match self.run(out_fd.as_fd(), in_fd.as_fd(), false)? {
            Status::Done => Ok(()),
            Status::Yielded | Status::OutFull | Status::InEmpty => Err(Error::Errno(Errno::EAGAIN)),
        }
    }

    /// Copies until the count is reached, the input ends, or it would block, and says on which side: for descriptors that
    /// are both nonblocking.
    ///
    /// # Errors
    ///
    /// Those of [`send_all`](Self::send_all); `EAGAIN` only if the buffer is empty, for splice(2) does not say on which side
    /// it would block. With a buffer, a read into it tells.
    pub fn poll_send(&mut self, out_fd: impl AsFd, in_fd: impl AsFd) -> Result<Status, Error> {
        self.run(out_fd.as_fd(), in_fd.as_fd(), true)
    }

    fn run(&mut self, out_fd: BorrowedFd<'_>, in_fd: BorrowedFd<'_>, nonblocking: bool) -> Result<Status, Error> {
        loop {
            match self.step(out_fd, in_fd, nonblocking) {
                Ok(None) | Err(Error::Errno(Errno::EINTR)) => {}
                Ok(Some(status)) => return Ok(status),
                Err(error) => return Err(error),
            }
        }
    }

    /// One call that moves something, if it can. What is in the buffer goes first, so that the order is kept.
    fn step(
        &mut self,
        out_fd: BorrowedFd<'_>,
        in_fd: BorrowedFd<'_>,
        nonblocking: bool,
    ) -> Result<Option<Status>, Error> {
        if self.start < self.end {
            return self.write(out_fd);
        }
        let left = match self.count {
            _ if self.at_end => return Ok(Some(Status::Done)),
            Count::Bytes(count) if count == self.sent() => return Ok(Some(Status::Done)),
            Count::Bytes(count) => count - self.sent(),
            Count::ToEnd => u64::MAX,
        };
        if self.splice {
            match sys::splice(in_fd, out_fd, left.min(Self::CAP as u64) as usize, nonblocking) {
                Ok(0) => return self.end_of_input(),
                Ok(moved) => {
                    self.spliced += moved as u64;
                    return Ok(None);
                }
                // Neither is a pipe, or one of them cannot splice.
                Err(Errno::EINVAL | Errno::ENOSYS | Errno::EPERM | Errno::EOPNOTSUPP) if !self.buffer.is_empty() => {
                    self.splice = false;
                }
                // On which side? A read into the buffer, and the write that follows it, will tell.
                Err(Errno::EAGAIN) if !self.buffer.is_empty() => {}
                Err(errno) => return Err(Error::Errno(errno)),
            }
        }
        let len = left.min(self.buffer.len() as u64) as usize;
        match sys::read(in_fd, self.buffer.get_mut(..len).unwrap_or(&mut [])) {
            Ok(0) => self.end_of_input(),
            Ok(read) => {
                (self.start, self.end) = (0, read);
                Ok(None)
            }
            Err(Errno::EAGAIN) => Ok(Some(Status::InEmpty)),
            Err(errno) => Err(Error::Errno(errno)),
        }
    }

    /// Writes what is in the buffer.
    fn write(&mut self, out_fd: BorrowedFd<'_>) -> Result<Option<Status>, Error> {
        match sys::writev(out_fd, &[IoSlice::new(self.remainder())]) {
            Ok(0) => Err(Error::WriteZero),
            Ok(written) => {
                self.start += written;
                self.copied += written as u64;
                Ok(None)
            }
            Err(Errno::EAGAIN) => Ok(Some(Status::OutFull)),
            Err(errno) => Err(Error::Errno(errno)),
        }
    }

    fn end_of_input(&mut self) -> Result<Option<Status>, Error> {
        if let Count::Bytes(count) = self.count {
            return Err(Error::Truncated { owed: count - self.sent() });
        }
        self.at_end = true;
        Ok(Some(Status::Done))
    }
}
