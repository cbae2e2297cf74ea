//! I1–I3: Python's `os.sendfile` and `socket.sendfile` on top of this crate, with the cases of CPython's own tests
//! (Lib/test/test_os `TestSendfile`, Lib/test/test_socket `SendfileUsingSendfileTest`) in Rust.
#![cfg(target_os = "linux")]

mod common;

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::net::TcpStream;

use bare_sendfile::{Count, Errno, Error, IoSlice, SfFlags, Transfer, sendfile};
use common::sent::sendfile_hdtr;
use common::{fd, file, pattern, receive, tcp};
use rustix::net::SocketType;

/// `os.sendfile(out_fd, in_fd, offset, count)`: a signed count, `None` as offset, EINTR retried.
fn os_sendfile(out: &TcpStream, input: &File, offset: Option<i64>, count: isize) -> io::Result<usize> {
    let count = usize::try_from(count).map_err(|_| io::Error::from_raw_os_error(Errno::EINVAL.raw_os_error()))?;
    loop {
        let mut at = offset.map(|offset| offset as u64);
        match sendfile(fd(out), fd(input), at.as_mut(), count) {
            Err(Errno::EINTR) => {}
            result => return result.map_err(|errno| io::Error::from_raw_os_error(errno.raw_os_error())),
        }
    }
}

/// `os.sendfile(out_fd, in_fd, offset, count, headers, trailers, flags)`, where a count of 0 is to the end, as on macOS and
/// FreeBSD: the bytes sent over all sections, or the error if there are none.
fn os_sendfile_hdtr(
    out: &TcpStream,
    input: &File,
    offset: u64,
    count: u64,
    headers: &[&[u8]],
    trailers: &[&[u8]],
    flags: SfFlags,
) -> Result<u64, Error> {
    let count = if count == 0 { Count::ToEnd } else { Count::Bytes(count) };
    let headers: Vec<_> = headers.iter().map(|bytes| IoSlice::new(bytes)).collect();
    let trailers: Vec<_> = trailers.iter().map(|bytes| IoSlice::new(bytes)).collect();
    let sent = sendfile_hdtr(fd(out), fd(input), offset, count, &headers, &trailers, flags);
    match sent.outcome {
        Err(error) if sent.total() == 0 => Err(error),
        _ => Ok(sent.total()),
    }
}

/// `socket.sendfile(file, offset, count)`: stream sockets only, no nonblocking ones; the file's position is afterwards at
/// offset + sent if anything was sent; falls back to reading and sending where sendfile is refused.
fn socket_sendfile(socket: &TcpStream, input: &mut File, offset: u64, count: Option<u64>) -> io::Result<u64> {
    let invalid = |what| io::Error::new(ErrorKind::InvalidInput, what);
    if rustix::net::sockopt::socket_type(socket)? != SocketType::STREAM {
        return Err(invalid("only stream sockets"));
    }
    if rustix::fs::fcntl_getfl(socket)?.contains(rustix::fs::OFlags::NONBLOCK) {
        return Err(invalid("no nonblocking sockets"));
    }
    if count == Some(0) {
        return Err(invalid("count must be positive"));
    }
    let count = count.map_or(Count::ToEnd, Count::Bytes);
    let mut transfer = Transfer::new(offset, count, &[], &[]).map_err(io::Error::other)?;
    let mut buffer = [0; 8192];
    let outcome = transfer.send_all(fd(socket), fd(input), &[], &[], &mut buffer);
    let sent = transfer.progress().file;
    if sent > 0 {
        input.seek(SeekFrom::Start(offset + sent))?;
    }
    match outcome {
        Ok(()) | Err(Error::Truncated { .. }) => Ok(sent),
        Err(error) => Err(io::Error::other(error)),
    }
}

