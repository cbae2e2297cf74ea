//! What the programs share: the command line, the header and the end of a connection, nothing about sending.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{IntoRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::exit;
use std::thread::sleep;
use std::time::{Duration, Instant};

use socket2::SockRef;

/// `PROGRAM FILE CONNECTIONS`: serve FILE to so many connections, then stop.
pub fn arguments() -> (File, usize) {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(path), Some(connections), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        report("usage: PROGRAM FILE CONNECTIONS");
        exit(2);
    };
    let Some(connections) = connections.to_str().and_then(|number| number.parse().ok()) else {
        report(format_args!("{}: not a number of connections", connections.display()));
        exit(2);
    };
    match open(path.as_ref()) {
        Ok(Some(file)) => (file, connections),
        Ok(None) => {
            report(format_args!("{}: no regular file with a length", path.display()));
            exit(1);
        }
        Err(error) => {
            report(format_args!("{}: {error}", path.display()));
            exit(1);
        }
    }
}

/// A file whose length can be announced. Those of /proc say that they are empty, and are made when they are read.
fn open(path: &Path) -> io::Result<Option<File>> {
    // Asked before it is opened: opening a FIFO waits for a writer.
    if !fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let file = File::open(path)?;
    let made = file.metadata()?.len() == 0 && file.read_at(&mut [0], 0)? > 0;
    Ok((!made).then_some(file))
}

/// Listens on loopback and says where. Its connections have room again soon, see [`UNSENT`].
pub fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    SockRef::from(&listener).set_tcp_notsent_lowat(UNSENT)?; // who is accepted inherits it
    writeln!(io::stdout(), "{}", listener.local_addr()?)?;
    Ok(listener)
}

/// A socket with so many bytes that wait to be sent is full (`TCP_NOTSENT_LOWAT`, Linux 3.12), and has room again when the peer has taken
/// 96 KiB at most. Without the option a third of the buffer has to be free, which grows to 4 MiB: for that, a slow peer that takes
/// something all the time needs longer than [`PATIENCE`]. A segment is smaller (65495 bytes on loopback), so what the kernel holds back to
/// fill one never fills the socket. `TCP_USER_TIMEOUT` is no way out: it ends connections of slow peers with small windows.
const UNSENT: u32 = 64 << 10;

/// So long a peer is waited for when nothing moves, and in all at the end of a connection. For a blocking socket the kernel begins anew
/// with each part of what is sent, so that it may wait two or three times as long.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Between two attempts to accept a connection while there are no descriptors.
pub const PAUSE: Duration = Duration::from_millis(100);

/// The next connection, blocking. Sending fails with `WouldBlock` when the peer takes nothing for too long, see [`PATIENCE`].
pub fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    loop {
        match listener.accept() {
            Ok((socket, _)) => {
                socket.set_write_timeout(Some(PATIENCE))?;
                return Ok(socket);
            }
            Err(error) => sleep(pause(error)?),
        }
    }
}

/// How long to wait after this error of accept(2) before the next call. A server that ends on the first of them serves nobody any
/// more. It fails with those that come from a mistake in the program and will not go away.
pub fn pause(error: io::Error) -> io::Result<Duration> {
    match error.raw_os_error() {
        Some(libc::EBADF | libc::EFAULT | libc::EINVAL | libc::ENOTSOCK) => Err(error),
        // One connection was gone before it was accepted, or a signal came.
        Some(libc::ECONNABORTED | libc::ECONNRESET | libc::EPROTO | libc::EINTR) => Ok(Duration::ZERO),
        // No descriptors (EMFILE, ENFILE) or no memory: until another connection ends.
        _ => Ok(PAUSE),
    }
}

/// Ends a connection. A socket that is closed with input that nobody has read, be it the request, resets the connection, and
/// what waits to be sent is lost. So this says that nothing more is sent, and reads until the peer closes. A peer that takes
/// longer than [`PATIENCE`] is left to the kernel, however often it sends something.
pub fn finish(socket: &TcpStream) -> io::Result<()> {
    socket.shutdown(Shutdown::Write)?;
    let end = Instant::now() + PATIENCE;
    let mut buffer = [0; 4096];
    loop {
        match read_until(socket, &mut buffer, end) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            result => _ = result?,
        }
    }
}

/// Reads once, or fails with `WouldBlock` at `end`.
pub fn read_until(mut socket: &TcpStream, buffer: &mut [u8], end: Instant) -> io::Result<usize> {
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        socket.set_read_timeout(Some(left))?;
        match socket.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// The head of a response with so many bytes of body.
pub fn head(len: u64) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n")
}

/// A line on stderr. Nobody can be told that it failed; `eprintln!` would panic.
pub fn report(message: impl Display) {
    let _ = io::stderr().write_all(format!("{message}\n").as_bytes());
}

/// Closes a file and returns the error of it, which a drop passes over: some file systems (NFS, FUSE) store a file only then.
pub fn close(file: impl Into<OwnedFd>) -> io::Result<()> {
    // SAFETY: it is open, and nobody else has it.
    unsafe { rustix::io::try_close(file.into().into_raw_fd()) }.map_err(io::Error::from)
}
