//! The kind of the output, and the bytes that its send queue may be holding back: C16 to C23 of docs/semantics.md.

use super::super::errno::Errno;
use super::super::sys;
use super::step::Step;

/// The kind of the output, which decides how the flush promise is kept. [`Output::of`] asks the kernel.
///
/// Ask once for each connection and hand the answer to [`Transfer::with_output`](crate::Transfer::with_output). A transfer that was
/// not told asks at its start.
///
/// On FreeBSD and macOS every stream is [`Tcp`](Self::Tcp). If one refuses TCP's options there, a transfer does without them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// A file, pipe or device.
    NotSocket,
    /// Plain TCP. It can be told that more follows, and made to send what it holds.
    Tcp,
    /// Plain TCP with `TCP_NODELAY` set, so that no segment waits for an acknowledgement. [`Output::of`] never returns it: a caller
    /// who has set the option says so.
    TcpNoDelay,
    /// MPTCP. It ignores "more follows" and makes segments of its own. Unless all of a transfer is one write, the transfer sets a cork, sends
    /// all under it, and clears it at the end. A push follows unless it is large. Above some hundred kilobytes MPTCP itself can let bytes
    /// wait, after a plain write as well.
    Mptcp,
    /// Another stream, with a protocol of its own: kTLS or SCTP. "More follows" is never said to it, because nothing releases what it then
    /// holds. Headers, file and trailers can go out in segments of their own. A lent buffer that is large enough joins them in one write.
    ///
    /// **kTLS before Linux 6.5** keeps a record open after a sendfile that finds less than it was asked for. Closing the socket loses the
    /// bytes of an open record, although they count as sent. A transfer asks for no more than the file states to have. That does not help if the
    /// file states more than it has, or shrinks while it is sent. Nobody can see that beforehand;
    /// [`Transfer::copying`](crate::Transfer::copying) never leaves a record open.
    ///
    /// **SCTP** sends messages, one or more for each call. With Nagle's algorithm on, the second message waits up to 200 ms for the acknowledgement of the
    /// first, and no call pushes it. Set `SCTP_NODELAY`, or lend a buffer that joins all in one message. A message that is larger than
    /// `SO_SNDBUF` fails with `EMSGSIZE`.
    Layered,
    /// A stream that holds nothing back: a Unix or vsock socket.
    Stream,
    /// A socket that is not a stream, with this `SO_TYPE`. Transfers refuse it with
    /// [`Error::NotAStream`](crate::Error::NotAStream).
    NotAStream(u32),
}

/// Who set the cork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cork {
    /// Not known: nobody was asked since the last call that moves bytes.
    Unknown,
    /// This transfer, and nothing was sent under it yet.
    Fresh,
    /// This transfer.
    Ours,
    /// The next call goes without this transfer's: the caller has set one, or a flush cleared this transfer's before anything was sent under it.
    Without,
    /// All that is left goes without: a full output took ours away, and each cork costs three calls; or a call could wait for room.
    Off,
}

/// The bytes that may stay in the send queue for longer than after one write of the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    Nothing,
    /// Bytes sent with "more follows".
    More,
    /// The end of a sendfile that returned less than its count. If the file ended there, kernels before 6.5 wait for more; if the output
    /// is full, all was pushed. The next call tells.
    Short,
    /// Bytes behind a short segment, for which Nagle's algorithm wants an acknowledgement first.
    BehindShort,
}

/// How much of a write the output took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    All,
    /// Less: the file had less to copy, or the output is full.
    Less,
    /// Less, and the output is full.
    Full,
}

/// Fragments that a buffer of TCP's (`skb`) holds. When they run out it leaves, however short of a full segment: C21. Each page of a
/// file is one.
pub(super) const MAX_SKB_FRAGS: u8 = 17;

/// The smallest page of the page cache.
pub(super) const PAGE: u64 = 4096;

/// Fragments of half a megabyte.
const LARGE: u8 = 128;

/// Pages that sendfile moves at a time. Between them an acknowledgement can send what is short of a segment.
pub(super) const PIPE_PAGES: u64 = 16;

/// The output's send queue, as far as the transfer knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SendQueue {
    output: Option<Output>,
    /// Whether TCP's options were refused, so that nothing can be corked or flushed.
    refuses_options: bool,
    cork: Cork,
    waiting: Waiting,
    /// Whether a short segment of this transfer may be on its way. The next one then waits.
    short: bool,
    /// Fragments of the last buffer, if it may not have left yet, and whether the last call was a sendfile.
    fragments: u8,
    by_sendfile: bool,
}

