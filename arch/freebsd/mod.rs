//! The stubs of the processor. Everything that needs a stub includes this file, so this is the only list.

#[macro_use]
#[path = "../stubs.rs"]
mod stubs;

#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
#[cfg_attr(target_arch = "riscv64", path = "riscv64.rs")]
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")), path = "../none.rs")]
mod cpu;
pub(crate) use cpu::*;
