//! What the programs share: the command line, the header and the end of a connection, nothing about sending.

use std::fs::File;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::exit;
use std::time::Duration;

/// `PROGRAM FILE CONNECTIONS`: serve FILE to so many connections, then stop.
pub fn arguments() -> (File, usize) {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(path), Some(connections), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        eprintln!("usage: PROGRAM FILE CONNECTIONS");
        exit(2);
    };
    let Some(connections) = connections.to_str().and_then(|number| number.parse().ok()) else {
        eprintln!("{}: not a number of connections", connections.display());
        exit(2);
    };
    match File::open(&path) {
        Ok(file) => (file, connections),
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            exit(1);
        }
    }
}

/// Listens on loopback and says where.
pub fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    println!("{}", listener.local_addr()?);
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
