//! From rustix's descriptors to this crate's.
//!
//! With std both crates have std's types, and there is nothing to convert. Without, each has its own. This is all that it
//! takes, and the only unsafe line of the program that is about descriptors.

use bare_sendfile::fd::BorrowedFd;
use rustix::fd::{AsFd, AsRawFd};

/// Lends `fd` for as long as it is borrowed itself.
pub fn lend(fd: &impl AsFd) -> BorrowedFd<'_> {
    // SAFETY: what implements rustix's `AsFd` has an open descriptor, which stays open while `fd` is borrowed, and is not −1.
    unsafe { BorrowedFd::borrow_raw(fd.as_fd().as_raw_fd()) }
}
