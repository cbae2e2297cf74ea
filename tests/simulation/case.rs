//! What is asked for, and what a kernel can answer. Compiled once for each machine that is simulated.

use std::fmt;

use super::machine::{Count, Errno, IoSlice, Output};

/// What the bytes go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sink {
    Tcp,
    /// TCP, and the caller has set TCP_NODELAY.
    TcpNoDelay,
    /// TCP, and the caller has set TCP_CORK.
    Corked,
    /// TLS of the kernel.
    Ktls,
    Mptcp,
    /// One-to-one SCTP, which has none of TCP's options.
    Sctp,
    Unix,
    Pipe,
}

impl Sink {
    pub(crate) const ALL: [Self; 8] =
        [Self::Tcp, Self::TcpNoDelay, Self::Corked, Self::Ktls, Self::Mptcp, Self::Sctp, Self::Unix, Self::Pipe];

    /// Plain TCP.
    pub(crate) fn is_tcp(self) -> bool {
        matches!(self, Self::Tcp | Self::TcpNoDelay | Self::Corked)
    }

    /// What is said to be followed by more stays open.
    pub(crate) fn keeps_open(self) -> bool {
        matches!(self, Self::Ktls | Self::Sctp)
    }

    /// Another protocol lies between.
    pub(crate) fn is_layered(self) -> bool {
        matches!(self, Self::Ktls | Self::Mptcp | Self::Sctp)
    }

    pub(crate) fn is_socket(self) -> bool {
        self != Self::Pipe
    }

    /// What the kernel says that it is.
    pub(crate) fn kind(self) -> Output {
        match self {
            _ if self.is_tcp() => Output::Tcp,
            Self::Mptcp => Output::Mptcp,
            _ if self.is_layered() => Output::Layered,
            Self::Unix => Output::Stream,
            _ => Output::NotSocket,
        }
    }

    /// What the caller knows that it is.
    pub(crate) fn word(self) -> Output {
        if self == Self::TcpNoDelay { Output::TcpNoDelay } else { self.kind() }
    }
}

/// One transfer that is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) headers: &'a [IoSlice<'a>],
    /// Bytes in the file. What they are does not matter: the receiver knows each by its place.
    pub(crate) file: u64,
    /// Bytes that the file states to have, where sendfile stops.
    pub(crate) stated: u64,
    pub(crate) trailers: &'a [IoSlice<'a>],
    /// Where the file is sent from.
    pub(crate) start: u64,
    /// That place is the file's position, not an offset.
    pub(crate) at_position: bool,
    pub(crate) count: Count,
    pub(crate) cap: usize,
    /// The largest body that is gathered.
    pub(crate) small: usize,
    /// Length of the lent buffer.
    pub(crate) lent: usize,
    pub(crate) copying: bool,
    pub(crate) output: Sink,
    /// The output is known to the caller and not asked.
    pub(crate) known: bool,
}

impl fmt::Debug for Case<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Case { headers, file, stated, trailers, start, at_position, count, .. } = self;
        let Case { cap, small, lent, copying, output, known, .. } = self;
        let (n_headers, n_trailers) = (headers.len(), trailers.len());
        let (headers, trailers) = (total(headers), total(trailers));
        write!(f, "headers {headers} in {n_headers}, file {file} (stated {stated}) from {start}, {count:?}")?;
        write!(f, ", trailers {trailers} in {n_trailers}, at_position {at_position}, cap {cap}, small {small}")?;
        write!(f, ", lent {lent}, copying {copying}, {output:?}, known {known}")
    }
}

pub(crate) fn total(list: &[IoSlice<'_>]) -> u64 {
    list.iter().map(|slice| slice.len() as u64).sum()
}

pub(crate) fn flat(list: &[IoSlice<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    list.iter().for_each(|slice| bytes.extend_from_slice(slice));
    bytes
}

/// What the kernel answers to a step.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// It moves so many bytes, of those that `World::most` allows. 0 is an end of the file, or an output that takes nothing.
    Moves(usize),
    /// It moves so many and fails.
    Fails(usize, Errno),
    /// To a step that moves no bytes: what is true.
    Honest,
    /// The output is a socket that is not a stream, but of this type.
    NotAStream(u32),
}
