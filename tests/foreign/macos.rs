//! src/sys as macOS has it.

#[path = "../../src/sys/bsd/mod.rs"]
mod bsd;
#[path = "../../src/sys/macos/mod.rs"]
mod os;
pub(crate) use bsd::*;
pub(crate) use os::*;
