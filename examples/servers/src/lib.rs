//! What the programs share: the command line and the header, nothing about sending.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::process::exit;

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

/// The head of a response with so many bytes of body.
pub fn head(len: u64) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n")
}
