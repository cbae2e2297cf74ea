//! The state machine. It decides what to do next, without doing it: headers, the file, trailers, from wherever it stopped.

mod error;
mod output;
mod step;

use core::ops::{Range, RangeFrom, RangeFull, RangeInclusive};

use super::errno::Errno;
use super::iovec::IoSlice;
use super::sys;
pub use error::Error;
pub use output::Output;
use output::{MAX_SKB_FRAGS, PAGE, SendQueue, Taken};
use step::total_len;
pub use step::{Moved, Slices, Step};

/// How much of the file to send.
///
/// "To the end" is not a number. A length computed as 0 sends nothing of the file, although FreeBSD's and macOS's own call would send
/// all of it.
///
/// A range converts to its length, and an open range to "to the end". Pass the start as the offset:
///
/// ```
/// use bare_sendfile::Count;
/// assert_eq!(Count::from(100), Count::Bytes(100));
/// assert_eq!(Count::from(10..15), Count::Bytes(5));
/// assert_eq!(Count::from(10..=15), Count::Bytes(6));
/// assert_eq!(Count::from(10..), Count::ToEnd);
/// assert_eq!(Count::from_usize([0; 7].len()), Count::Bytes(7));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// This many bytes. If the file has fewer, the error is [`Error::Truncated`].
    Bytes(u64),
    /// To the end of the file. The size of fstat(2) is not trusted, because procfs reports 0.
    ToEnd,
}

impl Count {
    /// Returns a count of this many bytes. (With `From<usize>` beside `From<u64>`, the type of a plain `100` would be ambiguous.)
    pub const fn from_usize(bytes: usize) -> Self {
        Self::Bytes(bytes as u64)
    }
}

impl From<u64> for Count {
    fn from(bytes: u64) -> Self {
        Self::Bytes(bytes)
    }
}

/// The length of the range, 0 if it ends before it starts.
impl From<Range<u64>> for Count {
    fn from(range: Range<u64>) -> Self {
        Self::Bytes(range.end.saturating_sub(range.start))
    }
}

/// The length of the range, as of HTTP's `bytes=0-99`; 0 if it ends before it starts.
impl From<RangeInclusive<u64>> for Count {
    fn from(range: RangeInclusive<u64>) -> Self {
        if range.is_empty() { Self::Bytes(0) } else { Self::from(*range.start()..range.end().saturating_add(1)) }
    }
}

impl From<RangeFrom<u64>> for Count {
    fn from(_: RangeFrom<u64>) -> Self {
        Self::ToEnd
    }
}

impl From<RangeFull> for Count {
    fn from(_: RangeFull) -> Self {
        Self::ToEnd
    }
}

/// Bytes that the kernel has accepted, per section.
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
    /// Returns the sum of the three, as Python's `os.sendfile` does. The sum saturates.
    pub const fn total(&self) -> u64 {
        self.headers.saturating_add(self.file).saturating_add(self.trailers)
    }
}

/// How the bytes of the file were moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mechanisms {
    /// Bytes by sendfile(2).
    pub sendfile: u64,
    /// Whether headers went into one sendfile(2) with the file (FreeBSD's `sf_hdtr`). On other systems headers are always written.
    pub hdtr: bool,
    /// Bytes that passed through the lent buffer.
    pub copy: u64,
    /// The error that made the transfer use the lent buffer instead of sendfile, if one did.
    pub refused: Option<Errno>,
}

/// The step that was returned and not completed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    Nothing,
    Identify,
    Size { lent: bool },
    AtEnd,
    Cork,
    Flush { push: bool, full: bool },
    Bytes(By),
}

/// The kind of a step that moves bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Write { more: bool },
    Copy { more: bool, if_full: bool },
    Gather { more: bool },
    SendFile { lent: bool },
    SendFileHdtr { lent: bool },
}

/// Whether the file has ended, as far as the transfer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The end is not reached.
    Ahead,
    /// sendfile returned 0, or the file reports no more bytes. A read decides.
    Claimed,
    /// A read found a byte here, so sendfile is tried once more.
    Denied,
}

