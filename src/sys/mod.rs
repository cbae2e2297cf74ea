//! The operating system: its numbers, structures and error convention, each in a folder of its own. One function a system call, named
//! as it is. This file alone selects: all else asks `sys`.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
#[cfg(any(target_os = "linux", target_os = "android"))]
use linux as os;

#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
use macos as os;

// What is none of the three, and not supported, gets FreeBSD's: of names that are missing nobody learns why.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "macos")))]
mod freebsd;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "macos")))]
use freebsd as os;

/// What FreeBSD and macOS have in common.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod bsd;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub use bsd::sendfile_native;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use bsd::*;
pub(crate) use os::*;

/// The other half of [`fd`](crate::fd): a descriptor is closed by the system.
#[cfg(not(feature = "std"))]
impl Drop for crate::fd::OwnedFd {
    fn drop(&mut self) {
        // SAFETY: `self` owns the descriptor and nothing can use it after this.
        unsafe { close(crate::fd::AsRawFd::as_raw_fd(self)) }
    }
}
