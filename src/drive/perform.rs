//! Performs single steps on real files.

use crate::errno::{Errno, Result};
use crate::fd::{AsFd, BorrowedFd};
use crate::iovec::IoSlice;
use crate::sys::{self, cork};
use crate::transfer::{Error, Moved, Output, Step, Transfer};

impl Output {
    /// Asks the kernel for the kind of this output.
    ///
    /// System calls: `getsockopt`, once for plain TCP, up to three times for others (`TCP_ULP`, `SO_TYPE`, `SO_PROTOCOL`).
    ///
    /// # Errors
    ///
    /// `EBADF`, and those of a seccomp filter.
    ///
    /// # References
    /// - [Linux include/uapi/linux/tcp.h](https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/include/uapi/linux/tcp.h),
    ///   `TCP_ULP`
    /// - [socket(7)](https://man7.org/linux/man-pages/man7/socket.7.html), `SO_TYPE`, `SO_PROTOCOL`
    pub fn of(out_fd: impl AsFd) -> Result<Self> {
        let out_fd = out_fd.as_fd();
        match sys::tcp_ulp(out_fd) {
            Ok(sys::NO_ULP) => return Ok(Self::Tcp),
            Ok(sys::ULP_MPTCP) => return Ok(Self::Mptcp),
            Ok(_) => return Ok(Self::Layered),
            Err(Errno::ENOTSOCK) => return Ok(Self::NotSocket),
            Err(_) => {} // not TCP, or a kernel before 4.13, which has no kTLS
        }
        match sys::socket_type(out_fd) {
            Ok(sys::SOCK_STREAM) => {}
            Ok(kind) => return Ok(Self::NotAStream(kind as u32)),
            Err(Errno::ENOTSOCK) => return Ok(Self::NotSocket),
            Err(errno) => return Err(errno),
        }
        Ok(match sys::socket_protocol(out_fd)? {
            sys::IPPROTO_TCP => Self::Tcp,
            sys::IPPROTO_MPTCP => Self::Mptcp,
            0 => Self::Stream,
            _ => Self::Layered,
        })
    }
}

impl Transfer {
    /// Performs a step, and reports its result to [`complete`](Self::complete) or [`identified`](Self::identified). `buffer` has the
    /// length that [`next_step`](Self::next_step) was given as `lent`. Perform a step once only. After an error, even `EINTR`, call `next_step`
    /// again. `EAGAIN` can come from the output or from the input, and `perform` does not report from which.
    /// [`poll_send`](Self::poll_send) does, if the call that failed was a read. If it was sendfile, the kernel does not report the side.
    ///
    /// System calls: the one that [`Step`] names, except for these:
    ///
    /// - `Identify`: see [`Output::of`].
    /// - `Size` and `AtEnd` at the file's position: `lseek` as well.
    /// - `Cork` and `Flush`: `getsockopt` and `setsockopt` as needed; on FreeBSD `ioctl` as well.
    /// - `Copy` and `Gather`: `pread64` and a write. If the read of `Copy` fails with `EINVAL`, `perform` reads whole blocks instead: first of
    ///   512 bytes, then of 4096. At the file's position `Copy` also makes two `lseek` calls, or three if the write is short.
    ///
    /// # Errors
    ///
    /// Those of [`complete`](Self::complete) and [`identified`](Self::identified), and these:
    ///
    /// - If the step is not the pending one, [`Error::Unasked`](crate::Error::Unasked), before any system call.
    /// - If a write of `Copy` or `Gather` returns 0, or one of its calls reports more bytes than it was asked for, the error is `EIO`.
    /// - If the file's position does not move, `Copy` fails with `ESPIPE` before anything is written.
    /// - On FreeBSD, if a file cannot be read, a later call fails with `EPIPE`. So after `EPIPE`, `perform` asks the socket for `SO_ERROR`, and
    ///   returns that error if there is one: `EIO` for the file, or `ECONNRESET` if the peer has reset the connection.
    pub fn perform(
        &mut self,
        step: &Step<'_>,
        out_fd: impl AsFd,
        in_fd: impl AsFd,
        buffer: &mut [u8],
    ) -> Result<(), Error> {
        self.perform_with(step, out_fd.as_fd(), in_fd.as_fd(), buffer, 0).map_err(|stop| stop.error)
    }

