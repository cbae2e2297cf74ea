//! What a call sent, with all of it to look at, the calls that return it, and those that send a message.

use std::os::fd::AsRawFd;

use bare_sendfile::fd::AsFd;
use bare_sendfile::{Count, Error, FlagsReport, IoSlice, Mechanisms, Progress, Report, SfFlags, Status, Transfer};

use super::{Message, fd};

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

impl Message {
    /// Goes on to the end, or to an error.
    pub fn send(&self, transfer: &mut Transfer, out: &impl AsRawFd, buffer: &mut [u8]) -> Result<(), Error> {
        transfer.send_all(fd(out), fd(&self.file), &self.headers(), &self.trailers(), buffer)
    }

    /// Goes on without waiting.
    pub fn poll(&self, transfer: &mut Transfer, out: &impl AsRawFd, buffer: &mut [u8]) -> Result<Status, Error> {
        transfer.poll_send(fd(out), fd(&self.file), &self.headers(), &self.trailers(), buffer)
    }

    /// Performs one step.
    pub fn step(&self, transfer: &mut Transfer, out: &impl AsRawFd, buffer: &mut [u8]) -> Result<(), Error> {
        let (headers, trailers) = (self.headers(), self.trailers());
        let step = transfer.next_step(&headers, &trailers, buffer.len())?;
        transfer.perform(&step, fd(out), fd(&self.file), buffer)
    }
}
