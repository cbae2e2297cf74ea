//! The drivers on real descriptors: what they send, where they stop, and how they go on.
#![cfg(target_os = "linux")]

mod common;

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bare_sendfile::{Count, Errno, Error, FlushOnDrop, IoSlice, Mechanisms, Progress, SfFlags, Status, Step, Transfer};
use common::calls::seen;
use common::faults::{catch_signals, interrupt, limit_file_size, thread_id, wait_asleep};
use common::sent::{send_file, sendfile_hdtr};
use common::streams::tcp_info;
use common::{
    HANGS, Message, available_bytes, copying, drain, fd, fd_of_std, file, in_child, memfd, not_checked, null, pattern,
    pipe, position, receive, set_nonblocking, stopped, tcp, tty, unread, wait_readable, wait_writable,
};

const EAGAIN: Error = Error::Errno(Errno::EAGAIN);

/// The smallest buffers that the kernel gives, so that a little fills them.
fn tiny_buffers(sender: &impl AsRawFd, receiver: &impl AsRawFd) {
    rustix::net::sockopt::set_socket_send_buffer_size(fd_of_std(sender), 1).unwrap();
    rustix::net::sockopt::set_socket_recv_buffer_size(fd_of_std(receiver), 1).unwrap();
}

#[test]
fn send_all_blocks_until_all_is_sent() {
    fn check(sender: impl AsRawFd, receiver: impl Read + Send + 'static) {
        let message = Message::new(70_000, 500_000, 70_000);
        let receiver = drain(receiver);
        let mut transfer = message.transfer();
        assert_eq!(message.send(&mut transfer, &sender, &mut []), Ok(()));
        drop(sender);
        message.assert_all_arrived(&receiver.join().unwrap(), transfer.progress());
        let (sendfile, position) = (message.body().len() as u64, position(&message.file));
        assert_eq!(transfer.mechanisms(), Mechanisms { sendfile, ..Mechanisms::default() });
        assert_eq!(position, 0);
    }
    let (sender, receiver) = tcp();
    check(sender, receiver);
    let (sender, receiver) = UnixStream::pair().unwrap();
    check(sender, receiver);
    let (sender, receiver) = pipe();
    check(sender, receiver);
}

/// A sender that sleeps in a full socket is signalled five times, then its receiver starts to read.
fn interrupted(send: impl Fn(&Message, &UnixStream) -> (Progress, Result<(), Error>) + Sync) -> Result<(), Error> {
    catch_signals();
    let message = Message::new(100, 4 << 20, 100);
    let (sender, receiver) = UnixStream::pair().unwrap();
    let ((progress, outcome), arrived) = thread::scope(|scope| {
        let (tell, sleeper) = mpsc::channel();
        let (message, send) = (&message, &send);
        let thread = scope.spawn(move || {
            tell.send(thread_id()).unwrap();
            send(message, &sender)
        });
        let sleeper = sleeper.recv().unwrap();
        for _ in 0..5 {
            wait_asleep(sleeper);
            interrupt(sleeper);
        }
        let receiver = drain(receiver);
        (thread.join().unwrap(), receiver.join().unwrap())
    });
    message.assert_arrived(&arrived, progress);
    outcome
}

#[test]
fn send_all_goes_on_after_eintr() {
    let outcome = interrupted(|message, sender| {
        let mut transfer = message.transfer();
        let outcome = message.send(&mut transfer, sender, &mut []);
        (transfer.progress(), outcome)
    });
    assert_eq!(outcome, Ok(()));
}

#[test]
fn send_file_goes_on_after_eintr() {
    let outcome = interrupted(|message, sender| {
        let (headers, trailers) = (message.headers(), message.trailers());
        let (out, file) = (fd(sender), fd(&message.file));
        let sent = send_file(out, file, Message::OFFSET, message.count(), &headers, &trailers, &mut []);
        (sent.progress, sent.outcome)
    });
    assert_eq!(outcome, Ok(()));
}

#[test]
fn sendfile_hdtr_stops_at_eintr() {
    let outcome = interrupted(|message, sender| {
        let (headers, trailers) = (message.headers(), message.trailers());
        let (out, file) = (fd(sender), fd(&message.file));
        let sent = sendfile_hdtr(out, file, Message::OFFSET, message.count(), &headers, &trailers, SfFlags::empty());
        (sent.progress, sent.outcome)
    });
    assert_eq!(outcome, Err(Error::Errno(Errno::EINTR)));
}

