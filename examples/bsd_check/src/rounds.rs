//! Sends to a process that reads all, by the clock: what waits for what the sender itself holds back shows as seconds.

use core::fmt::{self, Debug};

use bare_sendfile::fd::OwnedFd;
use bare_sendfile::{Count, Errno, Error, IoSlice, SfFlags, Status, Transfer, sendfile_hdtr};

use crate::kernel::{self, say};
use crate::{Checks, FOLDERS, NONE, Pair, SIZE, byte, temporary};

/// Milliseconds: the persist timer of TCP is 5 seconds.
const STALL: i64 = 4000;
/// An acknowledgement that the receiver puts off. A small buffer can have to wait for one each time that half of it is sent.
const DELAYED: i64 = 100;
/// The longest headers and trailers.
const LONGEST: usize = 40_000;
static HEADERS: [u8; LONGEST] = [b'h'; LONGEST];
static TRAILERS: [u8; LONGEST] = [b't'; LONGEST];

/// What is sent, and how.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// 0 for what it is.
    buffer: i32,
    nonblocking: bool,
    headers: usize,
    offset: usize,
    count: Count,
    trailers: usize,
    copying: bool,
    flags: SfFlags,
}

const ROUND: Round = Round {
    buffer: 0,
    nonblocking: false,
    headers: 0,
    offset: 0,
    count: Count::Bytes(0),
    trailers: 0,
    copying: false,
    flags: NONE,
};

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Outcome {
    sent: Result<(), Error>,
    bytes: usize,
    received: usize,
    wrong: usize,
    /// The error of the reader's last read, 0 for the end of the stream.
    end: i32,
    /// The error that the sender's socket kept.
    kept: i32,
    milliseconds: i64,
}

impl Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, bytes, received, wrong, end, kept, milliseconds } = self;
        write!(f, "{sent:?}, {bytes} bytes in {milliseconds} ms, {received} received, {wrong} wrong, ")?;
        write!(f, "reader's error {end}, kept error {kept}")
    }
}

/// Words that the reader tells its sender.
#[derive(Clone, Copy)]
struct Told(*mut [u64; 3]);

impl Told {
    fn new() -> Self {
        Self(kernel::shared_bytes().cast())
    }

    fn set(self, words: [u64; 3]) {
        // SAFETY: it is mapped, aligned and shared, and each word is written whole.
        unsafe { self.0.write_volatile(words) };
    }

    fn get(self) -> [u64; 3] {
        // SAFETY: as above.
        unsafe { self.0.read_volatile() }
    }
}

impl Round {
    /// Byte `at` of all that is sent.
    fn byte(&self, at: usize) -> u8 {
        let file = match self.count {
            Count::Bytes(count) => count as usize,
            Count::ToEnd => SIZE - self.offset,
        };
        match at.checked_sub(self.headers) {
            None => b'h',
            Some(at) if at < file => byte(self.offset + at),
            Some(_) => b't',
        }
    }

    /// How many there are.
    fn len(&self) -> usize {
        let file = match self.count {
            Count::Bytes(count) => count as usize,
            Count::ToEnd => SIZE - self.offset,
        };
        self.headers + file + self.trailers
    }

    /// What nothing takes that does not stall, however slow the machine is.
    fn limit(&self) -> i64 {
        let halves = if self.buffer == 0 { 0 } else { 2 * self.len() as i64 / i64::from(self.buffer) };
        STALL + DELAYED * halves
    }

    /// Reads to the end, and tells what came.
    fn read(&self, receiver: &OwnedFd, told: Told, right: fn(&Self, usize, u8) -> bool) {
        let (mut buffer, mut received, mut wrong) = ([0; 4096], 0, 0);
        let end = loop {
            match kernel::read_or_error(receiver, &mut buffer) {
                Ok(0) => break 0,
                Ok(read) => {
                    for &found in &buffer[..read] {
                        wrong += u64::from(!right(self, received, found));
                        received += 1;
                    }
                    told.set([received as u64, wrong, 0]);
                }
                Err(errno) => break errno,
            }
        };
        told.set([received as u64, wrong, end as u64]);
    }

