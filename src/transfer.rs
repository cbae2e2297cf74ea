//! What to do next, without doing it: headers, then the file, then trailers, from wherever it stopped.

use core::fmt;

use super::errno::Errno;
use super::iovec::IoSlice;
use super::sys;

/// How much of the file to send.
///
/// "To the end" is no number: a length computed as 0 sends nothing of the file, whatever the platform's own call would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// So many bytes; if the file has fewer, that is [`Error::Truncated`].
    Bytes(u64),
    /// Until a call returns 0. What fstat(2) says is not asked: procfs says 0.
    ToEnd,
}

impl From<u64> for Count {
    fn from(bytes: u64) -> Self {
        Self::Bytes(bytes)
    }
}

/// Bytes that the kernel took, per section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the headers.
    pub headers: u64,
    /// Bytes of the file.
    pub file: u64,
    /// Bytes of the trailers.
    pub trailers: u64,
}

impl Progress {
    /// All three together, which is what Python's `os.sendfile` returns. It saturates.
    pub const fn total(&self) -> u64 {
        self.headers.saturating_add(self.file).saturating_add(self.trailers)
    }
}

/// How the bytes of the file were moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mechanisms {
    /// Bytes by sendfile(2).
    pub sendfile: u64,
    /// Headers went with the file in one sendfile(2): FreeBSD's `sf_hdtr`. Elsewhere they are always written.
    pub hdtr: bool,
    /// Bytes through the lent buffer.
    pub copy: u64,
    /// Why sendfile was given up for the buffer, if it was.
    pub refused: Option<Errno>,
}

/// Why a transfer stopped before its end. What was sent until then stands in [`Transfer::progress`], and the transfer can
/// go on from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The kernel refused. `EAGAIN` and `EINTR` are no failures: go on when the output is writable, or at once.
    Errno(Errno),
    /// The file ended before the count: so many bytes are missing. The trailers were withheld.
    Truncated {
        /// Bytes of the file that were asked for and are not there.
        owed: u64,
    },
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
    /// The output is a socket, but not one of a stream (`SOCK_STREAM`): it has this `SO_TYPE`.
    NotAStream(usize),
    /// Bits that no flag has, or more pages to read ahead than [`SfFlags::MAX_READAHEAD`](crate::SfFlags::MAX_READAHEAD).
    UnknownFlags(u32),
    /// The output took nothing of a write that was not empty, and gave no reason.
    WriteZero,
    /// [`Transfer::copying`] was asked for, and no buffer lent.
    NoBuffer,
    /// A completion for no step, or of more bytes than its step asked for.
    Unasked,
}

impl Error {
    /// The error number: the kernel's, or `EINVAL` for an argument that was refused before any call. The rest have none.
    pub const fn errno(self) -> Option<Errno> {
        match self {
            Self::Errno(errno) => Some(errno),
            Self::TooLarge(_) | Self::NotAStream(_) | Self::UnknownFlags(_) => Some(Errno::EINVAL),
            _ => None,
        }
    }
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errno(errno) => errno.fmt(f),
            Self::Truncated { owed } => write!(f, "the file ended {owed} bytes before the count"),
            Self::TooLarge(number) => write!(f, "{number} is more than the kernel's largest offset, {}", i64::MAX),
            Self::HeadersChanged { expected, found } => {
                write!(f, "the headers had {expected} bytes at the start and have {found} now")
            }
            Self::TrailersChanged { expected, found } => {
                write!(f, "the trailers had {expected} bytes at the start and have {found} now")
            }
            Self::NotAStream(kind) => write!(f, "the output is not a stream socket (SO_TYPE {kind})"),
            Self::UnknownFlags(bits) => write!(f, "unknown flags {bits:#x}"),
            Self::WriteZero => f.write_str("the output took nothing"),
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
            Error::Truncated { .. } => Self::new(ErrorKind::UnexpectedEof, error),
            Error::WriteZero => Self::new(ErrorKind::WriteZero, error),
            _ => Self::new(ErrorKind::InvalidInput, error),
        }
    }
}

