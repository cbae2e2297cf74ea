//! The operating system: its numbers, structures and error convention. One function a system call, named as it is.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

// FreeBSD and macOS differ in the trap, the numbers, sendfile and signals, and share what is older.
#[cfg(any(target_os = "freebsd", target_os = "macos"))]
mod bsd;
#[cfg(target_os = "freebsd")]
#[path = "sys/freebsd.rs"]
mod os;
#[cfg(target_os = "macos")]
#[path = "sys/macos.rs"]
mod os;
#[cfg(any(target_os = "freebsd", target_os = "macos"))]
pub(crate) use {bsd::*, os::*};
