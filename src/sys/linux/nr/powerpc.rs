//! System call numbers of Linux on powerpc, 32 bits.
//!
//! Where there are several, those for 64-bit offsets: `fadvise64_64`, `fcntl64`, `_llseek`, `sendfile64`.
//!
//! # References
//! - [Linux arch/powerpc/kernel/syscalls/syscall.tbl](https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/arch/powerpc/kernel/syscalls/syscall.tbl)

#[cfg(not(feature = "std"))]
pub(crate) const CLOSE: usize = 6;
pub(crate) const FADVISE64: usize = 254; // fadvise64_64
pub(crate) const FCNTL: usize = 204; // fcntl64
pub(crate) const GETSOCKOPT: usize = 340;
pub(crate) const IOCTL: usize = 54;
pub(crate) const LSEEK: usize = 140; // _llseek
pub(crate) const PIPE2: usize = 317;
pub(crate) const PPOLL: usize = 281;
pub(crate) const PREAD64: usize = 179;
pub(crate) const PREADV2: usize = 380;
pub(crate) const READ: usize = 3;
pub(crate) const RT_SIGACTION: usize = 173;
pub(crate) const RT_SIGPENDING: usize = 175;
pub(crate) const RT_SIGPROCMASK: usize = 174;
pub(crate) const RT_SIGTIMEDWAIT: usize = 176;
pub(crate) const SENDFILE: usize = 226; // sendfile64
pub(crate) const SENDMSG: usize = 341;
pub(crate) const SETSOCKOPT: usize = 339;
pub(crate) const SPLICE: usize = 283;
pub(crate) const STATX: usize = 383;
pub(crate) const WRITEV: usize = 146;
