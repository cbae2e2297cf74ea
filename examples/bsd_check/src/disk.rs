//! H11, a block that cannot be read: a FAT file system on a memory disk, with a file whose last cluster is behind the disk's end. It takes
//! root's rights, and leaves nothing.

use core::fmt::Write;

use bare_sendfile::fd::OwnedFd;
use bare_sendfile::{Count, Errno, Error, IoSlice, Transfer, sendfile_hdtr};

use crate::kernel::{self, SOCK_STREAM, say};
use crate::{Checks, FOLDERS, NONE, Name, Pair, connected};

const SECTOR: usize = 512;
/// Sectors of the disk. The file system must not state more, or the kernel does not mount it (`mountmsdosfs`).
const SECTORS: usize = 128;
const SECTORS_A_CLUSTER: u8 = 8;
/// The file's clusters, of which the last is behind the disk's end. The first of the file system is 2, in sector 3, so that 256 is sector
/// 2035. A read that begins beyond the end fails with `EIO`. A read that only reaches beyond it, as of cluster 17, is cut short without an
/// error (`g_io_check`). The table of clusters has 341 entries, so each of these numbers is in it.
const CLUSTERS: [u16; 8] = [10, 11, 12, 13, 14, 15, 16, 256];
const FILE: u32 = 8 * 4096;
const BAD: u64 = 7 * 4096;

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
            put(19, &(SECTORS as u16).to_le_bytes());
            // The kind of medium, one sector of table, 32 sectors a track, two heads.
            put(21, &[0xf8, 1, 0, 32, 0, 2, 0]);
            put(510, &[0x55, 0xaa]);
        }
        1 => {
            put(0, &[0xf8, 0xff, 0xff]);
            for (at, cluster) in CLUSTERS.into_iter().enumerate() {
                let next = CLUSTERS.get(at + 1).copied().unwrap_or(0xfff);
                // Twelve bits each.
                let (at, shift) = (usize::from(cluster) * 3 / 2, cluster % 2 * 4);
                let word = (next << shift).to_le_bytes();
                sector[at] |= word[0];
                sector[at + 1] |= word[1];
            }
        }
        2 => {
            put(0, b"BAD     BIN");
            put(26, &CLUSTERS[0].to_le_bytes());
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
    /// Makes the disk, the file system and a place for it, and opens the file. Fails with the step that failed, and its error number.
    fn new() -> Result<Self, (&'static str, i32)> {
        let of = |step| move |errno| (step, errno);
        let control = kernel::open_to_write(c"/dev/mdctl").map_err(of("open /dev/mdctl"))?;
        let unit = kernel::attach_memory_disk(&control, SECTORS * SECTOR).map_err(of("make a memory disk"))?;
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
            let raw = raw.map_err(of("open the memory disk"))?;
            if !(0..SECTORS).all(|number| kernel::write(&raw, &sector(number))) {
                return Err(("write to the memory disk", Errno::EIO.raw_os_error()));
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
        made.map_err(of("make a folder"))?;
        kernel::mount_fat(disk.folder.as_c_str(), device.as_c_str()).map_err(of("mount the memory disk"))?;
        let _ = write!(path, "{}/BAD.BIN", disk.folder.as_c_str().to_str().unwrap_or_default());
        disk.file = Some(kernel::open(path.as_c_str()).map_err(of("open the file"))?);
        Ok(disk)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.file = None;
        kernel::unmount(self.folder.as_c_str());
        if let Err(errno) = kernel::detach_memory_disk(&self.control, self.unit) {
            say(format_args!("left    /dev/md{}: error {errno}\n", self.unit));
        }
    }
}

/// sendfile may have returned before the disk was read. The next call says what came of it.
pub fn bad_block(checks: &mut Checks, pairs: &[(&str, Pair)]) {
    let disk = match Disk::new() {
        Ok(disk) => disk,
        Err((step, errno)) => {
            say(format_args!("        not tested, as this process cannot {step}:\n"));
            return checks.skip("H11 a block that cannot be read, by sendfile and by a copy", errno);
        }
    };
    let Some(file) = &disk.file else { return };
    let eio = Err(Error::Errno(Errno::EIO));
    // TCP's abort keeps this error for a moment, before sendfile's reader keeps EIO.
    let aborted = Err(Error::Errno(Errno::ECONNABORTED));
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
            if found.is_err() && found != aborted {
                break;
            }
            kernel::sleep_milliseconds(200);
        }
        say(format_args!("        {name}\n"));
        checks.equal("H11 a block that cannot be read: sendfile", found, eio);
        drop(sender);
        kernel::wait(reader);
    }
    let (sender, _receiver) = connected(kernel::socket_pair(SOCK_STREAM));
    let found = Transfer::new(BAD, 4096, &[], &[])
        .and_then(|transfer| transfer.copying().send_all(&sender, file, &[], &[], &mut [0; 4096]).map(|()| 0));
    checks.equal("H11 a block that cannot be read: a copy", found, eio);
}
