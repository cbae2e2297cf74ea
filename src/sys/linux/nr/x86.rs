//! System call numbers of Linux on i686.
//!
//! Where there are several, those for 64-bit offsets: `fadvise64_64`, `fcntl64`, `_llseek`, `sendfile64`.
//!
//! # References
//! - [Linux arch/x86/entry/syscalls/syscall_32.tbl](https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/arch/x86/entry/syscalls/syscall_32.tbl)

#[cfg(not(feature = "std"))]
pub(crate) const CLOSE: usize = 6;
pub(crate) const FADVISE64: usize = 272; // fadvise64_64
pub(crate) const FCNTL: usize = 221; // fcntl64
pub(crate) const GETSOCKOPT: usize = 365;
pub(crate) const IOCTL: usize = 54;
pub(crate) const LSEEK: usize = 140; // _llseek
pub(crate) const PIPE2: usize = 331;
pub(crate) const PPOLL: usize = 309;
pub(crate) const PREAD64: usize = 180;
pub(crate) const PREADV2: usize = 378;
pub(crate) const READ: usize = 3;
pub(crate) const RT_SIGACTION: usize = 174;
pub(crate) const RT_SIGPENDING: usize = 176;
pub(crate) const RT_SIGPROCMASK: usize = 175;
pub(crate) const RT_SIGTIMEDWAIT: usize = 177;
pub(crate) const SENDFILE: usize = 239; // sendfile64
pub(crate) const SENDMSG: usize = 370;
pub(crate) const SETSOCKOPT: usize = 366;
pub(crate) const SPLICE: usize = 313;
pub(crate) const STATX: usize = 383;
pub(crate) const WRITEV: usize = 146;
