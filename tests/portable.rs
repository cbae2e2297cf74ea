//! Both forms on every system. Results are the same on Linux, FreeBSD and macOS, unless docs/platforms.md names a difference.
//! The other tests of this folder are Linux's, or need no kernel.

mod common;

use std::fs::File;
use std::io::Read;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::thread;
use std::time::Duration;

use bare_sendfile::{
    Count, Errno, Error, FlagsReport, IoSlice, Progress, SfFlags, SigpipeGuard, Status, StreamCopy, Transfer,
    available, sendfile,
};
use common::sent::{Sent, send_file, sendfile_hdtr};
use common::{HANGS, Message, drain, fd, file, pattern, receive, set_nonblocking, tcp};

const LINUX: bool = cfg!(target_os = "linux");
const FREEBSD: bool = cfg!(target_os = "freebsd");
const NO_FLAGS: SfFlags = SfFlags::empty();

/// What a sender writes to, and the other end of it.
trait Stream: AsRawFd + Send + 'static {}
impl Stream for TcpStream {}
impl Stream for UnixStream {}

/// Runs the test on TCP over loopback and on a stream of the Unix domain.
fn on_each_stream(test: impl Fn(Box<dyn Stream>, Box<dyn Read + Send>)) {
    let (sender, receiver) = tcp();
    test(Box::new(sender), Box::new(receiver));
    let (sender, receiver) = UnixStream::pair().unwrap();
    receiver.set_read_timeout(Some(HANGS)).unwrap();
    test(Box::new(sender), Box::new(receiver));
}

fn sent(headers: u64, file: u64, trailers: u64) -> Progress {
    Progress { headers, file, trailers }
}

fn send(out: &dyn Stream, source: &File, offset: u64, count: impl Into<Count>) -> Sent {
    let headers = [IoSlice::new(b"he"), IoSlice::new(b""), IoSlice::new(b"ader")];
    sendfile_hdtr(fd(&out.as_raw_fd()), fd(source), offset, count, &headers, &[IoSlice::new(b"trailer")], NO_FLAGS)
}

#[test]
fn sendfile_is_available() {
    assert_eq!(available(), Ok(()));
}

#[test]
fn first_form_sends_from_the_offset_and_advances_it() {
    on_each_stream(|out, mut end| {
        let (bytes, out) = (pattern(5000), out.as_raw_fd());
        let source = file(&bytes);
        let mut offset = 1000;
        assert_eq!((sendfile(fd(&out), fd(&source), Some(&mut offset), 3000), offset), (Ok(3000), 4000));
        assert_eq!((sendfile(fd(&out), fd(&source), Some(&mut offset), 3000), offset), (Ok(1000), 5000));
        assert_eq!((sendfile(fd(&out), fd(&source), Some(&mut offset), 3000), offset), (Ok(0), 5000));
        assert_eq!(receive(&mut end, 4000), bytes[1000..]);
    });
}

/// C6a: on FreeBSD and macOS a count of 0 would be the whole file.
#[test]
fn first_form_at_its_limits() {
    on_each_stream(|out, mut end| {
        let out = out.as_raw_fd();
        let source = file(b"file");
        let call = |mut offset, count| sendfile(fd(&out), fd(&source), Some(&mut offset), count);
        assert_eq!(call(0, 0), Ok(0));
        assert_eq!(call(4, 1), Ok(0));
        assert_eq!(call(1000, 1), Ok(0));
        assert_eq!(call(1 << 63, 1), Err(Errno::EINVAL));
        // Of 32 bits a 64-bit kernel takes it.
        #[cfg(target_pointer_width = "64")]
        assert_eq!(call(0, isize::MAX as usize + 1), Err(Errno::EINVAL));
        let at_position = sendfile(fd(&out), fd(&source), None, 2);
        assert_eq!(at_position, if LINUX { Ok(2) } else { Err(Errno::EINVAL) });
        assert_eq!(call(3, 1), Ok(1));
        assert_eq!(receive(&mut end, if LINUX { 3 } else { 1 }), if LINUX { &b"fie"[..] } else { b"e" });
    });
}