/// Sends headers, a range of a file, and trailers. It can stop anywhere and go on from there.
///
/// A transfer is plain data and `'static`: it holds no slice, buffer or descriptor. The caller passes the same headers and trailers to each
/// [`next_step`](Self::next_step), which returns a [`Step`]. Do the step, and report its result to [`complete`](Self::complete). The result
/// of [`Step::Identify`] goes to [`identified`](Self::identified) instead. None of these functions makes a system call.
/// [`perform`](Self::perform) does a step and reports its result:
///
/// ```
/// # #[cfg(feature = "std")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use bare_sendfile::{Count, Errno, IoSlice, Step, Transfer};
/// # let file = std::fs::File::open("Cargo.toml")?;
/// # let (socket, receiver) = std::os::unix::net::UnixStream::pair()?;
/// let headers = [IoSlice::new(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n")];
/// let mut transfer = Transfer::new(0, Count::Bytes(20), &headers, &[])?;
/// loop {
///     let outcome = match transfer.next_step(&headers, &[], 0) {
///         Ok(Step::Done) => break,
///         Ok(step) => transfer.perform(&step, &socket, &file, &mut []),
///         Err(error) => Err(error),
///     };
///     match outcome {
///         Ok(()) => {}
///         Err(error) if error == Errno::EINTR => {}
///         Err(error) => {
///             // What was sent must not wait: see *Leaving early*.
///             if let Some(flush) = transfer.flush() {
///                 transfer.perform(&flush, &socket, &file, &mut [])?;
///             }
///             return Err(error.into());
///         }
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
/// On a blocking output, [`send_all`](Self::send_all) is the loop. With epoll, call [`poll_send`](Self::poll_send) whenever the socket is
/// writable. One call moves at most a budget, so that other connections get their turn. After
/// [`Status::Yielded`](crate::Status::Yielded) the socket may still be writable. Level-triggered epoll reports that again at once.
/// Edge-triggered epoll does not, so the loop has to call again by itself:
///
/// ```
/// # #[cfg(all(feature = "std", target_os = "linux"))]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use bare_sendfile::{Count, IoSlice, Status, Transfer};
/// # use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
/// # let file = std::fs::File::open("Cargo.toml")?;
/// # let (socket, receiver) = std::os::unix::net::UnixStream::pair()?;
/// # socket.set_nonblocking(true)?;
/// # let headers = [IoSlice::new(b"head")];
/// let epoll = epoll::create(CreateFlags::CLOEXEC)?;
/// epoll::add(&epoll, &socket, EventData::new_u64(0), EventFlags::OUT | EventFlags::ET)?;
/// let mut transfer = Transfer::new(0, Count::ToEnd, &headers, &[])?;
/// let mut events = Vec::with_capacity(64);
/// loop {
///     match transfer.poll_send(&socket, &file, &headers, &[], &mut [])? {
///         Status::Done => break, // with many connections: drop this one
///         Status::Yielded => {}  // serve the others, then call again
///         Status::InEmpty => return Err("a device or a file of FUSE: wait for it to be readable".into()),
///         Status::OutFull => {
///             events.clear();
///             epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None)?;
///         }
///     }
/// }
/// # drop(receiver);
/// # Ok(())
/// # }
/// # #[cfg(not(all(feature = "std", target_os = "linux")))]
/// # fn main() {}
/// ```
///
/// In an async task, call `poll_send`. After `OutFull` await the runtime's `writable`, and after `Yielded` let other tasks run. With tokio, call
/// `poll_send` in `try_io`, and return `WouldBlock` from it for `OutFull`. Tokio remembers that the socket was writable until `try_io` sees
/// `WouldBlock`. Otherwise `writable` returns at once. `examples/servers` has complete programs for tokio and smol:
///
/// ```
/// # #[cfg(feature = "std")]
/// # mod example {
/// # use bare_sendfile::{IoSlice, Status, Transfer};
/// # use std::{fs::File, io, net::TcpStream};
/// async fn serve(
///     socket: &TcpStream,
///     // Both are the runtime's.
///     writable: impl AsyncFn() -> io::Result<()>,
///     yield_now: impl AsyncFn(),
///     file: &File,
///     headers: &[IoSlice<'_>],
/// ) -> io::Result<()> {
///     let mut transfer = Transfer::new(0, file.metadata()?.len(), headers, &[])?;
///     loop {
///         match transfer.poll_send(socket, file, headers, &[], &mut [])? {
///             Status::Done => return Ok(()),
///             Status::OutFull => writable().await?,
///             Status::Yielded => yield_now().await,
///             // A device or a file of FUSE: wait for it to be readable.
///             Status::InEmpty => return Err(io::ErrorKind::WouldBlock.into()),
///         }
///     }
/// }
/// # }
/// ```
///
/// # Leaving early
///
/// [`send_all`](Self::send_all), [`poll_send`](Self::poll_send), and the functions that loop, such as `sendfile_hdtr`, flush whenever they
/// return. Between two steps the kernel may hold bytes back. So if a loop of your own stops early or sleeps, it has to flush first: perform
/// the step that [`flush`](Self::flush) returns. After `EAGAIN` use [`flush_full`](Self::flush_full) instead. Dropping a `Transfer` does
/// nothing; [`FlushOnDrop`](crate::FlushOnDrop) flushes.
///
/// The loop ends with [`Step::Done`]. A last [`Step::Flush`] can come after the last byte is counted.
///
/// While a call is under way elsewhere (in a ring), wait for its result and report it before you ask for a step or a flush. Otherwise its
/// bytes are not counted, and are sent again.
///
/// A clone copies the counters only. Drive either the clone or the original. If you drive both, bytes are sent twice.
///
/// **The flush promise.** After [`Step::Done`], and after the step of `flush`, no byte waits longer in the kernel than if one plain
/// write had sent the same bytes. If you have set `TCP_CORK` yourself, the transfer neither clears it nor flushes. `MSG_MORE` ("more
/// follows") is used on plain TCP only; [`Output`] describes what is promised on other streams.
///
/// # Systems and signals
///
/// On FreeBSD and macOS sendfile(2) needs a stream socket as the output, and a regular file as the input (FreeBSD also accepts shared
/// memory). With a lent buffer other files are copied. If the reader has gone, sendfile raises SIGPIPE (except on FreeBSD). The transfer's
/// own writes to sockets do not raise it. See [SIGPIPE](crate#before-you-use-it).
#[derive(Clone, Debug)]
pub struct Transfer {
    /// The offset of the file's first byte, or [`AT_POSITION`].
    offset: u64,
    /// Bytes of the file. `ToEnd` becomes a number when the end is found.
    count: Count,
    headers_len: u64,
    trailers_len: u64,
    sent: Progress,
    /// Bytes of the file that passed through the lent buffer.
    copied: u64,
    /// The error that made the transfer use the lent buffer.
    refused: Option<Errno>,
    /// Bytes left in the file by statx(2); asked for layered outputs only.
    stated: u64,
    /// Limits in bytes: of a file step, of a gathered body, and of one `poll_send`.
    cap: u32,
    small: u32,
    budget: u32,
    /// Whether the caller wants the file copied.
    snapshot: bool,
    end: End,
    /// Whether headers can go with the file in one sendfile(2), and whether some did.
    hdtr: bool,
    used_hdtr: bool,
    queue: SendQueue,
    pending: Pending,
    /// Bytes that the pending step asked for. One call's maximum fits in 32 bits.
    asked: u32,
}

