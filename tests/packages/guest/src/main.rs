//! PID 1 of the machines of tests/kernel: mounts what tests need, runs the programs of the payload, and turns the power off.
//!
//! examples/init moves the payload into the root and hands over to this as `/sbin/init`. Each file of `/programs` is run, one after the
//! other, with the arguments and the environment that the kernel gave to init. With `/modules` (a folder of the kernel's modules) it
//! can use what is not built in. A disk, NVMe or virtio, with an ext4 on it becomes /tmp, which without one is memory.
//!
//! A program that takes longer than five minutes of the machine's own time is ended, and has failed.
//!
//! Where examples/init is not to be had it is started by the kernel, in the initramfs.
//!
//! Its last words are `guest: exit N`: 0 if all went well, 1 if a program failed or a line `guest: FAILED` tells what went wrong.

use std::env;
use std::error::Error;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::ioctl::{Opcode, Setter, ioctl};
use rustix::mount::{MountFlags, mount};
use rustix::net::{AddressFamily, SocketType, socket};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process_group, wait};
use rustix::system::{RebootCommand, finit_module, reboot};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// For a program.
const LIMIT: Duration = Duration::from_secs(300);

fn main() {
    let code = match run_all() {
        Ok(0) => 0,
        Ok(failed) => {
            println!("guest: {failed} programs failed");
            1
        }
        Err(error) => {
            println!("guest: FAILED: {error}");
            1
        }
    };
    println!("guest: exit {code}");
    if let Err(errno) = reboot(RebootCommand::PowerOff) {
        // And the kernel panics, since its init ends.
        println!("guest: power off: {errno}");
    }
}

/// Returns how many programs failed.
fn run_all() -> Result<usize> {
    if !Path::new("/proc/self").exists() {
        make("/proc", 0o755)?;
        mount("proc", "/proc", "proc", MountFlags::NOSUID, None).map_err(|errno| format!("mount /proc: {errno}"))?;
        print!("{}", fs::read_to_string("/proc/version")?);
    }
    for (folder, kind) in [("/sys", "sysfs"), ("/dev", "devtmpfs"), ("/dev/pts", "devpts"), ("/dev/shm", "tmpfs")] {
        make(folder, 0o755)?;
        mount(kind, folder, kind, MountFlags::NOSUID, None).map_err(|errno| format!("mount {folder}: {errno}"))?;
    }
    loopback_up().map_err(|errno| format!("set lo up: {errno}"))?;
    symlink("/proc/self/fd", "/dev/fd")?;
    load_modules()?;
    make("/tmp", 0o1777)?;
    let disk = if Path::new("/dev/vda").exists() { "/dev/vda" } else { "/dev/nvme0n1" };
    match mount(disk, "/tmp", "ext4", MountFlags::NOSUID, None) {
        Ok(()) => println!("guest: /tmp is on a disk"),
        // The second without a module for its file system.
        Err(Errno::NOENT | Errno::NODEV) => println!("guest: there is no disk"),
        Err(errno) => return Err(format!("mount the disk: {errno}").into()),
    }

    let mut failed = 0;
    for program in fs::read_dir("/programs")? {
        failed += usize::from(!run(&program?.path())?);
    }
    Ok(failed)
}

/// The loopback interface, which then has its address by itself. It may be up.
fn loopback_up() -> rustix::io::Result<()> {
    /// `struct ifreq` of <linux/if.h>, with the flags.
    #[repr(C)]
    struct Interface {
        name: [u8; 16],
        flags: i16,
        rest: [u8; 22],
    }
    const SIOCSIFFLAGS: Opcode = 0x8914;
    const IFF_UP: i16 = 1;
    let mut lo = Interface { name: [0; 16], flags: IFF_UP, rest: [0; 22] };
    lo.name[..2].copy_from_slice(b"lo");
    let socket = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    // SAFETY: the call reads a `struct ifreq`, which is no larger.
    unsafe { ioctl(socket, Setter::<SIOCSIFFLAGS, _>::new(lo)) }
}

/// A folder, which may be there. A new one has exactly this mode, whatever the umask.
fn make(folder: &str, mode: u32) -> io::Result<()> {
    match fs::create_dir(folder) {
        Ok(()) => fs::set_permissions(folder, Permissions::from_mode(mode)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Loads the kernel's modules of the payload, if there are any: over and over, since they need each other and are in no order.
fn load_modules() -> Result<()> {
    if !Path::new("/modules").exists() {
        return Ok(());
    }
    let mut loaded = true;
    while loaded {
        loaded = false;
        for module in fs::read_dir("/modules")? {
            let module = module?.path();
            match finit_module(File::open(&module)?, c"", 0) {
                Ok(()) => loaded = true,
                // It is there already, needs another one first, or is for another processor.
                Err(Errno::EXIST | Errno::NOENT | Errno::NODEV) => continue,
                Err(errno) => return Err(format!("load {}: {errno}", module.display()).into()),
            }
            println!("guest: loaded {}", module.display());
        }
    }
    Ok(())
}

/// Whether the program succeeded. One that has not ended in time is ended, with all that it has started.
fn run(program: &Path) -> Result<bool> {
    println!("guest: running {}", program.display());
    let child = Command::new(program).args(env::args_os().skip(1)).process_group(0).spawn()?;
    let pid = Pid::from_child(&child);
    let (ended, end) = mpsc::channel::<()>();
    let name = program.display().to_string();
    thread::spawn(move || {
        if end.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            // As tests/tools/limit has it, for those who count. Of a test's thread the name is the test's first 15 characters.
            println!(
                "\nlimit: {name} has not ended after {} s; its threads: {}",
                LIMIT.as_secs(),
                threads(pid).join(" ")
            );
            // That it has just ended after all is no error.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    });
    let status = reap(pid)?;
    drop(ended);
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => println!("guest: {} exit {code}", program.display()),
        (None, signal) => println!("guest: {} killed by signal {signal:?}", program.display()),
    }
    Ok(status.exit_status() == Some(0))
}

/// The names of its threads.
fn threads(pid: Pid) -> Vec<String> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", pid.as_raw_pid())) else { return Vec::new() };
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("comm")).ok())
        .map(|name| name.trim().into())
        .collect()
}

/// Waits for `pid`, and buries everybody else's orphans meanwhile, as only an init can.
fn reap(pid: Pid) -> Result<WaitStatus> {
    loop {
        if let Some((dead, status)) = wait(WaitOptions::empty())?
            && dead == pid
        {
            return Ok(status);
        }
    }
}
