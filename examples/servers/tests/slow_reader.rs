//! Each server sends a file to readers that take their time; what arrives is compared by SHA-256.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
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
    start_by(Command::new(program), file, connections)
}

fn start_by(mut command: Command, file: &std::path::Path, connections: usize) -> (Server, SocketAddr) {
    let mut child = command.arg(file).arg(connections.to_string()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Server(child), line.trim().parse().unwrap())
}

/// A connection with a small window, so that the sender finds it full again and again.
fn connect(to: SocketAddr) -> TcpStream {
    connect_with(64 << 10, to)
}

fn connect_with(buffer: usize, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(buffer).unwrap();
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
    goes_on(env!("CARGO_BIN_EXE_async_fd"));
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
fn async_fd() {
    serves(env!("CARGO_BIN_EXE_async_fd"), 1);
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
        // More than 64 bits are more than any file has.
        ("Range: bytes=5-99999999999999999999", "206", &content[5..]),
        ("Range: bytes=99999999999999999999-", "416", none),
        ("Range: bytes=-99999999999999999999", "206", all),
        // No numbers of HTTP.
        ("Range: bytes=+1-2", "200", all),
        ("Range: bytes=1-+2", "200", all),
        ("Range: bytes=-+5", "200", all),
        ("Range: bytes=- 5", "200", all),
        ("Range: bytes=1-2\r\nRange: bytes=3-4", "200", all),
        // A part of which version?
        ("If-Range: \"a\"\r\nRange: bytes=1-2", "200", all),
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

/// What comes of a request to `http_range` that is not a GET as others are.
#[test]
fn http_range_has_limits() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "content").unwrap();
    let long = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(1 << 20));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(65));
    let cases = [
        ("HEAD / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\n"),
        ("HEAD / HTTP/1.1\r\nRange: bytes=1-2\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n"),
        ("GET / HTTP/1.1\r\nRange: bytes=1-2\r\n\r\nGET / HTTP/1.1\r\n\r\n", "HTTP/1.1 206 Partial Content\r\n"),
        ("POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", "HTTP/1.1 405 Method Not Allowed\r\n"),
        ("GARBAGE\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"),
        ("\x16\x03\x01", "HTTP/1.1 400 Bad Request\r\n"),
        (&long, "HTTP/1.1 431 Request Header Fields Too Large\r\n"),
        (&many, "HTTP/1.1 431 Request Header Fields Too Large\r\n"),
    ];
    let (mut server, address) = start(env!("CARGO_BIN_EXE_http_range"), file.path(), cases.len() + 1);
    for (request, answer) in cases {
        let mut socket = connect(address);
        // It does not read on, and may be gone before this is written.
        let _ = socket.write_all(request.as_bytes());
        let mut response = String::new();
        let _ = socket.read_to_string(&mut response);
        assert!(response.starts_with(answer), "{:?}: {response:?}", &request[..request.len().min(80)]);
        let head = response.find("\r\n\r\n").unwrap() + 4;
        assert_eq!(&response[head..], if answer.contains(" 206 ") { "on" } else { "" });
    }
    // Nor does it wait for ever for the end of a head.
    let trickling = trickle(connect(address), b"x");
    ends(&mut server);
    trickling.join().unwrap();
}

/// A thread that sends this ten times a second, until nobody takes it.
fn trickle(mut to: TcpStream, bytes: &'static [u8]) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        while to.write_all(bytes).is_ok() {
            thread::sleep(Duration::from_millis(100)); // how often it sends; nothing waits for it
        }
    })
}

/// Fails if the server is held.
#[track_caller]
fn ends(server: &mut Server) {
    let start = Instant::now();
    let status = loop {
        if let Some(status) = server.0.try_wait().unwrap() {
            break status;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "it is held");
        thread::sleep(Duration::from_millis(10)); // between two looks, for a minute
    };
    assert!(status.success());
}

const SERVERS: [&str; 8] = [
    env!("CARGO_BIN_EXE_threads"),
    env!("CARGO_BIN_EXE_tokio"),
    env!("CARGO_BIN_EXE_async_fd"),
    env!("CARGO_BIN_EXE_smol"),
    env!("CARGO_BIN_EXE_mio"),
    env!("CARGO_BIN_EXE_io_uring"),
    env!("CARGO_BIN_EXE_many_files"),
    env!("CARGO_BIN_EXE_http_range"),
];

/// All of them at a time.
fn of_each_server(test: impl Fn(&str) + Sync) {
    thread::scope(|scope| {
        for program in SERVERS {
            scope.spawn(|| test(program));
        }
    });
}

