//! What the programs share: the command line, the header and the end of a connection, nothing about sending.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{IntoRawFd, OwnedFd};
use std::process::exit;
use std::time::Duration;

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
    match File::open(&path) {
        Ok(file) => (file, connections),
        Err(error) => {
            report(format_args!("{}: {error}", path.display()));
            exit(1);
        }
    }
}

/// Listens on loopback and says where.
pub fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    writeln!(io::stdout(), "{}", listener.local_addr()?)?;
    Ok(listener)
}

/// So long a peer is waited for at the end of a connection.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Ends a connection. A socket that is closed with input that nobody has read, be it the request, resets the connection, and
/// what waits to be sent is lost. So this says that nothing more is sent, and reads until the peer closes. A peer that takes
/// longer is left to the kernel.
pub fn finish(mut socket: &TcpStream) -> io::Result<()> {
    socket.shutdown(Shutdown::Write)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    match io::copy(&mut socket, &mut io::sink()) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(()),
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
