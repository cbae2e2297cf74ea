//! Random responses, and the bytes that they are made of.

use std::ops::Range;
use std::sync::LazyLock;

use bare_sendfile::{Count, Error, IoSlice};
use fastrand::Rng;

use super::drive::{self, Driver};

/// Length of the file.
const FILE: usize = 4 << 20;
/// The most bytes of a head or a trailer.
const HEAD: usize = 40 << 10;
const PAGE: usize = 4096;

/// The file, and behind it the heads and trailers: no two places of it are alike.
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
    pub(crate) driver: Driver,
    head: usize,
    /// In how many slices.
    head_slices: usize,
    pub(crate) offset: u64,
    pub(crate) count: Count,
    /// Bytes of the file that are there.
    there: usize,
    trailer: usize,
    /// Length of the lent buffer.
    pub(crate) buffer: usize,
    pub(crate) copying: bool,
    pub(crate) cap: Option<usize>,
    /// Of one `poll_send`.
    pub(crate) budget: Option<usize>,
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
            driver: match rng.u8(..12) {
                0..3 => Driver::Hdtr,
                3..5 => Driver::SendAll,
                5..8 => Driver::PollSend,
                8..10 => Driver::Steps,
                10 => Driver::Left(steps),
                _ => Driver::Dropped(steps),
            },
            head,
            head_slices: *rng.choice([&1, &2, &7, &1100]).unwrap(),
            offset: offset as u64,
            count: drive::count(count.map(|bytes| bytes as u64)),
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
        }
    }

    pub(crate) fn headers(&self) -> Vec<IoSlice<'static>> {
        let bytes = &BYTES[FILE..][..self.head];
        bytes.chunks(self.head.div_ceil(self.head_slices).max(1)).map(IoSlice::new).collect()
    }

    pub(crate) fn trailers(&self) -> Vec<IoSlice<'static>> {
        vec![IoSlice::new(&BYTES[FILE + HEAD..][..self.trailer])]
    }

    fn range(&self) -> Range<usize> {
        self.offset as usize..self.offset as usize + self.there
    }

    /// How much of the file is missing.
    pub(crate) fn owed(&self) -> u64 {
        match self.count {
            Count::Bytes(count) => count - self.there as u64,
            Count::ToEnd => 0,
        }
    }

    /// All that is to go out: trailers only behind a complete file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let trailer = if self.owed() > 0 { 0 } else { self.trailer };
        [&BYTES[FILE..][..self.head], &file()[self.range()], &BYTES[FILE + HEAD..][..trailer]].concat()
    }

    /// What a driver said fits what there was to send.
    pub(crate) fn check(&self, outcome: Result<(), Error>, sent: u64) {
        assert!(drive::allowed(self, outcome, sent), "{outcome:?}, {sent} bytes: {self:?}");
    }
}

/// Small numbers are as likely as large ones.
pub(crate) fn between(rng: &mut Rng, least: usize, most: usize) -> usize {
    let (least, most) = ((least as f64).ln(), (most as f64).ln());
    (least + rng.f64() * (most - least)).exp() as usize
}
