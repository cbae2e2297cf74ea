//! `memory RESPONSE`: a server that answers every request with the bytes of that file, from memory, and touches no file: the limit
//! for one that does. One read and one send a request, nothing is parsed; whoever sends requests one by one gets answers.

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send};
use std::collections::HashMap;
use std::net::TcpListener;

/// Sends what it can; how much has not been sent of the answers that were begun.
fn answer(socket: &OwnedFd, response: &[u8], left: &mut usize) -> rustix::io::Result<bool> {
    loop {
        if *left == 0 {
            let mut request = [0; 8192];
            match recv(socket, &mut request, RecvFlags::empty()) {
                Ok((0, _)) => return Ok(false),
                Ok(_) => *left = response.len(),
                Err(rustix::io::Errno::AGAIN) => return Ok(true),
                Err(errno) => return Err(errno),
            }
        }
        match send(socket, &response[response.len() - *left..], SendFlags::NOSIGNAL) {
            Ok(sent) => *left -= sent,
            Err(rustix::io::Errno::AGAIN) => return Ok(true),
            Err(errno) => return Err(errno),
        }
        if *left == 0 {
            return Ok(true); // As much as this client's one request; the next one is another event.
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let response = std::fs::read(std::env::args_os().nth(1).expect("memory RESPONSE"))?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    rustix::net::sockopt::set_tcp_nodelay(&listener, true)?;
    println!("listening on {}", listener.local_addr()?);
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(0), EventFlags::IN)?;
    let (mut clients, mut next) = (HashMap::new(), 1);
    let mut events = Vec::with_capacity(256);
    loop {
        epoll::wait(&epoll, spare_capacity(&mut events), None)?;
        for event in events.drain(..) {
            let id = event.data.u64();
            if id == 0 {
                while let Ok(socket) = accept_with(&listener, SocketFlags::NONBLOCK) {
                    epoll::add(
                        &epoll,
                        &socket,
                        EventData::new_u64(next),
                        EventFlags::IN | EventFlags::OUT | EventFlags::ET,
                    )?;
                    clients.insert(next, (socket, 0));
                    next += 1;
                }
            } else if let Some((socket, left)) = clients.get_mut(&id)
                && !answer(socket, &response, left).unwrap_or(false)
            {
                clients.remove(&id);
            }
        }
    }
}
