//! Checks on a real FreeBSD kernel what the crate takes for granted there: the traps, sendfile's seven arguments, its
//! errors, and what it does with headers, trailers and short counts. Static, without a C library.
//!
//! Copy it there, make it executable, run it: a line for each check, and the number of failures as exit code. It writes two
//! files into /tmp, and uses loopback.
#![no_std]
#![no_main]

mod kernel;
mod start;

use core::fmt::Debug;

use bare_sendfile::fd::{AsFd, BorrowedFd, OwnedFd};
use bare_sendfile::{
    Count, Errno, Error, IoSlice, Native, SfFlags, SigpipeGuard, Status, Transfer, available, poll_send, sendfile,
    sendfile_hdtr, sendfile_native,
};

use kernel::{O_RDONLY, O_RDWR_CREAT_TRUNC, SOCK_DGRAM, SOCK_STREAM, say};

const NONE: SfFlags = SfFlags::empty();
/// More than the socket buffers of both ends can grow to.
const SIZE: usize = 16 << 20;

/// Counts the checks that failed.
struct Checks(usize);

impl Checks {
    fn equal<T: PartialEq + Debug>(&mut self, name: &str, found: T, expected: T) {
        if found == expected {
            say(format_args!("ok      {name}\n"));
        } else {
            self.0 += 1;
            say(format_args!("FAILED  {name}: {found:?}, not {expected:?}\n"));
        }
    }

    /// The receiver has exactly these bytes waiting.
    fn received(&mut self, name: &str, receiver: &OwnedFd, expected: &[&[u8]]) {
        let len = expected.iter().map(|part| part.len()).sum();
        let mut buffer = [0; 8192];
        let mut got = 0;
        while got < len {
            match kernel::read(receiver, &mut buffer[got..]) {
                0 => break,
                read => got += read,
            }
        }
        let mut rest = &buffer[..got];
        let same = expected.iter().all(|part| {
            let (start, end) = rest.split_at(part.len().min(rest.len()));
            rest = end;
            start == *part
        });
        self.equal(name, (same, got), (true, len));
    }
}

/// Byte `i` of the large file.
fn byte(i: usize) -> u8 {
    (i % 251) as u8 ^ (i / 251) as u8
}

/// A file of 16 MiB, whose bytes are as `byte` says, and an empty one.
fn files() -> (OwnedFd, OwnedFd) {
    let (large, empty) = (c"/tmp/bsd_check.large", c"/tmp/bsd_check.empty");
    let (file, none) = (kernel::open(large, O_RDWR_CREAT_TRUNC), kernel::open(empty, O_RDWR_CREAT_TRUNC));
    for chunk in 0..SIZE / 4096 {
        let bytes: [u8; 4096] = core::array::from_fn(|i| byte(chunk * 4096 + i));
        kernel::write(&file, &bytes);
    }
    kernel::unlink(large);
    kernel::unlink(empty);
    (file, none)
}

/// All checks; the number of those that failed.
pub fn run() -> usize {
    let mut checks = Checks(0);
    let (file, empty) = files();
    checks.equal("the call is there", available(), Ok(()));
    let pairs: [(&str, fn() -> (OwnedFd, OwnedFd)); 2] =
        [("unix", || kernel::socket_pair(SOCK_STREAM)), ("tcp", kernel::tcp)];
    for (name, pair) in pairs {
        say(format_args!("-- {name}\n"));
        first_form(&mut checks, pair, &file);
        native(&mut checks, pair, &file, &empty);
        second_form(&mut checks, pair, &file, &empty);
        partial_progress(&mut checks, pair, &file);
        resumed(&mut checks, pair, &file);
        seventh_argument(&mut checks, pair, &file);
        no_reader(&mut checks, pair, &file);
    }
    say(format_args!("-- errors\n"));
    errors(&mut checks, &file);
    options(&mut checks, &file);
    say(format_args!("{} failed\n", checks.0));
    checks.0
}

fn first_form(checks: &mut Checks, pair: fn() -> (OwnedFd, OwnedFd), file: &OwnedFd) {
    let (sender, receiver) = pair();
    let mut offset = 5;
    checks.equal("first form: sent", sendfile(&sender, file, Some(&mut offset), 100), Ok(100));
    checks.equal("first form: offset", offset, 105);
    let bytes: [u8; 100] = core::array::from_fn(|i| byte(5 + i));
    checks.received("first form: bytes", &receiver, &[&bytes]);
    let mut offset = SIZE as u64 - 1;
    checks.equal("first form: short at the end", sendfile(&sender, file, Some(&mut offset), 100), Ok(1));
    checks.equal("first form: at the end", sendfile(&sender, file, Some(&mut offset), 100), Ok(0));
    let mut offset = SIZE as u64 + 99;
    checks.equal("first form: beyond the end", sendfile(&sender, file, Some(&mut offset), 100), Ok(0));
    let mut offset = 0;
    checks.equal("C6a first form: a count of 0", sendfile(&sender, file, Some(&mut offset), 0), Ok(0));
    checks.equal("first form: without offset", sendfile(&sender, file, None, 1), Err(Errno::EINVAL));
    checks.received("first form: nothing but the last byte", &receiver, &[&[byte(SIZE - 1)]]);
}

