//! H11, a block that cannot be read: a FAT file system on a memory disk that is smaller than the file system says, with a file that reaches
//! beyond the disk. It takes root's rights, and leaves nothing.

use core::fmt::Write;

use bare_sendfile::fd::OwnedFd;
use bare_sendfile::{Count, Errno, Error, IoSlice, Transfer, sendfile_hdtr};

use crate::kernel::{self, SOCK_STREAM};
use crate::{Checks, FOLDERS, NONE, Name, Pair, connected};

const SECTOR: usize = 512;
/// Sectors of the disk, and those that the file system says it has.
const SECTORS: usize = 128;
const STATED: u16 = 1024;
/// Of the file, whose clusters 17 to 19 lie behind the disk's end. (The first data cluster is 2, in sector 3.)
const SECTORS_A_CLUSTER: u8 = 8;
const FIRST: u16 = 10;
const LAST: u16 = 19;
const FILE: u32 = 10 * 4096;

/// One sector of the file system: the boot sector, the table of clusters, the root folder, and nothing.
fn sector(number: usize) -> [u8; SECTOR] {
    let mut sector = [0; SECTOR];
    let mut put = |at: usize, bytes: &[u8]| sector[at..at + bytes.len()].copy_from_slice(bytes);
    match number {
        0 => {
            put(0, &[0xeb, 0x3c, 0x90]);
            put(3, b"MSDOS5.0");
            put(11, &(SECTOR as u16).to_le_bytes());
            // One reserved sector, one table, 16 entries in the root folder.
            put(13, &[SECTORS_A_CLUSTER, 1, 0, 1, 16, 0]);
            put(19, &STATED.to_le_bytes());
            // The kind of medium, one sector of table, 32 sectors a track, two heads.
            put(21, &[0xf8, 1, 0, 32, 0, 2, 0]);
            put(510, &[0x55, 0xaa]);
        }
        1 => {
            put(0, &[0xf8, 0xff, 0xff]);
            for cluster in FIRST..=LAST {
                let next = if cluster == LAST { 0xfff } else { cluster + 1 };
                // Twelve bits each.
                let (at, shift) = (usize::from(cluster) * 3 / 2, cluster % 2 * 4);
                let word = (next << shift).to_le_bytes();
                sector[at] |= word[0];
                sector[at + 1] |= word[1];
            }
        }
        2 => {
            put(0, b"BAD     BIN");
            put(26, &FIRST.to_le_bytes());
            put(28, &FILE.to_le_bytes());
        }
        _ => {}
    }
    sector
}

/// The mounted file, and what has to be undone.
struct Disk {
    control: OwnedFd,
    unit: u32,
    folder: Name,
    file: Option<OwnedFd>,
}

impl Disk {
    /// Makes the disk, the file system and a place for it, and opens the file.
    fn new() -> Result<Self, i32> {
        let control = kernel::open_to_write(c"/dev/mdctl")?;
        let unit = kernel::attach_memory_disk(&control, SECTORS * SECTOR)?;
        let mut disk = Self { control, unit, folder: Name::default(), file: None };
        let (mut device, mut path) = (Name::default(), Name::default());
        let _ = write!(device, "/dev/md{unit}");
        {
            // The device's name can come a little later than the disk.
            let mut raw = kernel::open_to_write(device.as_c_str());
            for _ in 0..100 {
                if raw.is_err() {
                    kernel::sleep_milliseconds(10);
                    raw = kernel::open_to_write(device.as_c_str());
                }
            }
            let raw = raw?;
            if !(0..SECTORS).all(|number| kernel::write(&raw, &sector(number))) {
                return Err(Errno::EIO.raw_os_error());
            }
        }
        let mut made = Err(0);
        for folder in FOLDERS {
            disk.folder = Name::default();
            let _ = write!(disk.folder, "{folder}/bsd_check.{}", kernel::process());
            made = kernel::make_folder(disk.folder.as_c_str());
            if made.is_ok() {
                break;
            }
        }
        made?;
        kernel::mount_fat(disk.folder.as_c_str(), device.as_c_str())?;
        let _ = write!(path, "{}/BAD.BIN", disk.folder.as_c_str().to_str().unwrap_or_default());
        disk.file = Some(kernel::open(path.as_c_str())?);
        Ok(disk)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.file = None;
        kernel::unmount(self.folder.as_c_str());
        kernel::detach_memory_disk(&self.control, self.unit);
    }
}

/// sendfile may have returned before the disk was read. The next call says what came of it.
pub fn bad_block(checks: &mut Checks, pairs: &[(&str, Pair)]) {
    let disk = match Disk::new() {
        Ok(disk) => disk,
        Err(errno) => return checks.skip("H11 a block that cannot be read", errno),
    };
    let Some(file) = &disk.file else { return };
    let eio = Err(Error::Errno(Errno::EIO));
    for &(name, pair) in pairs {
        let (sender, receiver) = pair();
        let reader = kernel::fork(60, || {
            kernel::close_in_child(&sender);
            let mut buffer = [0; 4096];
            while kernel::read(&receiver, &mut buffer) > 0 {}
        });
        drop(receiver);
        let (headers, trailers) = ([IoSlice::new(b"header")], [IoSlice::new(b"trail")]);
        let mut found = Ok(0);
        for _ in 0..5 {
            found = sendfile_hdtr(&sender, file, 0, Count::ToEnd, &headers, &trailers, NONE).bytes();
            if found.is_err() {
                break;
            }
            kernel::sleep_milliseconds(200);
        }
        crate::say(format_args!("        {name}\n"));
        checks.equal("H11 a block that cannot be read: sendfile", found, eio);
        drop(sender);
        kernel::wait(reader);
    }
    let (sender, _receiver) = connected(kernel::socket_pair(SOCK_STREAM));
    let found = Transfer::new(28_672, 4096, &[], &[])
        .and_then(|transfer| transfer.copying().send_all(&sender, file, &[], &[], &mut [0; 4096]).map(|()| 0));
    checks.equal("H11 a block that cannot be read: a copy", found, eio);
}
