//! What the crate offers: each function that makes a system call, for the numbers and the arguments.

use bare_sendfile::fd::{BorrowedFd, FromRawFd, OwnedFd};
use bare_sendfile::{
    Count, Errno, IoSlice, Result, SfFlags, SigpipeGuard, Slices, Step, StreamCopy, available, perform, sendfile,
    sendfile_hdtr,
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

/// Steps of a transfer: `probe_NAME` performs the step that is made from an offset, a count and a list of slices.
macro_rules! steps {
    ($($probe:ident |$offset:ident, $count:ident, $slices:ident| $step:expr;)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $probe(io: &mut Io) {
            let ((out_fd, in_fd), $offset, $count) = (fds(io), read(&io.cell), read(&io.arguments[3]));
            let $slices = [IoSlice::new(b"one"), IoSlice::new(b"three")];
            let $slices = Slices::Whole(&$slices);
            let mut buffer = [0; 16];
            around!(io, word(perform(&$step, out_fd, in_fd, &mut buffer)));
        }
    )*};
}

steps! {
    probe_socket_type |_offset, _count, _slices| Step::Identify;
    probe_send |_offset, _count, slices| Step::Write { slices, more: false, socket: true };
    probe_send_more |_offset, _count, slices| Step::Write { slices, more: true, socket: true };
    probe_write |_offset, _count, slices| Step::Write { slices, more: true, socket: false };
    probe_cork |_offset, _count, _slices| Step::Cork;
    probe_send_file |offset, count, _slices| Step::SendFile { offset: Some(offset), count };
    probe_copy |offset, count, _slices| Step::Copy { offset: Some(offset), count, more: false, socket: true };
    probe_copy_at_position |_offset, count, _slices| Step::Copy { offset: None, count, more: false, socket: true };
    probe_hdtr |offset, count, slices| Step::SendFileHdtr { headers: slices, offset, count };
    probe_flush |_offset, _count, _slices| Step::Flush { uncork: true, push: true };
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
    let headers = [IoSlice::new(b"one"), IoSlice::new(b"three")];
    around!(io, {
        let sent = sendfile_hdtr(out_fd, in_fd, offset, count, &headers, &[], SfFlags::SYNC);
        sent.outcome.map_or(-1, |()| sent.total() as i64)
    });
}

/// Leaves the sum of what was sent, −1 if not all was: with every flag that Linux does something for.
#[unsafe(no_mangle)]
extern "C" fn probe_hints(io: &mut Io) {
    let ((out_fd, in_fd), offset, count) = (fds(io), read(&io.cell), read(&io.arguments[3]) as u64);
    let flags = SfFlags::NODISKIO | SfFlags::USER_READAHEAD | SfFlags::NOCACHE;
    around!(io, {
        let sent = sendfile_hdtr(out_fd, in_fd, offset, count, &[], &[], flags.with_readahead(3).unwrap_or(flags));
        sent.outcome.map_or(-1, |()| sent.total() as i64)
    });
}

/// Leaves what was copied, or the error.
#[unsafe(no_mangle)]
extern "C" fn probe_stream(io: &mut Io) {
    let ((out_fd, in_fd), count) = (fds(io), read(&io.arguments[3]) as u64);
    let mut buffer = [0; 16];
    around!(io, {
        let mut copy = StreamCopy::new(Count::Bytes(count), &mut buffer);
        let outcome = copy.send_all(out_fd, in_fd).map_err(|error| error.errno().unwrap_or(Errno::EINVAL));
        word(outcome.map(|()| copy.sent() as usize))
    });
}

/// SIGPIPE is blocked and let through again.
#[unsafe(no_mangle)]
extern "C" fn probe_sigpipe(io: &mut Io) {
    around!(io, word(SigpipeGuard::new().map(|_| 0)));
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
