//! FreeBSD's kernel, and the constants that src/sys has there.

#[path = "../../src/sys/freebsd/cork.rs"]
mod cork;

const OS: crate::Os = crate::Os::FreeBsd;
pub(crate) const NATIVE_HDTR: bool = true;
pub(crate) const CORKS_FILES: bool = false;

include!("system.rs");
include!("scripted.rs");