    /// Like `perform`, compiled only once. `flags` are for kernels that accept them.
    pub(super) fn perform_with(
        &mut self,
        step: &Step<'_>,
        out_fd: BorrowedFd<'_>,
        in_fd: BorrowedFd<'_>,
        buffer: &mut [u8],
        flags: u32,
    ) -> Result<(), Stop> {
        if !self.awaits(step) {
            return Err(Error::Unasked.into());
        }
        let mut in_empty = false;
        let result = match *step {
            Step::Identify => self.identified(Output::of(out_fd)),
            Step::Done => Ok(()),
            Step::Flush { uncork, push } => self.complete(cork::flush(out_fd, uncork, push)),
            Step::Cork => self.complete(cork::cork(out_fd, self.left())),
            Step::Size { offset } => self.complete(size(in_fd, offset)),
            Step::AtEnd { offset } => {
                let read = read_byte(in_fd, offset);
                in_empty = read == Err(Errno::EAGAIN);
                self.complete(read)
            }
            Step::SendFile { offset, count } => {
                self.complete(moved(sys::send(out_fd, in_fd, offset, count, &[], flags)))
            }
            Step::SendFileHdtr { headers, offset, count } => {
                self.complete(moved(sys::send(out_fd, in_fd, Some(offset), count, headers.as_slice(), flags)))
            }
            Step::Write { slices, more, socket } => self.complete(write(out_fd, slices.as_slice(), more, socket)),
            Step::Copy { offset, count, more, if_full, socket } => {
                let (bytes, seeks) = match offset {
                    Some(offset) => (read_at(in_fd, buffer, count, offset, &mut in_empty), false),
                    None => (read_at_position(in_fd, buffer, count, &mut in_empty), true),
                };
                self.complete(match bytes {
                    Err(errno) => Err(errno).into(),
                    Ok(bytes) => {
                        let written = write_some(out_fd, bytes, more && (!if_full || bytes.len() == count), socket);
                        if seeks { seek_back(in_fd, bytes.len(), written) } else { written }
                    }
                })
            }
            Step::Gather { headers, sent, offset, count, trailers, more, socket } => {
                let gathered = gather(buffer, headers, sent, in_fd, offset, count, trailers);
                in_empty = gathered.as_ref().err() == Some(&Errno::EAGAIN);
                self.complete(match gathered {
                    Ok((bytes, all)) => write_some(out_fd, bytes, more && all, socket),
                    Err(errno) => Err(errno).into(),
                })
            }
        };
        result.map_err(|error| match error {
            Error::Errno(errno) => Stop { error: Error::Errno(sys::pending_error(errno, out_fd)), in_empty },
            error => Stop { error, in_empty },
        })
    }
}

/// Why a step stopped the loop.
pub(super) struct Stop {
    pub(super) error: Error,
    /// Whether an `EAGAIN` is about the input.
    pub(super) in_empty: bool,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self { error, in_empty: false }
    }
}

/// Performs the flush of a transfer, if one is owed. `full`: whether the output is full.
pub(super) fn flush(transfer: &mut Transfer, full: bool, out_fd: BorrowedFd<'_>) {
    let step = if full { transfer.flush_full() } else { transfer.flush() };
    if let Some(Step::Flush { uncork, push }) = step {
        // If a flush fails, the output is not TCP, or gone, and nothing is left to flush. The transfer learns it from `complete`.
        let _ = transfer.complete(cork::flush(out_fd, uncork, push));
    }
}

fn moved((bytes, error): (usize, Option<Errno>)) -> Moved {
    Moved { bytes, error }
}

/// Returns how many bytes the file reports from `offset` on.
fn size(in_fd: BorrowedFd<'_>, offset: Option<u64>) -> Result<usize> {
    let size = sys::file_size(in_fd)?;
    Ok(size.saturating_sub(position(in_fd, offset)?).try_into().unwrap_or(usize::MAX))
}

/// Reads a byte and discards it. Returns 1 if there was one.
pub(super) fn read_byte(in_fd: BorrowedFd<'_>, offset: Option<u64>) -> Result<usize> {
    pread(in_fd, &mut [0], position(in_fd, offset)?)
}

fn position(in_fd: BorrowedFd<'_>, offset: Option<u64>) -> Result<u64> {
    offset.map_or_else(|| sys::seek_by(in_fd, 0), Ok)
}

/// Moves the file's position back by the bytes that were read and not written.
fn seek_back(in_fd: BorrowedFd<'_>, read: usize, written: Moved) -> Moved {
    if written.bytes == read {
        return written;
    }
    match sys::seek_by(in_fd, written.bytes.wrapping_sub(read) as isize) {
        Ok(_) => written,
        Err(stuck) => Moved { error: Some(stuck), ..written },
    }
}

/// Reads at the file's position, and advances the position before anything is written. If that fails, no bytes were sent that would be read
/// again.
fn read_at_position<'a>(
    in_fd: BorrowedFd<'_>,
    buffer: &'a mut [u8],
    count: usize,
    in_empty: &mut bool,
) -> Result<&'a [u8]> {
    let at = sys::seek_by(in_fd, 0)?;
    let bytes = read_at(in_fd, buffer, count, at, in_empty)?;
    // Some devices accept the seek and do not move.
    if !bytes.is_empty() && sys::seek_by(in_fd, bytes.len() as isize)? == at {
        return Err(Errno::ESPIPE);
    }
    Ok(bytes)
}

