//! FreeBSD: `TCP_NOPUSH` holds back what does not fill a segment, for as long as it is set; clearing it sends.

use super::{self as sys, BorrowedFd, Result};

/// Corks the socket unless it is.
pub(crate) fn cork(out_fd: BorrowedFd<'_>) -> Result<usize> {
    match sys::tcp_nopush(out_fd)? {
        0 => sys::set_tcp_nopush(out_fd, true),
        on => Ok(on),
    }
}

/// Sends what the kernel holds back.
pub(crate) fn flush(out_fd: BorrowedFd<'_>, uncork: bool, push: bool) -> Result<usize> {
    if !uncork && sys::tcp_nopush(out_fd)? != 0 {
        return Ok(0); // The caller's cork.
    }
    if !push {
        return sys::set_tcp_nopush(out_fd, false);
    }
    // Nagle's algorithm could keep a short segment all the same, TCP_NODELAY does not; but setting that sends nothing.
    let nodelay = sys::tcp_nodelay(out_fd)?;
    if nodelay == 0 {
        sys::set_tcp_nodelay(out_fd, true)?;
    }
    if !uncork {
        sys::set_tcp_nopush(out_fd, true)?;
    }
    sys::set_tcp_nopush(out_fd, false)?;
    if nodelay == 0 {
        sys::set_tcp_nodelay(out_fd, false)?;
    }
    Ok(0)
}