/// What the kernel's own call does, quirks and all.
fn native(checks: &mut Checks, pair: fn() -> (OwnedFd, OwnedFd), file: &OwnedFd, empty: &OwnedFd) {
    let (headers, trailers) = ([IoSlice::new(b"head"), IoSlice::new(b"er")], [IoSlice::new(b"trail")]);
    let (sender, receiver) = pair();
    let start = [byte(0), byte(1), byte(2)];
    let sent = sendfile_native(&sender, file, 0, 3, &headers, &trailers, NONE);
    checks.equal("C1 the count is the file's, the sum is of all", sent, Native { sent: 14, error: None });
    checks.received("C1 the order", &receiver, &[b"header", &start, b"trail"]);

    let end = [byte(SIZE - 2), byte(SIZE - 1)];
    let sent = sendfile_native(&sender, file, SIZE as u64 - 2, Count::ToEnd, &headers, &[], NONE);
    checks.equal("C1 to the end", sent, Native { sent: 8, error: None });
    checks.received("C1 to the end: bytes", &receiver, &[b"header", &end]);

    let sent = sendfile_native(&sender, empty, 0, Count::ToEnd, &headers, &trailers, NONE);
    checks.equal("C4 headers of an empty file are dropped", sent, Native { sent: 5, error: None });
    checks.received("C4 and the trailers are sent", &receiver, &[b"trail"]);

    let sent = sendfile_native(&sender, file, SIZE as u64 - 2, 9, &[], &trailers, NONE);
    checks.equal("C6a trailers of a short file are sent", sent, Native { sent: 7, error: None });
    checks.received("C6a trailers of a short file: bytes", &receiver, &[&end, b"trail"]);

    let refused = Native { sent: 0, error: Some(Errno::EINVAL) };
    checks.equal("C6a a count of 0 is refused", sendfile_native(&sender, file, 0, 0, &[], &[], NONE), refused);
    checks.equal(
        "C5, H5 a negative offset, 0 sent",
        sendfile_native(&sender, file, 1 << 63, 1, &[], &[], NONE),
        refused,
    );

    let ahead = (SfFlags::USER_READAHEAD | SfFlags::NOCACHE).with_readahead(SfFlags::MAX_READAHEAD).unwrap_or(NONE);
    let sent = sendfile_native(&sender, file, 0, 3, &[], &[], ahead);
    checks.equal("C6 flags with pages to read ahead", sent, Native { sent: 3, error: None });
    checks.received("C6 bytes", &receiver, &[&start]);

    // The socket has no room for such a trailer.
    kernel::set_nonblocking(&sender);
    const LONG: usize = 1024;
    let sent = sendfile_native(&sender, file, 0, 3, &[], &[IoSlice::new(&[b't'; 4096]); LONG], NONE);
    checks.equal("C3 a short trailer is no error", sent.error, None);
    checks.equal("C3 and is short", 3 < sent.sent && sent.sent < LONG as u64 * 4096, true);
}

/// The crate's meaning, whatever the kernel's.
fn second_form(checks: &mut Checks, pair: fn() -> (OwnedFd, OwnedFd), file: &OwnedFd, empty: &OwnedFd) {
    let (headers, trailers) =
        ([IoSlice::new(b"head"), IoSlice::new(b""), IoSlice::new(b"er")], [IoSlice::new(b"trail")]);
    let (sender, receiver) = pair();
    let start = [byte(0), byte(1), byte(2)];
    let end = [byte(SIZE - 2), byte(SIZE - 1)];

    let sent = sendfile_hdtr(&sender, file, 0, 3, &headers, &trailers, NONE);
    checks.equal("second form", (sent.outcome, sent.total(), sent.mechanisms.hdtr), (Ok(()), 14, true));
    checks.received("second form: bytes", &receiver, &[b"header", &start, b"trail"]);
    let sent = sendfile_hdtr(&sender, file, SIZE as u64 - 2, Count::ToEnd, &headers, &trailers, NONE);
    checks.equal("second form: to the end", (sent.outcome, sent.total()), (Ok(()), 13));
    checks.received("second form: to the end: bytes", &receiver, &[b"header", &end, b"trail"]);
    let sent = sendfile_hdtr(&sender, file, 0, 0, &headers, &trailers, NONE);
    checks.equal("C6a second form: a count of 0", (sent.outcome, sent.total()), (Ok(()), 11));
    checks.received("C6a second form: bytes", &receiver, &[b"header", b"trail"]);
    let sent = sendfile_hdtr(&sender, empty, 0, Count::ToEnd, &headers, &trailers, NONE);
    checks.equal(
        "C4 second form: an empty file",
        (sent.outcome, sent.total(), sent.mechanisms.hdtr),
        (Ok(()), 11, false),
    );
    checks.received("C4 second form: bytes", &receiver, &[b"header", b"trail"]);
    let sent = sendfile_hdtr(&sender, file, SIZE as u64 - 2, 9, &headers, &trailers, NONE);
    checks.equal("C6a second form: a short file", (sent.outcome, sent.total()), (Err(Error::Truncated { owed: 7 }), 8));
    checks.received("C6a second form: no trailers", &receiver, &[b"header", &end]);
    let sent = sendfile_hdtr(&sender, file, 0, 3, &headers, &[], SfFlags::NODISKIO);
    checks.equal("G NODISKIO on a cached file", (sent.outcome, sent.flags.honoured), (Ok(()), SfFlags::NODISKIO));
    checks.received("G bytes", &receiver, &[b"header", &start]);
}

