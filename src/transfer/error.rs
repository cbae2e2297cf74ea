//! The errors that stop a transfer before its end.

use core::fmt;

use super::super::errno::Errno;

/// The reason why a transfer stopped before its end. [`Transfer::progress`](crate::Transfer::progress) has the bytes that were sent until
/// then, and the transfer can go on from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The kernel's error. `EAGAIN` and `EINTR` are not failures: after `EAGAIN` go on when the output is writable, after `EINTR` at once.
    Errno(Errno),
    /// The file ended before the count: so many bytes are missing. The trailers were withheld.
    Truncated {
        /// Bytes of the file that were asked for and are not there.
        owed: u64,
    },
    /// sendfile(2) returned 0 twice, or the file states to have nothing, although a read finds bytes there. The output accepted nothing, or the
    /// file system states a smaller size than the file has (FUSE does for some files). With a lent buffer the bytes are read and written instead.
    Stuck,
    /// The offset, or the length of the headers or trailers, is above `i64::MAX`, the largest that the kernel knows.
    TooLarge(u64),
    /// The headers have another length than at the start.
    HeadersChanged {
        /// Bytes at the start.
        expected: u64,
        /// Bytes now.
        found: u64,
    },
    /// The trailers have another length than at the start.
    TrailersChanged {
        /// Bytes at the start.
        expected: u64,
        /// Bytes now.
        found: u64,
    },
    /// The output is a socket, but not a stream (`SOCK_STREAM`): it has this `SO_TYPE`.
    NotAStream(u32),
    /// Bits that no flag has, or more pages to read ahead than [`SfFlags::MAX_READAHEAD`](crate::SfFlags::MAX_READAHEAD).
    UnknownFlags(u32),
    /// A write of at least one byte returned 0.
    WriteZero,
    /// [`Transfer::copying`](crate::Transfer::copying) was asked for, and no buffer was lent.
    NoBuffer,
    /// A completion without a step, or one of more bytes than its step asked for.
    Unasked,
}

impl Error {
    /// Returns the kernel's error number, or else the one that describes this error best: `EIO` where bytes are missing, `EINVAL` for a
    /// wrong argument.
    pub const fn errno(self) -> Errno {
        match self {
            Self::Errno(errno) => errno,
            Self::Truncated { .. } | Self::Stuck | Self::WriteZero => Errno::EIO,
            _ => Errno::EINVAL,
        }
    }

    /// Returns the number of [`errno`](Self::errno), as `std::io::Error::raw_os_error` has it.
    pub const fn raw_os_error(self) -> i32 {
        self.errno().raw_os_error()
    }
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// Whether the kernel gave this number. A number that [`Error::errno`] only suggests does not count.
impl PartialEq<Errno> for Error {
    fn eq(&self, errno: &Errno) -> bool {
        *self == Self::Errno(*errno)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errno(errno) => errno.fmt(f),
            Self::Truncated { owed } => write!(f, "the file ended {owed} bytes before the count"),
            Self::Stuck => f.write_str("sendfile returned 0 before the end of the file"),
            Self::TooLarge(number) => write!(f, "{number} is more than the kernel's largest offset, {}", i64::MAX),
            Self::HeadersChanged { expected, found } => {
                write!(f, "the headers had {expected} bytes at the start and have {found} now")
            }
            Self::TrailersChanged { expected, found } => {
                write!(f, "the trailers had {expected} bytes at the start and have {found} now")
            }
            Self::NotAStream(kind) => write!(f, "the output is not a stream socket (SO_TYPE {kind})"),
            Self::UnknownFlags(bits) => write!(f, "unknown flags {bits:#x}"),
            Self::WriteZero => f.write_str("a write returned 0"),
            Self::NoBuffer => f.write_str("copying needs a buffer"),
            Self::Unasked => f.write_str("a completion that no step asked for"),
        }
    }
}

impl core::error::Error for Error {}

#[cfg(feature = "std")]
impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        use std::io::ErrorKind;
        match error {
            Error::Errno(errno) => errno.into(),
            Error::Truncated { .. } | Error::Stuck => Self::new(ErrorKind::UnexpectedEof, error),
            Error::WriteZero => Self::new(ErrorKind::WriteZero, error),
            _ => Self::new(ErrorKind::InvalidInput, error),
        }
    }
}
