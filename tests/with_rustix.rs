//! The functions accept rustix's descriptor types without conversion.
#![cfg(target_os = "linux")]

use bare_sendfile::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use bare_sendfile::{Errno, sendfile};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{read, write};
use rustix::pipe::pipe;

/// Some bytes of a file of rustix through a pipe of rustix.
fn sends(out_fd: impl AsFd, in_fd: impl AsFd, receiver: impl rustix::fd::AsFd) {
    let mut offset = 2;
    assert_eq!((sendfile(out_fd, in_fd, Some(&mut offset), 4), offset), (Ok(4), 6));
    let mut got = [0; 10];
    assert_eq!((read(receiver, &mut got), &got[..4]), (Ok(4), &b"2345"[..]));
}

fn content() -> rustix::fd::OwnedFd {
    let file = memfd_create("content", MemfdFlags::CLOEXEC).unwrap();
    assert_eq!(write(&file, b"0123456789"), Ok(10));
    file
}

#[test]
fn its_descriptors_are_lent() {
    let (file, (receiver, sender)) = (content(), pipe().unwrap());
    sends(&sender, &file, &receiver);
    sends(rustix::fd::AsFd::as_fd(&sender), rustix::fd::AsFd::as_fd(&file), &receiver);
    // And back.
    let (sender, file): (BorrowedFd<'_>, BorrowedFd<'_>) = (AsFd::as_fd(&sender), AsFd::as_fd(&file));
    assert_eq!(write(sender, b"x"), Ok(1));
    assert_eq!(rustix::fs::fstat(file).unwrap().st_size, 10);
    assert_eq!(read(&receiver, &mut [0]), Ok(1));
}

#[test]
#[cfg_attr(feature = "std", expect(clippy::useless_conversion, reason = "both are std's then"))]
fn its_descriptors_change_their_owner() {
    let (file, (receiver, sender)) = (content(), pipe().unwrap());
    let (file, sender) = (OwnedFd::from(file), OwnedFd::from(sender));
    let number = sender.as_raw_fd();
    sends(&sender, &file, &receiver);
    assert_eq!(write(&sender, b"x"), Ok(1));
    assert_eq!(read(&receiver, &mut [0]), Ok(1));
    let sender = rustix::fd::OwnedFd::from(sender);
    assert_eq!(rustix::fd::AsRawFd::as_raw_fd(&sender), number);
    // It has one owner, who closes it.
    drop(sender);
    assert_eq!(read(&receiver, &mut [0]), Ok(0));
}

#[test]
fn errors_both_ways() {
    for raw in 1..=Errno::MAX {
        let errno = Errno::from_raw_os_error(raw).unwrap();
        let theirs = rustix::io::Errno::from(errno);
        assert_eq!((theirs.raw_os_error(), Errno::try_from(theirs)), (raw, Ok(errno)));
    }
    assert_eq!(rustix::io::Errno::from(Errno::EPIPE), rustix::io::Errno::PIPE);
}
