//! macOS: clearing `TCP_NOPUSH` sends nothing, so what it holds could stay for good. `TCP_NODELAY`, set before anything is
//! written, lets nothing wait; the price is that the sections go out in segments of their own.

use super::{BorrowedFd, Result, sys};

/// Has each write sent at once, unless it is so.
pub(crate) fn cork(out_fd: BorrowedFd<'_>, _left: u64) -> Result<usize> {
    match sys::tcp_nodelay(out_fd)? {
        0 => sys::set_tcp_nodelay(out_fd, true),
        on => Ok(on),
    }
}

/// Puts the option back. Nothing waits, but for what the caller's own `TCP_NOPUSH` holds.
pub(crate) fn flush(out_fd: BorrowedFd<'_>, uncork: bool, _push: bool) -> Result<usize> {
    if uncork { sys::set_tcp_nodelay(out_fd, false) } else { Ok(0) }
}
