//! What the output is, and what its send queue may be holding back: C16 to C23 of docs/semantics.md.

use super::super::errno::Errno;
use super::super::sys;
use super::step::Step;

/// What a transfer writes to. [`Output::of`] asks the kernel.
///
/// Ask once for each connection and hand the answer to [`Transfer::with_output`](crate::Transfer::with_output); a transfer that was
/// not told asks at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// A file, pipe or device.
    NotSocket,
    /// Plain TCP. It can be told that more follows, and made to send what it holds.
    Tcp,
    /// Plain TCP with `TCP_NODELAY` set, so that no segment waits for an acknowledgement. [`Output::of`] never returns it: it is the
    /// word of a caller who set the option.
    TcpNoDelay,
    /// A stream on top of another protocol: kTLS, MPTCP, SCTP. "More follows" is never said to it, because what it then holds
    /// cannot always be released: an open record of kTLS is lost when the socket is closed.
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
    /// The next call goes without ours: the caller has set one, or a flush took ours away before anything was sent under it.
    Without,
}

/// What may stay in the send queue for longer than after one write of the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    Nothing,
    /// Bytes sent with "more follows".
    More,
    /// The end of a piece of sendfile that the kernel sent with "more follows" before it found no room for the next (`splice_to_socket`,
    /// since Linux 6.5).
    Piece,
    /// Bytes behind a short segment, for which Nagle's algorithm wants an acknowledgement first; or the last piece of a sendfile
    /// that returned less than its count, to which kernels before 6.5 say "more follows" by themselves.
    BehindShort,
}

/// How many bytes a write moved, of those that it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Full,
    /// Fewer, as there was no room.
    ShortWrite,
    /// Fewer, perhaps because the read before it gave fewer.
    ShortRead,
}

/// How much the queue holds before it is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Unknown,
    Little,
    Enough,
}

/// The output's send queue, as far as the transfer knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SendQueue {
    output: Option<Output>,
    /// Whether TCP's options were refused, so that nothing can be corked or flushed.
    refuses_options: bool,
    cork: Cork,
    waiting: Waiting,
    room: Room,
    /// Whether a short segment of this transfer may be on its way. The next one then waits.
    short: bool,
}

impl SendQueue {
    pub(super) const fn new(output: Option<Output>) -> Self {
        Self {
            output,
            refuses_options: false,
            cork: Cork::Unknown,
            waiting: Waiting::Nothing,
            room: Room::Unknown,
            short: false,
        }
    }

    pub(super) const fn output(&self) -> Option<Output> {
        self.output
    }

    pub(super) fn is_socket(&self) -> bool {
        self.output != Some(Output::NotSocket)
    }

    pub(super) fn is_layered(&self) -> bool {
        self.output == Some(Output::Layered)
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
            Ok(0) => self.cork = Cork::Fresh,
            Ok(_) => self.cork = Cork::Without,
            Err(_) => self.refuses_options = true,
        }
    }

    /// A call that moves bytes was made. The caller may change a cork of their own before the next.
    pub(super) fn used(&mut self) {
        self.cork = match self.cork {
            Cork::Fresh | Cork::Ours => Cork::Ours,
            Cork::Unknown | Cork::Without => Cork::Unknown,
        };
    }

    /// A write moved bytes, with "more follows" or without. `torn`: a short segment can have left before the last byte.
    pub(super) fn wrote(&mut self, more: bool, torn: bool, moved: Taken) {
        let behind = match moved {
            Taken::Full => self.nagles() && (self.short || torn),
            _ if !sys::HAS_MSG_MORE => true,
            Taken::ShortRead => self.nagles() && (self.short || torn),
            // Linux pushes all that it has before it waits for room (wait_for_space in tcp_sendmsg_locked), whatever was said.
            Taken::ShortWrite => false,
        };
        self.took(behind, more && moved != Taken::ShortWrite, torn || moved != Taken::Full);
    }

    /// sendfile moved bytes. `torn`: a short segment can have left before the last byte. `partial`: less than the count was moved, and
    /// `after_piece`: up to the end of one of the pieces of which sendfile is made.
    pub(super) fn sent_file(&mut self, torn: bool, partial: bool, after_piece: bool) {
        let torn = torn || self.is_layered();
        let behind = partial || (self.nagles() && (self.short || torn));
        self.took(behind, false, torn || partial);
        if partial && after_piece && sys::HAS_MSG_MORE && self.has_options() {
            self.waiting = Waiting::Piece;
        }
    }

    fn took(&mut self, behind: bool, more: bool, short: bool) {
        if !self.has_options() {
            return;
        }
        let corked = self.is_corked();
        self.waiting = match () {
            () if behind => Waiting::BehindShort,
            // Under our own cork nothing more is said where the write cannot say it.
            () if more && (sys::HAS_MSG_MORE || !corked) => Waiting::More,
            () => Waiting::Nothing,
        };
        self.short |= short || !(more || corked);
    }

    /// The step that sends what is held back, if anything may be.
    pub(super) fn flush(&self) -> Option<Step<'static>> {
        self.flush_if(self.waiting != Waiting::Nothing)
    }

    /// The same after `EAGAIN`. What waits behind a short segment of a full queue goes out with the next acknowledgement, which a full
    /// queue has coming; FreeBSD's cork needs the push.
    pub(super) fn flush_full(&self) -> Option<Step<'static>> {
        match self.waiting {
            Waiting::Nothing => self.flush_if(false),
            Waiting::More => self.flush_if(true),
            Waiting::Piece => match self.room {
                Room::Unknown => Some(Step::Room),
                Room::Little => self.flush_if(true),
                Room::Enough => self.flush_if(false),
            },
            Waiting::BehindShort => self.flush_if(!sys::HAS_MSG_MORE),
        }
    }

    /// The answer to [`Step::Room`]: of what cannot be asked, the worst is assumed.
    pub(super) fn has_room(&mut self, bytes: Result<usize, Errno>) {
        /// More than the last buffer of the queue can have, with the kernel's own overhead counted: then there are others on their way.
        const ENOUGH: usize = 256 << 10;
        self.room = if bytes.is_ok_and(|bytes| bytes >= ENOUGH) { Room::Enough } else { Room::Little };
    }

    fn flush_if(&self, push: bool) -> Option<Step<'static>> {
        let uncork = self.is_corked();
        (self.has_options() && (uncork || push)).then_some(Step::Flush { uncork, push })
    }

    /// The answer to [`Step::Flush`].
    pub(super) fn flushed(&mut self, result: Result<usize, Errno>) {
        self.refuses_options |= result.is_err();
        // For a caller that flushes after every step, another cork would be followed by another flush for ever.
        self.cork = match self.cork {
            Cork::Fresh | Cork::Without => Cork::Without,
            Cork::Ours | Cork::Unknown => Cork::Unknown,
        };
        self.waiting = Waiting::Nothing;
        self.short = true;
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
