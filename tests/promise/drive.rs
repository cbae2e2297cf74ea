//! The drivers, each by one call. This is the only file of the sweep that knows the crate's interface.

use std::fs::File;
use std::os::fd::AsRawFd;

use bare_sendfile::{
    Count, Errno, Error, FlushOnDrop, IoSlice, Output, SfFlags, Status, Step, Transfer, sendfile_hdtr,
    sendfile_hdtr_all,
};

use super::common::fd;

/// Who performs the steps.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Driver {
    /// The second form: it stops at a full output, and keeps nothing to go on with.
    Hdtr,
    /// The same without flags, in one call that takes a buffer.
    HdtrAll,
    SendAll,
    PollSend,
    /// A loop of the caller's own, which flushes before it waits.
    Steps,
    /// The same, left after so many steps by a flush.
    Left(usize),
    /// A task that is dropped after so many steps.
    Dropped(usize),
    /// A task that is dropped after so many calls of `poll_send`.
    DroppedPoll(usize),
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
    /// The caller's word.
    pub(crate) output: Option<Output>,
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
        let (report, outcome) = sent.into_parts();
        return (outcome, report.progress.total());
    }
    if let Driver::HdtrAll = driver {
        let sent = sendfile_hdtr_all(fd(out), fd(input), Some(offset), count, headers, trailers, &mut buffer);
        let (report, outcome) = sent.into_parts();
        return (outcome, report.progress.total());
    }
    let mut transfer = transfer(response);
    let outcome = match driver {
        Driver::Hdtr | Driver::HdtrAll => unreachable!(),
        Driver::SendAll => loop {
            let outcome = transfer.send_all(fd(out), fd(input), headers, trailers, &mut buffer);
            if outcome != Err(Error::Errno(Errno::EAGAIN)) {
                break outcome;
            }
            pause(transfer.progress().total(), Pause::OutFull);
        },
        Driver::PollSend => loop {
            match transfer.poll_send(fd(out), fd(input), headers, trailers, &mut buffer) {
                Ok(Status::Done) => break Ok(()),
                Ok(Status::Yielded) => pause(transfer.progress().total(), Pause::Yielded),
                Ok(Status::OutFull) => pause(transfer.progress().total(), Pause::OutFull),
                Ok(Status::InEmpty) => panic!("a file that is empty for now: {response:?}"),
                Err(error) => break Err(error),
            }
        },
        Driver::Steps => loop {
            let outcome = steps(&mut transfer, usize::MAX, response, out, input, &mut buffer);
            if outcome != Err(Error::Errno(Errno::EAGAIN)) {
                flush(&mut transfer, Transfer::flush, out, input);
                break outcome;
            }
            flush(&mut transfer, Transfer::flush_full, out, input);
            pause(transfer.progress().total(), Pause::OutFull);
        },
        Driver::Left(number) => {
            let outcome = steps(&mut transfer, number, response, out, input, &mut buffer);
            flush(&mut transfer, Transfer::flush, out, input);
            outcome
        }
        Driver::Dropped(number) => {
            let mut task = FlushOnDrop::new(transfer, fd(out));
            let outcome = steps(&mut task, number, response, out, input, &mut buffer);
            transfer = (*task).clone();
            outcome
        }
        Driver::DroppedPoll(number) => {
            let mut task = FlushOnDrop::new(transfer, fd(out));
            let outcome = (0..number)
                .try_for_each(|_| task.poll_send(fd(input), headers, trailers, &mut buffer).map(|_status| ()));
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
    if let Some(budget) = response.budget {
        transfer = transfer.with_budget(budget);
    }
    if let Some(output) = response.output {
        transfer = transfer.with_output(output);
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

fn flush(transfer: &mut Transfer, owed: fn(&mut Transfer) -> Option<Step<'static>>, out: &impl AsRawFd, input: &File) {
    while let Some(step) = owed(transfer) {
        // An output without such an option refuses.
        let _ = transfer.perform(&step, fd(out), fd(input), &mut []);
    }
}
