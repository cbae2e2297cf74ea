//! The steps that a transfer asks its driver to do, and the results that are reported to it.

use super::super::errno::Errno;
use super::super::iovec::IoSlice;
use super::super::sys;

/// The next thing to do. Do it, and report the result to [`Transfer::complete`](crate::Transfer::complete). `Identify` has a method of its
/// own for the result, and `Done` has no result.
///
/// [`Transfer::perform`](crate::Transfer::perform) does any of them, by the calls named here.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Step<'a> {
    /// Ask for the kind of the output by [`Output::of`](crate::Output::of). Report it to
    /// [`Transfer::identified`](crate::Transfer::identified).
    Identify,
    /// Ask by `statx` how many bytes the file has from here on. Report their number. This step comes only before a file is sent to
    /// [`Output::Layered`](crate::Output::Layered), because Linux before 6.5 sets `MSG_MORE` by itself if sendfile is asked for more than
    /// there is.
    Size {
        /// The offset in the file, or `None` for its position.
        offset: Option<u64>,
    },
    /// Use a one-byte `pread` to test whether the file continues here. Report the bytes read. This step comes, if no buffer is lent,
    /// after a sendfile that returned 0 or a size of 0. The file may go on: the output may have accepted nothing, or the size may be wrong.
    AtEnd {
        /// The offset in the file, or `None` for its position.
        offset: Option<u64>,
    },
    /// Write these slices. Report the bytes written. If `socket`, use `sendmsg` with `MSG_NOSIGNAL`, and with `MSG_MORE` if `more`.
    /// Otherwise use `writev`.
    Write {
        /// The slices.
        slices: Slices<'a>,
        /// Whether more follows, so that the kernel may hold a short segment back.
        more: bool,
        /// Whether the output is a socket.
        socket: bool,
    },
    /// Set `TCP_CORK` if it is not already set. Report its earlier value, or the error. If it was not set, the cork belongs to the transfer
    /// until the next `Flush`.
    ///
    /// - On FreeBSD the option is `TCP_NOPUSH`. While it is set, a call can wait for room that only the held bytes would free. So set it
    ///   only if the send buffer has room (`ioctl` with `FIONSPACE`) for twice the bytes left in the transfer, plus 13056 bytes. The 13056 are
    ///   3 × 4352, the most that the kernel counts for three parts of pages. If there is less room, or the number of bytes left is not known,
    ///   report `ENOBUFS`. [`Transfer::perform`](crate::Transfer::perform) does all that.
    /// - On macOS, clearing `TCP_NOPUSH` would send nothing. So the option is `TCP_NODELAY`, which holds nothing back.
    Cork,
    /// Send this range of the file by `sendfile`. Report the bytes sent.
    SendFile {
        /// The offset in the file, or `None` for its position.
        offset: Option<u64>,
        /// Bytes.
        count: usize,
    },
    /// Send these headers and this range of the file by one `sendfile` with an `sf_hdtr`. Report the bytes sent, headers included.
    /// FreeBSD only.
    SendFileHdtr {
        /// The rest of the headers.
        headers: Slices<'a>,
        /// Where in the file.
        offset: u64,
        /// Bytes of the file; never 0.
        count: usize,
    },
    /// Read this range of the file into the lent buffer by `pread`, and write the bytes that were read, as for `Write`. Report the bytes
    /// written, or 0 if the read returned none. A later step rereads the bytes that were not written. If a non-empty write returns 0, report
    /// an error; [`Transfer::perform`](crate::Transfer::perform) reports `EIO`.
    ///
    /// At the file's position, use `pread` as well. Advance the position by `lseek` before the write, and move it back after a short write.
    Copy {
        /// The offset in the file, or `None` for its position.
        offset: Option<u64>,
        /// Bytes, at most the length of the lent buffer.
        count: usize,
        /// Whether more follows.
        more: bool,
        /// Whether `more` applies only if the read fills `count`. A shorter read can be the end of the file, and then nothing follows.
        if_full: bool,
        /// Whether the output is a socket.
        socket: bool,
    },
    /// Gather the rest of the headers, this range of the file (by `pread`) and the trailers in the lent buffer. Write them with one call, as
    /// for `Write`. Report the bytes written.
    ///
    /// - If the file is shorter, leave the trailers out.
    /// - If there is nothing to write, report 0. If a non-empty write returns 0, report an error, as for `Copy`.
    /// - After `EINVAL` (of a file opened with `O_DIRECT`, for example) the transfer returns single steps instead.
    Gather {
        /// The headers.
        headers: &'a [IoSlice<'a>],
        /// Bytes of the headers that are sent already.
        sent: u64,
        /// Where in the file.
        offset: u64,
        /// Bytes of the file.
        count: usize,
        /// The trailers, or an empty list if they do not fit.
        trailers: &'a [IoSlice<'a>],
        /// Whether more follows, because the trailers did not fit. It applies only if the file has all of `count`.
        more: bool,
        /// Whether the output is a socket.
        socket: bool,
    },
    /// Send the bytes that the kernel holds back. This step also comes before the end, if the next call does not fit under the cork. If
    /// `uncork` is false and the caller has set the cork, do nothing. Report `Ok` with any value, or the error of the option.
    ///
    /// - On Linux, clear `TCP_CORK` if `uncork`. If `push`, set `TCP_NODELAY`, which sends all that waits, and then restore the value that
    ///   `TCP_NODELAY` had before.
    /// - On FreeBSD, setting `TCP_NODELAY` sends nothing by itself. If `push`, set `TCP_NODELAY` and `TCP_NOPUSH`. In any case clear
    ///   `TCP_NOPUSH`, which sends. Then restore `TCP_NODELAY`.
    /// - On macOS, clear `TCP_NODELAY` if `uncork`. Nothing waits.
    Flush {
        /// Whether this transfer has set the cork.
        uncork: bool,
        /// Whether bytes may wait even without a cork: for an acknowledgement, or because the kernel was told that more follows.
        push: bool,
    },
    /// Do nothing: all is sent and nothing waits.
    Done,
}

