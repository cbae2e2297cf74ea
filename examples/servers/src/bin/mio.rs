//! mio: the connection owns its head and its transfer, and goes on whenever its socket is writable, or in the end readable.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::net::Shutdown;

use bare_sendfile::{Error, IoSlice, Status, Transfer, poll_send};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(0);

struct Connection {
    socket: TcpStream,
    head: String,
    transfer: Transfer,
    sent: bool,
}

impl Connection {
    fn new(socket: TcpStream, len: u64) -> Result<Self, Error> {
        let head = servers::head(len);
        let transfer = Transfer::new(0, len, &[IoSlice::new(head.as_bytes())], &[])?;
        Ok(Self { socket, head, transfer, sent: false })
    }

    /// Goes on as far as it can; `WouldBlock` if that is not the end.
    fn ready(&mut self, file: &File) -> io::Result<()> {
        if !self.sent {
            let headers = [IoSlice::new(self.head.as_bytes())];
            match poll_send(&mut self.transfer, &self.socket, file, &headers, &[], &mut [])? {
                Status::Done => self.sent = true,
                Status::OutFull | Status::InEmpty => return Err(io::ErrorKind::WouldBlock.into()),
            }
            self.socket.shutdown(Shutdown::Write)?;
        }
        // As `servers::finish` has it, and why; but a peer that does not close stays.
        io::copy(&mut self.socket, &mut io::sink())?;
        Ok(())
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
        match poll.poll(&mut events, None) {
            // A signal, if only to go on after a stop. There are no events.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            polled => polled?,
        }
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
                    poll.registry().register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
                    open.insert(token, Connection::new(socket, len)?);
                }
            } else if let Some(connection) = open.get_mut(&event.token()) {
                match connection.ready(&file) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                    Err(error) => servers::report(error),
                    Ok(()) => {}
                }
                open.remove(&event.token());
                served += 1;
            }
        }
    }
    Ok(())
}
