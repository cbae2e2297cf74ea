//! System call numbers of Linux on riscv32, which has the generic table without calls of 32-bit times.
//!
//! Where there are several, those for 64-bit offsets and times: `fadvise64_64`, `fcntl64`, `llseek`, `ppoll_time64`, `rt_sigtimedwait_time64`.
//!
//! # References
//! - [Linux scripts/syscall.tbl](https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/scripts/syscall.tbl)

#[cfg(not(feature = "std"))]
pub(crate) const CLOSE: usize = 57;
pub(crate) const FADVISE64: usize = 223; // fadvise64_64
pub(crate) const FCNTL: usize = 25; // fcntl64
pub(crate) const GETSOCKOPT: usize = 209;
pub(crate) const IOCTL: usize = 29;
pub(crate) const LSEEK: usize = 62; // llseek
pub(crate) const PIPE2: usize = 59;
pub(crate) const PPOLL: usize = 414; // ppoll_time64
pub(crate) const PREAD64: usize = 67;
pub(crate) const PREADV2: usize = 286;
pub(crate) const READ: usize = 63;
pub(crate) const RT_SIGACTION: usize = 134;
pub(crate) const RT_SIGPENDING: usize = 136;
pub(crate) const RT_SIGPROCMASK: usize = 135;
pub(crate) const RT_SIGTIMEDWAIT: usize = 421; // rt_sigtimedwait_time64
pub(crate) const SENDFILE: usize = 71;
pub(crate) const SENDMSG: usize = 211;
pub(crate) const SETSOCKOPT: usize = 208;
pub(crate) const SPLICE: usize = 76;
pub(crate) const STATX: usize = 291;
pub(crate) const WRITEV: usize = 66;