/// C10, C11.
#[test]
fn second_form_sends_headers_file_trailers() {
    on_each_stream(|out, mut end| {
        let source = file(b"0123456789");
        for (offset, count, middle) in
            [(2, Count::Bytes(3), "234"), (7, Count::ToEnd, "789"), (0, Count::ToEnd, "0123456789")]
        {
            let done = send(&*out, &source, offset, count);
            assert_eq!((done.outcome, done.progress), (Ok(()), sent(6, middle.len() as u64, 7)));
            assert_eq!(done.mechanisms.hdtr, FREEBSD, "who joins the headers and the file");
            assert_eq!(receive(&mut end, 13 + middle.len()), format!("header{middle}trailer").as_bytes());
        }
    });
}

/// C4: FreeBSD's kernel alone would drop the headers.
#[test]
fn second_form_of_nothing_sends_headers_and_trailers() {
    on_each_stream(|out, mut end| {
        for (bytes, offset) in [(&b""[..], 0), (b"file", 4), (b"file", 100)] {
            let done = send(&*out, &file(bytes), offset, Count::ToEnd);
            assert_eq!((done.outcome, done.progress, done.mechanisms.hdtr), (Ok(()), sent(6, 0, 7), false));
            assert_eq!(receive(&mut end, 13), b"headertrailer");
        }
    });
}

/// C6a: a count of 0 is not the whole file, and the trailers of a short one are withheld.
#[test]
fn second_form_keeps_to_its_count() {
    on_each_stream(|out, mut end| {
        let source = file(b"file");
        let done = send(&*out, &source, 1, 0);
        assert_eq!((done.outcome, done.progress), (Ok(()), sent(6, 0, 7)));
        let done = send(&*out, &source, 1, 10);
        assert_eq!((done.outcome, done.progress), (Err(Error::Truncated { owed: 7 }), sent(6, 3, 0)));
        drop(out);
        let mut all = Vec::new();
        end.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"headertrailerheaderile");
    });
}

/// D1 to D3, on sockets whose buffers are far smaller than the message.
#[test]
fn a_transfer_goes_on_wherever_it_stopped() {
    on_each_stream(|out, mut end| {
        let out = out; // closed at the end, before the reader is joined
        set_nonblocking(&out.as_raw_fd());
        let message = Message::new(100_000, 8_000_000, 100_000);
        let (headers, trailers) = (message.headers(), message.trailers());
        let mut transfer = message.transfer();
        let mut stops = 0;
        let poll = |transfer: &mut Transfer| {
            transfer.poll_send(fd(&out.as_raw_fd()), fd(&message.file), &headers, &trailers, &mut [])
        };
        // Nobody reads: it has to stop, with a part of the message gone.
        while poll(&mut transfer).unwrap() == Status::Yielded {}
        assert!((1..message.whole.len() as u64).contains(&transfer.progress().total()));
        let len = message.whole.len();
        let reader = thread::spawn(move || receive(&mut end, len));
        while poll(&mut transfer).unwrap() != Status::Done {
            stops += 1;
            assert!(stops < 100_000, "{transfer:?}");
            thread::sleep(Duration::from_millis(1)); // in place of an event loop
        }
        message.assert_all_arrived(&reader.join().unwrap(), transfer.progress());
    });
}

/// `TCP_CORK` or `TCP_NOPUSH`.
fn corked(socket: &TcpStream) -> bool {
    #[cfg(target_os = "linux")]
    const CORK: libc::c_int = libc::TCP_CORK;
    #[cfg(not(target_os = "linux"))]
    const CORK: libc::c_int = libc::TCP_NOPUSH;
    let (mut value, mut len): (libc::c_int, libc::socklen_t) = (0, 4);
    // SAFETY: `value` has the four bytes that `len` says.
    let result =
        unsafe { libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, CORK, (&raw mut value).cast(), &raw mut len) };
    assert_eq!(result, 0);
    value != 0
}

