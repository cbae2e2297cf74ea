//! src/sys as macOS has it.

#[path = "../../src/sys/bsd.rs"]
mod bsd;
#[path = "../../src/sys/macos.rs"]
mod os;
pub(crate) use bsd::*;
pub(crate) use os::*;