/// C2: EAGAIN with bytes sent, and with none.
fn partial_progress(checks: &mut Checks, pair: fn() -> (OwnedFd, OwnedFd), file: &OwnedFd) {
    let (sender, _receiver) = pair();
    kernel::set_nonblocking(&sender);
    let header = [IoSlice::new(b"header")];
    let sent = sendfile_native(&sender, file, 0, Count::ToEnd, &header, &[], NONE);
    checks.equal("C2 EAGAIN", sent.error, Some(Errno::EAGAIN));
    checks.equal("C2 with progress", 6 < sent.sent && sent.sent < SIZE as u64, true);
    let mut full = sent;
    for _ in 0..1000 {
        if full.sent == 0 {
            break;
        }
        full = sendfile_native(&sender, file, 0, Count::ToEnd, &[], &[], NONE);
    }
    checks.equal("H6 EAGAIN without", full, Native { sent: 0, error: Some(Errno::EAGAIN) });
    let mut offset = 0;
    checks.equal("H6 EAGAIN, first form", sendfile(&sender, file, Some(&mut offset), 100), Err(Errno::EAGAIN));
    checks.equal("H6 EAGAIN leaves the offset", offset, 0);
}

/// A transfer on a nonblocking socket that takes a little at a time, to its last byte.
fn resumed(checks: &mut Checks, pair: fn() -> (OwnedFd, OwnedFd), file: &OwnedFd) {
    let (sender, receiver) = pair();
    kernel::set_nonblocking(&sender);
    kernel::set_nonblocking(&receiver);
    let (headers, trailers) = ([IoSlice::new(&[b'h'; 5000])], [IoSlice::new(&[b't'; 5000])]);
    let Ok(mut transfer) = Transfer::new(0, Count::ToEnd, &headers, &trailers) else { return };
    let (mut at, mut wrong, mut stops, mut idle) = (0, 0, 0, 0);
    let mut buffer = [0; 8192];
    let mut outcome = Ok(Status::OutFull);
    while outcome == Ok(Status::OutFull) || at < SIZE + 10_000 {
        if outcome == Ok(Status::OutFull) {
            outcome = poll_send(&mut transfer, &sender, file, &headers, &trailers, &mut []);
            stops += 1;
        }
        let read = kernel::read_some(&receiver, &mut buffer);
        for &found in &buffer[..read] {
            let expected = match at {
                0..5000 => b'h',
                _ if at < SIZE + 5000 => byte(at - 5000),
                _ => b't',
            };
            wrong += usize::from(found != expected);
            at += 1;
        }
        // TCP needs its time between two reads; but not without end.
        idle = if read == 0 { idle + 1 } else { 0 };
        if idle > 2000 || outcome.is_err() {
            break;
        }
        if read == 0 {
            kernel::sleep_milliseconds(1);
        }
    }
    checks.equal("resumed: outcome", outcome, Ok(Status::Done));
    checks.equal("resumed: bytes, and wrong ones", (at, wrong), (SIZE + 10_000, 0));
    checks.equal("resumed: it did stop", stops > 1, true);
    checks.equal("resumed: progress", transfer.progress().total(), SIZE as u64 + 10_000);
}

