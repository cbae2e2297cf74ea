//! Open files below the root, found by their path.

use core::ffi::CStr;

use bare_sendfile::fd::BorrowedFd;
use httpd::conditions::Meta;
use httpd::path::Path;
use httpd::status::Status;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2};
use rustix::io::{Errno, Result};

use crate::slab::Slab;

/// Files that stay open for the next request.
pub const CACHED: u32 = 256;
/// The longest path that is looked for among them.
const MAX_CACHED_PATH: usize = 128;
/// Seconds after which a path is looked up again: it may lead to another file.
const VALID: u64 = 1;

/// To open a folder only, without the right to list it.
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The number of an open file.
pub type FileId = u32;

struct File {
    fd: OwnedFd,
    /// How many need it, the cache among them.
    uses: u32,
    opened: u64,
    path: [u8; MAX_CACHED_PATH],
    path_len: usize,
}

/// What a path leads to.
pub enum Found {
    File(FileId, Meta),
    Folder,
}

pub struct Files {
    root: OwnedFd,
    /// The kernel has openat2(2).
    beneath: bool,
    files: Slab<File>,
    /// Where a path is, if it is cached, by its hash.
    cache: [Option<FileId>; CACHED as usize],
}

impl Files {
    /// For as many files at a time as there are connections.
    pub fn new(root: &CStr, connections: u32) -> Result<Self> {
        let root = openat(CWD, root, FOLDER, Mode::empty())?;
        // ENOSYS before Linux 5.6, EPERM or ENOSYS of a filter.
        let beneath = openat2(&root, c".", OFlags::PATH, Mode::empty(), ResolveFlags::BENEATH).is_ok();
        Ok(Self { root, beneath, files: Slab::new(connections + CACHED)?, cache: [None; CACHED as usize] })
    }

    /// No file is open: none is in use, and none is kept for the next request.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Opens what the path leads to, or finds it open. A file is the caller's until [`release`](Self::release).
    pub fn open(&mut self, path: &Path, now: u64) -> core::result::Result<Found, Status> {
        let bucket = hash(path.as_bytes()) % u64::from(CACHED);
        let cached = self.cache.get(bucket as usize).copied().flatten();
        if let Some(id) = cached
            && let Some(file) = self.files.get(id)
            && now - file.opened <= VALID
            && file.path.get(..file.path_len) == Some(path.as_bytes())
        {
            let stat = fstat(&file.fd).map_err(status)?;
            // A file that was replaced has no name any more.
            if stat.st_nlink > 0 {
                file.uses += 1;
                return Ok(Found::File(id, meta(&stat)));
            }
        }
        // Without NONBLOCK, opening a pipe that nobody writes to would wait.
        let read = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd = match self.open_beneath(path.as_c_str(), read) {
            // A folder that may be entered need not be readable.
            Err(Errno::ACCESS) if self.open_beneath(path.as_c_str(), FOLDER).is_ok() => return Ok(Found::Folder),
            opened => opened.map_err(status)?,
        };
        let stat = fstat(&fd).map_err(status)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => return Ok(Found::Folder),
            _ => return Err(Status::NOT_FOUND),
        }
        let mut file = File { fd, uses: 1, opened: now, path: [0; MAX_CACHED_PATH], path_len: 0 };
        let cacheable = file.path.get_mut(..path.as_bytes().len());
        let cache = cacheable.is_some();
        if let Some(place) = cacheable {
            place.copy_from_slice(path.as_bytes());
            file.path_len = place.len();
            file.uses = 2;
        }
        let id = self.files.insert(file).map_err(|_| Status::UNAVAILABLE)?;
        if cache {
            if let Some(old) = cached {
                self.release(old);
            }
            if let Some(place) = self.cache.get_mut(bucket as usize) {
                *place = Some(id);
            }
        }
        Ok(Found::File(id, meta(&stat)))
    }

    /// The descriptor of a file in use.
    pub fn fd(&mut self, id: FileId) -> Option<BorrowedFd<'_>> {
        self.files.get(id).map(|file| lend(&file.fd))
    }

    /// The file is not needed any more.
    pub fn release(&mut self, id: FileId) {
        if let Some(file) = self.files.get(id) {
            file.uses -= 1;
            if file.uses == 0 {
                self.files.remove(id);
            }
        }
    }

    /// Closes cached files that nobody asks for any more.
    pub fn expire(&mut self, now: u64) {
        for bucket in 0..self.cache.len() {
            let Some(place) = self.cache.get_mut(bucket) else { return };
            let Some(id) = *place else { continue };
            if self.files.get(id).is_some_and(|file| now - file.opened > VALID) {
                *place = None;
                self.release(id);
            }
        }
    }

    /// A link may lead from one place below the root to another, and nothing may lead out of it. Without openat2(2), no
    /// link is followed at all.
    fn open_beneath(&self, path: &CStr, flags: OFlags) -> Result<OwnedFd> {
        if self.beneath {
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
            // EAGAIN: a folder on the way was moved meanwhile, and it cannot be told that it stayed below the root.
            return (0..8)
                .map(|_| openat2(&self.root, path, flags, Mode::empty(), resolve))
                .find(|opened| !matches!(opened, Err(Errno::AGAIN)))
                .unwrap_or(Err(Errno::AGAIN));
        }
        let mut opened: Option<OwnedFd> = None;
        let mut names = path.to_bytes().split(|&byte| byte == b'/').peekable();
        let mut name = [0; 256]; // NAME_MAX and a NUL
        while let Some(bytes) = names.next() {
            let place = name.get_mut(..=bytes.len()).ok_or(Errno::NAMETOOLONG)?;
            place.fill(0);
            place.get_mut(..bytes.len()).ok_or(Errno::NAMETOOLONG)?.copy_from_slice(bytes);
            let name = CStr::from_bytes_with_nul(place).map_err(|_| Errno::INVAL)?;
            let flags = if names.peek().is_some() { FOLDER } else { flags };
            let folder = opened.as_ref().unwrap_or(&self.root);
            opened = Some(openat(folder, name, flags | OFlags::NOFOLLOW, Mode::empty())?);
        }
        opened.ok_or(Errno::NOENT)
    }
}

/// Lends a descriptor of rustix to bare-sendfile: without std, the two have types of their own.
pub fn lend(fd: &OwnedFd) -> BorrowedFd<'_> {
    // SAFETY: it is open, and stays so while `fd` is borrowed.
    unsafe { BorrowedFd::borrow_raw(fd.as_raw_fd()) }
}

fn meta(stat: &Stat) -> Meta {
    Meta {
        len: u64::try_from(stat.st_size).unwrap_or(0),
        inode: stat.st_ino,
        // A change before 1970 is none that the clock can tell.
        changed: u64::try_from(stat.st_ctime).unwrap_or(0),
        nanoseconds: stat.st_ctime_nsec as u32,
    }
}

/// What the client is told: nothing of what lies outside of the root.
fn status(errno: Errno) -> Status {
    match errno {
        Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::LOOP | Errno::XDEV | Errno::NXIO => {
            Status::NOT_FOUND
        }
        Errno::ACCESS | Errno::PERM => Status::FORBIDDEN,
        Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN => Status::UNAVAILABLE,
        _ => Status::INTERNAL,
    }
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}
