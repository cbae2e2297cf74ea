//! FreeBSD: `TCP_NOPUSH` holds back what does not fill a segment, for as long as it is set; clearing it sends. A call that waits for room
//! under it could wait for what it holds back: until the persist timer, 5 s.

use super::{BorrowedFd, Errno, Result, sys};

/// The most bytes that the send buffer counts for a piece of a page, above those of the piece.
const PAGE_COUNTED: u64 = 4352;

/// Corks the socket unless it is. `ENOBUFS` if the `left` bytes of the transfer may have to wait for room.
pub(crate) fn cork(out_fd: BorrowedFd<'_>, left: u64) -> Result<usize> {
    if left == u64::MAX {
        return Err(Errno::ENOBUFS); // nobody knows how many
    }
    match sys::tcp_nopush(out_fd)? {
        0 if has_room(out_fd, left) => sys::set_tcp_nopush(out_fd, true),
        0 => Err(Errno::ENOBUFS),
        on => Ok(on),
    }
}

/// Whether no call waits that sends these bytes. The kernel has a limit for the bytes and another one for the memory that holds them, and
/// tells the smaller room of the two. Whole pages take little more than their bytes; a file also has a first and a last page, and what is
/// copied lies in buffers that can be half empty.
fn has_room(out_fd: BorrowedFd<'_>, left: u64) -> bool {
    sys::send_room(out_fd).is_ok_and(|room| left.saturating_mul(2).saturating_add(3 * PAGE_COUNTED) <= room as u64)
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
