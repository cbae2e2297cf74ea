//! Linux: `TCP_CORK` holds back what does not fill a segment.

use super::{BorrowedFd, Result, sys};

/// Corks the socket unless it is.
pub(crate) fn cork(out_fd: BorrowedFd<'_>, _left: u64) -> Result<usize> {
    match sys::tcp_cork(out_fd)? {
        0 => sys::set_tcp_cork(out_fd, true),
        on => Ok(on),
    }
}

/// Sends what the kernel holds back.
pub(crate) fn flush(out_fd: BorrowedFd<'_>, uncork: bool, push: bool) -> Result<usize> {
    if uncork {
        sys::set_tcp_cork(out_fd, false)?;
    } else if sys::tcp_cork(out_fd)? != 0 {
        return Ok(0); // The caller's cork: TCP_NODELAY would send even what it holds.
    }
    if push {
        // Clearing TCP_CORK would still leave a short segment to Nagle's algorithm; setting TCP_NODELAY does not.
        let nodelay = sys::tcp_nodelay(out_fd)?;
        sys::set_tcp_nodelay(out_fd, true)?;
        if nodelay == 0 {
            sys::set_tcp_nodelay(out_fd, false)?;
        }
    }
    Ok(0)
}
