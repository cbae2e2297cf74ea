//! What a call sent, with all of it to look at, and the calls that return it.

use bare_sendfile::fd::AsFd;
use bare_sendfile::{Count, Error, FlagsReport, IoSlice, Mechanisms, Progress, Report, SfFlags};

/// [`bare_sendfile::Sent`], taken apart.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub progress: Progress,
    pub mechanisms: Mechanisms,
    pub flags: FlagsReport,
    pub outcome: Result<(), Error>,
}

impl Sent {
    pub fn total(&self) -> u64 {
        self.progress.total()
    }
}

impl From<bare_sendfile::Sent> for Sent {
    fn from(sent: bare_sendfile::Sent) -> Self {
        let (Report { progress, mechanisms, flags }, outcome) = sent.into_parts();
        Self { progress, mechanisms, flags, outcome }
    }
}

/// The second form.
pub fn sendfile_hdtr(
    out_fd: impl AsFd,
    in_fd: impl AsFd,
    offset: u64,
    count: impl Into<Count>,
    headers: &[IoSlice<'_>],
    trailers: &[IoSlice<'_>],
    flags: SfFlags,
) -> Sent {
    bare_sendfile::sendfile_hdtr(out_fd, in_fd, offset, count, headers, trailers, flags).into()
}

/// The second form until all is sent.
pub fn send_file(
    out_fd: impl AsFd,
    in_fd: impl AsFd,
    offset: u64,
    count: impl Into<Count>,
    headers: &[IoSlice<'_>],
    trailers: &[IoSlice<'_>],
    buffer: &mut [u8],
) -> Sent {
    bare_sendfile::sendfile_hdtr_all(out_fd, in_fd, Some(offset), count, headers, trailers, buffer).into()
}
