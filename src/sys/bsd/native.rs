//! The system's own sendfile(2), as it is.

use crate::errno::Errno;
use crate::fd::AsFd;
use crate::flags::SfFlags;
use crate::iovec::IoSlice;
use crate::sys;
use crate::transfer::{Count, Moved};

/// Makes one native sendfile(2) of FreeBSD or macOS, with the kernel's meaning. Unless you want exactly this call, use
/// [`sendfile_hdtr`](crate::sendfile_hdtr).
///
/// - A `count` of 0 bytes fails with `EINVAL` and no call, because the kernels would send the whole file. So do an offset of `i64::MAX` or
///   more, and a count above it. If a count reaches beyond that offset, only the part below it is asked for.
/// - `count` is the file's bytes. macOS's kernel counts the headers too, so they are added there.
///
/// The kernels may surprise you:
///
/// | | FreeBSD | macOS |
/// |---|---|---|
/// | no error | trailers can be short on a nonblocking socket | headers and trailers can |
/// | `EAGAIN`, `EINTR`, `EBUSY` | bytes may have been sent | the same |
/// | headers, if there is no byte of the file to send | are dropped, and the trailers are sent | are sent |
/// | headers, if the socket accepts only a part | the rest is for the next call | the file follows the torn headers |
/// | trailers, if the file is shorter than the count | are sent | are sent |
/// | a file that cannot be read | this call does not fail; later calls fail with `EPIPE`, and the socket keeps `EIO` (`SO_ERROR`) | fails with `EIO` |
/// | a nonblocking socket | waits with [`SfFlags::SYNC`] | can wait for the kernel's buffers |
/// | a signal whose handler was set with `SA_RESTART`, while the call waits for room in a blocking socket | ends the call: it returns the bytes, or `EINTR` | **the kernel repeats the call from the same offset, with the bytes sent as its count**. Those bytes are sent twice; if none were sent, all of the file is. Every sendfile is like that there: set handlers without `SA_RESTART`, or make the socket nonblocking |
/// | `flags` | as described at [`SfFlags`] | any flag fails with `EINVAL` |
///
/// The result counts headers, file and trailers together. Their sections are known only if no trailer was sent.
///
/// System calls: `sendfile`.
///
/// # References
/// - [FreeBSD sendfile(2)](https://man.freebsd.org/cgi/man.cgi?query=sendfile&sektion=2)
/// - [xnu bsd/kern/uipc_syscalls.c](https://github.com/apple-oss-distributions/xnu/blob/main/bsd/kern/uipc_syscalls.c), `sendfile`
pub fn sendfile_native(
    out_fd: impl AsFd,
    in_fd: impl AsFd,
    offset: u64,
    count: impl Into<Count>,
    headers: &[IoSlice<'_>],
    trailers: &[IoSlice<'_>],
    flags: SfFlags,
) -> Moved {
    let refused = Moved { bytes: 0, error: Some(Errno::EINVAL) };
    let count = match count.into() {
        Count::ToEnd => 0,
        Count::Bytes(count) if count > isize::MAX as u64 => return refused,
        Count::Bytes(count) => match sys::below_limit(offset, count as usize) {
            0 => return refused,
            count => count,
        },
    };
    let (bytes, error) =
        sys::sendfile_hdtr(out_fd.as_fd(), in_fd.as_fd(), offset, count, headers, trailers, flags.bits());
    Moved { bytes, error }
}
