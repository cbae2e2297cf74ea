//! Bodies of hyper 1, and of what stands on it, that leave by sendfile together with the head. hyper itself is as it is.
//!
//! The frames of a [`FileBody`] are `Bytes` like any others, but at addresses that only name a part of a file. hyper hands them to its
//! connection in a vectored write, behind the head; the connection is a [`Socket`], which recognises the addresses and sends the head
//! and that part of the file.
//!
//! What else reads such a frame finds zeros. So a [`FileBody`] is for a [`Socket`] and HTTP/1 alone: not behind TLS in user space, not
//! through a layer that looks at bodies (compression), and not with hyper's `writev(false)` or `pipeline_flush(true)`, which copy.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::pin::Pin;
use std::process::exit;
use std::ptr::null_mut;
use std::slice::from_raw_parts;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, mpsc};
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::Duration;

use bare_sendfile::{IoSlice, Output, Status, Transfer};
use bytes::Bytes;
use http_range_header::parse_range_header;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{ACCEPT_RANGES, CONTENT_RANGE, HeaderMap, HeaderValue, IF_RANGE, RANGE};
use hyper::{Method, Response, StatusCode};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
use slab::Slab;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};

/// Bytes of a frame, at most. It is what a [`Transfer`] moves before others get their turn.
const FRAME: usize = Transfer::DEFAULT_BUDGET;

/// Frames that are on their way at a time, at most: one or two for each client that does not read on. More fail.
const FRAMES: usize = 1 << 15;

/// So long a peer may take nothing, and so long it is waited for in all at the end of a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// A socket with so many bytes that wait to be sent is full (`TCP_NOTSENT_LOWAT`, Linux 3.12), and has room again when the peer has taken
/// 96 KiB at most. Without the option a third of the buffer has to be free, which grows to 4 MiB: for that, a slow peer that takes
/// something all the time needs longer than [`PATIENCE`]. A segment is smaller (65495 bytes on loopback), so what the kernel holds back to
/// fill one never fills the socket. `TCP_USER_TIMEOUT` is no way out: it ends connections of slow peers with small windows.
const UNSENT: u32 = 64 << 10;

/// Addresses that stand for parts of files, [`FRAME`] for each.
struct Names {
    addresses: &'static [u8],
    parts: Mutex<Slab<Part>>,
}

/// A part of a file, from this offset on.
#[derive(Clone)]
struct Part {
    file: Arc<File>,
    offset: u64,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let len = FRAME * FRAMES;
    // SAFETY: the kernel chooses where, so no other memory is touched.
    let start = unsafe { mmap_anonymous(null_mut(), len, ProtFlags::READ, MapFlags::PRIVATE | MapFlags::NORESERVE) };
    let start = start.expect("64 GiB of addresses, which take no memory");
    // SAFETY: they can be read, as zeros; nobody can write to them, and they stay for good.
    let addresses = unsafe { from_raw_parts(start.cast(), len) };
    Names { addresses, parts: Mutex::default() }
});

impl Names {
    fn parts(&self) -> MutexGuard<'_, Slab<Part>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give(&'static self, part: Part, len: usize) -> io::Result<Bytes> {
        let mut parts = self.parts();
        if parts.len() == FRAMES {
            return Err(io::Error::other("too many frames of files at a time"));
        }
        Ok(Bytes::from_owner(Name { key: parts.insert(part), len }))
    }

    /// The part that these bytes stand for; `None` of bytes that are bytes.
    fn part(&self, bytes: &[u8]) -> Option<Part> {
        let at = bytes.as_ptr().addr().checked_sub(self.addresses.as_ptr().addr())?;
        if at >= self.addresses.len() || bytes.is_empty() {
            return None;
        }
        let mut part = self.parts().get(at / FRAME)?.clone();
        part.offset += (at % FRAME) as u64;
        Some(part)
    }
}

