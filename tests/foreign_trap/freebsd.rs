//! src/sys as FreeBSD has it.

#[path = "../../src/sys/bsd.rs"]
mod bsd;
#[path = "../../src/sys/freebsd.rs"]
mod os;
pub(crate) use bsd::*;
pub(crate) use os::*;
