//! `StreamCopy` between all that cannot seek and all that can be written to. Nothing is lost, by SHA-256.
#![cfg(target_os = "linux")]

mod common;

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bare_sendfile::{Count, Errno, Error, PipeCopy, Status, StreamCopy};
use common::calls::{Call, seen};
use common::faults::{allowlist, catch_signals, interrupt, refuse, refused, seccompiler, thread_id, wait_asleep};
use common::streams::{self, Kind, Tick, deafen, in_time, packets, signalfd, stream, timerfd, unix, unsent, why_not};
use common::{available_bytes, drain, fd, file, in_a_thread, in_child, not_checked, pattern, pipe, receive};
use common::{set_nonblocking, sha256, tcp, unread, wait_readable};

const LEN: usize = 300_000;

fn set_all_nonblocking(files: &[&dyn AsRawFd]) {
    files.iter().for_each(|file| set_nonblocking(&file.as_raw_fd()));
}

#[track_caller]
fn assert_arrived(arrived: &[u8], whole: &[u8]) {
    assert_eq!(arrived.len(), whole.len());
    assert_eq!(sha256(arrived), sha256(whole));
}

/// Feeds `bytes` in pieces of odd lengths, then closes.
fn feed(mut to: File, bytes: &[u8]) -> thread::JoinHandle<()> {
    let bytes = bytes.to_vec();
    thread::spawn(move || {
        for piece in bytes.chunks(7001) {
            to.write_all(piece).unwrap();
        }
    })
}

/// Before Linux 5.1 splice waits for a pipe whatever that pipe's mode is. Here it is the blocking one.
#[test]
fn poll_send_does_not_wait_for_a_pipe() {
    let ((writer, empty), (sender, _receiver)) = (pipe(), stream("unix"));
    thread::spawn(move || {
        thread::sleep(Duration::from_secs(10)); // whoever waits finds the end then, and fails
        drop(writer);
    });
    let mut copy = StreamCopy::new(Count::ToEnd, &mut []);
    assert_eq!(copy.poll_send(fd(&sender), fd(&empty)), Ok(Status::InEmpty));

    let ((mut full, _reader), (mut writer, source)) = (pipe(), pipe());
    rustix::pipe::fcntl_setpipe_size(&full, 4096).unwrap();
    full.write_all(&[0; 4096]).unwrap();
    writer.write_all(b"more").unwrap();
    assert_eq!(copy.poll_send(fd(&full), fd(&source)), Ok(Status::OutFull));
}

#[test]
fn copies_from_every_stream_to_every_stream() {
    let whole = pattern(LEN);
    for from in ["pipe", "unix", "TCP"] {
        for to in ["pipe", "unix", "TCP"] {
            let ((feeder, input), (out, receiver)) = (stream(from), stream(to));
            let (feeder, receiver) = (feed(feeder, &whole), drain(receiver));
            let mut buffer = [0; 4096];
            let mut copy = StreamCopy::new(Count::ToEnd, &mut buffer);
            assert_eq!(copy.send_all(fd(&out), fd(&input)), Ok(()), "{from} to {to}");
            let spliced = if from == "pipe" || to == "pipe" { LEN } else { 0 };
            assert_eq!((copy.sent(), copy.spliced()), (LEN as u64, spliced as u64), "{from} to {to}");
            assert!(copy.remainder().is_empty());
            drop(out);
            assert_arrived(&receiver.join().unwrap(), &whole);
            feeder.join().unwrap();
        }
    }
}

#[test]
fn copies_from_every_stream_to_files() {
    let whole = pattern(LEN);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("appended");
    for from in ["pipe", "unix", "TCP"] {
        for appending in [false, true] {
            let _ = std::fs::remove_file(&path);
            let mut out = match appending {
                false => file(&[]),
                true => File::options().create(true).append(true).read(true).open(&path).unwrap(),
            };
            let (feeder, input) = stream(from);
            let feeder = feed(feeder, &whole);
            let mut buffer = [0; 5000];
            let mut copy = StreamCopy::new(Count::ToEnd, &mut buffer);
            assert_eq!(copy.send_all(fd(&out), fd(&input)), Ok(()), "{from}");
            // splice refuses to append, and what is no pipe.
            let spliced = if from == "pipe" && !appending { LEN } else { 0 };
            assert_eq!((copy.sent(), copy.spliced()), (LEN as u64, spliced as u64), "{from} {appending}");
            let mut arrived = Vec::new();
            out.rewind().unwrap();
            out.read_to_end(&mut arrived).unwrap();
            assert_arrived(&arrived, &whole);
            feeder.join().unwrap();
        }
    }
}

#[test]
fn copies_from_a_terminal() {
    // A hang-up throws away what was not read, so the end is a number.
    let whole = pattern(50_000);
    for to in ["pipe", "unix"] {
        let ((feeder, input), (out, receiver)) = (stream("tty"), stream(to));
        let also_feeder = feeder.try_clone().unwrap();
        let (feeder, receiver) = (feed(feeder, &whole), drain(receiver));
        let mut buffer = [0; 4096];
        let mut copy = StreamCopy::new(Count::Bytes(50_000), &mut buffer);
        assert_eq!(copy.send_all(fd(&out), fd(&input)), Ok(()));
        assert_eq!(copy.sent(), 50_000);
        drop((out, also_feeder));
        assert_arrived(&receiver.join().unwrap(), &whole);
        feeder.join().unwrap();
    }
}

/// Copies `count` bytes to a socket and to a pipe.
fn copies(input: impl Fn() -> File, count: usize) -> [Vec<u8>; 2] {
    ["unix", "pipe"].map(|to| {
        let (input, (out, mut receiver)) = (input(), stream(to));
        let mut buffer = [0; 128];
        let mut copy = StreamCopy::new(Count::Bytes(count as u64), &mut buffer);
        assert_eq!(copy.send_all(fd(&out), fd(&input)), Ok(()));
        assert_eq!((copy.sent(), copy.spliced()), (count as u64, 0)); // splice refuses them
        receive(&mut receiver, count)
    })
}

#[test]
fn copies_from_eventfd_timerfd_and_signalfd() {
    let eventfd = || rustix::event::eventfd(0x0102_0304, rustix::event::EventfdFlags::CLOEXEC).unwrap().into();
    for arrived in copies(eventfd, 8) {
        assert_eq!(arrived, 0x0102_0304_u64.to_ne_bytes());
    }
    for arrived in copies(|| timerfd().unwrap(), 8) {
        assert_eq!(arrived, 1_u64.to_ne_bytes());
    }
    // In a thread of its own, whose mask it changes.
    for arrived in in_a_thread(|| copies(|| signalfd().unwrap(), 128)) {
        // `ssi_signo` is the first field of `struct signalfd_siginfo`.
        assert_eq!(arrived[..4], libc::SIGUSR2.to_ne_bytes());
    }
}

/// Both sides nonblocking: empty at first, then full, then slowly through.
#[test]
fn poll_send_says_which_side_it_waits_for() {
    let whole = pattern(LEN);
    for from in ["pipe", "unix", "TCP", "tty"] {
        for to in ["pipe", "unix", "TCP", "tty"] {
            let ((mut feeder, input), (out, receiver)) = (stream(from), stream(to));
            set_all_nonblocking(&[&feeder, &input, &out]);
            let mut buffer = [0; 4999];
            let mut copy = StreamCopy::new(Count::Bytes(LEN as u64), &mut buffer);
            assert_eq!(copy.poll_send(fd(&out), fd(&input)), Ok(Status::InEmpty), "{from} to {to}");
            let (mut fed, mut arrived, mut reading, mut full) = (0, Vec::new(), false, 0);
            loop {
                while fed < LEN {
                    match feeder.write(&whole[fed..]) {
                        Ok(n) => fed += n,
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                        Err(error) => panic!("{error}"),
                    }
                }
                if reading {
                    arrived.extend(available_bytes(&receiver));
                }
                match copy.poll_send(fd(&out), fd(&input)).unwrap() {
                    Status::Done => break,
                    Status::Yielded => panic!("within the budget"),
                    Status::InEmpty if fed < LEN => {} // there is room for more now
                    Status::InEmpty => wait_readable(&input),
                    Status::OutFull => {
                        full += 1;
                        reading = true; // from now on
                        wait_readable(&receiver);
                    }
                }
            }
            while arrived.len() < LEN {
                wait_readable(&receiver);
                arrived.extend(available_bytes(&receiver));
            }
            assert_eq!(copy.sent(), LEN as u64);
            assert_arrived(&arrived, &whole);
            assert!(full > 0 || to == "TCP", "{from} to {to}");
        }
    }
}