/// The result of one call: the bytes that it moved, and its error. FreeBSD's and macOS's sendfile can return both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "it may have failed, and fewer bytes may have moved than were asked for"]
pub struct Moved {
    /// Bytes moved.
    pub bytes: usize,
    /// The error, if the call failed.
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
    /// Returns the bytes, or the error if no bytes were moved, as FreeBSD's and Python's sendfile do.
    pub(crate) fn bytes_first(self) -> Result<usize, Errno> {
        match self {
            Self { bytes: 0, error: Some(errno) } => Err(errno),
            Self { bytes, .. } => Ok(bytes),
        }
    }
}

/// The slices of one write.
#[derive(Clone, Copy, Debug)]
pub enum Slices<'a> {
    /// A part of one slice: its rest, or as much as one call may send.
    Rest(IoSlice<'a>),
    /// Slices of the caller's own list, at most 1024.
    Whole(&'a [IoSlice<'a>]),
}

impl<'a> Slices<'a> {
    /// Returns the slices.
    pub const fn as_slice(&self) -> &[IoSlice<'a>] {
        match self {
            Self::Rest(slice) => core::slice::from_ref(slice),
            Self::Whole(slices) => slices,
        }
    }

    /// Returns the slices that one call of at most `most` bytes writes, if `sent` bytes of `list` are sent already.
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

    /// Returns as many of these slices as fit in one call and in `most` bytes. The first one fits.
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

/// Returns the bytes in a list. The sum saturates, because overlapping slices can add up to more than there is memory.
pub(super) fn total_len(list: &[IoSlice<'_>]) -> u64 {
    list.iter().fold(0, |sum: u64, slice| sum.saturating_add(slice.len() as u64))
}
