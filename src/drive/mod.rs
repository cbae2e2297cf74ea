//! Drives a transfer on real files: bounded, flushed on every way out.

mod flush_on_drop;
mod perform;

pub use self::flush_on_drop::FlushOnDrop;
use self::perform::{Stop, flush};
use crate::errno::Errno;
use crate::fd::{AsFd, BorrowedFd};
use crate::flags::{FlagsReport, SfFlags};
use crate::iovec::IoSlice;
use crate::sys::{self, hints::Hints};
use crate::transfer::{Count, Error, Mechanisms, Progress, Step, Transfer};

/// The bytes that a call sent, and the error that ended it, if one did. Each method consumes it, so that neither is dropped unseen.
#[derive(Clone, Copy, Debug)]
#[must_use = "the call may have failed, and less may have been sent than was asked for"]
pub struct Sent {
    report: Report,
    outcome: core::result::Result<(), Error>,
}

/// The details of what was sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Bytes per section.
    pub progress: Progress,
    /// How the bytes of the file were moved.
    pub mechanisms: Mechanisms,
    /// Which flags were honoured, approximated or ignored.
    pub flags: FlagsReport,
}

impl Sent {
    /// Returns the bytes of all sections if all were sent, else the error.
    ///
    /// # Errors
    ///
    /// The error that stopped the call. How much was sent before it is in [`into_parts`](Self::into_parts).
    pub fn bytes(self) -> core::result::Result<u64, Error> {
        self.outcome.map(|()| self.report.progress.total())
    }

    /// Returns the bytes of all sections by the rule of FreeBSD's sendfile(2) and of Python's `os.sendfile`: bytes that were sent before
    /// `EAGAIN`, `EINTR` or `EBUSY` are a success.
    ///
    /// # Errors
    ///
    /// Any other error, and these three if nothing was sent.
    pub fn bytes_first(self) -> core::result::Result<u64, Error> {
        match (self.report.progress.total(), self.outcome) {
            (1.., Err(Error::Errno(Errno::EAGAIN | Errno::EINTR | Errno::EBUSY))) | (_, Ok(())) => {
                Ok(self.report.progress.total())
            }
            (_, Err(error)) => Err(error),
        }
    }

    /// Returns the details, and the outcome: `Ok` if all was sent, else the error.
    pub fn into_parts(self) -> (Report, core::result::Result<(), Error>) {
        (self.report, self.outcome)
    }
}

/// How far a nonblocking call got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "it may have to be called again"]
pub enum Status {
    /// All is sent.
    Done,
    /// The budget is used up. Call again at once, or after the other connections: the output may still be writable, and edge-triggered
    /// epoll does not report that again.
    Yielded,
    /// Call again when the output is writable.
    OutFull,
    /// Call again when the input is readable.
    InEmpty,
}

