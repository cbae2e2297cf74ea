//! The text of each error, its error number, and its conversion to std's error.

use bare_sendfile::{Errno, Error};

/// Every kind, its error number, its text.
fn all() -> [(Error, Errno, &'static str); 11] {
    [
        (Error::Errno(Errno::EPIPE), Errno::EPIPE, "Broken pipe (EPIPE, os error 32)"),
        (Error::Truncated { owed: 7 }, Errno::EIO, "the file ended 7 bytes before the count"),
        (
            Error::TooLarge(1 << 63),
            Errno::EINVAL,
            "9223372036854775808 is more than the kernel's largest offset, 9223372036854775807",
        ),
        (
            Error::HeadersChanged { expected: 1, found: 2 },
            Errno::EINVAL,
            "the headers had 1 bytes at the start and have 2 now",
        ),
        (
            Error::TrailersChanged { expected: 1, found: 2 },
            Errno::EINVAL,
            "the trailers had 1 bytes at the start and have 2 now",
        ),
        (Error::NotAStream(2), Errno::EINVAL, "the output is not a stream socket (SO_TYPE 2)"),
        (Error::UnknownFlags(0x20), Errno::EINVAL, "unknown flags 0x20"),
        (Error::Stuck, Errno::EIO, "sendfile returned 0 before the end of the file"),
        (Error::WriteZero, Errno::EIO, "a write returned 0"),
        (Error::NoBuffer, Errno::EINVAL, "copying needs a buffer"),
        (Error::Unasked, Errno::EINVAL, "a result that no step asked for"),
    ]
}

#[test]
fn errno_and_words() {
    for (error, errno, words) in all() {
        assert_eq!((error.errno(), error.to_string().as_str()), (errno, words));
    }
    assert_eq!(Error::from(Errno::EINTR), Error::Errno(Errno::EINTR));
    assert_eq!(Error::from(Errno::EINTR), Errno::EINTR);
    assert_ne!(Error::NoBuffer, Errno::EINVAL, "the number is only suggested");
    assert_eq!(Error::NoBuffer.raw_os_error(), 22);
}

#[cfg(feature = "std")]
#[test]
fn kinds_of_std() {
    use std::io::ErrorKind;
    for (error, _, words) in all() {
        let kind = match error {
            Error::Errno(_) => ErrorKind::BrokenPipe,
            Error::Truncated { .. } | Error::Stuck => ErrorKind::UnexpectedEof,
            Error::WriteZero => ErrorKind::WriteZero,
            _ => ErrorKind::InvalidInput,
        };
        let std = std::io::Error::from(error);
        assert_eq!(std.kind(), kind, "{error:?}");
        match error {
            Error::Errno(errno) => assert_eq!(std.raw_os_error(), Some(errno.raw_os_error())),
            _ => assert_eq!(std.to_string(), words),
        }
    }
}