/// A length that is announced has to be known: none of these has one.
#[test]
fn only_a_file_with_a_length_is_served() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody writes to it: opening it would wait.
    let fifo = folder.path().join("fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let [fifo, folder] = [fifo.to_str().unwrap(), folder.path().to_str().unwrap()];
    of_each_server(|program| {
        for file in [fifo, folder, "/dev/zero", "/proc/version"] {
            let mut command = Command::new(program);
            command.args([file, "1"]).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut server = Server(command.spawn().unwrap());
            let start = Instant::now();
            while server.0.try_wait().unwrap().is_none() {
                assert!(start.elapsed() < Duration::from_secs(60), "{program} {file} waits");
                thread::sleep(Duration::from_millis(10)); // between two looks, for a minute
            }
            let (mut stdout, mut stderr) = (String::new(), String::new());
            server.0.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
            server.0.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
            assert_eq!((&*stdout, stderr), ("", format!("{file}: no regular file with a length\n")), "{program}");
            assert_eq!(server.0.wait().unwrap().code(), Some(1));
        }
    });
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

#[test]
fn a_peer_that_goes_on_sending_holds_nobody() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "content").unwrap();
    of_each_server(|program| {
        for bytes in [b"x".as_slice(), &[b'x'; 1 << 20]] {
            let (mut server, address) = start(program, file.path(), 1);
            let mut socket = connect(address);
            socket.write_all(REQUEST).unwrap();
            let sending = if bytes.len() == 1 {
                trickle(socket, bytes)
            } else {
                thread::spawn(move || while socket.write_all(&[b'x'; 1 << 20]).is_ok() {})
            };
            ends(&mut server);
            sending.join().unwrap();
        }
    });
}

/// Whether this socket has no room for what is to be sent.
fn is_full(socket: &TcpStream) -> bool {
    poll(&mut [PollFd::new(socket, PollFlags::OUT)], Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 0
}

/// Servers that wait for several connections at a time give each of them a turn. Under strace they read more slowly than the peers
/// send, so those are always ready.
#[test]
fn peers_that_flood_keep_nobody_waiting() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "content").unwrap();
    for name in ["tokio", "async_fd", "smol", "mio"] {
        let program = SERVERS.iter().find(|program| program.ends_with(name)).unwrap();
        let mut command = Command::new("strace");
        // With -D the child of this test is the server itself.
        command.args(["-D", "-f", "-qq", "-e", "trace=recvfrom,read", "-o", "/dev/null", program]);
        let (server, address) = start_by(command, file.path(), 9);
        let floods: Vec<_> = (0..8).map(|_| connect(address)).collect();
        thread::scope(|scope| {
            // It ends here: the scope waits for the writers, which go on until there is no server.
            let mut server = server;
            for mut flood in floods.iter().flat_map(|flood| [flood; 4]) {
                scope.spawn(move || while flood.write_all(&[b'x'; 1 << 20]).is_ok() {});
            }
            let has_all = |mut socket: &TcpStream| {
                let mut response = Vec::new();
                socket.read_to_end(&mut response).unwrap();
                assert!(response.ends_with(b"content"), "{name}");
            };
            for flood in &floods {
                has_all(flood);
                let start = Instant::now();
                while !is_full(flood) {
                    assert!(start.elapsed() < Duration::from_secs(60), "{name}: it has room all the time");
                    thread::sleep(Duration::from_millis(1)); // between two looks, for a minute
                }
            }
            has_all(&connect(address));
            // The server resets a flood when it leaves it, as it has not read all. Then the socket has no peer any more.
            assert!(
                floods.iter().all(|flood| flood.peer_addr().is_ok()),
                "{name}: others have waited for a flood's end"
            );
            ends(&mut server);
        });
    }
}

/// A server may run for years, and nobody waits for its end to learn what went wrong.
#[test]
fn an_error_is_reported_at_once() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), content()).unwrap();
    of_each_server(|program| {
        let mut command = Command::new(program);
        command.stderr(Stdio::piped());
        let (mut server, address) = start_by(command, file.path(), 2);
        let stderr = server.0.stderr.take().unwrap();
        let (sender, reported) = mpsc::channel();
        thread::spawn(move || {
            let mut stderr = BufReader::new(stderr);
            let mut line = String::new();
            stderr.read_line(&mut line).unwrap();
            let _ = sender.send(line);
            let _ = stderr.read_to_end(&mut Vec::new());
        });
        // Closed with something unread, it resets the connection.
        let mut socket = connect(address);
        socket.write_all(REQUEST).unwrap();
        socket.read_exact(&mut [0]).unwrap();
        drop(socket);
        let line = reported.recv_timeout(Duration::from_secs(60));
        assert!(line.is_ok_and(|line| line.contains("(os error ")), "{program} says nothing");
        drop(connect(address));
        ends(&mut server);
    });
}

