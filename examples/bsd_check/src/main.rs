//! Checks on a real FreeBSD kernel what the crate takes for granted there: the traps and the registers that they leave, sendfile's seven
//! arguments, its errors, what it does with headers, trailers and short counts, and what it waits for. Static, without a C library.
//!
//! Copy it there, make it executable, run it, as root or not: a line for each check, and the number of failures as exit code.
//! It needs 2 MiB in /tmp, /var/tmp or the current folder, where it leaves nothing (else it takes shared memory), and loopback. As
//! root it makes a memory disk with a bad block, mounts it for a moment in one of these folders, and takes it away again. What it cannot do it
//! skips, and says so. No wait of its own is longer than ten seconds, SF_SYNC's for its reader apart, and after twenty minutes
//! a signal ends it.
#![no_std]
#![no_main]

mod disk;
mod kernel;
mod registers;
mod rounds;

use core::ffi::CStr;
use core::fmt::{Debug, Write};

use bare_sendfile::fd::{AsFd, BorrowedFd, OwnedFd};
use bare_sendfile::{
    Count, Errno, Error, IoSlice, Moved, Report, Sent, SfFlags, SigpipeGuard, Status, Transfer, available, sendfile,
    sendfile_hdtr, sendfile_native,
};

use kernel::{SOCK_DGRAM, SOCK_STREAM, say};

const NONE: SfFlags = SfFlags::empty();
/// More than the socket buffers of both ends hold.
const SIZE: usize = 2 << 20;

/// Two connected sockets: sender, receiver; or the error number.
type Sockets = Result<(OwnedFd, OwnedFd), i32>;

/// Makes them.
type Pair = fn() -> (OwnedFd, OwnedFd);

fn connected(pair: Sockets) -> (OwnedFd, OwnedFd) {
    pair.unwrap_or_else(|errno| panic!("no more sockets: error {errno}"))
}

/// Counts the checks.
#[derive(Default)]
struct Checks {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Checks {
    fn skip(&mut self, what: &str, why: i32) {
        self.skipped += 1;
        say(format_args!("skipped {what}: error {why}\n"));
    }

