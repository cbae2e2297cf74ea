//! FreeBSD's system calls that the checks need beside the crate's own, by the crate's stubs.

use core::ffi::CStr;
use core::fmt::{self, Write};
use core::ptr::without_provenance_mut;

use bare_sendfile::fd::{AsRawFd, FromRawFd, OwnedFd};

#[path = "../../../arch/freebsd/mod.rs"]
mod arch;

const FORK: usize = 2;
pub const READ: usize = 3;
const WRITE: usize = 4;
const OPEN: usize = 5;
const CLOSE: usize = 6;
const WAIT4: usize = 7;
const UNLINK: usize = 10;
pub const GETPID: usize = 20;
const ACCEPT: usize = 30;
const UNMOUNT: usize = 22;
const GETSOCKNAME: usize = 32;
const DUP: usize = 41;
const IOCTL: usize = 54;
const SETITIMER: usize = 83;
const FCNTL: usize = 92;
const SOCKET: usize = 97;
const CONNECT: usize = 98;
const BIND: usize = 104;
const SETSOCKOPT: usize = 105;
const LISTEN: usize = 106;
const GETSOCKOPT: usize = 118;
const SOCKETPAIR: usize = 135;
const MKDIR: usize = 136;
const RMDIR: usize = 137;
const SYSCTL: usize = 202;
const CLOCK_GETTIME: usize = 232;
const NANOSLEEP: usize = 240;
const MMAP: usize = 477;
const FTRUNCATE: usize = 480;
const CAP_RIGHTS_LIMIT: usize = 533;
const NMOUNT: usize = 378;
const SIGACTION: usize = 416;
const SHM_OPEN2: usize = 571;

/// `O_RDWR | O_CREAT | O_EXCL`
const O_NEW: usize = 2 | 0x200 | 0x800;
pub const SOCK_STREAM: usize = 1;
pub const SOCK_DGRAM: usize = 2;
const AF_UNIX: usize = 1;
const AF_INET: usize = 2;
const F_SETFL: usize = 4;
const O_NONBLOCK: usize = 4;
const SOL_SOCKET: usize = 0xffff;
const SO_SNDBUF: usize = 0x1001;
const SO_RCVBUF: usize = 0x1002;
const SO_ERROR: usize = 0x1007;
const SO_SNDTIMEO: usize = 0x1005;
const SO_RCVTIMEO: usize = 0x1006;

/// The result, or the error number negated.
fn call(number: usize, arguments: [usize; 7]) -> isize {
    let [a, b, c, d, e, f, g] = arguments.map(without_provenance_mut::<()>);
    // SAFETY: the callers below give descriptors, and addresses of memory that they hold, exposed, for the call.
    unsafe { arch::syscall7(number, a, b, c, d, e, f, g) }
}

fn call3(number: usize, a: usize, b: usize, c: usize) -> isize {
    call(number, [a, b, c, 0, 0, 0, 0])
}

/// Of a call that must succeed.
#[track_caller]
fn must(result: isize) -> usize {
    assert!(result >= 0, "error {}", -result);
    result as usize
}

/// The error number of a call that failed.
fn done(result: isize) -> Result<(), i32> {
    if result < 0 { Err(-result as i32) } else { Ok(()) }
}

/// A descriptor, or the error number.
fn owned(result: isize) -> Result<OwnedFd, i32> {
    done(result)?;
    // SAFETY: the kernel has just opened it.
    Ok(unsafe { OwnedFd::from_raw_fd(result as i32) })
}

fn number(fd: &OwnedFd) -> usize {
    fd.as_raw_fd() as usize
}

fn address<T>(of: &mut T) -> usize {
    (&raw mut *of).expose_provenance()
}

struct Stdout;

impl Write for Stdout {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        call3(WRITE, 1, text.as_ptr().expose_provenance(), text.len());
        Ok(())
    }
}

pub fn say(text: fmt::Arguments<'_>) {
    let _ = Stdout.write_fmt(text);
}

