//! The kind of the output, and the bytes that its send queue may hold back: C16 to C23 of docs/semantics.md.

use super::super::errno::Errno;
use super::super::sys;
use super::step::Step;

/// The kind of the output, which decides how the flush promise is kept. [`Output::of`] asks the kernel.
///
/// A transfer asks at its start. To save that, ask once for each connection, and pass the answer to
/// [`Transfer::with_output`](crate::Transfer::with_output).
///
/// On FreeBSD and macOS every stream is [`Tcp`](Self::Tcp). If a stream refuses TCP's options there, a transfer does without them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// A file, pipe or device.
    NotSocket,
    /// Plain TCP. It honours `MSG_MORE` ("more follows"), and it can be made to send what it holds back.
    Tcp,
    /// Plain TCP with `TCP_NODELAY` set, so that no segment waits for an acknowledgement. [`Output::of`] never returns it. If you have
    /// set the option, you may pass it.
    TcpNoDelay,
    /// MPTCP. It ignores `MSG_MORE` and makes segments of its own. A transfer that is not a single write sets a cork, sends under it,
    /// and clears it at the end. If at most 512 KiB were sent under the cork, the transfer then sets `TCP_NODELAY` for a moment, which sends what
    /// still waits. Above about 100 kB, MPTCP itself can let bytes wait, even after one plain write.
    /// If the socket is blocking and has `TCP_NOTSENT_LOWAT` or a small `SO_SNDBUF`, a call under the cork can wait for timers. Make it nonblocking
    /// then.
    Mptcp,
    /// Another stream, with a protocol of its own: kTLS or SCTP. A transfer never uses `MSG_MORE` on it, because no call reliably sends
    /// the bytes that the kernel then holds. Headers, file and trailers can go out in segments of their own. If a buffer is lent, a small file
    /// is joined with them in one write ([`Transfer::with_small`](crate::Transfer::with_small)).
    ///
    /// **kTLS before Linux 6.5** keeps a record open if sendfile finds fewer bytes than it was asked for. Closing the socket loses the
    /// bytes of an open record, although they count as sent. A transfer asks for no more bytes than statx(2) reports. That does not help if
    /// statx reports too many, or if the file shrinks while it is sent.
    ///
    /// Such a kernel does not push finished records while a call waits for room. With a small `SO_SNDBUF` or `TCP_NOTSENT_LOWAT`, a call of
    /// several records can wait for ever. So each sendfile of a transfer and each splice of a [`StreamCopy`](crate::StreamCopy) asks for one record, 16 KiB.
    /// [`sendfile`](crate::sendfile()) asks for the count that you give.
    ///
    /// **kTLS on any kernel** has an open record in three cases. If reading the file fails in the middle of a call, the bytes before it can be one. If the user has more pipes than `fs.pipe-user-pages-soft` allows (about 1000),
    /// a sendfile that stops early leaves one open until the next call. A [`StreamCopy`](crate::StreamCopy) from a pipe that is larger than
    /// the default can leave one open if you give it up at `OutFull`. [`Transfer::copying`](crate::Transfer::copying) leaves none open.
    ///
    /// **SCTP** sends messages, one or more for each call. With Nagle's algorithm on, the second message waits up to 200 ms for the
    /// acknowledgement of the first, and no call pushes it. Set `SCTP_NODELAY`, or lend a buffer that joins everything in one message. A message
    /// that is larger than `SO_SNDBUF` fails with `EMSGSIZE`.
    Layered,
    /// A stream that holds nothing back: a Unix or vsock socket.
    Stream,
    /// A socket that is not a stream, with this `SO_TYPE`. Transfers fail with [`Error::NotAStream`](crate::Error::NotAStream).
    NotAStream(u32),
}

