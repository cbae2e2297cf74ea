//! [`Transfer`] without a kernel: which steps it returns, their fields, and how `complete` changes its state. Requirements
//! C10 to C20 and D of docs/semantics.md, as far as they are decided before a system call.
#![cfg(target_os = "linux")]

use bare_sendfile::{Count, Errno, Error, IoSlice, Mechanisms, Moved, Output, Progress, Step, Transfer};
use proptest::collection::vec;
use proptest::prelude::*;

const MAX_RW_COUNT: usize = 0x7fff_f000;

/// A [`Step`] that can be compared.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Identify,
    Size { offset: Option<u64> },
    AtEnd { offset: Option<u64> },
    Write { slices: Vec<Vec<u8>>, more: bool, socket: bool },
    Cork,
    SendFile { offset: Option<u64>, count: usize },
    Copy { offset: Option<u64>, count: usize, more: bool, if_full: bool, socket: bool },
    Gather { offset: u64, count: usize, trailers: usize, more: bool },
    Flush { uncork: bool, push: bool },
    Done,
}

impl From<Step<'_>> for Seen {
    fn from(step: Step<'_>) -> Self {
        match step {
            Step::Identify => Self::Identify,
            Step::Size { offset } => Self::Size { offset },
            Step::AtEnd { offset } => Self::AtEnd { offset },
            Step::Write { slices, more, socket } => {
                Self::Write { slices: slices.as_slice().iter().map(|slice| slice.to_vec()).collect(), more, socket }
            }
            Step::Cork => Self::Cork,
            Step::SendFile { offset, count } => Self::SendFile { offset, count },
            Step::Copy { offset, count, more, if_full, socket } => Self::Copy { offset, count, more, if_full, socket },
            Step::Gather { offset, count, trailers, more, .. } => {
                Self::Gather { offset, count, trailers: trailers.len(), more }
            }
            Step::Flush { uncork, push } => Self::Flush { uncork, push },
            Step::Done => Self::Done,
            step => panic!("{step:?} is new"),
        }
    }
}

fn write(slices: &[&[u8]], more: bool, socket: bool) -> Seen {
    Seen::Write { slices: slices.iter().map(|slice| slice.to_vec()).collect(), more, socket }
}

fn send_file(offset: u64, count: usize) -> Seen {
    Seen::SendFile { offset: Some(offset), count }
}

fn at_end(offset: u64) -> Seen {
    Seen::AtEnd { offset: Some(offset) }
}

fn copy(offset: u64, count: usize, more: bool, socket: bool) -> Seen {
    Seen::Copy { offset: Some(offset), count, more, if_full: true, socket }
}

/// What sends all that waits behind a short segment.
const PUSH: Seen = Seen::Flush { uncork: false, push: true };

fn mechanisms(sendfile: u64, copy: u64, refused: Option<Errno>) -> Mechanisms {
    Mechanisms { sendfile, copy, refused, ..Mechanisms::default() }
}

/// A transfer with its lists and the buffer that is lent.
#[derive(Clone)]
struct Script<'a> {
    transfer: Transfer,
    headers: &'a [IoSlice<'a>],
    trailers: &'a [IoSlice<'a>],
    lent: usize,
}

impl<'a> Script<'a> {
    fn new(offset: u64, count: impl Into<Count>, headers: &'a [IoSlice<'a>], trailers: &'a [IoSlice<'a>]) -> Self {
        Self { transfer: Transfer::new(offset, count, headers, trailers).unwrap(), headers, trailers, lent: 0 }
    }

    /// On plain TCP, a file or whatever the kernel says.
    fn on(mut self, output: Output) -> Self {
        assert_eq!(self.next(), Seen::Identify);
        assert_eq!(self.transfer.identified(Ok(output)), Ok(()));
        self
    }

    fn lending(mut self, lent: usize) -> Self {
        self.lent = lent;
        self
    }

    fn with(mut self, change: impl FnOnce(Transfer) -> Transfer) -> Self {
        self.transfer = change(self.transfer);
        self
    }

    fn try_next(&mut self) -> Result<Seen, Error> {
        self.transfer.next_step(self.headers, self.trailers, self.lent).map(Seen::from)
    }

    fn next(&mut self) -> Seen {
        self.try_next().unwrap()
    }

    /// The next step is this one, even when asked for twice, and ends so.
    #[track_caller]
    fn step(&mut self, expected: &Seen, result: impl Into<Moved>) -> Result<(), Error> {
        assert_eq!(self.next(), *expected);
        assert_eq!(self.next(), *expected, "the second time");
        self.transfer.complete(result)
    }

    #[track_caller]
    fn goes(&mut self, expected: Seen, moved: usize) -> &mut Self {
        assert_eq!(self.step(&expected, Ok(moved)), Ok(()));
        self
    }

    #[track_caller]
    fn fails(&mut self, expected: Seen, errno: Errno) -> &mut Self {
        assert_eq!(self.step(&expected, Err(errno)), Err(Error::Errno(errno)));
        self
    }

    #[track_caller]
    fn is_done(&mut self) {
        assert_eq!(self.next(), Seen::Done);
        assert_eq!(self.next(), Seen::Done);
        assert!(!self.transfer.flush_owed());
        assert_eq!(self.transfer.complete(Ok(0)), Err(Error::Unasked), "Done is not to be completed");
    }

    #[track_caller]
    fn sent(&mut self, headers: u64, file: u64, trailers: u64) -> &mut Self {
        assert_eq!(self.transfer.progress(), Progress { headers, file, trailers });
        self
    }
}

