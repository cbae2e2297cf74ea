//! src/sys as FreeBSD has it.

#[path = "../../src/sys/bsd/mod.rs"]
mod bsd;
#[path = "../../src/sys/freebsd/mod.rs"]
mod os;
pub(crate) use bsd::*;
pub(crate) use os::*;