/// Who performs a step again, or another one than the pending one, sends nothing twice.
#[test]
fn a_step_is_performed_once() {
    let message = Message::new(10, 100, 10);
    let (headers, trailers) = (message.headers(), message.trailers());
    let (sender, receiver) = tcp();
    let mut transfer = message.transfer();
    let perform =
        |transfer: &mut Transfer, step: &Step<'_>| transfer.perform(step, fd(&sender), fd(&message.file), &mut []);
    loop {
        let step = transfer.next_step(&headers, &trailers, 0).unwrap();
        if matches!(step, Step::Done) {
            break;
        }
        // A flush that is asked for takes its place.
        if let Some(flush) = transfer.flush() {
            if !matches!(step, Step::Flush { .. }) {
                assert_eq!(perform(&mut transfer, &step), Err(Error::Unasked), "{step:?}");
            }
            assert_eq!(perform(&mut transfer, &flush), Ok(()));
            continue;
        }
        assert_eq!(perform(&mut transfer, &step), Ok(()));
        assert_eq!(perform(&mut transfer, &step), Err(Error::Unasked), "{step:?}");
    }
    message.assert_all_arrived(&receive(&mut &receiver, message.whole.len()), transfer.progress());
    assert_eq!(available_bytes(&receiver), b"");
}

#[test]
fn send_all_returns_when_so_sndtimeo_has_passed() {
    let message = Message::new(100, 8 << 20, 100);
    let (sender, receiver) = tcp();
    sender.set_write_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut transfer = message.transfer();
    assert_eq!(message.send(&mut transfer, &sender, &mut []), Err(EAGAIN));
    let before = transfer.progress();
    assert!(before.file > 0 && before.trailers == 0, "{before:?}");
    // Again nothing can be sent, and nothing is lost or doubled.
    assert_eq!(message.send(&mut transfer, &sender, &mut []), Err(EAGAIN));
    let receiver = drain(receiver);
    while let Err(error) = message.send(&mut transfer, &sender, &mut []) {
        assert_eq!(error, EAGAIN); // a slow machine
    }
    drop(sender);
    message.assert_all_arrived(&receiver.join().unwrap(), transfer.progress());
}

/// Goes on with `poll_send` whenever the receiver has taken a little; how often the output was full.
fn poll_to_the_end(
    message: &Message,
    (mut transfer, mut buffer): (Transfer, Vec<u8>),
    sender: impl AsRawFd,
    mut receiver: impl Read + AsRawFd,
) -> usize {
    set_nonblocking(&sender);
    let (mut arrived, mut full) = (Vec::new(), 0);
    let mut some = [0; 3001];
    loop {
        match message.poll(&mut transfer, &sender, &mut buffer) {
            Ok(Status::Done) => break,
            Ok(Status::OutFull) => {
                full += 1;
                // All that was sent may have been read, and its acknowledgement be on the way: then there is room without a read.
                if readable_or_writable(&receiver, &sender) {
                    let n = receiver.read(&mut some).unwrap();
                    arrived.extend_from_slice(&some[..n]);
                }
            }
            result => panic!("{result:?}"),
        }
    }
    drop(sender);
    receiver.read_to_end(&mut arrived).unwrap();
    message.assert_all_arrived(&arrived, transfer.progress());
    full
}

/// Waits until there is something to read, which it tells, or room to write.
fn readable_or_writable(receiver: &impl AsRawFd, sender: &impl AsRawFd) -> bool {
    use rustix::event::{PollFd, PollFlags, poll};

    let (receiver, sender) = (fd_of_std(receiver), fd_of_std(sender));
    let mut both = [PollFd::new(&receiver, PollFlags::IN), PollFd::new(&sender, PollFlags::OUT)];
    let ready = poll(&mut both, Some(&HANGS.try_into().unwrap())).unwrap();
    assert!(ready > 0, "nothing comes, and there is no room");
    both[0].revents().contains(PollFlags::IN)
}

#[test]
fn poll_send_serves_a_slow_reader() {
    let message = Message::new(9000, 100_000, 9000);
    let more = Message::new(9000, 400_000, 9000); // than a TCP socket takes in of which nothing is read
    for lent in [0, 5000] {
        let (sender, receiver) = UnixStream::pair().unwrap();
        tiny_buffers(&sender, &receiver);
        assert!(poll_to_the_end(&message, copying(message.transfer(), lent), sender, receiver) > 5);
        let (sender, receiver) = tcp();
        tiny_buffers(&sender, &sender);
        assert!(poll_to_the_end(&more, copying(more.transfer(), lent), sender, receiver) > 0);
        let (sender, receiver) = pipe();
        assert!(poll_to_the_end(&message, copying(message.transfer(), lent), sender, receiver) > 0);
    }
}

