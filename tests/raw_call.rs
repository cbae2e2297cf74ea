//! What the kernel promises to one call, and what this crate makes of it: A of docs/semantics.md, as far as a caller can
//! observe it. The numbers (A1), bad pointers (A6) and the range of errors (A8) are in the crate's unit tests.
#![cfg(target_os = "linux")]

mod common;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::ExitStatusExt;

use bare_sendfile::fd::BorrowedFd;
use bare_sendfile::{Errno, Error, SfFlags, available, sendfile};
use common::faults::{allowlist, refused, seccompiler};
use common::sent::sendfile_hdtr;
use common::{REFUSED, SENDFILE, fd, file, in_child, largest_file, linux, memfd, null, position, unread};

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
fn a3_einval_after_clamping_is_about_the_files() {
    let sink = null();
    let sent = sendfile_hdtr(fd(&sink), fd(&file(b"0123456789")), 1, u64::MAX, &[], &[], SfFlags::empty());
    assert_eq!((sent.progress.file, sent.outcome), (9, Err(Error::Truncated { owed: u64::MAX - 9 })));
    let unsupported = File::open(REFUSED).unwrap();
    let sent = sendfile_hdtr(fd(&sink), fd(&unsupported), 1, u64::MAX, &[], &[], SfFlags::empty());
    assert_eq!(sent.outcome, Err(Error::Errno(Errno::EINVAL)));
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

#[test]
fn a7_the_call_exists_and_is_allowed() {
    assert_eq!(available(), Ok(()));
    // What the probe relies on: the descriptors are looked at before all else. No process may have so many.
    let (in_fd, out_fd) = (i32::MAX - 1, i32::MAX);
    // SAFETY: nobody owns them, as they cannot be open.
    let closed = unsafe { (BorrowedFd::borrow_raw(out_fd), BorrowedFd::borrow_raw(in_fd)) };
    assert_eq!(sendfile(closed.0, closed.1, None, 0), Err(Errno::EBADF));
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user does not emulate seccomp")]
fn the_first_form_does_not_retry() {
    for errno in [Errno::EINTR, Errno::EAGAIN] {
        let result = refused(&[SENDFILE], errno, || sendfile(fd(&null()), fd(&memfd(10)), Some(&mut 0), 10));
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
    let filter = allowlist(&[SENDFILE, libc::SYS_exit_group]);
    let ended = in_child(|| {
        let filtered = seccompiler::apply_filter(&filter).is_ok();
        let mut offset = 3;
        let result = sendfile(sink, source, Some(&mut offset), 5);
        u8::from(!filtered || result != Ok(5) || offset != 8)
    });
    assert_eq!(ended.code(), Some(0), "{ended}");
    let ended = in_child(|| {
        let _ = seccompiler::apply_filter(&filter);
        // SAFETY: it has no precondition.
        unsafe { libc::getppid() };
        0
    });
    assert_eq!(ended.signal(), Some(libc::SIGSYS), "the filter lets others through: {ended}");
}