/// Given up when the output is full, every byte is in the output, in the remainder or still in the input. What can be spliced
/// is never read.
#[test]
fn the_remainder_is_what_was_read_and_not_written() {
    for (from, to) in [("unix", "unix"), ("pipe", "unix"), ("unix", "pipe"), ("pipe", "pipe")] {
        let whole = pattern(LEN * 4);
        let ((mut feeder, input), (out, receiver)) = (stream(from), stream(to));
        set_all_nonblocking(&[&feeder, &input, &out]);
        let mut buffer = [0; 4999];
        let mut copy = StreamCopy::new(Count::ToEnd, &mut buffer);
        let mut fed = 0;
        loop {
            fed += feeder.write(&whole[fed..]).unwrap_or(0);
            if copy.poll_send(fd(&out), fd(&input)).unwrap() == Status::OutFull {
                break;
            }
        }
        assert_eq!(copy.remainder().is_empty(), from == "pipe" || to == "pipe", "{from} to {to}");
        // Again and again: it stays.
        let remainder = copy.remainder().to_vec();
        for _ in 0..3 {
            assert_eq!(copy.poll_send(fd(&out), fd(&input)), Ok(Status::OutFull));
            assert_eq!(copy.remainder(), remainder);
        }
        let sent = copy.sent() as usize;
        let mut all = available_bytes(&receiver);
        assert_eq!(all.len(), sent, "{from} to {to}");
        all.extend(remainder);
        all.extend(available_bytes(&input));
        assert_arrived(&all, &whole[..fed]);
    }
}

#[test]
fn stops_exactly_at_the_count_and_goes_on_in_another_copy() {
    let whole = pattern(LEN);
    for (from, to) in [("pipe", "unix"), ("unix", "pipe"), ("unix", "unix")] {
        let ((feeder, input), (out, receiver)) = (stream(from), stream(to));
        let (feeder, receiver) = (feed(feeder, &whole), drain(receiver));
        for count in [0, 1, 6999, 7001, LEN - 3 * 7001] {
            let mut buffer = [0; 1000];
            let mut copy = StreamCopy::new(Count::Bytes(count as u64), &mut buffer);
            for _ in 0..2 {
                assert_eq!(copy.send_all(fd(&out), fd(&input)), Ok(()));
                assert_eq!(copy.sent(), count as u64);
            }
        }
        let mut buffer = [0; 1000];
        let mut copy = StreamCopy::new(Count::Bytes(10_000_000), &mut buffer);
        let rest = 3 * 7001 - 1 - 6999 - 7001;
        let owed = 10_000_000 - rest as u64;
        for _ in 0..2 {
            assert_eq!(copy.send_all(fd(&out), fd(&input)), Err(Error::Truncated { owed }));
            assert_eq!(copy.sent(), rest as u64);
        }
        drop(out);
        assert_arrived(&receiver.join().unwrap(), &whole);
        feeder.join().unwrap();
    }
}

/// As a terminal's, whose user types on after the end of a line of input.
#[test]
fn the_end_stays_the_end() {
    let (mut input, (out, receiver)) = (file(b"before"), stream("unix"));
    let mut buffer = [0; 100];
    let mut copy = StreamCopy::new(Count::ToEnd, &mut buffer);
    for _ in 0..2 {
        assert_eq!(copy.send_all(fd(&out), fd(&input)), Ok(()));
        assert_eq!(copy.sent(), 6);
        input.write_all(b"after").unwrap();
        input.seek_relative(-5).unwrap();
    }
    assert_eq!(available_bytes(&receiver), b"before");
}

#[test]
fn without_a_buffer_what_splice_refuses_is_the_error() {
    let ((mut feeder, input), (out, receiver)) = (stream("unix"), stream("unix"));
    feeder.write_all(b"kept").unwrap();
    let mut copy = StreamCopy::new(Count::ToEnd, &mut []);
    assert_eq!(copy.send_all(fd(&out), fd(&input)), Err(Error::Errno(Errno::EINVAL)));
    assert_eq!(copy.sent(), 0);
    assert_eq!((&*available_bytes(&input), &*available_bytes(&receiver)), (&b"kept"[..], &b""[..]));
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn a_refused_splice_is_replaced_by_the_buffer() {
    for errno in [Errno::ENOSYS, Errno::EPERM, Errno::EINVAL] {
        refused(&[libc::SYS_splice], errno, || {
            let ((mut feeder, input), (out, receiver)) = (stream("pipe"), stream("unix"));
            feeder.write_all(b"some bytes").unwrap();
            drop(feeder);
            let mut copy = StreamCopy::new(Count::ToEnd, &mut []);
            assert_eq!(copy.send_all(fd(&out), fd(&input)), Err(Error::Errno(errno)));
            let mut buffer = [0; 3];
            let mut copy = StreamCopy::new(Count::ToEnd, &mut buffer);
            assert_eq!(copy.send_all(fd(&out), fd(&input)), Ok(()));
            assert_eq!((copy.sent(), copy.spliced()), (10, 0));
            assert_eq!(available_bytes(&receiver), b"some bytes");
        });
    }
}

/// From some call on, with bytes in the input, in the output and in the buffer.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn splice_may_be_refused_in_the_middle() {
    for errno in [Errno::ENOSYS, Errno::EPERM, Errno::EINVAL] {
        thread::spawn(move || refused_in_the_middle(errno)).join().unwrap();
    }
}

/// The filter is the thread's, and stays.
fn refused_in_the_middle(errno: Errno) {
    let whole = pattern(LEN);
    let ((feeder, input), (out, mut receiver)) = (stream("pipe"), stream("unix"));
    set_nonblocking(&out);
    let feeder = feed(feeder, &whole);
    let mut buffer = [0; 4096];
    let mut copy = StreamCopy::new(Count::ToEnd, &mut buffer);
    while copy.poll_send(fd(&out), fd(&input)) == Ok(Status::InEmpty) {}
    assert_eq!(copy.poll_send(fd(&out), fd(&input)), Ok(Status::OutFull));
    let spliced = copy.spliced();
    refuse(&[libc::SYS_splice], errno);
    let mut arrived = Vec::new();
    while copy.poll_send(fd(&out), fd(&input)).unwrap() != Status::Done {
        arrived.extend(available_bytes(&receiver));
    }
    drop(out);
    receiver.read_to_end(&mut arrived).unwrap();
    assert_eq!((copy.sent(), copy.spliced()), (LEN as u64, spliced));
    assert!(spliced > 0 && copy.sent() > spliced);
    assert_arrived(&arrived, &whole);
    feeder.join().unwrap();
}

