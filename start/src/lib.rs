//! The entry and the end of a program without a C library, on Linux for each processor of the crate, and on FreeBSD. (On powerpc64 with the
//! second version of its ABI, as musl has it.) A program only names its `main`:
//!
//! ```ignore
//! #![no_std]
//! #![no_main]
//!
//! start::main!(main);
//!
//! fn main(start: start::Start) -> u8 {
//!     start.arguments.count() as u8
//! }
//! ```
//!
//! Each part is a feature, listed in `Cargo.toml`. A program that has a part of its own leaves that feature out. docs/embedding.md is the
//! manual, and has the linker's flags.
#![no_std]

#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "../../arch/linux/mod.rs")]
#[cfg_attr(target_os = "freebsd", path = "../../arch/freebsd/mod.rs")]
#[allow(dead_code)] // of the stubs two are needed
mod arch;
#[cfg(feature = "entry")]
mod entry;
#[cfg(feature = "panic")]
mod panic;
#[cfg(feature = "prebuilt")]
mod prebuilt;
#[cfg(all(
    feature = "relocate",
    any(target_os = "linux", target_os = "android"),
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64", target_arch = "arm")
))]
mod relocate;
#[cfg(feature = "memory")]
mod strlen;

#[cfg(feature = "memory")]
use start_memory as _;

use core::ptr::without_provenance_mut;

#[cfg(feature = "entry")]
pub use entry::{Start, Strings, begin};

/// exit_group(2), or FreeBSD's exit(2).
const EXIT: usize = match () {
    () if cfg!(target_os = "freebsd") => 1,
    () if cfg!(target_arch = "x86_64") => 231,
    () if cfg!(target_arch = "x86") => 252,
    () if cfg!(any(target_arch = "arm", target_arch = "s390x")) => 248,
    () if cfg!(any(target_arch = "powerpc", target_arch = "powerpc64")) => 234,
    () => 94,
};

/// Ends the process, all its threads, with this exit code.
///
/// # References
/// - [exit_group(2)](https://man7.org/linux/man-pages/man2/exit_group.2.html)
#[inline(always)]
pub fn exit(code: u8) -> ! {
    loop {
        // SAFETY: the call touches no memory. It does not return.
        unsafe { arch::syscall1(EXIT, without_provenance_mut(code.into())) };
    }
}