/// Whether the output has a cork, and whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cork {
    /// Not known, because the option was not read since the last call that moved bytes.
    Unknown,
    /// This transfer's, and unused.
    Fresh,
    /// This transfer's.
    Ours,
    /// The next call needs none of this transfer's: the caller has set one, or a flush cleared this transfer's before it was used.
    Without,
    /// The rest of the transfer uses none. Either a full output made us clear it, and each cork costs three calls, or a call could wait
    /// for room.
    Off,
}

/// Which bytes may stay in the send queue for longer than after one write of the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    Nothing,
    /// Bytes sent with `MSG_MORE`.
    More,
    /// The end of a sendfile that returned less than its count. If the file ended there, kernels before 6.5 wait for more. If the output
    /// is full, all was pushed. The result of the next call decides.
    Short,
    /// Bytes behind a short segment. Nagle's algorithm holds them until that segment is acknowledged.
    BehindShort,
}

/// How much of a write the output accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    All,
    /// Less, because the file had fewer bytes to copy or because the output is full.
    Less,
    /// Less, because the output is full.
    Full,
}

/// The fragments that a buffer of TCP's (`skb`) can hold. Each page of a file is one. When they run out, the buffer leaves, even as a short
/// segment: C21.
pub(super) const MAX_SKB_FRAGS: u8 = 17;

/// The smallest page of the page cache.
pub(super) const PAGE: u64 = 4096;

/// Half a megabyte, in units of 16 bytes.
const LARGE: u16 = 1 << 15;

/// The pages that sendfile moves at a time. Between two such pieces an acknowledgement can release a short segment.
const PIPE_PAGES: u64 = 16;

/// The output's send queue, as far as the transfer knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SendQueue {
    output: Option<Output>,
    /// Whether the output refused TCP's options, so that nothing can be corked or flushed.
    refuses_options: bool,
    cork: Cork,
    waiting: Waiting,
    /// Whether a short segment of this transfer may be in flight. The next short segment then waits.
    short: bool,
    /// The fragments in the last buffer, 0 if it has left; and whether the last call was a sendfile.
    fragments: u8,
    by_sendfile: bool,
    /// The bytes under the cork, those of each call in whole units of 16. (Not `fragments`: many tiny writes are not large.)
    bytes: u16,
}

