//! A crate that uses bare-sendfile: it implements `AsFd` for a type of its own, in source code that compiles with std's trait
//! and with the crate's, and passes the type to both forms.
#![no_std]

use bare_sendfile::fd::{AsFd, BorrowedFd, OwnedFd};
use bare_sendfile::{Count, Error, IoSlice, Transfer, sendfile};

/// A connection that owns all that it needs to go on: descriptor, header and transfer.
pub struct Connection {
    fd: OwnedFd,
    header: [u8; 4],
    transfer: Transfer,
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Connection {
    /// A connection that sends four bytes and a file.
    pub fn new(fd: OwnedFd, header: [u8; 4]) -> Result<Self, Error> {
        let transfer = Transfer::new(0, Count::ToEnd, &[IoSlice::new(&header)], &[])?;
        Ok(Self { fd, header, transfer })
    }

    /// Sends all that is left.
    pub fn send(&mut self, file: impl AsFd) -> Result<u64, Error> {
        self.transfer.send_all(&self.fd, file, &[IoSlice::new(&self.header)], &[], &mut [])?;
        Ok(self.transfer.progress().total())
    }
}

/// Lends whatever `T` lends.
pub struct Counted<T> {
    inner: T,
    sent: usize,
}

impl<T: AsFd> AsFd for Counted<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl<T: AsFd> Counted<T> {
    /// Nothing is sent yet.
    pub fn new(inner: T) -> Self {
        Self { inner, sent: 0 }
    }

    /// Sends, and returns what was sent until now.
    pub fn send(&mut self, file: impl AsFd, offset: u64, count: usize) -> bare_sendfile::Result<usize> {
        self.sent += sendfile(&*self, file, Some(&mut { offset }), count)?;
        Ok(self.sent)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::fs::File;
    use std::io::{Read, pipe};
    use std::os::fd::IntoRawFd;
    use std::string::String;

    use bare_sendfile::fd::FromRawFd;

    use super::*;

    fn owned(file: impl IntoRawFd) -> OwnedFd {
        // SAFETY: `into_raw_fd` gave it up.
        unsafe { OwnedFd::from_raw_fd(file.into_raw_fd()) }
    }

    #[test]
    fn own_types_lend_their_descriptors_to_both_forms() {
        let source = owned(File::open("Cargo.toml").unwrap());
        let (mut reader, writer) = pipe().unwrap();
        let mut counted = Counted::new(Connection::new(owned(writer), *b"head").unwrap());
        assert_eq!(counted.send(&source, 0, 3), Ok(3));
        assert_eq!(counted.send(&source, 3, 6), Ok(9));
        let sent = counted.inner.send(source).unwrap();
        drop(counted);
        let mut received = String::new();
        reader.read_to_string(&mut received).unwrap();
        let source = include_str!("../Cargo.toml");
        assert_eq!(received, [&source[..9], "head", source].concat());
        assert_eq!(sent as usize, 4 + source.len());
    }
}