/// Slices to be written with one call.
#[derive(Clone, Copy, Debug)]
pub enum Slices<'a> {
    /// What is left of a slice that was sent in part.
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

    /// What is left of `list` when `sent` bytes of it are gone, without leading slices of length 0.
    fn after(list: &'a [IoSlice<'a>], mut sent: u64) -> Self {
        for (index, slice) in list.iter().enumerate() {
            let len = slice.len() as u64;
            if sent < len {
                if let Some(rest) = slice.as_slice().get(sent as usize..) {
                    if sent > 0 {
                        return Self::Rest(IoSlice::new(rest));
                    }
                }
                let whole = list.get(index..).unwrap_or(&[]);
                return Self::Whole(whole.get(..sys::IOV_MAX).unwrap_or(whole));
            }
            sent -= len;
        }
        Self::Whole(&[])
    }
}

/// Bytes in a list. It saturates: overlapping slices can add up to more than there is memory.
fn total_len(list: &[IoSlice<'_>]) -> u64 {
    list.iter().fold(0, |sum: u64, slice| sum.saturating_add(slice.len() as u64))
}

/// The next thing to do. Do it and tell [`Transfer::complete`] what came of it.
///
/// [`Transfer::perform`] does any of them by the calls named here.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Step<'a> {
    /// Find out what the output is: `getsockopt(SOL_SOCKET, SO_TYPE)`; complete with the value, or with the error.
    SocketType,
    /// Write these slices, on a socket by `sendmsg(MSG_NOSIGNAL)` with `MSG_MORE` if `more`, else by `writev`; complete with
    /// the bytes written.
    Write {
        /// What to write.
        slices: Slices<'a>,
        /// More follows, so the kernel may wait for it before it sends a short segment.
        more: bool,
        /// The output is a socket.
        socket: bool,
    },
    /// Set `TCP_CORK` if it is not set; complete with its earlier value, or with the error. On FreeBSD the option is
    /// `TCP_NOPUSH`; on macOS, where that would not let go of what it holds, `TCP_NODELAY`, which holds nothing.
    Cork,
    /// Send this range of the file: `sendfile`; complete with the bytes sent.
    SendFile {
        /// Where in the file, or at its position.
        offset: Option<u64>,
        /// Bytes.
        count: usize,
    },
    /// Send these headers and this range of the file with one call: `sendfile` with an `sf_hdtr`; complete with the bytes
    /// sent, the headers' included, or by [`Transfer::complete_with_error`] if it moved some and failed. On FreeBSD alone.
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
    /// by what was not written. A write that takes nothing of something is an error here.
    Copy {
        /// Where in the file, or at its position.
        offset: Option<u64>,
        /// Bytes; no more than were lent.
        count: usize,
        /// More follows.
        more: bool,
        /// The output is a socket.
        socket: bool,
    },
    /// Gather what is left of the headers, this range of the file (by `pread`) and the trailers in the lent buffer, and write
    /// it all at once, as for `Write`; complete with the bytes written. When the file is shorter, leave the trailers out; when
    /// there is nothing at all to write, complete with 0, which an output that takes nothing is not: that is an error here.
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
        /// More follows: the trailers did not fit.
        more: bool,
        /// The output is a socket.
        socket: bool,
    },
    /// Send what the kernel holds back in the hope of more: clear `TCP_CORK` if `uncork`; then, if `push` and the caller has
    /// not corked the socket, set `TCP_NODELAY` (which sends all that waits) and put it back. Complete with anything, or with
    /// the error if the output has no such option.
    Flush {
        /// The cork is this transfer's.
        uncork: bool,
        /// Segments may be waiting for an acknowledgement.
        push: bool,
    },
    /// All is sent and nothing waits.
    Done,
}

/// The step that was given and is not completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    Nothing,
    SocketType,
    Write { more: bool },
    Cork,
    SendFile,
    SendFileHdtr,
    Copy { more: bool },
    Gather { more: bool },
    Flush,
}

/// What the output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    Unknown,
    /// A stream socket, perhaps TCP.
    Stream,
    /// A stream socket that refused TCP's options: it holds nothing back.
    NotTcp,
    /// A file or pipe.
    NotSocket,
}