impl SendQueue {
    pub(super) const fn new(output: Option<Output>) -> Self {
        let (cork, waiting) = (Cork::Unknown, Waiting::Nothing);
        Self { output, refuses_options: false, cork, waiting, short: false, fragments: 0, by_sendfile: false, bytes: 0 }
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

    /// Whether bytes that were sent with `MSG_MORE` wait for more.
    pub(super) fn holds_more(&self) -> bool {
        self.waiting == Waiting::More
    }

    /// Whether `MSG_MORE` may be used: only if the output can be made to send what it then holds back.
    pub(super) fn can_say_more(&self) -> bool {
        self.is_plain_tcp()
    }

    /// Whether a cork can be tried before the next call.
    pub(super) fn can_cork(&self) -> bool {
        self.has_options() && self.cork == Cork::Unknown
    }

    /// Returns how many fragments fit into a buffer of TCP's with those that `MSG_MORE` or this transfer's cork holds.
    pub(super) fn room(&self) -> u64 {
        let held = if self.holds_more() || self.is_corked() { self.fragments } else { 0 };
        MAX_SKB_FRAGS.saturating_sub(held).into()
    }

    /// Handles the result of [`Step::Cork`]: the option's earlier value.
    pub(super) fn corked(&mut self, before: Result<usize, Errno>) {
        match before {
            Ok(0) => {
                self.cork = Cork::Fresh;
                if !self.holds_more() {
                    (self.fragments, self.by_sendfile) = (0, false); // the cork holds nothing yet
                }
                // The receiver's window may still hold bytes back, and then the cork does.
                if self.short && self.nagles() && sys::HAS_MSG_MORE && self.waiting == Waiting::Nothing {
                    self.waiting = Waiting::BehindShort;
                }
            }
            Ok(_) => self.cork = Cork::Without,
            // Without MSG_MORE and without a cork, each call can end in a short segment.
            Err(Errno::ENOBUFS) if !sys::HAS_MSG_MORE => (self.cork, self.short) = (Cork::Off, true),
            Err(_) => self.refuses_options = true,
        }
    }

    /// Handles a call that moves bytes. The caller may set or clear a cork of their own before the next one.
    pub(super) fn used(&mut self) {
        self.cork = match self.cork {
            Cork::Fresh | Cork::Ours => Cork::Ours,
            Cork::Unknown | Cork::Without => Cork::Unknown,
            Cork::Off => Cork::Off,
        };
    }

    /// Handles a write of `bytes`, with `MSG_MORE` if `more`. `long`: whether the bytes with `MSG_MORE` can be more than one segment.
    pub(super) fn wrote(&mut self, bytes: u64, taken: Taken, more: bool, long: bool) {
        let (corked, apart, partial) = (self.is_corked(), self.is_layered(), taken != Taken::All);
        // Linux pushes everything before it waits for room, even with MSG_MORE (wait_for_space in tcp_sendmsg_locked).
        let pushed = taken == Taken::Full && sys::HAS_MSG_MORE && self.is_plain_tcp() && !corked;
        // Copied bytes lie in pages, at worst as small as those of files. They may begin and end in the middle of one.
        let torn = self.takes(bytes, bytes / PAGE + 2) || partial && (corked || apart) || corked && apart;
        let behind = self.nagles() && (self.short || torn) || partial && !sys::HAS_MSG_MORE;
        self.by_sendfile = false;
        let waiting = match () {
            // Without MSG_MORE, our own cork holds these bytes.
            () if more && (sys::HAS_MSG_MORE || !corked) => Waiting::More,
            () if behind && !pushed => Waiting::BehindShort,
            () => Waiting::Nothing,
        };
        // The acknowledgement of a full segment sends the rest (tcp_data_snd_check), as MSG_MORE is not remembered after the call.
        self.took(waiting, torn || partial || !corked && (!more || long));
    }

    /// Handles a sendfile of `bytes`, up to `end` in the file. `partial`: whether it moved less than its count. `after_piece`: whether it may have
    /// stopped at the end of one of sendfile's pieces.
    pub(super) fn sent_file(&mut self, end: u64, bytes: u64, partial: bool, after_piece: bool) {
        let pages = |bytes: u64| end.div_ceil(PAGE) - (end - bytes) / PAGE;
        // If the last call ended within the first page, that page already has its fragment.
        let again = self.by_sendfile && (end - bytes) % PAGE > 0;
        let joined = self.fragments > 0;
        let full = self.takes(bytes, pages(bytes) - u64::from(again));
        let torn = full || pages(bytes) > PIPE_PAGES || self.is_layered();
        self.by_sendfile = true;
        let waiting = match () {
            // A piece that shares its buffer can fill it. Since 6.5 the piece was sent with MSG_MORE (splice_to_socket), and if there is
            // no room for the next piece, nothing pushes it.
            () if partial && joined && after_piece && sys::HAS_MSG_MORE => Waiting::More,
            () if partial => Waiting::Short,
            () if self.nagles() && (self.short || torn) => Waiting::BehindShort,
            () => Waiting::Nothing,
        };
        self.took(waiting, torn || partial || !self.is_corked());
    }

    /// Handles a sendfile that found the output full. So the file had not ended where the last sendfile did.
    pub(super) fn full(&mut self) {
        if self.waiting == Waiting::Short && sys::HAS_MSG_MORE && self.is_plain_tcp() && !self.is_corked() {
            self.waiting = Waiting::Nothing;
            self.forget_fragments();
        }
    }

    /// Adds bytes in so many fragments to the last buffer. Returns whether it can be full and leave short, which one write's buffer would not.
    fn takes(&mut self, bytes: u64, fragments: u64) -> bool {
        self.bytes = (bytes / 16).saturating_add(self.bytes.into()).try_into().unwrap_or(u16::MAX);
        let joined = self.fragments > 0;
        self.fragments = fragments.saturating_add(self.fragments.into()).try_into().unwrap_or(u8::MAX);
        joined && self.fragments > MAX_SKB_FRAGS
    }

    /// Records what a call left waiting, and whether it may have left a short segment in flight.
    fn took(&mut self, waiting: Waiting, short: bool) {
        if !self.has_options() {
            return;
        }
        // A push of many bytes makes MPTCP wait longer, so the cork around them has to be enough.
        if self.is_mptcp() && self.is_corked() && self.bytes > LARGE {
            self.waiting = Waiting::Nothing;
            return;
        }
        self.waiting = waiting;
        // With another protocol in between, each call can be a segment of its own, corked or not.
        self.short |= short || self.is_layered();
        self.forget_fragments();
    }

    /// Starts a new buffer if the last one has left.
    fn forget_fragments(&mut self) {
        if self.waiting == Waiting::Nothing && !self.is_corked() {
            self.fragments = 0;
            self.by_sendfile = false;
            self.bytes = 0;
        }
    }

    /// Returns the step that sends what may be held back, if anything is.
    pub(super) fn flush(&self) -> Option<Step<'static>> {
        self.flush_if(self.waiting != Waiting::Nothing)
    }

