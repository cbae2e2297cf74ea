//! `StreamCopy` between all that cannot seek and all that can be written to. Nothing is lost, by SHA-256.
#![cfg(target_os = "linux")]

mod common;

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bare_sendfile::{Count, Errno, Error, Status, StreamCopy};
use common::faults::{allowlist, catch_signals, interrupt, refuse, refused, thread_id, wait_asleep};
use common::{available_bytes, drain, fd, file, in_child, pattern, pipe, receive, set_nonblocking, sha256, tcp, tty};
use common::{unread, wait_readable};

const LEN: usize = 300_000;

/// A stream: what is written to the one can be read from the other.
fn stream(kind: &str) -> (File, File) {
    match kind {
        "pipe" => pipe(),
        "unix" => {
            let (a, b) = UnixStream::pair().unwrap();
            (OwnedFd::from(a).into(), OwnedFd::from(b).into())
        }
        "tcp" => {
            let (a, b): (TcpStream, TcpStream) = tcp();
            (OwnedFd::from(a).into(), OwnedFd::from(b).into())
        }
        "tty" => {
            let (terminal, user) = tty();
            (user, terminal)
        }
        _ => panic!("{kind}"),
    }
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
    let ((writer, empty), (sender, _receiver)) = (pipe(), UnixStream::pair().unwrap());
    thread::spawn(move || {
        thread::sleep(Duration::from_secs(10)); // whoever waits finds the end then, and fails
        drop(writer);
    });
    let mut copy = StreamCopy::new(Count::ToEnd, &mut []);
    assert_eq!(copy.poll_send(fd(&sender), fd(&empty)), Err(Error::Errno(Errno::EAGAIN)));

    let ((mut full, _reader), (mut writer, source)) = (pipe(), pipe());
    rustix::pipe::fcntl_setpipe_size(&full, 4096).unwrap();
    full.write_all(&[0; 4096]).unwrap();
    writer.write_all(b"more").unwrap();
    assert_eq!(copy.poll_send(fd(&full), fd(&source)), Err(Error::Errno(Errno::EAGAIN)));
}

#[test]
fn copies_from_every_stream_to_every_stream() {
    let whole = pattern(LEN);
    for from in ["pipe", "unix", "tcp"] {
        for to in ["pipe", "unix", "tcp"] {
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
    for from in ["pipe", "unix", "tcp"] {
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
fn copies(input: impl Fn() -> OwnedFd, count: usize) -> [Vec<u8>; 2] {
    ["unix", "pipe"].map(|to| {
        let (input, (out, mut receiver)) = (input(), stream(to));
        let mut buffer = [0; 128];
        let mut copy = StreamCopy::new(Count::Bytes(count as u64), &mut buffer);
        assert_eq!(copy.send_all(fd(&out), fd(&input)), Ok(()));
        assert_eq!((copy.sent(), copy.spliced()), (count as u64, 0)); // splice refuses them
        receive(&mut receiver, count)
    })
}

/// What a system call that makes a descriptor returned.
fn owned(number: libc::c_int) -> OwnedFd {
    use std::os::fd::FromRawFd;
    assert!(number >= 0, "{}", io::Error::last_os_error());
    // SAFETY: the kernel has just opened it, and nobody else knows it.
    unsafe { OwnedFd::from_raw_fd(number) }
}

#[test]
fn copies_from_an_eventfd() {
    let input = || rustix::event::eventfd(0x0102_0304, rustix::event::EventfdFlags::CLOEXEC).unwrap();
    for arrived in copies(input, 8) {
        assert_eq!(arrived, 0x0102_0304_u64.to_ne_bytes());
    }
}

#[test]
fn copies_from_a_timerfd() {
    let input = || {
        // SAFETY: it touches no memory of this process.
        let timer = owned(unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC) });
        let once = libc::itimerspec {
            it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: libc::timespec { tv_sec: 0, tv_nsec: 1 },
        };
        // SAFETY: it only reads `once`, and the old value is not asked for.
        let result = unsafe { libc::timerfd_settime(timer.as_raw_fd(), 0, &once, std::ptr::null_mut()) };
        assert_eq!(result, 0);
        timer
    };
    for arrived in copies(input, 8) {
        assert_eq!(arrived, 1_u64.to_ne_bytes());
    }
}

#[test]
fn copies_from_a_signalfd() {
    // In a thread of its own, whose mask it changes.
    let thread = thread::spawn(|| {
        let mut set = std::mem::MaybeUninit::uninit();
        // SAFETY: sigemptyset initialises the set, the others read it; they touch nothing else.
        let set = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), libc::SIGUSR2);
            assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()), 0);
            set.assume_init()
        };
        let input = || {
            // SAFETY: it goes to this thread, which has blocked it.
            unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGUSR2) };
            // SAFETY: it only reads the set.
            owned(unsafe { libc::signalfd(-1, &set, libc::SFD_CLOEXEC) })
        };
        for arrived in copies(input, 128) {
            // `ssi_signo` is the first field of `struct signalfd_siginfo`.
            assert_eq!(arrived[..4], libc::SIGUSR2.to_ne_bytes());
        }
    });
    thread.join().unwrap();
}