/// A full output that is no socket says EAGAIN at once, and a driver gives it to its caller: it neither spins nor waits.
fn full_output_that_is_no_socket(sender: File, receiver: File) {
    let message = Message::new(1000, 300_000, 1000);
    set_nonblocking(&sender);
    for lent in [0, 4096] {
        let (mut transfer, mut buffer) = copying(message.transfer(), lent);
        let mut poll = |transfer: &mut Transfer| message.poll(transfer, &sender, &mut buffer);
        // A terminal hands on what it holds in the background, and has room again once or twice.
        let mut before = Progress::default();
        while transfer.progress() != before || before.total() == 0 {
            before = transfer.progress();
            assert_eq!(poll(&mut transfer), Ok(Status::OutFull));
        }
        assert_eq!((before.headers, before.trailers), (1000, 0));
        let mut arrived = Vec::new();
        while poll(&mut transfer) == Ok(Status::OutFull) {
            wait_readable(&receiver);
            arrived.extend(available_bytes(&receiver));
        }
        while arrived.len() < message.whole.len() {
            wait_readable(&receiver);
            arrived.extend(available_bytes(&receiver));
        }
        message.assert_all_arrived(&arrived, transfer.progress());
    }
}

#[test]
fn a_full_pipe_gives_eagain() {
    let (sender, receiver) = pipe();
    full_output_that_is_no_socket(sender, receiver);
}

#[test]
fn a_full_terminal_gives_eagain() {
    let (terminal, user) = tty();
    full_output_that_is_no_socket(terminal, user);
}

#[test]
fn send_file_reports_what_was_sent_with_the_outcome() {
    let message = Message::new(200, 5000, 100);
    let send = |offset, count: Count| {
        let (sender, receiver) = tcp();
        let (headers, trailers) = (message.headers(), message.trailers());
        let sent = send_file(fd(&sender), fd(&message.file), offset, count, &headers, &trailers, &mut []);
        drop(sender);
        (sent, drain(receiver).join().unwrap())
    };
    let (sent, arrived) = send(Message::OFFSET, Count::Bytes(5000));
    assert_eq!((sent.outcome, sent.total()), (Ok(()), 5300));
    message.assert_all_arrived(&arrived, sent.progress);

    let (sent, arrived) = send(Message::OFFSET + 5000, Count::ToEnd);
    assert_eq!((sent.outcome, sent.total()), (Ok(()), 200 + 500 + 100));
    assert_eq!(arrived, [&message.whole[..200], &[0xdd; 500], &message.whole[5200..]].concat());

    // Truncated: all there is, no trailer.
    let (sent, arrived) = send(Message::OFFSET + 5000, Count::Bytes(501));
    assert_eq!((sent.outcome, sent.total()), (Err(Error::Truncated { owed: 1 }), 700));
    assert_eq!(arrived, [&message.whole[..200], &[0xdd; 500]].concat());

    let (sent, arrived) = send(1 << 63, Count::ToEnd);
    assert_eq!((sent.outcome, sent.total(), arrived.len()), (Err(Error::TooLarge(1 << 63)), 0, 0));
}

/// From the position on, twice, with a full output in between; the position is always behind what was sent.
fn from_position(lent: usize, sender: impl AsRawFd, mut receiver: impl Read) {
    let message = Message::new(1000, 300_000, 1000);
    rustix::fs::seek(&message.file, rustix::fs::SeekFrom::Start(Message::OFFSET)).unwrap();
    let transfer = Transfer::from_position(message.count(), &message.headers(), &message.trailers()).unwrap();
    let (mut transfer, mut buffer) = copying(transfer, lent);
    set_nonblocking(&sender);
    let (mut arrived, mut full) = (Vec::new(), 0);
    loop {
        let status = message.poll(&mut transfer, &sender, &mut buffer);
        assert_eq!(position(&message.file), Message::OFFSET + transfer.progress().file);
        match status.unwrap() {
            Status::Done => break,
            _ => full += 1,
        }
        // Not a multiple of anything, so that writes are short.
        let mut some = [0; 12_345];
        let n = receiver.read(&mut some).unwrap();
        arrived.extend_from_slice(&some[..n]);
    }
    assert!(full > 0, "it was never full");
    drop(sender);
    receiver.read_to_end(&mut arrived).unwrap();
    message.assert_all_arrived(&arrived, transfer.progress());
    assert_eq!(position(&message.file), Message::OFFSET + 300_000);
}

#[test]
fn d5_from_position_advances_the_position_by_what_was_sent() {
    for lent in [0, 7000] {
        let (sender, receiver) = UnixStream::pair().unwrap();
        tiny_buffers(&sender, &receiver);
        from_position(lent, sender, receiver);
        let (sender, receiver) = pipe();
        from_position(lent, sender, receiver);
    }
}

