//! The first form as a function of its own, and inlined into a caller. tests/steps/asm compares the instructions with those in the files beside `src`.
#![no_std]

use bare_sendfile::fd::BorrowedFd;
use bare_sendfile::{Errno, Result, sendfile};

unsafe extern "Rust" {
    safe fn sent(count: usize);
    safe fn refused(errno: Errno);
}

/// As a function of its own.
#[unsafe(no_mangle)]
pub fn out_of_line(
    out_fd: BorrowedFd<'_>,
    in_fd: BorrowedFd<'_>,
    offset: Option<&mut u64>,
    count: usize,
) -> Result<usize> {
    sendfile(out_fd, in_fd, offset, count)
}

/// Where the result is used at once.
#[unsafe(no_mangle)]
pub fn inlined(out_fd: BorrowedFd<'_>, in_fd: BorrowedFd<'_>, offset: &mut u64, count: usize) {
    match sendfile(out_fd, in_fd, Some(offset), count) {
        Ok(count) => sent(count),
        Err(errno) => refused(errno),
    }
}

/// Where it is known to be of no interest.
#[unsafe(no_mangle)]
pub fn ignored(out_fd: BorrowedFd<'_>, in_fd: BorrowedFd<'_>) {
    let _ = sendfile(out_fd, in_fd, None, 4096);
}