/// The system counts what is waited for. Nobody can be served above its limit, and the server goes on.
#[test]
fn mio_goes_on_where_no_more_can_be_waited_for() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "content").unwrap();
    // It has the listener and epoll at numbers up to 5. What is added later are clients.
    let is =
        |argument, operator, value| SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value).unwrap();
    let client = vec![is(1, SeccompCmpOp::Eq, libc::EPOLL_CTL_ADD as u64), is(2, SeccompCmpOp::Gt, 5)];
    let rules = BTreeMap::from([(libc::SYS_epoll_ctl, vec![SeccompRule::new(client).unwrap()])]);
    let action = SeccompAction::Errno(libc::ENOSPC as u32);
    let arch = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch).unwrap();
    let filter: BpfProgram = filter.try_into().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mio"));
    command.stderr(Stdio::piped());
    // SAFETY: the closure makes three system calls and allocates nothing. Nobody else sets the descriptors of the child.
    unsafe {
        command.pre_exec(move || {
            // What this process itself has inherited would take the numbers.
            libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
            seccompiler::apply_filter(&filter).map_err(io::Error::other)
        })
    };
    let (mut server, address) = start_by(command, file.path(), 2);
    for _ in 0..2 {
        assert_eq!(count_to_any_end(connect(address)), 0);
    }
    let mut reported = String::new();
    server.0.stderr.take().unwrap().read_to_string(&mut reported).unwrap();
    assert_eq!(reported, "No space left on device (os error 28)\n".repeat(2));
    ends(&mut server);
}

#[test]
fn a_peer_that_reads_nothing_holds_nobody() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), content()).unwrap();
    let ends_with = |program: &str, sends: bool| {
        let mut command = Command::new(program);
        command.stderr(Stdio::piped());
        let (mut server, address) = start_by(command, file.path(), 1);
        let mut socket = connect(address);
        socket.write_all(REQUEST).unwrap();
        let trickling = sends.then(|| trickle(socket.try_clone().unwrap(), b"x"));
        ends(&mut server);
        if let Some(trickling) = trickling {
            trickling.join().unwrap();
        }
        assert!(count_to_any_end(socket) < LEN);
        let mut reported = String::new();
        server.0.stderr.take().unwrap().read_to_string(&mut reported).unwrap();
        // The latter is what blocking sockets say.
        assert!(
            ["timed out\n", "Resource temporarily unavailable (os error 11)\n"].contains(&&*reported),
            "{program}: {reported}"
        );
    };
    of_each_server(|program| {
        thread::scope(|scope| {
            scope.spawn(|| ends_with(program, true));
            ends_with(program, false);
        });
    });
}

/// Slower than the server's kernel makes room for more, but it takes something all the time: longer than a peer is waited for that does not.
#[test]
fn a_slow_peer_gets_all() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let content = content();
    fs::write(file.path(), &content).unwrap();
    of_each_server(|program| {
        let (mut server, address) = start(program, file.path(), 1);
        let mut socket = connect_with(16 << 10, address);
        socket.write_all(REQUEST).unwrap();
        let mut response = Vec::new();
        for _ in 0..80 {
            (&socket).take(8000).read_to_end(&mut response).unwrap();
            thread::sleep(Duration::from_millis(100)); // this is what makes the reader slow; nothing waits for it
        }
        response.extend(read_slowly(socket));
        let parts = if program.ends_with("many_files") { 3 } else { 1 };
        assert_eq!(Sha256::digest(body(&response)), Sha256::digest(content.repeat(parts)), "{program}");
        ends(&mut server);
    });
}

/// How many bytes there were before the end, or a reset.
fn count_to_any_end(mut from: TcpStream) -> usize {
    let mut bytes = Vec::new();
    let _ = from.read_to_end(&mut bytes);
    bytes.len()
}

#[test]
fn a_server_without_descriptors_goes_on() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "content").unwrap();
    let get = |address| {
        let mut socket = connect(address);
        socket.write_all(REQUEST).unwrap();
        let mut response = Vec::new();
        socket.read_to_end(&mut response).unwrap();
        assert!(response.ends_with(b"content"));
    };
    of_each_server(|program| {
        let (mut server, address) = start(program, file.path(), 4);
        // By then the server has all that it needs itself.
        get(address);
        let (pid, maximum) = (Pid::from_child(&server.0), getrlimit(Resource::Nofile).maximum);
        let limit = |current| prlimit(Some(pid), Resource::Nofile, Rlimit { current, maximum }).unwrap();
        let before = limit(Some(3));
        // The first may come into a descriptor that the server has taken beforehand.
        let clients: Vec<_> = (0..3).map(|_| thread::spawn(move || get(address))).collect();
        thread::sleep(Duration::from_millis(500)); // time to fail, which it must not use
        assert!(server.0.try_wait().unwrap().is_none(), "{program} has ended");
        limit(before.current);
        for client in clients {
            client.join().unwrap();
        }
        ends(&mut server);
    });
}
