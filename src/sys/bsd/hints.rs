//! What becomes of the flags where the kernel takes them itself, as FreeBSD's does, or takes none, as macOS's.

use super::super::os::TAKES_FLAGS;
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

    /// What goes to the kernel.
    pub(crate) fn native(&self) -> u32 {
        if TAKES_FLAGS { self.flags.bits() } else { 0 }
    }

    pub(crate) fn report(&self) -> FlagsReport {
        let flags = self.flags.without_readahead();
        let honoured = if TAKES_FLAGS { flags.difference(SfFlags::MNOWAIT) } else { SfFlags::empty() };
        FlagsReport { honoured, ignored: flags.difference(honoured), ..FlagsReport::default() }
    }
}