impl SendQueue {
    pub(super) const fn new(output: Option<Output>) -> Self {
        let (cork, waiting) = (Cork::Unknown, Waiting::Nothing);
        Self { output, refuses_options: false, cork, waiting, short: false, fragments: 0, by_sendfile: false }
    }

    pub(super) const fn output(&self) -> Option<Output> {
        self.output
    }

    pub(super) fn is_socket(&self) -> bool {
        self.output != Some(Output::NotSocket)
    }

    pub(super) fn is_layered(&self) -> bool {
        matches!(self.output, Some(Output::Layered | Output::Mptcp))
    }

    pub(super) fn is_mptcp(&self) -> bool {
        self.output == Some(Output::Mptcp)
    }

    /// Whether bytes that were sent with "more follows" wait for more.
    pub(super) fn holds_more(&self) -> bool {
        self.waiting == Waiting::More
    }

    /// Whether "more follows" may be said: only to a kernel that can be made to send what it then holds.
    pub(super) fn can_say_more(&self) -> bool {
        self.is_plain_tcp()
    }

    /// Whether the cork can be tried before the next call.
    pub(super) fn can_cork(&self) -> bool {
        self.has_options() && self.cork == Cork::Unknown
    }

    /// The answer to [`Step::Cork`].
    pub(super) fn corked(&mut self, before: Result<usize, Errno>) {
        match before {
            Ok(0) => {
                self.cork = Cork::Fresh;
                // What the receiver's window has kept back so far, the cork can keep back afterwards.
                if self.short && self.nagles() && sys::HAS_MSG_MORE && self.waiting == Waiting::Nothing {
                    self.waiting = Waiting::BehindShort;
                }
            }
            Ok(_) => self.cork = Cork::Without,
            // Nothing else says there that more follows, so each call can end in a short segment.
            Err(Errno::ENOBUFS) if !sys::HAS_MSG_MORE => (self.cork, self.short) = (Cork::Off, true),
            Err(_) => self.refuses_options = true,
        }
    }

    /// A call that moves bytes was made. The caller may change a cork of their own before the next.
    pub(super) fn used(&mut self) {
        self.cork = match self.cork {
            Cork::Fresh | Cork::Ours => Cork::Ours,
            Cork::Unknown | Cork::Without => Cork::Unknown,
            Cork::Off => Cork::Off,
        };
    }

    /// A write moved bytes, and said "more follows" or not. `long`: what was said to be followed can be more than one segment.
    pub(super) fn wrote(&mut self, bytes: u64, taken: Taken, more: bool, long: bool) {
        let (corked, apart, partial) = (self.is_corked(), self.is_layered(), taken != Taken::All);
        // Linux pushes all that it has before it waits for room (wait_for_space in tcp_sendmsg_locked), whatever was said.
        let pushed = taken == Taken::Full && sys::HAS_MSG_MORE && self.is_plain_tcp() && !corked;
        // What is copied goes to pages, at worst as small as those of files. It begins and ends in the middle of one.
        let torn = self.takes(bytes / PAGE + 2) || partial && (corked || apart) || corked && apart;
        let behind = self.nagles() && (self.short || torn) || partial && !sys::HAS_MSG_MORE;
        self.by_sendfile = false;
        let waiting = match () {
            // Under our own cork nothing more is said where the write cannot say it.
            () if more && (sys::HAS_MSG_MORE || !corked) => Waiting::More,
            () if behind && !pushed => Waiting::BehindShort,
            () => Waiting::Nothing,
        };
        // The acknowledgement of a full segment sends the rest (tcp_data_snd_check), which no option remembers to be followed by more.
        self.took(waiting, torn || partial || !corked && (!more || long));
    }

    /// sendfile moved bytes up to this end in the file. `partial`: less than the count was moved, and `after_piece`: up to the end of one
    /// of the pieces of which sendfile is made.
    pub(super) fn sent_file(&mut self, end: u64, bytes: u64, partial: bool, after_piece: bool) {
        let pages = |bytes: u64| end.div_ceil(PAGE) - (end - bytes) / PAGE;
        // The first page has its fragment already, if the last call ended in it.
        let again = self.by_sendfile && (end - bytes) % PAGE > 0;
        let joined = self.fragments > 0;
        let full = self.takes(pages(bytes) - u64::from(again));
        let torn = full || pages(bytes) > PIPE_PAGES || self.is_layered();
        self.by_sendfile = true;
        let waiting = match () {
            // If other bytes share its buffer, a piece can fill that. It was sent with "more follows", and no room for the next pushes
            // nothing (splice_to_socket, since 6.5).
            () if partial && joined && after_piece && sys::HAS_MSG_MORE => Waiting::More,
            () if partial => Waiting::Short,
            () if self.nagles() && (self.short || torn) => Waiting::BehindShort,
            () => Waiting::Nothing,
        };
        self.took(waiting, torn || partial || !self.is_corked());
    }