/// C16, C18.
#[test]
fn nothing_waits_and_options_are_put_back() {
    let (out, mut end) = tcp();
    let source = file(b"file");
    for nodelay in [false, true] {
        out.set_nodelay(nodelay).unwrap();
        for _ in 0..3 {
            let done = send(&out, &source, 0, Count::ToEnd);
            assert_eq!(done.outcome, Ok(()));
            assert_eq!((corked(&out), out.nodelay().unwrap()), (false, nodelay));
            assert_eq!(receive(&mut end, 17), b"headerfiletrailer");
        }
    }
}

/// C5: FreeBSD and macOS send to sockets alone; with a buffer, what they refuse is copied.
#[test]
fn a_file_as_the_output() {
    let (source, output) = (file(b"0123456789"), file(b""));
    let mut offset = 0;
    let first = sendfile(fd(&output), fd(&source), Some(&mut offset), 10);
    assert_eq!(first, if LINUX { Ok(10) } else { Err(Errno::ENOTSOCK) });
    let headers = [IoSlice::new(b"header")];
    let done = send_file(fd(&output), fd(&source), 2, 3, &headers, &[], &mut [0; 1]);
    assert_eq!((done.outcome, done.progress), (Ok(()), sent(6, 3, 0)));
    assert_eq!(done.mechanisms.refused, (!LINUX).then_some(Errno::ENOTSOCK));
    let written = std::os::unix::fs::FileExt::read_at(&output, &mut [0; 100], 0).unwrap();
    assert_eq!(written, if LINUX { 19 } else { 9 });
}

/// C20.
#[test]
fn datagrams_are_refused() {
    let (out, end) = UnixDatagram::pair().unwrap();
    let done = sendfile_hdtr(fd(&out), fd(&file(b"file")), 0, 4, &[IoSlice::new(b"header")], &[], NO_FLAGS);
    assert_eq!((done.outcome, done.total()), (Err(Error::NotAStream(2)), 0));
    end.set_nonblocking(true).unwrap();
    assert!(end.recv(&mut [0; 100]).is_err(), "nothing was sent");
}

/// F1.
#[test]
fn nobody_receives() {
    on_each_stream(|out, end| {
        drop(end);
        let _quiet = SigpipeGuard::new().unwrap();
        let (source, out) = (file(b"file"), out.as_raw_fd());
        // TCP learns of it by the answer to what it sends.
        let error = (0..1000).find_map(|_| {
            thread::sleep(Duration::from_millis(1)); // between two tries
            sendfile(fd(&out), fd(&source), Some(&mut 0), 4).err()
        });
        assert!(matches!(error, Some(Errno::EPIPE | Errno::ECONNRESET | Errno::ENOTCONN)), "{error:?}");
    });
}

/// G: what becomes of FreeBSD's flags, and of bits that are none.
#[test]
fn flags() {
    let (out, _end) = tcp();
    let source = file(b"file");
    let done = sendfile_hdtr(fd(&out), fd(&source), 0, 4, &[], &[], SfFlags::MNOWAIT | SfFlags::NODISKIO);
    // H8: of a page that is being written back FreeBSD may say that it is not there.
    let busy = FREEBSD && done.outcome == Err(Error::Errno(Errno::EBUSY));
    assert!(busy || done.outcome == Ok(()), "{done:?}");
    let ignored = FlagsReport { ignored: SfFlags::MNOWAIT, ..FlagsReport::default() };
    let report = match () {
        () if FREEBSD => FlagsReport { honoured: SfFlags::NODISKIO, ..ignored },
        // A file system may be unable to tell.
        () if LINUX && done.flags.ignored == SfFlags::MNOWAIT => {
            FlagsReport { approximated: SfFlags::NODISKIO, ..ignored }
        }
        () => FlagsReport { ignored: SfFlags::MNOWAIT | SfFlags::NODISKIO, ..ignored },
    };
    assert_eq!(done.flags, report);
    let done = sendfile_hdtr(fd(&out), fd(&source), 0, 4, &[], &[], SfFlags::from_bits_retain(0x20));
    assert_eq!((done.outcome, done.total()), (Err(Error::UnknownFlags(0x20)), 0));
}