/// Both sides nonblocking: empty at first, then full, then slowly through.
#[test]
fn poll_send_says_which_side_it_waits_for() {
    let whole = pattern(LEN);
    for from in ["pipe", "unix", "tcp", "tty"] {
        for to in ["pipe", "unix", "tcp", "tty"] {
            let ((mut feeder, input), (out, receiver)) = (stream(from), stream(to));
            for file in [&feeder, &input, &out] {
                set_nonblocking(file);
            }
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
                    Status::InEmpty if fed < LEN => {} // there is room for more now
                    Status::InEmpty => wait_readable(&input),
                    Status::Yielded | Status::OutFull => {
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
            assert!(full > 0 || to == "tcp", "{from} to {to}");
        }
    }
}

/// Given up when the output is full, every byte is in the output, in the remainder or still in the input.
#[test]
fn the_remainder_is_what_was_read_and_not_written() {
    for (from, to) in [("unix", "unix"), ("pipe", "unix"), ("unix", "pipe"), ("pipe", "pipe")] {
        let whole = pattern(LEN * 2);
        let ((mut feeder, input), (out, receiver)) = (stream(from), stream(to));
        for file in [&feeder, &input, &out] {
            set_nonblocking(file);
        }
        let mut buffer = [0; 4999];
        let mut copy = StreamCopy::new(Count::ToEnd, &mut buffer);
        let mut fed = 0;
        while copy.remainder().is_empty() {
            fed += feeder.write(&whole[fed..]).unwrap_or(0);
            while copy.poll_send(fd(&out), fd(&input)).unwrap() == Status::InEmpty && copy.remainder().is_empty() {
                fed += feeder.write(&whole[fed..]).unwrap();
            }
        }
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
    // Neither does it know which side would block.
    let ((_feeder, input), (out, _receiver)) = (stream("pipe"), stream("pipe"));
    set_nonblocking(&input);
    assert_eq!(copy.poll_send(fd(&out), fd(&input)), Err(Error::Errno(Errno::EAGAIN)));
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

/// Any other system call than the documented ones ends the process with SIGSYS.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn the_system_calls_are_those_that_the_documentation_lists() {
    let filter = allowlist(&[libc::SYS_splice, libc::SYS_read, libc::SYS_writev, libc::SYS_exit_group, libc::SYS_exit]);
    for (from, to) in [("pipe", "unix"), ("unix", "unix")] {
        let ((mut feeder, input), (out, receiver)) = (stream(from), stream(to));
        feeder.write_all(&pattern(10_000)).unwrap();
        drop(feeder);
        let mut buffer = [0; 3000];
        let (whole, mut arrived, mut len) = (pattern(10_000), vec![0; 10_001], 0);
        let status = in_child(|| {
            if seccompiler::apply_filter(&filter).is_err() {
                return 2;
            }
            if StreamCopy::new(Count::ToEnd, &mut buffer).send_all(fd(&out), fd(&input)).is_err() {
                return 3;
            }
            while len < whole.len() {
                match rustix::io::read(&receiver, &mut arrived[len..]) {
                    Ok(some @ 1..) => len += some,
                    _ => return 4,
                }
            }
            (arrived[..len] != whole).into()
        });
        assert_eq!(status.code(), Some(0), "{status}");
    }
}
