//! A client of rustls's gets the file, whoever has encrypted it. Where the kernel has TLS, it is the kernel.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
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
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n");
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

#[test]
fn what_is_no_tls_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(serve(listener.accept().unwrap().0, configs().0, file.as_file()).is_err());
}
