//! The flush that one send queue owes after each call. The simulation compiles this for FreeBSD and macOS, too.

use super::*;

const UNCORK: Step<'static> = Step::Flush { uncork: true, push: false };
const PUSH: Step<'static> = Step::Flush { uncork: false, push: true };
const BOTH: Step<'static> = Step::Flush { uncork: true, push: true };

fn flags(step: Option<Step<'_>>) -> Option<(bool, bool)> {
    step.map(|step| match step {
        Step::Flush { uncork, push } => (uncork, push),
        step => panic!("{step:?}"),
    })
}

impl SendQueue {
    fn of(output: Output) -> Self {
        Self::new(Some(output))
    }

    /// A write that was taken whole.
    fn writes(&mut self, bytes: u64, more: bool) -> &mut Self {
        self.used();
        self.wrote(bytes, Taken::All, more, false);
        self
    }

    /// A sendfile that moved its count, from there on.
    fn sends(&mut self, offset: u64, bytes: u64) -> &mut Self {
        self.used();
        self.sent_file(offset + bytes, bytes, false, false);
        self
    }

    /// This is owed, and at a full output that.
    #[track_caller]
    fn owes(&mut self, flush: Option<Step<'static>>, full: Option<Step<'static>>) -> &mut Self {
        assert_eq!(flags(self.flush()), flags(flush));
        assert_eq!(flags(self.flush_full()), flags(full));
        self
    }

    /// The flush is performed.
    fn flushes(&mut self) -> &mut Self {
        let (_, push) = flags(self.flush()).unwrap();
        self.flushed(push, false, Ok(0));
        self
    }
}

/// At a full output; elsewhere than on Linux the same as always.
fn linux(full: Option<Step<'static>>, always: Step<'static>) -> Option<Step<'static>> {
    if sys::HAS_MSG_MORE { full } else { Some(always) }
}

#[test]
fn one_write_owes_nothing_and_the_next_waits_behind_it() {
    SendQueue::of(Output::Tcp)
        .writes(100, false)
        .owes(None, None)
        .writes(100, false)
        .owes(Some(PUSH), linux(None, PUSH));
    SendQueue::of(Output::Tcp).sends(0, 100).owes(None, None).sends(100, 100).owes(Some(PUSH), linux(None, PUSH));
    SendQueue::of(Output::Tcp).writes(1 << 30, false).owes(None, None);
    SendQueue::of(Output::TcpNoDelay).writes(100, false).sends(0, 1 << 30).writes(100, false).owes(None, None);
}

#[test]
fn more_is_let_go_of_always() {
    for output in [Output::Tcp, Output::TcpNoDelay] {
        SendQueue::of(output).writes(100, true).owes(Some(PUSH), Some(PUSH)).flushes().owes(None, None);
        SendQueue::of(output).writes(100, true).sends(0, 100).owes(None, None);
        // Behind a short segment, too: it may be acknowledged long since.
        SendQueue::of(output).writes(100, false).writes(100, true).owes(Some(PUSH), Some(PUSH));
    }
    // More than a segment, of which the rest leaves with an acknowledgement.
    let mut long = SendQueue::of(Output::Tcp);
    long.wrote(600, Taken::All, true, true);
    long.owes(Some(PUSH), Some(PUSH)).sends(0, 100).owes(Some(PUSH), linux(None, PUSH));
}

#[test]
fn a_flush_leaves_a_short_segment() {
    let mut queue = SendQueue::of(Output::Tcp);
    queue.writes(100, true).flushes().sends(0, 100).owes(Some(PUSH), linux(None, PUSH));
}

#[test]
fn our_cork_is_cleared_and_tried_again() {
    let mut queue = SendQueue::of(Output::Tcp);
    assert!(queue.can_cork());
    queue.corked(Ok(0));
    assert!(!queue.can_cork());
    queue.owes(Some(UNCORK), Some(UNCORK));
    queue.sends(0, 100).writes(8, false).owes(Some(UNCORK), Some(UNCORK)).flushes().owes(None, None);
    assert!(queue.can_cork());
    // A caller that flushes after every step gets to the next one.
    queue.corked(Ok(0));
    queue.flushes();
    assert!(!queue.can_cork());
    queue.used();
    assert!(queue.can_cork());
}

#[test]
fn the_callers_cork_is_asked_for_with_each_call() {
    let mut queue = SendQueue::of(Output::Tcp);
    queue.corked(Ok(1));
    assert!(!queue.can_cork());
    queue.owes(None, None).sends(0, 100);
    assert!(queue.can_cork());
}

/// If the cork is cleared without a push, bytes still wait behind a short segment.
#[test]
fn a_flush_that_does_not_push_leaves_what_waits() {
    let mut queue = SendQueue::of(Output::Tcp);
    queue.writes(100, false).corked(Ok(0));
    queue.sends(0, 100).owes(Some(BOTH), linux(Some(UNCORK), BOTH)).flushed(false, false, Ok(0));
    queue.owes(Some(PUSH), linux(None, PUSH)).flushes().owes(None, None);
}