/// Who holds the cork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cork {
    Untried,
    Ours,
    Theirs,
}

/// What may be waiting in the kernel for longer than after one write of the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Held {
    Nothing,
    /// Bytes sent with "more follows". A later write without it takes them along.
    More,
    /// Bytes behind a short segment of this transfer, for which Nagle's algorithm wants an acknowledgement first; or held
    /// by a kernel before 6.5, which says "more follows" by itself when the file ends before the count.
    Torn,
}

/// A send of headers, a range of a file and trailers, that can stop anywhere and go on from there.
///
/// It performs no I/O, and holds no slice, buffer or descriptor: it is plain data, `'static`, and takes the caller's headers
/// and trailers with each step. Ask for the [`next_step`](Self::next_step), do it, [`complete`](Self::complete) it;
/// [`perform`](Self::perform) is the latter two:
///
/// ```
/// # #[cfg(feature = "std")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use bare_sendfile::{Count, IoSlice, Step, Transfer};
/// # let file = std::fs::File::open("Cargo.toml")?;
/// # let (socket, receiver) = std::os::unix::net::UnixStream::pair()?;
/// let headers = [IoSlice::new(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n")];
/// let mut transfer = Transfer::new(0, Count::Bytes(20), &headers, &[])?;
/// loop {
///     match transfer.next_step(&headers, &[], 0)? {
///         Step::Done => break,
///         step => transfer.perform(&step, &socket, &file, &mut [])?,
///     }
/// }
/// assert_eq!(transfer.progress().total(), 39 + 20);
/// # drop(receiver);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "std"))]
/// # fn main() {}
/// ```
///
/// # Blocking, epoll, async
///
/// On a blocking output the loop is [`send_all`](crate::send_all). With epoll, [`poll_send`](crate::poll_send) whenever the
/// socket is writable:
///
/// ```
/// # #[cfg(all(feature = "std", target_os = "linux"))]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use bare_sendfile::{Count, IoSlice, Status, Transfer, poll_send};
/// # use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
/// # let file = std::fs::File::open("Cargo.toml")?;
/// # let (socket, receiver) = std::os::unix::net::UnixStream::pair()?;
/// # socket.set_nonblocking(true)?;
/// # let headers = [IoSlice::new(b"head")];
/// let epoll = epoll::create(CreateFlags::CLOEXEC)?;
/// epoll::add(&epoll, &socket, EventData::new_u64(0), EventFlags::OUT)?;
/// let mut transfer = Transfer::new(0, Count::ToEnd, &headers, &[])?;
/// let mut events = Vec::with_capacity(64);
/// loop {
///     epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None)?;
///     if poll_send(&mut transfer, &socket, &file, &headers, &[], &mut [])? == Status::Done {
///         break; // of many connections this one
///     }
/// }
/// # drop(receiver);
/// # Ok(())
/// # }
/// # #[cfg(not(all(feature = "std", target_os = "linux")))]
/// # fn main() {}
/// ```
///
/// In an async task, between two waits of the runtime; `examples/servers` has it for tokio and smol to the letter:
///
/// ```
/// # #[cfg(feature = "std")]
/// # mod example {
/// # use bare_sendfile::{IoSlice, Status, Transfer, poll_send};
/// # use std::{fs::File, io, net::TcpStream};
/// async fn serve(
///     socket: &TcpStream,
///     writable: impl AsyncFn() -> io::Result<()>, // of the runtime
///     file: &File,
///     headers: &[IoSlice<'_>],
/// ) -> io::Result<()> {
///     let mut transfer = Transfer::new(0, file.metadata()?.len(), headers, &[])?;
///     while poll_send(&mut transfer, socket, file, headers, &[], &mut [])? != Status::Done {
///         writable().await?;
///     }
///     Ok(())
/// }
/// # }
/// ```
///
/// # Leaving early
///
/// [`sendfile_hdtr`](crate::sendfile_hdtr) is that loop, and flushes on every way out. A loop that stops early does so too:
/// [`flush`](Self::flush) gives the step. Dropping a `Transfer` does nothing.
///
/// A clone is a checkpoint of the same stream. Driving both sends bytes twice.
///
/// **The flush promise.** When `next_step` has said [`Step::Done`], or the step of `flush` is done, no byte waits in the
/// kernel for longer than after one plain write of the same bytes. Under a `TCP_CORK` that the caller set, nothing is flushed.
/// Where the kernel does TLS on the socket, it gathers records as well, and no option pushes a record that was begun: there the
/// promise is kept by the last step alone, not by `flush`.
#[derive(Clone, Debug)]
pub struct Transfer {
    offset: Option<u64>,
    count: Count,
    headers_len: u64,
    trailers_len: u64,
    sent: Progress,
    copied: u64,
    /// Why sendfile was given up.
    refused: Option<Errno>,
    /// An error that came together with progress, for the next step.
    kept: Option<Errno>,
    /// Bytes that the pending step asked for.
    asked: usize,
    /// The most bytes of a file step.
    cap: u32,
    /// The largest body that is gathered.
    small: u32,
    pending: Pending,
    output: Output,
    cork: Cork,
    /// Nothing was tried since the cork was set.
    corked: bool,
    held: Held,
    /// A flush came before the end.
    flushed: bool,
    at_end: bool,
    copying: bool,
    /// A buffer was lent for the pending step.
    lent: bool,
    /// Headers are given to sendfile with the file, where it takes them.
    joins: bool,
    /// Some were.
    joined: bool,
}

