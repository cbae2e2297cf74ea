//! Drives a transfer on real files. Every driver flushes whenever it returns. `poll_send` is bounded; the others end with the count or the file.

mod flush_on_drop;
mod perform;

pub use self::flush_on_drop::FlushOnDrop;
use self::perform::{Stop, flush, read_byte};
use crate::errno::Errno;
use crate::fd::{AsFd, BorrowedFd};
use crate::flags::{FlagsReport, SfFlags};
use crate::iovec::IoSlice;
use crate::sys::{self, hints::Hints};
use crate::transfer::{Count, Error, Mechanisms, Output, Progress, Step, Transfer};

/// The bytes that a call sent, and the error that stopped it, if one did. [`bytes`](Self::bytes) returns the one
/// or the other, [`into_parts`](Self::into_parts) both.
#[derive(Clone, Copy, Debug)]
#[must_use = "the call may have failed or sent fewer bytes than asked for"]
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
    /// Returns the bytes of all sections if everything was sent, else the error.
    ///
    /// # Errors
    ///
    /// The error that stopped the call. [`into_parts`](Self::into_parts) returns the bytes that were sent before it.
    pub fn bytes(self) -> core::result::Result<u64, Error> {
        self.outcome.map(|()| self.report.progress.total())
    }

    /// Returns the bytes of all sections, like FreeBSD's sendfile(2) and Python's `os.sendfile`: if bytes were sent before `EAGAIN`, `EINTR`
    /// or `EBUSY`, that is a success.
    ///
    /// # Errors
    ///
    /// Any other error; and these three if nothing was sent.
    pub fn bytes_first(self) -> core::result::Result<u64, Error> {
        match (self.report.progress.total(), self.outcome) {
            (1.., Err(Error::Errno(Errno::EAGAIN | Errno::EINTR | Errno::EBUSY))) | (_, Ok(())) => {
                Ok(self.report.progress.total())
            }
            (_, Err(error)) => Err(error),
        }
    }

    /// Returns the details, and the outcome: `Ok` if everything was sent, else the error.
    pub fn into_parts(self) -> (Report, core::result::Result<(), Error>) {
        (self.report, self.outcome)
    }
}

/// The state after a nonblocking call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the call may have to be repeated"]
pub enum Status {
    /// Everything is sent.
    Done,
    /// The budget is used up. Call again at once, or after the other connections. The output may still be writable, and edge-triggered epoll
    /// does not report that again.
    Yielded,
    /// Call again when the output is writable.
    ///
    /// On Linux a TCP socket is writable only when a third of its send buffer is free, and the buffer grows to megabytes. A slow peer that
    /// reads all the time can need many seconds for that. If you close connections of peers that read nothing, set `TCP_NOTSENT_LOWAT`,
    /// which makes the socket writable earlier, or read `SIOCOUTQ` to see their progress.
    OutFull,
    /// Call again when the input is readable.
    InEmpty,
}