/// What the input has given up is not lost when nobody reads any more.
#[test]
fn an_error_of_the_output_keeps_the_remainder() {
    let ((mut feeder, input), out) = (stream("unix"), unread(|| stream("unix")));
    feeder.write_all(b"0123456789").unwrap();
    let mut buffer = [0; 4];
    let mut copy = StreamCopy::new(Count::ToEnd, &mut buffer);
    for _ in 0..2 {
        assert_eq!(copy.send_all(fd(&out), fd(&input)), Err(Error::Errno(Errno::EPIPE)));
        assert_eq!((copy.sent(), copy.remainder()), (0, &b"0123"[..]));
    }
    // To another output it goes on where it stopped.
    let (out, receiver) = stream("pipe");
    drop(feeder);
    assert_eq!(copy.send_all(fd(&out), fd(&input)), Ok(()));
    assert_eq!((copy.sent(), available_bytes(&receiver)), (10, b"0123456789".to_vec()));
}

/// Asleep in splice or read on an empty input, and asleep on a full output.
#[test]
fn goes_on_after_eintr() {
    catch_signals();
    let whole = pattern(LEN);
    for (from, to) in [("unix", "unix"), ("pipe", "unix")] {
        let ((feeder, input), (out, receiver)) = (stream(from), stream(to));
        let (tell, sleeper) = mpsc::channel();
        let thread = thread::spawn(move || {
            tell.send(thread_id()).unwrap();
            let mut buffer = [0; 4096];
            let mut copy = StreamCopy::new(Count::ToEnd, &mut buffer);
            (copy.send_all(fd(&out), fd(&input)), copy.sent())
        });
        let sleeper = sleeper.recv().unwrap();
        let interrupt = || {
            for _ in 0..3 {
                wait_asleep(sleeper);
                interrupt(sleeper);
            }
        };
        interrupt();
        let feeder = feed(feeder, &whole);
        interrupt();
        let receiver = drain(receiver);
        assert_eq!(thread.join().unwrap(), (Ok(()), LEN as u64));
        assert_arrived(&receiver.join().unwrap(), &whole);
        feeder.join().unwrap();
    }
}

/// Once is enough: the filter of the second call would end the process.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn a_refused_splice_is_not_tried_again() {
    let filter = allowlist(&[libc::SYS_read, libc::SYS_writev, libc::SYS_exit_group, libc::SYS_exit]);
    let ((mut feeder, input), (out, receiver)) = (stream("unix"), stream("unix"));
    set_nonblocking(&input);
    let mut buffer = [0; 100];
    let mut copy = StreamCopy::new(Count::ToEnd, &mut buffer);
    assert_eq!(copy.poll_send(fd(&out), fd(&input)), Ok(Status::InEmpty));
    feeder.write_all(b"some bytes").unwrap();
    let mut arrived = [0; 100];
    let status = in_child(|| {
        if seccompiler::apply_filter(&filter).is_err() {
            return 2;
        }
        if copy.poll_send(fd(&out), fd(&input)) != Ok(Status::InEmpty) {
            return 3;
        }
        let Ok(len) = rustix::io::read(&receiver, &mut arrived) else { return 4 };
        (arrived[..len] != *b"some bytes").into()
    });
    assert_eq!(status.code(), Some(0), "{status}");
}

/// C22: asked for more than a pipe holds, kernels since 6.5 send its 16th part with `MSG_MORE`. kTLS and SCTP keep such bytes.
#[test]
fn c22_all_of_a_pipe_of_sixteen_parts_arrives_before_the_end() {
    for kind in Kind::ALL {
        if let Some(why) = why_not(kind) {
            not_checked(why);
            continue;
        }
        for (len, nonblocking) in [(61_441, false), (61_540, false), (61_540, true), (50_000, false)] {
            let ((sender, mut receiver), (mut feeder, input)) = (streams::pair(kind).unwrap(), pipe());
            let whole = pattern(len);
            feeder.write_all(&whole).unwrap();
            drop(feeder);
            let reader = thread::spawn(move || receive(&mut receiver, len));
            let mut copy = StreamCopy::new(Count::ToEnd, [0; 4096]);
            if nonblocking {
                set_nonblocking(&sender);
                while copy.poll_send(fd(&sender), fd(&input)).unwrap() != Status::Done {}
            } else {
                copy.send_all(fd(&sender), fd(&input)).unwrap();
            }
            assert_arrived(&reader.join().unwrap(), &whole);
        }
    }
}

/// A FIFO that nobody has opened for writing yet is at its end for read(2), and for poll(2) it is not.
#[test]
fn a_fifo_without_a_writer_is_at_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let input = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&path).unwrap();
    rustix::io::ioctl_fionbio(&input, false).unwrap();
    let (out, _receiver) = stream("unix");
    let mut copy = StreamCopy::new(Count::ToEnd, [0; 100]);
    assert_eq!((copy.send_all(fd(&out), fd(&input)), copy.sent()), (Ok(()), 0));
}

/// The same on every kind of stream: a splice asks for no more than the pipe holds.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn c22_a_splice_asks_for_no_more_than_the_pipe_holds() {
    let ((mut feeder, input), (out, mut receiver)) = (stream("pipe"), stream("TCP"));
    feeder.write_all(&pattern(50_000)).unwrap();
    drop(feeder);
    let mut asked = Vec::new();
    let note = |call: &Call| {
        asked.push(call.arguments[4]);
        None
    };
    let mut copy = StreamCopy::new(Count::ToEnd, []);
    let (outcome, _) = seen(&[libc::SYS_splice], note, || copy.send_all(fd(&out), fd(&input)));
    assert_eq!((outcome, asked[0], asked.last()), (Ok(()), 50_000, Some(&16)));
    assert_arrived(&receive(&mut receiver, 50_000), &pattern(50_000));
}

/// What can move bytes, or wait for them.
const MOVES: &[libc::c_long] = &[libc::SYS_splice, libc::SYS_read, libc::SYS_writev, libc::SYS_ppoll];

/// What a copy can ask the system for.
const CALLS: &[libc::c_long] = &[
    libc::SYS_splice,
    libc::SYS_read,
    libc::SYS_writev,
    libc::SYS_ppoll,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    common::FCNTL,
    libc::SYS_ioctl,
];

fn kernel(_: &Call) -> Option<i64> {
    None
}

/// One urgent byte among others: `before`, `!`, `after`.
fn send_urgent(mut peer: &TcpStream) {
    peer.write_all(b"before").unwrap();
    assert_eq!(rustix::net::send(peer, b"!", rustix::net::SendFlags::OOB), Ok(1));
    peer.write_all(b"after").unwrap();
}

fn set_oobinline(socket: &TcpStream) {
    rustix::net::sockopt::set_socket_oobinline(socket, true).unwrap();
}

/// splice stops at out-of-band data, and says 0 when the peer has shut down behind it.
#[test]
fn d9_out_of_band_data_is_not_the_end() {
    for inline in [false, true] {
        for len in [0, 1, 3, 100] {
            for through_a_pipe in [false, true] {
                let ((input, peer), (out, receiver)) = (tcp(), stream(if through_a_pipe { "unix" } else { "pipe" }));
                if inline {
                    set_oobinline(&input);
                }
                send_urgent(&peer);
                peer.shutdown(std::net::Shutdown::Write).unwrap();
                let sent = if through_a_pipe {
                    let mut copy = PipeCopy::new(Count::ToEnd).unwrap();
                    assert_eq!(copy.send_all(fd(&out), fd(&input)), Ok(()));
                    assert_eq!(copy.remainder(), 0);
                    copy.sent()
                } else {
                    let mut copy = StreamCopy::new(Count::ToEnd, vec![0; len]);
                    assert_eq!(copy.send_all(fd(&out), fd(&input)), Ok(()));
                    copy.sent()
                };
                let arrived: &[u8] = if inline { b"before!after" } else { b"beforeafter" };
                assert_eq!(
                    (available_bytes(&receiver), sent),
                    (arrived.to_vec(), arrived.len() as u64),
                    "{inline} {len}"
                );
            }
        }
    }
}

