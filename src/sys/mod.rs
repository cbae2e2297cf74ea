//! The operating system: its numbers, structures and error convention. Each system has a folder. Each system call is a function of its name.
//! Only this file selects the system; everything else uses `sys`.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
#[cfg(any(target_os = "linux", target_os = "android"))]
use linux as os;

#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
use macos as os;

// An unsupported system gets FreeBSD's, so that the error in src/lib.rs is the only one.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "macos")))]
mod freebsd;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "macos")))]
use freebsd as os;

/// The part that FreeBSD and macOS share.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod bsd;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub use bsd::sendfile_native;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use bsd::*;
pub(crate) use os::*;

/// Belongs to [`fd`](crate::fd), but closing needs the system.
#[cfg(not(feature = "std"))]
impl Drop for crate::fd::OwnedFd {
    fn drop(&mut self) {
        // SAFETY: `self` owns the descriptor and nothing can use it after this.
        unsafe { close(crate::fd::AsRawFd::as_raw_fd(self)) }
    }
}