/// `sendfile(out, in, offset, count, headers, trailers, flags)`: sends the headers, then `count` bytes of `in_fd` from `offset` on, then
/// the trailers. Returns how much of each was sent.
///
/// It goes on after a short count. It stops when everything is sent, on `EAGAIN`, on `EINTR` and on errors. The result has the bytes sent
/// until then. To go on from there, use a [`Transfer`] and its drivers instead. On a blocking socket without `SO_SNDTIMEO`, a signal that cuts
/// a call short is `EINTR` too. (Linux reports such a signal only if no byte was sent. On FreeBSD and macOS one that cuts headers or trailers short is not
/// noticed, nor is one on a pipe. If the file grows meanwhile, or another thread shuts the socket down, `EINTR` can also come without a signal.)
///
/// - `offset` is in bytes from the start of the file. The position of `in_fd` is neither used nor changed.
/// - `count` is [`Count::Bytes`] (or a plain `u64`) or [`Count::ToEnd`]. With a count of 0, only headers and trailers are sent.
/// - `headers` and `trailers` may have any number of slices of any length, also none and empty ones.
/// - `flags` are FreeBSD's. [`SfFlags`] describes the effect of each on each system.
/// - `out_fd` is a stream socket, or on Linux also a pipe or a file. With any other socket, the call fails before a byte is sent. Elsewhere a
///   pipe or file fails with `ENOTSOCK`, perhaps after the headers.
///
/// **Segments.** On plain TCP, headers, file and trailers share a segment if they fit. Headers are sent with `MSG_MORE`, and
/// `TCP_CORK` is set before the end of the file if the trailers fit into one buffer of TCP's with it.
///
/// After a return, **no byte waits longer** in the kernel than if one plain write had
/// sent the same bytes. If you have set `TCP_CORK` yourself, the function neither clears it nor flushes. On FreeBSD a cork is set only if
/// the send buffer has room for all that is left. [`Output`](crate::Output) describes what is promised on other streams.
///
/// **The pages are shared, not copied.** If the file is modified later, the receiver may get the new bytes. [`Transfer::copying`]
/// takes a snapshot instead.
///
/// **SIGPIPE** can be raised while the file is sent, as by [`sendfile`](crate::sendfile). Headers and trailers to a socket raise none
/// (`MSG_NOSIGNAL`).
///
/// System calls: `getsockopt`, `sendmsg` (sockets) or `writev` (others), `sendfile`, `setsockopt`; `pread64` to find the end of the file;
/// `statx` before a file is sent to kTLS or SCTP; `fcntl` and `ppoll` after a short count; with flags `preadv2` and `fadvise64`. Linux 2.6.33 or later.
///
/// # Errors
///
/// In [`Sent`]:
///
/// - those of [`Transfer::new`], [`Transfer::next_step`] and [`Transfer::complete`];
/// - [`Error::Truncated`] if the file has fewer bytes than `count`; the trailers are then withheld;
/// - [`Error::UnknownFlags`], and `EBUSY` for [`SfFlags::NODISKIO`].
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

/// Sends `count` bytes of the file to a blocking output. It goes on after short counts and `EINTR`. It is to
/// [`sendfile`](crate::sendfile) as `write_all` is to `write`.
///
/// With an `offset` (in bytes), reading starts there, and the position of `in_fd` is neither used nor changed. With `None`, reading
/// starts at the position, which advances. On FreeBSD and macOS `None` fails with `EINVAL`.
///
/// Nothing is copied through user space. If the kernel refuses sendfile, the call fails with the kernel's error. For headers, trailers
/// and a buffer to fall back on, use [`sendfile_hdtr_all`].
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

/// Sends headers, `count` bytes of the file and trailers to a blocking output. It makes a [`Transfer`] and calls
/// [`Transfer::send_all`]. The `offset` is as for [`sendfile_all`].
///
/// If `buffer` is not empty, files that sendfile refuses are copied through it, and so are small bodies
/// ([`with_small`](Transfer::with_small)). If it is empty, nothing is copied.
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
    /// Sends to a blocking output until everything is sent or an error stops it. It goes on after `EINTR`, and has no budget. It does not
    /// poll. On `EAGAIN` it returns, so that a socket's `SO_SNDTIMEO` works. Call it again to go on.
    ///
    /// `headers` and `trailers` are the lists that the transfer was made with. If `buffer` is not empty, files that
    /// sendfile refuses are copied through it, and so are small bodies ([`with_small`](Self::with_small)). If it is empty, nothing is copied.
    ///
    /// System calls: those of [`perform`](Self::perform).
    ///
    /// # Errors
    ///
    /// Those of [`next_step`](Self::next_step) and [`complete`](Self::complete). [`progress`](Self::progress) returns the bytes that were
    /// sent. The flush promise holds after an error too.
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

    /// Sends until everything is sent, the budget is used up ([`with_budget`](Self::with_budget), or 512 steps), or the call would block. It is
    /// for nonblocking outputs and an event loop. It goes on after `EINTR`. Arguments and system calls are those of
    /// [`send_all`](Self::send_all).
    ///
    /// [`Status::InEmpty`] is rare, because nearly every file is always ready. Exceptions are the kernel's log (`/proc/kmsg`, `/dev/kmsg`)
    /// and some files of FUSE, if they are opened with `O_NONBLOCK` and copied through a lent buffer. A sendfile does not report which side
    /// would block. So the status is then `OutFull`, even if the input is empty. If a read consumes the bytes, as a read of the kernel's log
    /// does, use [`StreamCopy`](crate::StreamCopy): after a short write, a transfer cannot read the rest again.
    ///
    /// # Errors
    ///
    /// Those of [`send_all`](Self::send_all), but `EAGAIN` is a [`Status`].
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
    ///     Status::Yielded => { /* serve the others, then call again */ }
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