/// What sendfile refuses is the error when no buffer is lent, and nothing has moved; with one it goes through that.
fn refused(input: &File, expected: &[u8], errno: Errno) {
    let header = [IoSlice::new(b"header")];
    let send = |buffer: &mut [u8]| {
        let (sender, receiver) = UnixStream::pair().unwrap();
        let receiver = drain(receiver);
        let sent = send_file(fd(&sender), fd(input), 0, Count::ToEnd, &header, &[], buffer);
        drop(sender);
        (sent, receiver.join().unwrap())
    };
    let (sent, arrived) = send(&mut []);
    assert_eq!(sent.outcome, Err(Error::Errno(errno)));
    assert_eq!(sent.mechanisms, Mechanisms::default());
    assert_eq!((sent.total(), &*arrived), (6, &b"header"[..]));
    for len in [1000, 1 << 20] {
        let (sent, arrived) = send(&mut vec![0; len]);
        assert_eq!(sent.outcome, Ok(()));
        let copy = expected.len() as u64;
        assert_eq!(sent.mechanisms, Mechanisms { copy, refused: Some(errno), ..Mechanisms::default() });
        assert_eq!(arrived, [b"header", expected].concat());
    }
}

/// One file that refuses takes nothing away from the next one.
#[test]
fn e3_a_refusal_concerns_its_transfer_alone() {
    let data = pattern(5000);
    let (sender, receiver) = UnixStream::pair().unwrap();
    let receiver = drain(receiver);
    let mut buffer = [0; 1000];
    let refused = File::open("/proc/self/limits").unwrap();
    let first = send_file(fd(&sender), fd(&refused), 0, Count::ToEnd, &[], &[], &mut buffer);
    assert_eq!((first.outcome, first.mechanisms.sendfile), (Ok(()), 0));
    let second = send_file(fd(&sender), fd(&file(&data)), 0, 5000, &[], &[], &mut buffer);
    assert_eq!((second.outcome, second.mechanisms.sendfile), (Ok(()), 5000));
    drop(sender);
    assert!(receiver.join().unwrap().ends_with(&data));
}

/// Files that the kernel makes up as they are read.
#[test]
fn e1_a_lent_buffer_serves_procfs() {
    for path in ["/proc/self/limits", "/proc/self/environ", "/proc/config.gz"] {
        match fs::read(path) {
            Err(error) if path == "/proc/config.gz" => not_checked(format_args!("{path}: {error}")),
            expected => refused(&File::open(path).unwrap(), &expected.unwrap(), Errno::EINVAL),
        }
    }
}

/// They change whenever a thread starts, so they are those of a process that is stopped.
#[test]
fn e1_a_lent_buffer_serves_proc_pid_maps() {
    stopped(|child| {
        let path = format!("/proc/{child}/maps");
        let expected = fs::read(&path).unwrap();
        refused(&File::open(&path).unwrap(), &expected, Errno::EINVAL);
    });
}

#[test]
fn e1_a_lent_buffer_serves_huge_pages() {
    let flags = rustix::fs::MemfdFlags::CLOEXEC | rustix::fs::MemfdFlags::HUGETLB;
    let huge = match rustix::fs::memfd_create("huge", flags) {
        Ok(huge) => File::from(huge),
        Err(error) => return not_checked(format_args!("no huge pages here: {error}")),
    };
    huge.set_len(2 << 20).unwrap(); // holes need no page
    refused(&huge, &vec![0; 2 << 20], Errno::EINVAL);
}

/// The same of the output `out`, which is the file at `path`.
fn refused_output(out: &File, path: &Path, lent: usize, expected: &[u8]) {
    let (before, input) = (fs::read(path).unwrap(), file(b"0123456789"));
    let send = |buffer: &mut [u8]| send_file(fd(out), fd(&input), 2, 5, &[], &[], buffer);
    let sent = send(&mut []);
    assert_eq!((sent.outcome, sent.total()), (Err(Error::Errno(Errno::EINVAL)), 0));
    assert_eq!(fs::read(path).unwrap(), before);
    let sent = send(&mut vec![0; lent]);
    assert_eq!((sent.outcome, sent.total()), (Ok(()), 5));
    assert_eq!(sent.mechanisms, Mechanisms { copy: 5, refused: Some(Errno::EINVAL), ..Mechanisms::default() });
    assert_eq!(fs::read(path).unwrap(), expected);
}

#[test]
fn e1_a_lent_buffer_serves_an_output_that_appends() {
    let named = tempfile::NamedTempFile::new().unwrap();
    fs::write(&named, b"before ").unwrap();
    let log = OpenOptions::new().append(true).open(&named).unwrap();
    refused_output(&log, named.path(), 3, b"before 23456");
}

#[test]
fn e1_a_lent_buffer_serves_an_output_of_procfs() {
    let path = Path::new("/proc/thread-self/comm");
    let comm = OpenOptions::new().write(true).open(path).unwrap();
    refused_output(&comm, path, 100, b"23456\n"); // one write is the whole name
}

