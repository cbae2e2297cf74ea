//! The first form: one call, one system call.

use crate::errno::{Errno, Result};
use crate::fd::{AsFd, RawFd};
use crate::sys;

/// `sendfile(out, in, offset, count)`: copies up to `count` bytes from `in_fd` to `out_fd` inside the kernel.
///
/// Returns the number of bytes sent, 0 at the end of the file. It may be less than `count`: at the end of the file, when a
/// pipe or socket is full, after a signal, and above 0x7ffff000 bytes always.
///
/// - With an `offset`, reading starts there (in bytes from the start of the file), the variable is advanced by the bytes
///   sent, and the position of `in_fd` is neither used nor changed.
/// - With `None`, reading starts at the current position of `in_fd`, which is advanced; on an error it is unchanged.
///
/// It is exactly one system call with the arguments as they are: no retry after `EINTR`, no loop, no fallback. For those see
/// [`sendfile_all`](crate::sendfile_all), which sends all of it; for headers and trailers [`sendfile_hdtr`](crate::sendfile_hdtr) and
/// [`Transfer`](crate::Transfer).
///
/// **The pages are shared, not copied.** What is sent to a socket or pipe refers to the file's pages in the page cache: a
/// later write to the file can still reach the receiver, on TCP even after all is acknowledged to be out of the queue. (A later kernel
/// than Linux 6.18 may copy instead.)
///
/// **SIGPIPE.** When nobody reads any more, the kernel raises the signal SIGPIPE beside `EPIPE`, and the call has no flag
/// against it. Rust's std ignores the signal; a program without std that does not ignore it is ended by it.
///
/// **FreeBSD and macOS.** Their call starts at an offset only and takes a count of 0 for the whole file. So `None`, and a count above
/// `i64::MAX`, are `EINVAL` there, and a count of 0 is `Ok(0)`, without a call; the output has to be a stream socket (`ENOTSOCK`), the
/// input a regular file. Bytes that were sent before an error are the result, and the offset is advanced by them.
///
/// System calls: `sendfile`. Linux 2.6.33 or later for outputs other than sockets, 2.2 for those.
///
/// # Errors
///
/// | errno | when |
/// |---|---|
/// | `EAGAIN` | `out_fd` is nonblocking and full, or its `SO_SNDTIMEO` has passed |
/// | `EBADF` | `in_fd` is not open for reading, or `out_fd` not for writing |
/// | `EFBIG`, `ENOSPC`, `EDQUOT` | a file as output may not, or cannot, grow |
/// | `EINTR` | a signal came before anything was sent |
/// | `EINVAL` | this pair of files cannot be served (`in_fd` a directory, pipe, socket, or a file without page cache; `out_fd` open with `O_APPEND`, which GNU make leaves set on the terminal or file that it prints to), or `*offset` or `count` exceeds `i64::MAX` |
/// | `EOVERFLOW` | `*offset` is beyond what the file system can hold, or the output's position beyond what the output can (a terminal above 2 GiB) |
/// | `EPIPE`, `ECONNRESET`, `ENOTCONN` | nobody receives |
/// | `ESPIPE` | an `offset` was given, and `in_fd` cannot seek |
///
/// # Example
///
/// ```
/// # #[cfg(feature = "std")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use bare_sendfile::sendfile;
/// use std::fs::File;
/// let source = File::open("Cargo.toml")?;
/// let (receiver, sender) = std::os::unix::net::UnixStream::pair()?;
/// let mut offset = 10;
/// let sent = sendfile(&sender, &source, Some(&mut offset), 20)?;
/// assert_eq!((sent, offset), (20, 30));
/// # drop(receiver);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "std"))]
/// # fn main() {}
/// ```
///
/// The offset is borrowed while the kernel writes to it:
///
/// ```compile_fail,E0596
/// # use bare_sendfile::{fd::BorrowedFd, sendfile};
/// # fn f(a: BorrowedFd<'_>, b: BorrowedFd<'_>) {
/// let offset = 0_u64;
/// sendfile(a, b, Some(&mut offset), 1);
/// # }
/// ```
///
/// # References
/// - [Linux sendfile(2)](https://man7.org/linux/man-pages/man2/sendfile.2.html)
/// - [os.sendfile](https://docs.python.org/3/library/os.html#os.sendfile)
#[inline(always)]
pub fn sendfile(out_fd: impl AsFd, in_fd: impl AsFd, offset: Option<&mut u64>, count: usize) -> Result<usize> {
    sys::sendfile(out_fd.as_fd(), in_fd.as_fd(), offset, count)
}

/// [`sendfile`] with what C has: descriptors by number, and a pointer for the offset, null for "at the position". For interfaces to other
/// languages, which cannot vouch for what they were given.
///
/// On Linux the kernel alone looks at the three, and a wrong one is its `EBADF` or `EFAULT`. On FreeBSD and macOS the offset is read
/// and written here.
///
/// System calls: `sendfile`.
///
/// # Safety
///
/// The eight bytes at `offset` are nobody's whom it surprises that they change, if they can be written to. Elsewhere than on Linux it is null,
/// or points to a `u64` that may be read and written.
///
/// # Errors
///
/// Those of [`sendfile`], and `EFAULT`: `offset` points to no memory. If it points to memory that can be read and not
/// written, the bytes have been sent nevertheless.
///
/// ```
/// use bare_sendfile::{Errno, sendfile_raw};
/// let mut offset = 0;
/// // SAFETY: the offset is a variable of this function.
/// assert_eq!(unsafe { sendfile_raw(-1, -1, &raw mut offset, 1) }, Err(Errno::EBADF));
/// ```
pub unsafe fn sendfile_raw(out_fd: RawFd, in_fd: RawFd, offset: *mut u64, count: usize) -> Result<usize> {
    // SAFETY: the caller's.
    unsafe { sys::sendfile_raw(out_fd, in_fd, offset, count) }
}

/// Whether sendfile can be called at all here: `Err` with the reason when a seccomp filter or an old kernel refuses it.
///
/// It calls sendfile on descriptors that cannot be open: `EBADF` means that the call exists.
///
/// System calls: `sendfile`.
///
/// # Errors
///
/// `ENOSYS` or `EPERM`, as a rule; whatever the filter says.
///
/// ```
/// assert_eq!(bare_sendfile::available(), Ok(()));
/// ```
pub fn available() -> Result<()> {
    match sys::sendfile_probe() {
        Errno::EBADF => Ok(()),
        errno => Err(errno),
    }
}
