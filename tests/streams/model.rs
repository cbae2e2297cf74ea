//! What a stream may be holding back, at worst, on any Linux from 6.1 on. No I/O: `tests/streams.rs` compares it with sockets, and
//! the simulation sends through it.
//!
//! Bytes are held back if one plain write of all bytes so far would have sent them, and they are not sent. It is assumed that
//! nothing was in flight before the first call. What leaves may be acknowledged at any time, or never.
#![allow(dead_code, reason = "each of its two users uses a part")]

/// What is between the caller and the network.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Layer {
    /// TCP alone.
    Tcp,
    /// kTLS over TCP: "more follows" leaves a record open, which no option closes.
    Ktls,
    /// MPTCP: "more follows" is ignored, and each write may be a segment of its own, those of a sendfile as well.
    Mptcp,
    /// One-to-one SCTP: "more follows" holds a message until the next call that does not say so. TCP's options do not exist.
    Sctp,
    /// Unix, vsock, a pipe: nothing is ever held back.
    None,
}

/// Fragments that a segment under construction has at the most (`net.core.max_skb_frags`). Each page of a file takes one.
const FRAGMENTS: u64 = 17;

/// The smallest page. Larger ones make fewer fragments of the same bytes.
const PAGE: u64 = 4096;

/// Pages that one write of a sendfile moves, which are those of a pipe. (Fewer, if the user has very many pipes.)
const PIPE: u64 = 16;

/// Bytes of a record of kTLS, at the most.
const RECORD: u64 = 16_384;

/// The smallest segment that is taken into account, of the smallest path that IPv4 promises.
const SEGMENT: u64 = 536;

/// Fragments that copied bytes take at the worst, when the kernel finds no two pages in a row.
pub(crate) const fn copied_fragments(bytes: u64) -> u64 {
    if bytes == 0 { 0 } else { bytes / PAGE + 2 }
}

/// Pages of a file in which a range lies, or may lie if its offset is not known.
pub(crate) const fn pages(offset: Option<u64>, count: u64) -> u64 {
    match offset {
        Some(offset) => (offset % PAGE + count).div_ceil(PAGE),
        None => (PAGE - 1 + count).div_ceil(PAGE),
    }
}

/// Why bytes may wait.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Wait {
    /// None does.
    #[default]
    No,
    /// The last sendfile moved less than it was asked for. If the file ended there, a kernel before 6.5 waits for more; if the output
    /// was full, all was pushed. The next call tells.
    IfFileEnded,
    Yes,
}

/// One stream, as its sender sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    layer: Layer,
    /// Nagle's algorithm is off.
    nodelay: bool,
    corked: bool,
    wait: Wait,
    /// A short segment may be on its way: under Nagle's algorithm, the next one waits for it.
    short: bool,
    /// Fragments of the last segment, at the worst, if it has not left.
    fragments: u64,
    /// Bytes of a file at its end: where they begin, and how many. Those that follow in the same page are of the same fragment.
    run: Option<(Option<u64>, u64)>,
    /// Bytes that wait, or did before a part of them left.
    waiting: u64,
    /// A record may be open, which is lost with the socket.
    open_record: bool,
}

impl Stream {
    pub(crate) fn new(layer: Layer, nodelay: bool) -> Self {
        let (corked, wait) = (false, Wait::No);
        Self { layer, nodelay, corked, wait, short: false, fragments: 0, run: None, waiting: 0, open_record: false }
    }

    /// Whether bytes may be held back.
    pub(crate) fn holds(&self) -> bool {
        self.wait != Wait::No
    }

    /// Whether bytes may be lost by an orderly shutdown and close.
    pub(crate) fn may_lose(&self) -> bool {
        self.open_record
    }

    pub(crate) fn is_corked(&self) -> bool {
        self.corked
    }

    /// A write of `asked` bytes moved so many of them, with "more follows" or without. One that moves nothing pushes nothing.
    pub(crate) fn write(&mut self, asked: u64, moved: u64, more: bool) {
        if moved == 0 {
            return;
        }
        self.run = None;
        if moved < asked {
            self.pushed_when_full(more);
        } else {
            self.taken(moved, copied_fragments(moved), more);
        }
    }

