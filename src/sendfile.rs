//! The first form: one system call.

use crate::errno::{Errno, Result};
use crate::fd::{AsFd, RawFd};
use crate::sys;

/// `sendfile(out, in, offset, count)`: copies up to `count` bytes from `in_fd` to `out_fd` inside the kernel.
///
/// Returns the number of bytes sent, 0 at the end of the file. (It is also 0 if `count` is 0, or if the output accepts nothing and reports no
/// error.) It is less than `count` at the end of the file, if a pipe or socket is full, or after a signal. On Linux it is always less if
/// `count` is above 0x7ffff000.
///
/// - With an `offset` (in bytes from the start of the file), reading starts there. The variable is advanced by the bytes sent. The
///   position of `in_fd` is neither used nor changed.
/// - With `None`, reading starts at the current position of `in_fd`, which is advanced. On an error the position is unchanged.
///
/// It is exactly one system call: no retry after `EINTR`, no loop, no fallback. To send all of a file, use
/// [`sendfile_all`](crate::sendfile_all). For headers and trailers use [`sendfile_hdtr`](crate::sendfile_hdtr) or
/// [`Transfer`](crate::Transfer).
///
/// **The pages are shared, not copied.** A socket or pipe refers to the file's pages in the page cache. If the file is modified later, the
/// receiver may get the new bytes. Over TCP within one machine that can happen even after the send queue is empty. (A kernel after Linux
/// 6.18 may copy instead.)
///
/// **SIGPIPE.** If nobody reads any more, the call fails with `EPIPE` and the kernel raises SIGPIPE as well. No flag prevents that. Rust's std
/// ignores the signal. SIGPIPE ends a program without std, unless the program ignores it or holds a [`SigpipeGuard`](crate::SigpipeGuard).
/// (FreeBSD's call raises none.)
///
/// **FreeBSD and macOS.** Their kernels need an offset, and take a count of 0 for the whole file. So this function makes no call in some
/// cases: `None`, and an offset or count above `i64::MAX`, fail with `EINVAL`, and a count of 0 returns `Ok(0)`. The output has to be a
/// stream socket (`ENOTSOCK`), and the input a regular file. If bytes were sent before an error, they are the result, and the offset is
/// advanced by them.
///
/// System calls: `sendfile`. Linux 2.6.33 or later; 2.2 if the output is a socket.
///
/// # Errors
///
/// | errno | when |
/// |---|---|
/// | `EAGAIN` | `out_fd` is nonblocking and full, or its `SO_SNDTIMEO` has passed |
/// | `EBADF` | `in_fd` is not open for reading, or `out_fd` not for writing |
/// | `EFBIG`, `ENOSPC`, `EDQUOT` | the output is a file that may not, or cannot, grow. If `RLIMIT_FSIZE` forbids it, the kernel sends SIGXFSZ as well, which ends the process by default |
/// | `EINTR` | a signal came before anything was sent |
/// | `EINVAL` | this pair of files cannot be served (`in_fd` a directory, a file without page cache, or, unless the output is a pipe, a pipe, socket or terminal; `out_fd` open with `O_APPEND`, which GNU make leaves set on the terminal or file that it prints to), or `*offset`, `count` or (on Linux) their sum exceeds `i64::MAX` |
/// | `EOVERFLOW` | `*offset` is beyond what the input's or the output's file system can hold (2 GiB if the output is a terminal) |
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

/// Like [`sendfile`], with C's types: descriptors by number, and a pointer for the offset, null for "at the position". It is for interfaces
/// to other languages, which cannot vouch for their callers' arguments.
///
/// On Linux only the kernel looks at the arguments. It fails with `EBADF` or `EFAULT` if one is wrong. On FreeBSD and macOS this function
/// reads and writes the offset.
///
/// System calls: `sendfile`.
///
/// # Safety
///
/// If the eight bytes at `offset` are writable, the call may change them, so nothing else may rely on them. On other systems than Linux,
/// `offset` is null or points to a `u64` that may be read and written.
///
/// # Errors
///
/// Those of [`sendfile`], and `EFAULT` if `offset` points to no memory. If the memory is read-only, the error is the same, but the bytes
/// have been sent.
///
/// ```
/// use bare_sendfile::{Errno, sendfile_raw};
/// let mut offset = 0;
/// // SAFETY: the offset is a variable of this function.
/// assert_eq!(unsafe { sendfile_raw(-1, -1, &raw mut offset, 1) }, Err(Errno::EBADF));
/// ```
pub unsafe fn sendfile_raw(out_fd: RawFd, in_fd: RawFd, offset: *mut u64, count: usize) -> Result<usize> {
    // SAFETY: the caller keeps the condition above, which is that of `sys::sendfile_raw`.
    unsafe { sys::sendfile_raw(out_fd, in_fd, offset, count) }
}

/// Returns whether sendfile can be called at all: `Ok`, or the error if a seccomp filter or an old kernel refuses the call.
///
/// It calls sendfile on descriptors that cannot be open. `EBADF` means that the call exists.
///
/// System calls: `sendfile`.
///
/// # Errors
///
/// `ENOSYS` or `EPERM` as a rule, or any other error that a filter returns.
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
