//! A thread for each connection, blocking: the whole response is one call.

use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::thread;

use bare_sendfile::{IoSlice, sendfile_hdtr_all};

fn serve(socket: &TcpStream, file: &File) -> io::Result<()> {
    let len = file.metadata()?.len();
    let head = servers::head(len);
    sendfile_hdtr_all(socket, file, Some(0), len, &[IoSlice::new(head.as_bytes())], &[], &mut []).bytes()?;
    servers::finish(socket)
}

fn main() -> io::Result<()> {
    let (file, connections) = servers::arguments();
    let listener = servers::listen()?;
    thread::scope(|scope| {
        for _ in 0..connections {
            let socket = servers::accept(&listener)?;
            let file = &file;
            let connection = move || {
                if let Err(error) = serve(&socket, file) {
                    servers::report(error);
                }
            };
            // There may be too many of them.
            if let Err(error) = thread::Builder::new().spawn_scoped(scope, connection) {
                servers::report(error);
            }
        }
        Ok(())
    })
}
