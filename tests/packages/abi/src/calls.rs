//! What the crate offers: each function that makes a system call, for the numbers and the arguments.

use bare_sendfile::fd::{BorrowedFd, FromRawFd, OwnedFd};
use bare_sendfile::{
    Count, Errno, Error, IoSlice, Output, Result, SfFlags, SigpipeGuard, Step, StreamCopy, Transfer, available,
    sendfile, sendfile_hdtr,
};

use crate::around::{Io, read};

/// One word for a result: negative numbers are errors.
fn word(result: Result<usize>) -> isize {
    match result {
        Ok(value) => value as isize,
        Err(errno) => -(errno.raw_os_error() as isize),
    }
}

/// The first two arguments, as descriptors.
fn fds(io: &Io) -> (BorrowedFd<'static>, BorrowedFd<'static>) {
    let (out_fd, in_fd) = (read(&io.arguments[0]) as i32, read(&io.arguments[1]) as i32);
    // SAFETY: the kernel is a model, in which they are open.
    unsafe { (BorrowedFd::borrow_raw(out_fd), BorrowedFd::borrow_raw(in_fd)) }
}

#[unsafe(no_mangle)]
extern "C" fn probe_sendfile(io: &mut Io) {
    let ((out_fd, in_fd), count) = (fds(io), read(&io.arguments[3]));
    let mut offset = read(&io.cell);
    around!(io, word(sendfile(out_fd, in_fd, Some(&mut offset), count)));
    io.cell = offset;
}

#[unsafe(no_mangle)]
extern "C" fn probe_sendfile_position(io: &mut Io) {
    let ((out_fd, in_fd), count) = (fds(io), read(&io.arguments[3]));
    around!(io, word(sendfile(out_fd, in_fd, None, count)));
}

#[unsafe(no_mangle)]
extern "C" fn probe_available(io: &mut Io) {
    around!(io, word(available().map(|()| 0)));
}

const HEADERS: &[IoSlice<'_>] = &[IoSlice::new(b"one"), IoSlice::new(b"three")];
const TRAILERS: &[IoSlice<'_>] = &[IoSlice::new(b"end")];
/// The length of the buffer that is lent where one is.
const LENT: usize = 32;

/// Brings a transfer to the step of a probe, past those that come before it.
fn arrive<'a>(
    transfer: &mut Transfer,
    (headers, trailers): (&'a [IoSlice<'a>], &'a [IoSlice<'a>]),
    lent: usize,
    arrived: fn(&Step<'_>) -> bool,
) -> Step<'a> {
    loop {
        match transfer.next_step(headers, trailers, lent) {
            Ok(step) if arrived(&step) => return step,
            Ok(Step::Cork | Step::SendFile { .. }) => drop(transfer.complete(Ok(0))),
            _ => {}
        }
    }
}

/// Performs the step of a transfer. It leaves 0 or the error, and in the cell what `tell` finds.
fn perform(io: &mut Io, transfer: &mut Transfer, step: &Step<'_>, tell: fn(&mut Transfer) -> u64) {
    let (out_fd, in_fd) = fds(io);
    let mut buffer = [0; LENT];
    around!(io, transfer.perform(step, out_fd, in_fd, &mut buffer).map_or_else(|error| -error.raw_os_error(), |()| 0));
    io.cell = tell(transfer);
}

/// The bytes that were counted.
fn moved(transfer: &mut Transfer) -> u64 {
    transfer.progress().total()
}

/// A number for each kind of output, 0 while it is not known.
fn output(transfer: &mut Transfer) -> u64 {
    match transfer.output() {
        None => 0,
        Some(Output::NotSocket) => 1,
        Some(Output::Tcp) => 2,
        Some(Output::Layered) => 3,
        Some(Output::Stream) => 4,
        Some(Output::Mptcp) => 6,
        Some(_) => 5,
    }
}

/// Whether something is held back.
fn flush_owed(transfer: &mut Transfer) -> u64 {
    transfer.flush_owed().into()
}

/// How much of the file is asked for next, 0 if nothing is.
#[cfg(target_os = "linux")]
fn next_count(transfer: &mut Transfer) -> u64 {
    match transfer.next_step(&[], &[], 0) {
        Ok(Step::SendFile { count, .. }) => count as u64,
        _ => 0,
    }
}

type Lists = (&'static [IoSlice<'static>], &'static [IoSlice<'static>]);

/// A transfer that knows its output.
fn transfer(offset: u64, count: impl Into<Count>, (headers, trailers): Lists, output: Output) -> Transfer {
    match Transfer::new(offset, count, headers, trailers) {
        Ok(transfer) => transfer.with_output(output),
        Err(_) => stuck(),
    }
}

/// Where no probe comes to; `machine.py` notices that it does not end.
fn stuck() -> ! {
    loop {}
}

