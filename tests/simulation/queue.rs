//! The send queue of an output: what the stream's model says that it may hold, and whose cork it is.

use super::case::Sink;
use super::streams::{Layer, Stream};

/// The smallest page of a file. sendfile moves 16 of them at a time.
const PAGE: u64 = 4096;

#[derive(Clone, Debug)]
pub(crate) struct Queue {
    sink: Sink,
    stream: Stream,
    /// The cork is the caller's.
    pub(crate) theirs: bool,
    /// The cork is the transfer's.
    pub(crate) ours: bool,
    /// The last call that moved bytes said "more follows": perhaps nothing is on its way whose acknowledgement lets go of them.
    more: bool,
    /// The last write said it, and no push came since.
    announced: bool,
}

impl Queue {
    pub(crate) fn new(sink: Sink) -> Self {
        let mut queue = Self { sink, stream: fresh(sink), theirs: false, ours: false, more: false, announced: false };
        if sink == Sink::Corked {
            queue.turn_cork();
        }
        queue
    }

    /// A write took `moved` of the bytes that it was offered, with "more follows" or without.
    pub(crate) fn wrote(&mut self, asked: u64, moved: u64, more: bool) {
        self.stream.write(asked, moved, more);
        self.more = more && moved == asked;
        self.announced = self.more;
    }

    /// sendfile moved so many bytes from there on.
    pub(crate) fn sent_file(&mut self, offset: Option<u64>, asked: u64, moved: u64) {
        self.stream.sendfile(offset, asked, moved);
        // What was taken of a piece before the output was full is pushed; a whole piece was said to be followed by more.
        self.more = moved < asked && offset.is_none_or(|offset| (offset + moved) % PAGE == 0);
    }

    /// The sendfile that goes on took nothing because the output is full.
    pub(crate) fn full(&mut self) {
        self.stream.full();
    }

    /// The transfer asks for a cork; whether there was one.
    pub(crate) fn cork(&mut self) -> bool {
        if !self.theirs {
            self.ours = true;
            self.stream.cork();
        }
        self.theirs
    }

    pub(crate) fn uncork(&mut self) {
        assert!(self.ours, "the caller's cork is cleared");
        self.ours = false;
        self.more = false; // the option is not told apart from the flag
        self.stream.uncork();
        if self.sink == Sink::Mptcp {
            // The stream's model assumes the worst. Seen is that all of it goes out: tests/promise.rs.
            self.stream = fresh(self.sink);
        }
    }

    /// Whether a file is announced that has not begun.
    pub(crate) fn is_announced(&self) -> bool {
        self.announced
    }

    /// Nothing is pushed under the caller's cork.
    pub(crate) fn push(&mut self) {
        (self.more, self.announced) = (false, false);
        if !self.theirs {
            self.stream.push();
        }
    }

    /// The caller sets a cork, or clears theirs. What goes out by that, and what it tears, is none of the transfer's doing.
    pub(crate) fn turn_cork(&mut self) {
        assert!(!self.ours, "they are one option");
        self.theirs = !self.theirs;
        // Under a cork everything waits until it is cleared, and then what is behind a short segment.
        let mut probe = self.stream;
        probe.write(1, 1, false);
        probe.uncork();
        let behind_short = probe.holds();
        self.stream = fresh(self.sink);
        if behind_short {
            self.stream.write(1, 1, false);
        }
        if self.theirs {
            self.stream.cork();
        }
        self.more = false;
    }

    /// Bytes may wait that one plain write would have sent, and that a flush can let go of.
    pub(crate) fn waits(&self) -> bool {
        !self.theirs && self.stream.holds() && self.stream.has_options() && !self.stream.may_lose()
    }

    /// Of those, bytes may wait for which no acknowledgement has to come.
    pub(crate) fn stalls(&self) -> bool {
        self.waits() && (self.more || self.ours)
    }

    /// "More follows" was the last that this protocol heard. Nothing can take that back, and the bytes may be lost.
    pub(crate) fn left_open(&self) -> bool {
        self.sink.keeps_open() && (self.more || self.stream.may_lose())
    }
}

fn fresh(sink: Sink) -> Stream {
    let layer = match sink {
        Sink::Tcp | Sink::TcpNoDelay | Sink::Corked => Layer::Tcp,
        Sink::Ktls => Layer::Ktls,
        Sink::Mptcp => Layer::Mptcp,
        Sink::Sctp => Layer::Sctp,
        Sink::Unix | Sink::Pipe => Layer::None,
    };
    Stream::new(layer, sink == Sink::TcpNoDelay)
}
