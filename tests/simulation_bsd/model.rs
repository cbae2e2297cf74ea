//! The kernel, and the receiver, who knows what has to arrive. Compiled once for each system.

use std::marker::PhantomData;

use bare_sendfile::Errno;

use super::OS;
use super::case::{Answer, Case, Sink, flat, total};
use super::cork;
use super::fd::BorrowedFd;
use super::iovec::IoSlice;
use super::transfer::{Count, Error, Moved, Output, Step, Transfer};
use crate::Os;

/// A stream socket and a file. The socket has room for some bytes; then the call ends with the error, if one is set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kernel {
    pub(crate) file: Vec<u8>,
    pub(crate) received: Vec<u8>,
    pub(crate) room: usize,
    pub(crate) errno: Option<Errno>,
    /// Room that comes up within the call, after the headers: the receiver reads.
    pub(crate) refill: usize,
    /// What the socket says of itself: the room in its send buffer, and the error that it keeps.
    #[allow(dead_code)] // of tests/foreign_freebsd.rs
    pub(crate) space: i32,
    #[allow(dead_code)] // the same
    pub(crate) kept: i32,
    /// A policy refuses sendfile before the kernel's function runs, so nothing is written to the caller's memory.
    #[allow(dead_code)] // of tests/foreign
    pub(crate) refused: Option<Errno>,
}

impl Kernel {
    /// writev and sendmsg: what there is room for.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        let taken = if self.errno.is_some() { bytes.len().min(self.room) } else { bytes.len() };
        if taken == 0 && !bytes.is_empty() {
            return Err(self.errno.unwrap());
        }
        self.put(&bytes[..taken]);
        Ok(taken)
    }

    fn put(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
        self.room = self.room.saturating_sub(bytes.len());
    }

    /// The bytes sent, and the error.
    pub(crate) fn sendfile(
        &mut self,
        offset: usize,
        nbytes: usize,
        headers: &[u8],
        trailers: &[u8],
    ) -> (usize, Option<Errno>) {
        let before = self.received.len();
        let result = match OS {
            Os::FreeBsd => self.freebsd(offset, nbytes, headers, trailers),
            Os::MacOs => self.macos(offset, nbytes, headers, trailers),
        };
        (self.received.len() - before, result.err())
    }

    /// sys/kern/kern_sendfile.c: headers are taken up while there are bytes of the file, with which they go.
    fn freebsd(&mut self, offset: usize, nbytes: usize, mut headers: &[u8], trailers: &[u8]) -> Result<(), Errno> {
        let there = self.file.len().saturating_sub(offset);
        let mut rest =
            self.file[self.file.len() - there..][..if nbytes == 0 { there } else { there.min(nbytes) }].to_vec();
        while !rest.is_empty() {
            if let (0, Some(errno)) = (self.room, self.errno) {
                return Err(errno);
            }
            let space = if self.errno.is_some() { self.room } else { usize::MAX };
            let (now, later) = headers.split_at(headers.len().min(space));
            headers = later;
            let piece: Vec<u8> = rest.drain(..rest.len().min(space - now.len())).collect();
            self.put(&[now, &piece].concat());
        }
        if trailers.is_empty() { Ok(()) } else { self.write(trailers).map(drop) }
    }

    /// bsd/kern/uipc_syscalls.c: headers by writev, whose count is only added up; the count includes them; the room is
    /// looked at before the count.
    fn macos(&mut self, offset: usize, nbytes: usize, headers: &[u8], trailers: &[u8]) -> Result<(), Errno> {
        let mut sent = if headers.is_empty() { 0 } else { self.write(headers)? };
        self.room += std::mem::take(&mut self.refill);
        let mut at = offset;
        loop {
            if let (0, Some(errno)) = (self.room, self.errno) {
                return Err(errno);
            }
            let mut size = if self.errno.is_some() { self.room } else { usize::MAX };
            if nbytes > 0 {
                size = size.min(nbytes.saturating_sub(sent));
            }
            size = size.min(self.file.len().saturating_sub(at));
            if size == 0 {
                break;
            }
            let piece = self.file[at..at + size].to_vec();
            self.put(&piece);
            (at, sent) = (at + size, sent + size);
        }
        if trailers.is_empty() { Ok(()) } else { self.write(trailers).map(drop) }
    }
}

