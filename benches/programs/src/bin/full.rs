//! `full WAY`: 60 MiB to a nonblocking TCP socket whose reader rests, by a bare loop of sendfile or by `poll_send`, and a poll
//! whenever it is full. benches/bounds.py traces the system calls of its first thread.

use std::env::args;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use bare_sendfile::{Errno, Status, Transfer, sendfile};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};

const LEN: u64 = 60 << 20;
/// Where the file begins: behind a head of some kind.
const OFFSET: u64 = 1000;
const CHUNK: u64 = 2 << 20;

fn wait(socket: &TcpStream) {
    poll(&mut [PollFd::new(socket, PollFlags::OUT)], None).unwrap();
}

fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut receiver = listener.accept().unwrap().0;
    let file = memfd_create("file", MemfdFlags::CLOEXEC).unwrap();
    ftruncate(&file, OFFSET + LEN).unwrap();
    let reader = thread::spawn(move || {
        let (mut left, mut some) = (LEN as usize, vec![0; 300_000]);
        while left > 0 {
            let read = receiver.read(&mut some).unwrap();
            assert!(read > 0, "{left} bytes are missing");
            left -= read;
            thread::sleep(Duration::from_micros(500)); // this is what makes the reader slow
        }
    });
    match &*args().nth(1).expect("full WAY") {
        "bare" => {
            let (mut offset, end) = (OFFSET, OFFSET + LEN);
            while offset < end {
                let count = CHUNK.min(end - offset) as usize;
                match sendfile(&socket, &file, Some(&mut offset), count) {
                    Ok(sent) => assert!(sent > 0),
                    Err(Errno::EAGAIN) => wait(&socket),
                    Err(errno) => panic!("{errno}"),
                }
            }
        }
        "poll_send" => {
            let mut transfer = Transfer::new(OFFSET, LEN, &[], &[]).unwrap();
            loop {
                match transfer.poll_send(&socket, &file, &[], &[], &mut []).unwrap() {
                    Status::Done => break,
                    Status::Yielded => {}
                    Status::OutFull | Status::InEmpty => wait(&socket),
                }
            }
        }
        way => panic!("no way {way}"),
    }
    reader.join().unwrap();
}
