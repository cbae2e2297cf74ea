//! A kernel that does what a script says, and a receiver that knows what has to arrive. Nothing here asks the transfer what
//! is right: the model keeps its own account and compares after every step.

use bare_sendfile::{Count, Errno, Error, IoSlice, Mechanisms, Output, Progress, Step, Transfer};

pub(crate) use super::case::{Answer, Case, Output};

/// What one call moves at the most, and how many slices it takes.
const MAX_RW_COUNT: u64 = 0x7fff_f000;
const IOV_MAX: usize = 1024;

const SOCK_STREAM: usize = 1;

/// What TCP may be holding back, at worst: Nagle's algorithm is on and no acknowledgement ever comes.
#[derive(Clone, Copy, Debug, Default)]
struct Tcp {
    ours: bool,
    theirs: bool,
    /// Bytes may wait that one plain write would have sent.
    held: bool,
    /// A short segment of this transfer may be on its way, so that the next one waits.
    short: bool,
}

impl Tcp {
    /// Takes bytes, with "more follows" or without. `full`: all that were offered.
    fn take(&mut self, more: bool, full: bool) {
        let corked = self.ours || self.theirs;
        self.held = more || corked || self.short;
        // A full send buffer is pushed out to its last byte, whatever the flags.
        self.short |= !full || !(more || corked);
    }

    fn clear_cork(&mut self) {
        self.ours = false;
        if self.held {
            self.held = self.short;
            self.short = true;
        }
    }

    fn push(&mut self) {
        self.short |= self.held;
        self.held = false;
    }
}

/// A transfer under way, and all that is known about it.
#[derive(Clone, Debug)]
pub(crate) struct World<'a> {
    case: &'a Case<'a>,
    /// Bytes of the headers and of the trailers.
    headers: u64,
    trailers: u64,
    transfer: Transfer,
    lent: usize,
    /// What the receiver has.
    got: Progress,
    copied: u64,
    /// A call returned 0, so "to the end" is reached.
    at_end: bool,
    type_known: bool,
    refused: Option<Errno>,
    /// To be reported by the next step.
    kept: Option<Errno>,
    /// The kind of the last step, if it succeeded without moving a byte.
    idle: Option<core::mem::Discriminant<Step<'a>>>,
    tcp: Tcp,
    cork_known: bool,
    /// The last step was a cork.
    corked: bool,
    /// A flush came right after the cork, so the next call does without.
    loose: bool,
    /// The kernel refuses TCP's options: nothing can be flushed.
    no_options: bool,
    /// It has refused to read into a buffer with the headers in it.
    apart: bool,
}