/// TCP's options, and what they hold back at worst: no acknowledgement ever comes.
pub(crate) mod options {
    use std::cell::Cell;

    use super::super::errno::{Errno, Result};
    use super::{BorrowedFd, OS, Os};

    #[derive(Clone, Copy, Debug, Default)]
    pub(crate) struct Tcp {
        /// The socket is of the Unix domain: it has no such options, and holds nothing.
        pub(crate) unix: bool,
        pub(crate) nopush: bool,
        pub(crate) nodelay: bool,
        /// A short segment is on its way.
        pub(crate) short: bool,
        /// Bytes wait.
        pub(crate) held: bool,
    }

    thread_local! {
        pub(crate) static TCP: Cell<Tcp> = const { Cell::new(Tcp { unix: false, nopush: false, nodelay: false, short: false, held: false }) };
    }

    impl Tcp {
        /// `tcp_output`: Nagle's algorithm, and TCP_NOPUSH against everything.
        pub(crate) fn output(&mut self) {
            self.held = !self.unix && (self.nopush || (self.short && !self.nodelay));
            self.short |= !self.held;
        }
    }

    fn get(option: impl FnOnce(Tcp) -> bool) -> Result<usize> {
        let tcp = TCP.get();
        if tcp.unix { Err(Errno::EINVAL) } else { Ok(if option(tcp) { 4 } else { 0 }) }
    }

    fn change(change: impl FnOnce(&mut Tcp)) -> Result<usize> {
        let mut tcp = TCP.get();
        if tcp.unix {
            return Err(Errno::EINVAL);
        }
        change(&mut tcp);
        TCP.set(tcp);
        Ok(0)
    }

    #[allow(dead_code)] // of FreeBSD
    pub(crate) fn tcp_nopush(_: BorrowedFd<'_>) -> Result<usize> {
        get(|tcp| tcp.nopush)
    }

    #[allow(dead_code)] // of FreeBSD
    pub(crate) fn set_tcp_nopush(_: BorrowedFd<'_>, on: bool) -> Result<usize> {
        change(|tcp| {
            let was = std::mem::replace(&mut tcp.nopush, on);
            if OS == Os::FreeBsd && was && !on && tcp.held {
                tcp.output();
            }
        })
    }

    /// Without end: tests/simulation_bsd/timed.rs has less.
    #[allow(dead_code)] // of FreeBSD
    pub(crate) fn send_room(_: BorrowedFd<'_>) -> Result<usize> {
        Ok(i32::MAX as usize)
    }

    pub(crate) fn tcp_nodelay(_: BorrowedFd<'_>) -> Result<usize> {
        get(|tcp| tcp.nodelay)
    }

    pub(crate) fn set_tcp_nodelay(_: BorrowedFd<'_>, on: bool) -> Result<usize> {
        change(|tcp| tcp.nodelay = on)
    }
}

use options::{TCP, Tcp};

/// A transfer under way, on the kernel with its socket.
#[derive(Clone, Debug)]
pub(crate) struct World<'a> {
    case: &'a Case<'a>,
    transfer: Transfer,
    kernel: Kernel,
    tcp: Tcp,
    /// The output is a socket of this type.
    no_stream: Option<u32>,
    /// sendfile sent nothing of the file, so that a read is asked.
    stopped: bool,
    /// Bytes of the file that went through the buffer.
    copied: u64,
    /// Headers went with the file.
    joined: bool,
    /// They were dropped, as there was no byte of the file.
    dropped: bool,
    /// The kernel refuses TCP's options: nothing can be flushed.
    no_options: bool,
    /// The last step was a cork.
    corked: bool,
    /// A flush came right after the cork, so the next call does without.
    loose: bool,
    /// A step that moves nothing must not be repeated for ever.
    steps: u32,
}

