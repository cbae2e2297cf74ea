//! hyper and axum serve a file: by which system calls, in how many segments, and what arrives.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::mem::size_of;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use hyper::body::Body;
use hyper_files::FileBody;
use sha2::{Digest, Sha256};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

const PROGRAMS: [&str; 2] = [env!("CARGO_BIN_EXE_on_hyper"), env!("CARGO_BIN_EXE_on_axum")];

/// Several frames, and larger than what the buffers of a loopback connection hold.
const LEN: usize = (12 << 20) + 77;

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8 ^ (i / 251) as u8 | 1).collect() // no zeros, which nothing else is made of
}

/// What stalled clients hold is limited, and given back.
#[test]
fn frames_are_limited_and_come_back() {
    let file = Arc::new(File::open("Cargo.toml").unwrap());
    for _ in 0..2 {
        let mut body = pin!(FileBody::new(file.clone(), 0..i64::MAX as u64));
        let mut frames = Vec::new();
        let error = loop {
            let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut Context::from_waker(Waker::noop())) else {
                panic!("a file is always ready, and this body has no end");
            };
            match frame {
                Ok(frame) => frames.push(frame),
                Err(error) => break error,
            }
        };
        assert_eq!((frames.len(), &*error.to_string()), (1 << 15, "too many frames of files at a time"));
    }
}

/// A server of the file `served`, which ends with it.
struct Server {
    child: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its input ends. A tracer has nothing more to write when it has ended itself.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

impl Server {
    fn new(program: &str, content: &[u8]) -> Self {
        Self::under(&[], program, content)
    }

    /// Started by a program that takes another and its arguments.
    fn under(tracer: &[&str], program: &str, content: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("served"), content).unwrap();
        let words: Vec<&str> = tracer.iter().copied().chain([program, "served"]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(&folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().parse().unwrap(), folder }
    }

    /// A connection with a small window, so that the sender finds it full again and again.
    fn connect(&self) -> TcpStream {
        self.connect_with(64 << 10)
    }

    fn connect_with(&self, buffer: usize) -> TcpStream {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(buffer).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket.connect(&self.address.into()).unwrap();
        socket.into()
    }

    fn get(&self, fields: &str) -> Response {
        let mut socket = self.connect();
        ask(&mut socket, "GET", fields);
        receive(&mut socket, true)
    }

    fn file(&self) -> File {
        File::options().write(true).open(self.folder.path().join("served")).unwrap()
    }

    fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }
}

struct Response {
    head: String,
    body: Vec<u8>,
}

impl Response {
    fn status(&self) -> u16 {
        self.head[9..12].parse().unwrap()
    }

    fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|field| field.0.eq_ignore_ascii_case(name)).map(|field| field.1)
    }
}

fn ask(socket: &mut TcpStream, method: &str, fields: &str) {
    socket.write_all(format!("{method} / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").as_bytes()).unwrap();
}

/// Reads a head, and as much as it says, or as there is.
fn receive(socket: &mut TcpStream, has_body: bool) -> Response {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let mut response = Response { head: String::from_utf8(head).unwrap(), body: Vec::new() };
    let len: u64 = response.field("content-length").unwrap().parse().unwrap();
    if has_body {
        let _ = socket.take(len).read_to_end(&mut response.body); // a reset is an end, too
    }
    response
}

/// Segments with data that have come to this socket.
fn segments(socket: &TcpStream) -> u32 {
    // SAFETY: integers alone, of which 0 is a value.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut len = size_of::<libc::tcp_info>() as u32;
    // SAFETY: the kernel writes at most `len` bytes to `info`.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut info).cast(), &mut len)
    };
    assert_eq!(result, 0);
    info.tcpi_data_segs_in
}

#[test]
fn head_and_file_share_a_segment() {
    let content = content(500);
    for program in PROGRAMS {
        let server = Server::new(program, &content);
        let mut socket = server.connect();
        for count in 1..=3 {
            ask(&mut socket, "GET", "");
            assert_eq!(receive(&mut socket, true).body, content);
            assert_eq!(segments(&socket), count, "{program}");
        }
    }
}

/// What a line of strace says: the call, its first argument, and what it returned.
fn call(line: &str) -> Option<(&str, u32, i64)> {
    let (call, rest) = line.split_once('(')?;
    let fd = rest.split_once(',')?.0.parse().ok()?;
    let result = rest.rsplit_once(" = ")?.1.split(' ').next()?.parse().ok()?;
    Some((call, fd, result))
}

