//! Open files below the root, found by their path.

use core::ffi::CStr;
use core::mem::MaybeUninit;

use bare_sendfile::fd::{AsFd, BorrowedFd};
use httpd::conditions::Meta;
use httpd::path::Path;
use httpd::status::Status;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, fstatfs, openat, openat2, readlinkat_raw};
use rustix::io::{Errno, Result, pread};

use crate::slab::Slab;

/// The most files that stay open for the next request.
pub const MAX_CACHED: u32 = 256;
/// The longest path that is looked for among them.
const MAX_CACHED_PATH: usize = 128;
/// Seconds after which a path is looked up again, from the root's on: it may lead to another file.
const VALID: u64 = 1;

/// To look at what is there without opening it: a pipe's writer would take that for a reader, a device may act on it.
const LOOK: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
/// The same for a folder only.
const FOLDER: OFlags = LOOK.union(OFlags::DIRECTORY);
/// A file may have become something else before it is opened by its path: nothing waits then.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// File systems whose files are made when they are read, and have no true size before: proc, sysfs, configfs, debugfs, tracefs,
/// securityfs, SELinux, Smack, AppArmor, both of cgroups, resctrl, binfmt_misc, bpf, efivarfs, pstore, Xen's, message queues.
const MADE: &[i64] = &[
    0x9fa0,
    0x6265_6572,
    0x6265_6570,
    0x6462_6720,
    0x7472_6163,
    0x7363_6673,
    0xf97c_ff8c,
    0x4341_5d53,
    0x5a3c_69f0,
    0x27_e0eb,
    0x6367_7270,
    0x765_5821,
    0x4249_4e4d,
    0xcafe_4a11,
    0xde5e_81e4,
    0x6165_676c,
    0xabba_1974,
    0x1980_0202,
];
/// File systems that keep no time of change, or one that somebody chose: FAT, exFAT, what FUSE serves, and images, of which a
/// new one can stand in the place of another: squashfs, EROFS, ISO 9660, cramfs, romfs, UDF.
const TIMELESS: &[i64] =
    &[0x4d44, 0x2011_bab0, 0x6573_5546, 0x7371_7368, 0xe0f5_e1e2, 0x9660, 0x28cd_3d45, 0x7275, 0x1501_3346];

/// The number of an open file.
pub type FileId = u32;

/// Device, inode and the time of its last change: nobody has taken the right to read it away since.
type Identity = (u64, u64, i64, u32);

struct File {
    fd: OwnedFd,
    identity: Identity,
    /// Its file system keeps no time of change.
    timeless: bool,
    /// How many need it, the cache among them.
    uses: u32,
    /// When its path was looked up.
    looked_up: u64,
    path: [u8; MAX_CACHED_PATH],
    path_len: usize,
}

/// What a path leads to.
pub enum Found {
    File(FileId, Meta),
    Folder,
}

pub struct Files {
    root_path: &'static CStr,
    root: OwnedFd,
    root_looked_up: u64,
    /// The kernel has openat2(2).
    beneath: bool,
    /// A device, and the type of its file system: of files in a row, most are on the same.
    device: Option<(u64, i64)>,
    files: Slab<File>,
    /// Where a path is, if it is cached, by its hash.
    cache: [Option<FileId>; MAX_CACHED as usize],
    /// So many of these places are used.
    cached: u32,
}

impl Files {
    /// For as many files at a time as there are connections, and for `cached` that stay open, [`MAX_CACHED`] at the most.
    pub fn new(root_path: &'static CStr, connections: u32, cached: u32) -> Result<Self> {
        let root = openat(CWD, root_path, FOLDER, Mode::empty())?;
        // ENOSYS before Linux 5.6, EPERM or ENOSYS of a filter.
        let beneath = openat2(&root, c".", LOOK, Mode::empty(), ResolveFlags::BENEATH).is_ok();
        let files = Slab::new(connections + cached)?;
        let cache = [None; MAX_CACHED as usize];
        Ok(Self { root_path, root, root_looked_up: 0, beneath, device: None, files, cache, cached })
    }