fn total(list: &[IoSlice<'_>]) -> u64 {
    list.iter().map(|slice| slice.len() as u64).sum()
}

fn flat(list: &[IoSlice<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    list.iter().for_each(|slice| bytes.extend_from_slice(slice));
    bytes
}

/// Table E: sendfile cannot serve these files, and read and write perhaps can.
fn is_refusal(errno: Errno, at_position: bool) -> bool {
    const ALWAYS: [Errno; 7] = [
        Errno::EINVAL,
        Errno::ENOSYS,
        Errno::EOPNOTSUPP,
        Errno::ENOTSOCK,
        Errno::EXDEV,
        Errno::EOVERFLOW,
        Errno::EPERM,
    ];
    ALWAYS.contains(&errno) || (errno == Errno::ESPIPE && at_position)
}

impl<'a> World<'a> {
    pub(crate) fn new(case: &'a Case<'a>) -> Self {
        let transfer = if case.at_position {
            Transfer::from_position(case.count, case.headers, case.trailers)
        } else {
            Transfer::new(case.start, case.count, case.headers, case.trailers)
        };
        let mut transfer = transfer.unwrap().with_cap(case.cap).with_small(case.small);
        if case.copying {
            transfer = transfer.copying();
        }
        if case.known {
            transfer = transfer.with_output(Output::Tcp);
        }
        Self {
            case,
            headers: total(case.headers),
            trailers: total(case.trailers),
            transfer,
            lent: case.lent,
            got: Progress::default(),
            copied: 0,
            at_end: false,
            type_known: case.known,
            refused: None,
            kept: None,
            idle: None,
            tcp: Tcp { theirs: case.output == Output::Corked, ..Tcp::default() },
            cork_known: false,
            corked: false,
            loose: false,
            no_options: false,
            apart: false,
        }
    }

    /// Lends a buffer of another length from the next step on.
    pub(crate) fn lend(&mut self, len: usize) {
        self.lent = len;
        self.idle = None;
    }

    /// The caller sets TCP_CORK, or clears it again. What waits or is torn by that is none of the transfer's doing.
    pub(crate) fn turn_cork(&mut self) {
        if !self.is_tcp() || self.cork_known {
            return; // our cork is no business of theirs, and to change theirs between two steps is a race with ourselves
        }
        self.tcp.theirs ^= true;
        self.tcp.held = false;
    }

    pub(crate) fn to_the_end(&self) -> bool {
        self.case.count == Count::ToEnd
    }

    fn is_tcp(&self) -> bool {
        matches!(self.case.output, Output::Tcp | Output::Corked)
    }

    fn is_socket(&self) -> bool {
        self.case.output != Output::Pipe
    }

    /// Bytes of the file that are still to be sent.
    fn left(&self) -> u64 {
        match self.case.count {
            Count::Bytes(count) => count - self.got.file,
            Count::ToEnd if self.at_end => 0,
            Count::ToEnd => u64::MAX,
        }
    }

    /// Bytes of the file that are there.
    fn there(&self) -> u64 {
        self.case.file.saturating_sub(self.case.start + self.got.file)
    }

    fn copies(&self) -> bool {
        self.lent > 0 && (self.case.copying || self.refused.is_some())
    }

    /// Headers that are still to be sent.
    fn headers_left(&self) -> u64 {
        self.headers - self.got.headers
    }

    /// Whether one write of all that is left can be made in the lent buffer.
    fn gathers(&self) -> bool {
        let Case { at_position, count, small, cap, .. } = *self.case;
        let small = (small.min(cap.max(1)) as u64).min(MAX_RW_COUNT);
        let alone = self.got.headers == self.headers && self.trailers == 0;
        !(at_position || self.apart)
            && count != Count::ToEnd
            && (1..=small).contains(&self.left())
            && self.headers_left() + self.left() <= self.lent as u64
            && self.left() <= self.room()
            && !alone
    }

    /// The next step, checked; `None` when all is done.
    ///
    /// # Errors
    ///
    /// [`Error::NoBuffer`], where it is right.
    pub(crate) fn next(&mut self) -> Result<Option<Step<'a>>, Error> {
        let Case { headers, trailers, .. } = *self.case;
        // Lists of another length are refused, and change nothing.
        let (expected, found) = (self.headers, total(other(headers)));
        let changed = self.transfer.next_step(other(headers), trailers, self.lent).unwrap_err();
        assert_eq!(changed, Error::HeadersChanged { expected, found });
        let (expected, found) = (self.trailers, total(other(trailers)));
        let changed = self.transfer.next_step(headers, other(trailers), self.lent).unwrap_err();
        assert_eq!(changed, Error::TrailersChanged { expected, found });

        if let Some(errno) = self.kept.take() {
            assert_eq!(self.ask().unwrap_err(), Error::Errno(errno), "the error that came together with progress");
        }
        let of_file = self.type_known && self.headers_left() == 0 && self.left() > 0;
        if of_file && self.case.copying && self.lent == 0 {
            assert_eq!(self.ask().unwrap_err(), Error::NoBuffer);
            return Err(Error::NoBuffer);
        }
        let step = self.ask().expect("a step");
        let again = self.ask().unwrap();
        assert!(same(&step, &again), "asked again, it gives the same step");
        self.check(&step);
        self.check(&again);
        Ok((!matches!(step, Step::Done)).then_some(step))
    }

    fn ask(&mut self) -> Result<Step<'a>, Error> {
        self.transfer.next_step(self.case.headers, self.case.trailers, self.lent)
    }

    /// Whether this is the step that must come now.
    fn check(&self, step: &Step<'a>) {
        let left = self.left();
        assert_ne!(self.idle, Some(core::mem::discriminant(step)), "a step is repeated without progress: {step:?}");
        match *step {
            Step::Identify => assert!(!self.type_known),
            _ if !self.type_known => panic!("the output is unknown: {step:?}"),
            Step::Gather { headers: all_headers, sent, offset, count, trailers: joined, more, socket } => {
                assert!(self.gathers());
                assert_eq!((Some(offset), count as u64), (self.offset(), left));
                assert_eq!((total(all_headers), sent), (self.headers, self.got.headers));
                let fits = self.headers_left() + left + self.trailers <= self.lent as u64;
                assert_eq!(total(joined), if fits { self.trailers } else { 0 });
                assert_eq!(more, !fits, "more follows");
                assert_eq!(socket, self.is_socket());
            }
            _ if self.gathers() => panic!("it fits the buffer: {step:?}"),
            Step::Write { slices, more, socket } => {
                let slices = slices.as_slice();
                let (list, rest, follows) = if self.headers_left() > 0 {
                    (self.case.headers, self.headers_left(), left > 0 || self.trailers > 0)
                } else {
                    assert_eq!(left, 0, "trailers before the end of the file");
                    (self.case.trailers, self.trailers - self.got.trailers, false)
                };
                assert_eq!(slices.len(), Self::batch(list, total(list) - rest), "slices of a call: {step:?}");
                assert_eq!(more, total(slices) < rest || follows, "more follows: {step:?}");
                assert_eq!(socket, self.is_socket());
            }
            _ if self.headers_left() > 0 => panic!("headers are missing: {step:?}"),
            Step::Cork => {
                assert!(self.is_socket() && !self.cork_known && !self.copies());
                assert!(left > 0 && self.trailers > 0, "a cork joins the file and the trailers");
                assert!(
                    self.case.count == Count::ToEnd || self.most_asked() == left,
                    "a cork before the last step only"
                );
            }
            Step::SendFile { offset, count } => {
                assert!(!self.copies(), "sendfile, where a copy was asked for");
                assert_eq!(offset, self.offset());
                assert_eq!(count as u64, self.most_asked());
                let last = self.case.count == Count::ToEnd || count as u64 == left;
                let must_join = last && self.trailers > 0 && self.is_tcp() && !self.no_options && !self.loose;
                assert!(!must_join || self.tcp.ours || self.tcp.theirs, "trailers will not join the file");
            }
            Step::Copy { offset, count, more, socket } => {
                assert!(self.copies(), "a copy without consent");
                assert_eq!(offset, self.offset());
                assert_eq!(count as u64, self.most_asked().min(self.lent as u64));
                assert_eq!(more, self.trailers > 0 || (count as u64) < left, "more follows");
                assert_eq!(socket, self.is_socket());
            }
            Step::Flush { uncork, .. } => {
                assert!(self.is_socket());
                assert!(uncork || !self.tcp.ours, "our cork is left");
                self.check_complete();
            }
            Step::Done => {
                self.check_complete();
                self.check_flushed();
            }
            _ => panic!("the model does not know {step:?}"),
        }
    }

    /// How many slices go out with one call when `sent` bytes of the list are gone: what is left of one, or all that follow.
    fn batch(list: &[IoSlice<'_>], mut sent: u64) -> usize {
        let first = list.iter().position(|slice| {
            let whole = sent >= slice.len() as u64;
            sent -= if whole { slice.len() as u64 } else { 0 };
            !whole
        });
        if sent > 0 { 1 } else { (list.len() - first.unwrap()).min(IOV_MAX) }
    }

    fn offset(&self) -> Option<u64> {
        (!self.case.at_position).then_some(self.case.start + self.got.file)
    }

    /// Bytes that a step of the file asks for: what is left, but no more than the cap, and than the kernel can take.
    fn most_asked(&self) -> u64 {
        self.left().min(self.case.cap.max(1) as u64).min(MAX_RW_COUNT).min(self.room())
    }

    /// Bytes up to the largest offset.
    fn room(&self) -> u64 {
        i64::MAX as u64 - self.offset().unwrap_or(0)
    }

    fn check_complete(&self) {
        assert_eq!((self.got.headers, self.left(), self.got.trailers), (self.headers, 0, self.trailers));
    }

    /// Nothing waits that a plain write would have sent.
    fn check_flushed(&self) {
        assert!(!self.tcp.ours, "our cork is left");
        assert!(!self.waits(), "bytes are left waiting: {self:?}");
        assert!(!self.transfer.flush_owed());
    }

    fn waits(&self) -> bool {
        self.is_tcp() && !self.tcp.theirs && !self.no_options && self.tcp.held
    }

    /// The most bytes that the kernel can move for this step.
    pub(crate) fn most(&self, step: &Step<'_>) -> usize {
        match step {
            Step::Write { slices, .. } => total(slices.as_slice()) as usize,
            Step::SendFile { count, .. } | Step::Copy { count, .. } => self.there().min(*count as u64) as usize,
            Step::Gather { count, trailers, .. } => {
                let read = self.there().min(*count as u64);
                let trailers = if read == *count as u64 { total(trailers) } else { 0 };
                (self.headers_left() + read + trailers) as usize
            }
            _ => 0,
        }
    }

    /// Whether the step is one that moves bytes.
    pub(crate) fn moves(step: &Step<'_>) -> bool {
        !matches!(step, Step::Identify | Step::Cork | Step::Flush { .. } | Step::Done)
    }

    /// Performs the step as `answer` says, tells the transfer, and compares what it makes of it.
    ///
    /// # Errors
    ///
    /// Those of the transfer, where they are right.
    pub(crate) fn perform(&mut self, step: &Step<'a>, answer: Answer) -> Result<(), Error> {
        let (told, expected) = match answer {
            Answer::Moves(moved) => (Ok(moved), self.take(step, moved)),
            Answer::Fails(0, errno) => (Err(errno), self.fail(step, errno)),
            Answer::Fails(moved, errno) => {
                self.take(step, moved).unwrap();
                self.kept = Some(errno);
                (Ok(moved), Ok(()))
            }
            Answer::Honest => (self.control(step), Ok(())),
            Answer::SocketType(kind) => (Ok(kind), Err(Error::NotAStream(kind))),
        };
        let outcome = match answer {
            Answer::Fails(moved, errno) => self.transfer.complete(Moved { bytes: moved, error: Some(errno) }),
            _ => self.transfer.complete(told),
        };
        assert_eq!(outcome, expected, "{step:?} {answer:?}");
        if (self.tcp.theirs || self.loose) && matches!(step, Step::SendFile { .. }) {
            self.cork_known = false; // the caller may clear it before the next step
            self.loose = false;
        }
        self.corked = matches!(step, Step::Cork);
        let moved = matches!(answer, Answer::Moves(1..) | Answer::Fails(1.., _));
        self.idle = (outcome.is_ok() && !moved).then(|| core::mem::discriminant(step));
        // A completion for no step changes nothing.
        let mut again = self.transfer.clone();
        assert_eq!(again.complete(Ok(1)), Err(Error::Unasked));
        assert_eq!(again.progress(), self.got);
        self.check_account();
        outcome
    }

    /// What the receiver and the kernel say must be what the transfer says, at any moment.
    fn check_account(&self) {
        assert_eq!(self.transfer.progress(), self.got, "progress is delivery");
        assert_eq!(self.transfer.progress().total(), self.got.headers + self.got.file + self.got.trailers);
        let sendfile = self.got.file - self.copied;
        assert_eq!(
            self.transfer.mechanisms(),
            Mechanisms { sendfile, copy: self.copied, refused: self.refused, ..Mechanisms::default() },
            "which mechanism moved how much"
        );
        assert!(!(self.waits() || self.tcp.ours) || self.transfer.flush_owed(), "a flush is owed: {self:?}");
        assert!(self.is_socket() || !self.transfer.flush_owed(), "no flush for a pipe");
    }

    /// The kernel moves bytes, and the receiver looks at each.
    fn take(&mut self, step: &Step<'a>, moved: usize) -> Result<(), Error> {
        let most = self.most(step);
        assert!(moved <= most);
        let Case { headers, trailers, .. } = *self.case;
        let (asked, more) = match *step {
            Step::Write { .. } if moved == 0 => return Err(Error::WriteZero),
            Step::Gather { .. } if moved == 0 && self.headers_left() > 0 => return Err(Error::WriteZero),
            Step::Write { slices, more, .. } => {
                let (list, got) = if self.got.headers < self.headers {
                    (headers, &mut self.got.headers)
                } else {
                    (trailers, &mut self.got.trailers)
                };
                let (sent, due) = (flat(slices.as_slice()), flat(list));
                assert!(due[*got as usize..].starts_with(&sent[..moved]), "these bytes are not the next ones");
                *got += moved as u64;
                (total(slices.as_slice()) as usize, more)
            }
            Step::SendFile { .. } | Step::Copy { .. } | Step::Gather { .. } if moved == 0 => {
                let owed = self.left();
                if self.case.count != Count::ToEnd {
                    return Err(Error::Truncated { owed });
                }
                self.at_end = true;
                return Ok(());
            }
            Step::SendFile { count, .. } => {
                self.got.file += moved as u64;
                (count, moved < count) // a kernel before 6.5 says "more follows" when it got less than it was asked for
            }
            Step::Copy { more, .. } => {
                self.got.file += moved as u64;
                self.copied += moved as u64;
                (most, more)
            }
            Step::Gather { more, .. } => {
                // Headers and trailers are in the order of the lists, which `check` has seen.
                let headers = self.headers_left().min(moved as u64);
                let file = self.left().min(moved as u64 - headers);
                self.got.headers += headers;
                self.got.file += file;
                self.got.trailers += moved as u64 - headers - file;
                self.copied += file;
                (most, more)
            }
            _ => panic!("{step:?} moves no bytes"),
        };
        self.tcp.take(more, moved == asked);
        Ok(())
    }

    /// What must come of an error.
    fn fail(&mut self, step: &Step<'a>, errno: Errno) -> Result<(), Error> {
        match step {
            Step::Identify if errno == Errno::ENOTSOCK => panic!("that is no fault"),
            // Then the output has no such options, as a socket of the Unix domain has none.
            Step::Cork | Step::Flush { .. } => {
                self.no_options = true;
                self.cork_known = true;
                self.tcp.ours = false;
                Ok(())
            }
            Step::SendFile { .. } if self.lent > 0 && is_refusal(errno, self.case.at_position) => {
                self.refused = Some(errno);
                Ok(())
            }
            Step::Gather { .. } if errno == Errno::EINVAL => {
                self.apart = true;
                Ok(())
            }
            _ => Err(Error::Errno(errno)),
        }
    }

    /// What a kernel answers to a step that moves no bytes.
    fn control(&mut self, step: &Step<'a>) -> Result<usize, Errno> {
        match *step {
            Step::Identify => {
                self.type_known = true;
                if self.is_socket() { Ok(SOCK_STREAM) } else { Err(Errno::ENOTSOCK) }
            }
            Step::Cork => {
                self.cork_known = true;
                if !self.is_tcp() {
                    return Err(Errno::EOPNOTSUPP);
                }
                self.tcp.ours = !self.tcp.theirs;
                Ok(self.tcp.theirs.into())
            }
            Step::Flush { uncork, push } => {
                if !self.is_tcp() {
                    self.cork_known = true;
                    return Err(Errno::EOPNOTSUPP);
                }
                self.cork_known = self.corked;
                self.loose = self.corked;
                if uncork {
                    assert!(self.tcp.ours, "the caller's cork is cleared");
                    self.tcp.clear_cork();
                }
                if push && !self.tcp.theirs {
                    self.tcp.push();
                }
                Ok(0)
            }
            _ => panic!("{step:?} moves bytes"),
        }
    }

    /// The transfer is left, for a while or for good: the flush, if one is owed.
    pub(crate) fn leave(&mut self) {
        if let Some(step) = self.transfer.flush() {
            assert!(self.is_socket());
            assert_eq!(self.perform(&step, Answer::Honest), Ok(()));
            self.idle = None;
        }
        assert!(self.transfer.flush().is_none());
        self.check_flushed();
        self.check_account();
    }
}

/// A list of another length than this one.
fn other(list: &[IoSlice<'_>]) -> &'static [IoSlice<'static>] {
    const ONE: &[IoSlice<'static>] = &[IoSlice::new(b"?")];
    if list.iter().all(|slice| slice.is_empty()) { ONE } else { &[] }
}

/// Whether two steps are the same, as far as [`World::check`] does not say what each has to be.
fn same(a: &Step<'_>, b: &Step<'_>) -> bool {
    match (*a, *b) {
        (Step::Write { slices: a, .. }, Step::Write { slices: b, .. }) => {
            let places = |list: &[IoSlice<'_>]| (list.len(), list.first().map(|slice| slice.as_ptr_range()));
            places(a.as_slice()) == places(b.as_slice())
        }
        (Step::Flush { uncork: a, push: a_push }, Step::Flush { uncork: b, push: b_push }) => {
            (a, a_push) == (b, b_push)
        }
        (a, b) => core::mem::discriminant(&a) == core::mem::discriminant(&b),
    }
}