/// Stands for the file's position. No offset is as large as this.
const AT_POSITION: u64 = u64::MAX;

/// The smallest full segment that is expected: a packet of 576 bytes, of which 40 are headers, and up to 40 more are options of TCP. Some peers
/// ask for smaller ones.
const SMALLEST_SEGMENT: u64 = 496;

/// The largest record of TLS. While kTLS before Linux 6.5 waits for room, it does not push the records that are finished. So a call that makes
/// more than one can wait for ever.
pub(crate) const RECORD: u64 = 16 << 10;

impl Transfer {
    /// The default of [`with_cap`](Self::with_cap): one step moves at most 2 MiB of the file. If the reader is fast, a single call of
    /// 2 GiB can hold a thread for seconds, even on a nonblocking socket.
    pub const DEFAULT_CAP: usize = 2 << 20;

    /// The default of [`with_small`](Self::with_small): if a buffer is lent, a body of at most 8 KiB goes out in one write with its
    /// headers or trailers. Above that, copying costs more than it saves (benches/small.py measures it).
    pub const DEFAULT_SMALL: usize = 8 << 10;

    /// The default of [`with_budget`](Self::with_budget): one [`poll_send`](Self::poll_send) moves at most 2 MiB.
    pub const DEFAULT_BUDGET: usize = 2 << 20;

    /// Makes a transfer that sends `headers`, then `count` bytes of the file from byte `offset` on, then `trailers`.
    ///
    /// The transfer stores only the total bytes of each list. Pass the same lists to each [`next_step`](Self::next_step). A different total
    /// is an error; different bytes are not noticed. With [`Count::ToEnd`], the length is fixed where the end of the file is first found.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] if the offset or the length of a list is above `i64::MAX`.
    pub fn new(
        offset: u64,
        count: impl Into<Count>,
        headers: &[IoSlice<'_>],
        trailers: &[IoSlice<'_>],
    ) -> Result<Self, Error> {
        if offset > i64::MAX as u64 {
            return Err(Error::TooLarge(offset));
        }
        Self::start(offset, count.into(), headers, trailers)
    }

    /// Like [`new`](Self::new), but reading starts at the input's current position, which advances by the bytes sent. Linux only.
    ///
    /// All users of a file description share its position. sendfile(2) reads the file and advances the position in one call. A copy through a
    /// lent buffer needs several calls, so another user can move the position in between. If a device's position does not
    /// move, the copy fails with `ESPIPE`. Use [`StreamCopy`](crate::StreamCopy) then.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] if the length of a list is above `i64::MAX`.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn from_position(
        count: impl Into<Count>,
        headers: &[IoSlice<'_>],
        trailers: &[IoSlice<'_>],
    ) -> Result<Self, Error> {
        Self::at_position(count.into(), headers, trailers)
    }

    /// Like `from_position`, for callers that have checked `sys::HAS_POSITION`.
    pub(crate) fn at_position(count: Count, headers: &[IoSlice<'_>], trailers: &[IoSlice<'_>]) -> Result<Self, Error> {
        Self::start(AT_POSITION, count, headers, trailers)
    }

    fn start(offset: u64, count: Count, headers: &[IoSlice<'_>], trailers: &[IoSlice<'_>]) -> Result<Self, Error> {
        let (headers_len, trailers_len) = (total_len(headers), total_len(trailers));
        let largest = headers_len.max(trailers_len);
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
            stated: 0,
            cap: Self::DEFAULT_CAP as u32,
            small: Self::DEFAULT_SMALL as u32,
            budget: Self::DEFAULT_BUDGET as u32,
            snapshot: false,
            end: End::Ahead,
            hdtr: sys::NATIVE_HDTR,
            used_hdtr: false,
            queue: SendQueue::new(None),
            pending: Pending::Nothing,
            asked: 0,
        })
    }

    /// Sets the maximum number of bytes of the file that one step moves (0 counts as 1), for a progress bar or a rate limit. Headers and
    /// trailers are not limited. For fairness among connections use [`with_budget`](Self::with_budget). On Linux, if the output is TCP and
    /// the cap is at most 32 KiB, the transfer sets a cork, which joins the steps, up to 64 KiB. The cork holds bytes back, so flush before you
    /// sleep. With a larger cap, each step can end with a short segment.
    #[must_use]
    pub const fn with_cap(mut self, bytes: usize) -> Self {
        self.cap = if bytes == 0 { 1 } else { one_call(bytes) };
        self
    }

    /// Sets the largest body, in bytes, that goes out in one write with headers and trailers. The transfer gathers them in the lent buffer.
    /// The last part of a larger body is gathered too, if it is this small. Headers and body have to fit in the buffer. Trailers that do not
    /// fit are written afterwards. 0 turns gathering off. A transfer gathers only with [`Count::Bytes`], not at the file's position, and only if there are
    /// headers or trailers.
    #[must_use]
    pub const fn with_small(mut self, bytes: usize) -> Self {
        self.small = one_call(bytes);
        self
    }

    /// Sets the maximum number of bytes that one [`poll_send`](Self::poll_send) moves (0 counts as 1), for fairness among connections.
    #[must_use]
    pub const fn with_budget(mut self, bytes: usize) -> Self {
        self.budget = if bytes == 0 { 1 } else { one_call(bytes) };
        self
    }

    /// Makes the transfer copy all of the file through the lent buffer, instead of sharing its pages by sendfile(2). A later write to the
    /// file then cannot change bytes that were sent. Lend a buffer for each step of the file, or [`next_step`](Self::next_step) fails with
    /// [`Error::NoBuffer`].
    #[must_use]
    pub const fn copying(mut self) -> Self {
        self.snapshot = true;
        self
    }

    /// Sets the kind of the output, which saves [`Step::Identify`]. [`Output::of`] returns the kind. Call `with_output` before the first
    /// step. Called later, it makes the transfer forget which bytes the kernel holds back, so they are not flushed. If a connection becomes
    /// kTLS, its kind changes: call [`Output::of`] again.
    ///
    /// If the kind is wrong, writes to a file or pipe fail with `ENOTSOCK`, and a datagram socket sends one datagram for each write. On
    /// other streams bytes may wait or be lost, as described at the variants of [`Output`].
    #[must_use]
    pub const fn with_output(mut self, output: Output) -> Self {
        self.queue = SendQueue::new(Some(output));
        self
    }

    /// Returns the bytes sent so far.
    pub const fn progress(&self) -> Progress {
        self.sent
    }

    /// Returns how the bytes of the file were moved so far.
    pub const fn mechanisms(&self) -> Mechanisms {
        Mechanisms {
            sendfile: self.sent.file - self.copied,
            hdtr: self.used_hdtr,
            copy: self.copied,
            refused: self.refused,
        }
    }

    /// Returns the kind of the output, once it is known.
    pub const fn output(&self) -> Option<Output> {
        self.queue.output()
    }

    /// Whether the kernel may be holding bytes back, so that you have to [`flush`](Self::flush) before you stop driving the transfer. After `EAGAIN`
    /// call [`flush_full`](Self::flush_full), which often has nothing to do.
    pub fn flush_owed(&self) -> bool {
        self.queue.flush().is_some()
    }

    /// Returns the step that flushes, if a flush is owed. Perform it before you stop driving the transfer. After `EAGAIN` call
    /// [`flush_full`](Self::flush_full) instead.
    ///
    /// The returned step replaces a step that is not completed yet. Do not perform the replaced step, and do not report its result. After the
    /// flush, ask [`next_step`](Self::next_step) again.
    pub fn flush(&mut self) -> Option<Step<'static>> {
        let step = self.queue.flush();
        self.flushes(step, false)
    }