/// Ends this process by a signal if it still runs after so many seconds.
pub fn die_after(seconds: i64) {
    const ITIMER_REAL: usize = 0;
    // struct itimerval: no interval, then the time.
    let mut timer = [0, 0, seconds, 0];
    must(call3(SETITIMER, ITIMER_REAL, address(&mut timer), 0));
}

/// `struct sigaction`.
#[repr(C)]
struct SigAction {
    handler: extern "C" fn(i32),
    flags: i32,
    mask: [u32; 4],
}

/// Interrupts what this process waits for after so many milliseconds, in the place of ending it later.
pub fn interrupt_after(milliseconds: i64) {
    const ITIMER_REAL: usize = 0;
    const SIGALRM: usize = 14;
    extern "C" fn nothing(_signal: i32) {}

    let mut action = SigAction { handler: nothing, flags: 0, mask: [0; 4] };
    must(call3(SIGACTION, SIGALRM, address(&mut action), 0));
    let mut timer = [0, 0, 0, milliseconds * 1000];
    must(call3(SETITIMER, ITIMER_REAL, address(&mut timer), 0));
}

/// `kern.osreldate`, as 1302001 for 13.2.
pub fn release() -> u32 {
    let (mut name, mut value, mut len) = ([1_i32, 24], 0_u32, 4_usize);
    call(SYSCTL, [address(&mut name), 2, address(&mut value), address(&mut len), 0, 0, 0]);
    value
}

pub fn process() -> usize {
    call3(GETPID, 0, 0, 0) as usize
}

pub fn open(path: &CStr) -> Result<OwnedFd, i32> {
    owned(call3(OPEN, path.as_ptr().expose_provenance(), 0, 0))
}

pub fn open_to_write(path: &CStr) -> Result<OwnedFd, i32> {
    const O_RDWR: usize = 2;
    owned(call3(OPEN, path.as_ptr().expose_provenance(), O_RDWR, 0))
}

/// `struct md_ioctl` of sys/sys/mdioctl.h.
#[repr(C)]
#[derive(Default)]
struct MdIoctl {
    version: u32,
    unit: u32,
    /// `MD_MALLOC`
    kind: u32,
    file: usize,
    mediasize: i64,
    sectorsize: u32,
    options: u32,
    base: u64,
    fwheads: i32,
    fwsectors: i32,
    label: usize,
    pad: [[i32; 32]; 3],
}

/// Makes a disk of memory, of so many bytes, by the descriptor of /dev/mdctl; its number.
pub fn attach_memory_disk(control: &OwnedFd, bytes: usize) -> Result<u32, i32> {
    const MDIOCATTACH: usize = 0xc1c0_6d00;
    const MD_AUTOUNIT: u32 = 4;
    let mut disk = MdIoctl { mediasize: bytes as i64, sectorsize: 512, options: MD_AUTOUNIT, ..Default::default() };
    done(call3(IOCTL, number(control), MDIOCATTACH, address(&mut disk)))?;
    Ok(disk.unit)
}

/// Takes the disk away by force. The kernel may still have it open, to look for partitions on it, and would refuse otherwise.
pub fn detach_memory_disk(control: &OwnedFd, unit: u32) -> Result<(), i32> {
    const MDIOCDETACH: usize = 0xc1c0_6d01;
    const MD_FORCE: u32 = 0x20;
    let mut disk = MdIoctl { unit, options: MD_FORCE, ..Default::default() };
    done(call3(IOCTL, number(control), MDIOCDETACH, address(&mut disk)))
}

pub fn make_folder(path: &CStr) -> Result<(), i32> {
    done(call3(MKDIR, path.as_ptr().expose_provenance(), 0o700, 0))
}

/// Mounts a FAT file system, to be read only.
pub fn mount_fat(folder: &CStr, device: &CStr) -> Result<(), i32> {
    const MNT_RDONLY: usize = 1;
    // Names and values are slices that end with a 0.
    let mut options = [c"fstype", c"msdosfs", c"fspath", folder, c"from", device]
        .map(|text| [text.as_ptr().expose_provenance(), text.count_bytes() + 1]);
    done(call3(NMOUNT, address(&mut options), options.len(), MNT_RDONLY))
}

