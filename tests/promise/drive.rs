//! The drivers, each by one call. This is the only file of the sweep that knows the crate's interface.

use std::fs::File;

use bare_sendfile::{
    Count, Errno, Error, FlushOnDrop, IoSlice, SfFlags, Status, Step, Transfer, perform, poll_send, send_all,
    sendfile_hdtr,
};

use super::case::Case;
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

/// Sends the case's response and tells how many bytes were counted as sent; `pause` is told so at each pause.
pub(crate) fn drive(case: &Case, out: &File, input: &File, pause: &mut dyn FnMut(u64, Pause)) -> u64 {
    let (headers, trailers) = (case.headers(), case.trailers());
    let (headers, trailers) = (&headers[..], &trailers[..]);
    let mut buffer = vec![0; case.buffer];
    if let Driver::Hdtr = case.driver {
        let sent =
            sendfile_hdtr(fd(out), fd(input), case.offset, case.count, headers, trailers, SfFlags::empty());
        case.check(sent.outcome, sent.total());
        return sent.total();
    }
    let mut transfer = transfer(case, headers, trailers);
    let outcome = match case.driver {
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
                Ok(Status::InEmpty) => panic!("a file that is empty for now: {case:?}"),
                Err(error) => break Err(error),
            }
        },
        Driver::Steps => loop {
            let outcome = steps(&mut transfer, usize::MAX, case, out, input, &mut buffer);
            flush(&mut transfer, out, input);
            match outcome {
                Err(Error::Errno(Errno::EAGAIN)) => pause(transfer.progress().total(), Pause::OutFull),
                outcome => break outcome,
            }
        },
        Driver::Left(number) => {
            let outcome = steps(&mut transfer, number, case, out, input, &mut buffer);
            flush(&mut transfer, out, input);
            outcome
        }
        Driver::Dropped(number) => {
            let mut task = FlushOnDrop::new(transfer, fd(out));
            let outcome = steps(&mut task, number, case, out, input, &mut buffer);
            transfer = (*task).clone();
            outcome
        }
    };
    let sent = transfer.progress().total();
    case.check(outcome, sent);
    sent
}

fn transfer(case: &Case, headers: &[IoSlice<'_>], trailers: &[IoSlice<'_>]) -> Transfer {
    let mut transfer = Transfer::new(case.offset, case.count, headers, trailers).unwrap();
    if case.copying {
        transfer = transfer.copying();
    }
    if let Some(cap) = case.cap {
        transfer = transfer.with_cap(cap);
    }
    transfer
}

/// At most so many steps of a loop of the caller's own.
fn steps(
    transfer: &mut Transfer,
    number: usize,
    case: &Case,
    out: &File,
    input: &File,
    buffer: &mut [u8],
) -> Result<(), Error> {
    let (headers, trailers) = (case.headers(), case.trailers());
    for _ in 0..number {
        match transfer.next_step(&headers, &trailers, buffer.len())? {
            Step::Done => break,
            step => transfer.perform(&step, fd(out), fd(input), buffer)?,
        }
    }
    Ok(())
}

fn flush(transfer: &mut Transfer, out: &File, input: &File) {
    if let Some(step) = transfer.flush() {
        let _ = transfer.complete(perform(&step, fd(out), fd(input), &mut [])); // an output without such an option refuses
    }
}

/// What a driver says of a response that cannot have been sent whole.
pub(crate) fn allowed(case: &Case, outcome: Result<(), Error>, sent: u64) -> bool {
    let all = sent == case.bytes().len() as u64;
    match outcome {
        Ok(()) => all && case.owed() == 0 || matches!(case.driver, Driver::Left(_) | Driver::Dropped(_)),
        Err(Error::Truncated { owed }) => all && owed == case.owed() && owed > 0,
        // Nothing goes on after these.
        Err(Error::Errno(Errno::EAGAIN)) => {
            matches!(case.driver, Driver::Hdtr | Driver::Left(_) | Driver::Dropped(_))
        }
        Err(_) => false,
    }
}

/// As many bytes, or all there are.
pub(crate) fn count(bytes: Option<u64>) -> Count {
    bytes.map_or(Count::ToEnd, Count::Bytes)
}
