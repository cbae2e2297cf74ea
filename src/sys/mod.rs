//! The operating system: its numbers, structures and error convention. Each system has a folder. Each system call is a function of its name.
//! Only this file selects the system; everything else uses `sys`.

#[cfg(any(target_os = "linux", target_os = "android"))]
#[path = "linux/mod.rs"]
mod os;
#[cfg(target_os = "freebsd")]
#[path = "freebsd/mod.rs"]
mod os;
#[cfg(target_os = "macos")]
#[path = "macos/mod.rs"]
mod os;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "macos")))]
#[path = "none.rs"]
mod os;

pub(crate) use os::*;

/// Belongs to [`fd`](crate::fd), but closing needs the system.
#[cfg(not(feature = "std"))]
impl Drop for crate::fd::OwnedFd {
    fn drop(&mut self) {
        // SAFETY: `self` owns the descriptor and nothing can use it after this.
        unsafe { close(crate::fd::AsRawFd::as_raw_fd(self)) }
    }
}