/// A nonblocking splice says there that it would block, though poll says that there is something: again and again.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn d9_out_of_band_data_does_not_make_a_loop_spin() {
    for len in [0, 100] {
        for through_a_pipe in [false, true] {
            let ((input, peer), (out, receiver)) = (tcp(), stream(if through_a_pipe { "unix" } else { "pipe" }));
            set_all_nonblocking(&[&input, &out]);
            send_urgent(&peer);
            wait_readable(&input);
            let (mut copy, mut piped) =
                (StreamCopy::new(Count::ToEnd, vec![0; len]), PipeCopy::new(Count::ToEnd).unwrap());
            let mut poll = || match through_a_pipe {
                true => piped.poll_send(fd(&out), fd(&input)),
                false => copy.poll_send(fd(&out), fd(&input)),
            };
            let (status, calls) = seen(CALLS, kernel, &mut poll);
            assert_eq!((status, available_bytes(&receiver)), (Ok(Status::InEmpty), b"beforeafter".to_vec()));
            assert!(calls.len() < 30, "{calls:?}");
            // The urgent byte alone is nothing to read.
            assert_eq!(rustix::net::send(&peer, b"!", rustix::net::SendFlags::OOB), Ok(1));
            let (status, calls) = seen(CALLS, kernel, &mut poll);
            assert_eq!((status, available_bytes(&receiver)), (Ok(Status::InEmpty), vec![]));
            assert!(calls.len() < 30, "{calls:?}");
            (&peer).write_all(b"more").unwrap();
            wait_readable(&input);
            let (status, calls) = seen(CALLS, kernel, &mut poll);
            assert_eq!((status, available_bytes(&receiver)), (Ok(Status::InEmpty), b"more".to_vec()));
            assert!(calls.len() < 30, "{calls:?}");
            drop(peer);
            wait_readable(&input);
            assert_eq!(poll(), Ok(Status::Done));
        }
    }
}

fn send_message(socket: &File, bytes: &[u8]) {
    let sent = rustix::net::send(socket, bytes, rustix::net::SendFlags::empty());
    assert_eq!(sent, Ok(bytes.len()));
}

#[test]
fn d9_a_message_of_no_bytes_is_not_the_end() {
    for kind in [libc::SOCK_DGRAM, libc::SOCK_SEQPACKET] {
        for (to, len) in [("pipe", 100), ("pipe", 0), ("unix", 100)] {
            for nonblocking in [false, true] {
                let ((peer, input), (out, receiver)) = (unix(kind), stream(to));
                if nonblocking {
                    set_all_nonblocking(&[&input, &out]);
                }
                for message in [&b"first"[..], b"", b"", b"second", b""] {
                    send_message(&peer, message);
                }
                let mut copy = StreamCopy::new(Count::Bytes(11), vec![0; len]);
                if nonblocking {
                    assert_eq!(copy.poll_send(fd(&out), fd(&input)), Ok(Status::Done), "{kind} {to} {len}");
                } else {
                    assert_eq!(copy.send_all(fd(&out), fd(&input)), Ok(()), "{kind} {to} {len}");
                }
                assert_eq!(available_bytes(&receiver), b"firstsecond");
            }
        }
    }
}

/// When the peer of a socket with connections has gone, and when it is shut down. What comes before an end is not left behind.
#[test]
fn d9_a_socket_of_messages_ends_when_no_message_can_follow() {
    for (to, len) in [("pipe", 100), ("pipe", 0), ("unix", 100)] {
        for nonblocking in [true, false] {
            let ((peer, input), (out, receiver)) = (unix(libc::SOCK_SEQPACKET), stream(to));
            for message in [&b""[..], b"first", b"", b"", b"second"] {
                send_message(&peer, message);
            }
            drop(peer);
            let mut copy = StreamCopy::new(Count::ToEnd, vec![0; len]);
            if nonblocking {
                set_all_nonblocking(&[&input, &out]);
                assert_eq!(copy.poll_send(fd(&out), fd(&input)), Ok(Status::Done), "{to} {len}");
            } else {
                assert_eq!(copy.send_all(fd(&out), fd(&input)), Ok(()), "{to} {len}");
            }
            assert_eq!(available_bytes(&receiver), b"firstsecond", "{to} {len}");
        }
        let ((peer, input), (out, receiver)) = (unix(libc::SOCK_DGRAM), stream(to));
        for message in [&b""[..], b"first"] {
            send_message(&peer, message);
        }
        rustix::net::shutdown(&input, rustix::net::Shutdown::Read).unwrap();
        let mut copy = StreamCopy::new(Count::ToEnd, vec![0; len]);
        assert_eq!(copy.send_all(fd(&out), fd(&input)), Ok(()), "{to} {len}");
        assert_eq!(available_bytes(&receiver), b"first", "{to} {len}");
    }
}

/// The end of what is written to a pipe in packet mode is when nobody writes any more.
#[test]
fn copies_packets_of_a_pipe() {
    for to in ["pipe", "unix"] {
        let (feeder, input) = packets();
        for packet in [&b"first"[..], b"", b"second"] {
            rustix::io::write(&feeder, packet).unwrap();
        }
        drop(feeder);
        let (out, receiver) = stream(to);
        let mut copy = StreamCopy::new(Count::ToEnd, [0; 100]);
        assert_eq!(copy.send_all(fd(&out), fd(&input)), Ok(()));
        assert_eq!(available_bytes(&receiver), b"firstsecond");
    }
}

/// splice also says 0 when the output takes nothing, or when a file of FUSE states too small a size. The read that follows finds that the
/// input has not ended.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn d9_a_splice_of_nothing_is_not_the_end_of_a_pipe_or_file() {
    for (len, from, to) in [(0, "pipe", "unix"), (3, "pipe", "unix"), (0, "file", "pipe"), (3, "file", "pipe")] {
        let (out, receiver) = stream(to);
        let input = if from == "file" {
            file(b"some bytes")
        } else {
            let (mut feeder, input) = stream(from);
            feeder.write_all(b"some bytes").unwrap();
            input
        };
        let mut copy = StreamCopy::new(Count::ToEnd, vec![0; len]);
        let (outcome, _) = seen(&[libc::SYS_splice], |_| Some(0), || copy.send_all(fd(&out), fd(&input)));
        assert_eq!((outcome, copy.sent(), copy.spliced()), (Ok(()), 10, 0));
        assert_eq!(available_bytes(&receiver), b"some bytes");
    }
}

/// Who answers in the kernel's place may claim anything.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn d10_what_a_call_claims_beyond_what_was_asked_is_not_counted() {
    // SAFETY: the call takes nothing.
    let answered = || unsafe { syscalls::raw_syscall!(syscalls::Sysno::getppid) };
    let (answer, _) = seen(&[libc::SYS_getppid], |_| Some(11), answered);
    if answer != 11 {
        return not_checked(format!("where 11 is answered in its place, a call of another library returns {answer}"));
    }
    for claim in [11, 4096, isize::MAX as i64] {
        for call in [libc::SYS_splice, libc::SYS_read, libc::SYS_writev] {
            let ((mut feeder, input), (out, _receiver)) = (stream("unix"), stream("unix"));
            feeder.write_all(b"0123456789").unwrap();
            let mut copy = StreamCopy::new(Count::Bytes(10), [0; 10]);
            let lie = |seen: &Call| (seen.number == call && seen.before == 0).then_some(claim);
            let (outcome, _) = seen(&[call], lie, || copy.send_all(fd(&out), fd(&input)));
            assert_eq!(outcome, Err(Error::Unasked), "{claim} {call}");
            let (sent, held) = if call == libc::SYS_read { (0, 10) } else { (10, 0) };
            assert_eq!((copy.sent(), copy.remainder().len()), (sent, held), "{claim} {call}");
            if call != libc::SYS_read {
                assert_eq!(copy.send_all(fd(&out), fd(&input)), Ok(()), "that was all");
            }
        }
        let ((mut feeder, input), (out, _receiver)) = (stream("unix"), stream("unix"));
        feeder.write_all(b"0123456789").unwrap();
        let mut copy = PipeCopy::new(Count::Bytes(10)).unwrap();
        let lie = |_: &Call| Some(claim);
        let (outcome, _) = seen(&[libc::SYS_splice], lie, || copy.send_all(fd(&out), fd(&input)));
        assert_eq!((outcome, copy.sent(), copy.remainder()), (Err(Error::Unasked), 0, 10));
        let (outcome, _) = seen(&[libc::SYS_splice], lie, || copy.send_all(fd(&out), fd(&input)));
        assert_eq!((outcome, copy.sent(), copy.remainder()), (Err(Error::Unasked), 10, 0));
    }
}