/// The owner of a frame, which ends with it.
struct Name {
    key: usize,
    len: usize,
}

impl AsRef<[u8]> for Name {
    fn as_ref(&self) -> &[u8] {
        &NAMES.addresses[self.key * FRAME..][..self.len]
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        NAMES.parts().remove(self.key);
    }
}

/// A range of a file as the body of a response.
pub struct FileBody {
    file: Arc<File>,
    rest: Range<u64>,
}

impl FileBody {
    /// A body of these bytes of the file, from offset to offset. The kernel knows none above `i64::MAX`.
    pub fn new(file: Arc<File>, range: Range<u64>) -> Self {
        Self { file, rest: range }
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Range { start: offset, end } = self.rest;
        let len = end.saturating_sub(offset).min(FRAME as u64);
        if len == 0 {
            return Poll::Ready(None);
        }
        self.rest.start += len;
        let file = self.file.clone();
        Poll::Ready(Some(NAMES.give(Part { file, offset }, len as usize).map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.end.saturating_sub(self.rest.start))
    }
}

/// A connection that sends a [`FileBody`] by sendfile, in the same segments as the head.
pub struct Socket {
    socket: TcpStream,
    output: Output,
    /// Until when the peer may take nothing, while it is waited for.
    late: Option<Pin<Box<Sleep>>>,
    /// Until when the peer may close, once nothing more is sent.
    end: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    /// Takes a connection.
    pub fn new(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?; // for answers without a file; the head and the file are one segment with it, too
        SockRef::from(&socket).set_tcp_notsent_lowat(UNSENT)?;
        let output = match Output::of(&socket)? {
            Output::Tcp => Output::TcpNoDelay,
            output => output,
        };
        Ok(Self { socket, output, late: None, end: None })
    }

