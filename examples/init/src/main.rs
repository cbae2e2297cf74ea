//! PID 1 without a C library, without std, without an allocator: moves its payload from the initramfs into a root of its
//! own, shows two files of /proc, serves a file to a child, and hands over to the payload's own init, or turns the power off.
//!
//! What it is given: `/payload` in the initramfs, with `served` (the file to be served) and maybe `sbin/init`, which gets the
//! arguments and the environment that the kernel gave to this one.
//!
//! The payload arrives as it is: links, devices, FIFOs and sockets are made anew, with their owners, modes and times. What cannot be
//! made is reported and passed over.
//!
//! Its last words are `init: starting /sbin/init`, or `init: exit N`. N is 0 if all went well, and 1 if a line `init: FAILED` names an error.
#![no_std]
#![no_main]

mod console;
mod net;
mod process;
mod tree;

use core::ffi::CStr;

use rustix::fd::AsRawFd;
use rustix::fs::{Mode, OFlags, chmod, mkdir, open};
use rustix::mount::{MountFlags, mount, mount_move};
use rustix::process::{chdir, chroot, fchdir};
use rustix::system::{RebootCommand, reboot};

use console::{During, Failure, say};
use start::Start;

start::main!(main);

fn main(start: Start) -> u8 {
    take_standard_streams();
    let code = match boot(start) {
        Ok(()) => 0,
        Err(failure) => {
            say(format_args!("init: FAILED: {failure}"));
            1
        }
    };
    power_off(code)
}

/// An init that ends takes the kernel with it, so not even one that panics just stops.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    say(format_args!("init: FAILED: {info}"));
    power_off(1)
}

/// Where the kernel opened no console, the first files that are opened would get its numbers, and the messages.
fn take_standard_streams() {
    // `forget` leaves it open.
    while let Ok(fd) = open(c"/", OFlags::PATH, Mode::empty()) {
        if fd.as_raw_fd() > 2 {
            break;
        }
        core::mem::forget(fd);
    }
}

fn power_off(code: u8) -> ! {
    say(format_args!("init: exit {code}"));
    if let Err(failure) = reboot(RebootCommand::PowerOff).during("power off") {
        say(format_args!("init: {failure}"));
    }
    // The kernel panics when its init ends, which is the one thing left to do.
    start::exit(code)
}

/// Returns if all went well and there is nobody to hand over to.
fn boot(start: Start) -> Result<(), Failure> {
    let passed_over = new_root()?;
    mount_proc()?;
    tree::show(c"/proc/version")?;
    // Kernels refuse to send this one, and may learn to.
    tree::show(c"/proc/self/maps")?;
    net::loopback_up()?;
    net::serve(c"/served")?;
    // Even if something is missing: who runs from here on may do without it.
    process::hand_over(c"/sbin/init", start)?;
    match passed_over {
        0 => Ok(()),
        _ => Err(Failure::wrong("move the payload", "not all of it could be made")),
    }
}

/// A tmpfs with the payload in it becomes the root. Returns how much of the payload is not there.
fn new_root() -> Result<u32, Failure> {
    let payload = tree::open(c"/payload", "open the payload")?;
    // With setuid, unlike what is mounted later.
    make(c"/root", 0o755)
        .and_then(|()| mount(c"tmpfs", c"/root", c"tmpfs", MountFlags::empty(), None))
        .during("mount the new root")?;
    let root = tree::open(c"/root", "open the new root")?;
    let moved = tree::move_all(&payload, &root)?;
    say(format_args!("init: moved a payload of {} bytes", moved.bytes));
    // As switch_root(8) does: an initramfs cannot be unmounted, but covered.
    fchdir(&root).during("enter the new root")?;
    mount_move(c".", c"/").during("move the new root")?;
    chroot(c".").during("change the root")?;
    chdir(c"/").during("enter the root")?;
    Ok(moved.passed_over)
}

fn mount_proc() -> Result<(), Failure> {
    make(c"/proc", 0o555)
        .and_then(|()| mount(c"proc", c"/proc", c"proc", MountFlags::NOSUID, None))
        .during("mount /proc")
}

/// A folder, which may be there. A new one has exactly this mode, whatever the umask.
fn make(place: &CStr, mode: u32) -> rustix::io::Result<()> {
    let mode = Mode::from_raw_mode(mode);
    match mkdir(place, mode) {
        Ok(()) => chmod(place, mode),
        Err(rustix::io::Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}
