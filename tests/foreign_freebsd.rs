//! Runs the library's code for FreeBSD, stubs included, on x86_64 Linux. The test catches the trap, and the simulation's model of
//! FreeBSD's kernel answers it.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
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
#[path = "simulation_bsd/freebsd.rs"]
mod simulated;
#[path = "foreign/freebsd.rs"]
mod sys;
#[path = "../src/transfer/mod.rs"]
mod transfer;

use bare_sendfile::Errno;
use simulated::model;

use crate::cases::fds;
use crate::caught::on;

/// The kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Os {
    FreeBsd,
    MacOs,
}

const OS: Os = Os::FreeBsd;
const SENDFILE: i64 = 393;

/// H10: the room in the send buffer, which decides about the cork; a negative number is none.
#[test]
fn h10_the_room_in_the_send_buffer() {
    if !caught::possible() {
        return;
    }
    let (socket, _) = fds();
    for (space, room) in [(0, 0), (i32::MAX, i32::MAX as usize), (-1, 0)] {
        let (result, seen) = on(&mut model::Kernel { space, ..Default::default() }, || sys::send_room(socket));
        assert_eq!((result, seen.map(|seen| seen.number)), (Ok(room), Some(54)));
    }
}

/// H11: the error that the socket keeps is told once.
#[test]
fn h11_the_error_that_the_socket_keeps() {
    if !caught::possible() {
        return;
    }
    let (socket, _) = fds();
    let mut kernel = model::Kernel { kept: Errno::EIO.raw_os_error(), ..Default::default() };
    let (errno, seen) = on(&mut kernel, || sys::pending_error(errno::Errno::EAGAIN, socket));
    assert_eq!((errno, seen), (errno::Errno::EAGAIN, None), "an error that tells its own");
    assert_eq!(on(&mut kernel, || sys::pending_error(errno::Errno::EPIPE, socket)).0, errno::Errno::EIO);
    assert_eq!(
        on(&mut kernel, || sys::pending_error(errno::Errno::EPIPE, socket)).0,
        errno::Errno::EPIPE,
        "nothing behind it"
    );
}
