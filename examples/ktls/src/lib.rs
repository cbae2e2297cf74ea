//! An HTTPS response whose file leaves by sendfile: rustls makes the handshake, the kernel gets the key of what is sent (kTLS), and
//! encrypts the pages of the file. A kernel that has no TLS, or no TLS 1.3, leaves encrypting to rustls.
//!
//! A connection has one response. What is received stays rustls's, which has gone by then: so a client that asks for new keys
//! (`KeyUpdate`) in the middle of the response does not get them.

use std::ffi::c_int;
use std::fs::File;
use std::io::{self, Read, Write};
use std::mem::size_of_val;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bare_sendfile::{IoSlice, Status, Transfer};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS13;
use rustls::{ConnectionTrafficSecrets, Error, ServerConfig, ServerConnection, Stream};

/// So long a peer is waited for when nothing moves, and in all for its request and at the end of the connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// A socket with so many bytes that wait to be sent is full (`TCP_NOTSENT_LOWAT`, Linux 3.12), and has room again when the peer has taken
/// 96 KiB at most. Without the option a third of the buffer has to be free, which grows to 4 MiB: for that, a slow peer that takes
/// something all the time needs longer than [`PATIENCE`].
const UNSENT: c_int = 64 << 10;

/// Bytes of the head of a request, at most.
const HEAD: usize = 8 << 10;

/// Who has encrypted the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Kernel,
    Rustls,
}

/// TLS 1.3 with the one cipher that every kernel with TLS 1.3 (5.1) knows.
pub fn config(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<ServerConfig, Error> {
    let mut provider = ring::default_provider();
    provider.cipher_suites = vec![ring::cipher_suite::TLS13_AES_128_GCM_SHA256];
    let builder = ServerConfig::builder_with_provider(provider.into()).with_protocol_versions(&[&TLS13])?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key)?;
    config.enable_secret_extraction = true;
    Ok(config)
}

/// Answers one request, whatever it asks for, with the file.
pub fn serve(socket: TcpStream, config: Arc<ServerConfig>, file: &File) -> io::Result<By> {
    socket.set_write_timeout(Some(PATIENCE))?;
    set_option(&socket, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, &UNSENT)?;
    let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
    let (mut request, mut limited) = (Vec::new(), Limited::new(&socket));
    while !request.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        let mut buffer = [0; 1024];
        match Stream::new(&mut tls, &mut limited).read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            len => request.extend_from_slice(&buffer[..len]),
        }
        if request.len() > HEAD {
            return Err(io::Error::other("the head of the request is too long"));
        }
    }
    let len = file.metadata()?.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n");
    // As long as it has no key, the layer changes nothing. Where the client sends nothing more, the kernel refuses it.
    let by = if kernel_encrypts() && add_layer(&socket).is_ok() { By::Kernel } else { By::Rustls };
    match by {
        By::Kernel => {
            give_key(&socket, tls)?;
            // `wait_for_room` waits, not the layer: it has a limit, and goes on after a signal.
            socket.set_nonblocking(true)?;
            let headers = [IoSlice::new(head.as_bytes())];
            let mut transfer = Transfer::new(0, len, &headers, &[])?;
            loop {
                match transfer.poll_send(&socket, file, &headers, &[], &mut [])? {
                    Status::Done => break,
                    Status::Yielded => {}
                    Status::OutFull | Status::InEmpty => wait_for_room(&socket)?,
                }
            }
            close_notify(&socket)?;
        }
        By::Rustls => {
            let mut stream = Stream::new(&mut tls, &mut limited);
            stream.write_all(head.as_bytes())?;
            if io::copy(&mut At { file, offset: 0 }.take(len), &mut stream)? < len {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            tls.send_close_notify();
            while tls.wants_write() {
                tls.write_tls(&mut limited)?;
            }
        }
    }
    // A socket that is closed with input that nobody has read resets the connection, and what waits to be sent is lost.
    socket.shutdown(Shutdown::Write)?;
    match io::copy(&mut Limited::new(&socket), &mut io::sink()) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(by),
    }
}

/// A connection that is read for as long as [`PATIENCE`] in all: a peer that sends a byte now and then holds nobody.
struct Limited<'a> {
    socket: &'a TcpStream,
    end: Instant,
}

impl<'a> Limited<'a> {
    fn new(socket: &'a TcpStream) -> Self {
        Self { socket, end: Instant::now() + PATIENCE }
    }
}

impl Read for Limited<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        again(|| {
            let left = self.end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.socket.set_read_timeout(Some(left))?;
            self.socket.read(buffer)
        })
    }
}

