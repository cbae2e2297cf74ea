//! A static file server in one static file, without std, libc or an allocator.
//!
//! `httpd [--root FOLDER] [--port NUMBER] [--bind ADDRESS] [--idle SECONDS]`: GET and HEAD of HTTP/1.1 on one thread, each connection with a
//! [`Transfer`](bare_sendfile::Transfer) of its own. It says where it listens, and on SIGTERM or SIGINT it finishes what it
//! has begun and ends.
#![no_std]
#![no_main]

mod arguments;
mod connection;
mod files;
mod memory;
mod server;
mod signals;
mod slab;

use core::ffi::CStr;
use core::fmt::{self, Write};
use core::mem::forget;

use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io;
use syscalls::{Sysno, syscall};

use arguments::{Arguments, HELP, USAGE};

start::main!(main);

/// The status to exit with.
fn main(start: start::Start) -> u8 {
    let mut arguments = start.arguments.skip_first().map(CStr::to_bytes_with_nul);
    let arguments = match Arguments::parse(&mut arguments) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            // SAFETY: as below.
            let stdout = unsafe { rustix::stdio::stdout() };
            return u8::from(writeln!(Out(stdout), "{USAGE}\n{HELP}").is_err());
        }
        Err(wrong) => {
            // SAFETY: nobody closes it here. If it was closed before, writing to it fails, as nothing else is open yet.
            let stderr = unsafe { rustix::stdio::stderr() };
            let _ = writeln!(Out(stderr), "httpd: {wrong}\n{USAGE}");
            return 2;
        }
    };
    match fill_standard_streams().and_then(|()| server::run(&arguments)) {
        Ok(None) => 0,
        // Told twice, it ends with answers on their way; the status is that of a program that a signal ends.
        Ok(Some(signal)) => 128 + signal,
        Err((what, errno)) => {
            // SAFETY: nobody closes it here, and if it was closed before, it is filled.
            let stderr = unsafe { rustix::stdio::stderr() };
            let _ = writeln!(Out(stderr), "httpd: {what}: {}", Errno(errno));
            1
        }
    }
}

/// Whoever starts a program may have closed its standard streams. No client and no file gets a number that messages are
/// written to: it is taken by what can be neither read nor written, and is there without /dev as well.
///
/// He may also have left others open, of which nobody here knows: they would count among those that are allowed.
fn fill_standard_streams() -> Result<(), server::Failure> {
    loop {
        let fd = openat(CWD, c"/", OFlags::PATH, Mode::empty()).map_err(|errno| ("standard streams", errno))?;
        if fd.as_raw_fd() > 2 {
            break;
        }
        forget(fd);
    }
    // SAFETY: close_range(2) touches no memory, and nothing in this program has a descriptor above 2 yet.
    let _ = unsafe { syscall!(Sysno::close_range, 3, u32::MAX, 0) }; // Before Linux 5.9 they stay open.
    Ok(())
}

/// A descriptor to write text to.
struct Out<'fd>(BorrowedFd<'fd>);

impl Write for Out<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut bytes = text.as_bytes();
        while !bytes.is_empty() {
            let written = io::write(self.0, bytes).map_err(|_| fmt::Error)?;
            // A device that takes nothing, and says so without an error, would hold the program for ever.
            if written == 0 {
                return Err(fmt::Error);
            }
            bytes = bytes.get(written..).unwrap_or(&[]);
        }
        Ok(())
    }
}

/// An error number in words: rustix has them with std only.
struct Errno(io::Errno);

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match bare_sendfile::Errno::from_raw_os_error(self.0.raw_os_error()) {
            Some(errno) => errno.fmt(f),
            None => f.write_str("no error"),
        }
    }
}