/// What the write refuses as well is a real error, whatever sendfile had said.
#[test]
fn e2_a_lent_buffer_does_not_hide_real_errors() {
    let flags = rustix::fs::MemfdFlags::CLOEXEC | rustix::fs::MemfdFlags::ALLOW_SEALING;
    let sealed = File::from(rustix::fs::memfd_create("sealed", flags).unwrap());
    rustix::fs::fcntl_add_seals(&sealed, rustix::fs::SealFlags::WRITE).unwrap();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let input = file(b"0123456789");
    for (out, sendfile, write) in [(sealed, Errno::EPERM, Errno::EPERM), (full, Errno::EINVAL, Errno::ENOSPC)] {
        let sent = send_file(fd(&out), fd(&input), 0, 10, &[], &[], &mut []);
        assert_eq!((sent.outcome, sent.mechanisms), (Err(Error::Errno(sendfile)), Mechanisms::default()));
        let sent = send_file(fd(&out), fd(&input), 0, 10, &[], &[], &mut [0; 100]);
        assert_eq!(sent.outcome, Err(Error::Errno(write)));
        assert_eq!(sent.mechanisms, Mechanisms { refused: Some(sendfile), ..Mechanisms::default() });
    }
}

/// Errors that are no refusals stay what they are: the buffer is not tried.
#[test]
fn e2_a_lent_buffer_is_not_used_after_real_errors() {
    let input = file(b"0123456789");
    let pipe = unread(pipe);
    let (inet, stream) = (rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM);
    let unconnected = File::from(rustix::net::socket(inet, stream, None).unwrap());
    let read_only = File::open("/dev/null").unwrap();
    for (out, errno) in [(pipe, Errno::EPIPE), (unconnected, Errno::EPIPE), (read_only, Errno::EBADF)] {
        let sent = send_file(fd(&out), fd(&input), 0, 10, &[], &[], &mut [0; 100]);
        assert_eq!((sent.outcome, sent.mechanisms), (Err(Error::Errno(errno)), Mechanisms::default()));
    }
    let (out, _reader) = common::pipe();
    let sent = send_file(fd(&out), fd(&null()), 0, 10, &[], &[], &mut [0; 100]);
    assert_eq!((sent.outcome, sent.mechanisms), (Err(Error::Errno(Errno::EBADF)), Mechanisms::default()));
}

/// B5: the file is overwritten after all was sent and before it is received.
fn overwritten(input: &File, sender: impl AsRawFd, mut receiver: impl Read, lent: usize) -> Vec<u8> {
    const LEN: usize = 10_000;
    input.write_all_at(&[b'a'; LEN], 0).unwrap();
    let (mut transfer, mut buffer) = copying(Transfer::new(0, LEN as u64, &[], &[]).unwrap(), lent);
    transfer.send_all(fd(&sender), fd(input), &[], &[], &mut buffer).unwrap();
    assert_eq!(transfer.progress().file, LEN as u64);
    input.write_all_at(&[b'b'; LEN], 0).unwrap();
    receive(&mut receiver, LEN)
}

#[test]
fn b5_a_copy_is_a_snapshot_and_sendfile_shares_the_pages() {
    for input in [file(&[]), memfd(0)] {
        for (lent, expected) in [(0, b'b'), (3000, b'a')] {
            let (sender, receiver) = UnixStream::pair().unwrap();
            assert!(overwritten(&input, sender, receiver, lent).iter().all(|&byte| byte == expected));
            let (sender, receiver) = tcp();
            assert!(overwritten(&input, sender, receiver, lent).iter().all(|&byte| byte == expected));
        }
    }
}

#[test]
fn copying_needs_a_buffer() {
    let message = Message::new(10, 1000, 10);
    let (sender, receiver) = UnixStream::pair().unwrap();
    let mut transfer = message.transfer().copying();
    assert_eq!(message.send(&mut transfer, &sender, &mut []), Err(Error::NoBuffer));
    assert_eq!(message.send(&mut transfer, &sender, &mut [0; 100]), Ok(()));
    drop(sender);
    message.assert_all_arrived(&drain(receiver).join().unwrap(), transfer.progress());
}

/// The names of the steps that it takes until it is done.
fn steps(message: &Message, transfer: &mut Transfer, out: &impl AsRawFd, buffer: &mut [u8]) -> Vec<String> {
    let (headers, trailers) = (message.headers(), message.trailers());
    let mut names = Vec::new();
    loop {
        let step = transfer.next_step(&headers, &trailers, buffer.len()).unwrap();
        names.push(format!("{step:?}").split([' ', '{']).next().unwrap().to_owned());
        if let Step::Done = step {
            return names;
        }
        transfer.perform(&step, fd(out), fd(&message.file), buffer).unwrap();
    }
}

