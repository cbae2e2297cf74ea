//! What the kernel promises to one call, and what this crate makes of it: A of docs/semantics.md, as far as a caller can
//! observe it. The numbers (A1), bad pointers (A6) and the range of errors (A8) are in the crate's unit tests.
#![cfg(target_os = "linux")]

mod common;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use bare_sendfile::fd::BorrowedFd;
use bare_sendfile::{Count, Errno, Error, Output, SfFlags, Step, Transfer, available, sendfile};
use common::sent::sendfile_hdtr;
use common::{REFUSED, fd, file, in_child, largest_file, linux, memfd, position, unread};

const I64_MAX: u64 = i64::MAX as u64;
const MAX_RW_COUNT: usize = 0x7fff_f000;

fn null() -> File {
    OpenOptions::new().write(true).open("/dev/null").unwrap()
}

/// What a transfer asks of the file first.
fn first_file_step(offset: u64, count: impl Into<Count>, cap: usize) -> (Option<u64>, usize) {
    let mut transfer = Transfer::new(offset, count, &[], &[]).unwrap().with_cap(cap);
    assert!(matches!(transfer.next_step(&[], &[], 0), Ok(Step::Identify)));
    transfer.identified(Ok(Output::NotSocket)).unwrap();
    match transfer.next_step(&[], &[], 0) {
        Ok(Step::SendFile { offset, count }) => (offset, count),
        step => panic!("{step:?}"),
    }
}

#[test]
fn a3_the_first_form_does_not_clamp() {
    let (source, sink) = (memfd(10), null());
    // Of 32 bits a 64-bit kernel takes them.
    let too_many: &[usize] =
        if cfg!(target_pointer_width = "64") { &[usize::MAX, isize::MAX as usize + 1] } else { &[] };
    for &count in too_many {
        assert_eq!(sendfile(fd(&sink), fd(&source), Some(&mut 0), count), Err(Errno::EINVAL), "{count:#x}");
        assert_eq!(sendfile(fd(&sink), fd(&source), None, count), Err(Errno::EINVAL), "{count:#x}");
    }
    let mut offset = 1;
    // Of 32 bits the largest count does not reach the largest offset.
    #[cfg(target_pointer_width = "64")]
    assert_eq!(sendfile(fd(&sink), fd(&source), Some(&mut offset), isize::MAX as usize), Err(Errno::EINVAL));
    assert_eq!((offset, position(&source)), (1, 0));
    // The largest that are allowed.
    assert_eq!(sendfile(fd(&sink), fd(&source), Some(&mut offset), isize::MAX as usize - 1), Ok(9));
    assert_eq!(sendfile(fd(&sink), fd(&source), Some(&mut 0), isize::MAX as usize), Ok(10));
}

#[test]
fn a3_a_transfer_clamps() {
    for (offset, count, cap, clamped) in [
        (0, Count::Bytes(10), usize::MAX, 10),
        (0, Count::Bytes(MAX_RW_COUNT as u64), usize::MAX, MAX_RW_COUNT),
        (0, Count::Bytes(MAX_RW_COUNT as u64 + 1), usize::MAX, MAX_RW_COUNT),
        (0, Count::Bytes(u64::MAX), usize::MAX, MAX_RW_COUNT),
        (0, Count::ToEnd, usize::MAX, MAX_RW_COUNT),
        (1, Count::Bytes(I64_MAX), usize::MAX, MAX_RW_COUNT),
        (I64_MAX - 5, Count::Bytes(4), usize::MAX, 4),
        (I64_MAX - 5, Count::Bytes(6), usize::MAX, 5),
        (I64_MAX - 5, Count::ToEnd, usize::MAX, 5),
        (I64_MAX, Count::Bytes(1), usize::MAX, 0),
        (I64_MAX, Count::ToEnd, usize::MAX, 0),
        (0, Count::ToEnd, Transfer::DEFAULT_CAP, 2 << 20),
        (0, Count::ToEnd, 7, 7),
    ] {
        assert_eq!(first_file_step(offset, count, cap), (Some(offset), clamped), "{offset} {count:?} {cap}");
    }
}

