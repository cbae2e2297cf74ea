//! The steps that a transfer asks its driver to do, and the results that it is told.

use super::super::errno::Errno;
use super::super::iovec::IoSlice;
use super::super::sys;

/// The next thing to do. Do it and report the result to [`Transfer::complete`](crate::Transfer::complete).
///
/// [`Transfer::perform`](crate::Transfer::perform) does any of them by the calls named here.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Step<'a> {
    /// Ask for the kind of the output, by [`Output::of`](crate::Output::of); report the answer to
    /// [`Transfer::identified`](crate::Transfer::identified).
    Identify,
    /// Ask how many bytes the file has from here on, as `statx` states it; complete with their number. It comes only before a file is sent to
    /// [`Output::Layered`](crate::Output::Layered). Kernels before 6.5 say "more follows" by themselves if sendfile is asked for more than
    /// there is.
    Size {
        /// Where in the file, or at its position.
        offset: Option<u64>,
    },
    /// Ask whether the file has a byte here, by a `pread` of one byte; complete with the bytes read. It comes after a sendfile that
    /// returned 0, or a stated size of 0. The output may have taken nothing, or the file system may state too small a size.
    AtEnd {
        /// Where in the file, or at its position.
        offset: Option<u64>,
    },
    /// Write these slices, on a socket by `sendmsg(MSG_NOSIGNAL)` with `MSG_MORE` if `more`, else by `writev`; complete with
    /// the bytes written.
    Write {
        /// What to write.
        slices: Slices<'a>,
        /// Whether more follows, so that the kernel may wait for it before it sends a short segment.
        more: bool,
        /// Whether the output is a socket.
        socket: bool,
    },
    /// Set `TCP_CORK` if it is not set; complete with its earlier value, or with the error. If it was not set, it is the transfer's until
    /// the next `Flush`. On FreeBSD the option is `TCP_NOPUSH`, and what it holds back must not be what a later call waits for. Set it only if
    /// the send buffer (`ioctl` with `FIONSPACE`) surely has room for all that is left, else complete with `ENOBUFS`. On macOS clearing that would send nothing, so the option is `TCP_NODELAY`, which
    /// holds nothing.
    Cork,
    /// Send this range of the file: `sendfile`; complete with the bytes sent.
    SendFile {
        /// Where in the file, or at its position.
        offset: Option<u64>,
        /// Bytes.
        count: usize,
    },
    /// Send these headers and this range of the file with one call: `sendfile` with an `sf_hdtr`; complete with the bytes
    /// sent, the headers' included. On FreeBSD alone.
    SendFileHdtr {
        /// What is left of the headers.
        headers: Slices<'a>,
        /// Where in the file.
        offset: u64,
        /// Bytes of the file; never 0.
        count: usize,
    },
    /// Read this range of the file into the lent buffer by `pread`, and write as much as was read, as for `Write`; complete
    /// with the bytes written, 0 if there was nothing to read. What was read and not written is read again by a later step.
    /// At the file's position: read there by `pread` too, and move it with `lseek`, by what was read before the write and back
    /// by what was not written. If a write of at least one byte returns 0, that is an error here.
    Copy {
        /// Where in the file, or at its position.
        offset: Option<u64>,
        /// Bytes; no more than were lent.
        count: usize,
        /// Whether more follows.
        more: bool,
        /// Whether `more` holds only if the read fills `count`. A short read is taken for the end of the file.
        if_full: bool,
        /// Whether the output is a socket.
        socket: bool,
    },
    /// Gather the rest of the headers, this range of the file (by `pread`) and the trailers in the lent buffer. Write
    /// it all at once, as for `Write`, and complete with the bytes written. When the file is shorter, leave the trailers out; when
    /// there is nothing at all to write, complete with 0. If a write of at least one byte returns 0, that is an error here.
    /// `EINVAL` (of a file opened with `O_DIRECT`, say) leads to the single steps instead.
    Gather {
        /// The headers.
        headers: &'a [IoSlice<'a>],
        /// Bytes of the headers that are gone.
        sent: u64,
        /// Where in the file.
        offset: u64,
        /// Bytes of the file.
        count: usize,
        /// The trailers, whole; none if they do not fit.
        trailers: &'a [IoSlice<'a>],
        /// Whether more follows, because the trailers did not fit. It holds only if the file has all of `count`.
        more: bool,
        /// Whether the output is a socket.
        socket: bool,
    },
    /// Send the bytes that the kernel holds back in the hope of more: clear `TCP_CORK` if `uncork`; then, if `push` and the caller has
    /// not corked the socket, set `TCP_NODELAY` (which sends all that waits) and put it back. Complete with anything, or with
    /// the error if the output has no such option.
    Flush {
        /// Whether the cork is this transfer's.
        uncork: bool,
        /// Whether segments may be waiting for an acknowledgement.
        push: bool,
    },
    /// Nothing: all is sent and nothing waits.
    Done,
}

