//! Boundaries of offsets, counts and file sizes, in both forms; each test is named after its boundary.
#![cfg(target_os = "linux")]

mod common;

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;

use bare_sendfile::{Count, Errno, Error, IoSlice, Output, Progress, SfFlags, Step, Transfer, sendfile};
use common::sent::{Sent, sendfile_hdtr};
use common::{fd, file, largest_file, memfd, null, pattern, receive};

const I64_MAX: u64 = i64::MAX as u64;
const ISIZE_MAX: usize = isize::MAX as usize;
const GIB: u64 = 1 << 30;

/// What the kernel says of bytes that no file can have: there are none, or their place does not exist.
fn beyond() -> Result<usize, Errno> {
    if largest_file() == I64_MAX { Ok(0) } else { Err(Errno::EOVERFLOW) }
}

/// The first form: what came of it, and where the offset is afterwards.
fn first(source: &File, offset: u64, count: usize) -> (Result<usize, Errno>, u64) {
    let mut after = offset;
    (sendfile(fd(&null()), fd(source), Some(&mut after), count), after)
}

/// The second form, without headers.
fn second(source: &File, offset: u64, count: impl Into<Count>) -> Sent {
    sendfile_hdtr(fd(&null()), fd(source), offset, count, &[], &[], SfFlags::empty())
}

/// A4, with a count of 0 too.
#[test]
fn offset_u64_max() {
    let source = memfd(10);
    assert_eq!(first(&source, u64::MAX, 0), (Err(Errno::EINVAL), u64::MAX));
    assert_eq!(first(&source, u64::MAX, 1), (Err(Errno::EINVAL), u64::MAX));
    assert_eq!(second(&source, u64::MAX, 0).outcome, Err(Error::TooLarge(u64::MAX)));
    assert_eq!(second(&source, u64::MAX, Count::ToEnd).outcome, Err(Error::TooLarge(u64::MAX)));
}

/// A4, with a count of 0 too.
#[test]
fn offset_i64_max_plus_1() {
    let (source, offset) = (memfd(10), I64_MAX + 1);
    assert_eq!(first(&source, offset, 0), (Err(Errno::EINVAL), offset));
    assert_eq!(first(&source, offset, 1), (Err(Errno::EINVAL), offset));
    let sent = second(&source, offset, 1);
    assert_eq!(sent.outcome, Err(Error::TooLarge(offset)));
    assert_eq!(sent.outcome.unwrap_err().errno(), Errno::EINVAL, "as the first form says");
}

#[test]
fn offset_i64_max() {
    let source = memfd(10);
    assert_eq!(first(&source, I64_MAX, 0), (beyond(), I64_MAX));
    assert_eq!(first(&source, I64_MAX, 1), (Err(Errno::EINVAL), I64_MAX), "the sum is too large");
    assert_eq!(second(&source, I64_MAX, 0).outcome, Ok(()));
    let beyond = |outcome| beyond().map_or_else(|errno| Err(errno.into()), |_| outcome);
    assert_eq!(second(&source, I64_MAX, Count::ToEnd).outcome, beyond(Ok(())));
    assert_eq!(second(&source, I64_MAX, 1).outcome, beyond(Err(Error::Truncated { owed: 1 })));
}

#[test]
fn offset_i64_max_minus_1() {
    let (source, offset) = (memfd(10), I64_MAX - 1);
    assert_eq!(first(&source, offset, 1), (beyond(), offset));
    assert_eq!(first(&source, offset, 2), (Err(Errno::EINVAL), offset), "the sum is too large");
    let outcome = beyond().map_or_else(|errno| Err(errno.into()), |_| Err(Error::Truncated { owed: 2 }));
    assert_eq!(second(&source, offset, 2).outcome, outcome);
}

#[test]
fn file_of_i64_max_bytes() {
    let end = largest_file();
    let source = memfd(end);
    assert_eq!(first(&source, end - 5, 5), (Ok(5), end));
    // A page behind the last possible one is not the end, but an error.
    let beyond = |outcome| beyond().map_or_else(|errno| Err(errno.into()), |_| outcome);
    let sent = second(&source, end - 5, Count::ToEnd);
    assert_eq!((sent.progress.file, sent.outcome), (5, beyond(Ok(()))));
    let sent = second(&source, end - 5, 6);
    assert_eq!((sent.progress.file, sent.outcome), (5, beyond(Err(Error::Truncated { owed: 1 }))));
}

