//! C15 to C18 of docs/semantics.md: bytes that fit one TCP segment go out as one, no byte waits longer than after one plain write, and the
//! caller's options stay as they were.
//!
//! No time is asserted. The sender is deaf to acknowledgements, so that what waits for one waits until the kernel's own
//! timers end it, and the sender's `TCP_INFO` tells right after the call how many segments left and how many bytes did not.
#![cfg(target_os = "linux")]

mod common;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bare_sendfile::fd::BorrowedFd;
use bare_sendfile::{Count, Errno, Error, FlushOnDrop, IoSlice, Output, Progress, SfFlags, Status, Step, Transfer};
use common::sent::sendfile_hdtr;
use common::streams::{Tick, deafen, ethernet, in_time, tcp_info};
use common::{fd, memfd, pattern, receive, tcp};
use rustix::net::sockopt;

/// The state of a connection at the time of a send.
#[derive(Clone, Copy, Debug)]
struct Connection {
    /// Nagle's algorithm: no second short segment before the first is acknowledged.
    nagle: bool,
    /// A short segment was sent before and is not acknowledged.
    unacknowledged: bool,
    /// The caller's `TCP_CORK`.
    cork: bool,
}

const CONNECTIONS: [Connection; 3] = [
    Connection { nagle: true, unacknowledged: false, cork: false },
    Connection { nagle: false, unacknowledged: false, cork: false },
    Connection { nagle: false, unacknowledged: true, cork: false },
];
const NAGLE: Connection = CONNECTIONS[0];
const NAGLE_UNACKNOWLEDGED: Connection = Connection { unacknowledged: true, ..NAGLE };
const CORKED: Connection = Connection { cork: true, ..NAGLE };

const EARLIER: &[u8] = b"earlier";

/// What a send left behind.
#[derive(PartialEq)]
struct After {
    /// Segments with data that left.
    segments: u32,
    /// Bytes that the kernel took and has not sent once.
    waiting: u32,
    /// What the receiver has after the end, without the earlier segment.
    received: Vec<u8>,
}

impl fmt::Debug for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { segments, waiting, received } = self;
        let first = &received[..received.len().min(20)];
        write!(f, "{segments} segments, {waiting} bytes waiting, {} received: {first:?}...", received.len())
    }
}

/// Segments with data that left for the first time.
fn segments(info: &libc::tcp_info) -> u32 {
    info.tcpi_data_segs_out - info.tcpi_total_retrans
}

/// A file in memory, where nothing waits for a disk.
fn file(bytes: &[u8]) -> File {
    let mut file = memfd(0);
    file.write_all(bytes).unwrap();
    file
}

fn options(socket: &TcpStream) -> (bool, bool) {
    (sockopt::tcp_cork(socket).unwrap(), sockopt::tcp_nodelay(socket).unwrap())
}

/// Performs `send` on a new connection and looks at once what it left. The options must be as before.
fn watch(connection: Connection, send: impl Fn(&TcpStream)) -> After {
    in_time(|| {
        let (sender, mut receiver) = ethernet();
        sender.set_nodelay(!connection.nagle).unwrap();
        deafen(&sender, true);
        let start = Tick::next();
        if connection.unacknowledged {
            (&sender).write_all(EARLIER).unwrap();
        }
        sockopt::set_tcp_cork(&sender, connection.cork).unwrap();
        let (before, options_before) = (segments(&tcp_info(&sender)), options(&sender));
        send(&sender);
        let after = tcp_info(&sender);
        let in_time = start.is_before_timers();
        assert_eq!(options(&sender), options_before, "(cork, nodelay)");
        if !in_time {
            return None;
        }
        // The end of the stream takes along all that waits.
        deafen(&sender, false);
        sender.shutdown(Shutdown::Write).unwrap();
        let mut received = Vec::new();
        if connection.unacknowledged {
            assert_eq!(receive(&mut receiver, EARLIER.len()), EARLIER);
        }
        receiver.read_to_end(&mut received).unwrap();
        Some(After { segments: segments(&after) - before, waiting: after.tcpi_notsent_bytes, received })
    })
}