    /// A sendfile met with a full output. So the file had not ended where the last one did.
    pub(super) fn full(&mut self) {
        if self.waiting == Waiting::Short && sys::HAS_MSG_MORE && self.is_plain_tcp() && !self.is_corked() {
            self.waiting = Waiting::Nothing;
            self.forget_fragments();
        }
    }

    /// Adds fragments to the last buffer. Whether it can be full, and so leave short, as that of one write alone would not.
    fn takes(&mut self, fragments: u64) -> bool {
        let joined = self.fragments > 0;
        self.fragments = fragments.saturating_add(self.fragments.into()).try_into().unwrap_or(u8::MAX);
        joined && self.fragments > MAX_SKB_FRAGS
    }

    /// A call left this waiting, and perhaps a short segment on its way.
    fn took(&mut self, waiting: Waiting, short: bool) {
        if !self.has_options() {
            return;
        }
        // A push of what is large makes MPTCP stall rather than not: a cork around all of it has to be enough.
        if self.is_mptcp() && self.is_corked() && self.fragments > LARGE {
            self.waiting = Waiting::Nothing;
            return;
        }
        self.waiting = waiting;
        // Each call can be a segment of its own where another protocol lies between, cork or not.
        self.short |= short || self.is_layered();
        self.forget_fragments();
    }

    /// Starts another buffer if the last has left.
    fn forget_fragments(&mut self) {
        if self.waiting == Waiting::Nothing && !self.is_corked() {
            self.fragments = 0;
            self.by_sendfile = false;
        }
    }

    /// The step that sends what is held back, if anything may be.
    pub(super) fn flush(&self) -> Option<Step<'static>> {
        self.flush_if(self.waiting != Waiting::Nothing)
    }

    /// The same after `EAGAIN`. What waits behind a short segment of a full queue goes out with the next acknowledgement, which a full
    /// queue has coming; FreeBSD's cork needs the push.
    pub(super) fn flush_full(&self) -> Option<Step<'static>> {
        self.flush_if(match self.waiting {
            Waiting::Nothing => false,
            Waiting::More => true,
            // It was not a sendfile that found the output full, so the file may have ended.
            Waiting::Short if self.is_plain_tcp() && !self.is_corked() => true,
            Waiting::Short | Waiting::BehindShort => !sys::HAS_MSG_MORE || self.is_mptcp(),
        })
    }

    fn flush_if(&self, push: bool) -> Option<Step<'static>> {
        let uncork = self.is_corked();
        (self.has_options() && (uncork || push)).then_some(Step::Flush { uncork, push })
    }

    /// The answer to [`Step::Flush`] with this `push`; `full`: the output was.
    pub(super) fn flushed(&mut self, push: bool, full: bool, result: Result<usize, Errno>) {
        self.refuses_options |= result.is_err();
        if push {
            self.waiting = Waiting::Nothing;
        } else if self.waiting == Waiting::Short && self.is_corked() {
            self.waiting = Waiting::BehindShort; // what the cork let go of can wait, whatever a full output tells
        }
        // For a caller that flushes after every step, another cork would be followed by another flush for ever.
        self.cork = match self.cork {
            Cork::Off => Cork::Off,
            Cork::Fresh | Cork::Ours if full && sys::HAS_MSG_MORE => Cork::Off,
            Cork::Fresh | Cork::Without => Cork::Without,
            Cork::Ours | Cork::Unknown => Cork::Unknown,
        };
        self.short = true;
        self.forget_fragments();
    }

    fn is_plain_tcp(&self) -> bool {
        matches!(self.output, Some(Output::Tcp | Output::TcpNoDelay))
    }

    /// Whether TCP's options may work.
    fn has_options(&self) -> bool {
        (self.is_plain_tcp() || self.is_layered()) && !self.refuses_options
    }

    /// Whether a short segment waits for the acknowledgement of another.
    fn nagles(&self) -> bool {
        self.output != Some(Output::TcpNoDelay)
    }

    fn is_corked(&self) -> bool {
        matches!(self.cork, Cork::Fresh | Cork::Ours)
    }
}

#[cfg(test)]
mod tests;