/// pread(2). Fails with `EIO` if it reports more bytes than it was asked for (a seccomp notifier can), because the buffer's content is then
/// unknown.
fn pread(in_fd: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> Result<usize> {
    match sys::pread(in_fd, buffer, offset)? {
        read if read > buffer.len() => Err(Errno::EIO),
        read => Ok(read),
    }
}

/// Reads up to `count` bytes into the lent buffer. A file that was opened with `O_DIRECT`, or a raw disk, needs reads of whole blocks. So if
/// the read fails with `EINVAL`, it is repeated from the start of a block, for as many blocks as fit in the buffer.
fn read_at<'a>(
    in_fd: BorrowedFd<'_>,
    buffer: &'a mut [u8],
    count: usize,
    offset: u64,
    in_empty: &mut bool,
) -> Result<&'a [u8]> {
    let refused = match pread(in_fd, buffer.get_mut(..count).ok_or(Errno::EFAULT)?, offset) {
        Ok(read) => return Ok(buffer.get(..read).unwrap_or(&[])),
        Err(errno) => errno,
    };
    *in_empty = refused == Errno::EAGAIN;
    if refused != Errno::EINVAL {
        return Err(refused);
    }
    // Most devices have the smaller block, some need the larger one.
    for block in [512, 4096] {
        let into_block = (offset % block as u64) as usize;
        let start = buffer.as_ptr().align_offset(block).min(buffer.len());
        let len = (buffer.len() - start) / block * block;
        if len <= into_block {
            break;
        }
        match pread(in_fd, buffer.get_mut(start..start + len).unwrap_or(&mut []), offset - into_block as u64) {
            Ok(read) => {
                let bytes = buffer.get(start + into_block..start + read).unwrap_or(&[]);
                return Ok(bytes.get(..count).unwrap_or(bytes));
            }
            Err(Errno::EINVAL) => {}
            Err(errno) => {
                *in_empty = errno == Errno::EAGAIN;
                return Err(errno);
            }
        }
    }
    Err(refused)
}

/// Gathers the bytes of one write in the lent buffer. Returns them, and whether the file had its whole range. If it had not, the trailers are
/// left out.
fn gather<'a>(
    buffer: &'a mut [u8],
    headers: &[IoSlice<'_>],
    sent: u64,
    in_fd: BorrowedFd<'_>,
    offset: u64,
    count: usize,
    trailers: &[IoSlice<'_>],
) -> Result<(&'a [u8], bool)> {
    let len = fill(buffer, 0, headers, sent)?;
    let end = len.saturating_add(count);
    let read = pread(in_fd, buffer.get_mut(len..end).ok_or(Errno::EFAULT)?, offset)?;
    let all = read == count;
    let len = if all { fill(buffer, end, trailers, 0)? } else { len + read };
    Ok((buffer.get(..len).unwrap_or(&[]), all))
}

/// Writes, and returns 0 only if there is nothing to write. If the write reports more bytes than it was given, only those are counted, with
/// `EIO`.
fn write_some(out_fd: BorrowedFd<'_>, bytes: &[u8], more: bool, socket: bool) -> Moved {
    if bytes.is_empty() {
        return Moved::default();
    }
    match write(out_fd, &[IoSlice::new(bytes)], more, socket) {
        Ok(0) => Err(Errno::EIO).into(),
        Ok(written) if written > bytes.len() => Moved { bytes: bytes.len(), error: Some(Errno::EIO) },
        result => result.into(),
    }
}

fn write(out_fd: BorrowedFd<'_>, slices: &[IoSlice<'_>], more: bool, socket: bool) -> Result<usize> {
    if socket { sys::sendmsg(out_fd, slices, more) } else { sys::writev(out_fd, slices) }
}

/// Copies the slices, without their first `sent` bytes, into the buffer from `at` on. Returns the end. Fails with `EFAULT` if they do not
/// fit, because the buffer is then smaller than the one that was lent, and if a slice from C has a null pointer and yet a length.
fn fill(buffer: &mut [u8], mut at: usize, slices: &[IoSlice<'_>], mut sent: u64) -> Result<usize> {
    for slice in slices {
        if slice.as_slice().len() != slice.len() {
            return Err(Errno::EFAULT);
        }
        let gone = sent.min(slice.len() as u64);
        sent -= gone;
        let rest = slice.get(gone as usize..).unwrap_or(&[]);
        let room = buffer.get_mut(at..).and_then(|room| room.get_mut(..rest.len())).ok_or(Errno::EFAULT)?;
        room.copy_from_slice(rest);
        at += rest.len();
    }
    Ok(at)
}