/// The result of one call: it moved so many bytes, and then it may have failed. FreeBSD's and macOS's sendfile do both in one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "it may have failed, and fewer bytes may have moved than were asked for"]
pub struct Moved {
    /// Bytes moved.
    pub bytes: usize,
    /// The error that stopped it, if it failed.
    pub error: Option<Errno>,
}

impl From<Result<usize, Errno>> for Moved {
    fn from(result: Result<usize, Errno>) -> Self {
        match result {
            Ok(bytes) => Self { bytes, error: None },
            Err(errno) => Self { bytes: 0, error: Some(errno) },
        }
    }
}

impl Moved {
    /// Returns the bytes, or the error if there were none: the rule of FreeBSD's and Python's sendfile.
    pub(crate) fn bytes_first(self) -> Result<usize, Errno> {
        match self {
            Self { bytes: 0, error: Some(errno) } => Err(errno),
            Self { bytes, .. } => Ok(bytes),
        }
    }
}

/// Slices to be written with one call.
#[derive(Clone, Copy, Debug)]
pub enum Slices<'a> {
    /// A part of one slice: what is left of it, or as much as one call may send.
    Rest(IoSlice<'a>),
    /// Slices of the caller's own list, 1024 at the most.
    Whole(&'a [IoSlice<'a>]),
}

impl<'a> Slices<'a> {
    /// The slices.
    pub const fn as_slice(&self) -> &[IoSlice<'a>] {
        match self {
            Self::Rest(slice) => core::slice::from_ref(slice),
            Self::Whole(slices) => slices,
        }
    }

    /// What one call of at most `most` bytes writes of `list` when `sent` bytes of it are gone.
    pub(super) fn after(list: &'a [IoSlice<'a>], mut sent: u64, most: usize) -> Self {
        for (index, slice) in list.iter().enumerate() {
            let len = slice.len() as u64;
            if sent < len {
                let rest = slice.part(sent as usize, most);
                if rest.len() < slice.len() {
                    return Self::Rest(rest);
                }
                return Self::whole(list.get(index..).unwrap_or(&[]), most);
            }
            sent -= len;
        }
        Self::Whole(&[])
    }

    /// As many of these as one call takes and `most` bytes hold; the first is no longer than that.
    fn whole(list: &'a [IoSlice<'a>], most: usize) -> Self {
        let mut room = most;
        let fitting = list.iter().take(sys::IOV_MAX).take_while(|slice| match room.checked_sub(slice.len()) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        });
        Self::Whole(list.get(..fitting.count()).unwrap_or(list))
    }
}

/// Bytes in a list. It saturates: overlapping slices can add up to more than there is memory.
pub(super) fn total_len(list: &[IoSlice<'_>]) -> u64 {
    list.iter().fold(0, |sum: u64, slice| sum.saturating_add(slice.len() as u64))
}