/// Writes for what is left of the list: the rest of a slice goes out alone.
fn writes(list: &[IoSlice<'_>], sent: u64) -> usize {
    let (mut end, left) = (0, total(list) - sent);
    for slice in list {
        end += slice.len() as u64;
        if sent < end {
            let torn = end - sent < slice.len() as u64 && end - sent < left;
            return if torn { 2 } else { 1 };
        }
    }
    0
}

/// Table E: sendfile cannot serve these files, and read and write perhaps can.
fn is_refusal(errno: Errno) -> bool {
    const REFUSALS: [Errno; 8] = [
        Errno::EINVAL,
        Errno::ENOSYS,
        Errno::EOPNOTSUPP,
        Errno::ENOTSUP,
        Errno::ENOTSOCK,
        Errno::EXDEV,
        Errno::EOVERFLOW,
        Errno::EPERM,
    ];
    REFUSALS.contains(&errno)
}

/// Cases that these systems have: no file's position, one protocol, sizes that are true; and a pipe only gets what is copied.
pub(crate) fn has(case: &Case<'_>) -> bool {
    let sink = matches!(case.output, Sink::Tcp | Sink::Corked | Sink::Unix | Sink::Pipe);
    sink && !case.at_position && case.stated == case.file && (case.output != Sink::Pipe || case.copying)
}

impl<'a> World<'a> {
    pub(crate) fn new(case: &'a Case<'a>) -> Self {
        assert!(has(case));
        let transfer = Transfer::new(case.start, case.count, case.headers, case.trailers).unwrap();
        let mut transfer = transfer.with_cap(case.cap).with_small(case.small);
        if case.copying {
            transfer = transfer.copying();
        }
        let unix = matches!(case.output, Sink::Unix | Sink::Pipe);
        Self {
            case,
            transfer,
            kernel: Kernel { file: (b'0'..).take(case.file as usize).collect(), ..Kernel::default() },
            tcp: Tcp { unix, nopush: case.output == Sink::Corked, ..Tcp::default() },
            no_stream: None,
            stopped: false,
            copied: 0,
            joined: false,
            dropped: false,
            no_options: false,
            corked: false,
            loose: false,
            steps: 0,
        }
    }

    pub(crate) fn to_the_end(&self) -> bool {
        self.case.count == Count::ToEnd
    }

    /// Whether the step is one that moves bytes.
    pub(crate) fn moves(step: &Step<'_>) -> bool {
        !matches!(
            step,
            Step::Identify | Step::Size { .. } | Step::AtEnd { .. } | Step::Cork | Step::Flush { .. } | Step::Done
        )
    }

    /// Bytes of the file from there on.
    fn there(&self, offset: u64) -> &[u8] {
        self.kernel.file.get(offset as usize..).unwrap_or_default()
    }

    /// The most bytes that the kernel can move for this step.
    pub(crate) fn most(&self, step: &Step<'_>) -> usize {
        match *step {
            Step::Write { slices, .. } => total(slices.as_slice()) as usize,
            Step::SendFile { offset: Some(offset), count } | Step::Copy { offset: Some(offset), count, .. } => {
                self.there(offset).len().min(count)
            }
            Step::SendFileHdtr { headers, offset, count } => match self.there(offset).len().min(count) {
                0 => 0,
                there => total(headers.as_slice()) as usize + there,
            },
            Step::Gather { .. } => self.gathered(step).len(),
            _ => 0,
        }
    }

    /// What this step gathers.
    fn gathered(&self, step: &Step<'_>) -> Vec<u8> {
        let Step::Gather { headers, sent, offset, count, trailers, .. } = *step else { panic!("{step:?}") };
        let there = self.there(offset);
        let file = &there[..count.min(there.len())];
        let trailers = if file.len() == count { flat(trailers) } else { Vec::new() };
        [&flat(headers)[sent as usize..], file, &trailers].concat()
    }

    /// The next step, checked; `None` when all is done.
    ///
    /// # Errors
    ///
    /// [`Error::NoBuffer`] and [`Error::NotAStream`], where they are right.
    pub(crate) fn next(&mut self) -> Result<Option<Step<'a>>, Error> {
        self.steps += 1;
        assert!(self.steps < 100, "no end");
        if let Some(kind) = self.no_stream {
            assert_eq!(self.ask().unwrap_err(), Error::NotAStream(kind), "nothing is sent");
            return Err(Error::NotAStream(kind));
        }
        let step = match self.ask() {
            Ok(step) => step,
            Err(error) => {
                assert_eq!(error, Error::NoBuffer);
                assert!(self.case.copying && self.case.lent == 0);
                assert_eq!(self.kernel.received, flat(self.case.headers), "the file is due");
                return Err(error);
            }
        };
        match step {
            Step::Done => {
                assert_eq!(self.kernel.received, self.expected().concat(), "all is there");
                self.check_flushed();
                return Ok(None);
            }
            Step::Write { slices, .. } => {
                let left = self.headers_left();
                let native = OS == Os::FreeBsd && self.case.count != Count::Bytes(0);
                let torn = total(slices.as_slice()) < left; // the rest of a slice, and more slices after it
                let excused = self.dropped || self.copies() || torn || self.case.output == Sink::Pipe;
                assert!(left == 0 || !native || excused, "headers are written that the kernel would take");
            }
            Step::SendFile { count, .. } | Step::SendFileHdtr { count, .. } => {
                assert_ne!(count, 0, "a count of 0 is the whole file");
                assert!(!self.copies(), "sendfile, where a copy was asked for");
            }
            Step::Copy { .. } => assert!(self.copies(), "a copy without consent"),
            Step::Cork => self.check_cork(),
            Step::AtEnd { .. } => assert!(self.stopped && self.case.lent == 0, "a read for nothing"),
            _ => {}
        }
        Ok(Some(step))
    }

    /// Two writes are to be joined, or on macOS something short would wait: else the cork costs two calls for nothing.
    fn check_cork(&self) {
        let progress = self.transfer.progress();
        let file = match self.case.count {
            Count::Bytes(count) => progress.file < count,
            Count::ToEnd => true, // perhaps
        };
        let writes = writes(self.case.headers, progress.headers) + writes(self.case.trailers, progress.trailers);
        // What is copied may need several writes, too.
        let joined = writes + if file && self.copies() { 2 } else { usize::from(file) };
        let short = OS == Os::MacOs && (file || progress.total() > 0);
        assert!(joined > 1 || short, "a cork for nothing: {progress:?}");
    }

    fn ask(&mut self) -> Result<Step<'a>, Error> {
        self.transfer.next_step(self.case.headers, self.case.trailers, self.case.lent)
    }

    /// Headers that are still to be sent.
    fn headers_left(&self) -> u64 {
        total(self.case.headers) - self.transfer.progress().headers
    }

    /// Whether the file goes through the buffer.
    fn copies(&self) -> bool {
        self.case.copying || self.transfer.mechanisms().refused.is_some() || self.stopped && self.case.lent > 0
    }

    /// What has to arrive, per section: the trailers only if the file is not cut short.
    fn expected(&self) -> [Vec<u8>; 3] {
        let there = self.there(self.case.start);
        let (file, whole) = match self.case.count {
            Count::Bytes(count) => (&there[..there.len().min(count as usize)], there.len() as u64 >= count),
            Count::ToEnd => (there, true),
        };
        [flat(self.case.headers), file.to_vec(), if whole { flat(self.case.trailers) } else { Vec::new() }]
    }

    /// The receiver has the beginning of it, and the transfer says how much of each section.
    fn check_account(&self) {
        let (expected, progress) = (self.expected(), self.transfer.progress());
        let mut rest = &self.kernel.received[..];
        let got = expected.map(|section| {
            let (got, later) = rest.split_at(section.len().min(rest.len()));
            assert!(section.starts_with(got), "the stream is torn: {:?}", self.kernel.received);
            rest = later;
            got.len() as u64
        });
        assert!(rest.is_empty(), "the stream is torn: {:?}", self.kernel.received);
        assert_eq!([progress.headers, progress.file, progress.trailers], got, "progress is delivery");
        let mechanisms = self.transfer.mechanisms();
        assert_eq!((mechanisms.copy, mechanisms.sendfile), (self.copied, progress.file - self.copied));
        assert_eq!(mechanisms.hdtr, self.joined, "headers went with the file");
    }

    /// Nothing waits that a plain write would have sent, and the options are the caller's.
    fn check_flushed(&self) {
        let theirs = self.case.output == Sink::Corked;
        assert!(!self.transfer.flush_owed());
        assert!(self.no_options || (self.tcp.nopush, self.tcp.nodelay) == (theirs, false), "{:?}", self.tcp);
        assert!(self.no_options || theirs || !self.tcp.held, "bytes are left waiting");
    }

    /// Performs a step as src/drive/perform.rs does, on a kernel that answers so.
    ///
    /// # Errors
    ///
    /// Those of the transfer, where they are right.
    pub(crate) fn perform(&mut self, step: &Step<'a>, answer: Answer) -> Result<(), Error> {
        TCP.set(self.tcp);
        let ours = self.tcp.nopush && self.case.output != Sink::Corked;
        assert!(!ours || self.transfer.left() < u64::MAX, "a cork over a call that may wait");
        let (before, file) = (self.kernel.received.len(), self.transfer.progress().file);
        let (outcome, expected) = match answer {
            Answer::Honest => self.control(step),
            Answer::NotAStream(kind) => {
                self.no_stream = Some(kind);
                (self.transfer.identified(Ok(Output::NotAStream(kind))), Err(Error::NotAStream(kind)))
            }
            Answer::Fails(0, errno) if matches!(step, Step::Identify) => {
                (self.transfer.identified(Err(errno)), Err(Error::Errno(errno)))
            }
            Answer::Fails(0, errno) if matches!(step, Step::AtEnd { .. }) => {
                let expected = if is_refusal(errno) { self.end_of_file() } else { Err(Error::Errno(errno)) };
                (self.transfer.complete(Err(errno)), expected)
            }
            Answer::Fails(0, errno) => {
                let refused = matches!(step, Step::SendFile { .. } | Step::SendFileHdtr { .. })
                    && self.case.lent > 0
                    && is_refusal(errno);
                let option = matches!(step, Step::Cork | Step::Flush { .. });
                // FreeBSD's has no room: no cork, but a flush.
                self.no_options |= option && (errno != Errno::ENOBUFS || OS == Os::MacOs);
                // Headers, file and trailers go each by itself then.
                let apart = matches!(step, Step::Gather { .. }) && errno == Errno::EINVAL;
                let expected = if refused || option || apart { Ok(()) } else { Err(Error::Errno(errno)) };
                (self.transfer.complete(Moved { bytes: 0, error: Some(errno) }), expected)
            }
            Answer::Moves(0) => self.nothing(step),
            Answer::Moves(moved) => self.take(step, moved, None),
            Answer::Fails(moved, errno) => self.take(step, moved, Some(errno)),
        };
        assert_eq!(outcome, expected, "{step:?} {answer:?}");
        self.tcp = TCP.get();
        if self.kernel.received.len() > before {
            self.tcp.output();
            // Nothing but TCP_NODELAY, set before, keeps macOS's from waiting for an acknowledgement: docs/platforms.md.
            self.tcp.held &= OS != Os::MacOs || !self.loose;
        }
        self.loose = match step {
            Step::Flush { .. } => self.corked,
            _ => self.loose && !Self::moves(step),
        };
        self.corked = matches!((step, answer), (Step::Cork, Answer::Honest));
        if matches!(step, Step::Copy { .. } | Step::Gather { .. }) {
            self.copied += self.transfer.progress().file - file;
        }
        self.check_account();
        outcome
    }

    /// What a kernel answers to a step that moves no bytes.
    fn control(&mut self, step: &Step<'_>) -> (Result<(), Error>, Result<(), Error>) {
        let fd = BorrowedFd(PhantomData);
        let result = match *step {
            Step::Identify => return (self.transfer.identified(Ok(self.case.output.kind())), Ok(())),
            Step::AtEnd { offset: Some(offset) } if self.there(offset).is_empty() => {
                let expected = self.end_of_file();
                return (self.transfer.complete(Ok(0)), expected);
            }
            Step::AtEnd { .. } => panic!("{step:?}: this kernel's sendfile stops at the end only"),
            Step::Cork => cork::cork(fd, self.transfer.left()),
            Step::Flush { uncork, push } => cork::flush(fd, uncork, push),
            _ => panic!("{step:?} moves bytes"),
        };
        (self.transfer.complete(result), Ok(()))
    }

    /// A read returned 0.
    fn end_of_file(&mut self) -> Result<(), Error> {
        self.stopped = false;
        match self.case.count {
            Count::ToEnd => Ok(()),
            Count::Bytes(count) => Err(Error::Truncated { owed: count - self.transfer.progress().file }),
        }
    }

    /// The output takes nothing, or the file ends here: where it does not yet, it is cut.
    fn nothing(&mut self, step: &Step<'_>) -> (Result<(), Error>, Result<(), Error>) {
        if self.headers_left() > 0 && !matches!(step, Step::SendFileHdtr { .. }) {
            return (self.transfer.complete(Ok(0)), Err(Error::WriteZero));
        }
        let (offset, headers, count) = match *step {
            Step::Write { .. } => return (self.transfer.complete(Ok(0)), Err(Error::WriteZero)),
            Step::SendFileHdtr { headers, offset, count } => (offset, flat(headers.as_slice()), count),
            Step::SendFile { offset: Some(offset), count } => (offset, Vec::new(), count),
            Step::Copy { offset: Some(offset), .. } | Step::Gather { offset, .. } => (offset, Vec::new(), 0),
            ref step => panic!("{step:?}"),
        };
        self.kernel.file.truncate(offset as usize);
        if count > 0 {
            (self.kernel.room, self.kernel.errno) = (0, None);
            let nbytes = if OS == Os::MacOs { count + headers.len() } else { count };
            assert_eq!(self.kernel.sendfile(offset as usize, nbytes, &headers, &[]), (0, None), "the end of the file");
        }
        self.dropped |= !headers.is_empty();
        let expected = match step {
            Step::SendFileHdtr { .. } => Ok(()), // they are to be written now
            Step::SendFile { .. } => {
                self.stopped = true;
                Ok(())
            }
            _ => self.end_of_file(),
        };
        (self.transfer.complete(Ok(0)), expected)
    }

    /// The kernel moves so many bytes; with an error, where it can have one together with them. What comes of it, and what has to.
    fn take(&mut self, step: &Step<'_>, moved: usize, errno: Option<Errno>) -> (Result<(), Error>, Result<(), Error>) {
        let told = match *step {
            Step::SendFile { offset: Some(offset), count } => {
                self.sendfile(offset, count, &[], moved, errno, self.most(step))
            }
            Step::SendFileHdtr { headers, offset, count } => {
                self.sendfile(offset, count, &flat(headers.as_slice()), moved, errno, self.most(step))
            }
            _ => {
                let bytes = match *step {
                    Step::Write { slices, .. } => flat(slices.as_slice()),
                    Step::Copy { offset: Some(offset), .. } => self.there(offset).to_vec(),
                    Step::Gather { .. } => self.gathered(step),
                    ref step => panic!("{step:?}"),
                };
                self.kernel.put(&bytes[..moved]);
                Moved { bytes: moved, error: errno }
            }
        };
        (self.transfer.complete(told), told.error.map_or(Ok(()), |errno| Err(Error::Errno(errno))))
    }

    /// A short call ends with `EAGAIN`, where no other error is asked for; but every second time FreeBSD's forgets it, as with
    /// SF_SYNC, which waits, and returns what came of the waiting.
    fn sendfile(
        &mut self,
        offset: u64,
        count: usize,
        headers: &[u8],
        moved: usize,
        errno: Option<Errno>,
        most: usize,
    ) -> Moved {
        let all = errno.is_none() && moved == most && OS == Os::FreeBsd;
        let forgets = errno.is_none() && moved % 2 == 0 && OS == Os::FreeBsd;
        (self.kernel.room, self.kernel.errno) = (moved, (!all).then_some(errno.unwrap_or(Errno::EAGAIN)));
        self.kernel.refill = if headers.is_empty() { 0 } else { 2 };
        // As src/sys does: macOS counts the headers.
        let nbytes = if OS == Os::MacOs { count + headers.len() } else { count };
        let (bytes, error) = self.kernel.sendfile(offset as usize, nbytes, headers, &[]);
        self.joined |= !headers.is_empty() && bytes > 0;
        match error.filter(|_| !forgets) {
            // As src/drive/perform.rs does.
            Some(Errno::EAGAIN | Errno::EINTR) if bytes == count + headers.len() => Moved { bytes, error: None },
            error => Moved { bytes, error },
        }
    }

    /// The transfer is left, for a while or for good: the flush, if one is owed.
    pub(crate) fn leave(&mut self) {
        if let Some(step) = self.transfer.flush() {
            assert_eq!(self.perform(&step, Answer::Honest), Ok(()));
        }
        assert!(self.transfer.flush().is_none());
        self.check_flushed();
    }

    /// The transfer is left because the output is full. TCP_NOPUSH holds even what could go then, so all is flushed.
    pub(crate) fn leave_full(&mut self) {
        if let Some(step) = self.transfer.flush_full() {
            assert_eq!(self.perform(&step, Answer::Honest), Ok(()));
        }
        self.check_flushed();
    }

    /// Whether leaving because the output is full has less to do than leaving for another reason.
    pub(crate) fn full_owes_less(&self) -> bool {
        false
    }
}

