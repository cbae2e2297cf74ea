//! A client of rustls's gets the file, whoever has encrypted it. Where the kernel has TLS, it is the kernel.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::os::unix::thread::JoinHandleExt;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ktls_file::{By, config, serve};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, Stream, StreamOwned};
use sha2::{Digest, Sha256};
use socket2::{Domain, Socket, Type};

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8 ^ (i / 251) as u8).collect()
}

fn head(len: usize) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n")
}

/// One certificate for both sides.
fn configs() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let client = ClientConfig::builder_with_provider(ring::default_provider().into());
    let client = client.with_safe_default_protocol_versions().unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();
    (config(vec![made.cert.der().clone()], key).unwrap().into(), client.into())
}

/// Whether this kernel has TLS, found out without the code under test: it is listed once a socket has it.
fn kernel_has_tls() -> bool {
    let listed = || fs::read_to_string("/proc/sys/net/ipv4/tcp_available_ulp").is_ok_and(|list| list.contains("tls"));
    listed() || std::path::Path::new("/sys/module/tls").exists()
}

/// What the server said, and what the client got up to an orderly end.
fn exchange(
    file: File,
    client: impl FnOnce(&mut StreamOwned<ClientConnection, TcpStream>) -> io::Result<Vec<u8>>,
) -> (io::Result<By>, io::Result<Vec<u8>>) {
    let (server, client_config) = configs();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // With a small window, so that the server finds it full again and again.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    socket.connect(&listener.local_addr().unwrap().into()).unwrap();
    let socket = TcpStream::from(socket);
    let serving = thread::spawn(move || serve(listener.accept().unwrap().0, server, &file));
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let tls = ClientConnection::new(client_config, "localhost".try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(tls, socket);
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let received = client(&mut stream);
    drop(stream);
    (serving.join().unwrap(), received)
}

/// All there is. An end that TLS has not announced is an error.
fn to_end(stream: &mut StreamOwned<ClientConnection, TcpStream>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map(|_| bytes)
}

#[test]
fn the_file_arrives_and_the_kernel_encrypts_it_if_it_can() {
    for len in [0, 1, 500, 16_384, 100_001, 12 << 20] {
        let file = tempfile::NamedTempFile::new().unwrap();
        let content = content(len);
        fs::write(&file, &content).unwrap();
        let (by, received) = exchange(file.reopen().unwrap(), to_end);
        let received = received.unwrap();
        let head = head(len);
        assert!(received.starts_with(head.as_bytes()));
        assert_eq!(Sha256::digest(&received[head.len()..]), Sha256::digest(&content));
        assert_eq!(by.unwrap(), if kernel_has_tls() { By::Kernel } else { By::Rustls });
    }
    if !kernel_has_tls() {
        // Past the harness, so that it is counted as what it is.
        io::stdout().write_all(b"not checked: examples/ktls: this kernel has no TLS\n").unwrap();
    }
}

#[test]
fn a_file_that_shrinks_is_no_orderly_end() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, content(12 << 20)).unwrap();
    let (by, received) = exchange(file.reopen().unwrap(), |stream| {
        stream.read_exact(&mut [0; 100])?; // it is on its way, and cannot be sent whole
        file.as_file().set_len(9 << 20)?;
        to_end(stream)
    });
    assert_eq!(by.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(received.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

/// Slower than the server's kernel makes room for more, but it takes something all the time: longer than a client is waited for that does
/// not.
#[test]
fn a_slow_client_gets_all() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let content = content(12 << 20);
    fs::write(&file, &content).unwrap();
    let (by, received) = exchange(file.reopen().unwrap(), |stream| {
        let mut bytes = Vec::new();
        for _ in 0..80 {
            stream.take(8000).read_to_end(&mut bytes)?;
            thread::sleep(Duration::from_millis(100)); // this is what makes the client slow; nothing waits for it
        }
        stream.read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    let received = received.unwrap();
    assert_eq!(Sha256::digest(&received[received.len() - content.len()..]), Sha256::digest(&content));
    by.unwrap();
}

#[test]
fn a_client_that_takes_nothing_is_left() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, content(12 << 20)).unwrap();
    let (server, client) = configs();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let serving = thread::spawn(move || serve(listener.accept().unwrap().0, server, file.as_file()));
    let mut tls = ClientConnection::new(client, "localhost".try_into().unwrap()).unwrap();
    Stream::new(&mut tls, &mut socket).write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_eq!(serving.join().unwrap().unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

/// Whoever has the same file has the same position in it, which nobody must move.
#[test]
fn a_file_is_served_again() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let content = content(1000);
    fs::write(&file, &content).unwrap();
    for _ in 0..2 {
        let (by, received) = exchange(file.as_file().try_clone().unwrap(), to_end);
        assert!(received.unwrap().ends_with(&content));
        by.unwrap();
    }
}

/// What the server says to a peer that sends `before`, and then a byte ten times a second for as long as somebody takes it.
fn trickle(before: impl FnOnce(Arc<ClientConfig>, &mut TcpStream)) -> io::Result<By> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, content(1000)).unwrap();
    let (server, client) = configs();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let serving = thread::spawn(move || serve(listener.accept().unwrap().0, server, file.as_file()));
    before(client, &mut socket);
    let start = Instant::now();
    while socket.write_all(b"x").is_ok() {
        assert!(start.elapsed() < Duration::from_secs(30), "it is held");
        thread::sleep(Duration::from_millis(100)); // how often it sends; nothing waits for it
    }
    serving.join().unwrap()
}