#[test]
fn a_small_body_goes_out_with_header_and_trailer_in_one_write() {
    let message = Message::new(200, 500, 100);
    let (sender, receiver) = UnixStream::pair().unwrap();
    let mut transfer = message.transfer();
    assert_eq!(steps(&message, &mut transfer, &sender, &mut [0; 800]), ["Identify", "Gather", "Done"]);
    assert_eq!(transfer.mechanisms(), Mechanisms { copy: 500, ..Mechanisms::default() });
    message.assert_all_arrived(&available_bytes(&receiver), transfer.progress());
    // One byte less, and the trailer does not fit; 101 less, and the header has to go first.
    let mut transfer = message.transfer();
    assert_eq!(steps(&message, &mut transfer, &sender, &mut [0; 799]), ["Identify", "Gather", "Write", "Done"]);
    message.assert_all_arrived(&available_bytes(&receiver), transfer.progress());
    let mut transfer = message.transfer();
    assert_eq!(steps(&message, &mut transfer, &sender, &mut [0; 699]), ["Identify", "Write", "Gather", "Done"]);
    message.assert_all_arrived(&available_bytes(&receiver), transfer.progress());
    // No room for the body.
    let mut transfer = message.transfer();
    let names = steps(&message, &mut transfer, &sender, &mut [0; 499]);
    assert!(!names.contains(&"Gather".to_owned()), "{names:?}");
    message.assert_all_arrived(&available_bytes(&receiver), transfer.progress());
    // Not above the threshold.
    let mut transfer = message.transfer().with_small(499);
    let names = steps(&message, &mut transfer, &sender, &mut [0; 800]);
    assert!(!names.contains(&"Gather".to_owned()), "{names:?}");
    message.assert_all_arrived(&available_bytes(&receiver), transfer.progress());
}

/// An output that takes some bytes and then no more, at every byte: a file that may not grow beyond a limit (RLIMIT_FSIZE).
#[test]
fn a_gathered_write_goes_on_from_every_byte() {
    let (message, out) = (Message::new(20, 30, 10), file(&[]));
    let status = in_child(|| {
        // SAFETY: to ignore a signal runs no code.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        let mut buffer = [0; 100];
        for at in 1..60_u8 {
            let (mut transfer, mut arrived) = (message.transfer(), [0; 61]);
            if out.set_len(0).is_err() || rustix::fs::seek(&out, rustix::fs::SeekFrom::Start(0)).is_err() {
                return 2;
            }
            limit_file_size(at.into());
            let result = message.send(&mut transfer, &out, &mut buffer);
            if result != Err(Error::Errno(Errno::EFBIG)) || transfer.progress().total() != u64::from(at) {
                return 3;
            }
            limit_file_size(libc::RLIM_INFINITY);
            let result = message.send(&mut transfer, &out, &mut buffer);
            if result != Ok(()) || transfer.progress() != (Progress { headers: 20, file: 30, trailers: 10 }) {
                return 4;
            }
            if !matches!(out.read_at(&mut arrived, 0), Ok(60)) || arrived[..60] != message.whole {
                return 5;
            }
        }
        0
    });
    assert_eq!(status.code(), Some(0), "{status}");
}

#[test]
fn a_gathered_write_goes_on_in_a_tiny_socket() {
    let message = Message::new(20_000, 80_000, 20_000);
    for small in [80_000, 30_000] {
        let (sender, receiver) = UnixStream::pair().unwrap();
        tiny_buffers(&sender, &receiver);
        let gathering = || (message.transfer().with_small(small), vec![0; 120_000]);
        assert!(poll_to_the_end(&message, gathering(), sender, receiver) > 1);
        let (sender, receiver) = tcp();
        tiny_buffers(&sender, &sender);
        rustix::net::sockopt::set_socket_recv_buffer_size(&receiver, 40_000).unwrap();
        assert!(poll_to_the_end(&message, gathering(), sender, receiver) > 0);
    }
}

#[test]
fn a_gathered_body_that_is_shorter_goes_out_without_the_trailer() {
    for there in [0, 1, 499] {
        let message = Message::new(200, 500, 100);
        message.file.set_len(Message::OFFSET + there).unwrap();
        let (sender, receiver) = UnixStream::pair().unwrap();
        let (mut transfer, mut buffer) = (message.transfer(), [0; 800]);
        let owed = 500 - there;
        for _ in 0..2 {
            assert_eq!(message.send(&mut transfer, &sender, &mut buffer), Err(Error::Truncated { owed }));
            assert_eq!(transfer.progress(), Progress { headers: 200, file: there, trailers: 0 });
        }
        // It can go on when the file has grown.
        let rest = &message.body()[there as usize..];
        message.file.write_all_at(rest, Message::OFFSET + there).unwrap();
        assert_eq!(message.send(&mut transfer, &sender, &mut buffer), Ok(()));
        message.assert_all_arrived(&available_bytes(&receiver), transfer.progress());
    }
}