#[test]
fn a3_einval_after_clamping_is_about_the_files() {
    let sink = null();
    let sent = sendfile_hdtr(fd(&sink), fd(&file(b"0123456789")), 1, u64::MAX, &[], &[], SfFlags::empty());
    assert_eq!((sent.progress.file, sent.outcome), (9, Err(Error::Truncated { owed: u64::MAX - 9 })));
    let unsupported = File::open(REFUSED).unwrap();
    let sent = sendfile_hdtr(fd(&sink), fd(&unsupported), 1, u64::MAX, &[], &[], SfFlags::empty());
    assert_eq!(sent.outcome, Err(Error::Errno(Errno::EINVAL)));
}

#[test]
fn a4_negative_offset_is_einval_even_with_count_0() {
    let (source, sink) = (memfd(10), null());
    for negative in [u64::MAX, I64_MAX + 1] {
        for count in [0, 1] {
            let mut offset = negative;
            assert_eq!(sendfile(fd(&sink), fd(&source), Some(&mut offset), count), Err(Errno::EINVAL), "{count}");
            assert_eq!(offset, negative);
        }
    }
}

#[test]
fn a4_offset_of_the_file_systems_maximum_is_eoverflow() {
    // procfs can hold less than 2 GiB: MAX_NON_LFS of include/linux/fs.h.
    let (source, sink) = (File::open("/proc/version").unwrap(), null());
    let maximum = i32::MAX as u64;
    assert_eq!(sendfile(fd(&sink), fd(&source), Some(&mut maximum.clone()), 1), Err(Errno::EOVERFLOW));
    assert_eq!(sendfile(fd(&sink), fd(&source), Some(&mut (maximum - 1)), 1), Ok(0));
}

#[test]
fn a4_smaller_offset_past_the_end_is_0() {
    let (source, sink) = (memfd(10), null());
    for past in [10, 11, 1 << 40, largest_file() - 1] {
        let mut offset = past;
        assert_eq!(sendfile(fd(&sink), fd(&source), Some(&mut offset), 1), Ok(0), "{past}");
        assert_eq!(offset, past);
    }
}

#[test]
fn a5_count_0_is_0_and_no_probe_for_support() {
    let sink = null();
    assert_eq!(sendfile(fd(&sink), fd(&memfd(10)), None, 0), Ok(0));
    let unsupported = File::open(REFUSED).unwrap();
    assert_eq!(sendfile(fd(&sink), fd(&unsupported), None, 0), Ok(0));
    assert_eq!(sendfile(fd(&sink), fd(&unsupported), None, 1), Err(Errno::EINVAL));
}

#[test]
fn a5_count_0_still_sees_bad_descriptors_and_o_append() {
    let (source, sink) = (memfd(10), null());
    assert_eq!(sendfile(fd(&sink), fd(&sink), None, 0), Err(Errno::EBADF), "not open for reading");
    let read_only = File::open("/dev/null").unwrap();
    assert_eq!(sendfile(fd(&read_only), fd(&source), None, 0), Err(Errno::EBADF), "not open for writing");
    let path = tempfile::NamedTempFile::new().unwrap();
    let append = OpenOptions::new().append(true).open(path.path()).unwrap();
    assert_eq!(sendfile(fd(&append), fd(&source), None, 0), Err(Errno::EINVAL), "O_APPEND");
}

#[test]
fn a5_count_0_still_raises_sigpipe() {
    let source = memfd(10);
    let writer = unread(common::pipe);
    if linux() < (5, 12) {
        // A pipe was written through another pipe, and of nothing it was not told.
        assert_eq!(sendfile(fd(&writer), fd(&source), None, 0), Ok(0));
        return;
    }
    assert_eq!(sendfile(fd(&writer), fd(&source), None, 0), Err(Errno::EPIPE), "where SIGPIPE is ignored");
    let ended = in_child(|| {
        // SAFETY: the default action runs no code of this program.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        let _ = sendfile(fd(&writer), fd(&source), None, 0);
        0
    });
    assert_eq!(ended.signal(), Some(libc::SIGPIPE), "{ended}");
}

