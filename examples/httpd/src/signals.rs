//! Signals as events.

use rustix::fd::{FromRawFd, OwnedFd};
use rustix::io::{Errno, Result, read};
use syscalls::{Sysno, syscall};

const SIGINT: u64 = 1 << 1;
const SIGPIPE: u64 = 1 << 12;
const SIGTERM: u64 = 1 << 14;
const SIG_BLOCK: usize = 0;
const SFD_NONBLOCK: usize = 0o4000;
const SFD_CLOEXEC: usize = 0o2000000;

/// Becomes readable on SIGTERM and SIGINT, which do nothing else from now on, not even to the first process of a container. SIGPIPE, which sendfile raises when a client
/// has gone, does nothing at all.
pub fn termination() -> Result<OwnedFd> {
    let (blocked, wanted) = (SIGINT | SIGTERM | SIGPIPE, SIGINT | SIGTERM);
    // SAFETY: rt_sigprocmask(2) reads the eight bytes of `blocked`, as the last argument says, and writes no old set.
    unsafe { syscall!(Sysno::rt_sigprocmask, SIG_BLOCK, &raw const blocked, 0, size_of::<u64>()) }.map_err(errno)?;
    // SAFETY: signalfd4(2) reads the eight bytes of `wanted`, as the third argument says.
    let fd = unsafe {
        syscall!(Sysno::signalfd4, -1_isize, &raw const wanted, size_of::<u64>(), SFD_NONBLOCK | SFD_CLOEXEC)
    };
    // SAFETY: it is open, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd.map_err(errno)? as i32) })
}

/// The number of a signal that came.
pub fn next(signals: &OwnedFd) -> Option<u8> {
    let mut info = [0; 128]; // struct signalfd_siginfo, which begins with the number, its low byte first
    read(signals, &mut info).ok()?;
    Some(info[0])
}

fn errno(errno: syscalls::Errno) -> Errno {
    Errno::from_raw_os_error(errno.into_raw())
}