/// All that arrives until the sender closes.
fn rest(mut receiver: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    receiver.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn i1_whole_file_in_blocks() {
    let data = pattern(64 * 1024 + 5);
    let (input, (sender, receiver)) = (file(&data), tcp());
    let mut offset = 0;
    loop {
        let sent = os_sendfile(&sender, &input, Some(offset), 4096).unwrap();
        if sent == 0 {
            break;
        }
        assert!(sent <= 4096);
        offset += sent as i64;
    }
    assert_eq!(offset as usize, data.len());
    drop(sender);
    assert_eq!(rest(receiver), data);
}

#[test]
fn i1_offset_none_continues_where_it_was() {
    let data = pattern(1000);
    let (mut input, (sender, mut receiver)) = (file(&data), tcp());
    assert_eq!(os_sendfile(&sender, &input, None, 300).unwrap(), 300);
    assert_eq!(os_sendfile(&sender, &input, None, 4096).unwrap(), 700);
    assert_eq!(os_sendfile(&sender, &input, None, 4096).unwrap(), 0);
    assert_eq!(input.stream_position().unwrap(), 1000);
    assert_eq!(receive(&mut receiver, 1000), data);
}

#[test]
fn i1_bad_arguments() {
    let (input, (sender, _receiver)) = (file(b"abc"), tcp());
    let errno = |result: io::Result<usize>| result.unwrap_err().raw_os_error();
    assert_eq!(errno(os_sendfile(&sender, &input, Some(-1), 4096)), Some(22));
    assert_eq!(errno(os_sendfile(&sender, &input, Some(0), -1)), Some(22));
    assert_eq!(os_sendfile(&sender, &input, Some(4096), 4096).unwrap(), 0); // past the end
}

#[test]
fn i3_headers_then_the_rest_of_the_file() {
    let data = pattern(20_000);
    let (input, (sender, receiver)) = (file(&data), tcp());
    let headers: [&[u8]; 2] = [&[b'x'; 512], &[b'y'; 256]];
    let sent = os_sendfile_hdtr(&sender, &input, 0, 4096, &headers, &[], SfFlags::empty()).unwrap();
    assert_eq!(sent, 512 + 256 + 4096);
    assert_eq!(os_sendfile_hdtr(&sender, &input, 4096, 0, &[], &[], SfFlags::empty()).unwrap(), 20_000 - 4096);
    drop(sender);
    assert_eq!(rest(receiver), [headers.concat(), data].concat());
}

#[test]
fn i3_trailers() {
    let (input, (sender, receiver)) = (file(b"abcdef"), tcp());
    let trailers: [&[u8]; 2] = [b"123456", b"789"];
    assert_eq!(os_sendfile_hdtr(&sender, &input, 0, 5, &[], &trailers, SfFlags::empty()).unwrap(), 14);
    drop(sender);
    assert_eq!(rest(receiver), b"abcde123456789");
}

#[test]
fn i3_flags() {
    let (input, (sender, _receiver)) = (file(b"abcdef"), tcp());
    // Just written, so in the cache; where the file system cannot tell, the flag is ignored.
    let sent = os_sendfile_hdtr(&sender, &input, 0, 6, &[], &[], SfFlags::NODISKIO).unwrap();
    assert_eq!(sent, 6);
}

#[test]
fn i2_socket_sendfile_moves_the_position() {
    let data = pattern(100_000);
    for (offset, count, expected) in [
        (0, None, &data[..]),
        (5000, None, &data[5000..]),
        (0, Some(5_000_007), &data[..]),
        (5000, Some(90_000), &data[5000..95_000]),
        (99_999, Some(1), &data[99_999..]),
    ] {
        let (mut input, (sender, receiver)) = (file(&data), tcp());
        let arrived = std::thread::spawn(|| rest(receiver));
        assert_eq!(socket_sendfile(&sender, &mut input, offset, count).unwrap(), expected.len() as u64);
        assert_eq!(input.stream_position().unwrap(), offset + expected.len() as u64);
        drop(sender);
        assert_eq!(arrived.join().unwrap(), expected);
    }
}

#[test]
fn i2_socket_sendfile_moves_the_position_also_on_an_error() {
    let (mut input, (sender, receiver)) = (file(&pattern(8 << 20)), tcp());
    sender.set_write_timeout(Some(std::time::Duration::from_millis(20))).unwrap();
    assert!(socket_sendfile(&sender, &mut input, 7, None).is_err()); // nobody reads: the buffers fill
    let sent = input.stream_position().unwrap() - 7;
    assert!(sent > 0);
    drop(sender);
    assert_eq!(rest(receiver).len() as u64, sent);
}

#[test]
fn i2_socket_sendfile_falls_back() {
    let (mut input, (sender, mut receiver)) = (File::open("/proc/self/limits").unwrap(), tcp());
    let refused = os_sendfile(&sender, &input, Some(0), 100).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(22));
    let mut expected = Vec::new();
    input.read_to_end(&mut expected).unwrap();
    assert_eq!(socket_sendfile(&sender, &mut input, 0, None).unwrap(), expected.len() as u64);
    assert_eq!(receive(&mut receiver, expected.len()), expected);
}

#[test]
fn i2_socket_sendfile_rejects() {
    let (mut input, (sender, _receiver)) = (file(b"abc"), tcp());
    assert_eq!(socket_sendfile(&sender, &mut input, 0, Some(0)).unwrap_err().kind(), ErrorKind::InvalidInput);
    sender.set_nonblocking(true).unwrap();
    assert_eq!(socket_sendfile(&sender, &mut input, 0, None).unwrap_err().kind(), ErrorKind::InvalidInput);
}
