//! System call numbers of Linux on s390x.
//!
//! # References
//! - [Linux arch/s390/kernel/syscalls/syscall.tbl](https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/arch/s390/kernel/syscalls/syscall.tbl)

#[cfg(not(feature = "std"))]
pub(crate) const CLOSE: usize = 6;
pub(crate) const FADVISE64: usize = 253;
pub(crate) const FCNTL: usize = 55;
pub(crate) const GETSOCKOPT: usize = 365;
pub(crate) const IOCTL: usize = 54;
pub(crate) const LSEEK: usize = 19;
pub(crate) const PIPE2: usize = 325;
pub(crate) const PPOLL: usize = 302;
pub(crate) const PREAD64: usize = 180;
pub(crate) const PREADV2: usize = 376;
pub(crate) const READ: usize = 3;
pub(crate) const RT_SIGACTION: usize = 174;
pub(crate) const RT_SIGPENDING: usize = 176;
pub(crate) const RT_SIGPROCMASK: usize = 175;
pub(crate) const RT_SIGTIMEDWAIT: usize = 177;
pub(crate) const SENDFILE: usize = 187;
pub(crate) const SENDMSG: usize = 370;
pub(crate) const SETSOCKOPT: usize = 366;
pub(crate) const SPLICE: usize = 306;
pub(crate) const STATX: usize = 379;
pub(crate) const WRITEV: usize = 146;
