//! macOS: clearing `TCP_NOPUSH` sends nothing, so bytes that it holds could stay for good. If `TCP_NODELAY` is set before anything is
//! written, nothing waits. The price is that the sections go out in segments of their own.

use super::{BorrowedFd, Result, sys};

/// Sets `TCP_NODELAY`, which sends each write at once, unless it is already set.
pub(crate) fn cork(out_fd: BorrowedFd<'_>, _left: u64) -> Result<usize> {
    match sys::tcp_nodelay(out_fd)? {
        0 => sys::set_tcp_nodelay(out_fd, true),
        on => Ok(on),
    }
}

/// Restores the option. Nothing waits, except for bytes that the caller's own `TCP_NOPUSH` holds.
pub(crate) fn flush(out_fd: BorrowedFd<'_>, uncork: bool, _push: bool) -> Result<usize> {
    if uncork { sys::set_tcp_nodelay(out_fd, false) } else { Ok(0) }
}
