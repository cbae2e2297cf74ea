//! Sending without SIGPIPE.

use core::marker::PhantomData;

use crate::errno::{Errno, Result};
use crate::sys::{self, SIGPIPE};

/// Makes the whole process ignore SIGPIPE, as Rust's std does: `EPIPE` comes alone from then on. A program without std calls it once, at the
/// beginning. It is the program's to decide, so a library holds a [`SigpipeGuard`] instead.
///
/// A SIGPIPE that is blocked and pending is dropped. Programs that this one starts begin with the signal ignored, unless somebody changes it
/// between fork(2) and execve(2) (std's `Command` does).
///
/// System call: `rt_sigaction`. Linux 2.2 or later.
///
/// # Errors
///
/// Those of a seccomp filter; the kernel itself has none.
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

/// Keeps SIGPIPE from the calling thread while it lives: `EPIPE` comes alone.
///
/// sendfile(2) raises the signal with `EPIPE` and has no flag against it, and so does writing to a pipe that nobody reads.
/// Rust's std ignores SIGPIPE; a program without std is ended by it unless it does something. This is that something for a
/// library that may not change the process's signal handlers: the signal is blocked in this thread, and on drop what was
/// raised meanwhile is taken out and the mask put back. A SIGPIPE that was already pending, or blocked before, stays. Where a
/// filter refuses to take it out, the signal stays blocked: the thread goes on rather than end by it.
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
#[must_use = "SIGPIPE is kept off only while it lives"]
pub struct SigpipeGuard {
    /// It was blocked already.
    blocked: bool,
    /// One was pending already.
    pending: bool,
    /// The mask is a thread's: neither Send nor Sync.
    thread: PhantomData<*mut ()>,
}

impl SigpipeGuard {
    /// Blocks SIGPIPE in the calling thread. Several guards of a thread are dropped in the reverse order, as variables are.
    ///
    /// # Errors
    ///
    /// Those of a seccomp filter; the kernel itself has none.
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
            // `EAGAIN`: none was raised. Any other error is a filter's, and then it may be pending still.
            if !matches!(taken, Ok(_) | Err(Errno::EAGAIN)) {
                return;
            }
        }
        if !self.blocked {
            // The kernel never refuses it.
            let _ = sys::unblock_signals(SIGPIPE);
        }
    }
}