    /// No file is open: none is in use, and none is kept for the next request.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Opens what the path leads to, or finds it open. A file is the caller's until [`release`](Self::release).
    pub fn open(&mut self, path: &Path, now: u64) -> core::result::Result<Found, Status> {
        let bucket = (hash(path.as_bytes()) % u64::from(self.cached.max(1))) as usize;
        let cached = self.cache.get(bucket).copied().flatten().filter(|&id| {
            self.files.get(id).is_some_and(|file| file.path.get(..file.path_len) == Some(path.as_bytes()))
        });
        if let Some(id) = cached
            && let Some(file) = self.files.get(id)
            && now - file.looked_up <= VALID
        {
            // A file that was replaced has no name any more.
            if let Ok(stat) = fstat(&file.fd)
                && stat.st_nlink > 0
            {
                file.uses += 1;
                return Ok(Found::File(id, meta(&stat, file.timeless)));
            }
        }
        let looked_up = match self.look_up(path, cached, now) {
            // Files that nobody reads hold descriptors.
            Err(Errno::MFILE | Errno::NFILE) if self.evict() => self.look_up(path, None, now),
            looked_up => looked_up,
        };
        let (file, stat) = match looked_up.map_err(status)? {
            LookedUp::Folder => return Ok(Found::Folder),
            LookedUp::Same(id, stat) => {
                let Some(file) = self.files.get(id) else { return Err(Status::INTERNAL) };
                file.uses += 1;
                file.looked_up = now;
                return Ok(Found::File(id, meta(&stat, file.timeless)));
            }
            LookedUp::File(file, stat) => (file, stat),
        };
        let meta = meta(&stat, file.timeless);
        let id = self.files.insert(file).map_err(|_| Status::UNAVAILABLE)?;
        self.keep(id, path, bucket);
        Ok(Found::File(id, meta))
    }

