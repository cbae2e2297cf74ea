//! Messages and failures.

use core::fmt::{self, Write};

use rustix::fd::BorrowedFd;

/// One line on the console.
pub fn say(message: fmt::Arguments<'_>) {
    // There is nowhere to report to that the console is gone.
    let _ = writeln!(Console, "{message}");
}

/// The console, which the kernel opens for an init as standard output if the initramfs has /dev/console.
pub fn stdout() -> BorrowedFd<'static> {
    // SAFETY: nobody closes it. Where the kernel could not open it, calls fail with EBADF.
    unsafe { BorrowedFd::borrow_raw(1) }
}

struct Console;

impl Write for Console {
    fn write_str(&mut self, mut text: &str) -> fmt::Result {
        while !text.is_empty() {
            let written = rustix::io::write(stdout(), text.as_bytes()).map_err(|_| fmt::Error)?;
            // A device that takes nothing, and says so without an error, would hold the boot for ever.
            if written == 0 {
                return Err(fmt::Error);
            }
            text = text.get(written..).ok_or(fmt::Error)?;
        }
        Ok(())
    }
}

/// What could not be done, and why.
pub struct Failure {
    what: &'static str,
    why: Why,
}

enum Why {
    Kernel(rustix::io::Errno),
    Transfer(bare_sendfile::Error),
    Wrong(&'static str),
}

impl Failure {
    /// Something is not as it should be.
    pub fn wrong(what: &'static str, why: &'static str) -> Self {
        Self { what, why: Why::Wrong(why) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.what)?;
        match self.why {
            Why::Kernel(errno) => match bare_sendfile::Errno::from_raw_os_error(errno.raw_os_error()) {
                Some(errno) => errno.fmt(f),
                None => errno.fmt(f),
            },
            Why::Transfer(error) => error.fmt(f),
            Why::Wrong(why) => f.write_str(why),
        }
    }
}

/// Says what was being done when an error came.
pub trait During<T> {
    fn during(self, what: &'static str) -> Result<T, Failure>;
}

impl<T> During<T> for Result<T, rustix::io::Errno> {
    fn during(self, what: &'static str) -> Result<T, Failure> {
        self.map_err(|errno| Failure { what, why: Why::Kernel(errno) })
    }
}

impl<T> During<T> for Result<T, bare_sendfile::Error> {
    fn during(self, what: &'static str) -> Result<T, Failure> {
        self.map_err(|error| Failure { what, why: Why::Transfer(error) })
    }
}

impl<T> During<T> for Result<T, syscalls::Errno> {
    fn during(self, what: &'static str) -> Result<T, Failure> {
        self.map_err(|errno| rustix::io::Errno::from_raw_os_error(errno.into_raw())).during(what)
    }
}
