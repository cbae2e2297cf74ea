//! Sending without SIGPIPE.

use core::marker::PhantomData;

use crate::errno::{Errno, Result};
use crate::sys::{self, SIGPIPE};

/// Makes the whole process ignore SIGPIPE, as Rust's std does. Calls then fail with `EPIPE` and raise no signal. A program without std
/// calls this once, at the beginning. A library may not decide that for the program. It holds a [`SigpipeGuard`] instead.
///
/// A SIGPIPE that is blocked and pending is discarded. Child programs inherit the action, unless it is changed between fork(2) and execve(2)
/// (std's `Command` does that).
///
/// System call: `rt_sigaction`. Linux 2.2 or later.
///
/// # Errors
///
/// The error of a seccomp filter. The kernel itself has none.
///
/// ```
/// # #[cfg(all(feature = "std", target_os = "linux"))]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use bare_sendfile::{Errno, ignore_sigpipe, sendfile};
/// # let file = std::fs::File::open("Cargo.toml")?;
/// # let (socket, receiver) = std::os::unix::net::UnixStream::pair()?;
/// # drop(receiver);
/// ignore_sigpipe()?;
/// assert_eq!(sendfile(&socket, &file, Some(&mut 0), 1), Err(Errno::EPIPE));
/// # Ok(())
/// # }
/// # #[cfg(not(all(feature = "std", target_os = "linux")))]
/// # fn main() {}
/// ```
///
/// # References
/// - [sigaction(2)](https://man7.org/linux/man-pages/man2/sigaction.2.html)
/// - [signal(7)](https://man7.org/linux/man-pages/man7/signal.7.html)
pub fn ignore_sigpipe() -> Result<()> {
    sys::ignore_sigpipe().map(drop)
}

/// Keeps SIGPIPE from the calling thread while the guard lives. Calls fail with `EPIPE`, and the signal is not delivered.
///
/// If nobody reads any more, sendfile(2) and writes to a pipe raise SIGPIPE. No flag prevents that. Rust's std ignores the signal, but SIGPIPE
/// ends a program without std. This guard is for a library that may not change the process's signal handlers:
///
/// - The guard blocks the signal in this thread. On drop it removes a SIGPIPE that was raised meanwhile, and restores the mask.
/// - A SIGPIPE that was already pending, or already blocked, stays so.
/// - If a filter refuses the removal, the signal stays blocked, so that it does not end the process.
/// - On macOS the kernel sends the signal to the process, and any thread that does not block it gets it. So the guard works only if all other
///   threads block SIGPIPE. Set `SO_NOSIGPIPE` on the socket instead, or `F_SETNOSIGPIPE` on a pipe.
///
/// System calls: `rt_sigprocmask` and `rt_sigpending`; on drop `rt_sigtimedwait` and `rt_sigprocmask`. Linux 2.2 or later.
///
/// ```
/// # #[cfg(all(feature = "std", target_os = "linux"))]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use bare_sendfile::{Errno, SigpipeGuard, sendfile};
/// # let file = std::fs::File::open("Cargo.toml")?;
/// # let (socket, receiver) = std::os::unix::net::UnixStream::pair()?;
/// # drop(receiver);
/// let quiet = SigpipeGuard::new()?;
/// assert_eq!(sendfile(&socket, &file, Some(&mut 0), 1), Err(Errno::EPIPE));
/// drop(quiet);
/// # Ok(())
/// # }
/// # #[cfg(not(all(feature = "std", target_os = "linux")))]
/// # fn main() {}
/// ```
///
/// It belongs to its thread:
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>() {}
/// is_send::<bare_sendfile::SigpipeGuard>();
/// ```
///
/// # References
/// - [signal(7)](https://man7.org/linux/man-pages/man7/signal.7.html)
/// - [rt_sigtimedwait(2)](https://man7.org/linux/man-pages/man2/sigtimedwait.2.html)
#[derive(Debug)]
#[must_use = "SIGPIPE is blocked only while the guard lives"]
pub struct SigpipeGuard {
    /// Whether the signal was already blocked.
    blocked: bool,
    /// Whether one was already pending.
    pending: bool,
    /// Neither Send nor Sync, because the mask belongs to the thread.
    thread: PhantomData<*mut ()>,
}

impl SigpipeGuard {
    /// Blocks SIGPIPE in the calling thread. Drop several guards of a thread in the reverse order, as variables are.
    ///
    /// # Errors
    ///
    /// Those of a seccomp filter. The kernel itself returns none.
    pub fn new() -> Result<Self> {
        let blocked = sys::block_signals(SIGPIPE)? & SIGPIPE != 0;
        let mut guard = Self { blocked, pending: true, thread: PhantomData };
        guard.pending = sys::pending_signals()? & SIGPIPE != 0;
        Ok(guard)
    }
}

impl Drop for SigpipeGuard {
    fn drop(&mut self) {
        if !self.pending {
            let mut taken = sys::take_signal(SIGPIPE);
            while taken == Err(Errno::EINTR) {
                taken = sys::take_signal(SIGPIPE);
            }
            // `EAGAIN`: none was raised. Any other error comes from a filter, and then the signal may still be pending.
            if !matches!(taken, Ok(_) | Err(Errno::EAGAIN)) {
                return;
            }
        }
        if !self.blocked {
            // The kernel never refuses this.
            let _ = sys::unblock_signals(SIGPIPE);
        }
    }
}
