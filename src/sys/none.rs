//! For any other system: the error, and stubs for the rest of the crate, so that it is the only error.

compile_error!("bare-sendfile supports Linux, Android, FreeBSD and macOS");

#[path = "freebsd/mod.rs"]
#[allow(unused)] // the crate's public names are those of a system
mod os;
pub(crate) use os::*;
