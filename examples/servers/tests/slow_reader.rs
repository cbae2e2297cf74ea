//! Each server sends a file to readers that take their time; what arrives is compared by SHA-256.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};
use socket2::{Domain, Socket, Type};

/// Larger than what the buffers of a loopback connection hold.
const LEN: usize = 12 << 20;

fn content() -> Vec<u8> {
    (0..LEN).map(|i| (i % 251) as u8 ^ (i / 251) as u8).collect()
}

/// Ends with the test, also when it fails.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `program FILE connections` and reads where it listens.
fn start(program: &str, file: &std::path::Path, connections: usize) -> (Server, SocketAddr) {
    let mut child =
        Command::new(program).arg(file).arg(connections.to_string()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Server(child), line.trim().parse().unwrap())
}

/// A connection with a small window, so that the sender finds it full again and again.
fn connect(to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.into()
}

/// Sends a signal to the server.
fn signal(server: &Server, name: &str) {
    assert!(Command::new("kill").args([name, &server.0.id().to_string()]).status().unwrap().success());
}

/// All there is, with a pause after every half megabyte.
fn read_slowly(mut from: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    while (&mut from).take(512 << 10).read_to_end(&mut bytes).unwrap() > 0 {
        thread::sleep(Duration::from_millis(5)); // this is what makes the reader slow; nothing waits for it
    }
    bytes
}

fn body(response: &[u8]) -> &[u8] {
    let end = response.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    &response[end + 4..]
}

/// The server answers three readers at a time with `parts` times the file.
fn serves(program: &str, parts: usize) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let content = content();
    fs::write(file.path(), &content).unwrap();
    let expected = Sha256::digest(content.repeat(parts));
    let (mut server, address) = start(program, file.path(), 3);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut socket = connect(address);
                socket.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
                let mut response = vec![0; LEN / 2];
                socket.read_exact(&mut response).unwrap();
                // Nobody asked for it. The answer arrives nevertheless.
                socket.write_all(b"and more").unwrap();
                response.extend(read_slowly(socket));
                let head = servers::head((parts * LEN) as u64);
                assert_eq!(&response[..head.len()], head.as_bytes());
                assert_eq!(Sha256::digest(body(&response)), expected);
            });
        }
    });
    assert!(server.0.wait().unwrap().success());
}

/// A server that is stopped while it waits, and continued, goes on as if nothing had been.
fn goes_on(program: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let content = content();
    fs::write(file.path(), &content).unwrap();
    let (mut server, address) = start(program, file.path(), 1);
    let socket = connect(address);
    thread::sleep(Duration::from_millis(50)); // the socket is full by then, or there was nothing to interrupt
    signal(&server, "-STOP");
    signal(&server, "-CONT");
    assert_eq!(Sha256::digest(body(&read_slowly(socket))), Sha256::digest(content));
    assert!(server.0.wait().unwrap().success());
}

#[test]
fn signals() {
    goes_on(env!("CARGO_BIN_EXE_threads"));
    goes_on(env!("CARGO_BIN_EXE_tokio"));
    goes_on(env!("CARGO_BIN_EXE_smol"));
    goes_on(env!("CARGO_BIN_EXE_mio"));
    goes_on(env!("CARGO_BIN_EXE_io_uring"));
}

#[test]
fn threads() {
    serves(env!("CARGO_BIN_EXE_threads"), 1);
}

#[test]
fn tokio() {
    serves(env!("CARGO_BIN_EXE_tokio"), 1);
}

#[test]
fn smol() {
    serves(env!("CARGO_BIN_EXE_smol"), 1);
}

#[test]
fn mio() {
    serves(env!("CARGO_BIN_EXE_mio"), 1);
}

#[test]
fn io_uring() {
    serves(env!("CARGO_BIN_EXE_io_uring"), 1);
}

#[test]
fn many_files() {
    serves(env!("CARGO_BIN_EXE_many_files"), 3);
}

#[test]
fn http_range() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let content = content();
    fs::write(file.path(), &content).unwrap();
    let (all, none) = (&content[..], &[][..]);
    let cases = [
        ("Range: bytes=0-99", "206", &content[..100]),
        ("Range: bytes=1000000-", "206", &content[1_000_000..]),
        ("Range: bytes=12582911-99999999", "206", &content[LEN - 1..]),
        ("Range: bytes=12582912-", "416", none),
        ("Range: bytes=-5", "206", &content[LEN - 5..]),
        ("Range: bytes=-99999999", "206", all),
        ("Range: bytes=-0", "416", none),
        ("range:bytes=5-5 ", "206", &content[5..6]),
        ("RANGE: Bytes=5-5", "206", &content[5..6]),
        ("Range: lines=1-2", "200", all),
        ("Range: bytes=2-1", "200", all),
        ("Range: bytes=1-2,4-5", "200", all),
        ("Range: bytes=", "200", all),
        ("X-Range: bytes=1-2", "200", all),
    ];
    let (mut server, address) = start(env!("CARGO_BIN_EXE_http_range"), file.path(), cases.len());
    for (field, status, expected) in cases {
        let mut socket = connect(address);
        // A body is not expected, and costs nothing.
        write!(socket, "GET / HTTP/1.1\r\n{field}\r\n\r\nbody").unwrap();
        let response = read_slowly(socket);
        assert_eq!(&response[9..12], status.as_bytes(), "{field}");
        assert_eq!(Sha256::digest(body(&response)), Sha256::digest(expected), "{field}");
    }
    assert!(server.0.wait().unwrap().success());
}