/// Unmounts what is there, if anything is, and takes the folder away.
pub fn unmount(folder: &CStr) {
    const MNT_FORCE: usize = 0x8_0000;
    call3(UNMOUNT, folder.as_ptr().expose_provenance(), MNT_FORCE, 0);
    call3(RMDIR, folder.as_ptr().expose_provenance(), 0, 0);
}

/// A new file that has no name any more.
pub fn temporary(path: &CStr) -> Result<OwnedFd, i32> {
    let file = owned(call3(OPEN, path.as_ptr().expose_provenance(), O_NEW, 0o600))?;
    call3(UNLINK, path.as_ptr().expose_provenance(), 0, 0);
    Ok(file)
}

/// An object of shared memory, which grows as it is written to.
pub fn shared_memory() -> Result<OwnedFd, i32> {
    const SHM_ANON: usize = 1;
    const O_RDWR: usize = 2;
    const SHM_GROW_ON_WRITE: usize = 2;
    owned(call(SHM_OPEN2, [SHM_ANON, O_RDWR, 0o600, SHM_GROW_ON_WRITE, 0, 0, 0]))
}

/// Whether all of it was written.
pub fn write(fd: &OwnedFd, bytes: &[u8]) -> bool {
    call3(WRITE, number(fd), bytes.as_ptr().expose_provenance(), bytes.len()) == bytes.len() as isize
}

/// As much as there is, up to the buffer's length; 0 if nothing comes.
pub fn read(fd: &OwnedFd, buffer: &mut [u8]) -> usize {
    read_or_error(fd, buffer).unwrap_or(0)
}

/// As much as there is, 0 at the end, or the error number.
pub fn read_or_error(fd: &OwnedFd, buffer: &mut [u8]) -> Result<usize, i32> {
    let result = call3(READ, number(fd), buffer.as_mut_ptr().expose_provenance(), buffer.len());
    done(result).map(|()| result as usize)
}

/// Another descriptor of the same file.
pub fn duplicate(fd: &OwnedFd) -> OwnedFd {
    owned(call3(DUP, number(fd), 0, 0)).unwrap_or_else(|errno| panic!("no more descriptors: error {errno}"))
}

pub fn truncate(fd: &OwnedFd, size: usize) {
    must(call3(FTRUNCATE, number(fd), size, 0));
}

/// Rights of sys/capsicum.h, all of the first word.
pub const CAP_WRITE: u64 = 2;
pub const CAP_PREAD: u64 = 0xd;
pub const CAP_GETSOCKOPT: u64 = 1 << 34;
pub const CAP_SETSOCKOPT: u64 = 1 << 37;

/// Leaves the descriptor these rights alone.
pub fn limit_rights(fd: &OwnedFd, rights: u64) -> Result<(), i32> {
    // Each word says which one it is.
    let mut words = [1 << 57 | rights, 1 << 58];
    done(call3(CAP_RIGHTS_LIMIT, number(fd), address(&mut words), 0))
}

pub fn set_nonblocking(fd: &OwnedFd) {
    must(call3(FCNTL, number(fd), F_SETFL, O_NONBLOCK));
}

/// An option of a socket. Not all of them matter.
fn set<T>(fd: &OwnedFd, option: usize, mut value: T) {
    call(SETSOCKOPT, [number(fd), SOL_SOCKET, option, address(&mut value), size_of::<T>(), 0, 0]);
}

/// No call waits for longer than ten seconds.
fn limit_time(fd: &OwnedFd) {
    // struct timeval
    set(fd, SO_SNDTIMEO, [10_i64, 0]);
    set(fd, SO_RCVTIMEO, [10_i64, 0]);
}

pub fn set_send_buffer(fd: &OwnedFd, bytes: i32) {
    set(fd, SO_SNDBUF, bytes);
}

