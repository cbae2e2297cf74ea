//! System calls by the trap, with the types of their functions in C. A negative result is an error number.

use core::ffi::c_int;

use super::{MsgHdr, SfHdtr, SigAction, SigSetT, arch};

#[path = "../bsd/raw.rs"]
mod common;
pub(in crate::sys) use self::common::*;

/// System call numbers, the same on both processors.
mod nr {
    #[cfg(not(feature = "std"))]
    pub(super) const CLOSE: usize = 6;
    pub(super) const GETSOCKOPT: usize = 118;
    pub(super) const LSEEK: usize = 199;
    pub(super) const PREAD: usize = 153;
    pub(super) const READ: usize = 3;
    pub(super) const SENDFILE: usize = 337;
    pub(super) const SENDMSG: usize = 28;
    pub(super) const SETSOCKOPT: usize = 105;
    pub(super) const SIGACTION: usize = 46;
    pub(super) const SIGPENDING: usize = 52;
    /// The thread's: `__pthread_sigmask`.
    pub(super) const SIGPROCMASK: usize = 329;
    pub(super) const SIGWAIT: usize = 330;
    pub(super) const WRITEV: usize = 121;
}

/// Against the crate `sc`.
#[cfg(all(test, target_os = "macos"))]
const _: () = {
    #[cfg(not(feature = "std"))]
    assert!(nr::CLOSE == sc::nr::CLOSE);
    assert!(nr::GETSOCKOPT == sc::nr::GETSOCKOPT && nr::SETSOCKOPT == sc::nr::SETSOCKOPT);
    assert!(nr::LSEEK == sc::nr::LSEEK && nr::PREAD == sc::nr::PREAD && nr::READ == sc::nr::READ);
    assert!(nr::SENDFILE == sc::nr::SENDFILE && nr::SENDMSG == sc::nr::SENDMSG && nr::WRITEV == sc::nr::WRITEV);
    assert!(nr::SIGPENDING == sc::nr::SIGPENDING && nr::SIGPROCMASK == sc::nr::__PTHREAD_SIGMASK);
    assert!(nr::SIGACTION == sc::nr::SIGACTION && nr::SIGWAIT == sc::nr::__SIGWAIT);
};

pub(in crate::sys) unsafe fn sendfile(
    in_fd: c_int,
    out_fd: c_int,
    offset: i64,
    len: *mut i64,
    hdtr: *const SfHdtr,
    flags: c_int,
) -> isize {
    let (in_fd, out_fd, flags) = (word(in_fd as isize), word(out_fd as isize), word(flags as isize));
    // SAFETY: the caller vouches for the arguments.
    unsafe {
        arch::syscall6(nr::SENDFILE, in_fd, out_fd, word(offset as isize), len.cast(), hdtr.cast_mut().cast(), flags)
    }
}

pub(in crate::sys) unsafe fn sigwait(set: *const SigSetT, signal: *mut c_int) -> isize {
    // SAFETY: the caller vouches for the arguments. The call has two and ignores the third.
    unsafe { arch::syscall3(nr::SIGWAIT, set.cast_mut().cast(), signal.cast(), word(0)) }
}