impl Transfer {
    /// The most bytes of the file that one step moves, unless [`with_cap`](Self::with_cap) says otherwise: 2 MiB. A single
    /// call of 2 GiB can hold a thread for seconds even on a nonblocking socket with a fast reader.
    pub const DEFAULT_CAP: usize = 2 << 20;

    /// The largest body that goes out in one write with its headers when a buffer is lent, unless
    /// [`with_small`](Self::with_small) says otherwise: 8 KiB, above which copying costs more than it saves (benches/small.py
    /// measures it).
    pub const DEFAULT_SMALL: usize = 8 << 10;

    /// Headers, then `count` of the file from `offset` (in bytes) on, then trailers.
    ///
    /// Only the lengths of the lists are kept: pass the same bytes to each step.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`]: the offset or the length of a list is above `i64::MAX`.
    pub fn new(
        offset: u64,
        count: impl Into<Count>,
        headers: &[IoSlice<'_>],
        trailers: &[IoSlice<'_>],
    ) -> Result<Self, Error> {
        Self::start(Some(offset), count.into(), headers, trailers)
    }

    /// The same from the current position of the input on, which advances with what is sent. Linux only.
    ///
    /// Others that use the same file description at the same time move the same position; a copy through a lent buffer
    /// reads and then advances in two calls, so it is not atomic against them, as sendfile is. Devices whose position does not
    /// move are refused by such a copy, with `ESPIPE`: [`StreamCopy`](crate::StreamCopy) is for them.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`]: the length of a list is above `i64::MAX`.
    #[cfg(target_os = "linux")]
    pub fn from_position(
        count: impl Into<Count>,
        headers: &[IoSlice<'_>],
        trailers: &[IoSlice<'_>],
    ) -> Result<Self, Error> {
        Self::start(None, count.into(), headers, trailers)
    }

    fn start(
        offset: Option<u64>,
        count: Count,
        headers: &[IoSlice<'_>],
        trailers: &[IoSlice<'_>],
    ) -> Result<Self, Error> {
        let (headers_len, trailers_len) = (total_len(headers), total_len(trailers));
        let largest = headers_len.max(trailers_len).max(offset.unwrap_or(0));
        if largest > i64::MAX as u64 {
            return Err(Error::TooLarge(largest));
        }
        Ok(Self {
            offset,
            count,
            headers_len,
            trailers_len,
            sent: Progress::default(),
            copied: 0,
            refused: None,
            kept: None,
            asked: 0,
            cap: Self::DEFAULT_CAP as u32,
            small: Self::DEFAULT_SMALL as u32,
            pending: Pending::Nothing,
            output: Output::Unknown,
            cork: Cork::Untried,
            corked: false,
            held: Held::Nothing,
            flushed: false,
            at_end: false,
            copying: false,
            lent: false,
            joins: sys::NATIVE_HDTR,
            joined: false,
        })
    }

    /// At most so many bytes of the file with one step (0 counts as 1), for fairness among connections.
    #[must_use]
    pub const fn with_cap(mut self, bytes: usize) -> Self {
        self.cap = match bytes {
            0 => 1,
            1..=sys::MAX_RW_COUNT => bytes as u32,
            _ => sys::MAX_RW_COUNT as u32,
        };
        self
    }

    /// Gathers what is left of the file up to so many bytes together with headers and trailers in the lent buffer, if they
    /// fit, for one write instead of several calls; 0 for never.
    #[must_use]
    pub const fn with_small(mut self, bytes: usize) -> Self {
        self.small = match bytes {
            0..=sys::MAX_RW_COUNT => bytes as u32,
            _ => sys::MAX_RW_COUNT as u32,
        };
        self
    }

    /// Copies through the lent buffer from the start on: a snapshot, which later writes to the file cannot change once it is
    /// sent, as they can with sendfile. Each step then needs a buffer.
    #[must_use]
    pub const fn copying(mut self) -> Self {
        self.copying = true;
        self
    }

    /// Takes the caller's word that the output is a stream socket, which saves [`Step::SocketType`], one system call. On any
    /// other output writes fail with `ENOTSOCK`.
    #[must_use]
    pub const fn for_stream_socket(mut self) -> Self {
        self.output = Output::Stream;
        self
    }

    /// Bytes sent until now.
    pub const fn progress(&self) -> Progress {
        self.sent
    }

    /// How the bytes of the file were moved until now.
    pub const fn mechanisms(&self) -> Mechanisms {
        Mechanisms {
            sendfile: self.sent.file - self.copied,
            hdtr: self.joined,
            copy: self.copied,
            refused: self.refused,
        }
    }

    /// Whether the kernel may be holding bytes back in the hope of more, so that [`flush`](Self::flush) is due before the
    /// transfer is left.
    pub fn flush_owed(&self) -> bool {
        self.cork == Cork::Ours || self.held != Held::Nothing
    }

    /// The step that flushes, if one is owed: for leaving the transfer, for a while or for good. It takes the place of a
    /// step that was given and not completed.
    pub fn flush(&mut self) -> Option<Step<'static>> {
        self.flush_owed().then(|| {
            self.pending = Pending::Flush;
            Step::Flush { uncork: self.cork == Cork::Ours, push: self.held != Held::Nothing }
        })
    }

    /// What to do next. `headers` and `trailers` are those of the start; `lent` is the length of a buffer for
    /// [`Step::Copy`], 0 for none.
    ///
    /// **Lending a buffer is consent.** With one, a file that sendfile refuses is read and written instead; without one,
    /// nothing passes through user space and the refusal is the error.
    ///
    /// Asked again without a completion, it gives the same step.
    ///
    /// # Errors
    ///
    /// [`Error::HeadersChanged`], [`Error::TrailersChanged`], [`Error::NoBuffer`]; [`Error::Errno`] if an error came
    /// together with progress and was kept for this moment.
    pub fn next_step<'a>(
        &mut self,
        headers: &'a [IoSlice<'a>],
        trailers: &'a [IoSlice<'a>],
        lent: usize,
    ) -> Result<Step<'a>, Error> {
        let found = total_len(headers);
        if found != self.headers_len {
            return Err(Error::HeadersChanged { expected: self.headers_len, found });
        }
        let found = total_len(trailers);
        if found != self.trailers_len {
            return Err(Error::TrailersChanged { expected: self.trailers_len, found });
        }
        if let Some(errno) = self.kept.take() {
            return Err(Error::Errno(errno));
        }
        self.lent = lent > 0;
        if self.output == Output::Unknown {
            self.pending = Pending::SocketType;
            return Ok(Step::SocketType);
        }
        if let Some(step) = self.gather(headers, trailers, lent) {
            return Ok(step);
        }
        if self.sent.headers < self.headers_len {
            let (slices, rest) = self.write(headers, self.sent.headers, self.headers_len);
            let at_limit = self.offset == Some(i64::MAX as u64); // no byte of the file was sent before them
            if self.joins && !rest && !self.file_complete() && !at_limit && !self.copying && self.is_socket() {
                return self.file_step(lent, Some(slices));
            }
            let more = rest || self.trailers_len > 0 || !self.file_complete();
            if self.corks(more) {
                return Ok(Step::Cork);
            }
            self.pending = Pending::Write { more };
            return Ok(Step::Write { slices, more, socket: self.is_socket() });
        }
        if !self.file_complete() {
            return self.file_step(lent, None);
        }
        if self.sent.trailers < self.trailers_len {
            let (slices, more) = self.write(trailers, self.sent.trailers, self.trailers_len);
            if self.corks(more) {
                return Ok(Step::Cork);
            }
            self.pending = Pending::Write { more };
            return Ok(Step::Write { slices, more, socket: self.is_socket() });
        }
        Ok(self.flush().unwrap_or(Step::Done))
    }

    /// What to write of `list`, and whether something is left of it after that.
    fn write<'a>(&mut self, list: &'a [IoSlice<'a>], sent: u64, len: u64) -> (Slices<'a>, bool) {
        let slices = Slices::after(list, sent);
        let asked = total_len(slices.as_slice());
        self.asked = asked as usize;
        (slices, sent + asked < len)
    }

    /// Whether the cork has to be tried first: what is written now must not go out alone, and the write cannot say so.
    fn corks(&mut self, more: bool) -> bool {
        let more = more || (sys::CORKS_FILES && self.sent.total() > 0); // what follows a short segment waits, too
        let corks = !sys::HAS_MSG_MORE && more && self.output == Output::Stream && self.cork == Cork::Untried;
        if corks {
            self.pending = Pending::Cork;
        }
        corks
    }

    /// One write for all that is left, if the file's part is small and there is something to join it with.
    fn gather<'a>(&mut self, headers: &'a [IoSlice<'a>], trailers: &'a [IoSlice<'a>], lent: usize) -> Option<Step<'a>> {
        let (Some(start), Count::Bytes(count)) = (self.offset, self.count) else { return None };
        let headers_left = self.headers_len - self.sent.headers;
        let file_left = count - self.sent.file;
        let room = (lent as u64).checked_sub(headers_left)?.checked_sub(file_left)?;
        let offset = start + self.sent.file;
        if headers_left + self.trailers_len == 0
            || file_left == 0
            || file_left > u64::from(self.small.min(self.cap)).min(i64::MAX as u64 - offset)
        {
            return None;
        }
        let more = self.trailers_len > room;
        if self.corks(more) {
            return Some(Step::Cork);
        }
        let trailers_left = if more { 0 } else { self.trailers_len };
        self.asked = (headers_left + file_left + trailers_left) as usize;
        self.pending = Pending::Gather { more };
        Some(Step::Gather {
            headers,
            sent: self.sent.headers,
            offset,
            count: file_left as usize,
            trailers: if more { &[] } else { trailers },
            more,
            socket: self.is_socket(),
        })
    }

    /// The next step of the file, together with these headers, if any.
    fn file_step<'a>(&mut self, lent: usize, headers: Option<Slices<'a>>) -> Result<Step<'a>, Error> {
        let offset = self.offset.map(|start| start + self.sent.file);
        let left = match self.count {
            Count::Bytes(count) => count - self.sent.file,
            Count::ToEnd => u64::MAX,
        };
        // No offset, and so no count, goes beyond what the kernel can hold in a signed number.
        let room = i64::MAX as u64 - offset.unwrap_or(0);
        let count = left.min(room).min(u64::from(self.cap)) as usize;
        if self.copying && lent > 0 {
            let count = count.min(lent);
            let more = self.trailers_len > 0 || (count as u64) < left;
            if self.corks(more) {
                return Ok(Step::Cork);
            }
            self.asked = count;
            self.pending = Pending::Copy { more };
            return Ok(Step::Copy { offset, count, more, socket: self.is_socket() });
        }
        if self.copying && self.refused.is_none() {
            return Err(Error::NoBuffer);
        }
        // Only the last call can be followed by trailers; to the end, any call can be the last.
        let last = self.count == Count::ToEnd || count as u64 == left;
        if (last && self.trailers_len > 0 || sys::CORKS_FILES)
            && self.output == Output::Stream
            && self.cork == Cork::Untried
        {
            self.pending = Pending::Cork;
            return Ok(Step::Cork);
        }
        if let (Some(headers), Some(offset)) = (headers, offset) {
            self.asked = count.saturating_add(self.asked);
            self.pending = Pending::SendFileHdtr;
            return Ok(Step::SendFileHdtr { headers, offset, count });
        }
        self.asked = count;
        self.pending = Pending::SendFile;
        Ok(Step::SendFile { offset, count })
    }

    /// Tells what came of the step that [`next_step`](Self::next_step) or [`flush`](Self::flush) gave: what the system call
    /// returned.
    ///
    /// # Errors
    ///
    /// What should stop the loop for now: the call's error (`EAGAIN`, `EINTR` and real ones), [`Error::Truncated`],
    /// [`Error::NotAStream`], [`Error::WriteZero`], [`Error::Unasked`]. Asking for the next step goes on from where it
    /// stopped.
    pub fn complete(&mut self, result: Result<usize, Errno>) -> Result<(), Error> {
        let asked = match self.pending {
            Pending::SocketType | Pending::Cork | Pending::Flush => usize::MAX, // no bytes
            _ => self.asked,
        };
        self.apply(result.map(|moved| moved.min(asked)))?;
        // The kernel cannot have moved more than it was asked for; what it was asked for is counted.
        if result.is_ok_and(|moved| moved > asked) { Err(Error::Unasked) } else { Ok(()) }
    }

    fn apply(&mut self, result: Result<usize, Errno>) -> Result<(), Error> {
        let corked = core::mem::replace(&mut self.corked, self.pending == Pending::Cork);
        let pending = core::mem::replace(&mut self.pending, Pending::Nothing);
        let tried = match pending {
            Pending::SendFile | Pending::SendFileHdtr => true,
            Pending::Write { .. } | Pending::Copy { .. } | Pending::Gather { .. } => !sys::HAS_MSG_MORE,
            _ => false,
        };
        if tried && self.cork == Cork::Theirs {
            self.cork = Cork::Untried; // they may clear it before the next step
        }
        match pending {
            Pending::Nothing => Err(Error::Unasked),
            Pending::SocketType => self.socket_type(result),
            Pending::Cork => {
                match result {
                    Ok(0) => self.cork = Cork::Ours,
                    Ok(_) => self.cork = Cork::Theirs,
                    Err(_) => self.output = Output::NotTcp,
                }
                Ok(())
            }
            Pending::Flush => {
                if result.is_err() {
                    self.output = Output::NotTcp;
                }
                // To a caller that flushes after every step, another cork would be followed by another flush for ever: the
                // next call does without, as under the caller's.
                self.cork = if corked { Cork::Theirs } else { Cork::Untried };
                self.held = Held::Nothing;
                self.flushed = true;
                Ok(())
            }
            Pending::Write { more } => match result? {
                0 => Err(Error::WriteZero),
                moved => {
                    self.written(moved, more);
                    Ok(())
                }
            },
            Pending::Gather { .. } if result == Err(Errno::EINVAL) => {
                // A file opened with O_DIRECT refuses to be read so, and may well be sent.
                self.small = 0;
                Ok(())
            }
            Pending::Copy { more } | Pending::Gather { more } => match result? {
                0 if self.sent.headers < self.headers_len => Err(Error::WriteZero),
                0 => self.end_of_file(),
                moved => {
                    let before = self.sent.file;
                    self.written(moved, more);
                    self.copied += self.sent.file - before;
                    Ok(())
                }
            },
            Pending::SendFile | Pending::SendFileHdtr => {
                match result {
                    // No byte of the file, and the kernel drops the headers then: they are written before it is asked again.
                    Ok(0) if pending == Pending::SendFileHdtr => {
                        self.joins = false;
                        Ok(())
                    }
                    Ok(0) => self.end_of_file(),
                    Ok(moved) => {
                        self.joined |= pending == Pending::SendFileHdtr;
                        self.sent_file(moved);
                        Ok(())
                    }
                    Err(errno) if self.lent && self.is_refusal(errno) => {
                        self.copying = true;
                        self.refused = Some(errno);
                        Ok(())
                    }
                    Err(errno) => Err(Error::Errno(errno)),
                }
            }
        }
    }

    /// As [`complete`](Self::complete), for a call that moved bytes and failed in one: the bytes count now, and the error
    /// is kept and given by the next step, without another call.
    ///
    /// # Errors
    ///
    /// As for [`complete`](Self::complete).
    pub fn complete_with_error(&mut self, moved: usize, errno: Errno) -> Result<(), Error> {
        if moved == 0 {
            return self.complete(Err(errno));
        }
        self.kept = Some(errno);
        self.complete(Ok(moved))
    }

    fn socket_type(&mut self, result: Result<usize, Errno>) -> Result<(), Error> {
        self.output = match result {
            Ok(sys::SOCK_STREAM) => Output::Stream,
            Ok(kind) => return Err(Error::NotAStream(kind)),
            Err(Errno::ENOTSOCK) => Output::NotSocket,
            Err(errno) => return Err(Error::Errno(errno)),
        };
        Ok(())
    }

    /// Bytes were written, with "more follows" or without.
    fn written(&mut self, moved: usize, more: bool) {
        self.advance(moved);
        if more {
            // A cork of our own holds it where the write did not say so.
            if sys::HAS_MSG_MORE || self.cork != Cork::Ours {
                self.hold(Held::More);
            }
        } else if self.held == Held::More {
            self.held = Held::Nothing;
        }
        // A full send buffer goes out to its last byte, even under a cork, and so does all that a flush finds.
        if moved < self.asked || self.flushed {
            self.hold(Held::Torn);
        }
    }

    /// Bytes of the file were sent.
    fn sent_file(&mut self, moved: usize) {
        self.written(moved, false);
        // Under our own cork a full step tears nothing, and clearing it flushes.
        if !self.file_complete() && self.cork != Cork::Ours {
            self.hold(Held::Torn);
        }
    }

    /// Counts bytes for the sections in their order. A step asks for no byte of a later section unless it takes all that is
    /// left of the earlier ones.
    fn advance(&mut self, moved: usize) {
        let moved = moved as u64;
        let headers = moved.min(self.headers_len - self.sent.headers);
        let file = match self.count {
            Count::Bytes(count) => (moved - headers).min(count - self.sent.file),
            Count::ToEnd if self.at_end => 0,
            Count::ToEnd => moved - headers,
        };
        self.sent.headers += headers;
        self.sent.file += file;
        self.sent.trailers += moved - headers - file;
    }

    fn hold(&mut self, held: Held) {
        if self.output == Output::Stream {
            self.held = self.held.max(held);
        }
    }

    fn end_of_file(&mut self) -> Result<(), Error> {
        match self.count {
            Count::Bytes(count) => Err(Error::Truncated { owed: count - self.sent.file }),
            Count::ToEnd => {
                self.at_end = true;
                Ok(())
            }
        }
    }

    fn file_complete(&self) -> bool {
        match self.count {
            Count::Bytes(count) => self.sent.file == count,
            Count::ToEnd => self.at_end,
        }
    }

    fn is_socket(&self) -> bool {
        self.output != Output::NotSocket
    }

    /// Whether sendfile cannot serve this pair of files, where read and write perhaps can. `EINVAL` says so because the
    /// arguments were clamped. `EPERM` may be a seccomp filter's; the write will tell.
    fn is_refusal(&self, errno: Errno) -> bool {
        match errno {
            Errno::EINVAL
            | Errno::ENOSYS
            | Errno::EOPNOTSUPP
            | Errno::ENOTSOCK
            | Errno::EXDEV
            | Errno::EOVERFLOW
            | Errno::EPERM => true,
            Errno::ESPIPE => self.offset.is_none(),
            _ => errno == Errno::ENOTSUP, // on macOS not the same as EOPNOTSUPP
        }
    }
}
