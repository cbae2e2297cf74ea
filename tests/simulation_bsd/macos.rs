//! macOS's kernel, and the constants that src/sys has there.

#[path = "../../src/sys/macos/cork.rs"]
mod cork;

const OS: crate::Os = crate::Os::MacOs;
pub(crate) const NATIVE_HDTR: bool = false;
pub(crate) const CORKS_FILES: bool = true;

include!("system.rs");
include!("scripted.rs");
