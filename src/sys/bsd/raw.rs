//! System calls by the trap, with the types of their functions in C. A negative result is an error number.

use core::ffi::{c_int, c_void};
use core::ptr::{null_mut, without_provenance_mut};

use super::{MsgHdr, SigAction, SigSetT, arch, nr};

/// Returns an integer as an argument. A C `int` is sign-extended, as C does.
#[inline(always)]
pub(in crate::sys) const fn word(n: isize) -> *mut () {
    without_provenance_mut(n as usize)
}

#[cfg(not(feature = "std"))]
pub(in crate::sys) unsafe fn close(fd: c_int) -> isize {
    // SAFETY: the caller vouches for the arguments.
    unsafe { arch::syscall1(nr::CLOSE, word(fd as isize)) }
}

pub(in crate::sys) unsafe fn read(fd: c_int, buffer: *mut u8, len: usize) -> isize {
    // SAFETY: the caller vouches for the arguments.
    unsafe { arch::syscall3(nr::READ, word(fd as isize), buffer.cast(), word(len as isize)) }
}

pub(in crate::sys) unsafe fn pread(fd: c_int, buffer: *mut u8, len: usize, offset: i64) -> isize {
    // SAFETY: the caller vouches for the arguments.
    unsafe { arch::syscall4(nr::PREAD, word(fd as isize), buffer.cast(), word(len as isize), word(offset as isize)) }
}

pub(in crate::sys) unsafe fn writev(fd: c_int, slices: *const c_void, len: c_int) -> isize {
    // SAFETY: the caller vouches for the arguments.
    unsafe { arch::syscall3(nr::WRITEV, word(fd as isize), slices.cast_mut().cast(), word(len as isize)) }
}

pub(in crate::sys) unsafe fn sendmsg(fd: c_int, message: *const MsgHdr, flags: c_int) -> isize {
    // SAFETY: the caller vouches for the arguments.
    unsafe { arch::syscall3(nr::SENDMSG, word(fd as isize), message.cast_mut().cast(), word(flags as isize)) }
}

pub(in crate::sys) unsafe fn lseek(fd: c_int, offset: i64, whence: c_int) -> isize {
    // SAFETY: the caller vouches for the arguments.
    unsafe { arch::syscall3(nr::LSEEK, word(fd as isize), word(offset as isize), word(whence as isize)) }
}

pub(in crate::sys) unsafe fn getsockopt(
    fd: c_int,
    level: c_int,
    option: c_int,
    value: *mut c_int,
    len: *mut u32,
) -> isize {
    let (fd, level, option) = (word(fd as isize), word(level as isize), word(option as isize));
    // SAFETY: the caller vouches for the arguments.
    unsafe { arch::syscall5(nr::GETSOCKOPT, fd, level, option, value.cast(), len.cast()) }
}

pub(in crate::sys) unsafe fn setsockopt(
    fd: c_int,
    level: c_int,
    option: c_int,
    value: *const c_int,
    len: u32,
) -> isize {
    let (fd, level, option) = (word(fd as isize), word(level as isize), word(option as isize));
    // SAFETY: the caller vouches for the arguments.
    unsafe { arch::syscall5(nr::SETSOCKOPT, fd, level, option, value.cast_mut().cast(), word(len as isize)) }
}

pub(in crate::sys) unsafe fn sigprocmask(how: c_int, set: *const SigSetT, before: *mut SigSetT) -> isize {
    // SAFETY: the caller vouches for the arguments.
    unsafe { arch::syscall3(nr::SIGPROCMASK, word(how as isize), set.cast_mut().cast(), before.cast()) }
}

pub(in crate::sys) unsafe fn sigpending(set: *mut SigSetT) -> isize {
    // SAFETY: the caller vouches for the arguments.
    unsafe { arch::syscall1(nr::SIGPENDING, set.cast()) }
}

pub(in crate::sys) unsafe fn sigaction(signal: c_int, action: *const SigAction) -> isize {
    // SAFETY: the caller vouches for the arguments.
    unsafe { arch::syscall3(nr::SIGACTION, word(signal as isize), action.cast_mut().cast(), null_mut()) }
}