    fn send(&self, sender: &OwnedFd, file: &OwnedFd) -> (Result<(), Error>, usize) {
        let headers = [IoSlice::new(&HEADERS[..self.headers])];
        let trailers = [IoSlice::new(&TRAILERS[..self.trailers])];
        if self.flags != NONE {
            let sent = sendfile_hdtr(sender, file, self.offset as u64, self.count, &headers, &trailers, self.flags);
            let (report, outcome) = sent.into_parts();
            return (outcome, report.progress.total() as usize);
        }
        let mut lent = [0; 3000];
        let lent = if self.copying { &mut lent[..] } else { &mut [] };
        let mut transfer = match Transfer::new(self.offset as u64, self.count, &headers, &trailers) {
            Ok(transfer) if self.copying => transfer.copying(),
            Ok(transfer) => transfer,
            Err(error) => return (Err(error), 0),
        };
        let outcome = if self.nonblocking {
            let mut waited = 0;
            loop {
                match transfer.poll_send(sender, file, &headers, &trailers, lent) {
                    Ok(Status::Done) => break Ok(()),
                    Err(error) => break Err(error),
                    Ok(_) if waited > 10_000 => break Err(Error::Errno(Errno::EAGAIN)),
                    Ok(_) => kernel::sleep_milliseconds(1),
                }
                waited += 1;
            }
        } else {
            transfer.send_all(sender, file, &headers, &trailers, lent)
        };
        (outcome, transfer.progress().total() as usize)
    }

    /// Sends it to a reader. The time is that until the reader has all of it; the sender's socket is closed then.
    fn play(&self, pair: Pair, told: Told, file: &OwnedFd, right: fn(&Self, usize, u8) -> bool) -> Outcome {
        let (sender, receiver) = pair();
        if self.buffer > 0 {
            kernel::set_send_buffer(&sender, self.buffer);
        }
        if self.nonblocking {
            kernel::set_nonblocking(&sender);
        }
        told.set([0; 3]);
        let reader = kernel::fork(60, || {
            kernel::close_in_child(&sender);
            self.read(&receiver, told, right);
        });
        drop(receiver);
        let start = kernel::milliseconds();
        let (sent, bytes) = self.send(&sender, file);
        let mut kept = kernel::socket_error(&sender);
        // Nothing more comes over a connection that failed, and the error can be one that the socket no longer keeps.
        let failed = matches!(sent, Err(Error::Errno(_)));
        while !failed
            && kept == 0
            && (told.get()[0] as usize) < bytes
            && kernel::milliseconds() - start < 2 * self.limit()
        {
            kernel::sleep_milliseconds(1);
            kept = kernel::socket_error(&sender);
        }
        let milliseconds = kernel::milliseconds() - start;
        drop(sender);
        kernel::wait(reader);
        let [received, wrong, end] = told.get();
        Outcome { sent, bytes, received: received as usize, wrong: wrong as usize, end: end as i32, kept, milliseconds }
    }

    /// All of it has come, in time.
    fn check(&self, checks: &mut Checks, name: &str, pair: Pair, told: Told, file: &OwnedFd) {
        let found = self.play(pair, told, file, |round, at, found| found == round.byte(at));
        let len = self.len();
        let expected = Outcome { sent: Ok(()), bytes: len, received: len, wrong: 0, end: 0, kept: 0, ..found };
        let in_time = found.milliseconds < self.limit();
        checks.equal(name, (found, in_time), (expected, true));
        if found != expected || !in_time {
            say(format_args!("        {self:?}\n"));
        }
    }
}

/// H10: blocking calls on buffers of less than a segment, where the end of the file and the trailers are to share one.
pub fn small_buffers(checks: &mut Checks, pair: Pair, file: &OwnedFd) {
    let told = Told::new();
    for (name, count, trailers, copying) in [
        ("H10 a small buffer: trailers", Count::Bytes(30_000), 100, false),
        ("H10 a small buffer: no trailers", Count::Bytes(30_000), 0, false),
        ("H10 a small buffer: large trailers", Count::Bytes(30_000), 20_000, false),
        ("H10 a small buffer: to the end", Count::ToEnd, 100, false),
        ("H10 a small buffer: a copy", Count::Bytes(30_000), 100, true),
        ("H10 a small buffer: a copy to the end", Count::ToEnd, 100, true),
    ] {
        for buffer in [4096, 8192, 20_000] {
            let round = Round { buffer, offset: SIZE - 30_000, headers: 200, count, trailers, copying, ..ROUND };
            round.check(checks, name, pair, told, file);
        }
    }
    let round = Round { buffer: 49_152, count: Count::Bytes(330_000), trailers: 100, ..ROUND };
    round.check(checks, "H10 a buffer of three segments: trailers", pair, told, file);
}

