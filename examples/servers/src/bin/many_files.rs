//! Several files as one body under one cork of the caller's own: the parts leave in full segments, and the crate leaves the
//! cork alone. `many_files FILE CONNECTIONS` sends FILE three times.

use std::fs::File;
use std::io;
use std::net::TcpStream;

use bare_sendfile::{IoSlice, sendfile_hdtr_all};
use rustix::net::sockopt::set_tcp_cork;

const PARTS: u64 = 3;

fn serve(socket: &TcpStream, file: &File) -> io::Result<()> {
    let len = file.metadata()?.len();
    let head = servers::head(PARTS * len);
    set_tcp_cork(socket, true)?;
    let mut headers = &[IoSlice::new(head.as_bytes())][..];
    for _ in 0..PARTS {
        sendfile_hdtr_all(socket, file, Some(0), len, headers, &[], &mut []).bytes()?;
        headers = &[];
    }
    set_tcp_cork(socket, false)?;
    servers::finish(socket)
}

fn main() -> io::Result<()> {
    let (file, connections) = servers::arguments();
    let listener = servers::listen()?;
    for _ in 0..connections {
        if let Err(error) = serve(&servers::accept(&listener)?, &file) {
            servers::report(error);
        }
    }
    Ok(())
}
