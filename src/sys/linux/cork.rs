//! Linux: `TCP_CORK` holds back less than a segment.

use super::{BorrowedFd, Result, sys};

/// Sets the cork unless it is already set.
pub(crate) fn cork(out_fd: BorrowedFd<'_>, _left: u64) -> Result<usize> {
    match sys::tcp_cork(out_fd)? {
        0 => sys::set_tcp_cork(out_fd, true),
        on => Ok(on),
    }
}

/// Sends the bytes that the kernel holds back.
pub(crate) fn flush(out_fd: BorrowedFd<'_>, uncork: bool, push: bool) -> Result<usize> {
    if uncork {
        sys::set_tcp_cork(out_fd, false)?;
    } else if sys::tcp_cork(out_fd)? != 0 {
        return Ok(0); // TCP_NODELAY would send even what the caller's cork holds
    }
    if push {
        // After clearing TCP_CORK, Nagle's algorithm could still hold a short segment. Setting TCP_NODELAY sends it.
        let nodelay = sys::tcp_nodelay(out_fd)?;
        sys::set_tcp_nodelay(out_fd, true)?;
        if nodelay == 0 {
            sys::set_tcp_nodelay(out_fd, false)?;
        }
    }
    Ok(0)
}
