//! The flags of FreeBSD and macOS. FreeBSD's kernel accepts them itself. macOS's accepts none.

use super::super::os::TAKES_FLAGS;
use crate::flags::{FlagsReport, SfFlags};

/// The flags of one send.
pub(crate) struct Hints {
    flags: SfFlags,
}

impl Hints {
    /// `flags` has no unknown bits.
    pub(crate) fn new(flags: SfFlags, _start: u64) -> Self {
        Self { flags }
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
