//! Runs the library's code for macOS, stubs included, on x86_64 Linux, with the feature `macos-raw-syscalls`. The test catches the trap,
//! and the simulation's model of macOS's kernel answers it.
#![cfg(all(target_os = "linux", target_arch = "x86_64", feature = "macos-raw-syscalls"))]
#![allow(clippy::duplicate_mod, dead_code, unexpected_cfgs, unreachable_pub, unused_imports)] // a part of the library, compiled for another system

#[path = "foreign/cases.rs"]
mod cases;
#[path = "foreign/caught.rs"]
mod caught;
mod common;
#[macro_use]
#[path = "../src/errno.rs"]
mod errno;
#[path = "../src/fd.rs"]
mod fd;
#[path = "../src/flags.rs"]
mod flags;
#[path = "../src/iovec.rs"]
mod iovec;
#[path = "simulation_bsd/macos.rs"]
mod simulated;
#[path = "foreign/macos.rs"]
mod sys;
#[path = "../src/transfer/mod.rs"]
mod transfer;

use simulated::model;

/// The kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Os {
    FreeBsd,
    MacOs,
}

const OS: Os = Os::MacOs;
const SENDFILE: i64 = 0x200_0151;
