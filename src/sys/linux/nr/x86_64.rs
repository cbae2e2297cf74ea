//! System call numbers of Linux on x86_64.
//!
//! # References
//! - [Linux arch/x86/entry/syscalls/syscall_64.tbl](https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/arch/x86/entry/syscalls/syscall_64.tbl)

#[cfg(not(feature = "std"))]
pub(crate) const CLOSE: usize = 3;
pub(crate) const FADVISE64: usize = 221;
pub(crate) const FCNTL: usize = 72;
pub(crate) const GETSOCKOPT: usize = 55;
pub(crate) const IOCTL: usize = 16;
pub(crate) const LSEEK: usize = 8;
pub(crate) const PIPE2: usize = 293;
pub(crate) const PPOLL: usize = 271;
pub(crate) const PREAD64: usize = 17;
pub(crate) const PREADV2: usize = 327;
pub(crate) const READ: usize = 0;
pub(crate) const RT_SIGACTION: usize = 13;
pub(crate) const RT_SIGPENDING: usize = 127;
pub(crate) const RT_SIGPROCMASK: usize = 14;
pub(crate) const RT_SIGTIMEDWAIT: usize = 128;
pub(crate) const SENDFILE: usize = 40;
pub(crate) const SENDMSG: usize = 46;
pub(crate) const SETSOCKOPT: usize = 54;
pub(crate) const SPLICE: usize = 275;
pub(crate) const STATX: usize = 332;
pub(crate) const WRITEV: usize = 20;