/// What one plain write of these bytes leaves.
fn plain(connection: Connection, bytes: &[u8]) -> After {
    watch(connection, |sender| assert_eq!((&*sender).write(bytes).unwrap(), bytes.len()))
}

/// Headers, a file and trailers of so many bytes.
#[derive(Clone, Copy, Debug)]
struct Response {
    headers: usize,
    file: usize,
    trailers: usize,
    /// What is asked of the file.
    count: Count,
}

impl Response {
    /// The count is right.
    const fn new(headers: usize, file: usize, trailers: usize) -> Self {
        Self { headers, file, trailers, count: Count::Bytes(file as u64) }
    }

    const fn asking(self, count: Count) -> Self {
        Self { count, ..self }
    }

    /// How much of the file is missing.
    fn owed(&self) -> u64 {
        match self.count {
            Count::Bytes(count) => count.saturating_sub(self.file as u64),
            Count::ToEnd => 0,
        }
    }

    fn parts(&self) -> [Vec<u8>; 3] {
        let all = pattern(self.headers + self.file + self.trailers);
        let (headers, rest) = all.split_at(self.headers);
        let (file, trailers) = rest.split_at(self.file);
        [headers.to_vec(), file.to_vec(), trailers.to_vec()]
    }

    /// What goes out: trailers only behind a complete file.
    fn bytes(&self) -> Vec<u8> {
        let [headers, mut file, trailers] = self.parts();
        if let Count::Bytes(count) = self.count {
            file.truncate(count as usize);
        }
        let trailers = if self.owed() > 0 { Vec::new() } else { trailers };
        [headers, file, trailers].concat()
    }

    fn outcome(&self) -> Result<(), Error> {
        match self.owed() {
            0 => Ok(()),
            owed => Err(Error::Truncated { owed }),
        }
    }

    fn send(&self, sender: &TcpStream) {
        self.send_to(fd(sender));
    }

    fn send_to(&self, out: BorrowedFd<'_>) {
        let [headers, body, trailers] = self.parts();
        let sent = sendfile_hdtr(
            out,
            fd(&file(&body)),
            0,
            self.count,
            &[IoSlice::new(&headers)],
            &[IoSlice::new(&trailers)],
            SfFlags::empty(),
        );
        assert_eq!((sent.outcome, sent.total()), (self.outcome(), self.bytes().len() as u64), "{self:?}");
    }

    /// Through a buffer of so many bytes: at once where it has the room, or copying by pieces.
    fn copy(&self, sender: &TcpStream, buffer: usize) {
        let [headers, body, trailers] = self.parts();
        let (headers, trailers) = ([IoSlice::new(&headers)], [IoSlice::new(&trailers)]);
        let mut transfer = Transfer::new(0, self.count, &headers, &trailers).unwrap().copying();
        let source = file(&body);
        let outcome = transfer.send_all(fd(sender), fd(&source), &headers, &trailers, &mut vec![0; buffer]);
        assert_eq!((outcome, transfer.progress().total()), (self.outcome(), self.bytes().len() as u64), "{self:?}");
    }

    /// By steps of at most `cap` bytes of the file, without the flush that is then owed.
    fn steps(&self, out: BorrowedFd<'_>, cap: usize) -> Transfer {
        let [headers, body, trailers] = self.parts();
        let (headers, trailers) = ([IoSlice::new(&headers)], [IoSlice::new(&trailers)]);
        let source = file(&body);
        let mut transfer = Transfer::new(0, self.count, &headers, &trailers).unwrap().with_cap(cap);
        let outcome = loop {
            let step = transfer.next_step(&headers, &trailers, 0).unwrap();
            if let Step::Done | Step::Flush { .. } = step {
                break Ok(());
            }
            if let Err(error) = transfer.perform(&step, out, fd(&source), &mut []) {
                break Err(error);
            }
        };
        assert_eq!((outcome, transfer.progress().total()), (self.outcome(), self.bytes().len() as u64), "{self:?}");
        transfer
    }
}