/// `sendfile(out, in, offset, count, headers, trailers, flags)`: writes the headers, `count` bytes of `in_fd` from `offset`
/// on, and the trailers, in this order, and returns how much of each was sent.
///
/// It goes on after a short count. It stops when all is sent, on `EAGAIN`, on `EINTR` and on errors; the answer has the bytes that were sent
/// until then. To go on from there, keep a [`Transfer`] and use its drivers.
///
/// - `offset` is in bytes from the start of the file. The position of `in_fd` is neither used nor changed.
/// - `count` is [`Count::Bytes`] (a plain `u64` will do) or [`Count::ToEnd`]. A count of 0 bytes sends headers and trailers.
/// - `headers` and `trailers` are of any number and length, empty ones included.
/// - `flags` are FreeBSD's; [`SfFlags`] has the effect of each on each system.
/// - `out_fd` is a stream socket, pipe or file. Other sockets are refused before a byte is sent.
///
/// **Segments.** On plain TCP, headers, file and trailers that fit one segment go out as one: the headers say "more follows" (`MSG_MORE`), and
/// `TCP_CORK` is set before the end of a file that trailers follow. **No byte waits** in the kernel, on any way out, for longer than after
/// one plain write of the same bytes. A `TCP_CORK` that the caller had set is left as it is, and nothing is flushed under it.
/// On FreeBSD there is a cork only if the send buffer has room for all that is left. [`Output`](crate::Output) has what is promised on other streams.
///
/// **The pages are shared, not copied**: a later write to the file can still reach the receiver. [`Transfer::copying`] takes
/// a snapshot instead.
///
/// **SIGPIPE** can be raised while the file is sent, as by [`sendfile`](crate::sendfile); headers and trailers to a socket
/// raise none (`MSG_NOSIGNAL`).
///
/// System calls: `getsockopt`, `sendmsg` (sockets) or `writev` (others), `sendfile`, `setsockopt`; `pread64` to find the end of the file;
/// `statx` before a file is sent to kTLS or SCTP; with flags `preadv2` and `fadvise64`. Linux 2.6.33 or later.
///
/// # Errors
///
/// In [`Sent`]: those of [`Transfer::new`], [`Transfer::next_step`] and [`Transfer::complete`];
/// [`Error::UnknownFlags`]; `EBUSY` for [`SfFlags::NODISKIO`]. [`Error::Truncated`] when the file has fewer bytes than
/// `count`: the trailers are withheld then.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "std")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use bare_sendfile::{Count, IoSlice, SfFlags, sendfile_hdtr};
/// # let file = std::fs::File::open("Cargo.toml")?;
/// # let (socket, receiver) = std::os::unix::net::UnixStream::pair()?;
/// let header = [IoSlice::new(b"200 OK\r\n"), IoSlice::new(b"\r\n")];
/// let sent = sendfile_hdtr(&socket, &file, 0, 100, &header, &[], SfFlags::empty());
/// assert_eq!(sent.bytes()?, 10 + 100);
/// # drop(receiver);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "std"))]
/// # fn main() {}
/// ```
///
/// # References
/// - [os.sendfile](https://docs.python.org/3/library/os.html#os.sendfile), the second form
/// - [FreeBSD sendfile(2)](https://man.freebsd.org/cgi/man.cgi?query=sendfile&sektion=2), `struct sf_hdtr`
/// - [Linux tcp(7)](https://man7.org/linux/man-pages/man7/tcp.7.html), `TCP_CORK`; [send(2)](https://man7.org/linux/man-pages/man2/send.2.html), `MSG_MORE`
pub fn sendfile_hdtr(
    out_fd: impl AsFd,
    in_fd: impl AsFd,
    offset: u64,
    count: impl Into<Count>,
    headers: &[IoSlice<'_>],
    trailers: &[IoSlice<'_>],
    flags: SfFlags,
) -> Sent {
    if let Some(unknown) = flags.unknown() {
        let ignored = flags.without_readahead();
        let flags = FlagsReport { ignored, ..FlagsReport::default() };
        return Sent { report: Report { flags, ..Report::default() }, outcome: Err(Error::UnknownFlags(unknown)) };
    }
    let hints = Some(Hints::new(flags, offset));
    let drive = Drive { out_fd: out_fd.as_fd(), in_fd: in_fd.as_fd(), headers, trailers, buffer: &mut [], hints };
    drive.run(&mut Transfer::new(offset, count, headers, trailers), false)
}

/// Sends `count` of the file, all of it, on a blocking output. It is to [`sendfile`](crate::sendfile), which is one system call, as
/// `write_all` is to `write`. It goes on after short counts and `EINTR`.
///
/// With an `offset` (in bytes), reading starts there, and the position of `in_fd` is neither used nor changed. With `None` it starts at
/// the position, which advances; on FreeBSD and macOS that is `EINVAL`.
///
/// Nothing is copied through user space: if the kernel refuses sendfile, that is the error. For headers, trailers and a buffer to fall
/// back on, use [`sendfile_hdtr_all`].
///
/// System calls: those of [`Transfer::send_all`] without a buffer.
///
/// # Errors
///
/// In [`Sent`]: those of [`Transfer::send_all`].
///
/// ```
/// # #[cfg(feature = "std")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use bare_sendfile::{Count, sendfile_all};
/// # let file = std::fs::File::open("Cargo.toml")?;
/// # let (socket, receiver) = std::os::unix::net::UnixStream::pair()?;
/// let sent = sendfile_all(&socket, &file, Some(0), Count::ToEnd).bytes()?;
/// assert_eq!(sent, file.metadata()?.len());
/// # drop(receiver);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "std"))]
/// # fn main() {}
/// ```
pub fn sendfile_all(out_fd: impl AsFd, in_fd: impl AsFd, offset: Option<u64>, count: impl Into<Count>) -> Sent {
    sendfile_hdtr_all(out_fd, in_fd, offset, count, &[], &[], &mut [])
}

/// Sends headers, `count` of the file and trailers, all of it, on a blocking output. It makes a [`Transfer`] and calls
/// [`Transfer::send_all`]. The `offset` is as for [`sendfile_all`].
///
/// Lending a `buffer` (any length but 0) permits copying through it: of files that sendfile refuses, and of small bodies. An empty one permits
/// nothing.
///
/// System calls and errors: those of [`Transfer::send_all`].
///
/// ```
/// # #[cfg(all(feature = "std", target_os = "linux"))]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use bare_sendfile::{Count, IoSlice, sendfile_hdtr_all};
/// # let (socket, receiver) = std::os::unix::net::UnixStream::pair()?;
/// let limits = std::fs::File::open("/proc/self/limits")?; // refuses sendfile
/// let header = [IoSlice::new(b"limits:\n")];
/// let sent = sendfile_hdtr_all(&socket, &limits, Some(0), Count::ToEnd, &header, &[], &mut [0; 4096]);
/// assert!(sent.bytes()? > 8);
/// # drop(receiver);
/// # Ok(())
/// # }
/// # #[cfg(not(all(feature = "std", target_os = "linux")))]
/// # fn main() {}
/// ```
pub fn sendfile_hdtr_all(
    out_fd: impl AsFd,
    in_fd: impl AsFd,
    offset: Option<u64>,
    count: impl Into<Count>,
    headers: &[IoSlice<'_>],
    trailers: &[IoSlice<'_>],
    buffer: &mut [u8],
) -> Sent {
    let mut transfer = match offset {
        Some(offset) => Transfer::new(offset, count, headers, trailers),
        None if sys::HAS_POSITION => Transfer::at_position(count.into(), headers, trailers),
        None => Err(Error::Errno(Errno::EINVAL)),
    };
    let (out_fd, in_fd) = (out_fd.as_fd(), in_fd.as_fd());
    Drive { out_fd, in_fd, headers, trailers, buffer, hints: None }.run(&mut transfer, true)
}

impl Transfer {
    /// Sends until all is sent or an error stops it, and goes on after `EINTR`: for blocking outputs. It has no budget. It never polls, and returns
    /// on `EAGAIN`, so that a socket's `SO_SNDTIMEO` works. Call it again to go on.
    ///
    /// `headers` and `trailers` are those that the transfer was made with. Lending a `buffer` (any length but 0) permits copying
    /// through it: of files that sendfile refuses, and of small bodies. An empty one permits nothing.
    ///
    /// System calls: those of [`perform`](Self::perform).
    ///
    /// # Errors
    ///
    /// Those of [`next_step`](Self::next_step) and [`complete`](Self::complete). [`progress`](Self::progress) has the bytes that were
    /// sent, and the flush promise holds on every way out.
    ///
    /// ```
    /// # #[cfg(feature = "std")]
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use bare_sendfile::{Count, IoSlice, Transfer};
    /// # let file = std::fs::File::open("Cargo.toml")?;
    /// # let (socket, receiver) = std::os::unix::net::UnixStream::pair()?;
    /// let header = [IoSlice::new(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")];
    /// let mut transfer = Transfer::new(0, Count::Bytes(100), &header, &[])?;
    /// transfer.send_all(&socket, &file, &header, &[], &mut [])?;
    /// # drop(receiver);
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "std"))]
    /// # fn main() {}
    /// ```
    pub fn send_all(
        &mut self,
        out_fd: impl AsFd,
        in_fd: impl AsFd,
        headers: &[IoSlice<'_>],
        trailers: &[IoSlice<'_>],
        buffer: &mut [u8],
    ) -> core::result::Result<(), Error> {
        let (out_fd, in_fd) = (out_fd.as_fd(), in_fd.as_fd());
        match (Drive { out_fd, in_fd, headers, trailers, buffer, hints: None }).drive(self, true, u64::MAX)? {
            Status::Done => Ok(()),
            _ => Err(Error::Errno(Errno::EAGAIN)),
        }
    }

    /// Sends until all is sent, the budget is used up ([`with_budget`](Self::with_budget)), or it would block. It goes on after `EINTR`. It is
    /// for nonblocking outputs and an event loop. Arguments and system calls are those of [`send_all`](Self::send_all).
    ///
    /// [`Status::InEmpty`] is rare: nearly every file is always ready. Exceptions are the kernel's log (`/proc/kmsg`, `/dev/kmsg`) and some
    /// files of FUSE, opened with `O_NONBLOCK` and copied through a lent buffer. A file that a read consumes, such as that log, is for
    /// [`StreamCopy`](crate::StreamCopy): bytes that a short write leaves cannot be read again.
    ///
    /// # Errors
    ///
    /// Those of [`send_all`](Self::send_all), except for `EAGAIN`, which is a [`Status`].
    ///
    /// ```
    /// # #[cfg(feature = "std")]
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use bare_sendfile::{Count, Status, Transfer};
    /// # let file = std::fs::File::open("Cargo.toml")?;
    /// # let (socket, receiver) = std::os::unix::net::UnixStream::pair()?;
    /// socket.set_nonblocking(true)?;
    /// let mut transfer = Transfer::new(0, Count::ToEnd, &[], &[])?;
    /// match transfer.poll_send(&socket, &file, &[], &[], &mut [])? {
    ///     Status::Done => {}
    ///     Status::Yielded => { /* call again when others had their turn */ }
    ///     Status::OutFull | Status::InEmpty => { /* back to epoll_wait */ }
    /// }
    /// # drop(receiver);
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "std"))]
    /// # fn main() {}
    /// ```
    pub fn poll_send(
        &mut self,
        out_fd: impl AsFd,
        in_fd: impl AsFd,
        headers: &[IoSlice<'_>],
        trailers: &[IoSlice<'_>],
        buffer: &mut [u8],
    ) -> core::result::Result<Status, Error> {
        let (out_fd, in_fd, budget) = (out_fd.as_fd(), in_fd.as_fd(), self.budget());
        Drive { out_fd, in_fd, headers, trailers, buffer, hints: None }.drive(self, true, budget)
    }
}

/// The most steps of one `poll_send`, so that tiny ones hold a thread no longer than large ones.
const MOST_STEPS: u32 = 512;

/// The part that the drivers have in common.
struct Drive<'a> {
    out_fd: BorrowedFd<'a>,
    in_fd: BorrowedFd<'a>,
    headers: &'a [IoSlice<'a>],
    trailers: &'a [IoSlice<'a>],
    buffer: &'a mut [u8],
    hints: Option<Hints>,
}