    /// Sends these slices, the part of the file, and those behind it. `None` if there is no room.
    fn send(
        &self,
        headers: &[io::IoSlice<'_>],
        part: &Part,
        count: u64,
        trailers: &[io::IoSlice<'_>],
    ) -> io::Result<Option<usize>> {
        let (headers, trailers) = (IoSlice::from_std(headers), IoSlice::from_std(trailers));
        let mut transfer = Transfer::new(part.offset, count, headers, trailers)?.with_output(self.output);
        let ended = self.socket.try_io(Interest::WRITABLE, || {
            match transfer.poll_send(&self.socket, &part.file, headers, trailers, &mut [])? {
                // It tells the runtime that the socket is full, whatever was sent before.
                Status::OutFull | Status::InEmpty => Err(io::ErrorKind::WouldBlock.into()),
                Status::Done | Status::Yielded => Ok(()),
            }
        });
        match (transfer.progress().total(), ended) {
            (0, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            (0, Err(error)) => Err(error),
            // An error comes again with the next write.
            (sent, _) => Ok(Some(sent as usize)),
        }
    }

    /// Sends what there is room for.
    fn poll_send(&mut self, cx: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let named = slices.iter().enumerate().find_map(|(i, slice)| Some((i, NAMES.part(slice)?)));
        let Some((i, part)) = named else {
            return Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        };
        let behind = &slices[i + 1..];
        let next = behind.iter().position(|slice| NAMES.part(slice).is_some()).unwrap_or(behind.len());
        loop {
            ready!(self.socket.poll_write_ready(cx))?;
            if let Some(sent) = self.send(&slices[..i], &part, slices[i].len() as u64, &behind[..next])? {
                return Poll::Ready(Ok(sent));
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = self.poll_send(cx, slices);
        if sent.is_ready() {
            self.late = None;
            return sent;
        }
        let late = self.late.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        late.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // each write leaves nothing waiting
    }

    /// Says that nothing more is sent, and reads until the peer closes. A socket that is closed with input that nobody has read
    /// resets the connection, and what waits to be sent is lost.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { socket, end, .. } = &mut *self;
        let mut socket = Pin::new(socket);
        if end.is_none() {
            ready!(socket.as_mut().poll_shutdown(cx))?;
        }
        // The clock is asked first: reading uses up what tokio gives a task for its turn, and then the clock does not answer.
        if end.get_or_insert_with(|| Box::pin(sleep(PATIENCE))).as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut bytes = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            ready!(socket.as_mut().poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

/// A listener of such connections, as axum takes it.
pub struct Listener(pub TcpListener);

impl axum::serve::Listener for Listener {
    type Io = Socket;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Socket, SocketAddr) {
        loop {
            match self.0.accept().await.and_then(|(socket, address)| Ok((Socket::new(socket)?, address))) {
                Ok(accepted) => return accepted,
                // Without descriptors (EMFILE) it fails at once, until another connection ends.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// Answers a GET with the file, or the one range of it that is asked for, and a HEAD with the head for the file.
pub fn respond(file: &Arc<File>, method: &Method, request: &HeaderMap) -> io::Result<Response<FileBody>> {
    let len = file.metadata()?.len();
    let mut response = Response::new(FileBody::new(file.clone(), 0..len));
    response.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let mut fields = request.get_all(RANGE).iter();
    // Whoever has a part of another version says so, and gets the whole: no version is told from another here.
    let conditional = request.contains_key(IF_RANGE);
    let (Some(field), None, &Method::GET, false) = (fields.next(), fields.next(), method, conditional) else {
        return Ok(response);
    };
    let Some(Ok(ranges)) = field.to_str().ok().map(parse_range_header) else { return Ok(response) };
    let (status, range, text) = match ranges.validate(len).as_deref() {
        Ok([range]) => {
            let (from, to) = (*range.start(), *range.end());
            (StatusCode::PARTIAL_CONTENT, from..to + 1, format!("bytes {from}-{to}/{len}"))
        }
        // A server may answer several with the whole.
        Ok(_) => return Ok(response),
        Err(_) => (StatusCode::RANGE_NOT_SATISFIABLE, 0..0, format!("bytes */{len}")),
    };
    *response.status_mut() = status;
    *response.body_mut() = FileBody::new(file.clone(), range);
    response.headers_mut().insert(CONTENT_RANGE, HeaderValue::try_from(text).map_err(io::Error::other)?);
    Ok(response)
}

/// A file whose length can be announced. Those of /proc say that they are empty, and are made when they are read.
fn open(path: &Path) -> io::Result<File> {
    let refused = || io::Error::other("no regular file with a length");
    // Asked before it is opened: opening a FIFO waits for a writer.
    if !fs::metadata(path)?.is_file() {
        return Err(refused());
    }
    let file = File::open(path)?;
    let made = file.metadata()?.len() == 0 && file.read_at(&mut [0], 0)? > 0;
    if made { Err(refused()) } else { Ok(file) }
}

/// The file that the command line names, and a listener on loopback, whose address is printed. The program ends with its input, and the
/// responses that are under way with it.
pub async fn start() -> io::Result<(Arc<File>, TcpListener)> {
    let (Some(path), 2) = (std::env::args_os().nth(1), std::env::args_os().len()) else {
        let _ = writeln!(io::stderr(), "usage: PROGRAM FILE");
        exit(2);
    };
    let file = open(path.as_ref())?;
    // It panics where a limit allows fewer addresses (`ulimit -v`): before there is a client, not with each one.
    LazyLock::force(&NAMES);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let (go_on, printed) = mpsc::channel();
    // Started first: where no thread can be, there is no server.
    thread::Builder::new().spawn(move || {
        // Nothing comes if the address cannot be printed, and the program ends by that.
        if printed.recv().is_ok() {
            let _ = io::copy(&mut io::stdin(), &mut io::sink());
            exit(0);
        }
    })?;
    writeln!(io::stdout(), "{}", listener.local_addr()?)?;
    let _ = go_on.send(());
    Ok((file.into(), listener))
}
