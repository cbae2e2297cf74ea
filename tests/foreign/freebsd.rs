//! src/sys as FreeBSD has it.

#[path = "../../src/sys/freebsd/mod.rs"]
mod os;
pub(crate) use os::*;