/// In blocking mode there is one look: `EAGAIN` is a timeout's, and a read would wait for another one.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn a_timeout_is_waited_for_once() {
    for through_a_pipe in [false, true] {
        let ((input, _peer), (out, _receiver)) = (tcp(), stream("pipe"));
        input.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let (mut copy, mut piped) = (StreamCopy::new(Count::ToEnd, [0; 100]), PipeCopy::new(Count::ToEnd).unwrap());
        let (outcome, calls) = seen(MOVES, kernel, || match through_a_pipe {
            false => copy.send_all(fd(&out), fd(&input)),
            true => piped.send_all(fd(&out), fd(&input)),
        });
        assert_eq!((outcome, &*calls), (Err(Error::Errno(Errno::EAGAIN)), &[libc::SYS_splice][..]));
    }
    // So it is with a descriptor that is not blocking.
    let ((_feeder, input), (out, _receiver)) = (stream("pipe"), stream("unix"));
    set_nonblocking(&input);
    let mut copy = StreamCopy::new(Count::ToEnd, [0; 100]);
    let (outcome, calls) = seen(MOVES, kernel, || copy.send_all(fd(&out), fd(&input)));
    assert_eq!((outcome, &*calls), (Err(Error::Errno(Errno::EAGAIN)), &[libc::SYS_splice][..]));
}

/// It asks which side would block, and reads nothing for it.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn which_side_would_block_is_asked_and_not_tried() {
    const SPLICE_AND_ASK: &[libc::c_long] = &[libc::SYS_splice, libc::SYS_ppoll];
    for (from, to) in [("pipe", "unix"), ("unix", "pipe"), ("pipe", "pipe"), ("TCP", "pipe")] {
        let ((mut feeder, input), (out, _receiver)) = (stream(from), stream(to));
        set_all_nonblocking(&[&feeder, &input, &out]);
        let mut copy = StreamCopy::new(Count::ToEnd, [0; 100]);
        let polled = seen(MOVES, kernel, || copy.poll_send(fd(&out), fd(&input)));
        assert_eq!(polled, (Ok(Status::InEmpty), SPLICE_AND_ASK.to_vec()), "{from} to {to}");
        // Filled by the copy itself: a full socket of older kernels takes a little more of another kind.
        let mut fed = 0;
        let unread = || rustix::io::ioctl_fionread(&input).unwrap();
        while copy.poll_send(fd(&out), fd(&input)) != Ok(Status::OutFull) || unread() == 0 {
            fed += feeder.write(&[1; 4096]).unwrap_or(0);
        }
        let polled = seen(MOVES, kernel, || copy.poll_send(fd(&out), fd(&input)));
        assert_eq!(polled, (Ok(Status::OutFull), SPLICE_AND_ASK.to_vec()), "{from} to {to}");
        assert!(copy.remainder().is_empty());
        drop(feeder);
        let mut left = Vec::new();
        rustix::io::ioctl_fionbio(&input, false).unwrap();
        (&input).read_to_end(&mut left).unwrap();
        assert_eq!(left.len() + copy.sent() as usize, fed);
    }
    // Where a filter refuses the question, a read tells.
    let ((mut feeder, input), (out, receiver)) = (stream("pipe"), stream("unix"));
    set_all_nonblocking(&[&input, &out]);
    refused(&[libc::SYS_ppoll], Errno::EPERM, || {
        let mut copy = StreamCopy::new(Count::ToEnd, [0; 100]);
        assert_eq!(copy.poll_send(fd(&out), fd(&input)), Ok(Status::InEmpty));
        let mut copy = StreamCopy::new(Count::ToEnd, []);
        assert_eq!(copy.poll_send(fd(&out), fd(&input)), Err(Error::Errno(Errno::EAGAIN)));
        let mut copy = PipeCopy::new(Count::ToEnd).unwrap();
        assert_eq!(copy.poll_send(fd(&out), fd(&input)), Ok(Status::InEmpty));
        feeder.write_all(&[1; 1000]).unwrap();
        assert_eq!(copy.poll_send(fd(&out), fd(&input)), Ok(Status::InEmpty));
        assert_eq!(available_bytes(&receiver), [1; 1000]);
        feeder.write_all(&[1; 1000]).unwrap();
        while copy.poll_send(fd(&out), fd(&input)) != Ok(Status::OutFull) {
            feeder.write_all(&[1; 1000]).unwrap();
        }
        assert_eq!(copy.remainder(), 1000);
    });
}

/// Two copies with a pipe between them, and a reader that is always too slow: with a buffer to fall back on, all is spliced.
#[test]
fn what_can_be_spliced_is() {
    let whole = pattern(LEN * 4);
    let ((feeder, input), (out, receiver), (middle_in, middle_out)) = (stream("TCP"), stream("unix"), pipe());
    set_all_nonblocking(&[&input, &out, &middle_in, &middle_out]);
    let feeder = feed(feeder, &whole);
    let (mut buffer, mut other) = ([0; 16_384], [0; 16_384]);
    let mut fill = StreamCopy::new(Count::Bytes(whole.len() as u64), &mut buffer);
    let mut drain = StreamCopy::new(Count::Bytes(whole.len() as u64), &mut other);
    let (mut arrived, mut some) = (Vec::new(), [0; 5000]);
    loop {
        let filled = fill.poll_send(fd(&middle_in), fd(&input)).unwrap();
        match drain.poll_send(fd(&out), fd(&middle_out)).unwrap() {
            Status::Done => break,
            Status::OutFull => {
                let read = (&receiver).read(&mut some).unwrap();
                arrived.extend(&some[..read]);
            }
            Status::InEmpty if filled == Status::InEmpty => wait_readable(&input),
            Status::InEmpty | Status::Yielded => {}
        }
    }
    arrived.extend(available_bytes(&receiver));
    assert_arrived(&arrived, &whole);
    assert_eq!((fill.spliced(), drain.spliced()), (whole.len() as u64, whole.len() as u64));
    feeder.join().unwrap();
}

/// 2 MiB unless told otherwise; a blocking copy has none.
#[test]
fn d6_one_nonblocking_call_moves_at_most_a_budget() {
    let input = || file(&vec![1; 5 << 20]);
    let null = File::options().write(true).open("/dev/null").unwrap();
    let mut copy = StreamCopy::new(Count::ToEnd, vec![0; 8192]);
    let from = input();
    for (status, sent) in [(Status::Yielded, 2), (Status::Yielded, 4), (Status::Done, 5)] {
        assert_eq!((copy.poll_send(fd(&null), fd(&from)), copy.sent()), (Ok(status), sent << 20));
    }
    let mut copy = StreamCopy::new(Count::ToEnd, vec![0; 8192]).with_budget(1);
    assert_eq!((copy.send_all(fd(&null), fd(&input())), copy.sent()), (Ok(()), 5 << 20));

    // By splice, and less than a call could move. Nothing is left to do when the count is reached with the budget.
    let ((mut feeder, from), (out, _receiver)) = (stream("pipe"), stream("unix"));
    feeder.write_all(&[1; 50_000]).unwrap();
    set_all_nonblocking(&[&from, &out]);
    let mut copy = StreamCopy::new(Count::Bytes(30_000), []).with_budget(10_000);
    for (status, sent) in [(Status::Yielded, 10_000), (Status::Yielded, 20_000), (Status::Done, 30_000)] {
        assert_eq!((copy.poll_send(fd(&out), fd(&from)), copy.sent()), (Ok(status), sent));
    }
    let mut copy = StreamCopy::new(Count::ToEnd, []).with_budget(0);
    assert_eq!((copy.poll_send(fd(&out), fd(&from)), copy.sent()), (Ok(Status::Yielded), 1));
    let mut copy = PipeCopy::new(Count::Bytes(15_000)).unwrap().with_budget(10_000);
    for (status, sent) in [(Status::Yielded, 10_000), (Status::Done, 15_000)] {
        let outcome = copy.poll_send(fd(&out), fd(&from));
        assert_eq!((outcome, copy.sent(), copy.remainder()), (Ok(status), sent, 15_000 - sent));
    }
}

