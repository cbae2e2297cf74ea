//! FreeBSD's system calls that the checks need beside the crate's own, by the crate's stubs.

use core::ffi::CStr;
use core::fmt::{self, Write};
use core::ptr::without_provenance_mut;

use bare_sendfile::fd::{AsRawFd, FromRawFd, OwnedFd};

#[path = "../../../arch/freebsd/mod.rs"]
mod arch;

const EXIT: usize = 1;
const FORK: usize = 2;
const READ: usize = 3;
const WRITE: usize = 4;
const OPEN: usize = 5;
const WAIT4: usize = 7;
const UNLINK: usize = 10;
const GETPID: usize = 20;
const ACCEPT: usize = 30;
const GETSOCKNAME: usize = 32;
const SETITIMER: usize = 83;
const FCNTL: usize = 92;
const SOCKET: usize = 97;
const CONNECT: usize = 98;
const BIND: usize = 104;
const SETSOCKOPT: usize = 105;
const LISTEN: usize = 106;
const GETSOCKOPT: usize = 118;
const SOCKETPAIR: usize = 135;
const SYSCTL: usize = 202;
const NANOSLEEP: usize = 240;
const MMAP: usize = 477;
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

pub fn exit(status: i32) -> ! {
    loop {
        call3(EXIT, status as usize, 0, 0);
    }
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

/// Ends this process by a signal, should it still be there after so many seconds.
pub fn die_after(seconds: i64) {
    const ITIMER_REAL: usize = 0;
    // struct itimerval: no interval, then the time.
    let mut timer = [0, 0, seconds, 0];
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
    call3(READ, number(fd), buffer.as_mut_ptr().expose_provenance(), buffer.len()).max(0) as usize
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
            exit(0)
        }
        pid => pid,
    }
}

pub fn wait(pid: usize) {
    must(call3(WAIT4, pid, 0, 0));
}

pub fn sleep_milliseconds(ms: i64) {
    let mut time = [ms / 1000, ms % 1000 * 1_000_000];
    call3(NANOSLEEP, address(&mut time), 0, 0);
}

/// A byte that a child shares.
pub fn shared_byte() -> *mut u8 {
    const PROT_READ_WRITE: usize = 3;
    const MAP_SHARED_ANON: usize = 0x1001;
    let place = must(call(MMAP, [0, 4096, PROT_READ_WRITE, MAP_SHARED_ANON, usize::MAX, 0, 0]));
    core::ptr::with_exposed_provenance_mut(place)
}
