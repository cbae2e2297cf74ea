//! The system's own sendfile(2), as it is.

use crate::errno::Errno;
use crate::fd::AsFd;
use crate::flags::SfFlags;
use crate::iovec::IoSlice;
use crate::sys;
use crate::transfer::{Count, Moved};

/// The native second form: one sendfile(2) of FreeBSD or macOS, with its meaning. [`sendfile_hdtr`](crate::sendfile_hdtr) is
/// what to use, unless it is this one call that is wanted.
///
/// - `count` of 0 bytes is refused with `EINVAL` and no call: the kernels would send the whole file. So are an offset of `i64::MAX`
///   or more and a count above it; of a count that reaches beyond that offset the part below it is asked for.
/// - The number of bytes to send is that of the file; where the kernel counts the headers too (macOS), they are added.
///
/// What the kernels do otherwise than one would think:
///
/// | | FreeBSD | macOS |
/// |---|---|---|
/// | no error | not all need be sent: trailers can be short on a nonblocking socket | the same of headers and trailers |
/// | `EAGAIN`, `EINTR`, `EBUSY` | bytes can have been sent | the same |
/// | headers, when there is no byte of the file to send | are dropped, and the trailers sent | are sent |
/// | headers, when the socket takes only a part | the rest is for the next call | the file follows the torn headers |
/// | trailers, when the file is shorter than the count | are sent | are sent |
/// | a file that cannot be read | is no error of this call: later ones say `EPIPE`, and the socket keeps `EIO` (`SO_ERROR`) | is `EIO` |
/// | a nonblocking socket | waits with [`SfFlags::SYNC`] | can wait for the kernel's buffers |
/// | a signal whose handler was set with `SA_RESTART`, while the call waits for room in a blocking socket | ends the call: the bytes, or `EINTR` | **is followed by the same call once more, from the same offset on and with the bytes sent as its count**: they are sent twice, and if they were none, all of the file is. So is every sendfile there: set handlers without `SA_RESTART`, or make the socket nonblocking |
/// | `flags` | as [`SfFlags`] says | anything but 0 is `EINVAL` |
///
/// The bytes are those of headers, file and trailers together. Which section they are of is only known while the trailers had no part.
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