    /// Opens what the path leads to; not if it is still the cached file.
    fn look_up(&mut self, path: &Path, cached: Option<FileId>, now: u64) -> Result<LookedUp> {
        if now > self.root_looked_up {
            // A deployment may have put another folder in its place, or a link to another. It can be of another device.
            self.root = openat(CWD, self.root_path, FOLDER, Mode::empty())?;
            (self.root_looked_up, self.device) = (now, None);
        }
        let seen = self.open_beneath(path.as_c_str(), LOOK)?;
        let stat = fstat(&seen)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => return Ok(LookedUp::Folder),
            _ => return Err(Errno::NOENT),
        }
        let identity = identity(&stat);
        if let Some(id) = cached
            && self.files.get(id).is_some_and(|file| file.identity == identity)
        {
            return Ok(LookedUp::Same(id, stat));
        }
        let file_system = match self.device {
            Some((device, file_system)) if device == stat.st_dev => file_system,
            _ => i64::from(fstatfs(&seen)?.f_type as u32), // a long, of which no name of a file system has more
        };
        self.device = Some((stat.st_dev, file_system));
        if MADE.contains(&file_system) {
            return Err(Errno::NOENT);
        }
        let fd = match openat(CWD, by_number(&seen).as_c_str(), READ, Mode::empty()) {
            // Nobody has mounted /proc. It is the same file only if nobody has changed the path meanwhile.
            Err(Errno::NOENT) => {
                let fd = self.open_beneath(path.as_c_str(), READ)?;
                let opened = fstat(&fd)?;
                if (opened.st_dev, opened.st_ino) != (stat.st_dev, stat.st_ino) {
                    return Err(Errno::AGAIN);
                }
                fd
            }
            opened => opened?,
        };
        // A file that says it is empty, and is not, is made when it is read.
        if stat.st_size == 0 && pread(&fd, &mut [0], 0)? > 0 {
            return Err(Errno::NOENT);
        }
        let timeless = TIMELESS.contains(&file_system);
        let file = File { fd, identity, timeless, uses: 1, looked_up: now, path: [0; MAX_CACHED_PATH], path_len: 0 };
        Ok(LookedUp::File(file, stat))
    }

    /// Keeps the file for the next request in place of what is there.
    fn keep(&mut self, id: FileId, path: &Path, bucket: usize) {
        let Some(file) = self.files.get(id) else { return };
        let Some(place) = file.path.get_mut(..path.as_bytes().len()) else { return };
        if self.cached == 0 {
            return;
        }
        place.copy_from_slice(path.as_bytes());
        file.path_len = place.len();
        file.uses += 1;
        let Some(old) = self.cache.get_mut(bucket).and_then(|place| place.replace(id)) else { return };
        self.release(old);
    }

    /// The descriptor of a file in use.
    pub fn fd(&mut self, id: FileId) -> Option<BorrowedFd<'_>> {
        self.files.get(id).map(|file| file.fd.as_fd())
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
        self.forget(|file| now - file.looked_up > VALID);
    }

    /// Closes cached files that nobody reads, because descriptors are needed. Whether there were any.
    pub fn evict(&mut self) -> bool {
        self.forget(|file| file.uses == 1)
    }

    fn forget(&mut self, which: impl Fn(&File) -> bool) -> bool {
        let mut any = false;
        for bucket in 0..self.cache.len() {
            let Some(place) = self.cache.get_mut(bucket) else { break };
            let Some(id) = *place else { continue };
            if self.files.get(id).is_some_and(|file| which(file)) {
                *place = None;
                self.release(id);
                any = true;
            }
        }
        any
    }

    /// A link may lead from one place below the root to another, and nothing may lead out of it. Without openat2(2), no
    /// link is followed at all.
    fn open_beneath(&self, path: &CStr, flags: OFlags) -> Result<OwnedFd> {
        if self.beneath {
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
            // EAGAIN: a folder on the way was moved meanwhile, and it cannot be told that it stayed below the root.
            let opened = (0..8)
                .map(|_| openat2(&self.root, path, flags, Mode::empty(), resolve))
                .find(|opened| !matches!(opened, Err(Errno::AGAIN)))
                .unwrap_or(Err(Errno::AGAIN));
            return match opened {
                // Nobody learns what is outside.
                Err(Errno::XDEV) if flags == LOOK => self.look_inside(path).map_err(|_| Errno::XDEV),
                opened => opened,
            };
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
    /// Follows absolute links, which the kernel takes for a way out. What is found counts if its own path is below the root's.
    fn look_inside(&self, path: &CStr) -> Result<OwnedFd> {
        let found = openat2(&self.root, path, LOOK, Mode::empty(), ResolveFlags::NO_MAGICLINKS)?;
        let (mut root, mut name) = ([MaybeUninit::uninit(); 4096], [MaybeUninit::uninit(); 4096]);
        let (root, room) = readlinkat_raw(CWD, by_number(&self.root).as_c_str(), &mut root)?;
        let (name, name_room) = readlinkat_raw(CWD, by_number(&found).as_c_str(), &mut name)?;
        let below = name.strip_prefix(root.strip_suffix(b"/").unwrap_or(root));
        let inside = root.starts_with(b"/") && matches!(below, Some([] | [b'/', ..]));
        // Without room left, a path may have been cut.
        if inside && !room.is_empty() && !name_room.is_empty() { Ok(found) } else { Err(Errno::XDEV) }
    }
}

/// What a path was looked up to be.
enum LookedUp {
    Folder,
    /// The file that is cached.
    Same(FileId, Stat),
    File(File, Stat),
}

/// A path of a descriptor's number.
struct ByNumber([u8; 32]);

impl ByNumber {
    fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or(c"")
    }
}

/// The path by which what is open can be opened in another way, or which is a link to its own.
fn by_number(fd: &OwnedFd) -> ByNumber {
    let mut path = ByNumber([0; 32]);
    let mut number = fd.as_raw_fd();
    let prefix = b"/proc/self/fd/";
    let digits = path.0.iter_mut().skip(prefix.len()).take(number.checked_ilog10().unwrap_or(0) as usize + 1);
    for digit in digits.rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    path.0[..prefix.len()].copy_from_slice(prefix);
    path
}

fn identity(stat: &Stat) -> Identity {
    (stat.st_dev, stat.st_ino, stat.st_ctime, stat.st_ctime_nsec as u32)
}

fn meta(stat: &Stat, timeless: bool) -> Meta {
    Meta {
        len: u64::try_from(stat.st_size).unwrap_or(0),
        inode: stat.st_ino,
        // A change before 1970 is none that the clock can tell.
        changed: if timeless { 0 } else { u64::try_from(stat.st_ctime).unwrap_or(0) },
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
