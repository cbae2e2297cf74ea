//! System call numbers of Linux on the architectures that share one table, aarch64 and riscv64 among them.
//!
//! # References
//! - [Linux include/uapi/asm-generic/unistd.h](https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/include/uapi/asm-generic/unistd.h)

#[cfg(not(feature = "std"))]
pub(crate) const CLOSE: usize = 57;
pub(crate) const FADVISE64: usize = 223;
pub(crate) const FCNTL: usize = 25;
pub(crate) const GETSOCKOPT: usize = 209;
pub(crate) const IOCTL: usize = 29;
pub(crate) const LSEEK: usize = 62;
pub(crate) const PIPE2: usize = 59;
pub(crate) const PPOLL: usize = 73;
pub(crate) const PREAD64: usize = 67;
pub(crate) const PREADV2: usize = 286;
pub(crate) const READ: usize = 63;
pub(crate) const RT_SIGACTION: usize = 134;
pub(crate) const RT_SIGPENDING: usize = 136;
pub(crate) const RT_SIGPROCMASK: usize = 135;
pub(crate) const RT_SIGTIMEDWAIT: usize = 137;
pub(crate) const SENDFILE: usize = 71;
pub(crate) const SENDMSG: usize = 211;
pub(crate) const SETSOCKOPT: usize = 208;
pub(crate) const SPLICE: usize = 76;
pub(crate) const STATX: usize = 291;
pub(crate) const WRITEV: usize = 66;