    /// A sendfile from the file's `offset`, `None` if that is not known, moved so many bytes of those `asked` for.
    pub(crate) fn sendfile(&mut self, offset: Option<u64>, asked: u64, moved: u64) {
        if moved == 0 {
            return; // the end of the file: the output was not looked at
        }
        let (pages, joins) = (pages(offset, moved), self.fragments > 0);
        self.short |= match self.layer {
            // Before 6.5, each page is a write of its own.
            Layer::Mptcp | Layer::Sctp => pages > 1,
            _ => pages > PIPE,
        };
        let fragments = self.more_pages(offset, moved);
        self.taken(moved, fragments, moved < asked);
        if moved == asked {
            return;
        }
        // What was taken when the output was full is pushed. But of each 16 pages it is said that more follows, and since 6.5 nothing is
        // pushed if nothing of the next 16 is taken. That leaves nothing in flight only if other bytes are in the same segment:
        // else an acknowledgement comes, as it must before there is room.
        let at_page = offset.is_none_or(|offset| (offset + moved) % PAGE == 0);
        if self.layer == Layer::Tcp && !(joins && at_page) && !self.corked {
            self.wait = Wait::IfFileEnded;
        }
        // What was pushed, by a full output or since 6.5 by the end of the file, may have ended in a short segment.
        self.short = true;
    }

    /// The output is full: the sendfile that goes on where the last one came to moves nothing. So the file did not end there.
    pub(crate) fn full(&mut self) {
        if self.wait == Wait::IfFileEnded {
            self.let_go();
        }
    }

    /// `TCP_CORK` is set. What the receiver's window has kept back so far, the cork can keep back afterwards.
    pub(crate) fn cork(&mut self) {
        if self.has_options() {
            self.corked = true;
            if self.short {
                self.wait = Wait::Yes;
            }
        }
    }

    /// `TCP_CORK` is cleared, or was not set: all leaves, but what is short waits behind what is short.
    pub(crate) fn uncork(&mut self) {
        if !self.has_options() {
            return;
        }
        self.corked = false;
        if self.holds() {
            if !self.open_record && (self.nodelay || !self.short) {
                self.let_go();
            }
            self.short = true;
        }
    }

    /// Whether the options of TCP work.
    pub(crate) fn has_options(&self) -> bool {
        matches!(self.layer, Layer::Tcp | Layer::Ktls | Layer::Mptcp)
    }

    /// `TCP_NODELAY` is set, and cleared again if it was not set before: all leaves, even from under a cork.
    pub(crate) fn push(&mut self) {
        if self.has_options() && self.holds() {
            self.short = true;
            if !self.open_record {
                self.let_go();
            }
        }
    }

    /// All that was offered is in the last segments.
    fn taken(&mut self, bytes: u64, fragments: u64, more: bool) {
        let more = match self.layer {
            Layer::None => return,
            Layer::Mptcp => false,
            Layer::Tcp | Layer::Ktls | Layer::Sctp => more,
        };
        // Of one write alone nobody asks for more than of one plain write.
        let joined = self.fragments > 0;
        self.fragments += fragments;
        self.waiting += bytes;
        // A segment that has no room for another fragment leaves as it is, however short. So does a full record.
        self.short |= match self.layer {
            Layer::Tcp => joined && self.fragments > FRAGMENTS,
            Layer::Ktls => joined && self.waiting > RECORD,
            _ => false,
        };
        // "More follows" holds until an acknowledgement comes, of the whole segments before. A cork holds for good.
        let acknowledged = more && !self.corked && self.waiting >= SEGMENT;
        self.open_record = self.layer == Layer::Ktls && more;
        if more || self.corked || (self.short && !self.nodelay) {
            self.wait = Wait::Yes;
        } else {
            self.let_go();
        }
        // Each write to MPTCP may be a segment of its own, a cork or not.
        self.short |= self.layer == Layer::Mptcp || acknowledged || !(more || self.corked);
    }

    /// The last call was a write that moved less than it was asked to: TCP pushes out all, whatever the flags. What the receiver's
    /// window then keeps back, a cork can keep back afterwards.
    fn pushed_when_full(&mut self, more: bool) {
        match self.layer {
            Layer::None => {}
            Layer::Tcp if !self.corked => self.let_go(),
            _ => self.taken(SEGMENT, FRAGMENTS, more),
        }
        self.short = true;
    }

    /// Pages that these bytes of a file add to the last segment.
    fn more_pages(&mut self, offset: Option<u64>, count: u64) -> u64 {
        let (begin, before) = match self.run {
            Some((begin, bytes)) if begin.map(|begin| begin + bytes) == offset => (begin, bytes),
            _ => (offset, 0),
        };
        self.run = Some((begin, before + count));
        pages(begin, before + count) - if before == 0 { 0 } else { pages(begin, before) }
    }

    fn let_go(&mut self) {
        self.wait = Wait::No;
        self.run = None;
        self.fragments = 0;
        self.waiting = 0;
    }
}