/// F1, for the first form: the signal comes beside the error, not instead of it.
#[test]
fn f1_sigpipe_and_epipe_come_together() {
    static RAISED: AtomicBool = AtomicBool::new(false);
    extern "C" fn note(_: libc::c_int) {
        RAISED.store(true, Relaxed);
    }
    let source = memfd(10);
    let (sender, receiver) = common::tcp();
    sender.shutdown(std::net::Shutdown::Write).unwrap();
    drop(receiver);
    let writer = unread(common::pipe);
    for (name, out_fd) in [("pipe without reader", fd(&writer)), ("shut TCP socket", fd(&sender))] {
        let ended = in_child(|| {
            // SAFETY: the handler only stores to an atomic.
            unsafe { libc::signal(libc::SIGPIPE, note as *const () as usize) };
            let result = sendfile(out_fd, fd(&source), None, 1);
            u8::from(result == Err(Errno::EPIPE)) | u8::from(RAISED.load(Relaxed)) << 1
        });
        assert_eq!(ended.code(), Some(0b11), "{name}: {ended}");
    }
}

#[test]
fn a7_the_call_exists_and_is_allowed() {
    assert_eq!(available(), Ok(()));
    // What the probe relies on: the descriptors are looked at before all else. No process may have so many.
    let (in_fd, out_fd) = (i32::MAX - 1, i32::MAX);
    // SAFETY: nobody owns them, as they cannot be open.
    let closed = unsafe { (BorrowedFd::borrow_raw(out_fd), BorrowedFd::borrow_raw(in_fd)) };
    assert_eq!(sendfile(closed.0, closed.1, None, 0), Err(Errno::EBADF));
}

/// In a thread in which `sendfile` gives `answer` and everything else works.
fn with_filter<T: Send + 'static>(answer: i32, body: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::spawn(move || {
        filter(libc::SECCOMP_RET_ALLOW, libc::SECCOMP_RET_ERRNO | answer as u32);
        body()
    })
    .join()
    .unwrap()
}

/// From here on system calls of this thread do as `others` says, but for `sendfile`, which does as `sendfile` says.
fn filter(others: u32, sendfile: u32) {
    let is = |nr: libc::c_long, skip: u8| libc::sock_filter {
        code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
        jt: skip,
        jf: 0,
        k: nr as u32,
    };
    let answer = |k| libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k };
    let number = std::mem::offset_of!(libc::seccomp_data, nr) as u32;
    let mut program = [
        libc::sock_filter { code: (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, jt: 0, jf: 0, k: number },
        is(common::SENDFILE, 2),
        is(libc::SYS_exit_group, 2),
        answer(others),
        answer(sendfile),
        answer(libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the kernel copies `program`, which outlives both calls.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program), 0);
    }
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user does not emulate seccomp")]
fn a7_a_filter_is_told_from_bad_descriptors() {
    for errno in [Errno::EPERM, Errno::ENOSYS, Errno::EACCES] {
        assert_eq!(with_filter(errno.raw_os_error(), available), Err(errno));
    }
    assert_eq!(with_filter(0, available), Err(Errno::ENOSYS), "a filter that pretends success");
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user does not emulate seccomp")]
fn the_first_form_does_not_retry() {
    for errno in [Errno::EINTR, Errno::EAGAIN] {
        let result = with_filter(errno.raw_os_error(), || sendfile(fd(&null()), fd(&memfd(10)), Some(&mut 0), 10));
        assert_eq!(result, Err(errno));
    }
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user does not emulate seccomp")]
fn the_first_form_is_one_system_call() {
    let source = file(b"0123456789");
    let (_reader, writer) = io::pipe().unwrap();
    let (source, sink) = (fd(&source), fd(&writer));
    // Any other call ends the child, and a second sendfile would move the offset on.
    let ended = in_child(|| {
        filter(libc::SECCOMP_RET_KILL_PROCESS, libc::SECCOMP_RET_ALLOW);
        let mut offset = 3;
        let result = sendfile(sink, source, Some(&mut offset), 5);
        u8::from(result != Ok(5) || offset != 8)
    });
    assert_eq!(ended.code(), Some(0), "{ended}");
    let ended = in_child(|| {
        filter(libc::SECCOMP_RET_KILL_PROCESS, libc::SECCOMP_RET_ALLOW);
        // SAFETY: it has no precondition.
        unsafe { libc::getppid() };
        0
    });
    assert_eq!(ended.signal(), Some(libc::SIGSYS), "the filter lets others through: {ended}");
}