#[test]
fn all_bytes_of_the_file_leave_by_sendfile() {
    let content = content(LEN);
    for program in PROGRAMS {
        let traces = tempfile::tempdir().unwrap();
        let calls = "trace=sendfile,sendto,sendmsg,sendmmsg,write,writev,pwrite64,pwritev,splice,read,pread64,mmap";
        let path = traces.path().join("thread");
        // A file for each thread, so that no line is broken by another thread's.
        let tracer = ["strace", "-ff", "-qq", "--seccomp-bpf", "-e", calls, "-o", path.to_str().unwrap()];
        let server = Server::under(&tracer, program, &content);
        let response = server.get("");
        assert_eq!(Sha256::digest(&response.body), Sha256::digest(&content));
        drop(server);

        let files = fs::read_dir(&traces).unwrap();
        let trace: String = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        let calls: Vec<_> = trace.lines().filter_map(call).collect();
        let socket = calls.iter().find(|call| call.0 == "sendfile").expect(&trace).1;
        let sent = |by_sendfile| -> i64 {
            let sends = calls.iter().filter(|(name, fd, sent)| {
                *fd == socket && *sent > 0 && !name.contains("read") && (*name == "sendfile") == by_sendfile
            });
            sends.map(|call| call.2).sum()
        };
        assert_eq!((sent(false), sent(true)), (response.head.len() as i64, LEN as i64), "{trace}");
        // Nor has any of it been read before. Its descriptor is the second argument of sendfile.
        let line = trace.lines().find(|line| line.contains("sendfile(")).unwrap();
        let file = line.split(", ").nth(1).unwrap().parse().unwrap();
        assert!(!calls.iter().any(|(name, fd, _)| name.contains("read") && *fd == file), "{trace}");
        assert!(!trace.lines().any(|line| line.contains("mmap(") && line.contains(&format!(", {file}, "))), "{trace}");
    }
}

#[test]
fn head_announces_and_sends_no_file() {
    let content = content(10_000);
    for program in PROGRAMS {
        let server = Server::new(program, &content);
        let mut socket = server.connect();
        for _ in 0..2 {
            ask(&mut socket, "HEAD", "");
            let response = receive(&mut socket, false);
            assert_eq!((response.status(), response.field("content-length")), (200, Some("10000")));
            // HTTP has ranges for GET alone.
            ask(&mut socket, "HEAD", "Range: bytes=1-2\r\n");
            let response = receive(&mut socket, false);
            assert_eq!((response.status(), response.field("content-length")), (200, Some("10000")));
            ask(&mut socket, "GET", ""); // on the same connection, where a body would be taken for the next head
            assert_eq!(receive(&mut socket, true).body, content);
        }
        ask(&mut socket, "POST", "Content-Length: 0\r\n");
        assert_eq!(receive(&mut socket, true).status(), 405);
    }
}

#[test]
fn ranges() {
    let content = content(LEN);
    let last = LEN - 1;
    let parts = [
        ("0-0", 0..1),
        ("1-9", 1..10),
        ("2097151-2097152", 2_097_151..2_097_153),
        ("5000000-", 5_000_000..LEN),
        ("-5", LEN - 5..LEN),
        ("12000000-99999999999", 12_000_000..LEN),
    ];
    for program in PROGRAMS {
        let server = Server::new(program, &content);
        for (range, part) in parts.clone() {
            let response = server.get(&format!("Range: bytes={range}\r\n"));
            let expected = format!("bytes {}-{}/{LEN}", part.start, part.end - 1);
            assert_eq!((response.status(), response.field("content-range")), (206, Some(&*expected)));
            assert!(response.body == content[part], "{range}");
        }
        for range in [format!("{LEN}-"), format!("{}-{}", LEN, LEN + 5), "18446744073709551615-".into()] {
            let response = server.get(&format!("Range: bytes={range}\r\n"));
            let expected = format!("bytes */{LEN}");
            assert_eq!((response.status(), response.field("content-range")), (416, Some(&*expected)), "{range}");
            assert!(response.body.is_empty());
        }
        // None of the forms, or one that needs not be followed.
        let ignored = [
            "x".into(),
            "lines=0-1".into(),
            format!("bytes={last}-0\r\nIf-Range: \"x\""),
            "bytes=--1".into(),
            "bytes=1-2\r\nRange: bytes=5-6".into(),
        ];
        for range in ignored {
            let response = server.get(&format!("Range: {range}\r\n"));
            assert_eq!((response.status(), response.field("content-range")), (200, None), "{range}");
            assert!(response.body == content, "{range}");
        }
        let server = Server::new(program, b"");
        assert_eq!(server.get("").field("content-length"), Some("0"));
        assert_eq!(server.get("Range: bytes=0-0\r\n").status(), 416);
    }
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let content = content(LEN);
    for program in PROGRAMS {
        let server = Server::new(program, &content);
        let mut socket = server.connect();
        let ranges: Vec<_> = (0..40).map(|i| i * 1000..i * 1000 + 1 + i * 150_000).collect();
        let requests: String = ranges
            .iter()
            .map(|range| format!("GET / HTTP/1.1\r\nHost: x\r\nRange: bytes={}-{}\r\n\r\n", range.start, range.end - 1))
            .collect();
        socket.write_all(requests.as_bytes()).unwrap();
        for range in ranges {
            assert!(receive(&mut socket, true).body == content[range.clone()], "{range:?}");
        }
    }
}