/// It is one segment and nothing waits, on each of the connections where a plain write does not wait either.
fn assert_one_segment(response: Response) {
    for connection in CONNECTIONS {
        let expected = After { segments: 1, waiting: 0, received: response.bytes() };
        assert_eq!(plain(connection, &response.bytes()), expected, "{connection:?}, one write");
        assert_eq!(watch(connection, |sender| response.send(sender)), expected, "{connection:?}, {response:?}");
        for buffer in [150, 750, 850] {
            let copied = watch(connection, |sender| response.copy(sender, buffer));
            assert_eq!(copied, expected, "{connection:?}, {response:?}, a buffer of {buffer}");
        }
    }
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user cuts TCP_INFO to four bytes")]
fn c15_headers_file_and_trailers_are_one_segment() {
    assert_one_segment(Response::new(200, 500, 100));
    assert_one_segment(Response::new(200, 500, 0));
    assert_one_segment(Response::new(0, 500, 100));
    assert_one_segment(Response::new(200, 0, 100));
    assert_one_segment(Response::new(200, 0, 0));
    assert_one_segment(Response::new(0, 500, 0));
    assert_one_segment(Response::new(0, 0, 100));
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user cuts TCP_INFO to four bytes")]
fn c15_to_the_end_is_one_segment() {
    for response in [Response::new(200, 500, 100), Response::new(200, 500, 0), Response::new(0, 500, 100)] {
        assert_one_segment(response.asking(Count::ToEnd));
    }
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user cuts TCP_INFO to four bytes")]
fn c16_headers_that_nothing_follows_do_not_wait() {
    for (headers, file, trailers) in [(200, 0, 0), (200, 0, 100), (200, 500, 0), (200, 500, 100), (0, 500, 100)] {
        let response = Response::new(headers, file, trailers);
        assert_one_segment(response.asking(Count::Bytes(file as u64 + 1)));
        assert_one_segment(response.asking(Count::Bytes(u64::MAX)));
        assert_one_segment(response.asking(Count::ToEnd));
    }
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user cuts TCP_INFO to four bytes")]
fn c15_several_segments_are_as_many_as_of_one_write() {
    for (headers, file, trailers) in [(200, 5000, 100), (3000, 3000, 3000), (0, 10_000, 1), (1, 10_000, 0)] {
        let response = Response::new(headers, file, trailers);
        for connection in CONNECTIONS {
            let write = plain(connection, &response.bytes());
            assert!(write.segments > 3);
            assert_eq!(watch(connection, |sender| response.send(sender)), write, "{connection:?}, {response:?}");
        }
    }
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user cuts TCP_INFO to four bytes")]
fn c13_c15_five_thousand_slices_are_one_segment() {
    let bytes = pattern(600);
    let source = file(&bytes[250..350]);
    let empty = IoSlice::new(&[]);
    // Each byte of headers and trailers is a slice of its own among empty ones.
    let list =
        |bytes: &'static [u8]| bytes.chunks(1).flat_map(|byte| [&[empty; 19][..], &[IoSlice::new(byte)]].concat());
    let bytes: &'static [u8] = bytes.leak();
    let (headers, trailers): (Vec<_>, Vec<_>) = (list(&bytes[..250]).collect(), list(&bytes[350..]).collect());
    assert_eq!((headers.len(), trailers.len()), (5000, 5000));
    for connection in CONNECTIONS {
        let after = watch(connection, |sender| {
            let sent = sendfile_hdtr(fd(sender), fd(&source), 0, 100, &headers, &trailers, SfFlags::empty());
            assert_eq!((sent.outcome, sent.total()), (Ok(()), 600));
        });
        assert_eq!(after, After { segments: 1, waiting: 0, received: bytes.to_vec() }, "{connection:?}");
    }
}

/// What the checks above see when somebody gets it wrong: they can fail.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user cuts TCP_INFO to four bytes")]
fn c15_c16_by_hand_they_are_torn_or_wait() {
    let more = |sender: &TcpStream, bytes: &[u8]| {
        // SAFETY: the kernel reads `bytes`.
        let sent = unsafe { libc::send(sender.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), libc::MSG_MORE) };
        assert_eq!(sent, bytes.len() as isize);
    };
    let bytes = pattern(800);
    for connection in CONNECTIONS {
        let after = watch(connection, |sender| more(sender, &bytes));
        assert_eq!((after.segments, after.waiting), (0, 800), "{connection:?}");
    }
    let separate = |mut sender: &TcpStream| {
        for part in [&bytes[..200], &bytes[200..700], &bytes[700..]] {
            sender.write_all(part).unwrap();
        }
    };
    let after = watch(CONNECTIONS[1], separate);
    assert_eq!((after.segments, after.waiting), (3, 0));
    let after = watch(NAGLE, separate);
    assert_eq!((after.segments, after.waiting), (1, 600));
    // The same for steps of which the last, the flush, is left out.
    let after = watch(NAGLE, |sender| {
        assert!(Response::new(200, 0, 0).asking(Count::ToEnd).steps(fd(sender), 1 << 20).flush_owed())
    });
    assert_eq!((after.segments, after.waiting), (0, 200));
}

/// By steps of at most `cap` bytes of the file, and the flush that is owed.
fn steps_and_flush(response: Response, cap: usize, sender: &TcpStream) {
    drop(FlushOnDrop::new(response.steps(fd(sender), cap), fd(sender)));
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user cuts TCP_INFO to four bytes")]
fn c16_c17_the_tail_of_a_file_in_several_steps_does_not_wait() {
    // No more short segments than the first congestion window admits, which are ten.
    for (response, caps) in [
        (Response::new(0, 500, 0), [100, 499, 500, 501]),
        (Response::new(0, 500, 100), [100, 499, 500, 501]),
        (Response::new(200, 500, 0), [100, 499, 500, 501]),
        (Response::new(200, 500, 100), [100, 499, 500, 501]),
        (Response::new(0, 5000, 0), [1500, 2000, 2896, 4999]),
        (Response::new(200, 5000, 100), [1500, 2000, 2896, 4999]),
    ] {
        for cap in caps {
            for count in [response.count, Count::ToEnd, Count::Bytes(response.file as u64 + 1)] {
                let response = response.asking(count);
                for connection in CONNECTIONS {
                    let after = watch(connection, |sender| steps_and_flush(response, cap, sender));
                    let context = format!("{connection:?}, {response:?}, {cap}: {} segments", after.segments);
                    assert_eq!(after.waiting, 0, "{context}");
                    assert!(after.received == response.bytes(), "{context}");
                }
            }
        }
    }
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user cuts TCP_INFO to four bytes")]
fn c16_c17_behind_an_earlier_short_segment_nothing_waits_that_a_write_would_not() {
    for response in [
        Response::new(200, 500, 100),
        Response::new(200, 500, 0),
        Response::new(0, 500, 100),
        Response::new(200, 0, 100),
        Response::new(0, 500, 0),
        Response::new(200, 5000, 100),
    ] {
        let write = plain(NAGLE_UNACKNOWLEDGED, &response.bytes());
        assert!(write.waiting > 0, "the earlier segment holds nothing back");
        for count in [response.count, Count::ToEnd, Count::Bytes(response.file as u64 + 1)] {
            let response = response.asking(count);
            let sent = watch(NAGLE_UNACKNOWLEDGED, |sender| response.send(sender));
            assert!(sent.waiting <= write.waiting, "{response:?}: {} {}", sent.waiting, write.waiting);
            assert!(sent.received == response.bytes());
            let steps = watch(NAGLE_UNACKNOWLEDGED, |sender| steps_and_flush(response, 300, sender));
            assert!(steps.waiting <= write.waiting, "{response:?}: {} {}", sent.waiting, write.waiting);
            assert!(steps.received == response.bytes());
        }
    }
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user cuts TCP_INFO to four bytes")]
fn c16_an_error_of_the_file_does_not_leave_the_headers_waiting() {
    let headers = [IoSlice::new(b"headers")];
    let directory = File::open(".").unwrap();
    let not_readable = OpenOptions::new().write(true).open("/dev/null").unwrap();
    for connection in CONNECTIONS {
        for (source, errno) in [(&directory, Errno::EINVAL), (&not_readable, Errno::EBADF)] {
            for trailers in [&[][..], &[IoSlice::new(b"trailers")]] {
                let after = watch(connection, |sender| {
                    let sent = sendfile_hdtr(fd(sender), fd(source), 0, 10, &headers, trailers, SfFlags::empty());
                    assert_eq!((sent.outcome, sent.progress.headers), (Err(errno.into()), 7));
                });
                assert_eq!(after, After { segments: 1, waiting: 0, received: b"headers".to_vec() }, "{connection:?}");
            }
        }
    }
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user cuts TCP_INFO to four bytes")]
fn c16_eagain_between_headers_and_file_leaves_no_more_waiting_than_a_write() {
    // What a small send buffer takes of one write; the rest of it waits for the congestion window.
    let nonblocking = |sender: &TcpStream| {
        sockopt::set_socket_send_buffer_size(sender, 1).unwrap(); // the kernel has a minimum
        sender.set_nonblocking(true).unwrap();
    };
    let bytes = pattern(1 << 20);
    let source = file(&pattern(500));
    for connection in CONNECTIONS {
        let taken = AtomicUsize::new(0);
        let write = watch(connection, |mut sender| {
            nonblocking(sender);
            taken.store(sender.write(&bytes).unwrap(), Relaxed);
        });
        // Just that as headers: the file finds no room.
        let headers = &bytes[..taken.into_inner()];
        let after = watch(connection, |sender| {
            nonblocking(sender);
            let (headers, trailers) = ([IoSlice::new(headers)], [IoSlice::new(b"trailers")]);
            let sent = sendfile_hdtr(fd(sender), fd(&source), 0, 500, &headers, &trailers, SfFlags::empty());
            let progress = Progress { headers: headers[0].len() as u64, file: 0, trailers: 0 };
            assert_eq!((sent.outcome, sent.progress), (Err(Errno::EAGAIN.into()), progress));
        });
        assert_eq!(after, write, "{connection:?}");
    }
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user cuts TCP_INFO to four bytes")]
fn c16_a_transfer_that_is_abandoned_owes_a_flush_and_performs_it() {
    let bytes = pattern(300);
    let (headers, trailers) = ([IoSlice::new(&bytes[..200])], [IoSlice::new(&bytes[200..])]);
    let source = file(&[0; 10]);
    // Stops before the step at which `stop` says so.
    let begin = |sender: &TcpStream, stop: fn(&Step<'_>) -> bool| {
        let mut transfer = Transfer::new(0, 10, &headers, &trailers).unwrap();
        loop {
            let step = transfer.next_step(&headers, &trailers, 0).unwrap();
            if stop(&step) {
                return transfer;
            }
            transfer.perform(&step, fd(sender), fd(&source), &mut []).unwrap();
        }
    };
    let before_the_headers = |step: &Step<'_>| matches!(step, Step::Write { .. });
    let before_the_cork = |step: &Step<'_>| matches!(step, Step::Cork);
    let before_the_file = |step: &Step<'_>| matches!(step, Step::SendFile { .. });
    let expected = After { segments: 1, waiting: 0, received: bytes[..200].to_vec() };
    for connection in CONNECTIONS {
        watch(connection, |sender| assert!(!begin(sender, before_the_headers).flush_owed()));
        let after = watch(connection, |sender| assert!(begin(sender, before_the_cork).flush_owed()));
        assert_eq!((after.segments, after.waiting), (0, 200), "a Transfer flushes on drop");
        for stop in [before_the_cork, before_the_file] {
            let after = watch(connection, |sender| {
                let mut transfer = begin(sender, stop);
                assert!(transfer.flush_owed());
                let step = transfer.flush().unwrap();
                transfer.perform(&step, fd(sender), fd(sender), &mut []).unwrap();
                assert!(!transfer.flush_owed());
                assert!(transfer.flush().is_none());
            });
            assert_eq!(after, expected, "{connection:?}");
            let after = watch(connection, |sender| drop(FlushOnDrop::new(begin(sender, stop), fd(sender))));
            assert_eq!(after, expected, "{connection:?}, dropped");
        }
    }
}

/// What a flush sends before the end is a short segment, behind which the rest would wait.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user cuts TCP_INFO to four bytes")]
fn c16_after_a_flush_the_rest_does_not_wait() {
    let bytes = pattern(800);
    let (headers, trailers) = ([IoSlice::new(&bytes[..200])], [IoSlice::new(&bytes[700..])]);
    let source = file(&bytes[200..700]);
    for connection in CONNECTIONS {
        for pause in 1..10 {
            let after = watch(connection, |sender| {
                let mut transfer = Transfer::new(0, 500, &headers, &trailers).unwrap().with_cap(200);
                for step in 0.. {
                    if step == pause {
                        if let Some(flush) = transfer.flush() {
                            transfer.perform(&flush, fd(sender), fd(sender), &mut []).unwrap();
                        }
                    }
                    match transfer.next_step(&headers, &trailers, 0).unwrap() {
                        Step::Done => break,
                        step => transfer.perform(&step, fd(sender), fd(&source), &mut []).unwrap(),
                    }
                }
            });
            assert_eq!(after.waiting, 0, "{connection:?}, a flush before step {pause}");
            assert!(after.received == bytes);
        }
    }
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user cuts TCP_INFO to four bytes")]
fn c18_under_the_callers_cork_nothing_is_flushed() {
    for (headers, file, trailers) in [(200, 500, 100), (200, 500, 0), (0, 500, 100), (200, 0, 0), (0, 500, 0)] {
        for count in [Count::Bytes(file as u64), Count::ToEnd, Count::Bytes(file as u64 + 1)] {
            let response = Response::new(headers, file, trailers).asking(count);
            let all = response.bytes();
            for connection in [CORKED, Connection { nagle: false, ..CORKED }] {
                // `watch` sees that the cork is set afterwards.
                let expected = After { segments: 0, waiting: all.len() as u32, received: all.clone() };
                assert_eq!(watch(connection, |sender| response.send(sender)), expected, "{connection:?}, {response:?}");
                let steps = watch(connection, |sender| steps_and_flush(response, 100, sender));
                assert_eq!(steps, expected, "{connection:?}, {response:?}, in steps");
                let after = watch(connection, |sender| {
                    response.send(sender);
                    sockopt::set_tcp_cork(sender, false).unwrap();
                    assert_eq!(tcp_info(sender).tcpi_notsent_bytes, 0);
                    sockopt::set_tcp_cork(sender, true).unwrap();
                });
                assert_eq!(after.segments, 1);
            }
        }
    }
}

/// A caller may clear its cork while a transfer is left for a while: the trailers join the file nevertheless.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user cuts TCP_INFO to four bytes")]
fn c18_the_cork_is_asked_for_again_after_a_pause() {
    let bytes = pattern(600);
    let trailers = [IoSlice::new(&bytes[500..])];
    let source = file(&bytes[..500]);
    for connection in CONNECTIONS {
        let after = watch(connection, |sender| {
            sockopt::set_tcp_cork(sender, true).unwrap();
            let mut transfer = Transfer::new(0, 500, &[], &trailers).unwrap();
            for step in ["Identify", "Cork"] {
                let next = transfer.next_step(&[], &trailers, 0).unwrap();
                assert!(format!("{next:?}").starts_with(step), "{next:?}");
                transfer.perform(&next, fd(sender), fd(&source), &mut []).unwrap();
            }
            transfer.next_step(&[], &trailers, 0).unwrap();
            assert_eq!(transfer.complete(Err(Errno::EAGAIN)), Err(Errno::EAGAIN.into()));
            assert!(!transfer.flush_owed());
            assert!(transfer.flush().is_none());
            sockopt::set_tcp_cork(sender, false).unwrap();
            transfer.send_all(fd(sender), fd(&source), &[], &trailers, &mut []).unwrap();
        });
        assert_eq!(after, After { segments: 1, waiting: 0, received: bytes.clone() }, "{connection:?}");
    }
}

#[test]
fn c18_cork_and_nodelay_have_their_former_values_after_every_way_out() {
    let source = file(&pattern(500));
    let directory = File::open(".").unwrap();
    let (header, trailer) = ([IoSlice::new(b"header")], [IoSlice::new(b"trailer")]);
    for former in [(false, false), (false, true), (true, false), (true, true)] {
        for headers in [&[][..], &header] {
            for trailers in [&[][..], &trailer] {
                let (sender, _receiver) = tcp();
                sockopt::set_tcp_cork(&sender, former.0).unwrap();
                sender.set_nodelay(former.1).unwrap();
                let send = |source: &File, count: Count| {
                    let sent = sendfile_hdtr(fd(&sender), fd(source), 0, count, headers, trailers, SfFlags::empty());
                    assert_eq!(options(&sender), former, "{:?}", sent.outcome);
                    sent.outcome
                };
                assert_eq!(send(&source, Count::Bytes(500)), Ok(()));
                assert_eq!(send(&source, Count::Bytes(0)), Ok(()));
                assert_eq!(send(&source, Count::ToEnd), Ok(()));
                assert_eq!(send(&source, Count::Bytes(501)), Err(Error::Truncated { owed: 1 }));
                assert_eq!(send(&directory, Count::ToEnd), Err(Errno::EINVAL.into()));
                sender.set_nonblocking(true).unwrap();
                let full = std::iter::repeat_with(|| send(&source, Count::ToEnd)).find(Result::is_err);
                assert_eq!(full, Some(Err(Errno::EAGAIN.into())));
                sender.shutdown(Shutdown::Write).unwrap();
                assert_eq!(send(&source, Count::ToEnd), Err(Errno::EPIPE.into()));
            }
        }
    }
}

/// A read that is shorter than the step asked for makes a short segment, behind which the rest would wait.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user cuts TCP_INFO to four bytes")]
fn c16_a_short_read_of_a_copy_does_not_let_the_rest_wait() {
    let bytes = pattern(600);
    for (headers, trailers) in [(0, 0), (0, 100), (200, 0), (200, 100)] {
        let (headers, rest) = bytes.split_at(headers);
        let (body, trailers) = rest.split_at(rest.len() - trailers);
        let (headers, trailers) = ([IoSlice::new(headers)], [IoSlice::new(trailers)]);
        for buffer in [400, 700] {
            for connection in CONNECTIONS {
                let after = watch(connection, |sender| {
                    let mut source = file(&body[..100]);
                    let mut transfer = Transfer::new(0, body.len() as u64, &headers, &trailers).unwrap().copying();
                    let mut send = |source: &File| {
                        let mut buffer = vec![0; buffer];
                        loop {
                            match transfer.next_step(&headers, &trailers, buffer.len())? {
                                Step::Done => return Ok(()),
                                step => transfer.perform(&step, fd(sender), fd(source), &mut buffer)?,
                            }
                        }
                    };
                    let owed = body.len() as u64 - 100;
                    assert_eq!(send(&source), Err(Error::Truncated { owed }));
                    source.seek(SeekFrom::End(0)).unwrap();
                    source.write_all(&body[100..]).unwrap();
                    assert_eq!(send(&source), Ok(()));
                });
                assert_eq!(after.waiting, 0, "{connection:?}, buffer {buffer}: {after:?}");
                assert!(after.received == bytes);
            }
        }
    }
}

/// Nothing of TCP's is there (`EOPNOTSUPP`, `ENOTSOCK`), which is no error of the send.
#[test]
fn c18_unix_sockets_and_pipes_have_no_such_options() {
    let (unix, mut unix_end) = UnixStream::pair().unwrap();
    let (pipe_end, pipe) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let mut pipe_end = File::from(pipe_end);
    let outputs: [(BorrowedFd<'_>, &mut dyn Read); 2] = [(fd(&unix), &mut unix_end), (fd(&pipe), &mut pipe_end)];
    for (out, end) in outputs {
        for (headers, file, trailers) in [(200, 500, 100), (200, 500, 0), (0, 500, 100), (200, 0, 100), (200, 0, 0)] {
            for count in [Count::Bytes(file as u64), Count::ToEnd, Count::Bytes(file as u64 + 1)] {
                let response = Response::new(headers, file, trailers).asking(count);
                response.send_to(out);
                let mut received = vec![0; response.bytes().len()];
                end.read_exact(&mut received).unwrap();
                assert!(received == response.bytes(), "{response:?}");
                assert!(!response.steps(out, 100).flush_owed(), "it holds nothing back");
                end.read_exact(&mut received).unwrap();
                assert!(received == response.bytes(), "{response:?}");
            }
        }
    }
}

/// Without the cork each step would be a segment, and from the eleventh on each round trip would admit a few of them.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user cuts TCP_INFO to four bytes")]
fn d8_a_cap_below_a_segment_makes_no_more_segments_than_a_write() {
    for cap in [100, 500, 1459, 20_000] {
        let response = Response::new(200, 8000, 0);
        for count in [response.count, Count::ToEnd] {
            let response = response.asking(count);
            for connection in CONNECTIONS {
                let capped = watch(connection, |sender| steps_and_flush(response, cap, sender));
                assert_eq!(capped, plain(connection, &response.bytes()), "{connection:?}, {count:?}, {cap}");
            }
        }
    }
}

/// C18: between two calls the option is the caller's.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user cuts TCP_INFO to four bytes")]
fn c18_a_cork_that_the_caller_sets_while_the_transfer_waits_stays() {
    let bytes = pattern(8 << 20);
    let (file_part, trailer) = bytes.split_at(bytes.len() - 100);
    let trailers = [IoSlice::new(trailer)];
    let source = file(file_part);
    let (sender, mut receiver) = ethernet();
    sender.set_nonblocking(true).unwrap();
    let mut transfer = Transfer::new(0, file_part.len() as u64, &[], &trailers).unwrap().with_cap(8 << 20);
    let poll = |transfer: &mut Transfer| transfer.poll_send(fd(&sender), fd(&source), &[], &trailers, &mut []).unwrap();
    while poll(&mut transfer) != Status::OutFull {
        assert!(!sockopt::tcp_cork(&sender).unwrap());
    }
    assert!(!sockopt::tcp_cork(&sender).unwrap(), "our cork is left on a full socket");
    sockopt::set_tcp_cork(&sender, true).unwrap();
    let len = bytes.len();
    let reader = std::thread::spawn(move || receive(&mut receiver, len));
    while poll(&mut transfer) != Status::Done {
        assert!(sockopt::tcp_cork(&sender).unwrap(), "the caller's cork is cleared");
    }
    assert!(sockopt::tcp_cork(&sender).unwrap(), "the caller's cork is cleared");
    sockopt::set_tcp_cork(&sender, false).unwrap();
    assert!(reader.join().unwrap() == bytes);
}

/// C21's limit: what an acknowledgement sends between the calls for the headers and for the file leaves without the file.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user cuts TCP_INFO to four bytes")]
fn c21_an_acknowledgement_between_two_calls_sends_the_headers_alone() {
    let bytes = pattern(300);
    let (headers, source) = ([IoSlice::new(&bytes[..200])], file(&bytes[200..]));
    in_time(|| {
        let (sender, mut receiver) = ethernet();
        sockopt::set_tcp_quickack(&receiver, false).unwrap();
        let start = Tick::next();
        (&sender).write_all(EARLIER).unwrap();
        let mut transfer = Transfer::new(0, 100, &headers, &[]).unwrap().with_output(Output::Tcp);
        let step = transfer.next_step(&headers, &[], 0).unwrap();
        assert!(matches!(step, Step::Write { more: true, .. }));
        transfer.perform(&step, fd(&sender), fd(&source), &mut []).unwrap();
        let before = tcp_info(&sender);
        assert_eq!(receive(&mut receiver, EARLIER.len()), EARLIER);
        sockopt::set_tcp_quickack(&receiver, true).unwrap(); // acknowledges what was read
        let after = tcp_info(&sender);
        if !start.is_before_timers() || before.tcpi_unacked == 0 {
            return None; // or it was acknowledged at once
        }
        assert_eq!((before.tcpi_notsent_bytes, after.tcpi_notsent_bytes), (200, 0));
        assert_eq!(segments(&after) - segments(&before), 1);
        transfer.send_all(fd(&sender), fd(&source), &headers, &[], &mut []).unwrap();
        sender.shutdown(Shutdown::Write).unwrap();
        let mut received = Vec::new();
        receiver.read_to_end(&mut received).unwrap();
        assert_eq!(received, bytes);
        Some(())
    });
}
