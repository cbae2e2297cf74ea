//! System call numbers of Linux on 32-bit ARM, with the EABI.
//!
//! Where there are several, those for 64-bit offsets: `arm_fadvise64_64`, `fcntl64`, `_llseek`, `sendfile64`.
//!
//! # References
//! - [Linux arch/arm/tools/syscall.tbl](https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/arch/arm/tools/syscall.tbl)

#[cfg(not(feature = "std"))]
pub(crate) const CLOSE: usize = 6;
pub(crate) const FADVISE64: usize = 270; // arm_fadvise64_64
pub(crate) const FCNTL: usize = 221; // fcntl64
pub(crate) const GETSOCKOPT: usize = 295;
pub(crate) const IOCTL: usize = 54;
pub(crate) const LSEEK: usize = 140; // _llseek
pub(crate) const PIPE2: usize = 359;
pub(crate) const PPOLL: usize = 336;
pub(crate) const PREAD64: usize = 180;
pub(crate) const PREADV2: usize = 392;
pub(crate) const READ: usize = 3;
pub(crate) const RT_SIGACTION: usize = 174;
pub(crate) const RT_SIGPENDING: usize = 176;
pub(crate) const RT_SIGPROCMASK: usize = 175;
pub(crate) const RT_SIGTIMEDWAIT: usize = 177;
pub(crate) const SENDFILE: usize = 239; // sendfile64
pub(crate) const SENDMSG: usize = 296;
pub(crate) const SETSOCKOPT: usize = 294;
pub(crate) const SPLICE: usize = 340;
pub(crate) const STATX: usize = 397;
pub(crate) const WRITEV: usize = 146;
