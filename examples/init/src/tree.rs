//! Files: the payload moves into the new root, and what stands in /proc goes to the console, all of it by this crate.

use core::ffi::CStr;
use core::mem::MaybeUninit;

use bare_sendfile::{Count, sendfile_all, sendfile_hdtr_all};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, RawDir, Stat, Timespec, Timestamps, Uid, chmodat, chownat, fstat,
    linkat, mkdirat, mknodat, openat, readlinkat_raw, statat, symlinkat, unlinkat, utimensat,
};
use rustix::path::DecInt;

use crate::console::{During, Failure, say, stdout};

/// Opens what is there, and waits for no writer of a FIFO.
pub fn open(name: &CStr, what: &'static str) -> Result<OwnedFd, Failure> {
    openat(CWD, name, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()).during(what)
}

/// What became of the payload.
#[derive(Default)]
pub struct Moved {
    /// Of its files.
    pub bytes: u64,
    /// How many of its entries could not be made. Each was reported.
    pub passed_over: u32,
}

/// Moves what is in the directory `from` into the directory `to`, and gives `to` the owner, mode and times of `from`.
pub fn move_all(from: &OwnedFd, to: &OwnedFd) -> Result<Moved, Failure> {
    // For each file of several names, its first one.
    mkdirat(to, LINKS, Mode::RWXU).during("make a folder for hard links")?;
    let links = open_folder(to.as_fd(), LINKS)?;
    let mut moved = Moved::default();
    move_folder(from.as_fd(), to.as_fd(), links.as_fd(), &mut moved);
    empty(links.as_fd());
    unlinkat(to, LINKS, AtFlags::REMOVEDIR).during("remove the folder for hard links")?;
    dress(to.as_fd(), c".", &fstat(from).during("stat the payload")?)?;
    Ok(moved)
}

/// A name that no payload has.
const LINKS: &CStr = c".init: hard links";

/// What cannot be moved is reported and passed over, so that one entry does not cost the machine.
fn move_folder(from: BorrowedFd<'_>, to: BorrowedFd<'_>, links: BorrowedFd<'_>, moved: &mut Moved) {
    let mut names = [MaybeUninit::uninit(); 1024];
    let mut entries = RawDir::new(from, &mut names);
    while let Some(entry) = entries.next() {
        let (name, result) = match &entry {
            Ok(entry) => (entry.file_name(), move_entry(from, to, links, entry.file_name(), moved)),
            Err(errno) => (c"and all after it", Err(*errno).during("read a folder")),
        };
        if let Err(failure) = result {
            say(format_args!("init: passed over {name:?}: {failure}"));
            moved.passed_over += 1;
        }
        if entry.is_err() {
            break;
        }
    }
}

fn move_entry(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    links: BorrowedFd<'_>,
    name: &CStr,
    moved: &mut Moved,
) -> Result<(), Failure> {
    if name == c"." || name == c".." {
        return Ok(());
    }
    // Nothing is opened before it is known what it is: a link leads elsewhere, and a FIFO waits for a writer.
    let stat = statat(from, name, AtFlags::SYMLINK_NOFOLLOW).during("stat")?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    match kind {
        FileType::Directory => {
            mkdirat(to, name, Mode::RWXU).during("make a folder")?;
            let (old, new) = (open_folder(from, name)?, open_folder(to, name)?);
            move_folder(old.as_fd(), new.as_fd(), links, moved);
            // The last, since each new entry changes its times.
            return dress(to, name, &stat);
        }
        FileType::RegularFile => {
            let number = DecInt::new(stat.st_ino);
            // One of the names of a file that is there already.
            let linked = linkat(links, number.as_c_str(), to, name, AtFlags::empty()).is_ok();
            if !linked {
                moved.bytes += copy(from, to, name)?;
            }
            if stat.st_nlink > 1 && !linked {
                linkat(to, name, links, number.as_c_str(), AtFlags::empty()).during("note a hard link")?;
            }
        }
        FileType::Symlink => link(from, to, name)?,
        // The number of the device of what is none is 0.
        _ => mknodat(to, name, kind, Mode::RUSR | Mode::WUSR, stat.st_rdev).during("make a node")?,
    }
    dress(to, name, &stat)?;
    // The initramfs is memory: each file is there twice for a moment only.
    unlinkat(from, name, AtFlags::empty()).during("remove what is copied")
}

/// A regular file. Returns its bytes.
fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr) -> Result<u64, Failure> {
    let old = openat(from, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).during("open")?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let new = openat(to, name, flags, Mode::RUSR | Mode::WUSR).during("create")?;
    let sent = sendfile_all(&new, &old, Some(0), Count::ToEnd).bytes();
    if sent.is_err() {
        // Half a file looks like a whole one.
        let _ = unlinkat(to, name, AtFlags::empty());
    }
    sent.during("copy")
}

/// A symbolic link, wherever it leads.
#[inline(never)] // its buffer is not for every level of folders
fn link(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr) -> Result<(), Failure> {
    // As long as the kernel's longest, and the zero byte after it.
    let mut target = [0; 4097];
    readlinkat_raw(from, name, &mut target[..4096]).during("read a link")?;
    let target = CStr::from_bytes_until_nul(&target).map_err(|_| Failure::wrong("read a link", "it has no end"))?;
    symlinkat(target, to, name).during("make a link")
}

/// Gives what was made the owner, mode and times that `stat` has. The mode after the owner, whose change takes setuid bits away.
fn dress(folder: BorrowedFd<'_>, name: &CStr, stat: &Stat) -> Result<(), Failure> {
    let (owner, group) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    chownat(folder, name, Some(owner), Some(group), AtFlags::SYMLINK_NOFOLLOW).during("set the owner")?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
        chmodat(folder, name, Mode::from_raw_mode(stat.st_mode), AtFlags::empty()).during("set the mode")?;
    }
    let times = Timestamps {
        last_access: Timespec { tv_sec: stat.st_atime, tv_nsec: stat.st_atime_nsec as i64 },
        last_modification: Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec as i64 },
    };
    utimensat(folder, name, &times, AtFlags::SYMLINK_NOFOLLOW).during("set the times")
}

fn open_folder(folder: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Failure> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(folder, name, flags, Mode::empty()).during("open a folder")
}

/// Removes the names in a folder without folders.
fn empty(folder: BorrowedFd<'_>) {
    let mut names = [MaybeUninit::uninit(); 1024];
    let mut entries = RawDir::new(folder, &mut names);
    while let Some(Ok(entry)) = entries.next() {
        let _ = unlinkat(folder, entry.file_name(), AtFlags::empty());
    }
}

/// A file to the console, through a buffer where sendfile refuses. The line behind it says which of the two it was.
pub fn show(name: &CStr) -> Result<(), Failure> {
    let file = open(name, "open a file to show")?;
    let sent = sendfile_hdtr_all(stdout(), &file, Some(0), Count::ToEnd, &[], &[], &mut [0; 512]);
    let (report, outcome) = sent.into_parts();
    outcome.during("show a file")?;
    let bytes = report.progress.total();
    match report.mechanisms.refused {
        Some(errno) => say(format_args!("init: {name:?}: {bytes} bytes by a copy, sendfile says {errno:?}")),
        None => say(format_args!("init: {name:?}: {bytes} bytes by sendfile")),
    }
    Ok(())
}
