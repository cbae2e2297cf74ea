//! FreeBSD's flags and what Linux makes of them: G of docs/semantics.md.
#![cfg(target_os = "linux")]

mod common;

use std::fs::File;
use std::io::{IoSliceMut, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use bare_sendfile::{Count, Errno, Error, FlagsReport, IoSlice, Progress, SfFlags};
use common::calls::{Call, seen};
use common::sent::{Sent, sendfile_hdtr};
use common::{SENDFILE, fd, file, memfd, not_checked, null, pattern};
use rustix::fs::{Advice, fadvise};
use rustix::io::ReadWriteFlags;

const ALL: SfFlags = SfFlags::NODISKIO
    .union(SfFlags::MNOWAIT)
    .union(SfFlags::SYNC)
    .union(SfFlags::USER_READAHEAD)
    .union(SfFlags::NOCACHE);

fn send(source: &File, offset: u64, count: impl Into<Count>, flags: SfFlags) -> Sent {
    let (headers, trailers) = ([IoSlice::new(b"headers")], [IoSlice::new(b"trailers")]);
    sendfile_hdtr(fd(&null()), fd(source), offset, count, &headers, &trailers, flags)
}

fn ignored(flags: SfFlags) -> FlagsReport {
    FlagsReport { ignored: flags, ..FlagsReport::default() }
}

fn approximated(flags: SfFlags) -> FlagsReport {
    FlagsReport { approximated: flags, ..FlagsReport::default() }
}

fn page_size() -> usize {
    // SAFETY: it has no preconditions.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

/// Which pages of the file are in the page cache.
fn resident(file: &File) -> Vec<bool> {
    let len = file.metadata().unwrap().len() as usize;
    let mut pages = vec![0_u8; len.div_ceil(page_size())];
    // SAFETY: a new mapping of the whole file, which nobody reads, is asked for its pages and unmapped again; `pages` has one
    // byte for each.
    unsafe {
        let map = libc::mmap(std::ptr::null_mut(), len, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0);
        assert_ne!(map, libc::MAP_FAILED);
        assert_eq!(libc::mincore(map, len, pages.as_mut_ptr()), 0);
        libc::munmap(map, len);
    }
    pages.iter().map(|page| page & 1 == 1).collect()
}

/// A file on a disk, and what is in it: of its pages the first `warm` are in the page cache, no others. `None`, said for the
/// caller, where the build directory is not on a disk (tmpfs) or its file system keeps no track (overlayfs).
#[track_caller]
fn disk_file(pages: usize, warm: usize) -> Option<(File, Vec<u8>)> {
    let bytes = pattern(pages * page_size());
    // The build directory may be elsewhere than where this runs.
    let mut file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).or_else(|_| tempfile::tempfile()).unwrap();
    file.write_all(&bytes).unwrap();
    file.sync_all().unwrap();
    fadvise(&file, 0, None, Advice::DontNeed).unwrap();
    fadvise(&file, 0, None, Advice::Random).unwrap(); // no reading ahead
    file.read_exact_at(&mut vec![0; warm * page_size()], 0).unwrap();
    let expected: Vec<_> = (0..pages).map(|page| page < warm).collect();
    if resident(&file) == expected {
        return Some((file, bytes));
    }
    not_checked("no pages leave the cache here: not a disk, or a file system that keeps no track");
    None
}

/// Whether the kernel can tell for this file if a byte is in the page cache.
fn can_tell(file: &File) -> bool {
    let mut byte = [0];
    match rustix::io::preadv2(file, &mut [IoSliceMut::new(&mut byte)], 0, ReadWriteFlags::NOWAIT) {
        Ok(_) | Err(rustix::io::Errno::AGAIN) => true,
        Err(_) => false,
    }
}

/// Whether the kernel tells the end of the file from a page that is not in the cache. Linux 5.10 does not where the last page is
/// full, or the file is empty.
fn tells_the_end(file: &File) -> bool {
    let end = file.metadata().unwrap().len();
    let looked = rustix::io::preadv2(file, &mut [IoSliceMut::new(&mut [0])], end, ReadWriteFlags::NOWAIT);
    looked != Err(rustix::io::Errno::AGAIN)
}

#[test]
fn g0_an_argument_that_is_refused_leaves_all_flags_ignored() {
    let sent = send(&file(b"file"), u64::MAX, 4, ALL);
    assert_eq!((sent.outcome, sent.flags), (Err(Error::TooLarge(u64::MAX)), ignored(ALL)));
}

#[test]
fn g0_unknown_bits_are_einval_before_any_byte() {
    let source = file(b"file");
    let (out, mut end) = UnixStream::pair().unwrap();
    let headers = [IoSlice::new(b"headers")];
    for bit in (5..16).chain([31]).map(|bit| 1 << bit) {
        for others in [SfFlags::empty(), ALL, ALL.with_readahead(SfFlags::MAX_READAHEAD).unwrap()] {
            let flags = SfFlags::from_bits_retain(others.bits() | bit);
            let sent = sendfile_hdtr(fd(&out), fd(&source), 0, 4, &headers, &[], flags);
            assert_eq!((sent.outcome, sent.total()), (Err(Error::UnknownFlags(bit)), 0), "{bit:#x}");
            assert_eq!(sent.flags, ignored(SfFlags::from_bits_retain(flags.bits() & 0xffff)), "{bit:#x}");
            assert_eq!(sent.outcome.unwrap_err().errno(), Errno::EINVAL);
        }
    }
    drop(out);
    assert_eq!(end.read(&mut [0]).unwrap(), 0);
}

#[test]
fn g0_the_upper_bits_are_pages_and_taken_off_first() {
    let source = file(b"file");
    for pages in [0, 1, 16, 0x7fff] {
        // Without USER_READAHEAD the number means nothing, and is not reported.
        let flags = SfFlags::empty().with_readahead(pages).unwrap();
        assert_eq!((flags.bits(), flags.readahead()), (u32::from(pages) << 16, pages));
        let sent = send(&source, 0, 4, flags);
        assert_eq!((sent.outcome, sent.flags), (Ok(()), FlagsReport::default()));

        let flags = ALL.with_readahead(5).unwrap().with_readahead(pages).unwrap();
        assert_eq!((flags.bits(), flags.readahead()), (u32::from(pages) << 16 | 0x1f, pages));
        assert_eq!(send(&source, 0, 4, flags).outcome, Ok(()));
    }
    // FreeBSD shifts a signed number.
    assert_eq!(SfFlags::empty().with_readahead(0x8000), None);
    assert_eq!(SfFlags::empty().with_readahead(u16::MAX), None);
    let negative = SfFlags::from_bits_retain(0x8001 << 16);
    assert_eq!(send(&source, 0, 4, negative).outcome, Err(Error::UnknownFlags(0x8000 << 16)));
}

#[test]
fn g0_the_numbers_are_freebsds() {
    assert_eq!(
        [SfFlags::NODISKIO, SfFlags::MNOWAIT, SfFlags::SYNC, SfFlags::USER_READAHEAD, SfFlags::NOCACHE]
            .map(|f| f.bits()),
        [1, 2, 4, 8, 0x10]
    );
}

#[test]
fn g0_each_flag_is_in_one_part_of_the_report() {
    let bytes = pattern(100_000);
    for bits in 0..=ALL.bits() {
        for pages in [0, 3] {
            // Files of its own for each: what NOCACHE has dropped, NODISKIO does not read.
            for source in [file(&bytes), memfd(100_000), File::open("/proc/version").unwrap(), file(b"")] {
                let flags = SfFlags::from_bits(bits).unwrap();
                let sent = send(&source, 0, Count::ToEnd, flags.with_readahead(pages).unwrap());
                let FlagsReport { honoured, approximated, ignored } = sent.flags;
                let busy = flags.contains(SfFlags::NODISKIO) && !tells_the_end(&source);
                assert_eq!(sent.outcome, if busy { Err(Errno::EBUSY.into()) } else { Ok(()) });
                assert_eq!(honoured | approximated | ignored, flags);
                assert!(honoured.is_empty(), "{honoured:?}");
                assert!((approximated & ignored).is_empty(), "{approximated:?} {ignored:?}");
                // Obsolete, and what no call can tell.
                assert!(!approximated.intersects(SfFlags::MNOWAIT | SfFlags::SYNC), "{approximated:?}");
            }
        }
    }
}

/// It is racy: the look itself may start to read. One look in a hundred that comes before the disk's answer is enough.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no preadv2")]
fn g1_nodiskio_sends_what_is_cached_and_is_ebusy_then() {
    let Some((cached, _)) = disk_file(1, 1) else { return };
    if !can_tell(&cached) {
        return not_checked("the file system does not know RWF_NOWAIT");
    }
    let page = page_size();
    // None, some, and more pages than are looked up for one step.
    for (warm, offset, before_the_disk) in [
        (0, 0, 0),
        (1, 0, page),
        (1, 100, page - 100),
        (5, page + 1, 4 * page - 1),
        (16, 9, 16 * page - 9),
        (20, 0, 20 * page),
        (20, 9, 20 * page - 9),
    ] {
        let mut busy = false;
        for _ in 0..100 {
            let Some((source, bytes)) = disk_file(40, warm) else { return };
            // It takes whatever comes: how much that is depends on the disk, and 40 pages fill a socket of a 32-bit processor.
            let mut out = memfd(0);
            let (headers, trailers) = ([IoSlice::new(b"headers")], [IoSlice::new(b"trailers")]);
            let sent = sendfile_hdtr(
                fd(&out),
                fd(&source),
                offset as u64,
                Count::ToEnd,
                &headers,
                &trailers,
                SfFlags::NODISKIO,
            );
            let mut received = Vec::new();
            out.rewind().unwrap();
            out.read_to_end(&mut received).unwrap();
            let file = sent.progress.file as usize;
            assert!(received.starts_with(&[b"headers", &bytes[offset..offset + file]].concat()));
            assert_eq!(sent.flags, approximated(SfFlags::NODISKIO));
            assert!(file >= before_the_disk, "{warm} pages, from {offset}: {file}");
            if sent.outcome == Err(Errno::EBUSY.into()) && file == before_the_disk {
                assert_eq!(sent.progress, Progress { headers: 7, file: file as u64, trailers: 0 });
                assert_eq!(received.len(), 7 + file);
                busy = true;
                break;
            }
        }
        assert!(busy, "{warm} pages, from {offset}");
    }
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no preadv2")]
fn g1_nodiskio_sends_all_of_a_file_that_is_cached() {
    let Some((source, bytes)) = disk_file(40, 40) else { return };
    let expected = if can_tell(&source) { approximated } else { ignored };
    let at_the_end = if tells_the_end(&source) { None } else { Some(Error::from(Errno::EBUSY)) };
    for (offset, count, file) in [
        (0, Count::ToEnd, bytes.len()),
        (0, Count::Bytes(bytes.len() as u64), bytes.len()),
        (1, Count::Bytes(1), 1),
        (page_size() as u64 - 1, Count::Bytes(2), 2),
        (bytes.len() as u64 - 1, Count::ToEnd, 1),
    ] {
        let sent = send(&source, offset, count, SfFlags::NODISKIO);
        let (outcome, trailers) = match at_the_end {
            Some(error) if count == Count::ToEnd => (Err(error), 0),
            _ => (Ok(()), 8),
        };
        assert_eq!((sent.outcome, sent.flags), (outcome, expected(SfFlags::NODISKIO)));
        assert_eq!(sent.progress, Progress { headers: 7, file: file as u64, trailers });
    }
    let too_many = send(&source, 0, bytes.len() as u64 + 1, SfFlags::NODISKIO);
    let outcome = Err(at_the_end.unwrap_or(Error::Truncated { owed: 1 }));
    assert_eq!((too_many.outcome, too_many.flags), (outcome, expected(SfFlags::NODISKIO)));
}

#[test]
fn g1_nodiskio_is_ignored_where_the_file_cannot_tell() {
    let memory = memfd(100_000);
    let version = File::open("/proc/version").unwrap();
    for source in [&memory, &version] {
        let expected = if can_tell(source) { approximated } else { ignored };
        let sent = send(source, 0, Count::ToEnd, SfFlags::NODISKIO);
        assert_eq!((sent.outcome, sent.flags), (Ok(()), expected(SfFlags::NODISKIO)));
        assert!(sent.progress.file > 0);
    }
    // Nothing was looked at.
    let sent = send(&memory, 0, 0, SfFlags::NODISKIO);
    assert_eq!((sent.outcome, sent.flags), (Ok(()), ignored(SfFlags::NODISKIO)));
    // What sendfile says stands.
    let sent = send(&File::open(".").unwrap(), 0, 1, SfFlags::NODISKIO);
    assert_eq!((sent.outcome, sent.progress.headers), (Err(Errno::EINVAL.into()), 7));
}

/// A file that can tell no longer: the flag is ignored, and approximated no more.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn g0_g1_nodiskio_stands_in_one_part_of_the_report() {
    for (page, report) in
        [(0, ignored(SfFlags::NODISKIO)), (2, ignored(SfFlags::NODISKIO)), (99, approximated(SfFlags::NODISKIO))]
    {
        let answer = |call: &Call| Some(if call.before < page { 1 } else { -i64::from(libc::EOPNOTSUPP) });
        let source = memfd(20 * 4096);
        let (sent, calls) = seen(&[libc::SYS_preadv2], answer, || send(&source, 0, 20 * 4096, SfFlags::NODISKIO));
        assert_eq!((sent.outcome, sent.flags), (Ok(()), report), "{page}");
        assert_eq!(calls.len(), 20.min(page + 1), "asked once more than it was told");
    }
}

/// Sixteen pages were asked for, so no more than these are counted.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no preadv2")]
fn d10_what_is_claimed_beyond_a_step_of_nodiskio_is_not_counted() {
    let source = memfd(20 * 4096);
    let answer = |call: &Call| Some(if call.number == SENDFILE { 20 * 4096 } else { 1 });
    let (sent, _) = seen(&[libc::SYS_preadv2, SENDFILE], answer, || send(&source, 0, 20 * 4096, SfFlags::NODISKIO));
    assert_eq!((sent.outcome, sent.progress.file), (Err(Error::Unasked), 16 * 4096));
}

#[test]
fn g2_nocache_drops_what_earlier_steps_sent() {
    let pages = (5 << 20) / page_size();
    let (second_step, third_step) = ((2 << 20) / page_size(), (4 << 20) / page_size());
    let cached = |flags| {
        let (source, bytes) = disk_file(pages, 0)?;
        fadvise(&source, 0, None, Advice::Normal).unwrap();
        let sent = send(&source, 0, Count::Bytes(bytes.len() as u64), flags);
        assert_eq!((sent.outcome, sent.progress.file), (Ok(()), bytes.len() as u64));
        Some((sent.flags, resident(&source)))
    };
    let Some((report, kept)) = cached(SfFlags::empty()) else { return };
    assert_eq!((report, kept), (FlagsReport::default(), vec![true; pages]));
    let Some((report, kept)) = cached(SfFlags::NOCACHE) else { return };
    assert_eq!(report, approximated(SfFlags::NOCACHE));
    assert!(!kept[..second_step].contains(&true), "the first of three steps");
    assert!(!kept[second_step..third_step].contains(&true), "the second");
    assert!(kept[third_step..].iter().all(|&kept| kept), "the last");
}

/// Sixteen pages are looked up for one step, not fewer: what the step before the last has sent leaves the cache.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no preadv2")]
fn g1_g2_nodiskio_sends_sixteen_pages_a_step() {
    if page_size() != 4096 {
        return not_checked("the library's unit is not the system's page");
    }
    let Some((source, bytes)) = disk_file(24, 24) else { return };
    let (cached, flags) = (can_tell(&source), SfFlags::NODISKIO | SfFlags::NOCACHE);
    let sent = send(&source, 0, Count::Bytes(bytes.len() as u64), flags);
    assert_eq!((sent.outcome, sent.progress.file), (Ok(()), bytes.len() as u64));
    if cached {
        assert_eq!(sent.flags, approximated(flags));
        assert_eq!(resident(&source), [vec![false; 16], vec![true; 8]].concat());
    } else {
        assert_eq!(sent.flags, ignored(flags));
    }
}

/// The work grows with the length, not with its square: no page is dropped more than twice, and none is left out.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn g2_nocache_drops_each_page_twice_at_most() {
    const STEP: u64 = 2 << 20;
    let (source, start, len) = (memfd(40 << 20), 5000, 16 * STEP);
    let mut dropped = [0; 16];
    let drop = |call: &Call| {
        let (from, bytes) = common::fadvised(&call.arguments);
        assert!(from >= start && from + bytes <= start + len && bytes > 0, "{from} {bytes}");
        for (index, times) in dropped.iter_mut().enumerate() {
            let step = start + index as u64 * STEP;
            *times += usize::from(from <= step && step + STEP <= from + bytes);
        }
        Some(0)
    };
    let (sent, calls) = seen(&[common::FADVISE], drop, || send(&source, start, Count::Bytes(len), SfFlags::NOCACHE));
    assert_eq!((sent.outcome, sent.flags), (Ok(()), approximated(SfFlags::NOCACHE)));
    // Each step but the first drops; what the last step sent nobody does.
    assert_eq!(calls.len(), 15);
    assert_eq!((&dropped[..14], &dropped[14..]), (&[2; 14][..], &[1, 0][..]));
}

