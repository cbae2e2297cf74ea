//! FreeBSD: `TCP_NOPUSH` holds back less than a segment while it is set. Clearing it sends. A call that waits for room under it could wait for
//! the bytes that it holds back, until the persist timer, 5 s.

use super::{BorrowedFd, Errno, Result, sys};

/// The most bytes that the send buffer counts for a piece of a page, in addition to the piece.
const PAGE_COUNTED: u64 = 4352;

/// Sets the cork unless it is already set. Fails with `ENOBUFS` if the `left` bytes of the transfer may have to wait for room.
pub(crate) fn cork(out_fd: BorrowedFd<'_>, left: u64) -> Result<usize> {
    if left == u64::MAX {
        return Err(Errno::ENOBUFS); // not known
    }
    match sys::tcp_nopush(out_fd)? {
        0 if has_room(out_fd, left) => sys::set_tcp_nopush(out_fd, true),
        0 => Err(Errno::ENOBUFS),
        on => Ok(on),
    }
}

/// Whether these bytes can be sent without waiting. The kernel limits the bytes and also the memory that holds them, and returns the smaller
/// room. Whole pages need little more memory than their bytes. A file also has a first and a last page, and copied bytes lie in buffers that can
/// be half empty.
fn has_room(out_fd: BorrowedFd<'_>, left: u64) -> bool {
    sys::send_room(out_fd).is_ok_and(|room| left.saturating_mul(2).saturating_add(3 * PAGE_COUNTED) <= room as u64)
}

/// Sends the bytes that the kernel holds back.
pub(crate) fn flush(out_fd: BorrowedFd<'_>, uncork: bool, push: bool) -> Result<usize> {
    if !uncork && sys::tcp_nopush(out_fd)? != 0 {
        return Ok(0); // the caller's cork
    }
    if !push {
        return sys::set_tcp_nopush(out_fd, false);
    }
    // Without TCP_NODELAY, Nagle's algorithm could still hold a short segment. Setting TCP_NODELAY sends nothing by itself.
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