    /// Like `flush`, after `EAGAIN`. A full queue has an acknowledgement coming, which sends what waits behind a short segment. FreeBSD's cork
    /// needs the push.
    pub(super) fn flush_full(&self) -> Option<Step<'static>> {
        self.flush_if(match self.waiting {
            Waiting::Nothing => false,
            Waiting::More => true,
            // No sendfile found the output full (see `full`), so the file may have ended.
            Waiting::Short if self.is_plain_tcp() && !self.is_corked() => true,
            Waiting::Short | Waiting::BehindShort => !sys::HAS_MSG_MORE || self.is_mptcp(),
        })
    }

    /// Returns the step that clears this transfer's cork, if it has set one.
    pub(super) fn uncork(&self) -> Option<Step<'static>> {
        if self.is_corked() { self.flush_if(false) } else { None }
    }

    fn flush_if(&self, push: bool) -> Option<Step<'static>> {
        let uncork = self.is_corked();
        (self.has_options() && (uncork || push)).then_some(Step::Flush { uncork, push })
    }

    /// Handles the result of [`Step::Flush`] with this `push`. `full`: whether the output was full.
    pub(super) fn flushed(&mut self, push: bool, full: bool, result: Result<usize, Errno>) {
        self.refuses_options |= result.is_err();
        if push {
            self.waiting = Waiting::Nothing;
        } else if self.waiting == Waiting::Short && self.is_corked() {
            self.waiting = Waiting::BehindShort; // bytes that the cork released can wait, even if the output is full
        }
        // If the caller flushes after every step, another cork would need another flush, for ever.
        self.cork = match self.cork {
            Cork::Off => Cork::Off,
            Cork::Fresh | Cork::Ours if full && sys::HAS_MSG_MORE => Cork::Off,
            Cork::Fresh | Cork::Without => Cork::Without,
            Cork::Ours | Cork::Unknown => Cork::Unknown,
        };
        self.short = true;
        self.forget_fragments();
    }

    pub(super) fn is_plain_tcp(&self) -> bool {
        matches!(self.output, Some(Output::Tcp | Output::TcpNoDelay))
    }

    /// Whether TCP's options may work on this output.
    fn has_options(&self) -> bool {
        (self.is_plain_tcp() || self.is_layered()) && !self.refuses_options
    }

    /// Whether Nagle's algorithm is on: a short segment waits for the acknowledgement of another one.
    fn nagles(&self) -> bool {
        self.output != Some(Output::TcpNoDelay)
    }

    /// Whether this transfer has set a cork.
    pub(super) fn is_corked(&self) -> bool {
        matches!(self.cork, Cork::Fresh | Cork::Ours)
    }
}

#[cfg(test)]
mod tests;