/// H4: SF_SYNC comes in the seventh argument, and makes the call wait for the reader.
fn seventh_argument(checks: &mut Checks, pair: fn() -> (OwnedFd, OwnedFd), file: &OwnedFd) {
    for (name, flags, waits) in
        [("H4 SF_SYNC waits for the reader", SfFlags::SYNC, 1), ("H4 no flag does not", NONE, 0)]
    {
        let (sender, receiver) = pair();
        let reads = kernel::shared_byte();
        let child = kernel::fork(|| {
            kernel::sleep_milliseconds(500);
            // SAFETY: it is mapped and shared, and a byte cannot be torn.
            unsafe { reads.write_volatile(1) };
            let mut buffer = [0; 4096];
            let mut left = 4096;
            while left > 0 {
                left -= kernel::read(&receiver, &mut buffer);
            }
        });
        let sent = sendfile_native(&sender, file, 0, 4096, &[], &[], flags);
        // SAFETY: as above.
        let read = unsafe { reads.read_volatile() };
        checks.equal(name, (sent, read), (Native { sent: 4096, error: None }, waits));
        kernel::wait(child);
    }
}

fn no_reader(checks: &mut Checks, pair: fn() -> (OwnedFd, OwnedFd), file: &OwnedFd) {
    let (sender, receiver) = pair();
    drop(receiver);
    let quiet = SigpipeGuard::new();
    checks.equal("SIGPIPE can be kept off", quiet.is_ok(), true);
    // TCP learns of it by the answer to what it sends.
    let mut offset = 0;
    let mut result = Ok(0);
    for _ in 0..100 {
        result = sendfile(&sender, file, Some(&mut offset), 100);
        if result.is_err() {
            break;
        }
        kernel::sleep_milliseconds(1);
    }
    checks.equal("nobody reads", matches!(result, Err(Errno::EPIPE | Errno::ECONNRESET | Errno::ENOTCONN)), true);
    let header = [IoSlice::new(b"header")];
    let sent = sendfile_hdtr(&sender, file, 0, 3, &header, &[], NONE);
    let gone = matches!(sent.outcome, Err(Error::Errno(Errno::EPIPE | Errno::ENOTCONN)));
    checks.equal("nobody reads, second form", (gone, sent.total()), (true, 0));
}

/// H6, with the numbers as they are.
fn errors(checks: &mut Checks, file: &OwnedFd) {
    let (sender, receiver) = kernel::socket_pair(SOCK_STREAM);
    // SAFETY: it is not open, which is the point, and stays so in this process of one thread.
    let bad = unsafe { BorrowedFd::borrow_raw(999) };
    let directory = kernel::open(c"/", O_RDONLY);
    let (datagrams, _other) = kernel::socket_pair(SOCK_DGRAM);
    let unconnected = kernel::tcp_socket();
    let cases: [(&str, BorrowedFd<'_>, BorrowedFd<'_>, i32); 8] = [
        ("H6 no such file", sender.as_fd(), bad, 9),
        ("H6 no such socket", bad, file.as_fd(), 9),
        ("H6 not a socket", directory.as_fd(), file.as_fd(), 38),
        ("H6 a file as the output", file.as_fd(), file.as_fd(), 38),
        ("H6 a directory as the file", sender.as_fd(), directory.as_fd(), 22),
        ("H6 a socket as the file", sender.as_fd(), receiver.as_fd(), 22),
        ("C5 a datagram socket", datagrams.as_fd(), file.as_fd(), 22),
        ("not connected", unconnected.as_fd(), file.as_fd(), 57),
    ];
    for (name, out_fd, in_fd, errno) in cases {
        let found = sendfile_native(out_fd, in_fd, 0, 1, &[], &[], NONE);
        checks.equal(name, (found.sent, found.error.map(Errno::raw_os_error)), (0, Some(errno)));
        let mut offset = 0;
        let found = sendfile(out_fd, in_fd, Some(&mut offset), 1);
        checks.equal(name, (found.map_err(Errno::raw_os_error), offset), (Err(errno), 0));
    }
    let found = sendfile_hdtr(&datagrams, file, 0, 1, &[], &[], NONE);
    checks.equal("C20 datagrams are refused before a byte", found.outcome, Err(Error::NotAStream(SOCK_DGRAM)));
}

/// Options of TCP are as they were.
fn options(checks: &mut Checks, file: &OwnedFd) {
    const TCP_NODELAY: usize = 1;
    const TCP_NOPUSH: usize = 4;
    let (sender, receiver) = kernel::tcp();
    let (headers, trailers) = ([IoSlice::new(b"header")], [IoSlice::new(b"trail")]);
    for _ in 0..3 {
        let sent = sendfile_hdtr(&sender, file, 0, 3, &headers, &trailers, NONE);
        checks.equal("C18 sent", sent.outcome, Ok(()));
        let left = (kernel::tcp_option(&sender, TCP_NOPUSH), kernel::tcp_option(&sender, TCP_NODELAY));
        checks.equal("C18 the options are put back", left, (0, 0));
    }
    let start = [byte(0), byte(1), byte(2)];
    checks.received(
        "C16 nothing is left waiting",
        &receiver,
        &[b"header", &start, b"trail", b"header", &start, b"trail", b"header", &start, b"trail"],
    );
}
