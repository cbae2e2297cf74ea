//! The kernel by this crate, and by `syscalls` for what is not sending a file.

use core::ffi::CStr;

use bare_sendfile::fd::{AsRawFd, BorrowedFd};
use syscalls::{Sysno, syscall};

pub type Fd = BorrowedFd<'static>;

// SAFETY: a shell opens both, and the first is closed when nothing more is written to it. Where nobody did, the kernel says EBADF: of the files that
// this program opens, the first would take the number, and `openat` refuses that, which ends the program.
pub const STDOUT: Fd = unsafe { BorrowedFd::borrow_raw(1) };
// SAFETY: as above.
pub const STDERR: Fd = unsafe { BorrowedFd::borrow_raw(2) };

const EBADF: i32 = 9;
const AT_FDCWD: i32 = -100;
const O_RDONLY: i32 = 0;
/// For files of 2 GiB and more. 64-bit processors need no flag for them.
const O_LARGEFILE: i32 = if cfg!(target_pointer_width = "64") {
    0
} else if cfg!(target_arch = "arm") {
    0o400_000
} else if cfg!(target_arch = "powerpc") {
    0o200_000
} else {
    0o100_000
};
const O_WRONLY: i32 = 1;
const O_CREAT: i32 = 0o100;
const O_EXCL: i32 = 0o200;

/// For reading.
pub fn open(name: &CStr) -> Result<Fd, i32> {
    openat(name, O_RDONLY)
}

/// For writing, if there is no such file yet.
pub fn create(name: &CStr) -> Result<Fd, i32> {
    openat(name, O_WRONLY | O_CREAT | O_EXCL)
}

fn openat(name: &CStr, flags: i32) -> Result<Fd, i32> {
    // SAFETY: the kernel reads `name` to its zero byte.
    match unsafe { syscall!(Sysno::openat, AT_FDCWD, name.as_ptr(), flags | O_LARGEFILE, 0o666) } {
        // The number of a standard stream that nobody opened: what is written there would go into the file.
        Ok(..=2) => Err(EBADF),
        // SAFETY: it was just opened, and nobody closes it before the program ends.
        Ok(fd) => Ok(unsafe { BorrowedFd::borrow_raw(fd as i32) }),
        Err(errno) => Err(errno.into_raw()),
    }
}

pub fn sendfile(out_fd: Fd, in_fd: Fd, offset: &mut u64, count: usize) -> Result<usize, i32> {
    bare_sendfile::sendfile(out_fd, in_fd, Some(offset), count).map_err(|errno| errno.raw_os_error())
}

/// Waits until `fd` takes bytes.
pub fn wait(fd: Fd) {
    /// `struct pollfd`
    #[repr(C)]
    struct PollFd {
        fd: i32,
        events: i16,
        revents: i16,
    }
    const POLLOUT: i16 = 4;
    let mut poll = PollFd { fd: fd.as_raw_fd(), events: POLLOUT, revents: 0 };
    // SAFETY: the kernel writes to one such structure; without a time and a set of signals the last three are not looked at.
    // It ends early only by a signal, which is as good.
    let _ = unsafe { syscall!(Sysno::ppoll, &raw mut poll, 1, 0, 0, 0) };
}

/// The last of what is done with `fd`.
pub fn close(fd: Fd) -> Result<(), i32> {
    // SAFETY: the kernel touches no memory, and nobody uses the descriptor any more.
    unsafe { syscall!(Sysno::close, fd.as_raw_fd()) }.map(drop).map_err(|errno| errno.into_raw())
}

/// A message, as far as it goes: there is nowhere to report a failure to.
pub fn write(fd: Fd, bytes: &[u8]) {
    // SAFETY: the kernel only reads the bytes.
    let _ = unsafe { syscall!(Sysno::write, fd.as_raw_fd(), bytes.as_ptr(), bytes.len()) };
}
