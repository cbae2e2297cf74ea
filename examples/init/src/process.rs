//! Processes: what a C library would do with clone(2) and execve(2).

use core::ffi::CStr;

use rustix::fd::{AsFd, AsRawFd};
use rustix::process::{Pid, WaitOptions, WaitStatus, wait};
use syscalls::{Sysno, syscall};

use crate::console::{During, Failure};
use crate::start::{Start, exit};

const SIGCHLD: usize = 17;

/// Runs `child` in a process of its own; what it returns is the exit code.
pub fn fork(child: impl FnOnce() -> u8) -> Result<Pid, Failure> {
    // SAFETY: a copy of this process, which has one thread, goes on with a copy of its memory.
    let pid = unsafe { syscall!(Sysno::clone, SIGCHLD, 0, 0, 0, 0) }.during("fork")?;
    match Pid::from_raw(pid as i32) {
        Some(pid) => Ok(pid),
        None => exit(child()),
    }
}

/// Becomes the program `name` of a folder, with the arguments and the environment that init itself was given: the kernel passes on what
/// stands behind `--` on its command line. Returns only on failure.
pub fn exec(folder: impl AsFd, name: &CStr, start: Start) -> Failure {
    // SAFETY: the kernel starts every init with a name, in a list on this process' own stack that nobody else looks at.
    unsafe { *start.arguments.cast_mut() = name.as_ptr() };
    let folder = folder.as_fd().as_raw_fd();
    // SAFETY: a name and two lists that end with a null pointer; this process' memory goes only if the call succeeds.
    let result = unsafe { syscall!(Sysno::execveat, folder, name.as_ptr(), start.arguments, start.environment, 0) };
    match result.during("exec") {
        Err(failure) => failure,
        Ok(_) => Failure::wrong("exec", "it returned"),
    }
}

/// Waits for `pid`, and buries everybody else's orphans meanwhile, as only an init can.
pub fn reap(pid: Pid) -> Result<WaitStatus, Failure> {
    loop {
        if let Some((dead, status)) = wait(WaitOptions::empty()).during("wait")?
            && dead == pid
        {
            return Ok(status);
        }
    }
}

/// Buries all that have ended and are not buried yet.
pub fn reap_the_rest() {
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
}
