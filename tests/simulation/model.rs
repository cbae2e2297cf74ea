//! A kernel that does what a script says, and a receiver that knows what has to arrive. Nothing here asks the transfer what
//! is right: the model keeps its own account and compares after every step.

use bare_sendfile::{Count, Errno, Error, IoSlice, Mechanisms, Moved, Output, Progress, Step, Transfer};

pub(crate) use super::case::{Answer, Case, Sink};
use super::case::{flat, total};
use super::queue::Queue;
use super::streams::copied_fragments;

/// What one call moves at the most, and how many slices it takes.
const MAX_RW_COUNT: u64 = 0x7fff_f000;
/// The smallest page of a file.
const PAGE: u64 = 4096;
const IOV_MAX: usize = 1024;

/// What is known of the file's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Unknown,
    /// A call returned 0 there, or the file states that it ends there.
    Claimed,
    /// A byte was read there.
    Denied,
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
    /// "To the end" is reached.
    at_end: bool,
    end: End,
    /// Bytes that were stated and not yet sent.
    stated: u64,
    type_known: bool,
    /// The output is a socket of this type.
    no_stream: Option<u32>,
    refused: Option<Errno>,
    /// The kind of the last step, if it succeeded without moving a byte.
    idle: Option<core::mem::Discriminant<Step<'a>>>,
    queue: Queue,
    /// Fragments of all that was sent, at the most.
    fragments: u64,
    /// Bytes of all that was sent before our cork.
    uncorked: u64,
    cork_known: bool,
    /// The last step was a cork.
    corked: bool,
    /// A flush came right after the cork, so the next call does without.
    loose: bool,
    /// A full output has taken our cork away.
    off: bool,
    /// The kernel refuses TCP's options: nothing can be flushed.
    no_options: bool,
    /// It has refused to read into a buffer with the headers in it.
    apart: bool,
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
            transfer = transfer.with_output(case.output.word());
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
            end: End::Unknown,
            stated: 0,
            type_known: case.known,
            no_stream: None,
            refused: None,
            idle: None,
            queue: Queue::new(case.output),
            fragments: 0,
            uncorked: 0,
            cork_known: false,
            corked: false,
            loose: false,
            off: false,
            no_options: false,
            apart: false,
        }
    }

    /// Lends a buffer of another length from the next step on.
    pub(crate) fn lend(&mut self, len: usize) {
        self.lent = len;
        self.idle = None;
    }

    /// The caller sets TCP_CORK, or clears it again.
    pub(crate) fn turn_cork(&mut self) {
        // Ours is no business of theirs, and to change theirs between two steps is a race with ourselves.
        if self.case.output.is_tcp() && !self.cork_known {
            self.queue.turn_cork();
        }
    }

    pub(crate) fn to_the_end(&self) -> bool {
        self.case.count == Count::ToEnd
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

    /// Bytes that sendfile has there: it does not look beyond the size that is stated.
    fn there_for_sendfile(&self) -> u64 {
        self.case.file.min(self.case.stated).saturating_sub(self.case.start + self.got.file)
    }

    /// Whether what is left of the file is read and written: where sendfile does not go on, that tells more.
    fn copies(&self) -> bool {
        self.lent > 0 && (self.case.copying || self.refused.is_some() || self.end != End::Unknown)
    }

    /// Whether what the output holds back can be let go of.
    fn can_flush(&self) -> bool {
        (self.case.output.is_tcp() || self.case.output.is_layered()) && !self.no_options
    }

    /// Whether the bytes that follow would be a segment of their own, if nothing joined them.
    fn joins(&self, count: u64) -> bool {
        let left = self.left();
        if self.off {
            return false;
        }
        if self.case.output == Sink::Mptcp {
            return true;
        }
        let last = match self.case.count {
            Count::Bytes(_) => count == left,
            Count::ToEnd => !self.case.output.keeps_open() || count == self.stated,
        };
        last && self.trailers > 0 || self.is_small(count)
    }

    /// Whether the cap makes several such steps.
    fn is_small(&self, count: u64) -> bool {
        count == self.case.cap.max(1) as u64 && count < self.left()
    }

    /// Whether these bytes of the file and the trailers surely share a buffer of TCP's with all that was sent.
    fn fits(&self, count: u64) -> bool {
        let pages = (self.page_offset() + count).div_ceil(PAGE);
        self.fragments.saturating_add(pages).saturating_add(copied_fragments(self.trailers)) <= 17
    }

    /// On MPTCP, which joins nothing by itself, all goes out under a cork, unless it is one write.
    fn check_joined(&self, asked: u64) {
        let file = self.got.file.saturating_add(self.left());
        let all = self.headers.saturating_add(file).saturating_add(self.trailers);
        let must_join = self.case.output == Sink::Mptcp && asked < all && self.can_flush() && !self.loose && !self.off;
        assert!(!must_join || self.queue.ours || self.queue.theirs, "it is not joined with the rest");
    }

    /// Whether the first step of the file has room in a buffer of TCP's with the headers and trailers.
    fn first_fits(&self) -> bool {
        let left = self.left();
        let copied = self.case.copying || self.refused.is_some() || self.end != End::Unknown;
        let pages = match () {
            () if copied || left == 0 => 0,
            () if left <= self.case.cap.clamp(1, MAX_RW_COUNT as usize) as u64 => {
                (self.page_offset() + left).div_ceil(PAGE)
            }
            () => 1,
        };
        pages <= self.pages_that_fit()
    }

    fn pages_that_fit(&self) -> u64 {
        17_u64.saturating_sub(copied_fragments(self.headers) + copied_fragments(self.trailers))
    }

    fn page_offset(&self) -> u64 {
        self.offset().map_or(PAGE - 1, |offset| offset % PAGE)
    }

    /// Headers that are still to be sent.
    fn headers_left(&self) -> u64 {
        self.headers - self.got.headers
    }

    /// Bytes that one write can have in the lent buffer.
    fn writable(&self) -> u64 {
        (self.lent as u64).min(MAX_RW_COUNT)
    }

    /// Whether one write of all that is left can be made in the lent buffer.
    fn gathers(&self) -> bool {
        let Case { at_position, count, small, cap, .. } = *self.case;
        let small = (small.min(cap.max(1)) as u64).min(MAX_RW_COUNT);
        let alone = self.got.headers == self.headers && self.trailers == 0;
        !(at_position || self.apart)
            && count != Count::ToEnd
            && (1..=small).contains(&self.left())
            && self.headers_left() + self.left() <= self.writable()
            && self.left() <= self.room()
            && !alone
    }

    /// The next step, checked; `None` when all is done.
    ///
    /// # Errors
    ///
    /// [`Error::NoBuffer`] and [`Error::NotAStream`], where they are right.
    pub(crate) fn next(&mut self) -> Result<Option<Step<'a>>, Error> {
        let Case { headers, trailers, .. } = *self.case;
        // Lists of another length are refused, and change nothing.
        let (expected, found) = (self.headers, total(other(headers)));
        let changed = self.transfer.next_step(other(headers), trailers, self.lent).unwrap_err();
        assert_eq!(changed, Error::HeadersChanged { expected, found });
        let (expected, found) = (self.trailers, total(other(trailers)));
        let changed = self.transfer.next_step(headers, other(trailers), self.lent).unwrap_err();
        assert_eq!(changed, Error::TrailersChanged { expected, found });

        if let Some(kind) = self.no_stream {
            assert_eq!(self.ask().unwrap_err(), Error::NotAStream(kind), "nothing is sent");
            return Err(Error::NotAStream(kind));
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
                let fits = self.headers_left() + left + self.trailers <= self.writable();
                assert_eq!(total(joined), if fits { self.trailers } else { 0 });
                assert_eq!(more, !fits && self.case.output.is_tcp(), "more follows");
                assert_eq!(socket, self.case.output.is_socket());
            }
            Step::Cork if self.case.output == Sink::Mptcp => assert!(self.can_flush() && !self.cork_known && !self.off),
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
                let more_follows = total(slices) < rest || follows && self.first_fits();
                assert_eq!(more, more_follows && self.case.output.is_tcp(), "more follows: {step:?}");
                assert_eq!(socket, self.case.output.is_socket());
                self.check_joined(total(slices));
            }
            _ if self.headers_left() > 0 => panic!("headers are missing: {step:?}"),
            Step::Cork => {
                assert!(self.can_flush() && !self.cork_known && !self.copies());
                assert!(left > 0 && self.joins(self.most_asked()), "a cork that joins nothing");
            }
            Step::Size { offset } => {
                assert!(self.case.output.keeps_open() && !self.copies() && self.end != End::Claimed);
                assert_eq!((offset, self.stated), (self.offset(), 0));
            }
            Step::AtEnd { offset } => {
                assert!(self.lent == 0 && self.end == End::Claimed);
                assert_eq!(offset, self.offset());
            }
            Step::SendFile { offset, count } => {
                assert!(!self.copies(), "sendfile, where a copy was asked for");
                assert_ne!(self.end, End::Claimed, "sendfile, where it has just stopped");
                assert_eq!(offset, self.offset());
                let tcp = self.case.output.is_tcp();
                // What shares its buffer with headers is not longer than that.
                let fitting = (self.pages_that_fit() * PAGE).saturating_sub(self.page_offset());
                let joined = tcp && self.got.file == 0 && self.queue.is_announced() && fitting > 0;
                let most = self.most_asked().min(if joined { fitting } else { u64::MAX });
                // Nor is what may share one with trailers.
                let perhaps_last = tcp && self.case.count == Count::ToEnd && self.trailers > 0;
                if perhaps_last && (self.got.file == 0 || self.queue.ours) {
                    assert!(count as u64 >= most.min(PAGE) && count as u64 <= self.most_asked());
                } else {
                    assert_eq!(count as u64, most);
                }
                // A call that needs another buffer can find the queue full, with nothing in flight.
                let under_cork = self.got.total() - self.uncorked + count as u64;
                assert!(!(tcp && self.queue.ours) || under_cork <= 17 * PAGE, "it can wait under a cork");
                // One small step alone joins nothing.
                let with_next = if self.is_small(count as u64) { 2 * count as u64 } else { count as u64 };
                let fits = !tcp || self.fits(with_next);
                let must_join = self.joins(count as u64) && fits && self.can_flush() && !self.loose;
                assert!(!must_join || self.queue.ours || self.queue.theirs, "it is not joined with what follows");
            }
            Step::Copy { offset, count, more, if_full, socket } => {
                assert!(self.copies(), "a copy without consent");
                assert_eq!(offset, self.offset());
                assert_eq!(count as u64, self.most_read());
                let more_follows = self.trailers > 0 || (count as u64) < left;
                // A short read is the end of the file, behind which the trailers follow if there may be any.
                assert_eq!(if_full, self.trailers == 0 || self.case.count != Count::ToEnd);
                assert_eq!(more, more_follows && self.case.output.is_tcp(), "more follows");
                assert_eq!(socket, self.case.output.is_socket());
            }
            Step::Flush { uncork, push } => {
                assert!(self.can_flush());
                assert!(uncork || !self.queue.ours, "our cork is left");
                if left > 0 {
                    assert!(!push && self.case.output.is_tcp() && !self.fits(self.most_asked()));
                } else {
                    self.check_complete();
                }
            }
            Step::Done => {
                self.check_complete();
                self.check_flushed();
                // Where the file ends before the size that it states, the last bytes were said to be followed by more.
                let stated_too_much = self.at_end && self.stated > 0;
                assert!(
                    stated_too_much || !self.queue.left_open(),
                    "a record is left open, and is lost with the socket"
                );
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

    /// Bytes that a step of the file asks for: what is left, but no more than the cap, and than the kernel can take. An old kernel
    /// says "more follows" if it is asked for more than there is.
    fn most_asked(&self) -> u64 {
        // One record of TLS.
        let stated = if self.case.output.keeps_open() { self.stated.min(16_384) } else { u64::MAX };
        self.left().min(self.case.cap.max(1) as u64).min(MAX_RW_COUNT).min(self.room()).min(stated)
    }

    /// The same of a copy.
    fn most_read(&self) -> u64 {
        let most = self.left().min(self.case.cap.max(1) as u64).min(MAX_RW_COUNT).min(self.room());
        most.min(self.lent as u64)
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
        assert!(!self.queue.ours, "our cork is left");
        assert!(!self.waits(), "bytes are left waiting: {self:?}");
        assert!(!self.transfer.flush_owed());
    }

    fn waits(&self) -> bool {
        self.can_flush() && self.queue.waits()
    }

    /// The most bytes that the kernel can move for this step.
    pub(crate) fn most(&self, step: &Step<'_>) -> usize {
        match step {
            Step::Write { slices, .. } => total(slices.as_slice()) as usize,
            Step::SendFile { count, .. } => self.there_for_sendfile().min(*count as u64) as usize,
            Step::Copy { count, .. } => self.there().min(*count as u64) as usize,
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
        matches!(step, Step::Write { .. } | Step::SendFile { .. } | Step::Copy { .. } | Step::Gather { .. })
    }

    /// Performs the step as `answer` says, tells the transfer, and compares what it makes of it.
    ///
    /// # Errors
    ///
    /// Those of the transfer, where they are right.
    pub(crate) fn perform(&mut self, step: &Step<'a>, answer: Answer) -> Result<(), Error> {
        let before = self.got.total();
        let told = |bytes, error| Moved { bytes, error };
        let (outcome, expected) = match answer {
            Answer::Moves(moved) => {
                let expected = self.take(step, moved);
                (self.transfer.complete(told(moved, None)), expected)
            }
            Answer::Fails(0, errno) if matches!(step, Step::Identify) => {
                (self.transfer.identified(Err(errno)), Err(Error::Errno(errno)))
            }
            Answer::Fails(0, errno) => {
                let expected = self.fail(step, errno);
                (self.transfer.complete(told(0, Some(errno))), expected)
            }
            Answer::Fails(moved, errno) => {
                self.take(step, moved).unwrap();
                if errno == Errno::EAGAIN && matches!(step, Step::SendFile { .. }) {
                    self.queue.full();
                }
                (self.transfer.complete(told(moved, Some(errno))), Err(Error::Errno(errno)))
            }
            Answer::Honest if matches!(step, Step::Identify) => {
                self.type_known = true;
                (self.transfer.identified(Ok(self.case.output.kind())), Ok(()))
            }
            Answer::Honest => {
                let (result, expected) = self.control(step);
                (self.transfer.complete(result), expected)
            }
            Answer::NotAStream(kind) => {
                self.no_stream = Some(kind);
                (self.transfer.identified(Ok(Output::NotAStream(kind))), Err(Error::NotAStream(kind)))
            }
        };
        assert_eq!(outcome, expected, "{step:?} {answer:?}");
        self.fragments = self.fragments.saturating_add(copied_fragments(self.got.total() - before));
        if !self.queue.ours && Self::moves(step) {
            self.cork_known = false; // the caller may set or clear theirs before the next step
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
        assert!(!(self.waits() || self.queue.ours) || self.transfer.flush_owed(), "a flush is owed: {self:?}");
        assert!(self.can_flush() || !self.transfer.flush_owed(), "nothing can be flushed");
    }

    /// The kernel moves bytes, and the receiver looks at each.
    fn take(&mut self, step: &Step<'a>, moved: usize) -> Result<(), Error> {
        let most = self.most(step);
        assert!(moved <= most);
        let Case { headers, trailers, .. } = *self.case;
        let (offset, moved_bytes) = (self.offset(), moved as u64);
        match *step {
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
                *got += moved_bytes;
                self.queue.wrote(total(slices.as_slice()), moved_bytes, more);
            }
            Step::Copy { .. } | Step::Gather { .. } if moved == 0 => return self.end_of_file(),
            // Without a buffer, one more try where a read has found a byte.
            Step::SendFile { .. } if moved == 0 && self.end == End::Denied && self.lent == 0 => {
                return Err(Error::Stuck);
            }
            Step::SendFile { .. } if moved == 0 => self.end = End::Claimed,
            Step::SendFile { count, .. } => {
                self.end = End::Unknown;
                self.got.file += moved_bytes;
                self.stated = self.stated.saturating_sub(moved_bytes);
                self.queue.sent_file(offset, count as u64, moved_bytes);
            }
            Step::Copy { more, count, if_full, .. } => {
                self.got.file += moved_bytes;
                self.stated = self.stated.saturating_sub(moved_bytes);
                self.copied += moved_bytes;
                self.queue.wrote(most as u64, moved_bytes, more && (most == count || !if_full));
            }
            Step::Gather { more, count, .. } => {
                // Headers and trailers are in the order of the lists, which `check` has seen.
                let all = self.there() >= count as u64;
                let headers = self.headers_left().min(moved_bytes);
                let file = self.left().min(moved_bytes - headers);
                self.got.headers += headers;
                self.got.file += file;
                self.got.trailers += moved_bytes - headers - file;
                self.stated = self.stated.saturating_sub(file);
                self.copied += file;
                self.queue.wrote(most as u64, moved_bytes, more && all);
            }
            _ => panic!("{step:?} moves no bytes"),
        }
        Ok(())
    }

    /// A read returned 0, so nobody has more.
    fn end_of_file(&mut self) -> Result<(), Error> {
        self.end = End::Unknown;
        if self.case.count != Count::ToEnd {
            return Err(Error::Truncated { owed: self.left() });
        }
        self.at_end = true;
        Ok(())
    }

    /// What must come of an error.
    fn fail(&mut self, step: &Step<'a>, errno: Errno) -> Result<(), Error> {
        match step {
            // Then the output has no such options.
            Step::Cork | Step::Flush { .. } => {
                self.no_options = true;
                self.cork_known = true;
                self.queue.ours = false;
                return Ok(());
            }
            // What sendfile may be asked for is not known; what is read and written is.
            Step::Size { .. } if self.lent > 0 => {
                self.refused = Some(errno);
                return Ok(());
            }
            // Who refuses to be read so cannot tell, and sendfile's word is the last.
            Step::AtEnd { .. } if is_refusal(errno, self.case.at_position) && self.stated > 0 => {
                return Err(Error::Stuck);
            }
            Step::AtEnd { .. } if is_refusal(errno, self.case.at_position) => return self.end_of_file(),
            Step::SendFile { .. } if self.lent > 0 && is_refusal(errno, self.case.at_position) => {
                self.refused = Some(errno);
                return Ok(());
            }
            Step::Gather { .. } if errno == Errno::EINVAL => {
                self.apart = true;
                return Ok(());
            }
            _ => {}
        }
        if errno == Errno::EAGAIN && matches!(step, Step::SendFile { .. }) {
            self.queue.full();
        }
        Err(Error::Errno(errno))
    }

    /// What a kernel answers to a step that moves no bytes, and what comes of it.
    fn control(&mut self, step: &Step<'a>) -> (Result<usize, Errno>, Result<(), Error>) {
        let has_options = self.case.output != Sink::Sctp;
        let result = match *step {
            Step::Size { .. } => {
                let place = self.case.start + self.got.file;
                // No more can be reported where a `usize` has 32 bits.
                self.stated = self.case.stated.saturating_sub(place).min(usize::MAX as u64);
                let result = Ok(self.stated as usize);
                return match self.end {
                    _ if self.stated > 0 => (result, Ok(())),
                    End::Denied => (result, Err(Error::Stuck)),
                    _ => {
                        self.end = End::Claimed;
                        (result, Ok(()))
                    }
                };
            }
            Step::AtEnd { .. } if self.there() > 0 => {
                self.end = End::Denied;
                Ok(1)
            }
            Step::AtEnd { .. } => return (Ok(0), self.end_of_file()),
            Step::Cork | Step::Flush { .. } if !has_options => {
                return (Err(Errno::EOPNOTSUPP), self.fail(step, Errno::EOPNOTSUPP));
            }
            Step::Cork => {
                self.cork_known = true;
                self.uncorked = self.got.total();
                Ok(self.queue.cork().into())
            }
            Step::Flush { uncork, push } => {
                self.cork_known = self.corked;
                self.loose = self.corked;
                if uncork {
                    self.queue.uncork();
                }
                if push {
                    self.queue.push();
                }
                Ok(0)
            }
            _ => panic!("{step:?} moves bytes"),
        };
        (result, Ok(()))
    }

    /// The transfer is left, for a while or for good: the flush, if one is owed.
    pub(crate) fn leave(&mut self) {
        let step = self.transfer.flush();
        self.flush(step);
        assert!(self.transfer.flush().is_none());
        self.check_flushed();
    }

    /// The transfer is left because the output is full. What waits for an acknowledgement may wait on, as it will come.
    pub(crate) fn leave_full(&mut self) {
        let step = self.transfer.flush_full();
        // A full output takes the cork away for good.
        self.off |= matches!(step, Some(Step::Flush { uncork: true, .. }));
        self.flush(step);
        assert!(self.transfer.flush_full().is_none());
        assert!(!self.queue.ours, "our cork is left");
        assert!(!(self.can_flush() && self.queue.stalls()), "nobody will let go of these bytes: {self:?}");
    }

    /// Whether leaving because the output is full has less to do than leaving for another reason.
    pub(crate) fn full_owes_less(&self) -> bool {
        let push = |step| matches!(step, Some(Step::Flush { push: true, .. }));
        let (full, other) = (self.transfer.clone().flush_full(), self.transfer.clone().flush());
        full.is_some() != other.is_some() || push(full) != push(other)
    }

    fn flush(&mut self, step: Option<Step<'a>>) {
        if let Some(step) = step {
            assert!(self.can_flush());
            assert_eq!(self.perform(&step, Answer::Honest), Ok(()));
            self.idle = None;
        }
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