/// The most steps of one `poll_send`, so that tiny steps hold a thread no longer than large ones. (A step visits each slice of both lists.)
const MOST_STEPS: u32 = 512;

/// The state that the drivers share.
struct Drive<'a> {
    out_fd: BorrowedFd<'a>,
    in_fd: BorrowedFd<'a>,
    headers: &'a [IoSlice<'a>],
    trailers: &'a [IoSlice<'a>],
    buffer: &'a mut [u8],
    hints: Option<Hints>,
}

impl Drive<'_> {
    /// Drives a transfer from beginning to end. It is borrowed, because a copy would cost stack.
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

    /// Performs steps until one of them stops it or `budget` bytes are sent, and flushes. `restart`: whether to go on after `EINTR`.
    fn drive(&mut self, transfer: &mut Transfer, restart: bool, budget: u64) -> core::result::Result<Status, Error> {
        let before = transfer.progress().total();
        let mut steps = 0;
        let outcome = loop {
            let most = budget.saturating_sub(transfer.progress().total() - before);
            let spent = most == 0 || (budget < u64::MAX && steps == MOST_STEPS);
            if spent && !transfer.is_sent() {
                break Ok(Status::Yielded);
            }
            steps = steps.saturating_add(1_u32);
            // If all is sent, a flush may follow, which needs no budget.
            let most = most.max(1);
            let sent = transfer.progress();
            match transfer.next_step_within(self.headers, self.trailers, self.buffer.len(), most) {
                Ok(Step::Done) => break Ok(Status::Done),
                Ok(step) => match self.perform(transfer, &step) {
                    Ok(()) if !restart && self.is_interrupted(transfer, &step, sent) => {
                        break Err(Error::Errno(Errno::EINTR));
                    }
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

    /// Whether a signal ended this call to a blocking socket. The kernel does not report that if the call has moved bytes. The next call would
    /// wait, and the signal would be forgotten.
    fn is_interrupted(&self, transfer: &Transfer, step: &Step<'_>, before: Progress) -> bool {
        let moved = transfer.progress().total() - before.total();
        if moved == 0 || moved >= transfer.asked() {
            return false;
        }
        let goes_on = match *step {
            Step::Write { socket, .. } => socket,
            // Most short counts are the end of the file.
            Step::SendFile { offset: Some(offset), .. } => {
                transfer.output() != Some(Output::NotSocket) && read_byte(self.in_fd, Some(offset + moved)) == Ok(1)
            }
            _ => false,
        };
        goes_on && sys::waits_for_ever(self.out_fd)
    }

    /// Performs a step, and the work that the flags ask for.
    fn perform(&mut self, transfer: &mut Transfer, step: &Step<'_>) -> core::result::Result<(), Stop> {
        let Some(hints) = &mut self.hints else {
            return transfer.perform_with(step, self.out_fd, self.in_fd, self.buffer, 0);
        };
        let flags = hints.native();
        match *step {
            Step::SendFile { offset: Some(offset), count } => match hints.before_step(self.in_fd, offset, count) {
                Ok(count) => {
                    transfer.ask_less(count);
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
