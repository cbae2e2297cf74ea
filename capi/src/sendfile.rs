//! Both forms.

use core::ffi::c_int;

use bare::{Count, Errno, Error, SfFlags, available, sendfile_hdtr, sendfile_raw};

use crate::raw::{self, SfHdtr, fd, lists};

/// sendfile(2) of Linux: one system call, the arguments as they are. No retry after EINTR, no loop, no fallback.
///
/// `offset` is in bytes from the start of the file, and is advanced. If it is null, reading starts at the position of `in_fd`, which
/// is advanced.
///
/// Returns the number of bytes sent, 0 at the end of the file, or a negative error number.
///
/// # Safety
///
/// `offset` is null, or its eight bytes are the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bare_sendfile(out_fd: c_int, in_fd: c_int, offset: *mut i64, count: usize) -> isize {
    // SAFETY: the caller's.
    match unsafe { sendfile_raw(out_fd, in_fd, offset.cast(), count) } {
        Ok(sent) => sent as isize,
        Err(errno) => -(errno.raw_os_error() as isize),
    }
}

/// Whether sendfile(2) can be called at all: 0, or the negative error number of the filter or kernel that refuses it.
#[unsafe(no_mangle)]
pub extern "C" fn bare_sendfile_available() -> c_int {
    raw::result(available().map_err(Error::from))
}

/// sendfile(2) of FreeBSD, on Linux too: writes the headers, `nbytes` of `fd` from `offset` on (0: to the end), and the
/// trailers, to the stream socket, pipe or file `s`. It goes on after short counts, and stops at EAGAIN and EINTR.
///
/// Returns 0 if all was sent, or a negative error number. The bytes that were sent, of all three together, are in `sbytes` either
/// way (it may be null): -EAGAIN, -EINTR and -EBUSY can have sent some.
///
/// If the file has fewer than `nbytes`, the trailers are withheld, and the error is -EIO. (FreeBSD sends them and returns 0.) A length
/// that is computed and can be 0 must not be passed, as on FreeBSD: `struct bare_transfer` takes 0 for nothing.
///
/// # Safety
///
/// `hdtr` is null or points to a `struct sf_hdtr`, whose lists are as long as it says. `sbytes` is null or the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bare_sendfile_hdtr(
    fd: c_int,
    s: c_int,
    offset: i64,
    nbytes: usize,
    hdtr: *const SfHdtr,
    sbytes: *mut i64,
    flags: c_int,
) -> c_int {
    let set = |sent: u64| {
        if !sbytes.is_null() {
            // SAFETY: the caller's.
            unsafe { sbytes.write_unaligned(sent as i64) };
        }
    };
    // Before anything is sent: a pointer that is wrong shows itself now.
    set(0);
    // SAFETY: the caller's.
    match unsafe { second_form(fd, s, offset, nbytes, hdtr, flags) } {
        Ok((sent, outcome)) => {
            set(sent);
            raw::result(outcome)
        }
        Err(errno) => raw::negative(errno),
    }
}

/// # Safety
///
/// As for `bare_sendfile_hdtr`.
unsafe fn second_form(
    in_fd: c_int,
    out_fd: c_int,
    offset: i64,
    nbytes: usize,
    hdtr: *const SfHdtr,
    flags: c_int,
) -> Result<(u64, Result<(), Error>), Errno> {
    let (out_fd, in_fd) = (fd(out_fd)?, fd(in_fd)?);
    let offset = u64::try_from(offset).map_err(|_| Errno::EINVAL)?;
    let count = if nbytes == 0 { Count::ToEnd } else { Count::from_usize(nbytes) };
    // SAFETY: the caller's; no buffer is lent.
    let (headers, trailers) = unsafe { lists(hdtr)? };
    let flags = SfFlags::from_bits_retain(flags as u32);
    let (report, outcome) = sendfile_hdtr(out_fd, in_fd, offset, count, headers, trailers, flags).into_parts();
    Ok((report.progress.total(), outcome))
}
