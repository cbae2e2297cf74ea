//! Processes: what a C library would do with clone(2) and execve(2).

use core::ffi::CStr;

use rustix::fs::{AtFlags, CWD, statat};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, WaitStatus, wait};
use start::{Start, exit};
use syscalls::{Sysno, syscall};

use crate::console::{During, Failure, say};

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

/// Becomes this program, with the arguments and the environment that init itself was given: the kernel passes on what stands behind
/// `--` on its command line. Returns only if there is no such program, or on failure.
pub fn hand_over(program: &'static CStr, start: Start) -> Result<(), Failure> {
    if matches!(statat(CWD, program, AtFlags::empty()), Err(Errno::NOENT | Errno::NOTDIR)) {
        return Ok(());
    }
    say(format_args!("init: starting {}", program.to_str().unwrap_or("it")));
    // SAFETY: the kernel starts every init with a name, in a list on this process' own stack that nobody else looks at.
    unsafe { *start.arguments.as_ptr().cast_mut() = program.as_ptr() };
    // SAFETY: a name and two lists that end with a null pointer; this process' memory goes only if the call succeeds.
    unsafe { syscall!(Sysno::execve, program.as_ptr(), start.arguments.as_ptr(), start.environment.as_ptr()) }
        .during("start /sbin/init")?;
    Ok(())
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