#[test]
fn position_i64_max() {
    let end = largest_file();
    let source = memfd(end);
    rustix::fs::seek(&source, rustix::fs::SeekFrom::Start(end - 5)).unwrap();
    assert_eq!(sendfile(fd(&null()), fd(&source), None, 5), Ok(5));
    assert_eq!(common::position(&source), end);
    assert_eq!(sendfile(fd(&null()), fd(&source), None, 0), Ok(0));
    let refused = if end == I64_MAX { Errno::EINVAL } else { Errno::EOVERFLOW };
    assert_eq!(sendfile(fd(&null()), fd(&source), None, 1), Err(refused));
}

#[test]
fn count_usize_max() {
    let source = memfd(10);
    // Of 32 bits a 64-bit kernel takes it.
    #[cfg(target_pointer_width = "64")]
    assert_eq!(first(&source, 3, usize::MAX), (Err(Errno::EINVAL), 3));
    let sent = second(&source, 3, u64::MAX);
    assert_eq!((sent.progress.file, sent.outcome), (7, Err(Error::Truncated { owed: u64::MAX - 7 })));
}

#[test]
#[cfg(target_pointer_width = "64")] // as above
fn count_isize_max_plus_1() {
    assert_eq!(first(&memfd(10), 0, ISIZE_MAX + 1), (Err(Errno::EINVAL), 0));
}

#[test]
fn count_isize_max() {
    let source = memfd(10);
    assert_eq!(first(&source, 0, ISIZE_MAX), (Ok(10), 10));
    #[cfg(target_pointer_width = "64")]
    assert_eq!(first(&source, 1, ISIZE_MAX), (Err(Errno::EINVAL), 1), "the sum is too large");
    assert_eq!(first(&source, 1, ISIZE_MAX - 1), (Ok(9), 10));
    let sent = second(&source, 1, I64_MAX);
    assert_eq!((sent.progress.file, sent.outcome), (9, Err(Error::Truncated { owed: I64_MAX - 9 })));
}

#[test]
fn count_larger_than_the_file() {
    let bytes = pattern(1000);
    let source = file(&bytes);
    let (sender, mut receiver) = UnixStream::pair().unwrap();
    let mut offset = 1;
    assert_eq!(sendfile(fd(&sender), fd(&source), Some(&mut offset), 1000), Ok(999));
    assert_eq!((offset, receive(&mut receiver, 999)), (1000, bytes[1..].to_vec()));
    let (header, trailer) = ([IoSlice::new(b"head")], [IoSlice::new(b"withheld")]);
    let sent = sendfile_hdtr(fd(&sender), fd(&source), 1, 1000, &header, &trailer, SfFlags::empty());
    assert_eq!(sent.outcome, Err(Error::Truncated { owed: 1 }));
    assert_eq!(sent.progress, Progress { headers: 4, file: 999, trailers: 0 });
    drop(sender);
    let mut received = Vec::new();
    receiver.read_to_end(&mut received).unwrap();
    assert_eq!(received, [b"head", &bytes[1..]].concat());
}

#[test]
fn count_of_the_file_exactly() {
    let source = memfd(10);
    assert_eq!(first(&source, 0, 10), (Ok(10), 10));
    assert_eq!(second(&source, 0, 10).outcome, Ok(()));
    assert_eq!(second(&source, 10, 0).outcome, Ok(()));
}

#[test]
fn offset_of_the_end() {
    let source = memfd(10);
    assert_eq!(first(&source, 9, 5), (Ok(1), 10));
    assert_eq!(first(&source, 10, 5), (Ok(0), 10));
    assert_eq!(first(&source, 11, 5), (Ok(0), 11));
    assert_eq!(second(&source, 11, Count::ToEnd).outcome, Ok(()));
    assert_eq!(second(&source, 11, 1).outcome, Err(Error::Truncated { owed: 1 }));
}

#[test]
fn empty_file() {
    let source = memfd(0);
    assert_eq!(first(&source, 0, 1), (Ok(0), 0));
    assert_eq!(second(&source, 0, Count::ToEnd).progress, Progress::default());
}