/// Steps of a transfer: `probe_NAME` makes it of an offset, a count and two lists, brings it to a step, and performs that.
macro_rules! steps {
    ($($(#[$attribute:meta])* $probe:ident $lists:expr, $lent:expr, $step:pat, $tell:ident,
       |$offset:ident, $count:ident, $given:ident| $transfer:expr;)*) => {$(
        $(#[$attribute])*
        #[unsafe(no_mangle)]
        extern "C" fn $probe(io: &mut Io) {
            let ($offset, $count, $given): (_, _, Lists) = (read(&io.cell), read(&io.arguments[3]), $lists);
            let mut transfer = $transfer;
            let step = arrive(&mut transfer, $given, $lent, |step| matches!(step, $step));
            perform(io, &mut transfer, &step, $tell);
        }
    )*};
}

steps! {
    probe_send (HEADERS, &[]), 0, Step::Write { socket: true, more: false, .. }, moved,
        |_offset, _count, lists| transfer(0, 0, lists, Output::Tcp);
    // Copied, for FreeBSD would have the headers go with the file.
    probe_send_more (HEADERS, &[]), LENT, Step::Write { socket: true, more: true, .. }, moved,
        |_offset, _count, lists| transfer(0, Count::ToEnd, lists, Output::Tcp).copying();
    probe_write (HEADERS, &[]), 0, Step::Write { socket: false, .. }, moved,
        |_offset, _count, lists| transfer(0, Count::ToEnd, lists, Output::NotSocket);
    probe_cork (&[], TRAILERS), 0, Step::Cork, flush_owed,
        |offset, count, lists| transfer(offset, count as u64, lists, Output::Tcp);
    probe_send_file (&[], &[]), 0, Step::SendFile { .. }, moved,
        |offset, count, lists| transfer(offset, count as u64, lists, Output::Stream).with_cap(count);
    #[cfg(target_os = "freebsd")]
    probe_hdtr (HEADERS, &[]), 0, Step::SendFileHdtr { .. }, moved,
        |offset, count, lists| transfer(offset, count as u64, lists, Output::Tcp);
    probe_copy (&[], &[]), LENT, Step::Copy { more: false, socket: true, .. }, moved,
        |offset, count, lists| transfer(offset, count as u64, lists, Output::Tcp).copying();
    probe_copy_more (&[], &[]), LENT, Step::Copy { more: true, if_full: true, socket: true, .. }, moved,
        |offset, count, lists| transfer(offset, Count::ToEnd, lists, Output::Tcp).copying().with_cap(count);
    #[cfg(target_os = "linux")]
    probe_copy_at_position (&[], &[]), LENT, Step::Copy { offset: None, more: false, socket: true, .. }, moved,
        |_offset, count, _lists| match Transfer::from_position(count as u64, &[], &[]) {
            Ok(transfer) => transfer.with_output(Output::Tcp).copying(),
            Err(_) => stuck(),
        };
    probe_gather (HEADERS, TRAILERS), LENT, Step::Gather { more: false, socket: true, .. }, moved,
        |offset, count, lists| transfer(offset, count as u64, lists, Output::Tcp);
    #[cfg(target_os = "linux")]
    probe_size (&[], &[]), 0, Step::Size { .. }, next_count,
        |offset, count, lists| transfer(offset, count as u64, lists, Output::Layered);
    probe_at_end (&[], &[]), 0, Step::AtEnd { .. }, moved,
        |offset, count, lists| transfer(offset, count as u64, lists, Output::Tcp);
}

/// Nothing is known of the output.
#[unsafe(no_mangle)]
extern "C" fn probe_identify(io: &mut Io) {
    let Ok(mut transfer) = Transfer::new(0, 0, &[], &[]) else { stuck() };
    let step = arrive(&mut transfer, (&[], &[]), 0, |step| matches!(step, Step::Identify));
    perform(io, &mut transfer, &step, output);
}

/// No transfer there is at the file's position; a step that says so is performed all the same.
#[cfg(not(target_os = "linux"))]
#[unsafe(no_mangle)]
extern "C" fn probe_copy_at_position(io: &mut Io) {
    let count = read(&io.arguments[3]);
    let mut transfer = transfer(0, count as u64, (&[], &[]), Output::Tcp).copying();
    let step = arrive(&mut transfer, (&[], &[]), LENT, |step| matches!(step, Step::Copy { .. }));
    let Step::Copy { more, if_full, socket, .. } = step else { stuck() };
    perform(io, &mut transfer, &Step::Copy { offset: None, count, more, if_full, socket }, moved);
}

/// A part of the file is sent, and what waits of it is flushed.
fn flush(io: &mut Io, trailers: &'static [IoSlice<'static>]) {
    let mut transfer = transfer(0, 7, (&[], trailers), Output::Tcp);
    arrive(&mut transfer, (&[], trailers), 0, |step| matches!(step, Step::SendFile { .. }));
    if transfer.complete(Ok(3)).is_err() {
        stuck();
    }
    let Some(step) = transfer.flush() else { stuck() };
    perform(io, &mut transfer, &step, flush_owed);
}

/// With trailers to come it is the transfer's own cork.
#[unsafe(no_mangle)]
extern "C" fn probe_flush(io: &mut Io) {
    flush(io, TRAILERS);
}

/// There is no cork.
#[cfg(not(target_os = "macos"))]
#[unsafe(no_mangle)]
extern "C" fn probe_push(io: &mut Io) {
    flush(io, &[]);
}

/// The kernel's own second form: leaves 0 or the error, and in the cell the bytes.
#[cfg(not(target_os = "linux"))]
#[unsafe(no_mangle)]
extern "C" fn probe_native(io: &mut Io) {
    let ((out_fd, in_fd), offset, count) = (fds(io), read(&io.cell), read(&io.arguments[3]) as u64);
    let bytes;
    around!(io, {
        let moved = bare_sendfile::sendfile_native(out_fd, in_fd, offset, count, HEADERS, &[], SfFlags::empty());
        bytes = moved.bytes as u64;
        moved.error.map_or(0, |errno| -errno.raw_os_error())
    });
    io.cell = bytes;
}

/// Leaves the number of the error, 0 for none.
#[unsafe(no_mangle)]
extern "C" fn probe_error(io: &mut Io) {
    let (out_fd, in_fd) = fds(io);
    around!(io, sendfile(out_fd, in_fd, Some(&mut 0), 1).map_or_else(Errno::raw_os_error, |_| 0));
}

/// Leaves the sum of what was sent, −1 if not all was.
#[unsafe(no_mangle)]
extern "C" fn probe_second_form(io: &mut Io) {
    let ((out_fd, in_fd), offset, count) = (fds(io), read(&io.cell), read(&io.arguments[3]) as u64);
    around!(io, {
        let sent = sendfile_hdtr(out_fd, in_fd, offset, count, HEADERS, &[], SfFlags::SYNC);
        sent.bytes().map_or(-1, |bytes| bytes as i64)
    });
}

/// Leaves the sum of what was sent, −1 if not all was: with every flag that Linux does something for.
#[unsafe(no_mangle)]
extern "C" fn probe_hints(io: &mut Io) {
    let ((out_fd, in_fd), offset, count) = (fds(io), read(&io.cell), read(&io.arguments[3]) as u64);
    let flags = SfFlags::NODISKIO | SfFlags::USER_READAHEAD | SfFlags::NOCACHE;
    around!(io, {
        let sent = sendfile_hdtr(out_fd, in_fd, offset, count, &[], &[], flags.with_readahead(3).unwrap_or(flags));
        sent.bytes().map_or(-1, |bytes| bytes as i64)
    });
}

/// Leaves what was copied, or the error.
#[unsafe(no_mangle)]
extern "C" fn probe_stream(io: &mut Io) {
    let ((out_fd, in_fd), count) = (fds(io), read(&io.arguments[3]) as u64);
    let mut buffer = [0; 16];
    around!(io, {
        let mut copy = StreamCopy::new(Count::Bytes(count), &mut buffer);
        let outcome = copy.send_all(out_fd, in_fd).map_err(Error::errno);
        word(outcome.map(|()| copy.sent() as usize))
    });
}

/// Leaves how a nonblocking copy stopped, as a number, or the error.
#[unsafe(no_mangle)]
extern "C" fn probe_poll(io: &mut Io) {
    let (out_fd, in_fd) = fds(io);
    around!(io, {
        let status = StreamCopy::new(Count::ToEnd, []).poll_send(out_fd, in_fd);
        word(status.map(|status| status as usize).map_err(Error::errno))
    });
}

/// A pipe is made and closed.
#[cfg(target_os = "linux")]
#[unsafe(no_mangle)]
extern "C" fn probe_pipe(io: &mut Io) {
    around!(io, word(bare_sendfile::PipeCopy::new(Count::ToEnd).map(|_| 0)));
}

/// SIGPIPE is blocked and let through again.
#[unsafe(no_mangle)]
extern "C" fn probe_sigpipe(io: &mut Io) {
    around!(io, word(SigpipeGuard::new().map(|_| 0)));
}

#[unsafe(no_mangle)]
extern "C" fn probe_ignore_sigpipe(io: &mut Io) {
    around!(io, word(bare_sendfile::ignore_sigpipe().map(|()| 0)));
}

#[unsafe(no_mangle)]
extern "C" fn probe_close(io: &mut Io) {
    // SAFETY: the kernel is a model, in which it is open.
    let fd = unsafe { OwnedFd::from_raw_fd(read(&io.arguments[0]) as i32) };
    around!(io, {
        drop(fd);
        0
    });
}