/// The kernel discards what a read of a message leaves, so the budget limits the writes.
#[test]
fn d13_the_budget_cuts_no_message() {
    let whole = pattern(9000);
    for kind in [libc::SOCK_DGRAM, libc::SOCK_SEQPACKET] {
        for budget in [1000, 5000] {
            let start = |to| {
                let ((peer, input), (out, receiver)) = (unix(kind), stream(to));
                for message in whole.chunks(3000) {
                    send_message(&peer, message);
                }
                set_all_nonblocking(&[&input, &out]);
                (peer, input, out, receiver)
            };
            let to_the_end = |poll: &mut dyn FnMut() -> Result<Status, Error>| {
                while poll().unwrap() == Status::Yielded {}
            };
            for (to, len) in [("unix", 4096), ("pipe", 4096), ("pipe", 0)] {
                let (_peer, input, out, receiver) = start(to);
                let mut copy = StreamCopy::new(Count::ToEnd, vec![0; len]).with_budget(budget);
                to_the_end(&mut || copy.poll_send(fd(&out), fd(&input)));
                assert_arrived(&available_bytes(&receiver), &whole);
            }
            let (_peer, input, out, receiver) = start("unix");
            let mut copy = PipeCopy::new(Count::ToEnd).unwrap().with_budget(budget);
            to_the_end(&mut || copy.poll_send(fd(&out), fd(&input)));
            assert_arrived(&available_bytes(&receiver), &whole);
        }
    }
    // A read of fewer than 8 bytes would fail.
    let input = rustix::event::eventfd(5, rustix::event::EventfdFlags::NONBLOCK).unwrap();
    let (out, _receiver) = stream("unix");
    set_nonblocking(&out);
    let mut copy = StreamCopy::new(Count::ToEnd, [0; 8]).with_budget(4097);
    assert_eq!((copy.poll_send(fd(&out), fd(&input)), copy.sent()), (Ok(Status::InEmpty), 8));
}

/// Pieces of a byte, and messages of none, hold a thread no longer.
#[test]
fn d6_the_budget_bounds_the_calls() {
    let (null, from) = (File::options().write(true).open("/dev/null").unwrap(), file(&[1; 2000]));
    let mut copy = StreamCopy::new(Count::ToEnd, [0; 1]);
    assert_eq!((copy.poll_send(fd(&null), fd(&from)), copy.sent()), (Ok(Status::Yielded), 512));
    let (peer, from) = unix(libc::SOCK_SEQPACKET);
    let mut copy = StreamCopy::new(Count::ToEnd, [0; 1]).with_budget(10_000);
    for _ in 0..4 {
        send_message(&peer, b"");
    }
    set_nonblocking(&from);
    assert_eq!(copy.poll_send(fd(&null), fd(&from)), Ok(Status::Yielded));
    assert_eq!(copy.poll_send(fd(&null), fd(&from)), Ok(Status::InEmpty));
}

/// A filter interrupts every call.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn d6_interrupted_calls_count() {
    let ((mut feeder, input), (out, _receiver)) = (stream("unix"), stream("unix"));
    feeder.write_all(b"0123456789").unwrap();
    refused(&[libc::SYS_writev], Errno::EINTR, || {
        let mut copy = StreamCopy::new(Count::ToEnd, [0; 10]);
        assert_eq!(copy.poll_send(fd(&out), fd(&input)), Ok(Status::Yielded));
        assert_eq!((copy.sent(), copy.remainder()), (0, &b"0123456789"[..]));
    });
    refused(&[libc::SYS_splice], Errno::EINTR, || {
        let mut copy = PipeCopy::new(Count::ToEnd).unwrap();
        assert_eq!(copy.poll_send(fd(&out), fd(&input)), Ok(Status::Yielded));
    });
    // Behind out-of-band data there is a byte that has to be written to the pipe.
    let (input, peer) = tcp();
    send_urgent(&peer);
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    refused(&[libc::SYS_writev], Errno::EINTR, || {
        let mut copy = PipeCopy::new(Count::ToEnd).unwrap();
        assert_eq!(copy.poll_send(fd(&out), fd(&input)), Ok(Status::Yielded));
        assert_eq!((copy.sent(), copy.remainder()), (6, 1));
    });
}

/// A connection owns the copy with its buffer, moves, and loses nothing.
#[test]
fn owns_its_buffer() {
    fn check<B: AsRef<[u8]> + AsMut<[u8]> + Send + 'static>(buffer: B) {
        let ((mut feeder, input), (out, receiver)) = (stream("unix"), stream("unix"));
        set_all_nonblocking(&[&input, &out]);
        while let Ok(1..) = (&out).write(&[0; 4096]) {}
        feeder.write_all(b"0123456789").unwrap();
        let mut copy = StreamCopy::new(Count::ToEnd, buffer);
        assert_eq!(copy.poll_send(fd(&out), fd(&input)), Ok(Status::OutFull));
        assert_eq!(copy.remainder(), b"0123");
        let arrived = thread::spawn(move || {
            available_bytes(&receiver);
            let mut moved = Box::new(copy);
            assert_eq!(moved.remainder(), b"0123");
            assert_eq!(moved.poll_send(fd(&out), fd(&input)), Ok(Status::InEmpty));
            available_bytes(&receiver)
        });
        assert_eq!(arrived.join().unwrap(), b"0123456789");
    }
    check([0; 4]);
    check(vec![0; 4]);
    check(vec![0; 4].into_boxed_slice());
    check(Box::leak(vec![0; 4].into_boxed_slice()));
}

/// It panics at no type that changes its mind, and does not claim that it wrote.
#[test]
fn a_buffer_that_changes_its_length_is_an_error() {
    struct Liar([u8; 10], usize);
    impl AsRef<[u8]> for Liar {
        fn as_ref(&self) -> &[u8] {
            &self.0[..self.1]
        }
    }
    impl AsMut<[u8]> for Liar {
        fn as_mut(&mut self) -> &mut [u8] {
            &mut self.0
        }
    }
    for len in [0, 3, 9] {
        let ((mut feeder, input), (out, receiver)) = (stream("unix"), stream("unix"));
        feeder.write_all(b"0123456789").unwrap();
        let mut copy = StreamCopy::new(Count::ToEnd, Liar([0; 10], len));
        for _ in 0..2 {
            assert_eq!(copy.send_all(fd(&out), fd(&input)), Err(Error::Errno(Errno::EFAULT)));
            assert_eq!((copy.sent(), copy.remainder()), (0, &b""[..]));
        }
        assert!(available_bytes(&receiver).is_empty());
    }
}

/// A connection whose sender is deaf to acknowledgements: what waits for one waits, and can be counted.
fn deaf_tcp() -> (TcpStream, TcpStream) {
    let (sender, receiver) = tcp();
    receiver.set_ttl(64).unwrap();
    deafen(&sender, true);
    (sender, receiver)
}