impl Drive<'_> {
    /// A transfer from beginning to end. It stays where it is, which saves the stack of a copy.
    fn run(mut self, transfer: &mut core::result::Result<Transfer, Error>, restart: bool) -> Sent {
        let transfer = match transfer {
            Ok(transfer) => transfer,
            Err(error) => {
                let report = Report { flags: self.flags_report(), ..Report::default() };
                return Sent { report, outcome: Err(*error) };
            }
        };
        if let Some(hints) = &mut self.hints {
            hints.read_ahead(self.in_fd);
        }
        let outcome = match self.drive(transfer, restart, u64::MAX) {
            Ok(Status::Done) => Ok(()),
            Ok(_) => Err(Error::Errno(Errno::EAGAIN)),
            Err(error) => Err(error),
        };
        let (progress, mechanisms) = (transfer.progress(), transfer.mechanisms());
        Sent { report: Report { progress, mechanisms, flags: self.flags_report() }, outcome }
    }

    fn flags_report(&self) -> FlagsReport {
        self.hints.as_ref().map_or(FlagsReport::default(), Hints::report)
    }

    /// Steps until one of them stops it or `budget` bytes are sent, and flushes. `restart` goes on after `EINTR`.
    fn drive(&mut self, transfer: &mut Transfer, restart: bool, budget: u64) -> core::result::Result<Status, Error> {
        let before = transfer.progress().total();
        let mut steps = 0;
        let outcome = loop {
            let most = budget.saturating_sub(transfer.progress().total() - before);
            let spent = most == 0 || (budget < u64::MAX && steps == MOST_STEPS);
            if spent && !transfer.is_sent() {
                break Ok(Status::Yielded);
            }
            steps += 1;
            match transfer.next_step_within(self.headers, self.trailers, self.buffer.len(), most.max(1)) {
                Ok(Step::Done) => break Ok(Status::Done),
                Ok(step) => match self.perform(transfer, &step) {
                    Ok(()) => {}
                    Err(Stop { error: Error::Errno(Errno::EINTR), .. }) if restart => {}
                    Err(Stop { error: Error::Errno(Errno::EAGAIN), in_empty: true }) => break Ok(Status::InEmpty),
                    Err(Stop { error: Error::Errno(Errno::EAGAIN), in_empty: false }) => break Ok(Status::OutFull),
                    Err(Stop { error, .. }) => break Err(error),
                },
                Err(error) => break Err(error),
            }
        };
        flush(transfer, outcome == Ok(Status::OutFull), self.out_fd);
        outcome
    }

    /// Performs a step, and what the flags ask for.
    fn perform(&mut self, transfer: &mut Transfer, step: &Step<'_>) -> core::result::Result<(), Stop> {
        let Some(hints) = &mut self.hints else {
            return transfer.perform_with(step, self.out_fd, self.in_fd, self.buffer, 0);
        };
        let flags = hints.native();
        match *step {
            Step::SendFile { offset: Some(offset), count } => match hints.before_step(self.in_fd, offset, count) {
                Ok(count) => {
                    let step = Step::SendFile { offset: Some(offset), count };
                    transfer.perform_with(&step, self.out_fd, self.in_fd, &mut [], flags)
                }
                Err(errno) => transfer.complete(Err(errno)).map_err(Stop::from),
            },
            Step::Cork if !hints.may_cork() => transfer.complete(Err(Errno::ENOBUFS)).map_err(Stop::from),
            _ => transfer.perform_with(step, self.out_fd, self.in_fd, self.buffer, flags),
        }
    }
}
