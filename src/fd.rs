//! File descriptors. With the feature `std` they are std's own types. Without it they are types with the same names, and with the methods
//! that make no new descriptor.
//!
//! A crate that implements [`AsFd`] for its types compiles either way, unless it implements std's trait as well. Integers do not implement
//! it, because a safe function must not act on a descriptor that somebody else owns
//! ([I/O safety](https://doc.rust-lang.org/std/os/fd/index.html)).
//!
//! ```compile_fail,E0277
//! use bare_sendfile::fd::AsFd;
//! fn takes(_: impl AsFd) {}
//! takes(3);
//! ```
//!
//! A borrowed descriptor does not outlive its owner:
//!
//! ```compile_fail,E0515
//! use bare_sendfile::fd::{AsFd, BorrowedFd, OwnedFd};
//! fn escape(owned: OwnedFd) -> BorrowedFd<'static> {
//!     owned.as_fd()
//! }
//! ```

#[cfg(feature = "std")]
pub use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

#[cfg(not(feature = "std"))]
pub use bare::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

#[cfg(not(feature = "std"))]
mod bare {
    use core::fmt;
    use core::marker::PhantomData;
    use core::mem::ManuallyDrop;

    /// A file descriptor's number.
    pub type RawFd = i32;

    /// An open file descriptor that somebody else owns.
    #[derive(Clone, Copy)]
    #[repr(transparent)]
    pub struct BorrowedFd<'fd> {
        fd: RawFd,
        owner: PhantomData<&'fd OwnedFd>,
    }

    /// An open file descriptor, closed on drop. An error of close(2) is not reported, as in std.
    #[repr(transparent)]
    pub struct OwnedFd {
        fd: RawFd,
    }

    /// Lends a file descriptor.
    #[diagnostic::on_unimplemented(
        note = "std's types implement it with the feature `std` of bare-sendfile",
        note = "integers do not implement it: see the safety condition of `BorrowedFd::borrow_raw`"
    )]
    pub trait AsFd {
        /// Borrows the descriptor.
        fn as_fd(&self) -> BorrowedFd<'_>;
    }

    /// Returns the number of a file descriptor.
    pub trait AsRawFd {
        /// Returns the number. It is valid only while its owner lives.
        fn as_raw_fd(&self) -> RawFd;
    }

    /// Takes ownership of a file descriptor by its number.
    pub trait FromRawFd {
        /// Makes the owner of `fd`.
        ///
        /// # Safety
        ///
        /// `fd` is open and nobody else owns it.
        unsafe fn from_raw_fd(fd: RawFd) -> Self;
    }

    /// Gives up a file descriptor without closing it.
    pub trait IntoRawFd {
        /// Returns the number. The caller becomes the owner.
        fn into_raw_fd(self) -> RawFd;
    }

    impl BorrowedFd<'_> {
        /// Borrows the descriptor `fd`.
        ///
        /// # Safety
        ///
        /// `fd` is open, stays open for the returned value's lifetime, and is not −1.
        #[inline]
        pub const unsafe fn borrow_raw(fd: RawFd) -> Self {
            Self { fd, owner: PhantomData }
        }
    }

    impl AsFd for BorrowedFd<'_> {
        #[inline]
        fn as_fd(&self) -> BorrowedFd<'_> {
            *self
        }
    }

    impl AsFd for OwnedFd {
        #[inline]
        fn as_fd(&self) -> BorrowedFd<'_> {
            BorrowedFd { fd: self.fd, owner: PhantomData }
        }
    }

    impl<T: AsFd + ?Sized> AsFd for &T {
        #[inline]
        fn as_fd(&self) -> BorrowedFd<'_> {
            T::as_fd(self)
        }
    }

    impl<T: AsFd + ?Sized> AsFd for &mut T {
        #[inline]
        fn as_fd(&self) -> BorrowedFd<'_> {
            T::as_fd(self)
        }
    }

    impl AsRawFd for RawFd {
        #[inline]
        fn as_raw_fd(&self) -> RawFd {
            *self
        }
    }

    impl AsRawFd for BorrowedFd<'_> {
        #[inline]
        fn as_raw_fd(&self) -> RawFd {
            self.fd
        }
    }

    impl AsRawFd for OwnedFd {
        #[inline]
        fn as_raw_fd(&self) -> RawFd {
            self.fd
        }
    }

    impl FromRawFd for RawFd {
        #[inline]
        unsafe fn from_raw_fd(fd: RawFd) -> Self {
            fd
        }
    }

    impl FromRawFd for OwnedFd {
        #[inline]
        unsafe fn from_raw_fd(fd: RawFd) -> Self {
            Self { fd }
        }
    }

    impl IntoRawFd for RawFd {
        #[inline]
        fn into_raw_fd(self) -> RawFd {
            self
        }
    }

    impl IntoRawFd for OwnedFd {
        #[inline]
        fn into_raw_fd(self) -> RawFd {
            ManuallyDrop::new(self).fd
        }
    }

    impl fmt::Debug for BorrowedFd<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("BorrowedFd").field("fd", &self.fd).finish()
        }
    }

    impl fmt::Debug for OwnedFd {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("OwnedFd").field("fd", &self.fd).finish()
        }
    }
}
