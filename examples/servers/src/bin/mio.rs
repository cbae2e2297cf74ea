//! mio: the connection owns its head and its transfer, and goes on whenever its socket is writable, or in the end readable.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::net::Shutdown;
use std::time::Instant;

use bare_sendfile::{Error, IoSlice, Status, Transfer};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use servers::PATIENCE;

const LISTENER: Token = Token(0);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Bytes that are read of one connection before the next one's turn.
const TURN: u64 = 64 << 10;

struct Connection {
    socket: TcpStream,
    head: String,
    transfer: Transfer,
    sent: bool,
    /// Nobody waits longer for the peer.
    end: Instant,
}

impl Connection {
    fn new(socket: TcpStream, len: u64) -> Result<Self, Error> {
        let head = servers::head(len);
        let transfer = Transfer::new(0, len, &[IoSlice::new(head.as_bytes())], &[])?;
        Ok(Self { socket, head, transfer, sent: false, end: Instant::now() + PATIENCE })
    }

    /// Goes on as far as it can, or as its turn lasts.
    fn ready(&mut self, file: &File) -> io::Result<Status> {
        if !self.sent {
            let headers = [IoSlice::new(self.head.as_bytes())];
            let before = self.transfer.progress();
            let status = self.transfer.poll_send(&self.socket, file, &headers, &[], &mut [])?;
            if self.transfer.progress() != before {
                self.end = Instant::now() + PATIENCE; // something moves
            }
            match status {
                Status::Done => self.sent = true,
                status => return Ok(status),
            }
            self.socket.shutdown(Shutdown::Write)?;
        }
        // As `servers::finish` has it, and why.
        // Not more at once: others wait for their turn, and a peer that floods this program would have it for itself.
        match io::copy(&mut (&self.socket).take(TURN), &mut io::sink()) {
            Ok(TURN) => Ok(Status::Yielded),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Status::InEmpty),
            Err(error) => Err(error),
            Ok(_) => Ok(Status::Done),
        }
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
    let mut open = HashMap::<Token, Connection>::new();
    let mut accepted = 0;
    // There may be connections to accept of which no event tells: the kernel tells of each only once.
    let mut waiting = None;
    let mut events = Events::with_capacity(64);
    while accepted < connections || !open.is_empty() {
        let next = open.values().map(|connection| connection.end).chain(waiting).min();
        match poll.poll(&mut events, next.map(|next| next.saturating_duration_since(Instant::now()))) {
            // A signal, if only to go on after a stop. There are no events.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        if waiting.is_some_and(|next| next <= Instant::now()) || events.iter().any(|event| event.token() == LISTENER) {
            waiting = None;
            while accepted < connections && waiting.is_none() {
                match listener.accept() {
                    Ok((mut socket, _)) => {
                        accepted += 1;
                        let token = Token(accepted);
                        // The system counts what is waited for, and may refuse more (ENOSPC).
                        if let Err(error) = poll.registry().register(&mut socket, token, BOTH) {
                            servers::report(error);
                            continue;
                        }
                        open.insert(token, Connection::new(socket, len)?);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => waiting = Some(Instant::now() + servers::pause(error)?),
                }
            }
        }
        for event in &events {
            let Some(connection) = open.get_mut(&event.token()) else { continue };
            match connection.ready(&file) {
                Ok(Status::OutFull | Status::InEmpty) => continue,
                // An edge is reported once; asked anew, the kernel reports again what is so.
                Ok(Status::Yielded) => {
                    poll.registry().reregister(&mut connection.socket, event.token(), BOTH)?;
                    continue;
                }
                Ok(Status::Done) => {}
                Err(error) => servers::report(error),
            }
            open.remove(&event.token());
        }
        let now = Instant::now();
        open.retain(|_, connection| {
            let late = connection.end <= now;
            // Once all is sent, the rest is the kernel's.
            if late && !connection.sent {
                servers::report(io::Error::from(io::ErrorKind::TimedOut));
            }
            !late
        });
    }
    Ok(())
}