#[test]
fn a_request_that_has_no_end_holds_nobody() {
    // The head of a record of 16 KiB, which takes half an hour.
    let slow = trickle(|_, socket| socket.write_all(&[22, 3, 1, 64, 0]).unwrap());
    assert_eq!(slow.unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn a_client_that_goes_on_sending_holds_nobody() {
    let answered = trickle(|client, socket| {
        let mut tls = ClientConnection::new(client, "localhost".try_into().unwrap()).unwrap();
        let mut stream = Stream::new(&mut tls, socket);
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    });
    answered.unwrap();
}

/// A wait that a signal interrupts goes on. A stop (SIGSTOP, SIGCONT) interrupts in the same way, without a handler.
#[test]
fn signals_change_nothing() {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: the handler does nothing.
    unsafe { libc::signal(libc::SIGUSR1, nothing as extern "C" fn(libc::c_int) as libc::sighandler_t) };
    // The server may have to wait for room for any of its records, the last one too.
    let interrupted = (0..8).map(|i| thread::spawn(move || interrupt(&content((512 << 10) + i * (8 << 10)))));
    interrupted.collect::<Vec<_>>().into_iter().for_each(|one| one.join().unwrap());
}

fn interrupt(content: &[u8]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, content).unwrap();
    let (server, client) = configs();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    socket.connect(&listener.local_addr().unwrap().into()).unwrap();
    let serving = thread::spawn(move || serve(listener.accept().unwrap().0, server, file.as_file()));
    let receiving = thread::spawn(move || {
        let tls = ClientConnection::new(client, "localhost".try_into().unwrap()).unwrap();
        let mut stream = StreamOwned::new(tls, TcpStream::from(socket));
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let mut bytes = Vec::new();
        while (&mut stream).take(32 << 10).read_to_end(&mut bytes).unwrap() > 0 {
            thread::sleep(Duration::from_millis(20)); // so long the server waits, and is interrupted
        }
        bytes
    });
    while !serving.is_finished() {
        // SAFETY: the thread was not joined, and so it is known.
        unsafe { libc::pthread_kill(serving.as_pthread_t(), libc::SIGUSR1) };
        thread::sleep(Duration::from_millis(5)); // between two signals, until it has ended
    }
    serving.join().unwrap().unwrap();
    assert_eq!(Sha256::digest(&receiving.join().unwrap()[head(content.len()).len()..]), Sha256::digest(content));
}

/// Linux 4.13 to 5.0 have the layer, and refuse every key of TLS 1.3. A filter of system calls makes such a kernel of this one.
#[test]
fn a_kernel_without_tls_1_3_leaves_it_to_rustls() {
    let at = |code: u32, jf, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf, k };
    // struct seccomp_data: the number of the call, and from byte 16 on its arguments, of 8 bytes each.
    let load = |offset| at(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, offset);
    let low = if cfg!(target_endian = "big") { 4 } else { 0 };
    let unless = |value, skip| at(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, skip, value);
    let answer = |what| at(libc::BPF_RET | libc::BPF_K, 0, what);
    let filter = [
        load(0),
        unless(libc::SYS_setsockopt as u32, 7),
        load(16 + 8 + low),
        unless(libc::SOL_TLS as u32, 1),
        answer(libc::SECCOMP_RET_ERRNO | libc::EINVAL as u32),
        unless(libc::IPPROTO_TCP as u32, 3),
        load(16 + 2 * 8 + low),
        unless(libc::TCP_ULP as u32, 1),
        answer(libc::SECCOMP_RET_ERRNO), // 0: it is done
        answer(libc::SECCOMP_RET_ALLOW),
    ];
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "a_file_is_served_again"]);
    // SAFETY: the closure makes two system calls and allocates nothing.
    unsafe {
        command.pre_exec(move || {
            let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
            let applied = libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0;
            if applied { Ok(()) } else { Err(io::Error::last_os_error()) }
        })
    };
    match command.output() {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            io::stdout().write_all(b"not checked: examples/ktls: this kernel filters no system calls\n").unwrap();
        }
        output => {
            let output = output.unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && said.contains("1 passed"), "{said}");
        }
    }
}

#[test]
fn what_is_no_tls_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(serve(listener.accept().unwrap().0, configs().0, file.as_file()).is_err());
}
