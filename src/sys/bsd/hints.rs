//! What becomes of the flags where the kernel takes them itself, as FreeBSD's does, or takes none, as macOS's.

use super::super::TAKES_FLAGS;
use crate::errno::Result;
use crate::fd::BorrowedFd;
use crate::flags::{FlagsReport, SfFlags};

/// The flags of one send.
pub(crate) struct Hints {
    flags: SfFlags,
}

impl Hints {
    /// `flags` holds no unknown bits.
    pub(crate) fn new(flags: SfFlags, _start: u64) -> Self {
        Self { flags }
    }

    /// The kernel reads ahead by itself.
    pub(crate) fn read_ahead(&mut self, _in: BorrowedFd<'_>) {}

    /// Returns how many of the `count` bytes the next step may send: all, as the kernel decides.
    pub(crate) fn before_step(&mut self, _in: BorrowedFd<'_>, _offset: u64, count: usize) -> Result<usize> {
        Ok(count)
    }

    /// Whether the output may be corked. With `SYNC` the call would wait for pages of which the cork holds the last.
    pub(crate) fn may_cork(&self) -> bool {
        self.native() & SfFlags::SYNC.bits() == 0
    }

    /// Returns the flags for the kernel.
    pub(crate) fn native(&self) -> u32 {
        if TAKES_FLAGS { self.flags.bits() } else { 0 }
    }

    pub(crate) fn report(&self) -> FlagsReport {
        let flags = self.flags.without_readahead();
        let honoured = if TAKES_FLAGS { flags.difference(SfFlags::MNOWAIT) } else { SfFlags::empty() };
        FlagsReport { honoured, ignored: flags.difference(honoured), ..FlagsReport::default() }
    }
}