#[test]
fn a_stream_is_copied() {
    let ((input, far_input), (out, end)) = (UnixStream::pair().unwrap(), tcp());
    let bytes = pattern(300_000);
    let given = bytes.clone();
    let writer = thread::spawn(move || std::io::Write::write_all(&mut &far_input, &given).unwrap());
    let reader = drain(end);
    let mut buffer = [0; 4096];
    let mut copy = StreamCopy::new(Count::ToEnd, &mut buffer);
    assert_eq!(copy.send_all(fd(&out), fd(&input)), Ok(()));
    drop(out);
    writer.join().unwrap();
    assert!(reader.join().unwrap() == bytes);
}

/// The kernels' own second form, quirks and all.
#[cfg(not(target_os = "linux"))]
mod native {
    use bare_sendfile::{Moved, sendfile_native};

    use super::*;

    const HEADERS: [IoSlice<'_>; 2] = [IoSlice::new(b"head"), IoSlice::new(b"er")];
    const TRAILERS: [IoSlice<'_>; 1] = [IoSlice::new(b"trailer")];

    fn call(out: &dyn Stream, source: &File, offset: u64, count: impl Into<Count>) -> Moved {
        sendfile_native(fd(&out.as_raw_fd()), fd(source), offset, count, &HEADERS, &TRAILERS, NO_FLAGS)
    }

    /// C1, C7: the count is that of the file on both.
    #[test]
    fn the_sum_is_of_all_three() {
        on_each_stream(|out, mut end| {
            let source = file(b"0123456789");
            assert_eq!(call(&*out, &source, 2, 3), Moved { bytes: 16, error: None });
            assert_eq!(receive(&mut end, 16), b"header234trailer");
            assert_eq!(call(&*out, &source, 8, Count::ToEnd), Moved { bytes: 15, error: None });
            assert_eq!(receive(&mut end, 15), b"header89trailer");
        });
    }

    /// C6a, on both.
    #[test]
    fn trailers_of_a_short_file_are_sent_and_a_count_of_0_is_refused() {
        on_each_stream(|out, mut end| {
            let source = file(b"file");
            assert_eq!(call(&*out, &source, 2, 9), Moved { bytes: 15, error: None });
            assert_eq!(receive(&mut end, 15), b"headerletrailer");
            assert_eq!(call(&*out, &source, 0, 0), Moved { bytes: 0, error: Some(Errno::EINVAL) });
        });
    }

    /// C2, H6.
    #[test]
    fn eagain_comes_with_progress() {
        on_each_stream(|out, _end| {
            set_nonblocking(&out.as_raw_fd());
            let source = file(&pattern(8_000_000));
            let done = call(&*out, &source, 0, Count::ToEnd);
            assert_eq!(done.error, Some(Errno::EAGAIN));
            assert!((6..8_000_000).contains(&done.bytes), "{done:?}");
        });
    }

    /// C4.
    #[cfg(target_os = "freebsd")]
    #[test]
    fn headers_of_an_empty_file_are_dropped() {
        on_each_stream(|out, mut end| {
            assert_eq!(call(&*out, &file(b""), 0, Count::ToEnd), Moved { bytes: 7, error: None });
            assert_eq!(receive(&mut end, 7), b"trailer");
        });
    }

    /// C7: flags are refused.
    #[cfg(target_os = "macos")]
    #[test]
    fn flags_are_refused() {
        let (out, _end) = tcp();
        let done = sendfile_native(fd(&out), fd(&file(b"file")), 0, 4, &[], &[], SfFlags::NODISKIO);
        assert_eq!(done, Moved { bytes: 0, error: Some(Errno::EINVAL) });
    }
}
