//! A thread for each connection, blocking: the whole response is one call.

use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::thread;

use bare_sendfile::{IoSlice, send_file};

fn serve(socket: &TcpStream, file: &File) -> io::Result<()> {
    let len = file.metadata()?.len();
    let head = servers::head(len);
    send_file(socket, file, 0, len, &[IoSlice::new(head.as_bytes())], &[], &mut []).outcome?;
    servers::finish(socket)
}

fn main() -> io::Result<()> {
    let (file, connections) = servers::arguments();
    let listener = servers::listen()?;
    thread::scope(|scope| {
        for _ in 0..connections {
            let (socket, _) = listener.accept()?;
            let file = &file;
            scope.spawn(move || {
                if let Err(error) = serve(&socket, file) {
                    servers::report(error);
                }
            });
        }
        Ok(())
    })
}
