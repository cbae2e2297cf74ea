//! `small ROUNDS`: a head of 250 bytes and a small file, over TCP on loopback to a reader in the same thread: gathered for one
//! write, and by sendmsg with MSG_MORE and sendfile. Per body one line: bytes, nanoseconds gathered, nanoseconds by sendfile, for
//! each round; the two take turns.

use std::env::args;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use bare_sendfile::{IoSlice, Output, Step, Transfer};

const REQUESTS: u32 = 400;

/// The mean time of a response, from the first step to the last byte read.
fn respond(
    server: &TcpStream,
    client: &mut TcpStream,
    file: &File,
    body: usize,
    small: usize,
    buffers: &mut [Vec<u8>; 2],
) -> u32 {
    let [lent, received] = buffers;
    let head = [IoSlice::new(&[b'h'; 250])];
    let start = Instant::now();
    for _ in 0..REQUESTS {
        // A server knows what it has.
        let transfer = Transfer::new(0, body as u64, &head, &[]).unwrap().with_output(Output::TcpNoDelay);
        let mut transfer = transfer.with_small(small);
        loop {
            match transfer.next_step(&head, &[], lent.len()).unwrap() {
                Step::Done => break,
                step => transfer.perform(&step, server, file, lent).unwrap(),
            }
        }
        client.read_exact(&mut received[..250 + body]).unwrap();
    }
    (start.elapsed() / REQUESTS).as_nanos() as u32
}

fn main() {
    let rounds: u32 = args().nth(1).expect("small ROUNDS").parse().expect("a count");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    server.set_nodelay(true).unwrap();
    let mut client = listener.accept().unwrap().0;
    let path = std::env::temp_dir().join(format!("small-{}", std::process::id()));
    File::create(&path).unwrap().write_all(&[b'b'; 1 << 17]).unwrap();
    let file = File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let mut buffers = [vec![0; 1 << 17], vec![0; 1 << 17]];
    for _ in 0..rounds {
        for body in [512, 1, 2, 4, 8, 12, 16, 24, 32, 48, 64].map(|n: usize| if n == 512 { n } else { n << 10 }) {
            let mut time = |small| respond(&server, &mut client, &file, body, small, &mut buffers);
            println!("{body} {} {}", time(1 << 20), time(0));
        }
    }
}