#[test]
fn who_has_no_options_owes_nothing() {
    for output in [Output::Stream, Output::NotSocket, Output::NotAStream(2)] {
        let mut queue = SendQueue::of(output);
        assert!(!queue.can_cork() && !queue.can_say_more());
        queue.writes(100, false).sends(0, 1 << 30).writes(100, false).owes(None, None);
    }
    for output in [Output::Tcp, Output::Layered] {
        let mut queue = SendQueue::of(output);
        queue.corked(Err(Errno::ENOPROTOOPT));
        assert!(!queue.can_cork());
        queue.writes(100, false).writes(100, true).owes(None, None);
        let mut queue = SendQueue::of(output);
        queue.writes(100, false).writes(100, false).flushed(true, false, Err(Errno::ENOPROTOOPT));
        queue.writes(100, false).owes(None, None);
    }
}

/// C21.
#[test]
fn fragments_run_out() {
    let torn = |queue: &mut SendQueue| queue.flush().is_some();
    let after_head = |offset, bytes| torn(SendQueue::of(Output::Tcp).writes(100, true).sends(offset, bytes));
    assert!(!after_head(0, 15 * PAGE) && after_head(0, 15 * PAGE + 1));
    assert!(!after_head(PAGE - 1, 14 * PAGE + 1) && after_head(PAGE - 1, 14 * PAGE + 2));
    let alone = |offset, bytes| torn(SendQueue::of(Output::Tcp).sends(offset, bytes));
    assert!(!alone(0, 16 * PAGE) && alone(1, 16 * PAGE) && !alone(1, 16 * PAGE - 1));

    // Several calls under a cork. If a call goes on within a page, that page needs no second fragment.
    let corked = || {
        let mut queue = SendQueue::of(Output::Tcp);
        queue.corked(Ok(0));
        queue
    };
    let pushes = |queue: &mut SendQueue| flags(queue.flush()) == Some((true, true));
    let mut many = corked();
    (0..17 * PAGE / 64).for_each(|i| _ = many.sends(64 * i, 64));
    assert!(!pushes(&mut many) && pushes(many.sends(17 * PAGE, 1)));
    assert!(!pushes(corked().sends(0, 15 * PAGE).writes(100, false)));
    assert!(pushes(corked().sends(0, 15 * PAGE).writes(PAGE, false)));
    assert!(pushes(corked().writes(1, false).sends(0, 14 * PAGE).writes(1, false)));
    // A copy in between begins another.
    assert!(!pushes(corked().sends(0, 13 * PAGE + 1).sends(13 * PAGE + 1, 3 * PAGE)));
    assert!(pushes(corked().sends(0, 13 * PAGE + 1).writes(1, false).sends(13 * PAGE + 2, PAGE - 1)));

    // Fragments that have left are not counted.
    let mut queue = SendQueue::of(Output::Tcp);
    queue.writes(14 * PAGE, true).flushes();
    assert_eq!(queue.fragments, 0);
}

#[test]
fn what_a_short_call_owes() {
    let short = |taken, more| {
        let mut queue = SendQueue::of(Output::Tcp);
        queue.writes(100, false).wrote(100, taken, more, false);
        queue
    };
    // A full output has pushed all on Linux. A copy may have been complete, of less to copy.
    short(Taken::Full, false).owes(linux(None, PUSH), linux(None, PUSH));
    short(Taken::Less, false).owes(Some(PUSH), linux(None, PUSH));
    short(Taken::Less, true).owes(Some(PUSH), Some(PUSH));
    // sendfile may say by itself that more follows; the last piece of a full output is pushed, unless it was whole
    // and shared a buffer with others.
    for (head, after_piece, full) in
        [(true, false, linux(None, PUSH)), (false, true, linux(None, PUSH)), (true, true, Some(PUSH))]
    {
        for output in [Output::Tcp, Output::TcpNoDelay] {
            let mut queue = SendQueue::of(output);
            if head {
                queue.writes(100, true);
            }
            queue.sent_file(5000, 5000, true, after_piece);
            queue.owes(Some(PUSH), Some(PUSH)); // perhaps the file ended there
            queue.full();
            queue.owes(if full.is_some() { Some(PUSH) } else { None }, full);
        }
    }
    // Under a cork the receiver's window may have kept back what was pushed.
    let mut queue = SendQueue::of(Output::Tcp);
    queue.corked(Ok(0));
    queue.used();
    queue.wrote(100, Taken::Full, false, false);
    queue.owes(Some(BOTH), linux(Some(UNCORK), BOTH));
}

#[test]
fn another_protocol_makes_segments_of_its_own() {
    let mut queue = SendQueue::of(Output::Layered);
    assert!(!queue.can_say_more() && queue.can_cork());
    queue.writes(100, false).owes(None, None).writes(100, false).owes(Some(PUSH), linux(None, PUSH));
    SendQueue::of(Output::Layered).sends(0, 100).owes(Some(PUSH), linux(None, PUSH));
    let mut queue = SendQueue::of(Output::Layered);
    queue.corked(Ok(0));
    queue.writes(100, false).owes(Some(BOTH), linux(Some(UNCORK), BOTH));
}

/// On MPTCP, what is large is not pushed. Many writes of one byte are not large.
#[test]
fn tiny_writes_under_a_cork_are_pushed() {
    let mut queue = SendQueue::of(Output::Mptcp);
    queue.corked(Ok(0));
    for _ in 0..1000 {
        queue.writes(1, false);
    }
    queue.owes(Some(BOTH), Some(BOTH));
}
