//! PID 1 without a C library, without std, without an allocator: moves its payload from the initramfs into a root of its
//! own, shows two files of /proc, serves a file to a child, runs the programs of the payload, and turns the power off.
//!
//! What it is given: `/payload` in the initramfs, with `served` (the file to be served) and `programs` (a directory of
//! programs to be run, or none). They get what stands behind `--` on the kernel's command line as arguments. With `modules` (a
//! directory of the kernel's modules) it can use what is not built in. An NVMe disk with an ext4 on it becomes /tmp, which
//! without one is memory.
//!
//! The payload arrives as it is: links, devices, FIFOs and sockets are made anew, with their owners, modes and times. What cannot be
//! made is reported and passed over.
//!
//! Its last words are `init: exit N`: 0 if all went well, 1 if a program failed or a line `init: FAILED` tells what went wrong.
#![no_std]
#![no_main]
// Or the compiler would make calls of memcpy out of the loops in memcpy.
#![no_builtins]

mod console;
mod net;
mod process;
mod start;
mod tree;

use core::ffi::CStr;
use core::mem::MaybeUninit;

use rustix::fd::{AsFd, AsRawFd};
use rustix::fs::{FileType, Mode, OFlags, RawDir, SeekFrom, chmod, mkdir, open, openat, seek, symlink};
use rustix::mount::{MountFlags, mount, mount_move};
use rustix::process::{chdir, chroot, fchdir};
use rustix::system::{RebootCommand, finit_module, reboot};

use console::{During, Failure, say};
use start::Start;

fn main(start: Start) -> ! {
    take_standard_streams();
    let code = match boot(start) {
        Ok(0) => 0,
        Ok(failed) => {
            say(format_args!("init: {failed} programs failed"));
            1
        }
        Err(failure) => {
            say(format_args!("init: FAILED: {failure}"));
            1
        }
    };
    power_off(code)
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
    process::reap_the_rest();
    say(format_args!("init: exit {code}"));
    if let Err(failure) = reboot(RebootCommand::PowerOff).during("power off") {
        say(format_args!("init: {failure}"));
    }
    // The kernel panics when its init ends, which is the one thing left to do.
    start::exit(code)
}

/// Returns how many programs failed.
fn boot(start: Start) -> Result<usize, Failure> {
    let passed_over = new_root()?;
    mount_new(c"/proc", c"proc", "mount /proc")?;
    mount_new(c"/sys", c"sysfs", "mount /sys")?;
    mount_new(c"/dev", c"devtmpfs", "mount /dev")?;
    mount_new(c"/dev/pts", c"devpts", "mount /dev/pts")?;
    mount_new(c"/dev/shm", c"tmpfs", "mount /dev/shm")?;
    // Not only for shells: some kernels find a program by this name when execveat(2) starts it (TOMOYO before Linux 5.19).
    symlink(c"/proc/self/fd", c"/dev/fd").during("make /dev/fd")?;
    load_modules()?;
    mount_disk()?;

    tree::show(c"/proc/version")?;
    if tree::show(c"/proc/self/maps")?.refused.is_none() {
        return Err(Failure::wrong("show /proc/self/maps", "sendfile was expected to refuse it"));
    }
    net::loopback_up()?;
    net::serve(c"/served")?;
    let failed = run_all(start)?;
    if passed_over > 0 {
        return Err(Failure::wrong("move the payload", "not all of it could be made"));
    }
    Ok(failed)
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

fn mount_new(place: &'static CStr, kind: &CStr, what: &'static str) -> Result<(), Failure> {
    make(place, 0o755).and_then(|()| mount(kind, place, kind, MountFlags::NOSUID, None)).during(what)
}

/// Loads the kernel's modules of the payload, if there are any: over and over, since they need each other and are in no order.
fn load_modules() -> Result<(), Failure> {
    let modules = match open(c"/modules", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        modules => modules.during("open the modules")?,
    };
    let mut loaded = true;
    while loaded {
        loaded = false;
        seek(&modules, SeekFrom::Start(0)).during("go back to the first module")?;
        let mut names = [MaybeUninit::uninit(); 1024];
        let mut entries = RawDir::new(&modules, &mut names);
        while let Some(entry) = entries.next() {
            let entry = entry.during("list the modules")?;
            if entry.file_type() == FileType::RegularFile {
                loaded |= load(&modules, entry.file_name())?;
            }
        }
    }
    Ok(())
}

/// Whether the module was loaded; not if it is there already, needs another one first, or is for another processor.
fn load(folder: impl AsFd, name: &CStr) -> Result<bool, Failure> {
    let module = openat(folder, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).during("open a module")?;
    match finit_module(&module, c"", 0) {
        Ok(()) => say(format_args!("init: loaded {name:?}")),
        Err(rustix::io::Errno::EXIST | rustix::io::Errno::NOENT | rustix::io::Errno::NODEV) => return Ok(false),
        result => result.during("load a module")?,
    }
    Ok(true)
}

/// /tmp on the disk, if there is a disk.
fn mount_disk() -> Result<(), Failure> {
    make(c"/tmp", 0o1777).during("make /tmp")?;
    match mount(c"/dev/nvme0n1", c"/tmp", c"ext4", MountFlags::NOSUID, None) {
        Ok(()) => say(format_args!("init: /tmp is on a disk")),
        // The second without a module for its file system.
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NODEV) => say(format_args!("init: there is no disk")),
        result => result.during("mount the disk")?,
    }
    Ok(())
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

/// Runs the programs of the payload, one after the other.
fn run_all(start: Start) -> Result<usize, Failure> {
    let programs = match open(c"/programs", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(programs) => programs,
        Err(rustix::io::Errno::NOENT) => return Ok(0),
        Err(errno) => return Err(errno).during("open the programs"),
    };
    let mut failed = 0;
    let mut names = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(programs.as_fd(), &mut names);
    while let Some(entry) = entries.next() {
        let entry = entry.during("list the programs")?;
        if entry.file_type() == FileType::RegularFile {
            failed += usize::from(!run(entry.file_name(), &programs, start)?);
        }
    }
    Ok(failed)
}

/// Whether the program succeeded.
fn run(name: &CStr, folder: impl AsFd, start: Start) -> Result<bool, Failure> {
    say(format_args!("init: running {name:?}"));
    let pid = process::fork(|| {
        say(format_args!("init: {}", process::exec(folder, name, start)));
        127
    })?;
    let status = process::reap(pid)?;
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => say(format_args!("init: {name:?} exit {code}")),
        (None, signal) => say(format_args!("init: {name:?} killed by signal {signal:?}")),
    }
    Ok(status.exit_status() == Some(0))
}
