//! No system: the error, and what the rest is compiled against so that it is the only one.

compile_error!("bare-sendfile supports Linux, Android, FreeBSD and macOS");

#[path = "freebsd/mod.rs"]
#[allow(unused)] // the crate's public names are those of a system
mod os;
pub(crate) use os::*;
