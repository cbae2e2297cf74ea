//! Files: the payload moves into the new root, and what stands in /proc goes to the console, all of it by this crate.

use core::ffi::CStr;
use core::mem::MaybeUninit;

use bare_sendfile::fd::BorrowedFd;
use bare_sendfile::{Count, Mechanisms, sendfile_all, sendfile_hdtr_all};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, fstat, mkdirat, openat, unlinkat};

use crate::console::{During, Failure, say};
use crate::start::stdout;

/// Without std, rustix and this crate each have their own types for descriptors.
pub fn lend(fd: &impl AsFd) -> BorrowedFd<'_> {
    // SAFETY: it is open, and stays so while `fd` is borrowed.
    unsafe { BorrowedFd::borrow_raw(fd.as_fd().as_raw_fd()) }
}

pub fn open(name: &CStr, what: &'static str) -> Result<OwnedFd, Failure> {
    openat(CWD, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).during(what)
}

/// Moves what is in the directory `from` into the directory `to`. Returns the bytes.
pub fn move_all(from: impl AsFd + Copy, to: impl AsFd + Copy) -> Result<u64, Failure> {
    let mut bytes = 0;
    let mut names = [MaybeUninit::uninit(); 1024];
    let mut entries = RawDir::new(from, &mut names);
    while let Some(entry) = entries.next() {
        let entry = entry.during("read a directory of the payload")?;
        let (name, is_directory) = (entry.file_name(), entry.file_type() == FileType::Directory);
        if name == c"." || name == c".." {
            continue;
        }
        let old = openat(from, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).during("open in the payload")?;
        let mode = Mode::from_raw_mode(fstat(&old).during("stat in the payload")?.st_mode);
        if is_directory {
            mkdirat(to, name, mode).during("make a directory for the payload")?;
            let new =
                openat(to, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).during("open a new directory")?;
            bytes += move_all(old.as_fd(), new.as_fd())?;
        } else {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let new = openat(to, name, flags, mode).during("create a file for the payload")?;
            let sent = sendfile_all(lend(&new), lend(&old), Some(0), Count::ToEnd);
            bytes += sent.bytes().during("copy the payload")?;
            // The initramfs is memory: each file is there twice for a moment only.
            unlinkat(from, name, AtFlags::empty()).during("remove what is copied")?;
        }
    }
    Ok(bytes)
}

/// A file to the console, through a buffer where sendfile refuses.
pub fn show(name: &CStr) -> Result<Mechanisms, Failure> {
    let file = open(name, "open a file to show")?;
    let sent = sendfile_hdtr_all(lend(&stdout()), lend(&file), Some(0), Count::ToEnd, &[], &[], &mut [0; 512]);
    let (report, outcome) = sent.into_parts();
    outcome.during("show a file")?;
    let bytes = report.progress.total();
    match report.mechanisms.refused {
        Some(errno) => say(format_args!("init: {name:?}: {bytes} bytes by a copy, sendfile says {errno:?}")),
        None => say(format_args!("init: {name:?}: {bytes} bytes by sendfile")),
    }
    Ok(report.mechanisms)
}