/// Sends what lies in a stream and tells how much of that waits afterwards.
fn left_waiting(from: &str, nonblocking: bool, send: impl Fn(&TcpStream, &File)) -> usize {
    in_time(|| {
        let ((mut feeder, input), (out, _receiver)) = (stream(from), deaf_tcp());
        if nonblocking {
            set_all_nonblocking(&[&input, &out]);
        }
        feeder.write_all(&pattern(1000)).unwrap();
        drop(feeder);
        let start = Tick::next();
        send(&out, &input);
        let waiting = unsent(&out).unwrap();
        let in_time = start.is_before_timers();
        assert!(!rustix::net::sockopt::tcp_nodelay(&out).unwrap());
        in_time.then_some(waiting)
    })
}

/// Short segments one behind the other, Nagle's algorithm on: on every way out nothing waits that one write would not have left.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no IP_MINTTL")]
fn c16_nothing_waits_after_a_copy() {
    for (from, mut buffer) in [("unix", vec![0; 100]), ("unix", vec![0; 300]), ("pipe", vec![])] {
        for (nonblocking, count) in [(false, Count::ToEnd), (false, Count::Bytes(900)), (true, Count::ToEnd)] {
            let waiting = left_waiting(from, nonblocking, |out, input| {
                let mut copy = StreamCopy::new(count, buffer.clone());
                match nonblocking {
                    true => assert_eq!(copy.poll_send(fd(out), fd(input)), Ok(Status::Done)),
                    false => assert_eq!(copy.send_all(fd(out), fd(input)), Ok(())),
                }
            });
            assert_eq!(waiting, 0, "{from} {nonblocking} {count:?}");
        }
        // An error.
        let waiting = left_waiting(from, false, |out, input| {
            let mut copy = StreamCopy::new(Count::Bytes(5000), buffer.clone());
            assert_eq!(copy.send_all(fd(out), fd(input)), Err(Error::Truncated { owed: 4000 }));
        });
        assert_eq!(waiting, 0, "{from}");
        // The budget: what several calls send, one could have sent.
        for budget in [150, 5000] {
            buffer.truncate(100);
            let waiting = left_waiting(from, true, |out, input| {
                let mut copy = StreamCopy::new(Count::Bytes(500), buffer.clone()).with_budget(budget);
                for _ in 0..2 {
                    assert_eq!(copy.poll_send(fd(out), fd(input)).unwrap() == Status::Done, copy.sent() == 500);
                }
            });
            assert_eq!(waiting, 0, "{from} {budget}");
        }
    }
}

/// In one call and in several.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no IP_MINTTL")]
fn c16_nothing_waits_after_a_copy_through_a_pipe() {
    for nonblocking in [false, true] {
        let waiting = left_waiting("unix", nonblocking, |out, input| {
            let mut copy = PipeCopy::new(Count::Bytes(400)).unwrap().with_budget(100);
            match nonblocking {
                true => while copy.poll_send(fd(out), fd(input)) != Ok(Status::Done) {},
                false => assert_eq!(copy.send_all(fd(out), fd(input)), Ok(())),
            }
            let mut copy = PipeCopy::new(Count::ToEnd).unwrap();
            assert_eq!(copy.poll_send(fd(out), fd(input)), Ok(Status::Done));
            assert_eq!(copy.sent(), 600);
        });
        assert_eq!(waiting, 0, "{nonblocking}");
    }
}

/// Copies what a pipe holds, and tells how much of it waits at the call `sleep`, of whose kind so many come before. Then the pipe is closed.
/// `held` answers how much it holds.
fn left_asleep(
    (feeder, input): (File, File),
    out: &TcpStream,
    held: fn(&Call) -> Option<i64>,
    sleep: (libc::c_long, usize),
) -> Option<usize> {
    let (mut feeder, mut waiting, start) = (Some(feeder), None, Tick::next());
    let answer = |call: &Call| {
        if call.number == libc::SYS_ioctl {
            return held(call);
        }
        if (call.number, call.before) == sleep {
            let bytes = unsent(out).unwrap();
            waiting = start.is_before_timers().then_some(bytes);
            feeder = None; // so that it ends
        }
        None
    };
    let mut copy = StreamCopy::new(Count::ToEnd, []);
    let (outcome, _) = seen(&[libc::SYS_ioctl, sleep.0], answer, || copy.send_all(fd(out), fd(&input)));
    assert_eq!(outcome, Ok(()));
    waiting
}

/// The pipe looks empty for a moment, so 16 bytes go out alone. The rest does not wait for their acknowledgement while the copy sleeps.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn c16_nothing_waits_while_a_copy_sleeps() {
    let waiting = in_time(|| {
        let ((mut feeder, input), (out, _receiver)) = (pipe(), deaf_tcp());
        feeder.write_all(&pattern(1000)).unwrap();
        let looks_empty = |call: &Call| (call.before == 0).then_some(0);
        left_asleep((feeder, input), &out, looks_empty, (libc::SYS_ppoll, 0))
    });
    assert_eq!(waiting, 0);
}

/// A filter refuses to say how much the pipe holds. Since Linux 6.5 the last of 16 packets then goes with `MSG_MORE`.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn c22_what_a_cut_splice_leaves_does_not_wait_while_a_copy_sleeps() {
    let waiting = in_time(|| {
        let ((mut feeder, input), (out, _receiver)) = (packets(), tcp());
        for _ in 0..16 {
            feeder.write_all(b"0123456789").unwrap();
        }
        left_asleep((feeder, input), &out, |_| Some(-i64::from(libc::EPERM)), (libc::SYS_splice, 1))
    });
    assert_eq!(waiting, 0);
}

/// A cork that the caller set stays.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no IP_MINTTL")]
fn c18_under_the_callers_cork_nothing_is_flushed() {
    let waiting = in_time(|| {
        let ((mut feeder, input), (out, _receiver)) = (stream("unix"), deaf_tcp());
        rustix::net::sockopt::set_tcp_cork(&out, true).unwrap();
        feeder.write_all(&pattern(300)).unwrap();
        let start = Tick::next();
        let mut copy = StreamCopy::new(Count::Bytes(300), [0; 100]);
        assert_eq!(copy.send_all(fd(&out), fd(&input)), Ok(()));
        let waiting = unsent(&out).unwrap();
        assert!(rustix::net::sockopt::tcp_cork(&out).unwrap());
        start.is_before_timers().then_some(waiting)
    });
    assert_eq!(waiting, 300);
}

/// The options of what is not TCP are asked for once, and those of a full socket never. One write is one plain write.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn c23_a_flush_costs_nothing_where_nothing_waits() {
    let options = |calls: &[libc::c_long]| {
        calls.iter().filter(|&&call| call == libc::SYS_getsockopt || call == libc::SYS_setsockopt).count()
    };
    let ((mut feeder, input), (out, receiver)) = (stream("unix"), stream("unix"));
    set_nonblocking(&input);
    let mut copy = StreamCopy::new(Count::ToEnd, [0; 100]);
    for expected in [1, 0, 0] {
        feeder.write_all(&pattern(300)).unwrap();
        let (status, calls) = seen(CALLS, kernel, || copy.poll_send(fd(&out), fd(&input)));
        assert_eq!((status, options(&calls)), (Ok(Status::InEmpty), expected), "{calls:?}");
        assert!(!calls.contains(&libc::SYS_ppoll) && !calls.contains(&libc::SYS_ioctl), "{calls:?}");
    }
    drop(receiver);

    let ((mut feeder, input), (out, _receiver)) = (stream("unix"), tcp());
    set_all_nonblocking(&[&input, &out]);
    let mut copy = StreamCopy::new(Count::ToEnd, [0; 1000]);
    for _ in 0..3 {
        feeder.write_all(&pattern(1000)).unwrap();
        let (status, calls) = seen(CALLS, kernel, || copy.poll_send(fd(&out), fd(&input)));
        assert_eq!((status, options(&calls)), (Ok(Status::InEmpty), 0), "{calls:?}");
    }
    let (mut feeder, input) = stream("pipe");
    set_all_nonblocking(&[&input, &feeder]);
    let mut copy = StreamCopy::new(Count::ToEnd, []);
    loop {
        while let Ok(1..) = feeder.write(&[0; 4096]) {}
        let (status, calls) = seen(CALLS, kernel, || copy.poll_send(fd(&out), fd(&input)));
        if status == Ok(Status::OutFull) {
            assert_eq!(options(&calls), 0, "{calls:?}");
            break;
        }
    }
}

