//! src/sys as macOS has it.

#[path = "../../src/sys/macos/mod.rs"]
mod os;
pub(crate) use os::*;