/// A sparse file of 5 GiB, in which only the bytes around 2 GiB and 4 GiB are not 0.
fn sparse() -> File {
    let file = tempfile::tempfile().unwrap();
    file.set_len(5 * GIB).unwrap();
    for (middle, bytes) in [(2 * GIB, b"2 GiB here"), (4 * GIB, b"4 GiB here")] {
        file.write_all_at(bytes, middle - 5).unwrap();
    }
    file
}

#[test]
fn sparse_file_around_2_gib_and_4_gib() {
    let source = sparse();
    let (sender, mut receiver) = UnixStream::pair().unwrap();
    for (middle, bytes) in [(2 * GIB, b"\x002 GiB here\0"), (4 * GIB, b"\x004 GiB here\0")] {
        let mut offset = middle - 6;
        assert_eq!(sendfile(fd(&sender), fd(&source), Some(&mut offset), 12), Ok(12));
        assert_eq!(offset, middle + 6);
        assert_eq!(receive(&mut receiver, 12), bytes);
        let sent = sendfile_hdtr(fd(&sender), fd(&source), middle - 6, 12, &[], &[], SfFlags::empty());
        assert_eq!((sent.total(), sent.outcome), (12, Ok(())));
        assert_eq!(receive(&mut receiver, 12), bytes);
    }
}

#[test]
fn sparse_file_at_a_position_beyond_4_gib() {
    let source = sparse();
    let (sender, mut receiver) = UnixStream::pair().unwrap();
    rustix::fs::seek(&source, rustix::fs::SeekFrom::Start(4 * GIB - 5)).unwrap();
    assert_eq!(sendfile(fd(&sender), fd(&source), None, 10), Ok(10));
    assert_eq!(receive(&mut receiver, 10), b"4 GiB here");
    assert_eq!(common::position(&source), 4 * GIB + 5);
}

/// Without I/O: each step is said to have moved all that it asked for.
#[test]
fn more_than_4_gib_in_one_transfer() {
    let mut transfer = Transfer::new(1, 5 * GIB, &[], &[]).unwrap().with_cap(usize::MAX);
    let mut steps = Vec::new();
    loop {
        match transfer.next_step(&[], &[], 0).unwrap() {
            Step::Identify => transfer.identified(Ok(Output::NotSocket)).unwrap(),
            Step::SendFile { offset, count } => {
                steps.push((offset.unwrap(), count));
                transfer.complete(Ok(count)).unwrap();
            }
            step => {
                assert!(matches!(step, Step::Done), "{step:?}");
                break;
            }
        }
    }
    let most = 0x7fff_f000;
    let rest = (5 * GIB - 2 * most) as usize;
    assert_eq!(steps, [(1, most as usize), (1 + most, most as usize), (1 + 2 * most, rest)]);
    assert_eq!(transfer.progress().file, 5 * GIB);
}

/// As many bytes of address space without memory behind them: they can be pointed at, not afforded.
#[cfg(target_pointer_width = "64")]
fn address_space(len: usize) -> &'static [u8] {
    let (read, private) = (libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE);
    // SAFETY: a new mapping, wherever the kernel likes.
    let address = unsafe { libc::mmap(std::ptr::null_mut(), len, read, private, -1, 0) };
    assert_ne!(address, libc::MAP_FAILED, "{}", std::io::Error::last_os_error());
    // SAFETY: the mapping has `len` readable bytes, all zero; nothing changes or unmaps them.
    unsafe { std::slice::from_raw_parts(address.cast(), len) }
}

#[test]
#[cfg(target_pointer_width = "64")] // so long a list has no room in 32 bits
#[cfg_attr(qemu_user, ignore = "qemu-user keeps a record of every page, and this is more of them than there is memory")]
fn lists_of_i64_max_bytes() {
    let bytes = address_space(1 << 45);
    let transfer = |list: &[IoSlice<'_>]| [Transfer::new(0, 0, list, &[]).err(), Transfer::new(0, 0, &[], list).err()];
    let mut list = vec![IoSlice::new(bytes); 1 << 18];
    assert_eq!(transfer(&list), [Some(Error::TooLarge(I64_MAX + 1)); 2]);
    list[0] = IoSlice::new(&bytes[1..]);
    assert_eq!(transfer(&list), [None; 2]);
    let list = vec![IoSlice::new(bytes); 1 << 20];
    assert_eq!(transfer(&list), [Some(Error::TooLarge(u64::MAX)); 2], "the sum has no room in a u64");
}
