//! The drivers, each by one call. This is the only file of the sweep that knows the crate's interface.

use std::fs::File;
use std::os::fd::AsRawFd;

use bare_sendfile::{
    Count, Errno, Error, FlushOnDrop, IoSlice, SfFlags, Status, Step, Transfer, perform, poll_send, send_all,
    sendfile_hdtr,
};

use super::common::fd;

/// Who performs the steps.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Driver {
    /// The second form: it stops at a full output, and keeps nothing to go on with.
    Hdtr,
    SendAll,
    PollSend,
    /// A loop of the caller's own, which flushes before it waits.
    Steps,
    /// The same, left after so many steps by a flush.
    Left(usize),
    /// A task that is dropped after so many steps.
    Dropped(usize),
}

/// Why a driver came back before the end and will be called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    OutFull,
    /// The budget is used up.
    Yielded,
}

/// What is sent, and how.
#[derive(Debug)]
pub(crate) struct Response<'a> {
    pub(crate) driver: Driver,
    pub(crate) offset: u64,
    pub(crate) count: Count,
    pub(crate) headers: &'a [IoSlice<'a>],
    pub(crate) trailers: &'a [IoSlice<'a>],
    /// Length of the lent buffer.
    pub(crate) buffer: usize,
    pub(crate) copying: bool,
    pub(crate) cap: Option<usize>,
    /// Of one `poll_send`.
    pub(crate) budget: Option<usize>,
}

/// Sends it and tells what came of it, and how many bytes were counted as sent; `pause` is told so at each pause.
pub(crate) fn drive(
    response: &Response<'_>,
    out: &impl AsRawFd,
    input: &File,
    pause: &mut dyn FnMut(u64, Pause),
) -> (Result<(), Error>, u64) {
    let Response { driver, offset, count, headers, trailers, .. } = *response;
    let mut buffer = vec![0; response.buffer];
    if let Driver::Hdtr = driver {
        let sent = sendfile_hdtr(fd(out), fd(input), offset, count, headers, trailers, SfFlags::empty());
        return (sent.outcome, sent.total());
    }
    let mut transfer = transfer(response);
    let outcome = match driver {
        Driver::Hdtr => unreachable!(),
        Driver::SendAll => loop {
            let outcome = send_all(&mut transfer, fd(out), fd(input), headers, trailers, &mut buffer);
            if outcome != Err(Error::Errno(Errno::EAGAIN)) {
                break outcome;
            }
            pause(transfer.progress().total(), Pause::OutFull);
        },
        Driver::PollSend => loop {
            match poll_send(&mut transfer, fd(out), fd(input), headers, trailers, &mut buffer) {
                Ok(Status::Done) => break Ok(()),
                Ok(Status::OutFull) => pause(transfer.progress().total(), Pause::OutFull),
                Ok(Status::InEmpty) => panic!("a file that is empty for now: {response:?}"),
                Err(error) => break Err(error),
            }
        },
        Driver::Steps => loop {
            let outcome = steps(&mut transfer, usize::MAX, response, out, input, &mut buffer);
            flush(&mut transfer, out, input);
            match outcome {
                Err(Error::Errno(Errno::EAGAIN)) => pause(transfer.progress().total(), Pause::OutFull),
                outcome => break outcome,
            }
        },
        Driver::Left(number) => {
            let outcome = steps(&mut transfer, number, response, out, input, &mut buffer);
            flush(&mut transfer, out, input);
            outcome
        }
        Driver::Dropped(number) => {
            let mut task = FlushOnDrop::new(transfer, fd(out));
            let outcome = steps(&mut task, number, response, out, input, &mut buffer);
            transfer = (*task).clone();
            outcome
        }
    };
    (outcome, transfer.progress().total())
}

fn transfer(response: &Response<'_>) -> Transfer {
    let mut transfer = Transfer::new(response.offset, response.count, response.headers, response.trailers).unwrap();
    if response.copying {
        transfer = transfer.copying();
    }
    if let Some(cap) = response.cap {
        transfer = transfer.with_cap(cap);
    }
    transfer
}

/// At most so many steps of a loop of the caller's own.
fn steps(
    transfer: &mut Transfer,
    number: usize,
    response: &Response<'_>,
    out: &impl AsRawFd,
    input: &File,
    buffer: &mut [u8],
) -> Result<(), Error> {
    for _ in 0..number {
        match transfer.next_step(response.headers, response.trailers, buffer.len())? {
            Step::Done => break,
            step => transfer.perform(&step, fd(out), fd(input), buffer)?,
        }
    }
    Ok(())
}

fn flush(transfer: &mut Transfer, out: &impl AsRawFd, input: &File) {
    if let Some(step) = transfer.flush() {
        let _ = transfer.complete(perform(&step, fd(out), fd(input), &mut [])); // an output without such an option refuses
    }
}
