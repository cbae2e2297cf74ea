//! FreeBSD's system calls that the checks need beside the crate's own, by the crate's stubs.

use core::ffi::CStr;
use core::fmt::{self, Write};
use core::ptr::without_provenance_mut;

use bare_sendfile::fd::{AsRawFd, FromRawFd, OwnedFd};

#[cfg_attr(target_arch = "x86_64", path = "../../../arch/freebsd/x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "../../../arch/freebsd/aarch64.rs")]
#[cfg_attr(target_arch = "riscv64", path = "../../../arch/freebsd/riscv64.rs")]
#[allow(dead_code)]
mod arch;

const EXIT: usize = 1;
const FORK: usize = 2;
const READ: usize = 3;
const WRITE: usize = 4;
const OPEN: usize = 5;
const WAIT4: usize = 7;
const UNLINK: usize = 10;
const ACCEPT: usize = 30;
const GETSOCKNAME: usize = 32;
const FCNTL: usize = 92;
const SOCKET: usize = 97;
const CONNECT: usize = 98;
const BIND: usize = 104;
const LISTEN: usize = 106;
const GETSOCKOPT: usize = 118;
const SOCKETPAIR: usize = 135;
const NANOSLEEP: usize = 240;
const MMAP: usize = 477;

pub const O_RDONLY: usize = 0;
pub const O_RDWR_CREAT_TRUNC: usize = 2 | 0x200 | 0x400;
pub const SOCK_STREAM: usize = 1;
pub const SOCK_DGRAM: usize = 2;
const AF_UNIX: usize = 1;
const AF_INET: usize = 2;
const F_SETFL: usize = 4;
const O_NONBLOCK: usize = 4;

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

/// Of a call that must give a descriptor.
#[track_caller]
fn owned(result: isize) -> OwnedFd {
    // SAFETY: the kernel has just opened it.
    unsafe { OwnedFd::from_raw_fd(must(result) as i32) }
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

#[track_caller]
pub fn open(path: &CStr, flags: usize) -> OwnedFd {
    owned(call3(OPEN, path.as_ptr().expose_provenance(), flags, 0o600))
}

pub fn unlink(path: &CStr) {
    must(call3(UNLINK, path.as_ptr().expose_provenance(), 0, 0));
}

pub fn write(fd: &OwnedFd, bytes: &[u8]) {
    assert_eq!(must(call3(WRITE, number(fd), bytes.as_ptr().expose_provenance(), bytes.len())), bytes.len());
}

/// As much as there is, up to the buffer's length.
pub fn read(fd: &OwnedFd, buffer: &mut [u8]) -> usize {
    must(call3(READ, number(fd), buffer.as_mut_ptr().expose_provenance(), buffer.len()))
}

/// The same, 0 also if there is nothing.
pub fn read_some(fd: &OwnedFd, buffer: &mut [u8]) -> usize {
    call3(READ, number(fd), buffer.as_mut_ptr().expose_provenance(), buffer.len()).max(0) as usize
}

pub fn set_nonblocking(fd: &OwnedFd) {
    must(call3(FCNTL, number(fd), F_SETFL, O_NONBLOCK));
}

pub fn socket_pair(kind: usize) -> (OwnedFd, OwnedFd) {
    let mut fds = [0_i32; 2];
    must(call(SOCKETPAIR, [AF_UNIX, kind, 0, address(&mut fds), 0, 0, 0]));
    // SAFETY: the kernel has just opened both.
    unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) }
}

pub fn tcp_socket() -> OwnedFd {
    owned(call3(SOCKET, AF_INET, SOCK_STREAM, 0))
}

/// A connection over loopback: sender, receiver.
pub fn tcp() -> (OwnedFd, OwnedFd) {
    // struct sockaddr_in: length, family, port (any), address, eight of nothing.
    let mut name = [16, AF_INET as u8, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0_u8];
    let mut len = name.len() as u32;
    let listener = tcp_socket();
    must(call3(BIND, number(&listener), address(&mut name), 16));
    must(call3(LISTEN, number(&listener), 1, 0));
    must(call3(GETSOCKNAME, number(&listener), address(&mut name), address(&mut len)));
    let sender = tcp_socket();
    must(call3(CONNECT, number(&sender), address(&mut name), 16));
    let receiver = owned(call3(ACCEPT, number(&listener), 0, 0));
    (sender, receiver)
}

/// An option of TCP: not 0 if it is set.
pub fn tcp_option(fd: &OwnedFd, option: usize) -> i32 {
    const IPPROTO_TCP: usize = 6;
    let (mut value, mut len) = (0_i32, 4_u32);
    must(call(GETSOCKOPT, [number(fd), IPPROTO_TCP, option, address(&mut value), address(&mut len), 0, 0]));
    value
}

/// Runs `child` in a process of its own, which ends with it; the number of the process.
pub fn fork(child: impl FnOnce()) -> usize {
    match must(call3(FORK, 0, 0, 0)) {
        0 => {
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
