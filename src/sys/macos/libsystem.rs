//! System calls by libSystem, the interface that the vendor supports. Results are converted to the kernel's form: a negative result is an error
//! number.

use core::ffi::{c_int, c_void};

use super::{MsgHdr, SfHdtr, SigAction, SigSetT};

/// The functions of C.
mod c {
    use super::*;

    #[link(name = "System")]
    unsafe extern "C" {
        pub(super) fn __error() -> *mut c_int;
        #[cfg(not(feature = "std"))]
        pub(super) fn close(fd: c_int) -> c_int;
        pub(super) fn getsockopt(fd: c_int, level: c_int, option: c_int, value: *mut c_int, len: *mut u32) -> c_int;
        pub(super) fn lseek(fd: c_int, offset: i64, whence: c_int) -> i64;
        pub(super) fn pread(fd: c_int, buffer: *mut u8, len: usize, offset: i64) -> isize;
        pub(super) fn pthread_sigmask(how: c_int, set: *const SigSetT, before: *mut SigSetT) -> c_int;
        pub(super) fn read(fd: c_int, buffer: *mut u8, len: usize) -> isize;
        pub(super) fn sendfile(
            in_fd: c_int,
            out_fd: c_int,
            offset: i64,
            len: *mut i64,
            hdtr: *const SfHdtr,
            flags: c_int,
        ) -> c_int;
        pub(super) fn sendmsg(fd: c_int, message: *const MsgHdr, flags: c_int) -> isize;
        pub(super) fn setsockopt(fd: c_int, level: c_int, option: c_int, value: *const c_int, len: u32) -> c_int;
        pub(super) fn sigaction(signal: c_int, action: *const SigAction, before: *mut SigAction) -> c_int;
        pub(super) fn sigpending(set: *mut SigSetT) -> c_int;
        pub(super) fn sigwait(set: *const SigSetT, signal: *mut c_int) -> c_int;
        pub(super) fn writev(fd: c_int, slices: *const c_void, len: c_int) -> isize;
    }
}

/// Converts −1 to the thread's errno, negated.
fn check(result: isize) -> isize {
    if result != -1 {
        return result;
    }
    // SAFETY: it has no argument and returns the address of this thread's errno, which is always valid.
    let errno = unsafe { c::__error() };
    // SAFETY: as above; only this thread writes to it.
    -unsafe { *errno as isize }
}

#[cfg(not(feature = "std"))]
pub(in crate::sys) unsafe fn close(fd: c_int) -> isize {
    // SAFETY: the caller vouches for the arguments.
    check(unsafe { c::close(fd) } as isize)
}

pub(in crate::sys) unsafe fn read(fd: c_int, buffer: *mut u8, len: usize) -> isize {
    // SAFETY: the caller vouches for the arguments.
    check(unsafe { c::read(fd, buffer, len) })
}

pub(in crate::sys) unsafe fn pread(fd: c_int, buffer: *mut u8, len: usize, offset: i64) -> isize {
    // SAFETY: the caller vouches for the arguments.
    check(unsafe { c::pread(fd, buffer, len, offset) })
}

pub(in crate::sys) unsafe fn writev(fd: c_int, slices: *const c_void, len: c_int) -> isize {
    // SAFETY: the caller vouches for the arguments.
    check(unsafe { c::writev(fd, slices, len) })
}

pub(in crate::sys) unsafe fn sendmsg(fd: c_int, message: *const MsgHdr, flags: c_int) -> isize {
    // SAFETY: the caller vouches for the arguments.
    check(unsafe { c::sendmsg(fd, message, flags) })
}

pub(in crate::sys) unsafe fn lseek(fd: c_int, offset: i64, whence: c_int) -> isize {
    // SAFETY: the caller vouches for the arguments.
    check(unsafe { c::lseek(fd, offset, whence) } as isize)
}

pub(in crate::sys) unsafe fn getsockopt(
    fd: c_int,
    level: c_int,
    option: c_int,
    value: *mut c_int,
    len: *mut u32,
) -> isize {
    // SAFETY: the caller vouches for the arguments.
    check(unsafe { c::getsockopt(fd, level, option, value, len) } as isize)
}

pub(in crate::sys) unsafe fn setsockopt(
    fd: c_int,
    level: c_int,
    option: c_int,
    value: *const c_int,
    len: u32,
) -> isize {
    // SAFETY: the caller vouches for the arguments.
    check(unsafe { c::setsockopt(fd, level, option, value, len) } as isize)
}

pub(in crate::sys) unsafe fn sendfile(
    in_fd: c_int,
    out_fd: c_int,
    offset: i64,
    len: *mut i64,
    hdtr: *const SfHdtr,
    flags: c_int,
) -> isize {
    // SAFETY: the caller vouches for the arguments.
    check(unsafe { c::sendfile(in_fd, out_fd, offset, len, hdtr, flags) } as isize)
}

pub(in crate::sys) unsafe fn sigprocmask(how: c_int, set: *const SigSetT, before: *mut SigSetT) -> isize {
    // SAFETY: the caller vouches for the arguments. This function and sigwait return the error number itself.
    -unsafe { c::pthread_sigmask(how, set, before) as isize }
}

pub(in crate::sys) unsafe fn sigaction(signal: c_int, action: *const SigAction) -> isize {
    // SAFETY: the caller vouches for the arguments.
    check(unsafe { c::sigaction(signal, action, core::ptr::null_mut()) } as isize)
}

pub(in crate::sys) unsafe fn sigpending(set: *mut SigSetT) -> isize {
    // SAFETY: the caller vouches for the arguments.
    check(unsafe { c::sigpending(set) } as isize)
}

pub(in crate::sys) unsafe fn sigwait(set: *const SigSetT, signal: *mut c_int) -> isize {
    // SAFETY: the caller vouches for the arguments.
    -unsafe { c::sigwait(set, signal) as isize }
}