#[test]
fn g2_nocache_is_ignored_with_one_step() {
    for (offset, count) in [(0, Count::Bytes(100_000)), (1000, Count::Bytes(1000)), (0, Count::Bytes(0))] {
        let Some((source, _)) = disk_file(100_000_usize.div_ceil(page_size()), 2) else { return };
        let sent = send(&source, offset, count, SfFlags::NOCACHE);
        assert_eq!((sent.outcome, sent.flags), (Ok(()), ignored(SfFlags::NOCACHE)));
        assert!(resident(&source)[..2] == [true; 2]);
    }
}

/// What lies before the offset is none of its business.
#[test]
fn g2_nocache_drops_nothing_else() {
    let page = page_size();
    let Some((source, _)) = disk_file((4 << 20) / page, 16) else { return };
    let sent = send(&source, 8 * page as u64, Count::ToEnd, SfFlags::NOCACHE);
    assert_eq!((sent.outcome, sent.flags), (Ok(()), approximated(SfFlags::NOCACHE)));
    assert_eq!(resident(&source)[..16], [[true; 8], [false; 8]].concat());
}

#[test]
fn g3_sync_and_mnowait_are_ignored() {
    let source = file(b"file");
    for flag in [SfFlags::SYNC, SfFlags::MNOWAIT, SfFlags::SYNC | SfFlags::MNOWAIT] {
        let sent = send(&source, 0, 4, flag);
        assert_eq!((sent.outcome, sent.flags, sent.progress.file), (Ok(()), ignored(flag), 4));
    }
}