#[test]
fn many_clients_at_a_time_get_what_they_asked_for() {
    let content = &content(LEN);
    for program in PROGRAMS {
        let server = &Server::new(program, content);
        thread::scope(|scope| {
            for i in 0..24 {
                scope.spawn(move || {
                    let range = i * 100_000..LEN - i * 100_000;
                    let response = server.get(&format!("Range: bytes={}-{}\r\n", range.start, range.end - 1));
                    assert_eq!(Sha256::digest(&response.body), Sha256::digest(&content[range]));
                });
            }
        });
    }
}

#[test]
fn a_file_that_shrinks_ends_the_connection() {
    let content = content(LEN);
    for program in PROGRAMS {
        let server = Server::new(program, &content);
        let mut socket = server.connect();
        // The second would be taken for the rest of the first.
        ask(&mut socket, "GET", "");
        ask(&mut socket, "GET", "");
        socket.peek(&mut [0]).unwrap(); // it is on its way, and cannot be sent whole
        server.file().set_len(9 << 20).unwrap();
        let response = receive(&mut socket, true);
        assert_eq!(response.field("content-length"), Some(&*LEN.to_string()));
        assert!(response.body.len() <= 9 << 20 && content.starts_with(&response.body), "{}", response.body.len());
        assert_eq!(socket.read(&mut [0]).unwrap_or(0), 0);
        // The next gets what there is.
        assert!(server.get("").body == content[..9 << 20]);
    }
}

#[test]
fn clients_that_stop_or_leave_hold_nobody() {
    let content = content(LEN);
    let servers = PROGRAMS.map(|program| Server::new(program, &content));
    let before = servers.each_ref().map(Server::descriptors);
    let mut stopped: Vec<_> = servers.iter().map(Server::connect).collect();
    for ((server, stopped), before) in servers.iter().zip(&mut stopped).zip(before) {
        ask(stopped, "GET", "");
        stopped.peek(&mut [0]).unwrap();
        let mut leaves = server.connect();
        ask(&mut leaves, "GET", "");
        leaves.read_exact(&mut [0; 1000]).unwrap();
        drop(leaves);
        assert!(server.get("").body == content);
        assert!(server.descriptors() > before);
    }
    // Whoever takes nothing is not waited for any longer.
    let start = Instant::now();
    while servers.each_ref().map(Server::descriptors) != before {
        assert!(start.elapsed() < Duration::from_secs(60), "a client that does not read is waited for");
        sleep(Duration::from_millis(50)); // between two looks, for a minute
    }
    for (server, mut stopped) in servers.iter().zip(stopped) {
        let mut received = Vec::new();
        let _ = stopped.read_to_end(&mut received);
        assert!(received.len() < LEN);
        assert!(server.get("").body == content);
    }
}