    fn equal<T: PartialEq + Debug>(&mut self, name: &str, found: T, expected: T) {
        if found == expected {
            self.passed += 1;
            say(format_args!("ok      {name}\n"));
        } else {
            self.failed += 1;
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

/// Writes the large file, whose bytes are as `byte` says.
fn fill(file: &OwnedFd) -> bool {
    (0..SIZE / 4096).all(|chunk| {
        let bytes: [u8; 4096] = core::array::from_fn(|i| byte(chunk * 4096 + i));
        kernel::write(file, &bytes)
    })
}

/// The large file and an empty one, where there is room for them, and what they are.
fn files() -> (OwnedFd, OwnedFd, &'static str) {
    for folder in FOLDERS {
        match (temporary(folder, "large"), temporary(folder, "empty")) {
            (Ok(large), Ok(empty)) if fill(&large) => return (large, empty, folder),
            _ => {}
        }
    }
    match (kernel::shared_memory(), kernel::shared_memory()) {
        (Ok(large), Ok(empty)) if fill(&large) => (large, empty, "shared memory"),
        _ => panic!("2 MiB can be written nowhere"),
    }
}

const FOLDERS: [&str; 3] = ["/tmp", "/var/tmp", "."];

/// A new file in this folder, that has no name any more.
fn temporary(folder: &str, what: &str) -> Result<OwnedFd, i32> {
    let mut name = Name::default();
    let _ = write!(name, "{folder}/bsd_check.{}.{what}", kernel::process());
    kernel::temporary(name.as_c_str())
}

const NAME: usize = 64;

/// A path, ended by a 0.
struct Name {
    bytes: [u8; NAME],
    len: usize,
}

impl Default for Name {
    fn default() -> Self {
        Self { bytes: [0; NAME], len: 0 }
    }
}

impl Name {
    fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }
}

impl Write for Name {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let end = self.len + text.len();
        // The last byte stays 0.
        let room = self.bytes.get_mut(self.len..end).filter(|_| end < NAME).ok_or(core::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

start::main!(main);

/// All checks; the number of those that failed.
fn main(_: start::Start) -> u8 {
    kernel::die_after(1200);
    let mut checks = Checks::default();
    let (file, empty, place) = files();
    say(format_args!("kernel {}, files in {place}\n", kernel::release()));
    checks.equal("the call is there", available(), Ok(()));
    let pairs: [(&str, Sockets, Pair); 2] = [
        ("unix", kernel::socket_pair(SOCK_STREAM), || connected(kernel::socket_pair(SOCK_STREAM))),
        ("tcp", kernel::tcp(), || connected(kernel::tcp())),
    ];
    let mut there: &[(&str, Pair)] = &[("unix", pairs[0].2), ("tcp", pairs[1].2)];
    for (name, first, pair) in pairs {
        if let Err(errno) = first {
            checks.skip(name, errno);
            there = &there[..1];
            continue;
        }
        say(format_args!("-- {name}\n"));
        first_form(&mut checks, pair, &file);
        native(&mut checks, pair, &file, &empty);
        second_form(&mut checks, pair, &file, &empty);
        partial_progress(&mut checks, pair, &file);
        resumed(&mut checks, pair, &file);
        seventh_argument(&mut checks, pair, &file);
        no_reader(&mut checks, pair, &file);
        if name == "tcp" {
            options(&mut checks, pair, &file);
            rounds::small_buffers(&mut checks, pair, &file);
            rounds::sync(&mut checks, pair, &file);
        }
        rounds::random(&mut checks, pair, &file);
        rounds::truncated_meanwhile(&mut checks, pair);
        rights(&mut checks, pair, &file);
    }
    say(format_args!("-- errors\n"));
    errors(&mut checks, &file);
    shared_memory(&mut checks);
    disk::bad_block(&mut checks, there);
    say(format_args!("-- registers\n"));
    registers::unchanged(&mut checks, &file);
    say(format_args!("{} passed, {} failed, {} skipped\n", checks.passed, checks.failed, checks.skipped));
    checks.failed.min(255) as u8
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    say(format_args!("FAILED: {info}\n"));
    start::exit(255)
}

fn first_form(checks: &mut Checks, pair: Pair, file: &OwnedFd) {
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
fn native(checks: &mut Checks, pair: Pair, file: &OwnedFd, empty: &OwnedFd) {
    let (headers, trailers) = ([IoSlice::new(b"head"), IoSlice::new(b"er")], [IoSlice::new(b"trail")]);
    let (sender, receiver) = pair();
    let start = [byte(0), byte(1), byte(2)];
    let sent = sendfile_native(&sender, file, 0, 3, &headers, &trailers, NONE);
    checks.equal("C1 the count is the file's, the sum is of all", sent, Moved { bytes: 14, error: None });
    checks.received("C1 the order", &receiver, &[b"header", &start, b"trail"]);

    let end = [byte(SIZE - 2), byte(SIZE - 1)];
    let sent = sendfile_native(&sender, file, SIZE as u64 - 2, Count::ToEnd, &headers, &[], NONE);
    checks.equal("C1 to the end", sent, Moved { bytes: 8, error: None });
    checks.received("C1 to the end: bytes", &receiver, &[b"header", &end]);

    let sent = sendfile_native(&sender, empty, 0, Count::ToEnd, &headers, &trailers, NONE);
    checks.equal("C4 headers of an empty file are dropped", sent, Moved { bytes: 5, error: None });
    checks.received("C4 and the trailers are sent", &receiver, &[b"trail"]);

    let sent = sendfile_native(&sender, file, SIZE as u64 - 2, 9, &[], &trailers, NONE);
    checks.equal("C6a trailers of a short file are sent", sent, Moved { bytes: 7, error: None });
    checks.received("C6a trailers of a short file: bytes", &receiver, &[&end, b"trail"]);

    let refused = Moved { bytes: 0, error: Some(Errno::EINVAL) };
    checks.equal("C6a a count of 0 is refused", sendfile_native(&sender, file, 0, 0, &[], &[], NONE), refused);
    checks.equal(
        "C5, H5 a negative offset, 0 sent",
        sendfile_native(&sender, file, 1 << 63, 1, &[], &[], NONE),
        refused,
    );

    let ahead = (SfFlags::USER_READAHEAD | SfFlags::NOCACHE).with_readahead(SfFlags::MAX_READAHEAD).unwrap_or(NONE);
    let sent = sendfile_native(&sender, file, 0, 3, &[], &[], ahead);
    checks.equal("C6 flags with pages to read ahead", sent, Moved { bytes: 3, error: None });
    checks.received("C6 bytes", &receiver, &[&start]);

    // The socket has no room for such a trailer.
    kernel::set_nonblocking(&sender);
    const LONG: usize = 1024;
    let sent = sendfile_native(&sender, file, 0, 3, &[], &[IoSlice::new(&[b't'; 4096]); LONG], NONE);
    checks.equal("C3 a short trailer is no error", sent.error, None);
    checks.equal("C3 and is short", 3 < sent.bytes && sent.bytes < LONG * 4096, true);
}

/// The crate's meaning, whatever the kernel's.
fn second_form(checks: &mut Checks, pair: Pair, file: &OwnedFd, empty: &OwnedFd) {
    let (headers, trailers) =
        ([IoSlice::new(b"head"), IoSlice::new(b""), IoSlice::new(b"er")], [IoSlice::new(b"trail")]);
    let (sender, receiver) = pair();
    let start = [byte(0), byte(1), byte(2)];
    let end = [byte(SIZE - 2), byte(SIZE - 1)];

    let send = |file: &OwnedFd, offset, count: Count| {
        all(sendfile_hdtr(&sender, file, offset, count, &headers, &trailers, NONE))
    };

    let (sent, report) = send(file, 0, Count::Bytes(3));
    checks.equal("second form", (sent, report.mechanisms.hdtr), ((Ok(()), 14), true));
    checks.received("second form: bytes", &receiver, &[b"header", &start, b"trail"]);
    let (sent, _) = send(file, SIZE as u64 - 2, Count::ToEnd);
    checks.equal("second form: to the end", sent, (Ok(()), 13));
    checks.received("second form: to the end: bytes", &receiver, &[b"header", &end, b"trail"]);
    let (sent, _) = send(file, 0, Count::Bytes(0));
    checks.equal("C6a second form: a count of 0", sent, (Ok(()), 11));
    checks.received("C6a second form: bytes", &receiver, &[b"header", b"trail"]);
    let (sent, report) = send(empty, 0, Count::ToEnd);
    checks.equal("C4 second form: an empty file", (sent, report.mechanisms.hdtr), ((Ok(()), 11), false));
    checks.received("C4 second form: bytes", &receiver, &[b"header", b"trail"]);
    let (sent, _) = send(file, SIZE as u64 - 2, Count::Bytes(9));
    checks.equal("C6a second form: a short file", sent, (Err(Error::Truncated { owed: 7 }), 8));
    checks.received("C6a second form: no trailers", &receiver, &[b"header", &end]);
    // A hint to this kernel: what was just sent is there, as a rule; EBUSY is an answer, too.
    let sent = sendfile_hdtr(&sender, file, 0, 3, &headers, &[], SfFlags::NODISKIO);
    let ((outcome, _), report) = all(sent);
    let fits = matches!(outcome, Ok(()) | Err(Error::Errno(Errno::EBUSY)));
    checks.equal("G NODISKIO", (fits, report.flags.honoured), (true, SfFlags::NODISKIO));
    let (head, start) = (report.progress.headers as usize, start.get(..report.progress.file as usize).unwrap_or(&[]));
    checks.received("G bytes", &receiver, &[b"header".get(..head).unwrap_or(&[]), start]);
}

/// The outcome, the bytes of all sections, and the rest.
fn all(sent: Sent) -> ((Result<(), Error>, u64), Report) {
    let (report, outcome) = sent.into_parts();
    ((outcome, report.progress.total()), report)
}

/// C2: EAGAIN with bytes sent, and with none.
fn partial_progress(checks: &mut Checks, pair: Pair, file: &OwnedFd) {
    let (sender, _receiver) = pair();
    kernel::set_nonblocking(&sender);
    let header = [IoSlice::new(b"header")];
    let sent = sendfile_native(&sender, file, 0, Count::ToEnd, &header, &[], NONE);
    checks.equal("C2 EAGAIN", sent.error, Some(Errno::EAGAIN));
    checks.equal("C2 with progress", 6 < sent.bytes && sent.bytes < SIZE, true);
    let mut full = sent;
    for _ in 0..1000 {
        if full.bytes == 0 {
            break;
        }
        full = sendfile_native(&sender, file, 0, Count::ToEnd, &[], &[], NONE);
    }
    checks.equal("H6 EAGAIN without", full, Moved { bytes: 0, error: Some(Errno::EAGAIN) });
    // There may be room again: TCP moves bytes to the other end meanwhile, and less than half a buffer is not taken for room
    // where more is to be sent.
    let (mut offset, mut before, mut result) = (0, 0, Ok(0));
    for _ in 0..1000 {
        before = offset;
        result = sendfile(&sender, file, Some(&mut offset), SIZE);
        if result.is_err() {
            break;
        }
        kernel::sleep_milliseconds(1);
    }
    checks.equal("H6 EAGAIN, first form", result, Err(Errno::EAGAIN));
    checks.equal("H6 EAGAIN leaves the offset", offset, before);
}

/// A transfer on a nonblocking socket that takes a little at a time, to its last byte.
fn resumed(checks: &mut Checks, pair: Pair, file: &OwnedFd) {
    let (sender, receiver) = pair();
    kernel::set_nonblocking(&sender);
    kernel::set_nonblocking(&receiver);
    let (headers, trailers) = ([IoSlice::new(&[b'h'; 5000])], [IoSlice::new(&[b't'; 5000])]);
    let Ok(mut transfer) = Transfer::new(0, Count::ToEnd, &headers, &trailers) else { return };
    let (mut at, mut wrong, mut stops, mut idle) = (0, 0, 0, 0_u32);
    let mut buffer = [0; 8192];
    let again = |outcome| matches!(outcome, Ok(Status::OutFull | Status::Yielded));
    let mut outcome = Ok(Status::OutFull);
    while again(outcome) || at < SIZE + 10_000 {
        if again(outcome) {
            outcome = transfer.poll_send(&sender, file, &headers, &trailers, &mut []);
            stops += 1;
        }
        let read = kernel::read(&receiver, &mut buffer);
        for &found in &buffer[..read] {
            let expected = match at {
                0..5000 => b'h',
                _ if at < SIZE + 5000 => byte(at - 5000),
                _ => b't',
            };
            wrong += usize::from(found != expected);
            at += 1;
        }
        // TCP needs its time between two reads, seconds if it has to probe the window; but not without end.
        idle = if read == 0 { idle + 1 } else { 0 };
        if idle > 20_000 || outcome.is_err() {
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
fn seventh_argument(checks: &mut Checks, pair: Pair, file: &OwnedFd) {
    for (name, flags, waits) in
        [("H4 SF_SYNC waits for the reader", SfFlags::SYNC, 1), ("H4 no flag does not", NONE, 0)]
    {
        let (sender, receiver) = pair();
        let reads = kernel::shared_bytes();
        let child = kernel::fork(60, || {
            kernel::sleep_milliseconds(1500);
            // SAFETY: it is mapped and shared, and a byte cannot be torn.
            unsafe { reads.write_volatile(1) };
            let mut buffer = [0; 4096];
            let mut left = 4096;
            while left > 0 {
                match kernel::read(&receiver, &mut buffer) {
                    0 => break,
                    read => left -= read,
                }
            }
        });
        // The child's copy is the only one, so that the bytes are let go of when it ends.
        drop(receiver);
        let sent = sendfile_native(&sender, file, 0, 4096, &[], &[], flags);
        // SAFETY: as above.
        let read = unsafe { reads.read_volatile() };
        checks.equal(name, (sent, read), (Moved { bytes: 4096, error: None }, waits));
        kernel::wait(child);
    }
}

fn no_reader(checks: &mut Checks, pair: Pair, file: &OwnedFd) {
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
    let ((outcome, bytes), _) = all(sent);
    let gone = matches!(outcome, Err(Error::Errno(Errno::EPIPE | Errno::ECONNRESET | Errno::ENOTCONN)));
    checks.equal("nobody reads, second form", (gone, bytes), (true, 0));
}

/// H6, with the numbers as they are.
fn errors(checks: &mut Checks, file: &OwnedFd) {
    // SAFETY: it is not open, which is the point, and stays so in this process of one thread.
    let bad = unsafe { BorrowedFd::borrow_raw(999) };
    let (sender, receiver) = match kernel::socket_pair(SOCK_STREAM) {
        Ok(pair) => pair,
        Err(errno) => return checks.skip("errors", errno),
    };
    let sockets = [("H6 no such file", sender.as_fd(), bad, 9), ("H6 no such socket", bad, file.as_fd(), 9)];
    refused(checks, &sockets);
    refused(checks, &[("H6 a file as the output", file.as_fd(), file.as_fd(), 38)]);
    refused(checks, &[("H6 a socket as the file", sender.as_fd(), receiver.as_fd(), 22)]);
    match kernel::open(c"/") {
        Ok(root) => {
            refused(checks, &[("H6 a directory as the output", root.as_fd(), file.as_fd(), 38)]);
            refused(checks, &[("H6 a directory as the file", sender.as_fd(), root.as_fd(), 22)]);
        }
        Err(errno) => checks.skip("a directory", errno),
    }
    match kernel::tcp_socket() {
        Ok(socket) => refused(checks, &[("not connected", socket.as_fd(), file.as_fd(), 57)]),
        Err(errno) => checks.skip("not connected", errno),
    }
    match kernel::socket_pair(SOCK_DGRAM) {
        Ok((datagrams, _other)) => {
            refused(checks, &[("C5 a datagram socket", datagrams.as_fd(), file.as_fd(), 22)]);
            let found = sendfile_hdtr(&datagrams, file, 0, 1, &[], &[], NONE).bytes();
            checks.equal("C20 datagrams are refused before a byte", found, Err(Error::NotAStream(SOCK_DGRAM as u32)));
        }
        Err(errno) => checks.skip("datagrams", errno),
    }
}

/// Output, input, and the number of the error that both forms must give.
fn refused(checks: &mut Checks, cases: &[(&str, BorrowedFd<'_>, BorrowedFd<'_>, i32)]) {
    for &(name, out_fd, in_fd, errno) in cases {
        let found = sendfile_native(out_fd, in_fd, 0, 1, &[], &[], NONE);
        checks.equal(name, (found.bytes, found.error.map(Errno::raw_os_error)), (0, Some(errno)));
        let mut offset = 0;
        let found = sendfile(out_fd, in_fd, Some(&mut offset), 1);
        checks.equal(name, (found.map_err(Errno::raw_os_error), offset), (Err(errno), 0));
    }
}

/// C5: what is in shared memory can be sent, too.
fn shared_memory(checks: &mut Checks) {
    match (kernel::shared_memory(), kernel::socket_pair(SOCK_STREAM)) {
        (Ok(memory), Ok((sender, receiver))) if kernel::write(&memory, b"shared memory") => {
            let mut offset = 7;
            checks.equal("C5 shared memory", sendfile(&sender, &memory, Some(&mut offset), 100), Ok(6));
            checks.received("C5 shared memory: bytes", &receiver, &[b"memory"]);
        }
        (Err(errno), _) | (_, Err(errno)) => checks.skip("shared memory", errno),
        _ => checks.skip("shared memory", 0),
    }
}

/// Capsicum: the rights that a transfer needs, and no byte without them.
fn rights(checks: &mut Checks, pair: Pair, file: &OwnedFd) {
    use kernel::{CAP_GETSOCKOPT, CAP_PREAD, CAP_SETSOCKOPT, CAP_WRITE, limit_rights};

    const ENOTCAPABLE: i32 = 93;
    let (headers, trailers) = ([IoSlice::new(b"header")], [IoSlice::new(b"trail")]);
    let enough = CAP_WRITE | CAP_GETSOCKOPT | CAP_SETSOCKOPT;
    for (name, of_socket, of_file, fits) in [
        ("H12 Capsicum: CAP_SEND, CAP_GETSOCKOPT, CAP_SETSOCKOPT; CAP_PREAD", enough, CAP_PREAD, true),
        ("H12 Capsicum: CAP_SEND alone", CAP_WRITE, CAP_PREAD, false),
        ("H12 Capsicum: a file without CAP_PREAD", enough, CAP_GETSOCKOPT, false),
    ] {
        let ((sender, receiver), file) = (pair(), kernel::duplicate(file));
        if let Err(errno) = limit_rights(&sender, of_socket).and_then(|()| limit_rights(&file, of_file)) {
            return checks.skip("H12 Capsicum", errno);
        }
        let sent = all(sendfile_hdtr(&sender, &file, 0, 3, &headers, &trailers, NONE)).0;
        let refused = Error::Errno(Errno::from_raw_os_error(ENOTCAPABLE).unwrap_or(Errno::EINVAL));
        checks.equal(name, sent, if fits { (Ok(()), 14) } else { (Err(refused), 0) });
        if fits {
            checks.received("H12 Capsicum: bytes", &receiver, &[b"header", &[byte(0), byte(1), byte(2)], b"trail"]);
        }
    }
}

/// Options of TCP are as they were.
fn options(checks: &mut Checks, pair: Pair, file: &OwnedFd) {
    const TCP_NODELAY: usize = 1;
    const TCP_NOPUSH: usize = 4;
    let (sender, receiver) = pair();
    let (headers, trailers) = ([IoSlice::new(b"header")], [IoSlice::new(b"trail")]);
    for _ in 0..3 {
        let sent = sendfile_hdtr(&sender, file, 0, 3, &headers, &trailers, NONE);
        checks.equal("C18 sent", sent.bytes(), Ok(14));
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
