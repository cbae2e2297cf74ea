//! The kernel by rustix.

use core::ffi::CStr;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsRawFd, BorrowedFd, IntoRawFd};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::{Errno, try_close};

pub type Fd = BorrowedFd<'static>;

// SAFETY: a shell opens both, and the first is closed when nothing more is written to it. Where nobody did, the kernel says EBADF: of the files that
// this program opens, the first would take the number, and `openat` refuses that, which ends the program.
pub const STDOUT: Fd = unsafe { BorrowedFd::borrow_raw(1) };
// SAFETY: as above.
pub const STDERR: Fd = unsafe { BorrowedFd::borrow_raw(2) };

/// For reading.
pub fn open(name: &CStr) -> Result<Fd, i32> {
    openat(name, OFlags::RDONLY)
}

/// For writing, if there is no such file yet.
pub fn create(name: &CStr) -> Result<Fd, i32> {
    openat(name, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)
}

fn openat(name: &CStr, flags: OFlags) -> Result<Fd, i32> {
    let fd = rustix::fs::openat(CWD, name, flags, Mode::from_raw_mode(0o666)).map_err(Errno::raw_os_error)?;
    match fd.into_raw_fd() {
        // The number of a standard stream that nobody opened: what is written there would go into the file.
        ..=2 => Err(Errno::BADF.raw_os_error()),
        // SAFETY: it was just opened, and nobody closes it before the program ends.
        fd => Ok(unsafe { BorrowedFd::borrow_raw(fd) }),
    }
}

pub fn sendfile(out_fd: Fd, in_fd: Fd, offset: &mut u64, count: usize) -> Result<usize, i32> {
    rustix::fs::sendfile(out_fd, in_fd, Some(offset), count).map_err(Errno::raw_os_error)
}

/// Waits until `fd` takes bytes.
pub fn wait(fd: Fd) {
    // It ends early only by a signal, which is as good.
    let _ = poll(&mut [PollFd::new(&fd, PollFlags::OUT)], None);
}

/// The last of what is done with `fd`.
pub fn close(fd: Fd) -> Result<(), i32> {
    // SAFETY: it is open, and nobody uses it any more.
    unsafe { try_close(fd.as_raw_fd()) }.map_err(Errno::raw_os_error)
}

/// A message, as far as it goes: there is nowhere to report a failure to.
pub fn write(fd: Fd, bytes: &[u8]) {
    let _ = rustix::io::write(fd, bytes);
}