const HEADERS: [IoSlice<'static>; 2] = [IoSlice::new(b"head"), IoSlice::new(b"ers")];
const TRAILERS: [IoSlice<'static>; 1] = [IoSlice::new(b"trailers")];
const TCP: Output = Output::Tcp;
const FILE: Output = Output::NotSocket;

fn headers(more: bool, socket: bool) -> Seen {
    write(&[b"head", b"ers"], more, socket)
}

fn trailers(socket: bool) -> Seen {
    write(&[b"trailers"], false, socket)
}

#[test]
fn c10_the_phases_on_a_stream_socket() {
    let mut all = Script::new(5, 100, &HEADERS, &TRAILERS).on(TCP);
    all.goes(headers(true, true), 7).goes(Seen::Cork, 0).goes(send_file(5, 100), 100).goes(trailers(true), 8);
    all.goes(Seen::Flush { uncork: true, push: false }, 0).sent(7, 100, 8).is_done();
    assert_eq!(all.transfer.mechanisms(), mechanisms(100, 0, None));

    // Without trailers there is nothing to cork, and no system call more than these.
    let mut no_trailers = Script::new(5, 100, &HEADERS, &[]).on(TCP);
    no_trailers.goes(headers(true, true), 7).goes(send_file(5, 100), 100).is_done();
    Script::new(5, 100, &[], &[]).on(TCP).goes(send_file(5, 100), 100).is_done();
    Script::new(5, 0, &HEADERS, &[]).on(TCP).goes(headers(false, true), 7).is_done();
    Script::new(5, 0, &HEADERS, &TRAILERS).on(TCP).goes(headers(true, true), 7).goes(trailers(true), 8).is_done();
    Script::new(5, 0, &[], &[]).on(TCP).is_done();
}

#[test]
fn c10_c14_the_phases_on_a_file_or_pipe() {
    let mut all = Script::new(5, 100, &HEADERS, &TRAILERS).on(FILE);
    all.goes(headers(false, false), 7).goes(send_file(5, 100), 100).goes(trailers(false), 8).sent(7, 100, 8).is_done();
    // Nothing is held back there.
    let mut left = Script::new(5, 100, &HEADERS, &TRAILERS).on(FILE);
    left.goes(headers(false, false), 7).goes(send_file(5, 100), 30);
    assert!(!left.transfer.flush_owed());
    assert!(left.transfer.flush().is_none());
}

#[test]
fn c11_a_count_of_0_is_no_step_and_to_the_end_is_until_0() {
    for output in [TCP, FILE] {
        Script::new(5, 0, &[], &[]).on(output).is_done();
    }
    let mut to_the_end = Script::new(5, Count::ToEnd, &HEADERS, &TRAILERS).on(FILE).with(|t| t.with_cap(100));
    to_the_end.goes(headers(false, false), 7);
    for file in 0..10 {
        to_the_end.goes(send_file(5 + 30 * file, 100), 30);
    }
    to_the_end.goes(send_file(305, 100), 0).goes(at_end(305), 0);
    to_the_end.goes(trailers(false), 8).sent(7, 300, 8).is_done();
}

#[test]
fn c12_empty_lists_and_slices_are_no_step() {
    let empty = [IoSlice::new(&[]); 2000];
    for output in [TCP, FILE] {
        Script::new(0, 0, &empty, &empty).on(output).is_done();
        Script::new(0, 9, &empty, &empty).on(output).goes(send_file(0, 9), 9).is_done();
    }
    // Leading ones are skipped, however many; those behind go along.
    let list = [&empty[..], &HEADERS, &empty[..3]].concat();
    let mut among = Script::new(0, 0, &list, &[]).on(TCP);
    among.goes(write(&[b"head", b"ers", b"", b"", b""], false, true), 7).is_done();
}

#[test]
fn c13_1024_slices_a_call() {
    let list = [IoSlice::new(b"x"); 5000];
    for (n, batches) in
        [(1023, vec![1023]), (1024, vec![1024]), (1025, vec![1024, 1]), (5000, vec![1024, 1024, 1024, 1024, 904])]
    {
        for socket in [true, false] {
            let mut script = Script::new(0, 0, &list[..n], &list[..n]).on(if socket { TCP } else { FILE });
            let mut both = [(); 2].iter().flat_map(|()| &batches).copied().peekable();
            while let Some(batch) = both.next() {
                // C14: more follows, but for the last of all.
                script.goes(write(&vec![&b"x"[..]; batch], socket && both.peek().is_some(), socket), batch);
            }
            if socket {
                script.goes(PUSH, 0); // as the first may have been more than one segment
            }
            script.is_done();
        }
    }
}

#[test]
fn d1_a_slice_that_is_half_sent_goes_out_alone() {
    let list = [&b"abc"[..], b"", b"defg", b"h"].map(IoSlice::new);
    let mut script = Script::new(0, 1, &list, &[]).on(FILE);
    script.goes(write(&[b"abc", b"", b"defg", b"h"], false, false), 1);
    script.goes(write(&[b"bc"], false, false), 2);
    script.goes(write(&[b"defg", b"h"], false, false), 4); // without the empty one in front
    script.goes(write(&[b"h"], false, false), 1).goes(send_file(0, 1), 1).is_done();

    let mut script = Script::new(0, 0, &[], &list).on(TCP);
    script.goes(write(&[b"abc", b"", b"defg", b"h"], false, true), 5);
    script.goes(write(&[b"fg"], true, true), 2).goes(write(&[b"h"], false, true), 1).sent(0, 0, 8);
}

#[test]
fn c15_the_cork_is_set_before_the_last_step_of_the_file_only() {
    const CAP: usize = 1 << 16;
    let step = |n: u64, count| send_file(n * CAP as u64, count);
    let mut script = Script::new(0, (2 * CAP + 50) as u64, &[], &TRAILERS).on(TCP).with(|t| t.with_cap(CAP));
    script.goes(step(0, CAP), CAP).goes(step(1, CAP), CAP).goes(Seen::Cork, 0).goes(step(2, 50), 50);
    script.goes(trailers(true), 8);
    // The earlier steps have made short segments.
    script.goes(Seen::Flush { uncork: true, push: true }, 0).is_done();

    // Which is not forgotten when more follows.
    let many = [IoSlice::new(b"x"); 1025];
    let mut script = Script::new(0, (CAP + 50) as u64, &[], &many).on(TCP).with(|t| t.with_cap(CAP));
    script.goes(step(0, CAP), CAP).goes(Seen::Cork, 0).goes(step(1, 50), 50);
    script.goes(write(&[&b"x"[..]; 1024], true, true), 1024).goes(write(&[b"x"], false, true), 1);
    script.goes(Seen::Flush { uncork: true, push: true }, 0).is_done();

    // To the end any step may be the last.
    let mut script = Script::new(0, Count::ToEnd, &[], &TRAILERS).on(TCP).with(|t| t.with_cap(100));
    script.goes(Seen::Cork, 0).goes(send_file(0, 100), 100).goes(send_file(100, 100), 100).goes(send_file(200, 100), 0);
    script.goes(at_end(200), 0).goes(trailers(true), 8);
    script.goes(Seen::Flush { uncork: true, push: false }, 0).is_done();
}

/// Each step would end in a short segment, and the next one wait for its acknowledgement, or cost a packet of its own.
#[test]
fn c15_steps_smaller_than_a_segment_are_joined() {
    for (cap, joined) in [(500, true), (1 << 15, true), ((1 << 15) + 4096, false)] {
        let mut script = Script::new(0, (2 * cap) as u64, &[], &[]).on(TCP).with(|t| t.with_cap(cap));
        if joined {
            script.goes(Seen::Cork, 0);
        }
        script.goes(send_file(0, cap), cap);
        script.goes(send_file(cap as u64, cap), cap);
        script.goes(Seen::Flush { uncork: joined, push: !joined }, 0).is_done();
    }
    // What does not fit into one buffer does not wait under the cork.
    let cap = 1 << 15;
    let step = |n: u64| send_file(n * cap as u64, cap);
    let mut script = Script::new(0, (4 * cap) as u64, &[], &[]).on(TCP).with(|t| t.with_cap(cap));
    script.goes(Seen::Cork, 0).goes(step(0), cap).goes(step(1), cap);
    script.goes(Seen::Flush { uncork: true, push: false }, 0).goes(Seen::Cork, 0).goes(step(2), cap);
    script.goes(step(3), cap).goes(Seen::Flush { uncork: true, push: true }, 0).is_done();
    // One step alone is none of several.
    Script::new(0, 500, &[], &[]).on(TCP).with(|t| t.with_cap(500)).goes(send_file(0, 500), 500).is_done();
}

/// C23: a call that needs another buffer can find the queue full, and what a cork holds is not in flight.
#[test]
fn c23_no_more_goes_under_a_cork_than_one_buffer_holds() {
    const FITTING: usize = 15 * 4096; // and two fragments for the trailers
    for (body, fits) in [(FITTING, true), (FITTING + 1, false)] {
        let mut script = Script::new(0, body as u64, &[], &TRAILERS).on(TCP);
        if fits {
            script.goes(Seen::Cork, 0);
        }
        script.goes(send_file(0, body), body).goes(trailers(true), 8);
        script.goes(Seen::Flush { uncork: fits, push: !fits }, 0).is_done();
    }
    // To the end each step can be the last. What is left of the buffer is used, unless the first step was full.
    let start = || {
        let mut script = Script::new(0, Count::ToEnd, &[], &TRAILERS).on(TCP);
        script.goes(Seen::Cork, 0);
        script
    };
    let mut script = start();
    script.goes(send_file(0, FITTING), 100).goes(send_file(100, FITTING - 4096 - 100), 0).goes(at_end(100), 0);
    script.goes(trailers(true), 8).goes(Seen::Flush { uncork: true, push: true }, 0).is_done();
    let mut script = start();
    script.goes(send_file(0, FITTING), FITTING).goes(Seen::Flush { uncork: true, push: false }, 0);
    script.goes(send_file(FITTING as u64, 2 << 20), 100).goes(send_file(FITTING as u64 + 100, 2 << 20), 0);
    script.goes(at_end(FITTING as u64 + 100), 0).goes(trailers(true), 8).goes(PUSH, 0).is_done();
}

#[test]
fn a_range_that_is_used_up_is_no_bytes() {
    let mut range = 3..=3;
    assert_eq!((Count::from(range.clone()), range.next()), (Count::Bytes(1), Some(3)));
    assert_eq!(Count::from(range), Count::Bytes(0));
}

/// C21: 17 fragments fill a buffer of the kernel's, and each page is one.
#[test]
fn c21_a_step_of_many_pages_owes_a_push() {
    const PAGE: u64 = 4096;
    // Headers and trailers are two at worst, each.
    for (trailers_len, pages) in [(0, 15), (8, 13)] {
        for (offset, count, torn) in [
            (0, pages * PAGE, false),
            (0, pages * PAGE + 1, true),
            (1, pages * PAGE - 1, false),
            (1, pages * PAGE, true),
            (PAGE - 1, (pages - 1) * PAGE + 1, false),
            (PAGE - 1, (pages - 1) * PAGE + 2, true),
        ] {
            let list = if trailers_len > 0 { &TRAILERS[..] } else { &[] };
            let mut script = Script::new(offset, count, &HEADERS, list).on(TCP);
            // What does not fit is not announced.
            script.goes(headers(!torn, true), 7);
            if trailers_len > 0 {
                script.goes(Seen::Cork, 0);
            }
            script.goes(send_file(offset, count as usize), count as usize);
            if trailers_len > 0 {
                script.goes(trailers(true), 8).goes(Seen::Flush { uncork: true, push: torn }, 0);
            } else if torn {
                script.goes(PUSH, 0);
            }
            script.is_done();
        }
    }
    // Alone it goes by the pieces of sendfile, which are 16 pages.
    Script::new(0, 16 * PAGE, &[], &[]).on(TCP).goes(send_file(0, 65_536), 65_536).is_done();
    Script::new(1, 16 * PAGE, &[], &[]).on(TCP).goes(send_file(1, 65_536), 65_536).goes(PUSH, 0).is_done();
}

/// What is said to be followed by more leaves all the same, if it is more than a segment and that is acknowledged.
#[test]
fn c21_long_headers_owe_a_push() {
    let long = [0; 496];
    for (len, owed) in [(495, false), (496, true)] {
        let list = [IoSlice::new(&long[..len])];
        let mut script = Script::new(0, 100, &list, &[]).on(TCP);
        script.goes(write(&[&long[..len]], true, true), len).goes(send_file(0, 100), 100);
        if owed {
            script.goes(PUSH, 0);
        }
        script.is_done();
        // The same in one write is one write.
        let mut script = Script::new(0, 100, &list, &[]).on(TCP).lending(1000);
        script.goes(Seen::Gather { offset: 0, count: 100, trailers: 0, more: false }, len + 100).is_done();
        // With TCP_NODELAY nothing waits for an acknowledgement.
        let mut script = Script::new(0, 100, &list, &[]).with(|t| t.with_output(Output::TcpNoDelay));
        script.goes(write(&[&long[..len]], true, true), len).goes(send_file(0, 100), 100).is_done();
    }
}

#[test]
fn c16_what_owes_a_flush() {
    // "More follows", and nothing does.
    let mut empty = Script::new(0, Count::ToEnd, &HEADERS, &[]).on(TCP);
    assert!(!empty.transfer.flush_owed());
    empty.goes(headers(true, true), 7);
    assert!(empty.transfer.flush_owed());
    // The first step of a file that is announced fits a buffer together with them.
    empty.goes(send_file(0, 15 * 4096), 0).goes(at_end(0), 0).goes(PUSH, 0).is_done();

    // Less than was asked for.
    let mut short = Script::new(0, 100, &[], &[]).on(TCP);
    short.goes(send_file(0, 100), 60).goes(send_file(60, 40), 40);
    short.goes(Seen::Flush { uncork: false, push: true }, 0).is_done();

    // Several steps.
    let mut steps = Script::new(0, 1 << 17, &[], &[]).on(TCP).with(|t| t.with_cap(1 << 16));
    steps.goes(send_file(0, 1 << 16), 1 << 16).goes(send_file(1 << 16, 1 << 16), 1 << 16).goes(PUSH, 0).is_done();

    // The cork, also when the file has failed.
    let mut corked = Script::new(0, 100, &[], &TRAILERS).on(TCP);
    corked.goes(Seen::Cork, 0).fails(send_file(0, 100), Errno::EIO);
    assert!(corked.transfer.flush_owed());
    assert_eq!(corked.transfer.flush().map(Seen::from), Some(Seen::Flush { uncork: true, push: false }));
    assert_eq!(corked.transfer.complete(Ok(0)), Ok(()));
    // And it is set again for another try.
    corked.goes(Seen::Cork, 0).goes(send_file(0, 100), 100);

    // A read that was shorter than the step.
    let mut copy = Script::new(0, 100, &[], &[]).on(TCP).with(Transfer::copying).lending(1000);
    let step = |offset, count| self::copy(offset, count, false, true);
    copy.goes(step(0, 100), 60).goes(step(60, 40), 40).goes(PUSH, 0).is_done();
    // And one that tells nothing, as it is the last: perhaps the write was complete.
    let mut copy = Script::new(0, Count::ToEnd, &[], &[]).on(TCP).with(|t| t.copying().with_cap(100)).lending(1000);
    let step = |offset| self::copy(offset, 100, true, true);
    copy.goes(step(0), 60).goes(step(60), 40).goes(step(100), 0).goes(PUSH, 0).is_done();
}

/// At a full output only that is flushed for which no acknowledgement comes.
#[test]
fn c16_what_owes_a_flush_at_a_full_output() {
    let full = |script: &mut Script<'_>| script.transfer.flush_full().map(Seen::from);
    // "More follows", complete.
    let mut script = Script::new(0, 50_000, &HEADERS, &[]).on(TCP);
    script.goes(headers(true, true), 7).fails(send_file(0, 50_000), Errno::EAGAIN);
    assert_eq!(full(&mut script), Some(PUSH));
    assert_eq!(script.transfer.complete(Ok(0)), Ok(()));
    assert_eq!(full(&mut script), None);
    // sendfile that stopped in a piece has pushed it.
    script.goes(send_file(0, 50_000), 10_000).fails(send_file(10_000, 40_000), Errno::EAGAIN);
    assert_eq!(full(&mut script), None);
    assert!(!script.transfer.flush_owed());
    // But the file may have ended there, where kernels before 6.5 wait for more.
    let mut script = Script::new(0, 50_000, &[], &[]).on(TCP);
    script.goes(send_file(0, 50_000), 10_000);
    assert_eq!(full(&mut script), Some(PUSH));
    assert!(script.transfer.flush_owed());
    // The end of a whole piece is said to be followed by more, and is held if others share its buffer. (A pipe can be one of two
    // pages.)
    let mut script = Script::new(0, 50_000, &HEADERS, &[]).on(TCP);
    script.goes(headers(true, true), 7).goes(send_file(0, 50_000), 8192).fails(send_file(8192, 41_808), Errno::EAGAIN);
    assert_eq!(full(&mut script), Some(PUSH));
    // A short write has pushed all.
    let mut script = Script::new(0, 100, &HEADERS, &[]).on(TCP);
    script.goes(headers(true, true), 5).fails(write(&[b"rs"], true, true), Errno::EAGAIN);
    assert_eq!(full(&mut script), None);
    // The cork is cleared, and what it held can wait behind a short segment: that is flushed at the end.
    let mut script = Script::new(0, 50_000, &HEADERS, &TRAILERS).on(TCP);
    script.goes(headers(true, true), 7).goes(Seen::Cork, 0).goes(send_file(0, 50_000), 50_000);
    script.fails(trailers(true), Errno::EAGAIN);
    assert_eq!(full(&mut script), Some(Seen::Flush { uncork: true, push: false }));
    assert_eq!(script.transfer.complete(Ok(0)), Ok(()));
    assert_eq!(full(&mut script), None);
    script.goes(trailers(true), 8).goes(PUSH, 0).is_done();
    // What waits behind a short segment without a cork has an acknowledgement coming.
    let mut script = Script::new(0, 1 << 17, &HEADERS, &TRAILERS).on(TCP);
    script.goes(headers(false, true), 7).goes(send_file(0, 1 << 17), 1 << 17).fails(trailers(true), Errno::EAGAIN);
    assert_eq!(full(&mut script), None);
    script.goes(trailers(true), 8).goes(PUSH, 0).is_done();
    // It is not set again: each time would cost three calls.
    let mut script = Script::new(0, 100, &[], &TRAILERS).on(TCP);
    script.goes(Seen::Cork, 0).fails(send_file(0, 100), Errno::EAGAIN);
    assert_eq!(full(&mut script), Some(Seen::Flush { uncork: true, push: false }));
    assert_eq!(script.transfer.complete(Ok(0)), Ok(()));
    script.fails(send_file(0, 100), Errno::EAGAIN);
    assert_eq!(full(&mut script), None);
    script.goes(send_file(0, 100), 100).goes(trailers(true), 8).goes(PUSH, 0).is_done();
}

/// "More follows" is never said where another protocol lies between, and sendfile is asked for no more than there is, as kernels before
/// 6.5 would say it.
#[test]
fn c22_a_stream_on_top_of_another_protocol() {
    let size = |offset| Seen::Size { offset: Some(offset) };
    let mut script = Script::new(10, Count::ToEnd, &HEADERS, &TRAILERS).on(Output::Layered);
    script.goes(headers(false, true), 7).goes(size(10), 90).goes(Seen::Cork, 0).goes(send_file(10, 90), 60);
    script.goes(send_file(70, 30), 30).goes(size(100), 0).goes(at_end(100), 0).goes(trailers(true), 8);
    script.goes(Seen::Flush { uncork: true, push: true }, 0).sent(7, 90, 8).is_done();
    // A size that is too small.
    let mut script = Script::new(0, Count::ToEnd, &[], &[]).on(Output::Layered);
    script.goes(size(0), 0).goes(at_end(0), 1);
    for _ in 0..2 {
        assert_eq!(script.step(&size(0), Ok(0)), Err(Error::Stuck));
    }
    let most = Transfer::DEFAULT_CAP;
    let mut script = script.lending(most);
    script.goes(copy(0, most, false, true), 100).goes(copy(100, most, false, true), 0).sent(0, 100, 0);
    // One that cannot be asked for.
    let mut script = Script::new(0, 100, &[], &[]).on(Output::Layered);
    script.fails(size(0), Errno::EPERM);
    let mut script = script.lending(64);
    assert_eq!(script.step(&size(0), Err(Errno::EPERM)), Ok(()));
    script.goes(copy(0, 64, false, true), 64).goes(copy(64, 36, false, true), 36);
    assert_eq!(script.transfer.mechanisms(), mechanisms(0, 100, Some(Errno::EPERM)));
}

/// A file that cannot be read tells nothing of its end. What it states counts then: it is not to be taken for complete before that.
#[test]
fn c22_a_file_that_cannot_be_read_ends_where_it_states() {
    let size = |offset| Seen::Size { offset: Some(offset) };
    for errno in [Errno::EINVAL, Errno::ENOSYS] {
        let mut script = Script::new(0, Count::ToEnd, &[], &[]).on(Output::Layered);
        script.goes(size(0), 90).goes(send_file(0, 90), 0);
        for _ in 0..2 {
            assert_eq!(script.step(&at_end(0), Err(errno)), Err(Error::Stuck));
        }
        // It may go on later.
        script.goes(at_end(0), 1).goes(send_file(0, 90), 90).goes(size(90), 0);
        assert_eq!(script.step(&at_end(90), Err(errno)), Ok(()));
        script.goes(PUSH, 0).sent(0, 90, 0).is_done();
    }
}

/// MPTCP joins nothing by itself, so all that is not one write goes under a cork. A full output keeps what it has until it is pushed.
#[test]
fn c22_mptcp_goes_under_a_cork_unless_it_is_one_write() {
    const PAGE: usize = 4096;
    let flush = |push| Seen::Flush { uncork: true, push };
    let script = |count: usize, headers| Script::new(0, count as u64, headers, &[]).on(Output::Mptcp);
    script(0, &HEADERS).goes(headers(false, true), 7).is_done();
    let gather = Seen::Gather { offset: 0, count: 100, trailers: 0, more: false };
    script(100, &HEADERS).lending(1000).goes(gather, 107).is_done();
    // A sendfile can be several.
    script(100, &[]).goes(Seen::Cork, 0).goes(send_file(0, 100), 100).goes(flush(true), 0).is_done();
    // What is large is let go of without a push.
    for (pages, push) in [(128, true), (129, false)] {
        let count = pages * PAGE;
        let mut script = script(count, &HEADERS);
        script.goes(Seen::Cork, 0).goes(headers(false, true), 7);
        script.goes(send_file(0, count), count).goes(flush(push), 0).is_done();
    }
    let full = |script: &mut Script<'_>| script.transfer.flush_full().map(Seen::from);
    let mut write = script(0, &HEADERS);
    write.goes(headers(false, true), 5).goes(Seen::Cork, 0).fails(self::write(&[b"rs"], false, true), Errno::EAGAIN);
    assert_eq!(full(&mut write), Some(flush(true)));
    let mut send = script(100, &[]);
    send.goes(Seen::Cork, 0).goes(send_file(0, 100), 60).fails(send_file(60, 40), Errno::EAGAIN);
    assert_eq!(full(&mut send), Some(flush(true)));
    // Under the caller's cork there is nothing to clear.
    let mut theirs = script(100, &HEADERS);
    theirs.goes(Seen::Cork, 1).goes(headers(false, true), 5).goes(Seen::Cork, 1);
    theirs.fails(self::write(&[b"rs"], false, true), Errno::EAGAIN);
    assert_eq!(full(&mut theirs), Some(PUSH));
}

/// Nothing is held back there, and nothing asked.
#[test]
fn c22_a_stream_that_holds_nothing_back() {
    let mut script = Script::new(0, 100, &HEADERS, &TRAILERS).on(Output::Stream);
    script.goes(headers(false, true), 7).goes(send_file(0, 100), 40).goes(send_file(40, 60), 60);
    assert!(!script.transfer.flush_owed());
    script.goes(trailers(true), 8).is_done();
}

#[test]
fn c16_a_flush_takes_the_place_of_a_step_that_was_not_completed() {
    let mut script = Script::new(0, 100, &HEADERS, &TRAILERS).on(TCP);
    script.goes(headers(true, true), 7);
    assert_eq!(script.next(), Seen::Cork);
    assert_eq!(script.transfer.flush().map(Seen::from), Some(Seen::Flush { uncork: false, push: true }));
    // Not completed either: it stays owed.
    assert_eq!(script.transfer.flush().map(Seen::from), Some(Seen::Flush { uncork: false, push: true }));
    assert_eq!(script.transfer.complete(Ok(0)), Ok(()));
    assert!(script.transfer.flush().is_none());
    assert_eq!(script.transfer.complete(Ok(0)), Err(Error::Unasked));
    script.goes(Seen::Cork, 0).goes(send_file(0, 100), 100).goes(trailers(true), 8).sent(7, 100, 8);
}

#[test]
fn c18_the_callers_cork_is_left_alone() {
    let mut script = Script::new(0, 100, &HEADERS, &TRAILERS).on(TCP);
    script
        .goes(headers(true, true), 7)
        .goes(Seen::Cork, 1)
        .goes(send_file(0, 100), 100)
        .goes(trailers(true), 8)
        // If the cork is gone meanwhile, they wait behind the file; if not, this does nothing.
        .goes(PUSH, 0)
        .is_done();
    // Asked for again with each call of the file: it may be gone.
    let mut script = Script::new(0, 100, &[], &TRAILERS).on(TCP);
    script.goes(Seen::Cork, 1).fails(send_file(0, 100), Errno::EAGAIN);
    assert!(script.transfer.flush().is_none());
    script.goes(Seen::Cork, 0).goes(send_file(0, 100), 100).goes(trailers(true), 8);
    script.goes(Seen::Flush { uncork: true, push: false }, 0).is_done();
}

#[test]
fn c18_a_stream_that_is_not_tcp() {
    // A failed cork is no error, and is not tried again.
    let mut script = Script::new(0, 100, &[], &TRAILERS).on(TCP);
    assert_eq!(script.step(&Seen::Cork, Err(Errno::EOPNOTSUPP)), Ok(()));
    script.goes(send_file(0, 100), 40).goes(send_file(40, 60), 60).goes(trailers(true), 8).is_done();
    // Nor is a failed flush.
    let mut script = Script::new(0, 100, &HEADERS, &TRAILERS).on(TCP);
    script.goes(headers(true, true), 7);
    assert!(script.transfer.flush().is_some());
    assert_eq!(script.transfer.complete(Err(Errno::EOPNOTSUPP)), Ok(()));
    script.goes(send_file(0, 100), 40).goes(send_file(40, 60), 60).goes(trailers(true), 8).is_done();
}

#[test]
fn c20_the_output_is_asked_for_once_and_decides() {
    for kind in [2, 3, 4, 5, 10] {
        let mut script = Script::new(0, 100, &HEADERS, &TRAILERS);
        assert_eq!(script.next(), Seen::Identify);
        assert_eq!(script.transfer.identified(Ok(Output::NotAStream(kind))), Err(Error::NotAStream(kind)));
        for _ in 0..2 {
            assert_eq!(script.try_next(), Err(Error::NotAStream(kind)));
            script.sent(0, 0, 0);
        }
    }
    let mut closed = Script::new(0, 100, &HEADERS, &TRAILERS);
    assert_eq!(closed.next(), Seen::Identify);
    assert_eq!(closed.transfer.identified(Err(Errno::EBADF)), Err(Error::Errno(Errno::EBADF)));
    let mut closed = closed.on(TCP);
    assert_eq!(closed.transfer.identified(Ok(TCP)), Err(Error::Unasked));
    closed.fails(headers(true, true), Errno::EAGAIN).goes(headers(true, true), 7);

    // Who knows saves the question.
    let mut known = Script::new(0, 100, &HEADERS, &[]).with(|t| t.with_output(TCP));
    known.goes(headers(true, true), 7).goes(send_file(0, 100), 100).is_done();
}

#[test]
fn d2_an_error_takes_nothing_back_and_the_step_is_given_again() {
    let errnos = [Errno::EAGAIN, Errno::EINTR, Errno::EPIPE, Errno::EIO, Errno::ENOSPC, Errno::ENOMEM];
    let mut script = Script::new(10, 100, &HEADERS, &TRAILERS).on(FILE);
    for errno in errnos {
        script.fails(headers(false, false), errno).sent(0, 0, 0);
    }
    script.goes(headers(false, false), 5);
    for errno in errnos {
        script.fails(write(&[b"rs"], false, false), errno).sent(5, 0, 0);
    }
    script.goes(write(&[b"rs"], false, false), 2).goes(send_file(10, 100), 30);
    for errno in errnos {
        script.fails(send_file(40, 70), errno).sent(7, 30, 0);
    }
    script.goes(send_file(40, 70), 70);
    for errno in errnos {
        script.fails(trailers(false), errno).sent(7, 100, 0);
    }
    script.goes(trailers(false), 8).is_done();
}

#[test]
fn d2_an_error_beside_progress_counts_the_bytes_and_is_returned() {
    let with = |bytes, errno| Moved { bytes, error: Some(errno) };
    let mut script = Script::new(0, 100, &HEADERS, &[]).on(FILE);
    let outcome = script.step(&headers(false, false), with(4, Errno::ECONNRESET));
    assert_eq!(outcome, Err(Error::Errno(Errno::ECONNRESET)));
    // Once, and it changes nothing else.
    script.sent(4, 0, 0).goes(write(&[b"ers"], false, false), 3);
    assert_eq!(script.step(&send_file(0, 100), with(0, Errno::EIO)), Err(Error::Errno(Errno::EIO)));
    assert_eq!(script.step(&send_file(0, 100), with(100, Errno::EIO)), Err(Error::Errno(Errno::EIO)));
    script.sent(7, 100, 0).is_done();
}

#[test]
fn d4_a_file_that_is_too_short() {
    for output in [TCP, FILE] {
        let mut script = Script::new(0, 100, &[], &[]).on(output);
        script.goes(send_file(0, 100), 30);
        for _ in 0..3 {
            script.goes(send_file(30, 70), 0);
            assert_eq!(script.step(&at_end(30), Ok(0)), Err(Error::Truncated { owed: 70 }));
        }
        script.goes(send_file(30, 70), 70).sent(0, 100, 0);
    }
}

/// sendfile returns 0 before the end, as the output took nothing or the file states too small a size.
#[test]
fn d4_a_sendfile_of_0_is_not_taken_for_the_end() {
    const MOST: usize = Transfer::DEFAULT_CAP;
    for count in [Count::ToEnd, Count::Bytes(MOST as u64)] {
        let mut script = Script::new(0, count, &[], &[]).on(TCP);
        script.goes(send_file(0, MOST), 0).goes(at_end(0), 1);
        for _ in 0..2 {
            assert_eq!(script.step(&send_file(0, MOST), Ok(0)), Err(Error::Stuck));
        }
        // It may go on later.
        assert_eq!(script.clone().step(&send_file(0, MOST), Ok(30)), Ok(()));
        // A read tells more than a second try.
        let mut script = script.lending(MOST);
        script.goes(copy(0, MOST, count == Count::ToEnd, true), 30);
        let mut first = Script::new(0, count, &[], &[]).on(TCP).lending(MOST);
        first.goes(send_file(0, MOST), 0).goes(copy(0, MOST, count == Count::ToEnd, true), 30).sent(0, 30, 0);
    }
    // Who cannot be read so cannot tell; other errors tell nothing of the end.
    for (errno, end) in [(Errno::EINVAL, true), (Errno::ENOSYS, true), (Errno::EINTR, false), (Errno::EAGAIN, false)] {
        let mut script = Script::new(0, Count::ToEnd, &[], &[]).on(TCP);
        script.goes(send_file(0, MOST), 0);
        let outcome = script.step(&at_end(0), Err(errno));
        assert_eq!(outcome, if end { Ok(()) } else { Err(Error::Errno(errno)) });
        assert_eq!(script.next(), if end { Seen::Done } else { at_end(0) });
    }
}

#[test]
fn a3_d6_counts_are_clamped() {
    const MAX: u64 = i64::MAX as u64;
    for (offset, count, cap, expected) in [
        (0, Count::Bytes(10), 100, 10),
        (0, Count::Bytes(1000), 100, 100),
        (0, Count::Bytes(MAX_RW_COUNT as u64), usize::MAX, MAX_RW_COUNT),
        (0, Count::Bytes(MAX_RW_COUNT as u64 + 1), usize::MAX, MAX_RW_COUNT),
        (0, Count::Bytes(u64::MAX), usize::MAX, MAX_RW_COUNT),
        (1, Count::Bytes(MAX), usize::MAX, MAX_RW_COUNT),
        (0, Count::ToEnd, usize::MAX, MAX_RW_COUNT),
        (0, Count::ToEnd, Transfer::DEFAULT_CAP, 2 << 20),
        (0, Count::ToEnd, 0, 1),
        (MAX - 5, Count::ToEnd, usize::MAX, 5),
        (MAX - 5, Count::Bytes(3), usize::MAX, 3),
        (MAX - 5, Count::Bytes(6), usize::MAX, 5),
        (MAX - 5, Count::Bytes(u64::MAX), usize::MAX, 5),
        (MAX, Count::Bytes(1), usize::MAX, 0),
        (MAX, Count::ToEnd, usize::MAX, 0),
    ] {
        let mut script = Script::new(offset, count, &[], &[]).on(FILE).with(|t| t.with_cap(cap));
        assert_eq!(script.next(), send_file(offset, expected));
    }
    // A body is gathered with its headers only where it can be read whole.
    for (offset, gathered) in [(MAX - 10, true), (MAX - 9, false)] {
        let step = Script::new(offset, 10, &HEADERS, &[]).on(FILE).lending(100).next();
        assert_eq!(matches!(step, Seen::Gather { .. }), gathered, "{offset}");
    }
    assert_eq!(Transfer::new(MAX + 1, 0, &[], &[]).unwrap_err(), Error::TooLarge(MAX + 1));
    assert_eq!(Transfer::new(u64::MAX, 0, &[], &[]).unwrap_err().errno(), Errno::EINVAL);
}

#[test]
fn d1_from_the_position() {
    let transfer = Transfer::from_position(Count::Bytes(100), &HEADERS, &[]).unwrap();
    let mut script = Script { transfer, headers: &HEADERS, trailers: &[], lent: 0 }.on(FILE);
    let step = |count| Seen::SendFile { offset: None, count };
    script.goes(headers(false, false), 7).goes(step(100), 30).goes(step(70), 70).sent(7, 100, 0).is_done();
}

#[test]
fn lists_of_another_length_are_refused_before_any_step() {
    let mut script = Script::new(0, 100, &HEADERS, &TRAILERS).on(TCP);
    assert_eq!(script.next(), headers(true, true));
    assert_eq!(script.transfer.complete(Ok(5)), Ok(()));
    let longer = [&HEADERS[..], &TRAILERS].concat();
    let other = script.transfer.next_step(&longer, &TRAILERS, 0).map(Seen::from);
    assert_eq!(other, Err(Error::HeadersChanged { expected: 7, found: 15 }));
    let other = script.transfer.next_step(&HEADERS, &[], 0).map(Seen::from);
    assert_eq!(other, Err(Error::TrailersChanged { expected: 8, found: 0 }));
    script.sent(5, 0, 0);
    // The same bytes in other slices are the same list.
    let other = [&b"h"[..], b"eader", b"s"].map(IoSlice::new);
    assert_eq!(script.transfer.next_step(&other, &TRAILERS, 0).map(Seen::from), Ok(write(&[b"r"], true, true)));
}

#[test]
fn e_without_a_buffer_a_refusal_is_the_error() {
    let mut script = Script::new(0, 100, &[], &[]).on(FILE);
    for errno in [Errno::EINVAL, Errno::ENOSYS, Errno::EPERM, Errno::EOVERFLOW] {
        script.fails(send_file(0, 100), errno);
    }
    assert_eq!(script.transfer.mechanisms(), Mechanisms::default());
    // With one it is the beginning of a copy. (A small file without headers and trailers is not gathered.)
    let mut script = script.lending(64);
    assert_eq!(script.step(&send_file(0, 100), Err(Errno::EINVAL)), Ok(()));
    script.goes(copy(0, 64, false, false), 60).goes(copy(60, 40, false, false), 40).sent(0, 100, 0).is_done();
    let expected = mechanisms(0, 100, Some(Errno::EINVAL));
    assert_eq!(script.transfer.mechanisms(), expected);
}

#[test]
fn e_what_is_a_refusal() {
    for (errno, refusal) in [
        (Errno::EINVAL, true),
        (Errno::ENOSYS, true),
        (Errno::EOPNOTSUPP, true),
        (Errno::ENOTSOCK, true),
        (Errno::EXDEV, true),
        (Errno::EOVERFLOW, true),
        (Errno::EPERM, true),
        (Errno::ESPIPE, false), // an offset was given
        (Errno::EAGAIN, false),
        (Errno::EINTR, false),
        (Errno::EPIPE, false),
        (Errno::ECONNRESET, false),
        (Errno::ENOTCONN, false),
        (Errno::EIO, false),
        (Errno::ENOMEM, false),
        (Errno::ENOSPC, false),
        (Errno::EFBIG, false),
        (Errno::EMSGSIZE, false),
        (Errno::EDESTADDRREQ, false),
        (Errno::EFAULT, false),
        (Errno::EBADF, false),
    ] {
        let mut script = Script::new(0, 100, &[], &[]).on(TCP).lending(64);
        script.goes(send_file(0, 100), 10);
        let outcome = script.step(&send_file(10, 90), Err(errno));
        assert_eq!(outcome, if refusal { Ok(()) } else { Err(Error::Errno(errno)) });
        assert_eq!(script.transfer.mechanisms().refused, refusal.then_some(errno));
        match script.next() {
            Seen::Copy { offset: Some(10), count: 64, .. } if refusal => {}
            Seen::SendFile { offset: Some(10), count: 90 } if !refusal => {}
            step => panic!("{errno}: {step:?}"),
        }
    }
    // Where no offset was asked for, ESPIPE is one.
    let transfer = Transfer::from_position(100, &[], &[]).unwrap();
    let mut script = Script { transfer, headers: &[], trailers: &[], lent: 64 }.on(FILE);
    let step = Seen::SendFile { offset: None, count: 100 };
    assert_eq!(script.step(&step, Err(Errno::ESPIPE)), Ok(()));
    assert_eq!(script.next(), Seen::Copy { offset: None, count: 64, more: false, if_full: true, socket: false });
}

#[test]
fn d5_a_copy_begins_where_sendfile_stopped_and_says_what_follows() {
    let mut script = Script::new(7, 200, &HEADERS, &TRAILERS).on(TCP).lending(64).with(|t| t.with_small(0));
    script.goes(headers(true, true), 7).goes(Seen::Cork, 0).goes(send_file(7, 200), 100);
    assert_eq!(script.step(&send_file(107, 100), Err(Errno::EINVAL)), Ok(()));
    let copy = |offset, count| copy(offset, count, true, true);
    script.goes(copy(107, 64), 10).goes(copy(117, 64), 64).fails(copy(181, 26), Errno::EAGAIN);
    script.goes(copy(181, 26), 26).sent(7, 200, 0).goes(trailers(true), 8);
    assert_eq!(script.transfer.mechanisms(), mechanisms(100, 100, Some(Errno::EINVAL)));
    assert!(matches!(script.next(), Seen::Flush { uncork: true, .. }));
}

#[test]
fn copying_from_the_start_needs_a_buffer() {
    let mut script = Script::new(0, 100, &HEADERS, &[]).on(FILE).with(Transfer::copying);
    script.goes(headers(false, false), 7);
    assert_eq!(script.try_next(), Err(Error::NoBuffer));
    let mut script = script.lending(1000);
    let copy = |offset, count| copy(offset, count, false, false);
    script.goes(copy(0, 100), 30);
    assert_eq!(script.step(&copy(30, 70), Ok(0)), Err(Error::Truncated { owed: 70 }));
    script.goes(copy(30, 70), 70).sent(7, 100, 0).is_done();
    assert_eq!(script.transfer.mechanisms(), mechanisms(0, 100, None));
    // The cap holds for copies too.
    let mut script = Script::new(0, 100, &[], &[]).on(FILE).with(|t| t.copying().with_cap(9)).lending(1000);
    assert_eq!(script.next(), copy(0, 9));
}

#[test]
fn a_small_file_is_gathered_with_its_lists_if_they_fit() {
    let gather = |offset, count, trailers, more| Seen::Gather { offset, count, trailers, more };
    let script = |lent| Script::new(5, 100, &HEADERS, &TRAILERS).on(TCP).lending(lent);
    script(115).goes(gather(5, 100, 1, false), 115).sent(7, 100, 8).is_done();
    // The trailers do not fit, and follow.
    script(114).goes(gather(5, 100, 0, true), 107).goes(trailers(true), 8).sent(7, 100, 8).is_done();
    // Headers and file do not fit, or it is not wanted: not copied.
    assert_eq!(script(106).next(), headers(true, true));
    assert_eq!(script(115).with(|t| t.with_small(99)).next(), headers(true, true));
    assert_eq!(script(115).with(|t| t.with_cap(99)).next(), headers(true, true));
    // A threshold above what one call moves is that, headers included.
    for (small, count, gathered) in [
        (1_usize.rotate_right(1), 100, true),
        (MAX_RW_COUNT - 7, MAX_RW_COUNT - 7, true),
        (usize::MAX, MAX_RW_COUNT - 7, true),
        (MAX_RW_COUNT - 8, MAX_RW_COUNT - 7, false),
        (usize::MAX, MAX_RW_COUNT - 6, false),
    ] {
        let script = Script::new(5, count as u64, &HEADERS, &TRAILERS).on(TCP).lending(count + 15);
        let step = script.with(|t| t.with_cap(usize::MAX).with_small(small)).next();
        assert_eq!(matches!(step, Seen::Gather { .. }), gathered, "{small} {count}");
    }
    // What is sent is counted in the order of the sections.
    let mut parts = script(115);
    parts.goes(gather(5, 100, 1, false), 3).sent(3, 0, 0);
    parts.goes(gather(5, 100, 1, false), 10).sent(7, 6, 0);
    parts.goes(gather(11, 94, 1, false), 97).sent(7, 100, 3);
    parts.goes(write(&[b"ilers"], false, true), 5).sent(7, 100, 8);
    assert_eq!(parts.transfer.mechanisms(), mechanisms(0, 100, None));
    // A file that is shorter goes out without the trailers, and is truncated then.
    let mut short = script(115);
    short.goes(gather(5, 100, 1, false), 37).sent(7, 30, 0);
    assert_eq!(short.step(&gather(35, 70, 1, false), Ok(0)), Err(Error::Truncated { owed: 70 }));
}

/// A file that refuses to be read so (`EINVAL`) can be sent; other errors are the caller's.
#[test]
fn what_cannot_be_gathered_is_sent_step_by_step() {
    let gather = Seen::Gather { offset: 0, count: 100, trailers: 0, more: false };
    let mut script = Script::new(0, 100, &HEADERS, &[]).on(TCP).lending(1000);
    assert_eq!(script.step(&gather, Err(Errno::EIO)), Err(Error::Errno(Errno::EIO)));
    assert_eq!(script.step(&gather, Err(Errno::EINVAL)), Ok(()));
    script.goes(headers(true, true), 7).goes(send_file(0, 100), 100).sent(7, 100, 0);
    assert_eq!(script.transfer.mechanisms(), mechanisms(100, 0, None));
}

#[test]
fn a_total_saturates() {
    let progress = Progress { headers: u64::MAX, file: 1, trailers: 1 };
    assert_eq!(progress.total(), u64::MAX);
}

#[test]
fn misuse_is_an_error_and_counts_no_byte_twice() {
    // A completion for no step.
    let mut script = Script::new(0, 100, &HEADERS, &TRAILERS);
    assert_eq!(script.transfer.complete(Ok(5)), Err(Error::Unasked));
    assert_eq!(script.transfer.complete(Err(Errno::EIO)), Err(Error::Unasked));
    let mut script = script.on(TCP);
    script.goes(headers(true, true), 7).sent(7, 0, 0);
    assert_eq!(script.transfer.complete(Ok(7)), Err(Error::Unasked));
    script.sent(7, 0, 0);
    // More than was asked for: no more than that is counted.
    script.goes(Seen::Cork, 0);
    assert_eq!(script.step(&send_file(0, 100), Ok(101)), Err(Error::Unasked));
    script.sent(7, 100, 0);
    assert_eq!(script.step(&trailers(true), Ok(usize::MAX)), Err(Error::Unasked));
    script.sent(7, 100, 8).goes(Seen::Flush { uncork: true, push: false }, 0).is_done();
    // Nor of a later section than the step's.
    let mut script = Script::new(0, 100, &HEADERS, &TRAILERS).on(TCP).lending(110);
    let step = Seen::Gather { offset: 0, count: 100, trailers: 0, more: true };
    assert_eq!(script.step(&step, Ok(108)), Err(Error::Unasked));
    script.sent(7, 100, 0);
    // A write that took nothing.
    for lent in [0, 110] {
        let mut script = Script::new(0, 100, &HEADERS, &[]).on(FILE).lending(lent);
        for _ in 0..2 {
            script.next();
            assert_eq!(script.transfer.complete(Ok(0)), Err(Error::WriteZero));
        }
        script.sent(0, 0, 0);
    }
}

#[test]
fn a_clone_is_a_checkpoint() {
    let mut script = Script::new(0, 100, &HEADERS, &TRAILERS).on(FILE);
    script.goes(headers(false, false), 7).goes(send_file(0, 100), 40);
    let mut checkpoint = script.clone();
    script.goes(send_file(40, 60), 60).goes(trailers(false), 8).is_done();
    checkpoint.sent(7, 40, 0).goes(send_file(40, 60), 60).goes(trailers(false), 8).is_done();
}

/// How a step ends in the property below: by so many thousandths of what was asked for, with an error beside it or instead.
#[derive(Clone, Copy, Debug)]
struct End {
    part: usize,
    errno: Option<Errno>,
}

fn end() -> impl Strategy<Value = End> {
    let errno = prop_oneof![6 => Just(None), 1 => Just(Some(Errno::EAGAIN)), 1 => Just(Some(Errno::EINTR))];
    (prop_oneof![Just(1000_usize), 0..1000_usize], errno).prop_map(|(part, errno)| End { part, errno })
}

/// Slices of these lengths, one after the other out of `bytes`.
fn cut<'a>(mut bytes: &'a [u8], lens: &[usize]) -> Vec<IoSlice<'a>> {
    lens.iter()
        .map(|&len| {
            let (slice, rest) = bytes.split_at(len);
            bytes = rest;
            IoSlice::new(slice)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// However the lists are cut and wherever each call stops: the bytes come out in their order, once.
    #[test]
    fn d1_every_byte_once_and_in_order(
        headers_lens in vec(prop_oneof![Just(0_usize), 0..9_usize, 0..2000_usize], 0..12),
        trailers_lens in vec(prop_oneof![Just(0_usize), 0..9_usize, 0..2000_usize], 0..12),
        many_empty in any::<bool>(),
        offset in 0..100_u64,
        file_len in 0..5000_u64,
        // To the end, or so many more or less than there are.
        count in prop_oneof![Just(None), Just(Some(0_i64)), (-5000..200_i64).prop_map(Some)],
        cap in 1..6000_usize,
        socket in any::<bool>(),
        ends in vec(end(), 1..40),
    ) {
        let [headers_len, trailers_len]: [usize; 2] = [&headers_lens, &trailers_lens].map(|lens| lens.iter().sum());
        let all: Vec<u8> = (0..headers_len + file_len as usize + trailers_len).map(|i| (i % 251) as u8).collect();
        let (header_bytes, rest) = all.split_at(headers_len);
        let (file, trailer_bytes) = rest.split_at(file_len as usize);
        let (mut headers, trailers) = (cut(header_bytes, &headers_lens), cut(trailer_bytes, &trailers_lens));
        if many_empty {
            headers.splice(0..0, [IoSlice::new(&[]); 1030]);
        }
        let (count, expected_file, owed) = match count {
            None => (Count::ToEnd, file_len, 0),
            Some(difference) => {
                let count = file_len.saturating_add_signed(difference);
                (Count::Bytes(count), count.min(file_len), count.saturating_sub(file_len))
            }
        };

        let mut script = Script::new(offset, count, &headers, &trailers).with(|t| t.with_cap(cap));
        let mut stream: Vec<u8> = Vec::new();
        let mut ends = ends.into_iter().chain(std::iter::repeat(End { part: 1000, errno: None }));
        let outcome = loop {
            let kept = script.transfer.clone();
            let step = match script.transfer.next_step(script.headers, script.trailers, 0) {
                Ok(step) => step,
                Err(error) => break Err(error),
            };
            // A checkpoint goes on in the same way.
            let mut clone = Script { transfer: kept, ..script };
            prop_assert_eq!(clone.next(), Seen::from(step));
            let (bytes, asked): (Vec<u8>, usize) = match step {
                Step::Done => break Ok(()),
                Step::Identify => {
                    script.transfer.identified(Ok(if socket { TCP } else { FILE })).unwrap();
                    continue;
                }
                Step::AtEnd { offset: Some(at) } => {
                    let more = at < offset + file_len;
                    match script.transfer.complete(Ok(more.into())) {
                        Ok(()) => continue,
                        Err(error) => break Err(error),
                    }
                }
                Step::Cork | Step::Flush { .. } => {
                    prop_assert!(socket);
                    script.transfer.complete(Ok(0)).unwrap();
                    continue;
                }
                Step::Write { slices, more, socket: is_socket } => {
                    prop_assert_eq!(is_socket, socket);
                    let slices = slices.as_slice();
                    prop_assert!((1..=1024).contains(&slices.len()) && !slices[0].is_empty());
                    let bytes = slices.iter().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>();
                    let end = stream.len() + bytes.len();
                    let in_headers = stream.len() < headers_len;
                    let follows = end < headers_len + expected_file as usize + trailers_len
                        || in_headers && (owed > 0 || count == Count::ToEnd);
                    prop_assert_eq!(more, follows && socket);
                    (bytes.clone(), bytes.len())
                }
                Step::SendFile { offset: Some(at), count } => {
                    prop_assert!(0 < count && count <= cap && at >= offset);
                    let rest = file.get((at - offset) as usize..).unwrap_or(&[]);
                    (rest[..count.min(rest.len())].to_vec(), count)
                }
                step => panic!("{step:?}"),
            };
            let End { part, errno } = ends.next().unwrap();
            let moved = bytes.len() * part / 1000;
            if moved > 0 {
                stream.extend(&bytes[..moved]);
            }
            let result = match (moved, errno) {
                (0, Some(errno)) => script.transfer.complete(Err(errno)),
                (moved, Some(errno)) => script.transfer.complete(Moved { bytes: moved, error: Some(errno) }),
                (0, None) if !bytes.is_empty() => script.transfer.complete(Err(Errno::EAGAIN)),
                (moved, None) => script.transfer.complete(Ok(moved)),
            };
            prop_assert!(moved <= asked);
            let sent = script.transfer.progress();
            prop_assert_eq!(sent.total(), stream.len() as u64);
            prop_assert!(sent.file == 0 || sent.headers == headers_len as u64);
            prop_assert!(sent.trailers == 0 || sent.file == expected_file);
            match result {
                Ok(()) | Err(Error::Errno(Errno::EAGAIN | Errno::EINTR)) => {}
                Err(error) => break Err(error),
            }
        };
        if owed > 0 {
            prop_assert_eq!(outcome, Err(Error::Truncated { owed }));
            prop_assert_eq!(stream, [header_bytes, file].concat());
        } else {
            prop_assert_eq!(outcome, Ok(()));
            prop_assert_eq!(stream, [header_bytes, &file[..expected_file as usize], trailer_bytes].concat());
        }
    }
}
