//! FreeBSD's flags on Linux, as far as Linux can approximate them.

use super::{Advice, BorrowedFd, Errno, Result, fadvise, read_cached_byte};
use crate::flags::{FlagsReport, SfFlags};

/// The unit of lookups in the page cache. Larger pages are only looked up more often than needed.
const PAGE: u64 = 4096;
/// The pages that are looked up before a call. Each costs a system call.
const LOOK_AHEAD: u64 = 16;

/// The flags of one send, and their effect.
pub(crate) struct Hints {
    flags: SfFlags,
    /// The flags for which something was done. The others are ignored, and none is honoured.
    approximated: SfFlags,
    /// Whether the file does not support lookups in the cache.
    cannot_tell: bool,
    /// The offset at which the send starts.
    start: u64,
    /// The offsets of the last step, and of the step before it.
    last: u64,
    before: u64,
}

impl Hints {
    /// `flags` has no unknown bits. A flag counts as ignored until something is done for it.
    pub(crate) fn new(flags: SfFlags, start: u64) -> Self {
        Self { flags, approximated: SfFlags::empty(), cannot_tell: false, start, last: start, before: start }
    }

    pub(crate) fn report(&self) -> FlagsReport {
        let ignored = self.flags.without_readahead().difference(self.approximated);
        FlagsReport { honoured: SfFlags::empty(), approximated: self.approximated, ignored }
    }

    /// Handles `USER_READAHEAD`, before anything is sent.
    pub(crate) fn read_ahead(&mut self, in_fd: BorrowedFd<'_>) {
        let len = u64::from(self.flags.readahead()) * PAGE;
        if self.flags.contains(SfFlags::USER_READAHEAD)
            && len > 0
            && fadvise(in_fd, self.start, len, Advice::WillNeed).is_ok()
        {
            self.approximated.insert(SfFlags::USER_READAHEAD);
        }
    }

    /// Does the work of the flags before a step. Returns how many of the `count` bytes at `offset` it may send, or fails with `EBUSY`.
    pub(crate) fn before_step(&mut self, in_fd: BorrowedFd<'_>, offset: u64, count: usize) -> Result<usize> {
        let count = self.cached(in_fd, offset, count)?;
        self.drop_cache(in_fd, offset);
        Ok(count)
    }

    /// Whether the output may be corked: under every flag.
    pub(crate) fn may_cork(&self) -> bool {
        true
    }

    /// Returns the flags for the kernel, which accepts none.
    pub(crate) fn native(&self) -> u32 {
        0
    }

    /// Handles `NODISKIO`. Returns how many of the `count` bytes at `offset` can be sent without waiting for the disk.
    fn cached(&mut self, in_fd: BorrowedFd<'_>, offset: u64, count: usize) -> Result<usize> {
        if self.cannot_tell || !self.flags.contains(SfFlags::NODISKIO) {
            return Ok(count);
        }
        let page = offset / PAGE * PAGE;
        for ahead in 0..LOOK_AHEAD {
            let at = offset.max(page + ahead * PAGE);
            let before = (at - offset) as usize;
            if before >= count {
                return Ok(count);
            }
            match read_cached_byte(in_fd, at) {
                Ok(1) => self.approximated.insert(SfFlags::NODISKIO),
                Ok(_) => return Ok(count), // past the end; sendfile will find it
                Err(Errno::EAGAIN) => {
                    self.approximated.insert(SfFlags::NODISKIO);
                    return if before == 0 { Err(Errno::EBUSY) } else { Ok(before) };
                }
                Err(_) => {
                    self.cannot_tell = true;
                    self.approximated.remove(SfFlags::NODISKIO);
                    return Ok(count);
                }
            }
        }
        Ok(count.min((page + LOOK_AHEAD * PAGE - offset) as usize))
    }

    /// Handles `NOCACHE`, between two steps: a step has sent the bytes before `offset`. The pages of the last two steps are dropped, because some of the
    /// older one's may have waited in the socket the first time. Dropping everything each time would cost the square of the length.
    fn drop_cache(&mut self, in_fd: BorrowedFd<'_>, offset: u64) {
        let (from, len) = (self.before, offset.saturating_sub(self.before));
        (self.before, self.last) = (self.last, offset);
        if self.flags.contains(SfFlags::NOCACHE)
            && len > 0 // the kernel takes 0 for "to the end"
            && fadvise(in_fd, from, len, Advice::DontNeed).is_ok()
        {
            self.approximated.insert(SfFlags::NOCACHE);
        }
    }
}
