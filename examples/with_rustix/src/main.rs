//! Serves a file to one client by HTTP, on a port of the loopback that it prints: `with_rustix FILE`. Sockets and files are
//! opened by rustix, what is sent is sent by this crate, and there is neither std nor a C library.
#![no_std]
#![no_main]

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use bare_sendfile::{Count, IoSlice, ignore_sigpipe, sendfile_hdtr_all};
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat, stat};
use rustix::io::{Errno, pread, retry_on_intr};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, Shutdown, SocketType, accept, bind, getsockname, listen, recv, shutdown, socket,
};
use rustix::path::DecInt;
use rustix::time::{ClockId, clock_gettime};

use start::Start;

start::main!(main);

// SAFETY: who starts the program opens both, and it closes neither. Where nobody did, the kernel says EBADF.
const STDOUT: BorrowedFd<'static> = unsafe { BorrowedFd::borrow_raw(1) };
// SAFETY: as above.
const STDERR: BorrowedFd<'static> = unsafe { BorrowedFd::borrow_raw(2) };

/// The exit code.
fn main(start: Start) -> u8 {
    let Some(name) = start.arguments.skip_first().next() else {
        let _ = rustix::io::write(STDERR, b"usage: with_rustix FILE\n");
        return 2;
    };
    match serve(name) {
        Ok(()) => 0,
        Err(errno) => {
            let number = DecInt::new(errno.raw_os_error());
            for part in [b"with_rustix: os error ", number.as_bytes(), b"\n"] {
                let _ = rustix::io::write(STDERR, part);
            }
            1
        }
    }
}

fn serve(name: &core::ffi::CStr) -> Result<(), Errno> {
    // Asked before it is opened: opening a FIFO waits for a writer. What is no regular file has no length that could be announced.
    if !FileType::from_raw_mode(stat(name)?.st_mode).is_file() {
        return Err(Errno::INVAL);
    }
    let file = openat(CWD, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    if file.as_raw_fd() <= 2 {
        // The number of a standard stream that nobody opened. The next would be the client's, who would get the messages.
        return Err(Errno::BADF);
    }
    let length = fstat(&file)?.st_size as u64;
    // Nor have those of /proc, which are made when they are read.
    if length == 0 && pread(&file, &mut [0], 0)? > 0 {
        return Err(Errno::INVAL);
    }

    let listener = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&listener, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
    listen(&listener, 1)?;
    let port = DecInt::new(SocketAddrV4::try_from(getsockname(&listener)?)?.port());
    rustix::io::write(STDOUT, port.as_bytes())?;
    rustix::io::write(STDOUT, b"\n")?;

    let client = accept(&listener)?;
    // A client that neither sends nor reads is an error in the end.
    for timeout in [Timeout::Recv, Timeout::Send] {
        set_socket_timeout(&client, timeout, Some(PATIENCE))?;
    }
    read_request(&client)?;

    let length_in_digits = DecInt::new(length);
    let head = [
        IoSlice::new(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: "),
        IoSlice::new(length_in_digits.as_bytes()),
        IoSlice::new(b"\r\n\r\n"),
    ];
    // A client that goes away is an error and not the end of the program. With std the signal is ignored anyway.
    ignore_sigpipe()?;
    let sent = sendfile_hdtr_all(&client, &file, Some(0), Count::Bytes(length), &head, &[], &mut []);
    // A file that was shortened meanwhile: the client must not take what it has for the whole.
    sent.bytes().map_err(|error| error.errno())?;
    finish(&client)
}

/// So long the client is waited for when nothing moves, and in all at the end. The kernel begins anew with each part of what is sent, so that
/// it may wait two or three times as long.
const PATIENCE: Duration = Duration::from_secs(5);

/// To the empty line at the end of its head, what it says does not matter. A body or another request may have come with it.
fn read_request(client: &OwnedFd) -> Result<(), Errno> {
    let mut request = [0; 4096];
    let mut have = 0;
    loop {
        // A wait with a time limit fails with EINTR after a stop (SIGSTOP, SIGCONT), handler or not: signal(7).
        match retry_on_intr(|| recv(client, &mut request[have..], RecvFlags::empty()))?.1 {
            0 => return Err(Errno::INVAL), // it ended before, or has no room
            n => have += n,
        }
        if request[..have].windows(4).any(|four| four == b"\r\n\r\n") {
            return Ok(());
        }
    }
}

/// Who closes a socket with unread bytes resets the connection, and what waits to be sent is lost: so all is read until the client closes, for
/// [`PATIENCE`] in all. Whoever still sends then loses the response's end.
fn finish(client: &OwnedFd) -> Result<(), Errno> {
    shutdown(client, Shutdown::Write)?;
    let now = || Duration::try_from(clock_gettime(ClockId::Monotonic)).map_err(|_| Errno::INVAL);
    let end = now()? + PATIENCE;
    loop {
        // A timeout of 0 would be none.
        let left = end.saturating_sub(now()?);
        set_socket_timeout(client, Timeout::Recv, Some(left.max(Duration::from_millis(1))))?;
        match retry_on_intr(|| recv(client, &mut [0; 4096], RecvFlags::empty())) {
            // One that is silent has the rest from the kernel.
            Ok((_, 0)) | Err(Errno::AGAIN) => return Ok(()),
            Ok(_) if left.is_zero() => return Err(Errno::TIMEDOUT),
            result => _ = result?,
        }
    }
}