    /// Returns the step that flushes after `EAGAIN`, when the output is full. On Linux it is mostly `None`, because a full queue of
    /// TCP sends by itself. Linux needs a flush in these cases:
    ///
    /// - the transfer has set a cork;
    /// - the last bytes were sent with `MSG_MORE`, by the transfer or by the kernel's sendfile;
    /// - a sendfile to plain TCP returned less than its count, and no later one failed with `EAGAIN`;
    /// - the output is MPTCP, and a flush is owed.
    ///
    /// On FreeBSD and macOS `flush_full` returns any flush that is owed.
    pub fn flush_full(&mut self) -> Option<Step<'static>> {
        let step = self.queue.flush_full();
        self.flushes(step, true)
    }

    fn flushes(&mut self, step: Option<Step<'static>>, full: bool) -> Option<Step<'static>> {
        if let Some(Step::Flush { push, .. }) = step {
            self.pending = Pending::Flush { push, full };
        }
        step
    }

    /// Returns the most bytes of one `poll_send`.
    pub(crate) const fn budget(&self) -> u64 {
        self.budget as u64
    }

    /// Returns the bytes still to be sent, `u64::MAX` if that is not known yet.
    pub(crate) fn left(&self) -> u64 {
        (self.headers_len - self.sent.headers)
            .saturating_add(self.file_left())
            .saturating_add(self.trailers_len - self.sent.trailers)
    }

    /// Whether all bytes are sent. Some of them may still wait in the kernel.
    pub(crate) fn is_sent(&self) -> bool {
        self.sent.headers == self.headers_len && self.file_left() == 0 && self.sent.trailers == self.trailers_len
    }

    /// Returns the next step. `headers` and `trailers` are the lists that the transfer was made with. `lent` is the length of a buffer for
    /// [`Step::Copy`] and [`Step::Gather`], or 0.
    ///
    /// **Lending a buffer is consent.** If you lend one, the file is copied through it where sendfile is refused or returns 0. Small bodies are
    /// then copied too, even if sendfile would accept them ([`with_small`](Self::with_small)). If you lend none, nothing passes through user
    /// space. If the kernel then refuses sendfile, [`complete`](Self::complete) fails with the kernel's error. A refusal is `EINVAL`, `ENOSYS`,
    /// `EOPNOTSUPP`, `ENOTSUP`, `ENOTSOCK`, `EXDEV`, `EOVERFLOW`, `EPERM`, or at the file's position `ESPIPE`.
    ///
    /// If the step was not completed, the next call with the same arguments returns it again.
    ///
    /// # Errors
    ///
    /// [`Error::HeadersChanged`], [`Error::TrailersChanged`], [`Error::NoBuffer`], [`Error::NotAStream`].
    pub fn next_step<'a>(
        &mut self,
        headers: &'a [IoSlice<'a>],
        trailers: &'a [IoSlice<'a>],
        lent: usize,
    ) -> Result<Step<'a>, Error> {
        self.next_step_within(headers, trailers, lent, u64::MAX)
    }

    /// Like `next_step`, of at most `most` bytes.
    pub(crate) fn next_step_within<'a>(
        &mut self,
        headers: &'a [IoSlice<'a>],
        trailers: &'a [IoSlice<'a>],
        lent: usize,
        most: u64,
    ) -> Result<Step<'a>, Error> {
        let found = total_len(headers);
        if found != self.headers_len {
            return Err(Error::HeadersChanged { expected: self.headers_len, found });
        }
        let found = total_len(trailers);
        if found != self.trailers_len {
            return Err(Error::TrailersChanged { expected: self.trailers_len, found });
        }
        let step = self.decide(headers, trailers, lent, one_call(most.min(usize::MAX as u64) as usize) as usize)?;
        self.note(&step, lent > 0);
        Ok(step)
    }

    /// Remembers what `complete` has to know of a step.
    fn note(&mut self, step: &Step<'_>, lent: bool) {
        let (by, asked) = match *step {
            Step::Identify => return self.pending = Pending::Identify,
            Step::Size { .. } => return self.pending = Pending::Size { lent },
            Step::AtEnd { .. } => return self.pending = Pending::AtEnd,
            Step::Cork => return self.pending = Pending::Cork,
            Step::Flush { push, .. } => return self.pending = Pending::Flush { push, full: false },
            Step::Done => return self.pending = Pending::Nothing,
            Step::Write { slices, more, .. } => (By::Write { more }, total_len(slices.as_slice())),
            Step::SendFile { count, .. } => (By::SendFile { lent }, count as u64),
            Step::SendFileHdtr { headers, count, .. } => {
                (By::SendFileHdtr { lent }, total_len(headers.as_slice()) + count as u64)
            }
            Step::Copy { count, more, if_full, .. } => (By::Copy { more, if_full }, count as u64),
            Step::Gather { headers, sent, count, trailers, more, .. } => {
                (By::Gather { more }, total_len(headers) - sent + count as u64 + total_len(trailers))
            }
        };
        self.pending = Pending::Bytes(by);
        self.asked = asked as u32;
    }

    /// Returns the next step of at most `most` bytes, without changing the state.
    fn decide<'a>(
        &self,
        headers: &'a [IoSlice<'a>],
        trailers: &'a [IoSlice<'a>],
        lent: usize,
        most: usize,
    ) -> Result<Step<'a>, Error> {
        let step = match self.queue.output() {
            None => return Ok(Step::Identify),
            Some(Output::NotAStream(kind)) => return Err(Error::NotAStream(kind)),
            _ if self.is_sent() => return Ok(self.queue.flush().unwrap_or(Step::Done)),
            _ => match self.gather_step(headers, trailers, lent, most) {
                Some(step) => step,
                None if self.sent.headers < self.headers_len => self.headers_step(headers, most),
                None if self.file_left() > 0 => self.file_step(lent, most)?,
                None => self.write_step(trailers, self.sent.trailers, false, most),
            },
        };
        if self.wants_cork(&step) {
            return Ok(Step::Cork);
        }
        Ok(if self.outgrows_cork(&step) { self.queue.uncork().unwrap_or(step) } else { step })
    }

    /// Returns the write of the rest of `list`, or of as much as fits in one call. `follows`: whether anything follows the list.
    fn write_step<'a>(&self, list: &'a [IoSlice<'a>], sent: u64, follows: bool, most: usize) -> Step<'a> {
        let slices = Slices::after(list, sent, most);
        let rest = sent + total_len(slices.as_slice()) < total_len(list);
        Step::Write { slices, more: self.more(rest || follows && self.fits()), socket: self.queue.is_socket() }
    }

    /// Whether the file can share a buffer of TCP's with the headers and trailers. If it cannot, headers with `MSG_MORE` can be stuck in
    /// a full queue with nothing in flight, until a timer of 200 ms.
    fn fits(&self) -> bool {
        let pages = match self.count {
            _ if self.copies() || !sys::HAS_MSG_MORE || self.file_left() == 0 => 0,
            Count::Bytes(_) if self.file_left() <= self.cap.into() => self.pages(self.file_left()),
            _ => 1, // several steps: `file_step` makes the first one fit
        };
        pages <= self.pages_that_fit()
    }

    /// Returns how many pages of the file fit into a buffer of TCP's with the headers and trailers.
    fn pages_that_fit(&self) -> u64 {
        u64::from(MAX_SKB_FRAGS).saturating_sub(fragments(self.headers_len) + fragments(self.trailers_len))
    }

    /// Returns how many pages the next `bytes` of the file touch.
    fn pages(&self, bytes: u64) -> u64 {
        self.page_offset().saturating_add(bytes).div_ceil(PAGE)
    }

    /// Returns the offset within its page of the next byte, or the worst one if the position is not known.
    fn page_offset(&self) -> u64 {
        self.position().map_or(PAGE - 1, |offset| offset % PAGE)
    }

    /// Whether to send with `MSG_MORE`, given whether more follows.
    fn more(&self, follows: bool) -> bool {
        follows && self.queue.can_say_more()
    }

    /// Returns the step for the headers, alone or in one call with the file.
    fn headers_step<'a>(&self, headers: &'a [IoSlice<'a>], most: usize) -> Step<'a> {
        let follows = self.trailers_len > 0 || self.file_left() > 0;
        let write = self.write_step(headers, self.sent.headers, follows, most);
        let Step::Write { slices, .. } = write else { return write };
        let written = total_len(slices.as_slice());
        let all = self.sent.headers + written == self.headers_len;
        let by_sendfile = !self.copies() && self.file_left() > 0 && self.queue.is_socket();
        match self.range(most - written as usize) {
            // The kernel would take a count of 0 for "to the end".
            (Some(offset), count) if self.hdtr && all && by_sendfile && count > 0 => {
                Step::SendFileHdtr { headers: slices, offset, count }
            }
            _ => write,
        }
    }

    fn file_step<'a>(&self, lent: usize, most: usize) -> Result<Step<'a>, Error> {
        let (offset, count) = self.range(most);
        if lent > 0 && self.copies() {
            let count = count.min(lent);
            let more = self.more(self.trailers_len > 0 || (count as u64) < self.file_left());
            let if_full = self.trailers_len == 0 || self.count != Count::ToEnd;
            return Ok(Step::Copy { offset, count, more, if_full, socket: self.queue.is_socket() });
        }
        if self.snapshot {
            return Err(Error::NoBuffer);
        }
        if self.end == End::Claimed {
            return Ok(Step::AtEnd { offset });
        }
        if self.queue.output() != Some(Output::Layered) {
            // Makes the first of several steps fit, see `fits`. With `ToEnd`, each one under the cork can be the last.
            let followed = self.count == Count::ToEnd && self.trailers_len > 0 && self.queue.can_say_more();
            let corked = followed && self.queue.is_corked();
            let pages = if corked { self.pages_under_cork() } else { self.pages_that_fit() };
            let fitting = (pages * PAGE).saturating_sub(self.page_offset()) as usize;
            let first = self.sent.file == 0 && (self.queue.holds_more() || followed);
            // (Where the position is not known, less than a page would be a single byte.)
            let joined = sys::HAS_MSG_MORE && (first || corked) && fitting as u64 >= PAGE;
            return Ok(Step::SendFile { offset, count: if joined { count.min(fitting) } else { count } });
        }
        // sendfile sets MSG_MORE between its pieces, and before Linux 6.5 also at a short file. That leaves a record or chunk open, which
        // is lost when the socket is closed. So ask for no more than one record, and than there is.
        Ok(match self.stated {
            0 => Step::Size { offset },
            stated => Step::SendFile { offset, count: count.min(stated.min(RECORD) as usize) },
        })
    }

    /// Whether the file is to be copied, through a lent buffer.
    fn copies(&self) -> bool {
        self.snapshot || self.refused.is_some() || self.end != End::Ahead
    }

    /// Returns one write for everything that is left, if the file's part is small and there are headers or trailers to join it with.
    fn gather_step<'a>(
        &self,
        headers: &'a [IoSlice<'a>],
        trailers: &'a [IoSlice<'a>],
        lent: usize,
        most: usize,
    ) -> Option<Step<'a>> {
        let (Some(offset), count) = self.range(most) else { return None };
        let file_left = self.file_left();
        let headers_left = self.headers_len - self.sent.headers;
        let room = (lent.min(most) as u64).checked_sub(headers_left)?.checked_sub(file_left)?;
        let lists = headers_left + self.trailers_len;
        if lists == 0 || file_left == 0 || file_left > u64::from(self.small) || file_left != count as u64 {
            return None;
        }
        let follows = self.trailers_len > room;
        Some(Step::Gather {
            headers,
            sent: self.sent.headers,
            offset,
            count,
            trailers: if follows { &[] } else { trailers },
            more: self.more(follows),
            socket: self.queue.is_socket(),
        })
    }

    /// Returns the offset of the next byte, or `None` for the file's position.
    fn position(&self) -> Option<u64> {
        (self.offset != AT_POSITION).then(|| self.offset + self.sent.file)
    }

    /// Returns that offset, and how many bytes one call may ask for. Their sum stays within `i64`, the kernel's type.
    fn range(&self, most: usize) -> (Option<u64>, usize) {
        let offset = self.position();
        let room = i64::MAX as u64 - offset.unwrap_or(0);
        (offset, self.file_left().min(room).min(u64::from(self.cap)).min(most as u64) as usize)
    }

    /// Whether a cork is needed before this step, because its bytes must not go out alone and the step cannot set `MSG_MORE`.
    fn wants_cork(&self, step: &Step<'_>) -> bool {
        let wants = match *step {
            // A single write needs no cork.
            Step::Write { .. } | Step::Copy { .. } | Step::Gather { .. } if self.queue.is_mptcp() => {
                !self.ends_with(step)
            }
            Step::SendFile { .. } if self.queue.is_mptcp() => true,
            Step::Write { more, .. } | Step::Copy { more, .. } | Step::Gather { more, .. } => {
                // Bytes behind a short segment wait as well.
                !sys::HAS_MSG_MORE && (more || sys::CORKS_FILES && self.sent.total() > 0)
            }
            // Trailers can follow the last call only. With `ToEnd`, any call can be the last.
            Step::SendFile { count, .. } | Step::SendFileHdtr { count, .. } => {
                let last = match self.count {
                    Count::Bytes(_) => count as u64 == self.file_left(),
                    Count::ToEnd => self.queue.output() != Some(Output::Layered) || count as u64 == self.stated,
                };
                // One step alone joins nothing.
                let small = count == self.cap as usize && (count as u64) < self.file_left();
                let joins = sys::CORKS_SMALL_STEPS && small && self.fits_under_cork(2 * count);
                sys::CORKS_FILES || joins || last && self.trailers_len > 0 && self.fits_under_cork(count)
            }
            _ => false,
        };
        wants && self.queue.can_cork()
    }

    /// Returns how many pages of the file share a buffer of TCP's with the trailers, and with all that is under the cork.
    fn pages_under_cork(&self) -> u64 {
        self.queue.room().saturating_sub(fragments(self.trailers_len))
    }

    /// Whether these bytes of the file fit there. If they do not, a call can find the queue full with nothing in flight, and wait for a timer of
    /// 200 ms.
    fn fits_under_cork(&self, count: usize) -> bool {
        !sys::HAS_MSG_MORE || !self.queue.is_plain_tcp() || self.pages(count as u64) <= self.pages_under_cork()
    }

    /// Whether this transfer's cork has to be cleared before this step.
    fn outgrows_cork(&self, step: &Step<'_>) -> bool {
        matches!(*step, Step::SendFile { count, .. } if !self.fits_under_cork(count))
    }

    /// Whether this write is the whole transfer.
    fn ends_with(&self, step: &Step<'_>) -> bool {
        let asked = match *step {
            Step::Write { slices, .. } => total_len(slices.as_slice()),
            Step::Copy { count, .. } => count as u64,
            Step::Gather { headers, count, trailers, .. } => total_len(headers) + count as u64 + total_len(trailers),
            _ => 0,
        };
        let Count::Bytes(count) = self.count else { return false };
        asked == self.headers_len.saturating_add(count).saturating_add(self.trailers_len)
    }

    /// Reports the result of [`Step::Identify`].
    ///
    /// # Errors
    ///
    /// [`Error::NotAStream`]; the error of [`Output::of`]; [`Error::Unasked`] if the step was another one.
    pub fn identified(&mut self, output: Result<Output, Errno>) -> Result<(), Error> {
        if self.pending != Pending::Identify {
            return Err(Error::Unasked);
        }
        self.pending = Pending::Nothing;
        let output = output?;
        self.queue = SendQueue::new(Some(output));
        match output {
            Output::NotAStream(kind) => Err(Error::NotAStream(kind)),
            _ => Ok(()),
        }
    }

    /// Reports the result of a step that [`next_step`](Self::next_step), [`flush`](Self::flush) or [`flush_full`](Self::flush_full)
    /// returned: the result of its system call. If the call moved bytes and failed, `complete` counts the bytes and returns the error.
    ///
    /// # Errors
    ///
    /// The call's error (`EAGAIN` and `EINTR` too), [`Error::Truncated`], [`Error::Stuck`], [`Error::WriteZero`], [`Error::Unasked`]. After
    /// each of these the next step goes on from where the transfer stopped. The transfer handles some errors of a call itself, and `complete`
    /// does not return them:
    ///
    /// - If a buffer is lent, the transfer copies the file from there on after two kinds of errors: a sendfile that is refused before it moves
    ///   a byte, and any error of [`Step::Size`].
    /// - After `EINVAL` of [`Step::Gather`], the transfer gathers no more.
    /// - A refused read of [`Step::AtEnd`] counts as the end of the file. If statx reported more bytes, the error is [`Error::Stuck`].
    /// - After an error of [`Step::Cork`] or [`Step::Flush`], the transfer goes on, and sets no cork any more.
    pub fn complete(&mut self, result: impl Into<Moved>) -> Result<(), Error> {
        let result = result.into();
        match core::mem::replace(&mut self.pending, Pending::Nothing) {
            Pending::Nothing | Pending::Identify => return Err(Error::Unasked),
            Pending::Size { lent } => return self.size(result.bytes_first(), lent),
            Pending::AtEnd => return self.at_end(result.bytes_first()),
            Pending::Cork => self.queue.corked(result.bytes_first()),
            Pending::Flush { push, full } => self.queue.flushed(push, full, result.bytes_first()),
            Pending::Bytes(by) => {
                self.queue.used();
                return match result {
                    Moved { bytes: 0, error: Some(errno) } => self.failed(by, errno),
                    Moved { bytes: 0, error: None } => self.nothing_moved(by),
                    Moved { bytes, error } => self.moved(by, bytes, error),
                };
            }
        }
        Ok(())
    }

    /// Returns the bytes that the last step which moves bytes asked for.
    pub(crate) const fn asked(&self) -> u64 {
        self.asked as u64
    }

    /// Records that the pending step asks for so few bytes.
    pub(crate) fn ask_less(&mut self, count: usize) {
        self.asked = self.asked.min(one_call(count));
    }

    /// Whether this kind of step is the pending one.
    pub(crate) fn awaits(&self, step: &Step<'_>) -> bool {
        match step {
            Step::Done => true,
            Step::Identify => self.pending == Pending::Identify,
            Step::Size { .. } => matches!(self.pending, Pending::Size { .. }),
            Step::AtEnd { .. } => self.pending == Pending::AtEnd,
            Step::Cork => self.pending == Pending::Cork,
            Step::Flush { .. } => matches!(self.pending, Pending::Flush { .. }),
            Step::Write { .. } => matches!(self.pending, Pending::Bytes(By::Write { .. })),
            Step::Copy { .. } => matches!(self.pending, Pending::Bytes(By::Copy { .. })),
            Step::Gather { .. } => matches!(self.pending, Pending::Bytes(By::Gather { .. })),
            Step::SendFile { .. } => matches!(self.pending, Pending::Bytes(By::SendFile { .. })),
            Step::SendFileHdtr { .. } => matches!(self.pending, Pending::Bytes(By::SendFileHdtr { .. })),
        }
    }

    fn size(&mut self, stated: Result<usize, Errno>, lent: bool) -> Result<(), Error> {
        match stated {
            Ok(0) if self.end == End::Denied && !lent => return Err(Error::Stuck),
            Ok(0) => self.end = End::Claimed,
            Ok(stated) => self.stated = stated as u64,
            // With no known size the last bytes could be lost, so the file is copied.
            Err(errno) if lent => self.refused = Some(errno),
            Err(errno) => return Err(Error::Errno(errno)),
        }
        Ok(())
    }

    fn at_end(&mut self, read: Result<usize, Errno>) -> Result<(), Error> {
        match read {
            Ok(1..) => {
                self.end = End::Denied;
                Ok(())
            }
            // The read may be refused, as for a file opened with O_DIRECT. Then its size by statx(2) counts, if that was asked.
            Err(errno) if !self.is_refusal(errno) => Err(Error::Errno(errno)),
            Err(_) if self.stated > 0 => Err(Error::Stuck),
            _ => self.end_of_file(),
        }
    }

    fn failed(&mut self, by: By, errno: Errno) -> Result<(), Error> {
        match by {
            // A file opened with O_DIRECT refuses such a read, but sendfile may work.
            By::Gather { .. } if errno == Errno::EINVAL => self.small = 0,
            By::SendFile { lent: true } | By::SendFileHdtr { lent: true } if self.is_refusal(errno) => {
                self.refused = Some(errno);
            }
            By::SendFile { .. } if errno == Errno::EAGAIN => {
                self.queue.full();
                return Err(Error::Errno(errno));
            }
            _ => return Err(Error::Errno(errno)),
        }
        Ok(())
    }

    fn nothing_moved(&mut self, by: By) -> Result<(), Error> {
        match by {
            By::Write { .. } => Err(Error::WriteZero),
            By::Gather { .. } if self.sent.headers < self.headers_len => Err(Error::WriteZero),
            By::Gather { .. } | By::Copy { .. } => self.end_of_file(),
            // The file had no bytes, so the kernel dropped the headers (FreeBSD). They are written before sendfile is tried again.
            By::SendFileHdtr { .. } => {
                self.hdtr = false;
                Ok(())
            }
            By::SendFile { lent: false } if self.end == End::Denied => Err(Error::Stuck),
            By::SendFile { .. } => {
                self.end = End::Claimed;
                Ok(())
            }
        }
    }

    fn end_of_file(&mut self) -> Result<(), Error> {
        self.end = End::Ahead; // the file may grow before the next call
        match self.count {
            Count::Bytes(_) => Err(Error::Truncated { owed: self.file_left() }),
            Count::ToEnd => {
                self.count = Count::Bytes(self.sent.file); // the file's length
                Ok(())
            }
        }
    }

    /// Counts moved bytes for the sections in order. A step that asks for bytes of a later section also asks for everything that is left of
    /// the earlier ones.
    fn moved(&mut self, by: By, moved: usize, error: Option<Errno>) -> Result<(), Error> {
        // No kernel moves more than it was asked to, but a seccomp notifier or FUSE can report more.
        let asked = self.asked as usize;
        let bytes = moved.min(asked) as u64;
        let headers = bytes.min(self.headers_len - self.sent.headers);
        let file = (bytes - headers).min(self.file_left());
        self.sent.headers += headers;
        self.sent.file += file;
        self.sent.trailers += bytes - headers - file;
        self.stated = self.stated.saturating_sub(file);
        let partial = moved < asked;
        match by {
            By::Write { .. } | By::Copy { .. } | By::Gather { .. } => {
                let (more, taken) = match by {
                    By::Write { more } | By::Copy { more, .. } | By::Gather { more } if !partial => (more, Taken::All),
                    By::Copy { more, if_full } => (more && !if_full, Taken::Less),
                    By::Gather { .. } => (false, Taken::Less),
                    _ => (false, Taken::Full),
                };
                self.copied += if matches!(by, By::Write { .. }) { 0 } else { file };
                self.queue.wrote(bytes, taken, more, self.sent.total() >= SMALLEST_SEGMENT);
            }
            By::SendFile { .. } | By::SendFileHdtr { .. } => {
                self.end = End::Ahead;
                self.used_hdtr |= matches!(by, By::SendFileHdtr { .. });
                // If the position is not known, both its first and its last byte may be next to the end of a page.
                let end = self.position().unwrap_or(PAGE - 1 + self.sent.file);
                let after_piece = self.offset == AT_POSITION || end % PAGE == 0;
                self.queue.sent_file(end, file, partial, after_piece);
            }
        }
        match error {
            Some(errno) => Err(Error::Errno(errno)),
            None if moved > asked => Err(Error::Unasked),
            None => Ok(()),
        }
    }

    /// Returns the bytes of the file still to be sent.
    fn file_left(&self) -> u64 {
        match self.count {
            Count::Bytes(count) => count - self.sent.file,
            Count::ToEnd => u64::MAX,
        }
    }

    /// Whether this error means that sendfile cannot serve this pair of files, so that read and write are worth a try. The arguments were
    /// clamped, so `EINVAL` is about the files. `EPERM` may come from a seccomp filter; the write decides.
    fn is_refusal(&self, errno: Errno) -> bool {
        match errno {
            Errno::EINVAL
            | Errno::ENOSYS
            | Errno::EOPNOTSUPP
            | Errno::ENOTSOCK
            | Errno::EXDEV
            | Errno::EOVERFLOW
            | Errno::EPERM => true,
            Errno::ESPIPE => self.offset == AT_POSITION,
            _ => errno == Errno::ENOTSUP, // on macOS not the same as EOPNOTSUPP
        }
    }
}

/// Returns the fragments of so many bytes that the kernel copies, at worst to pages as small as the file's.
const fn fragments(len: u64) -> u64 {
    if len == 0 { 0 } else { len / PAGE + 2 }
}

/// Limits a number of bytes to what one call can move.
const fn one_call(bytes: usize) -> u32 {
    if bytes < sys::MAX_RW_COUNT { bytes as u32 } else { sys::MAX_RW_COUNT as u32 }
}
