//! The flags of the second form, and the report of their effect.

bitflags::bitflags! {
    /// The `flags` of FreeBSD's sendfile(2), with its numbers.
    ///
    /// The upper 16 bits are a number of pages to read ahead, FreeBSD's `SF_FLAGS(readahead, flags)`: see
    /// [`with_readahead`](Self::with_readahead).
    ///
    /// Linux has no such flags. There [`sendfile_hdtr`](crate::sendfile_hdtr) does the nearest thing, and reports it in a [`FlagsReport`]:
    ///
    /// | flag | on Linux | reported as |
    /// |---|---|---|
    /// | `NODISKIO` | looks each page up in the page cache by preadv2(2) with `RWF_NOWAIT` before it is sent. If the next page is not there, the error is `EBUSY` (on Linux 5.10 also at the end of a file whose last page is full). The page may leave the cache in between. | approximated; ignored if the file system does not support the question (memfd, procfs: `EOPNOTSUPP`) |
    /// | `MNOWAIT` | nothing: obsolete on FreeBSD too | ignored |
    /// | `SYNC` | nothing: no call reports when the pages are no longer referenced | ignored |
    /// | `USER_READAHEAD` | posix_fadvise(2) with `POSIX_FADV_WILLNEED` on that many pages of 4096 bytes from the offset on | approximated; ignored with 0 pages |
    /// | `NOCACHE` | posix_fadvise(2) with `POSIX_FADV_DONTNEED` on the pages of earlier steps, on each page twice at most. Pages that still wait in a socket stay. | approximated if there was an earlier step, else ignored |
    ///
    /// On FreeBSD the kernel accepts the flags, and all except `MNOWAIT` are reported as honoured. The kernel of macOS refuses every flag, so
    /// all are ignored there.
    ///
    /// # References
    /// - [FreeBSD sendfile(2)](https://man.freebsd.org/cgi/man.cgi?query=sendfile&sektion=2)
    /// - [os.SF_NODISKIO](https://docs.python.org/3/library/os.html#os.SF_NODISKIO)
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct SfFlags: u32 {
        /// `SF_NODISKIO`: fail with `EBUSY` rather than wait for the disk.
        const NODISKIO = 0x01;
        /// `SF_MNOWAIT`: obsolete.
        const MNOWAIT = 0x02;
        /// `SF_SYNC`: return only when the file's pages are no longer referenced. That is when the peer has acknowledged (TCP) or read
        /// (Unix sockets) them.
        ///
        /// On FreeBSD a **nonblocking socket waits for that as well**, without limit, so use the flag on blocking sockets. The transfer sets no
        /// cork with it, so trailers go in segments of their own. If you have set `TCP_NOPUSH` yourself, each call waits 5 s, because the
        /// option holds back the end of a page. FreeBSD 15 logs a warning, and 16 is to be without the flag.
        const SYNC = 0x04;
        /// `SF_USER_READAHEAD`: read ahead exactly the number of pages given.
        const USER_READAHEAD = 0x08;
        /// `SF_NOCACHE`: do not keep sent pages in the cache.
        const NOCACHE = 0x10;

        // The kernel defines the flags and may define more: https://docs.rs/bitflags/2/bitflags/#externally-defined-flags
        const _ = !0;
    }
}

impl SfFlags {
    /// The lowest bit of the number of pages.
    const READAHEAD_SHIFT: u32 = 16;

    /// The largest number of pages. FreeBSD reads it from the upper half of a signed integer.
    pub const MAX_READAHEAD: u16 = 0x7fff;

    /// Returns the same flags with `pages` to read ahead, or `None` above [`MAX_READAHEAD`](Self::MAX_READAHEAD).
    ///
    /// On FreeBSD the number has an effect only together with [`USER_READAHEAD`](Self::USER_READAHEAD).
    pub const fn with_readahead(self, pages: u16) -> Option<Self> {
        if pages > Self::MAX_READAHEAD {
            return None;
        }
        Some(Self::from_bits_retain(self.without_readahead().bits() | (pages as u32) << Self::READAHEAD_SHIFT))
    }

    /// Returns how many pages to read ahead.
    pub const fn readahead(self) -> u16 {
        (self.bits() >> Self::READAHEAD_SHIFT) as u16
    }

    /// Returns the unknown bits, and a number of pages that is negative on FreeBSD.
    pub(crate) fn unknown(self) -> Option<u32> {
        let known = Self::NODISKIO | Self::MNOWAIT | Self::SYNC | Self::USER_READAHEAD | Self::NOCACHE;
        let known = known.bits() | (Self::MAX_READAHEAD as u32) << Self::READAHEAD_SHIFT;
        let unknown = self.bits() & !known;
        (unknown != 0).then_some(unknown)
    }

    /// Returns the flags without the number of pages.
    pub(crate) const fn without_readahead(self) -> Self {
        Self::from_bits_retain(self.bits() & ((1 << Self::READAHEAD_SHIFT) - 1))
    }
}

/// The effect of the flags. Each flag that was given is in exactly one of the three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlagsReport {
    /// Flags that did what FreeBSD documents.
    pub honoured: SfFlags,
    /// Flags for which the nearest thing was done.
    pub approximated: SfFlags,
    /// Flags that had no effect.
    pub ignored: SfFlags,
}