#[test]
fn g4_user_readahead_reads_that_many_pages_from_the_offset_on() {
    const PAGES: u16 = 16;
    let page = page_size();
    // The library's unit is 4096 bytes, whatever the system's.
    let ahead = (usize::from(PAGES) * 4096).div_ceil(page);
    let Some((source, _)) = disk_file(64, 0) else { return };
    for (flags, report) in [
        (SfFlags::empty().with_readahead(PAGES).unwrap(), FlagsReport::default()),
        (SfFlags::USER_READAHEAD, ignored(SfFlags::USER_READAHEAD)),
    ] {
        assert_eq!(send(&source, 8 * page as u64, 0, flags).flags, report);
        assert_eq!(resident(&source), [false; 64]);
    }
    // Nothing of the file is sent: what comes into the cache was read ahead.
    let flags = SfFlags::USER_READAHEAD.with_readahead(PAGES).unwrap();
    let sent = send(&source, 8 * page as u64, 0, flags);
    assert_eq!((sent.outcome, sent.flags), (Ok(()), approximated(SfFlags::USER_READAHEAD)));
    let expected: Vec<_> = (0..64).map(|i| (8..8 + ahead).contains(&i)).collect();
    let start = Instant::now();
    while resident(&source) != expected {
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", resident(&source));
        std::thread::sleep(Duration::from_millis(1)); // between two looks, for ten seconds
    }
}

#[test]
fn g4_user_readahead_is_ignored_where_there_is_nothing_to_read_ahead() {
    let flags = SfFlags::USER_READAHEAD.with_readahead(16).unwrap();
    let (reading, _writing) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let sent = send(&File::from(reading), 0, 1, flags);
    assert_eq!((sent.outcome, sent.progress.headers), (Err(Errno::ESPIPE.into()), 7));
    assert_eq!(sent.flags, ignored(SfFlags::USER_READAHEAD));
}