/// More than hyper reads: closing with that unread would reset the connection, and the end of the response would be lost.
#[test]
fn a_client_that_has_said_more_gets_all() {
    let content = &content(LEN);
    for program in PROGRAMS {
        let server = Server::new(program, content);
        let before = server.descriptors();
        for more in [2_000_000, usize::MAX] {
            let mut socket = server.connect();
            ask(&mut socket, "GET", "Connection: close\r\n");
            let mut sender = socket.try_clone().unwrap();
            let sending = thread::spawn(move || {
                let mut rest = more;
                while rest > 0 && sender.write_all(&[b'x'; 1000]).is_ok() {
                    rest -= 1000.min(rest);
                }
            });
            let mut received = vec![0; LEN / 2];
            socket.read_exact(&mut received).unwrap();
            while (&socket).take(64 << 10).read_to_end(&mut received).unwrap() > 0 {
                sleep(Duration::from_millis(2)); // this is what makes the client slow; nothing waits for it
            }
            assert!(received.ends_with(content), "{program}");
            // Nor is it read for ever.
            sending.join().unwrap();
            drop(socket);
            let start = Instant::now();
            while server.descriptors() > before {
                assert!(start.elapsed() < Duration::from_secs(60), "{program}: a client that goes on sending is read");
                sleep(Duration::from_millis(10)); // between two looks, for a minute
            }
        }
    }
}

/// A length that is announced has to be known: none of these has one.
#[test]
fn only_a_file_with_a_length_is_served() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody writes to it: opening it would wait.
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for program in PROGRAMS {
        for file in [&*fifo, folder.path(), Path::new("/dev/zero"), Path::new("/proc/version")] {
            let mut command = Command::new(program);
            let mut child = command.arg(file).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let start = Instant::now();
            let status = loop {
                if let Some(status) = child.try_wait().unwrap() {
                    break status;
                }
                if start.elapsed() > Duration::from_secs(20) {
                    child.kill().unwrap();
                    panic!("{program} {} waits", file.display());
                }
                sleep(Duration::from_millis(10)); // between two looks, for a while
            };
            let mut stderr = String::new();
            child.stderr.unwrap().read_to_string(&mut stderr).unwrap();
            assert!(stderr.contains("no regular file with a length"), "{program} {}: {stderr}", file.display());
            assert_eq!(status.code(), Some(1));
        }
    }
}

/// What nobody can be told changes nothing for a client: this one's file cannot be asked for its length.
#[test]
fn a_message_that_cannot_be_written_ends_no_answer() {
    // The server itself has asked twice.
    let strace =
        "exec 2>/dev/full strace -qq -o /dev/null -e trace=statx -e inject=statx:error=EIO:when=3+ \"$0\" \"$@\"";
    for program in PROGRAMS {
        let server = Server::under(&["sh", "-c", strace], program, b"content");
        assert_eq!(server.get("").status(), 500, "{program}");
    }
}

/// A server of which nobody can learn the address, one that has no addresses for its frames, and one that has no thread.
#[test]
fn what_cannot_start_ends() {
    for program in PROGRAMS {
        for (before, code, reason) in [
            ("exec >/dev/full;", 1, "StorageFull"),
            ("ulimit -v 4194304;", 101, "64 GiB"),
            ("set strace -qq -o /dev/null -e inject=clone,clone3:error=EAGAIN;", 1, "WouldBlock"),
        ] {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("{before} exec \"$@\" \"$0\" Cargo.toml"), program]).stdin(Stdio::null());
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.stdout.is_empty() && said.contains(reason), "{program}: {said}");
            assert_eq!(output.status.code(), Some(code), "{program}: {said}");
        }
        let output = Command::new(program).output().unwrap();
        assert_eq!((output.status.code(), &*output.stderr), (Some(2), &b"usage: PROGRAM FILE\n"[..]), "{program}");
    }
}

/// Slower than the server's kernel makes room for more, but it takes something all the time: longer than a client is waited for that does
/// not.
#[test]
fn a_slow_client_gets_all() {
    let content = &content(LEN);
    thread::scope(|scope| {
        for program in PROGRAMS {
            scope.spawn(move || {
                let server = Server::new(program, content);
                let mut socket = server.connect_with(16 << 10);
                ask(&mut socket, "GET", "Connection: close\r\n");
                let mut received = Vec::new();
                for _ in 0..80 {
                    (&socket).take(8000).read_to_end(&mut received).unwrap();
                    sleep(Duration::from_millis(100)); // this is what makes the client slow; nothing waits for it
                }
                socket.read_to_end(&mut received).unwrap();
                assert_eq!(Sha256::digest(&received[received.len() - LEN..]), Sha256::digest(content), "{program}");
            });
        }
    });
}
