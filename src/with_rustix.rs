//! The types of rustix: this crate accepts its descriptors, and converts its errors.

use crate::errno::Errno;

#[cfg(not(feature = "std"))] // with std both crates have std's types
mod fd {
    use rustix::fd as theirs;

    use crate::fd as ours;
    use crate::fd::{AsRawFd, FromRawFd, IntoRawFd};

    impl ours::AsFd for theirs::BorrowedFd<'_> {
        #[inline]
        fn as_fd(&self) -> ours::BorrowedFd<'_> {
            // SAFETY: by its type it is open while this is borrowed, and not −1.
            unsafe { ours::BorrowedFd::borrow_raw(theirs::AsRawFd::as_raw_fd(self)) }
        }
    }

    impl ours::AsFd for theirs::OwnedFd {
        #[inline]
        fn as_fd(&self) -> ours::BorrowedFd<'_> {
            // SAFETY: its owner keeps it open while this is borrowed, and it is not −1.
            unsafe { ours::BorrowedFd::borrow_raw(theirs::AsRawFd::as_raw_fd(self)) }
        }
    }

    impl theirs::AsFd for ours::BorrowedFd<'_> {
        #[inline]
        fn as_fd(&self) -> theirs::BorrowedFd<'_> {
            // SAFETY: by the condition of `borrow_raw` it is open while this is borrowed, and not −1.
            unsafe { theirs::BorrowedFd::borrow_raw(self.as_raw_fd()) }
        }
    }

    impl theirs::AsFd for ours::OwnedFd {
        #[inline]
        fn as_fd(&self) -> theirs::BorrowedFd<'_> {
            // SAFETY: its owner keeps it open while this is borrowed. It is not −1, because nobody can own that.
            unsafe { theirs::BorrowedFd::borrow_raw(self.as_raw_fd()) }
        }
    }

    impl From<theirs::OwnedFd> for ours::OwnedFd {
        fn from(fd: theirs::OwnedFd) -> Self {
            // SAFETY: the former owner has given it up.
            unsafe { Self::from_raw_fd(theirs::IntoRawFd::into_raw_fd(fd)) }
        }
    }

    impl From<ours::OwnedFd> for theirs::OwnedFd {
        fn from(fd: ours::OwnedFd) -> Self {
            // SAFETY: the former owner has given it up.
            unsafe { theirs::FromRawFd::from_raw_fd(fd.into_raw_fd()) }
        }
    }
}

impl From<Errno> for rustix::io::Errno {
    fn from(errno: Errno) -> Self {
        Self::from_raw_os_error(errno.raw_os_error())
    }
}

/// Fails for a number outside 1..=4095, and returns it.
impl TryFrom<rustix::io::Errno> for Errno {
    type Error = rustix::io::Errno;

    fn try_from(errno: rustix::io::Errno) -> core::result::Result<Self, rustix::io::Errno> {
        Self::from_raw_os_error(errno.raw_os_error()).ok_or(errno)
    }
}