/// The caller's cork holds a header; they clear it, and Nagle's algorithm holds it on, for something of before is not
/// acknowledged. Whoever leaves the transfer then flushes it.
#[allow(dead_code)] // of FreeBSD
pub(crate) fn the_callers_cork_is_cleared() {
    let (headers, trailers) = ([IoSlice::new(b"head")], [IoSlice::new(b"trailer")]);
    let case = Case {
        headers: &headers,
        file: 0,
        stated: 0,
        trailers: &trailers,
        start: 0,
        at_position: false,
        count: Count::Bytes(0),
        cap: 9,
        small: 0,
        lent: 0,
        copying: false,
        output: Sink::Corked,
        known: false,
    };
    let mut world = World::new(&case);
    world.tcp.short = true;
    for answer in [Answer::Honest, Answer::Honest, Answer::Moves(4)] {
        let step = world.next().unwrap().unwrap();
        world.perform(&step, answer).unwrap();
    }
    TCP.set(world.tcp);
    options::set_tcp_nopush(BorrowedFd(PhantomData), false).unwrap();
    world.tcp = TCP.get();
    assert!(world.tcp.held);
    let step = world.transfer.flush().unwrap();
    world.perform(&step, Answer::Honest).unwrap();
    assert!(!world.tcp.held && !world.tcp.nodelay && !world.transfer.flush_owed());
}
