//! The errors that stop a transfer before its end.

use core::fmt;

use super::super::errno::Errno;

/// The reason why a transfer or a copy of a stream stopped before its end. The bytes sent until then are counted
/// ([`Transfer::progress`](crate::Transfer::progress), [`Sent::into_parts`](crate::Sent::into_parts),
/// [`StreamCopy::sent`](crate::StreamCopy::sent)), and it can go on from there. [`TooLarge`](Self::TooLarge),
/// [`UnknownFlags`](Self::UnknownFlags) and [`NotAStream`](Self::NotAStream) occur before the first byte, and the transfer cannot continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The kernel's error. `EAGAIN` and `EINTR` are not failures. After `EAGAIN` wait until the output is writable. If bytes pass
    /// through a buffer, the input may be the one to wait for. After `EINTR` go on at once. If a loop of your own waits, it flushes first.
    Errno(Errno),
    /// The file ended before the count, and this many bytes are missing. The trailers were not sent. Close the connection.
    /// Otherwise the peer waits for the missing bytes.
    Truncated {
        /// Missing bytes of the file.
        owed: u64,
    },
    /// sendfile(2) returned 0 twice, or statx(2) reported no more bytes, although a read finds some. Either the output accepted nothing, or the
    /// file system reports too small a size (FUSE does for some files). Or statx(2) reported more bytes, and the read was refused. If a
    /// buffer is lent, the bytes are read and written instead.
    Stuck,
    /// The offset, or the length of the headers or trailers, is above `i64::MAX`, the largest that the kernel knows.
    TooLarge(u64),
    /// The headers do not have the length that they had at the start.
    HeadersChanged {
        /// Bytes at the start.
        expected: u64,
        /// Bytes now.
        found: u64,
    },
    /// The trailers do not have the length that they had at the start.
    TrailersChanged {
        /// Bytes at the start.
        expected: u64,
        /// Bytes now.
        found: u64,
    },
    /// The output is a socket, but not a stream (`SOCK_STREAM`). The number is its `SO_TYPE`.
    NotAStream(u32),
    /// The flags have unknown bits, or more pages to read ahead than [`SfFlags::MAX_READAHEAD`](crate::SfFlags::MAX_READAHEAD).
    UnknownFlags(u32),
    /// A non-empty write returned 0.
    WriteZero,
    /// [`Transfer::copying`](crate::Transfer::copying) was asked for, and no buffer was lent.
    NoBuffer,
    /// No step was pending for the reported result, or it has more bytes than the step asked for.
    Unasked,
}

impl Error {
    /// Returns the kernel's error number. If the kernel gave none, it returns `EIO` for [`Truncated`](Self::Truncated),
    /// [`Stuck`](Self::Stuck) and [`WriteZero`](Self::WriteZero), and `EINVAL` for the rest.
    pub const fn errno(self) -> Errno {
        match self {
            Self::Errno(errno) => errno,
            Self::Truncated { .. } | Self::Stuck | Self::WriteZero => Errno::EIO,
            _ => Errno::EINVAL,
        }
    }

    /// Returns [`errno`](Self::errno) as a positive number, like `std::io::Error::raw_os_error`.
    pub const fn raw_os_error(self) -> i32 {
        self.errno().raw_os_error()
    }
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// Whether the kernel gave this number. Numbers that [`Error::errno`] chooses itself do not count.
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
            Self::Unasked => f.write_str("a result that no step asked for"),
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