/// The error that the socket keeps.
pub fn socket_error(fd: &OwnedFd) -> i32 {
    let (mut value, mut len) = (0_i32, 4_u32);
    must(call(GETSOCKOPT, [number(fd), SOL_SOCKET, SO_ERROR, address(&mut value), address(&mut len), 0, 0]));
    value
}

/// Two connected sockets: sender, receiver.
pub fn socket_pair(kind: usize) -> Result<(OwnedFd, OwnedFd), i32> {
    let mut fds = [0_i32; 2];
    done(call(SOCKETPAIR, [AF_UNIX, kind, 0, address(&mut fds), 0, 0, 0]))?;
    // SAFETY: the kernel has just opened both.
    let pair = unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) };
    limit_time(&pair.0);
    limit_time(&pair.1);
    Ok(pair)
}

pub fn tcp_socket() -> Result<OwnedFd, i32> {
    owned(call3(SOCKET, AF_INET, SOCK_STREAM, 0))
}

/// A connection over loopback: sender, receiver, with buffers that do not grow.
pub fn tcp() -> Result<(OwnedFd, OwnedFd), i32> {
    // struct sockaddr_in: length, family, port (any), address, eight of nothing.
    let mut name = [16, AF_INET as u8, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0_u8];
    let mut len = name.len() as u32;
    let listener = tcp_socket()?;
    limit_time(&listener);
    set(&listener, SO_RCVBUF, 65_536_i32); // accepted sockets inherit it
    done(call3(BIND, number(&listener), address(&mut name), 16))?;
    done(call3(LISTEN, number(&listener), 1, 0))?;
    done(call3(GETSOCKNAME, number(&listener), address(&mut name), address(&mut len)))?;
    let sender = tcp_socket()?;
    limit_time(&sender);
    set(&sender, SO_SNDBUF, 65_536_i32);
    done(call3(CONNECT, number(&sender), address(&mut name), 16))?;
    let receiver = owned(call3(ACCEPT, number(&listener), 0, 0))?;
    limit_time(&receiver);
    Ok((sender, receiver))
}

/// An option of TCP: not 0 if it is set.
pub fn tcp_option(fd: &OwnedFd, option: usize) -> i32 {
    const IPPROTO_TCP: usize = 6;
    let (mut value, mut len) = (0_i32, 4_u32);
    must(call(GETSOCKOPT, [number(fd), IPPROTO_TCP, option, address(&mut value), address(&mut len), 0, 0]));
    value
}

/// Runs `child` in a process of its own, which ends with it, or after so many seconds; the number of the process.
pub fn fork(seconds: i64, child: impl FnOnce()) -> usize {
    match must(call3(FORK, 0, 0, 0)) {
        0 => {
            die_after(seconds);
            child();
            start::exit(0)
        }
        pid => pid,
    }
}

/// Closes the child's copy of a descriptor. The child ends without its destructors.
pub fn close_in_child(fd: &OwnedFd) {
    must(call3(CLOSE, number(fd), 0, 0));
}

pub fn wait(pid: usize) {
    must(call3(WAIT4, pid, 0, 0));
}

pub fn sleep_milliseconds(ms: i64) {
    let mut time = [ms / 1000, ms % 1000 * 1_000_000];
    call3(NANOSLEEP, address(&mut time), 0, 0);
}

/// Milliseconds of a clock that only goes on.
pub fn milliseconds() -> i64 {
    const CLOCK_MONOTONIC: usize = 4;
    let mut time = [0_i64; 2];
    must(call3(CLOCK_GETTIME, CLOCK_MONOTONIC, address(&mut time), 0));
    time[0] * 1000 + time[1] / 1_000_000
}

/// 4096 bytes that a child shares.
pub fn shared_bytes() -> *mut u8 {
    const PROT_READ_WRITE: usize = 3;
    const MAP_SHARED_ANON: usize = 0x1001;
    let place = must(call(MMAP, [0, 4096, PROT_READ_WRITE, MAP_SHARED_ANON, usize::MAX, 0, 0]));
    core::ptr::with_exposed_provenance_mut(place)
}
