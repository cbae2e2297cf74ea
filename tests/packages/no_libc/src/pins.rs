//! What of the crate depends on the processor, compiled once more together with what `linux-raw-sys` and `libc` know of it:
//! src/sys/linux/pins.rs.
#![no_std]
#![allow(clippy::collapsible_if, dead_code, missing_docs, unexpected_cfgs, unreachable_pub)] // a part of the library, which is for an older Rust

#[cfg(feature = "pins")]
#[macro_use]
#[path = "../../../../src/errno.rs"]
mod errno;
#[cfg(feature = "pins")]
#[path = "../../../../src/fd.rs"]
pub mod fd;
#[cfg(feature = "pins")]
#[path = "../../../../src/flags.rs"]
mod flags;
#[cfg(feature = "pins")]
#[path = "../../../../src/iovec.rs"]
mod iovec;
#[cfg(feature = "pins")]
#[path = "../../../../src/sys/linux/mod.rs"]
mod sys;
