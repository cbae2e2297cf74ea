//! Random responses, and the bytes that they are made of.

use std::fs::File;
use std::ops::Range;
use std::sync::LazyLock;

use bare_sendfile::{Count, Errno, Error, IoSlice, Output};
use fastrand::Rng;

use super::common::fd;
use super::drive::{Driver, Pause, Response, drive};

/// Length of the file.
const FILE: usize = 4 << 20;
/// The most bytes of a head or a trailer.
const HEAD: usize = 40 << 10;
const PAGE: usize = 4096;

/// The file, and behind it the heads and trailers. All places differ.
static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut bytes = vec![0; FILE + 2 * HEAD];
    Rng::with_seed(0).fill(&mut bytes);
    bytes
});

/// What the file has.
pub(crate) fn file() -> &'static [u8] {
    &BYTES[..FILE]
}

/// One response, and who sends it how.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    driver: Driver,
    head: usize,
    /// In how many slices.
    head_slices: usize,
    offset: u64,
    count: Count,
    /// Bytes of the file that are there.
    there: usize,
    trailer: usize,
    /// Length of the lent buffer.
    buffer: usize,
    copying: bool,
    cap: Option<usize>,
    /// Of one `poll_send`.
    budget: Option<usize>,
    /// The caller's word is given for what the output is.
    word: bool,
}

impl Case {
    pub(crate) fn random(rng: &mut Rng) -> Self {
        let there = match rng.u8(..16) {
            0..2 => 0,
            2..5 => rng.usize(1..10_000),
            // About the 16 pages that sendfile moves at once.
            5..11 => rng.usize(40_000..140_000),
            _ => between(rng, 10_000, 3 << 20),
        };
        let mut offset = rng.usize(..FILE - there);
        if rng.u8(..3) == 0 {
            offset -= offset % PAGE;
        }
        let (count, there, offset) = match rng.u8(..10) {
            // To the end, of nothing at times.
            0..2 => (None, there, FILE - there),
            // The file is shorter than it was: truncated, or vanished.
            2 => (Some(there + between(rng, 1, 3 << 20)), there, FILE - there),
            _ => (Some(there), there, offset),
        };
        let head = match rng.u8(..8) {
            0..2 => 0,
            2..6 => rng.usize(1..1000),
            _ => between(rng, 1000, HEAD),
        };
        let trailer = match rng.u8(..8) {
            0..5 => 0,
            5..7 => rng.usize(1..1000),
            _ => between(rng, 1000, HEAD),
        };
        let steps = rng.usize(1..8);
        let buffer = if rng.bool() { 0 } else { *rng.choice([&1, &150, &4096, &16_384, &65_536, &300_000]).unwrap() };
        Self {
            driver: match rng.u8(..14) {
                0..2 => Driver::Hdtr,
                2 => Driver::HdtrAll,
                3..5 => Driver::SendAll,
                5..8 => Driver::PollSend,
                8..10 => Driver::Steps,
                10 => Driver::Left(steps),
                11..13 => Driver::Dropped(steps),
                _ => Driver::DroppedPoll(steps),
            },
            head,
            head_slices: *rng.choice([&1, &2, &7, &1100]).unwrap(),
            offset: offset as u64,
            count: count.map_or(Count::ToEnd, |bytes| Count::Bytes(bytes as u64)),
            there,
            trailer,
            // A byte at a time makes no end of a large file.
            buffer: if there > 3000 * buffer { buffer * 4096 } else { buffer },
            copying: buffer > 0 && rng.u8(..4) == 0,
            cap: match rng.u8(..8) {
                0 => Some(between(rng, 1 + there / 3000, 100_000)),
                1 => Some(between(rng, 10_000, 1 << 20)),
                _ => None,
            },
            budget: (rng.u8(..3) == 0).then(|| between(rng, 10_000, 1 << 20)),
            word: rng.bool(),
        }
    }

    /// The same with writes of at most so many bytes.
    pub(crate) fn with_writes(mut self, most: usize) -> Self {
        self.buffer = self.buffer.min(most);
        self
    }

    fn headers(&self) -> Vec<IoSlice<'static>> {
        let bytes = &BYTES[FILE..][..self.head];
        bytes.chunks(self.head.div_ceil(self.head_slices).max(1)).map(IoSlice::new).collect()
    }

    fn trailers(&self) -> Vec<IoSlice<'static>> {
        vec![IoSlice::new(&BYTES[FILE + HEAD..][..self.trailer])]
    }

    fn range(&self) -> Range<usize> {
        self.offset as usize..self.offset as usize + self.there
    }

    /// How much of the file is missing.
    fn owed(&self) -> u64 {
        match self.count {
            Count::Bytes(count) => count - self.there as u64,
            Count::ToEnd => 0,
        }
    }

    /// All that is to go out: trailers only behind a complete file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        [&BYTES[FILE..][..self.head], &file()[self.range()], &BYTES[FILE + HEAD..][..self.trailer_sent()]].concat()
    }

    fn len(&self) -> u64 {
        (self.head + self.there + self.trailer_sent()) as u64
    }

    fn trailer_sent(&self) -> usize {
        if self.owed() > 0 { 0 } else { self.trailer }
    }

    /// Sends it by its driver; how many bytes were counted as sent.
    pub(crate) fn send(&self, out: &File, input: &File, nodelay: bool, pause: &mut dyn FnMut(u64, Pause)) -> u64 {
        let &Self { driver, offset, count, buffer, copying, cap, budget, .. } = self;
        let (headers, trailers) = (&self.headers()[..], &self.trailers()[..]);
        let output = self.word.then(|| match Output::of(fd(out)).unwrap() {
            Output::Tcp if nodelay => Output::TcpNoDelay,
            output => output,
        });
        let response = Response { driver, offset, count, headers, trailers, buffer, copying, cap, budget, output };
        let (outcome, sent) = drive(&response, out, input, pause);
        let all = sent == self.len();
        let left = matches!(driver, Driver::Left(_) | Driver::Dropped(_) | Driver::DroppedPoll(_));
        let fits = match outcome {
            Ok(()) => all && self.owed() == 0 || left,
            Err(Error::Truncated { owed }) => all && owed == self.owed() && owed > 0,
            // After the others it goes on.
            Err(Error::Errno(Errno::EAGAIN)) => left || matches!(driver, Driver::Hdtr | Driver::HdtrAll),
            Err(_) => false,
        };
        assert!(fits, "{outcome:?}, {sent} bytes: {self:?}");
        sent
    }
}

/// Small numbers are as likely as large ones.
pub(crate) fn between(rng: &mut Rng, least: usize, most: usize) -> usize {
    let (least, most) = ((least as f64).ln(), (most as f64).ln());
    (least + rng.f64() * (most - least)).exp() as usize
}