/// From socket to socket by splice alone.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn a_pipe_of_its_own_makes_socket_to_socket_a_splice() {
    let whole = pattern(LEN);
    for from in ["unix", "TCP"] {
        for to in ["unix", "TCP"] {
            let ((feeder, input), (out, receiver)) = (stream(from), stream(to));
            let (feeder, receiver) = (feed(feeder, &whole), drain(receiver));
            let mut copy = PipeCopy::new(Count::ToEnd).unwrap();
            let copies = [libc::SYS_read, libc::SYS_writev];
            let (outcome, calls) = seen(&copies, kernel, || copy.send_all(fd(&out), fd(&input)));
            assert_eq!((outcome, copy.sent(), copy.remainder()), (Ok(()), LEN as u64, 0), "{from} to {to}");
            assert_eq!(calls, [libc::SYS_read], "the end");
            drop(out);
            assert_arrived(&receiver.join().unwrap(), &whole);
            feeder.join().unwrap();
        }
    }
}

/// Nonblocking, with a count, and a reader that is slow.
#[test]
fn a_pipe_of_its_own_says_which_side_it_waits_for() {
    let whole = pattern(LEN * 2);
    for from in ["unix", "TCP"] {
        for to in ["unix", "TCP", "pipe"] {
            let ((mut feeder, input), (out, receiver)) = (stream(from), stream(to));
            set_all_nonblocking(&[&feeder, &input, &out]);
            let mut copy = PipeCopy::new(Count::Bytes(whole.len() as u64 - 7)).unwrap();
            assert_eq!(copy.poll_send(fd(&out), fd(&input)), Ok(Status::InEmpty), "{from} to {to}");
            let (mut fed, mut arrived, mut some) = (0, Vec::new(), [0; 10_000]);
            loop {
                fed += feeder.write(&whole[fed..]).unwrap_or(0);
                match copy.poll_send(fd(&out), fd(&input)).unwrap() {
                    Status::Done => break,
                    Status::Yielded => panic!("within the budget"),
                    Status::InEmpty if fed < whole.len() => assert_eq!(copy.remainder(), 0),
                    Status::InEmpty => wait_readable(&input),
                    Status::OutFull => {
                        assert!(copy.remainder() > 0);
                        wait_readable(&receiver);
                        let read = (&receiver).read(&mut some).unwrap();
                        arrived.extend(&some[..read]);
                    }
                }
            }
            while arrived.len() < whole.len() - 7 {
                wait_readable(&receiver);
                arrived.extend(available_bytes(&receiver));
            }
            assert_arrived(&arrived, &whole[..whole.len() - 7]);
            assert_eq!((copy.sent(), copy.remainder()), (whole.len() as u64 - 7, 0));
        }
    }
}

/// Given up, every byte is in the output, in the pipe or in the input.
#[test]
fn what_is_in_the_pipe_is_not_lost() {
    let whole = pattern(LEN * 4);
    let ((mut feeder, input), (out, receiver)) = (stream("unix"), stream("unix"));
    set_all_nonblocking(&[&feeder, &input, &out]);
    let mut copy = PipeCopy::new(Count::ToEnd).unwrap();
    assert_eq!(copy.read_remainder(&mut [0; 10]), Ok(0));
    let mut fed = 0;
    loop {
        fed += feeder.write(&whole[fed..]).unwrap_or(0);
        if copy.poll_send(fd(&out), fd(&input)).unwrap() == Status::OutFull {
            break;
        }
    }
    let in_pipe = copy.remainder();
    assert!(in_pipe > 0);
    let mut all = available_bytes(&receiver);
    assert_eq!(all.len() as u64, copy.sent());
    let mut some = [0; 1000];
    assert_eq!(copy.read_remainder(&mut []), Ok(0));
    while copy.remainder() > 0 {
        let read = copy.read_remainder(&mut some).unwrap();
        assert!(read > 0);
        all.extend(&some[..read]);
    }
    assert_eq!((all.len() as u64, copy.read_remainder(&mut some)), (copy.sent() + in_pipe, Ok(0)));
    // It goes on behind what was taken out.
    while copy.poll_send(fd(&out), fd(&input)).unwrap() == Status::OutFull {
        all.extend(available_bytes(&receiver));
    }
    all.extend(available_bytes(&receiver));
    assert_arrived(&all, &whole[..fed]);
}

/// An error of the output, or a count that is not reached, leaves nothing behind uncounted.
#[test]
fn an_error_keeps_what_is_in_the_pipe() {
    let ((mut feeder, input), out) = (stream("unix"), unread(|| stream("unix")));
    feeder.write_all(b"0123456789").unwrap();
    drop(feeder);
    let mut copy = PipeCopy::new(Count::Bytes(20)).unwrap();
    for _ in 0..2 {
        assert_eq!(copy.send_all(fd(&out), fd(&input)), Err(Error::Errno(Errno::EPIPE)));
        assert_eq!((copy.sent(), copy.remainder()), (0, 10));
    }
    let (out, receiver) = stream("unix");
    for _ in 0..2 {
        assert_eq!(copy.send_all(fd(&out), fd(&input)), Err(Error::Truncated { owed: 10 }));
        assert_eq!((copy.sent(), copy.remainder()), (10, 0));
    }
    assert_eq!(available_bytes(&receiver), b"0123456789");
    // What cannot be spliced to is refused, and gets it all in another way.
    let ((mut feeder, input), directory) = (stream("unix"), tempfile::tempdir().unwrap());
    let out = File::options().create(true).append(true).open(directory.path().join("appended")).unwrap();
    feeder.write_all(b"0123456789").unwrap();
    let mut copy = PipeCopy::new(Count::ToEnd).unwrap();
    assert_eq!(copy.send_all(fd(&out), fd(&input)), Err(Error::Errno(Errno::EINVAL)));
    let mut some = [0; 20];
    assert_eq!((copy.read_remainder(&mut some), &some[..10]), (Ok(10), &b"0123456789"[..]));
    assert_eq!((copy.sent(), copy.remainder()), (0, 0));
}

/// A byte behind out-of-band data that cannot be written to the pipe is not lost either.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn a_byte_that_does_not_get_into_the_pipe_is_not_lost() {
    for given_up in [false, true] {
        let ((input, peer), (out, receiver)) = (tcp(), stream("unix"));
        send_urgent(&peer);
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        let mut copy = PipeCopy::new(Count::ToEnd).unwrap();
        refused(&[libc::SYS_writev], Errno::EPERM, || {
            assert_eq!(copy.send_all(fd(&out), fd(&input)), Err(Error::Errno(Errno::EPERM)));
        });
        assert_eq!((copy.sent(), copy.remainder()), (6, 1));
        let mut all = available_bytes(&receiver);
        if given_up {
            let mut some = [0; 20];
            assert_eq!(copy.read_remainder(&mut some), Ok(1));
            all.push(some[0]);
        }
        assert_eq!(copy.send_all(fd(&out), fd(&input)), Ok(()));
        all.extend(available_bytes(&receiver));
        assert_eq!((&*all, copy.remainder()), (&b"beforeafter"[..], 0));
    }
}
