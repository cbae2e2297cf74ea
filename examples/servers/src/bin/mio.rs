//! mio: the connection owns its head and its transfer, and goes on whenever its socket is writable.

use std::collections::HashMap;
use std::fs::File;
use std::io;

use bare_sendfile::{Error, IoSlice, Status, Transfer, poll_send};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(0);

struct Connection {
    socket: TcpStream,
    head: String,
    transfer: Transfer,
}

impl Connection {
    fn new(socket: TcpStream, len: u64) -> Result<Self, Error> {
        let head = servers::head(len);
        let transfer = Transfer::new(0, len, &[IoSlice::new(head.as_bytes())], &[])?;
        Ok(Self { socket, head, transfer })
    }

    fn writable(&mut self, file: &File) -> Result<Status, Error> {
        let headers = [IoSlice::new(self.head.as_bytes())];
        poll_send(&mut self.transfer, &self.socket, file, &headers, &[], &mut [])
    }
}

fn main() -> io::Result<()> {
    let (file, connections) = servers::arguments();
    let len = file.metadata()?.len();
    let listener = servers::listen()?;
    listener.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(listener);
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut open = HashMap::new();
    let (mut accepted, mut served) = (0, 0);
    let mut events = Events::with_capacity(64);
    while served < connections {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                while accepted < connections {
                    let mut socket = match listener.accept() {
                        Ok((socket, _)) => socket,
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                        Err(error) => return Err(error),
                    };
                    accepted += 1;
                    let token = Token(accepted);
                    poll.registry().register(&mut socket, token, Interest::WRITABLE)?;
                    open.insert(token, Connection::new(socket, len)?);
                }
            } else if let Some(connection) = open.get_mut(&event.token()) {
                match connection.writable(&file) {
                    Ok(Status::OutFull | Status::InEmpty) => continue,
                    Ok(Status::Done) => {}
                    Err(error) => eprintln!("{error}"),
                }
                open.remove(&event.token());
                served += 1;
            }
        }
    }
    Ok(())
}