impl Write for Limited<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        again(|| self.socket.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// Calls until no signal interrupts it. That needs no handler: a wait with a time limit fails with EINTR after a stop as well (SIGSTOP,
/// SIGCONT: signal(7)).
fn again<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Waits until the socket has room, or fails with `WouldBlock` if the peer takes nothing.
fn wait_for_room(socket: &TcpStream) -> io::Result<()> {
    let mut room = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: the kernel reads and writes this one structure.
    again(|| match unsafe { libc::poll(&mut room, 1, PATIENCE.as_millis() as c_int) } {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        ready if ready > 0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    })?;
    // An error of the socket counts as room. It is gone when it was asked for.
    socket.take_error()?.map_or(Ok(()), Err)
}

/// A file that is read from an offset on. Its own position stays: whoever else has the file shares it.
struct At<'a> {
    file: &'a File,
    offset: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

/// Whether the kernel encrypts TLS 1.3, and does so here: a container may not load the module. Linux 4.13 to 5.0 have the layer and refuse
/// the key, which rustls does not have any more by then. So it is tried once, on a connection of this program to itself.
fn kernel_encrypts() -> bool {
    static ENCRYPTS: OnceLock<bool> = OnceLock::new();
    let attempt = || {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let socket = TcpStream::connect(listener.local_addr()?)?;
        add_layer(&socket)?;
        set_key(&socket, [0; 8], [0; 16], [0; 4], 0)
    };
    *ENCRYPTS.get_or_init(|| attempt().is_ok())
}

fn add_layer(socket: &TcpStream) -> io::Result<()> {
    set_option(socket, libc::IPPROTO_TCP, libc::TCP_ULP, b"tls")
}

/// Hands the key of what is sent from now on to the kernel.
fn give_key(socket: &TcpStream, tls: ServerConnection) -> io::Result<()> {
    let (record, secrets) = tls.dangerous_extract_secrets().map_err(io::Error::other)?.tx;
    let ConnectionTrafficSecrets::Aes128Gcm { key, iv } = secrets else {
        return Err(io::Error::other("another cipher than that of the configuration"));
    };
    let (salt, iv) = iv.as_ref().split_at(4);
    let wrong = |_| io::Error::other("lengths of another cipher");
    let (iv, salt) = (iv.try_into().map_err(wrong)?, salt.try_into().map_err(wrong)?);
    set_key(socket, iv, key.as_ref().try_into().map_err(wrong)?, salt, record)
}

fn set_key(socket: &TcpStream, iv: [u8; 8], key: [u8; 16], salt: [u8; 4], record: u64) -> io::Result<()> {
    let info = libc::tls_crypto_info { version: libc::TLS_1_3_VERSION, cipher_type: libc::TLS_CIPHER_AES_GCM_128 };
    let info = libc::tls12_crypto_info_aes_gcm_128 { info, iv, key, salt, rec_seq: record.to_be_bytes() };
    set_option(socket, libc::SOL_TLS, libc::TLS_TX, &info)
}

fn set_option<T: ?Sized>(socket: &TcpStream, level: i32, name: i32, value: &T) -> io::Result<()> {
    // SAFETY: the kernel reads as many bytes as `value` has.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const *value).cast(), size_of_val(value) as u32)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Says that the response has ended here, and was not cut off: an alert, which is a kind of record of its own.
fn close_notify(socket: &TcpStream) -> io::Result<()> {
    const ALERT: u8 = 21;
    let mut bytes = [1, 0]; // warning, close_notify
    let mut slice = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    // Aligned as `cmsghdr` is.
    let mut control = [0_u64; 4];
    // SAFETY: integers and pointers, of which 0 is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &mut slice;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    // SAFETY: `control` has room for a header and a byte behind it, which CMSG_SPACE(1), 24 bytes, tells.
    unsafe {
        message.msg_controllen = libc::CMSG_SPACE(1) as _;
        let header = libc::CMSG_FIRSTHDR(&message);
        (*header).cmsg_level = libc::SOL_TLS;
        (*header).cmsg_type = libc::TLS_SET_RECORD_TYPE;
        (*header).cmsg_len = libc::CMSG_LEN(1) as _;
        *libc::CMSG_DATA(header) = ALERT;
    }
    // The layer keeps encrypted bytes for which there is no room, and a shutdown would lose them. This call sends them first, and waits.
    socket.set_nonblocking(false)?;
    again(|| {
        wait_for_room(socket)?;
        // SAFETY: all that the message points to is there until the call is over.
        let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &message, libc::MSG_NOSIGNAL) };
        if sent == bytes.len() as isize { Ok(()) } else { Err(io::Error::last_os_error()) }
    })
}
