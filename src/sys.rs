//! The operating system: its numbers, structures and error convention. One function a system call, named as it is.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

// FreeBSD and macOS differ in the trap, the numbers, sendfile and signals, and share what is older. What is none of the
// three, and not supported, gets FreeBSD's here and elsewhere: of names that are missing nobody learns why.
#[cfg(not(target_os = "linux"))]
mod bsd;
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
#[path = "sys/freebsd.rs"]
mod os;
#[cfg(target_os = "macos")]
#[path = "sys/macos.rs"]
mod os;
#[cfg(not(target_os = "linux"))]
pub(crate) use {bsd::*, os::*};
