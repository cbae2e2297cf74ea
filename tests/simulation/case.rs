//! What is asked for, and what a kernel can answer. Compiled once for each machine that is simulated.

use std::fmt;

use super::machine::{Count, Errno, IoSlice};

/// What the bytes go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Tcp,
    /// TCP, and the caller has set TCP_CORK.
    Corked,
    Unix,
    Pipe,
}

/// One transfer that is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) headers: &'a [IoSlice<'a>],
    /// Bytes in the file. What they are does not matter: the receiver knows each by its place.
    pub(crate) file: u64,
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
    pub(crate) output: Output,
    /// The output is known to be a stream socket and not asked.
    pub(crate) known: bool,
}

impl fmt::Debug for Case<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Case { headers, file, trailers, start, at_position, count, cap, small, lent, copying, output, known } =
            self;
        let (n_headers, n_trailers) = (headers.len(), trailers.len());
        let total = |list: &[IoSlice<'_>]| list.iter().map(|slice| slice.len()).sum::<usize>();
        let (headers, trailers) = (total(headers), total(trailers));
        write!(
            f,
            "headers {headers} in {n_headers}, file {file} from {start}, {count:?}, trailers {trailers} in {n_trailers}"
        )?;
        write!(
            f,
            ", at_position {at_position}, cap {cap}, small {small}, lent {lent}, copying {copying}, {output:?}, known {known}"
        )
    }
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
    /// The output is another kind of socket.
    SocketType(usize),
}