/// A step that is performed with a smaller buffer than was lent writes nothing.
#[test]
fn a_buffer_that_has_shrunk_is_efault() {
    let message = Message::new(200, 500, 100);
    let (headers, trailers) = (message.headers(), message.trailers());
    let (sender, receiver) = UnixStream::pair().unwrap();
    for len in [0, 1, 66, 67, 100, 199, 200, 699, 799] {
        for mut transfer in [message.transfer(), message.transfer().copying().with_small(0)] {
            loop {
                let step = transfer.next_step(&headers, &trailers, 800).unwrap();
                let result = transfer.perform(&step, fd(&sender), fd(&message.file), &mut vec![0; len]);
                match step {
                    Step::Gather { .. } => break assert_eq!(result, Err(Errno::EFAULT.into()), "{len}"),
                    Step::Copy { .. } => break assert_eq!(result.is_err(), len < 500, "{len}"),
                    _ => result.unwrap(),
                }
                assert_eq!(transfer.progress().headers as usize, available_bytes(&receiver).len());
            }
        }
        available_bytes(&receiver);
    }
}

/// A header that says "more follows" would wait 200 ms for the body that does not come.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user knows no TCP_INFO")]
fn a_guard_flushes_when_it_is_dropped() {
    let message = Message::new(200, 500, 100);
    let (headers, trailers) = (message.headers(), message.trailers());
    let (sender, mut receiver) = tcp();
    let mut guard = FlushOnDrop::new(message.transfer(), fd(&sender));
    while guard.progress().headers == 0 {
        let step = guard.next_step(&headers, &trailers, 0).unwrap();
        guard.perform(&step, fd(&message.file), &mut []).unwrap();
    }
    assert!(guard.flush_owed());
    drop(guard);
    assert_eq!(tcp_info(&sender).tcpi_data_segs_out, 1);
    assert_eq!(receive(&mut receiver, 200), message.whole[..200]);
}

/// Whatever stops a driver, the header that was sent in the hope of more does not wait for it.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user knows no TCP_INFO")]
fn a_driver_flushes_when_it_stops() {
    let message = Message::new(200, 500, 100);
    let directory = File::open("/").unwrap(); // refuses sendfile and read
    message.file.set_len(Message::OFFSET).unwrap();
    let (headers, trailers) = (message.headers(), message.trailers());
    for (input, outcome) in [(&message.file, Error::Truncated { owed: 500 }), (&directory, Error::Errno(Errno::EINVAL))]
    {
        let (sender, mut receiver) = tcp();
        let mut transfer = message.transfer();
        assert_eq!(transfer.send_all(fd(&sender), fd(input), &headers, &trailers, &mut []), Err(outcome));
        assert_eq!((transfer.flush_owed(), tcp_info(&sender).tcpi_data_segs_out), (false, 1));
        assert_eq!(receive(&mut receiver, 200), message.whole[..200]);
    }
}

/// One step a turn, for fairness, and a flush at the end of each turn.
#[test]
fn a_flush_after_every_step_comes_to_the_end() {
    let message = Message::new(200, 500, 100);
    message.file.set_len(Message::OFFSET + 500).unwrap();
    let (headers, trailers) = (message.headers(), message.trailers());
    for count in [message.count(), Count::ToEnd] {
        let (sender, mut receiver) = tcp();
        let mut transfer = Transfer::new(Message::OFFSET, count, &headers, &trailers).unwrap().with_cap(100);
        let mut turns = 0;
        while transfer.progress().total() < 800 {
            let step = transfer.next_step(&headers, &trailers, 0).unwrap();
            transfer.perform(&step, fd(&sender), fd(&message.file), &mut []).unwrap();
            if let Some(step) = transfer.flush() {
                transfer.perform(&step, fd(&sender), fd(&message.file), &mut []).unwrap();
            }
            turns += 1;
            assert!(turns < 100, "{transfer:?}");
        }
        message.assert_all_arrived(&receive(&mut receiver, 800), transfer.progress());
    }
}

#[test]
fn a_guard_takes_its_cork_out() {
    let message = Message::new(200, 500, 100);
    let (headers, trailers) = (message.headers(), message.trailers());
    let (sender, mut receiver) = tcp();
    let corked = || rustix::net::sockopt::tcp_cork(&sender).unwrap();
    let mut guard = FlushOnDrop::new(message.transfer(), fd(&sender));
    while guard.progress().file == 0 {
        let step = guard.next_step(&headers, &trailers, 0).unwrap();
        guard.perform(&step, fd(&message.file), &mut []).unwrap();
    }
    assert!(corked());
    drop(guard);
    assert!(!corked());
    assert_eq!(receive(&mut receiver, 700), message.whole[..700]);
}