/// H10: SF_SYNC waits for the pages, and nothing may hold back the last of them. (A nonblocking socket waits, too: docs/platforms.md.)
pub fn sync(checks: &mut Checks, pair: Pair, file: &OwnedFd) {
    let told = Told::new();
    for count in [100, 20_000] {
        let round = Round { headers: 200, count: Count::Bytes(count), trailers: 100, flags: SfFlags::SYNC, ..ROUND };
        round.check(checks, "H10 SF_SYNC with trailers", pair, told, file);
        let round = Round { nonblocking: true, ..round };
        round.check(checks, "H10 SF_SYNC on a nonblocking socket", pair, told, file);
    }
}

/// Sizes of all kinds; always the same ones.
pub fn random(checks: &mut Checks, pair: Pair, file: &OwnedFd) {
    let told = Told::new();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below
    };
    for _ in 0..ROUNDS {
        let longest = [1, 300, 5000, LONGEST][random(4)];
        let count = random(3 * longest);
        let to_end = random(3) == 0;
        let round = Round {
            buffer: [0, 4096, 8192, 30_000][random(4)],
            nonblocking: random(2) == 0,
            headers: random(longest),
            offset: if to_end { SIZE - count } else { random(SIZE - count) },
            count: if to_end { Count::ToEnd } else { Count::Bytes(count as u64) },
            trailers: random(longest),
            copying: random(3) == 0,
            flags: NONE,
        };
        round.check(checks, "random sizes", pair, told, file);
    }
}

/// Random rounds, and those of a file that changes its size.
const ROUNDS: usize = 40;

/// A file is cut and grows while it is sent. What counts as sent has to be what arrives, and trailers come behind a whole range alone.
/// The reader says how its stream ended, and the sender's socket what error it kept.
pub fn truncated_meanwhile(checks: &mut Checks, pair: Pair) {
    const LEN: usize = 200_000;
    // EIO, and what TCP's abort keeps for a moment before it: ECONNABORTED.
    const TORN: [i32; 2] = [5, 53];
    let Some(file) = FOLDERS.iter().find_map(|folder| temporary(folder, "changing").ok()) else {
        return checks.skip("a file that changes its size", 0);
    };
    let told = Told::new();
    let stop = kernel::shared_bytes();
    let other = kernel::fork(120, || {
        // SAFETY: it is mapped and shared, and a byte cannot be torn.
        while unsafe { stop.read_volatile() } == 0 {
            for len in [LEN, 0, 100_000, LEN, 4096, 150_001, LEN] {
                kernel::truncate(&file, len);
            }
        }
    });
    let (mut whole, mut cut, mut wrong, mut failed) = (0, 0, 0, 0);
    for _ in 0..ROUNDS {
        let round = Round { headers: 100, count: Count::Bytes(LEN as u64), trailers: 50, ..ROUND };
        // Of the file there are only zeros.
        let right = |round: &Round, at, found| match at {
            _ if at < round.headers => found == b'h',
            _ if at < round.headers + LEN => found == 0,
            _ => found == b't',
        };
        let found = round.play(pair, told, &file, right);
        let arrived = found.received == found.bytes && found.wrong == 0 && found.end == 0;
        let complete = found.sent != Ok(()) || found.bytes == round.headers + LEN + round.trailers;
        match found.sent {
            // A page was gone when it was to be read, and the connection is torn down (H11): told now, or kept for the next call.
            _ if TORN.contains(&found.kept) => failed += 1,
            Err(Error::Errno(errno)) if TORN.contains(&errno.raw_os_error()) => failed += 1,
            Ok(()) if arrived && complete => whole += 1,
            // `Stuck`: it was longer again whenever a read looked.
            Err(Error::Truncated { .. } | Error::Stuck) if arrived => cut += 1,
            _ => {
                wrong += 1;
                say(format_args!("        {found:?}\n"));
            }
        }
    }
    // SAFETY: as above.
    unsafe { stop.write_volatile(1) };
    kernel::wait(other);
    say(format_args!("        {whole} whole, {cut} cut short, {failed} torn down\n"));
    checks.equal("a file that changes its size: what counts as sent arrives", wrong, 0);
}