/// A cork is for the step before the trailers. What the budget cuts is not that step.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn c15_a_step_that_the_budget_cuts_sets_no_cork() {
    let (sender, _receiver) = tcp();
    set_nonblocking(&sender);
    let message = Message::new(0, 40_000, 10);
    let mut transfer = message.transfer().with_budget(10_000);
    let (status, options) = seen(&[libc::SYS_setsockopt], |_| None, || message.poll(&mut transfer, &sender, &mut []));
    assert_eq!((status, transfer.progress().total(), options.len()), (Ok(Status::Yielded), 10_000, 0));
}

/// D6: with a reader that is as fast as the sender.
#[test]
fn d6_a_call_of_poll_send_moves_its_budget_at_the_most() {
    let message = Message::new(100_000, 20 << 20, 100_000);
    for budget in [None, Some(70_000), Some(1 << 20)] {
        for lent in [0, 64 << 10] {
            let (sender, receiver) = tcp();
            let receiver = drain(receiver);
            set_nonblocking(&sender);
            let (mut transfer, mut buffer) = copying(message.transfer().with_cap(usize::MAX), lent);
            if let Some(budget) = budget {
                transfer = transfer.with_budget(budget);
            }
            let most = budget.unwrap_or(Transfer::DEFAULT_BUDGET) as u64;
            let mut yielded = 0;
            loop {
                let before = transfer.progress().total();
                let status = message.poll(&mut transfer, &sender, &mut buffer).unwrap();
                let moved = transfer.progress().total() - before;
                assert!(moved <= most, "{moved} of {most}");
                match status {
                    Status::Done => break,
                    Status::Yielded => {
                        assert_eq!(moved, most, "a budget that is not used up");
                        yielded += 1;
                    }
                    Status::OutFull => wait_writable(&sender),
                    Status::InEmpty => panic!("a file is always ready"),
                }
            }
            assert!(yielded > 0);
            drop(sender);
            message.assert_all_arrived(&receiver.join().unwrap(), transfer.progress());
        }
    }
    // None at all would come to no end.
    let (sender, _receiver) = tcp();
    let mut transfer = message.transfer().with_budget(0);
    let status = message.poll(&mut transfer, &sender, &mut []);
    assert_eq!((status, transfer.progress().total()), (Ok(Status::Yielded), 1));
}

/// D12: sendfile refuses the range, and so does a read of it.
#[test]
fn d12_a_lent_buffer_serves_a_file_opened_with_o_direct() {
    let data = pattern(100_000);
    let named = tempfile::NamedTempFile::new().unwrap();
    fs::write(&named, &data).unwrap();
    let direct = File::options().read(true).custom_flags(libc::O_DIRECT).open(&named);
    let Ok(direct) = direct else { return not_checked("a file system that has O_DIRECT") };
    for (offset, count) in [(0, Count::ToEnd), (1, Count::ToEnd), (511, Count::Bytes(3)), (4097, Count::Bytes(50_000))]
    {
        for len in [8192 + 4095, 64 << 10] {
            let (sender, receiver) = UnixStream::pair().unwrap();
            let receiver = drain(receiver);
            let header = [IoSlice::new(b"header")];
            let sent = send_file(fd(&sender), fd(&direct), offset, count, &header, &[], &mut vec![0; len]);
            assert_eq!(sent.outcome, Ok(()), "{offset} {count:?} {len}");
            drop(sender);
            let end = match count {
                Count::Bytes(count) => offset + count,
                Count::ToEnd => data.len() as u64,
            };
            let expected = [b"header", &data[offset as usize..end as usize]].concat();
            assert!(receiver.join().unwrap() == expected, "{offset} {count:?} {len}");
        }
    }
}

/// D12: nothing is there to read, and the output has room.
#[test]
#[cfg_attr(qemu_user, ignore = "the messages of the kernel are the host's")]
fn d12_eagain_of_the_input_is_not_the_outputs() {
    let kmsg = File::options().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg");
    let Ok(mut kmsg) = kmsg else { return not_checked("a kernel's log that may be read") };
    kmsg.seek(SeekFrom::End(0)).unwrap();
    let (sender, _receiver) = UnixStream::pair().unwrap();
    set_nonblocking(&sender);
    let mut transfer = Transfer::new(0, Count::ToEnd, &[], &[]).unwrap();
    let status = transfer.poll_send(fd(&sender), fd(&kmsg), &[], &[], &mut [0; 8192]);
    assert_eq!(status, Ok(Status::InEmpty));
}

/// D6: and it makes no more than so many calls, however little each may move.
#[test]
fn d6_a_call_of_poll_send_takes_a_bounded_number_of_steps() {
    let message = Message::new(0, 100_000, 0);
    let mut transfer = message.transfer().with_cap(1);
    let status = message.poll(&mut transfer, &null(), &mut []);
    assert_eq!(status, Ok(Status::Yielded));
    assert!((1..1000).contains(&transfer.progress().total()));
}
