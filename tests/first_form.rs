//! The first form on real files, sockets and pipes: B of docs/semantics.md, and the table of errors of `sendfile`.
#![cfg(target_os = "linux")]

mod common;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::thread;
use std::time::{Duration, Instant};

use bare_sendfile::{Errno, sendfile, sendfile_raw};
use common::faults::interrupt_until_finished;
use common::streams::{unacknowledged, unix};
use common::{
    HANGS, REFUSED, contents, fd, file, in_child, linux, memfd, narrow_tcp, null, pattern, position, receive,
    set_nonblocking, undisturbed, unread, wait_ready, zeros,
};
use rustix::event::PollFlags;
use rustix::fs::OFlags;

fn read_only() -> File {
    File::open("/dev/null").unwrap()
}

fn append_only() -> File {
    let path = tempfile::NamedTempFile::new().unwrap();
    OpenOptions::new().append(true).open(path.path()).unwrap()
}

#[test]
fn b1_without_offset_the_position_is_read_and_advanced() {
    let bytes = pattern(1000);
    let mut source = file(&bytes);
    let (sender, mut receiver) = UnixStream::pair().unwrap();
    source.seek(SeekFrom::Start(100)).unwrap();
    assert_eq!(sendfile(fd(&sender), fd(&source), None, 50), Ok(50));
    assert_eq!(position(&source), 150);
    assert_eq!(sendfile(fd(&sender), fd(&source), None, 5000), Ok(850), "short at the end");
    assert_eq!(position(&source), 1000);
    assert_eq!(sendfile(fd(&sender), fd(&source), None, 1), Ok(0), "the end");
    assert_eq!(position(&source), 1000);
    assert_eq!(receive(&mut receiver, 900), bytes[100..]);
}

#[test]
fn b1_on_an_error_the_position_is_unchanged() {
    let mut source = memfd(10);
    source.seek(SeekFrom::Start(3)).unwrap();
    let closed = unread(common::pipe);
    assert_eq!(sendfile(fd(&closed), fd(&source), None, 5), Err(Errno::EPIPE));
    assert_eq!(sendfile(fd(&append_only()), fd(&source), None, 5), Err(Errno::EINVAL));
    assert_eq!(sendfile(fd(&read_only()), fd(&source), None, 5), Err(Errno::EBADF));
    assert_eq!(position(&source), 3);
}

#[test]
fn b2_with_offset_the_position_is_untouched() {
    let bytes = pattern(1000);
    let mut source = file(&bytes);
    let (sender, mut receiver) = UnixStream::pair().unwrap();
    source.seek(SeekFrom::Start(7)).unwrap();
    let mut offset = 100;
    assert_eq!(sendfile(fd(&sender), fd(&source), Some(&mut offset), 50), Ok(50));
    assert_eq!(offset, 150);
    assert_eq!(sendfile(fd(&sender), fd(&source), Some(&mut offset), 5000), Ok(850), "short at the end");
    assert_eq!(offset, 1000);
    assert_eq!(sendfile(fd(&sender), fd(&source), Some(&mut offset), 1), Ok(0), "the end");
    assert_eq!(offset, 1000);
    assert_eq!(position(&source), 7);
    assert_eq!(receive(&mut receiver, 900), bytes[100..]);
}

#[test]
fn b2_on_an_error_the_offset_is_unchanged() {
    let source = memfd(10);
    let mut offset = 3;
    assert_eq!(sendfile(fd(&append_only()), fd(&source), Some(&mut offset), 5), Err(Errno::EINVAL));
    assert_eq!(sendfile(fd(&read_only()), fd(&source), Some(&mut offset), 5), Err(Errno::EBADF));
    assert_eq!(offset, 3);
}

#[test]
fn b3_a_file_is_written_at_its_position() {
    let source = file(b"0123456789");
    let mut target = file(b"abcdefghij");
    target.seek(SeekFrom::Start(2)).unwrap();
    assert_eq!(sendfile(fd(&target), fd(&source), Some(&mut 4), 3), Ok(3));
    assert_eq!(position(&target), 5);
    assert_eq!(sendfile(fd(&target), fd(&source), None, 1), Ok(1));
    assert_eq!(position(&target), 6);
    assert_eq!(contents(&target), b"ab4560ghij");
}

#[test]
fn b3_a_file_grows_past_its_end() {
    let source = file(b"0123456789");
    let mut target = file(b"ab");
    target.seek(SeekFrom::Start(4)).unwrap();
    assert_eq!(sendfile(fd(&target), fd(&source), None, 100), Ok(10));
    assert_eq!(contents(&target), b"ab\0\x000123456789");
}

#[test]
fn b4_a_blocking_pipe_takes_its_free_slots_at_most() {
    let source = file(&pattern(100_000));
    let (mut reader, writer) = io::pipe().unwrap();
    let capacity = rustix::pipe::fcntl_getpipe_size(&writer).unwrap();
    assert_eq!(capacity, 65_536, "the default");
    if linux() < (5, 12) {
        // A pipe was written through another pipe, and waited for.
        let thread = thread::spawn(move || sendfile(fd(&writer), fd(&source), None, 100_000));
        receive(&mut reader, 100_000);
        assert_eq!(thread.join().unwrap(), Ok(100_000));
        return;
    }
    let mut offset = 0;
    assert_eq!(sendfile(fd(&writer), fd(&source), Some(&mut offset), 100_000), Ok(capacity));
    assert_eq!(offset, capacity as u64);
    receive(&mut reader, capacity / 2);
    assert_eq!(sendfile(fd(&writer), fd(&source), Some(&mut offset), 100_000), Ok(capacity / 2));
    receive(&mut reader, capacity);
    assert_eq!(sendfile(fd(&writer), fd(&source), Some(&mut offset), 100_000), Ok(100_000 - capacity / 2 * 3));
}

/// The sizes of the messages that 100 000 bytes become. The receiver takes them out meanwhile.
fn messages(sender: impl AsRawFd + Send + 'static, receive: impl Fn(&mut [u8]) -> usize) -> Vec<usize> {
    let bytes = pattern(100_000);
    let source = file(&bytes);
    let thread = thread::spawn(move || sendfile(fd(&sender), fd(&source), None, 100_000));
    let (mut sizes, mut all) = (Vec::new(), Vec::new());
    while all.len() < 100_000 {
        let mut message = vec![0; 200_000];
        let len = receive(&mut message);
        sizes.push(len);
        all.extend_from_slice(&message[..len]);
    }
    assert_eq!(thread.join().unwrap(), Ok(100_000));
    assert_eq!(all, bytes);
    sizes
}

/// Before Linux 6.5 each page was a message of its own.
fn split(sizes: &[usize]) {
    assert!(sizes == [65_536, 34_464] || sizes == [&[4096; 24][..], &[1696]].concat(), "{sizes:?}");
}

#[test]
fn b4_unix_datagrams_split_at_65536() {
    let (sender, receiver) = UnixDatagram::pair().unwrap();
    split(&messages(sender, |message| receiver.recv(message).unwrap()));
}

#[test]
fn b4_unix_seqpackets_split_at_65536() {
    let (sender, receiver) = unix(libc::SOCK_SEQPACKET);
    split(&messages(sender, |message| (&receiver).read(message).unwrap()));
}

#[test]
fn b4_udp_with_100000_is_emsgsize() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let sender = || {
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(receiver.local_addr().unwrap()).unwrap();
        sender
    };
    let source = file(&pattern(100_000));
    assert_eq!(sendfile(fd(&sender()), fd(&source), Some(&mut 0), 1000), Ok(1000));
    assert_eq!(receiver.recv(&mut [0; 2000]).unwrap(), 1000);
    let result = sendfile(fd(&sender()), fd(&source), None, 100_000);
    // Before Linux 6.5 as many pages as a datagram has room for were gathered first.
    assert!(result == Err(Errno::EMSGSIZE) || result == Ok(15 * 4096), "{result:?}");
    assert_eq!(position(&source), result.unwrap_or(0) as u64);
}

#[test]
fn b5_a_later_write_to_the_file_reaches_the_receiver_on_tcp_even_after_siocoutq_reads_0() {
    let source = file(b"before");
    let (sender, mut receiver) = common::tcp();
    assert_eq!(sendfile(fd(&sender), fd(&source), Some(&mut 0), 6), Ok(6));
    let start = Instant::now();
    while unacknowledged(&sender).unwrap() > 0 {
        assert!(start.elapsed() < HANGS, "no acknowledgement");
        thread::sleep(Duration::from_millis(1)); // between two looks
    }
    source.write_all_at(b"after!", 0).unwrap();
    assert_eq!(receive(&mut receiver, 6), b"after!");
}

#[test]
fn b6_o_nonblock_on_the_input_is_ignored() {
    let source = file(&pattern(1000));
    rustix::fs::fcntl_setfl(&source, OFlags::NONBLOCK).unwrap();
    let (sender, mut receiver) = UnixStream::pair().unwrap();
    assert_eq!(sendfile(fd(&sender), fd(&source), None, 1000), Ok(1000));
    assert_eq!(receive(&mut receiver, 1000), pattern(1000));
    // Nor does it make a blocking output nonblocking: a full one waits until a signal comes.
    let (_reader, writer) = io::pipe().unwrap();
    assert_eq!(sendfile(fd(&writer), fd(&memfd(1 << 20)), None, 65_536), Ok(65_536));
    let thread = thread::spawn(move || sendfile(fd(&writer), fd(&source), Some(&mut 0), 10));
    assert_eq!(interrupt_until_finished(thread), Err(Errno::EINTR));
}

#[test]
fn a3_b6_one_call_moves_at_most_0x7ffff000_bytes_and_the_next_goes_on() {
    let (source, sink) = (zeros(), null());
    let (mut offset, most) = (0, (5_u64 << 30).min(isize::MAX as u64) as usize);
    let sent = undisturbed(|| sendfile(fd(&sink), fd(&source), Some(&mut offset), most));
    assert_eq!(sent, Ok(0x7fff_f000));
    assert_eq!(sendfile(fd(&sink), fd(&source), Some(&mut offset), 5000), Ok(5000));
    assert_eq!(offset, 0x7fff_f000 + 5000);
}

#[test]
fn b6_going_on_until_eagain_sends_every_byte() {
    let bytes = pattern(4 << 20);
    let source = file(&bytes);
    let (sender, mut receiver) = narrow_tcp();
    sender.set_nonblocking(true).unwrap();
    let (mut offset, mut received) = (0, Vec::new());
    while received.len() < bytes.len() {
        let before = offset;
        loop {
            let at = offset;
            match sendfile(fd(&sender), fd(&source), Some(&mut offset), bytes.len()) {
                Ok(0) => break,
                Ok(sent) => assert_eq!(offset, at + sent as u64),
                Err(errno) => {
                    assert_eq!((errno, offset), (Errno::EAGAIN, at));
                    break;
                }
            }
        }
        received.extend(receive(&mut receiver, (offset - before) as usize));
    }
    assert!(received == bytes);
}

#[test]
fn b7_a_signal_cuts_a_blocking_send_short() {
    let bytes = pattern(4 << 20);
    let source = file(&bytes);
    let (sender, mut receiver) = narrow_tcp();
    let len = bytes.len();
    let thread = thread::spawn(move || {
        let mut offset = 0;
        (sendfile(fd(&sender), fd(&source), Some(&mut offset), len), offset)
    });
    receiver.peek(&mut [0]).unwrap(); // Now something is sent.
    let (result, offset) = interrupt_until_finished(thread);
    let sent = result.unwrap();
    assert!(0 < sent && sent < len, "{sent}");
    assert_eq!(offset, sent as u64);
    let mut received = Vec::new();
    receiver.read_to_end(&mut received).unwrap();
    assert!(received == bytes[..sent]);
}

#[test]
fn b7_a_signal_before_anything_is_sent_is_eintr() {
    let source = memfd(4 << 20);
    let (sender, _receiver) = narrow_tcp();
    let thread = thread::spawn(move || {
        let mut offset = 0;
        // Until the socket is full, each call sends something.
        loop {
            let before = offset;
            if let Err(errno) = sendfile(fd(&sender), fd(&source), Some(&mut offset), 4 << 20) {
                return (errno, offset - before);
            }
        }
    });
    assert_eq!(interrupt_until_finished(thread), (Errno::EINTR, 0));
}

#[test]
fn a_full_nonblocking_output_is_eagain() {
    let source = memfd(1 << 20);
    let (sender, _receiver) = UnixStream::pair().unwrap();
    sender.set_nonblocking(true).unwrap();
    let (_reader, writer) = io::pipe().unwrap();
    set_nonblocking(&writer);
    for out_fd in [fd(&sender), fd(&writer)] {
        while sendfile(out_fd, fd(&source), Some(&mut 0), 1 << 20).is_ok() {}
        assert_eq!(sendfile(out_fd, fd(&source), Some(&mut 0), 1), Err(Errno::EAGAIN));
    }
}

#[test]
fn a_full_blocking_socket_is_eagain_after_so_sndtimeo() {
    let source = memfd(1 << 20);
    let (sender, _receiver) = UnixStream::pair().unwrap();
    sender.set_write_timeout(Some(Duration::from_millis(10))).unwrap();
    while sendfile(fd(&sender), fd(&source), Some(&mut 0), 1 << 20).is_ok() {}
    assert_eq!(sendfile(fd(&sender), fd(&source), Some(&mut 0), 1), Err(Errno::EAGAIN));
}

#[test]
fn the_wrong_access_is_ebadf() {
    let source = memfd(10);
    assert_eq!(sendfile(fd(&read_only()), fd(&source), None, 1), Err(Errno::EBADF));
    assert_eq!(sendfile(fd(&null()), fd(&null()), None, 1), Err(Errno::EBADF));
    let path_only =
        File::from(rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, rustix::fs::Mode::empty()).unwrap());
    assert_eq!(sendfile(fd(&null()), fd(&path_only), None, 1), Err(Errno::EBADF));
    assert_eq!(sendfile(fd(&path_only), fd(&source), None, 1), Err(Errno::EBADF));
}

#[test]
fn an_input_that_cannot_be_served_is_einval_and_espipe_with_an_offset() {
    let sink = null();
    let (pipe, _writer) = io::pipe().unwrap();
    let (socket, _peer) = UnixStream::pair().unwrap();
    for seekless in [fd(&pipe), fd(&socket)] {
        assert_eq!(sendfile(fd(&sink), seekless, None, 1), Err(Errno::EINVAL));
        assert_eq!(sendfile(fd(&sink), seekless, Some(&mut 0), 1), Err(Errno::ESPIPE));
    }
    for path in ["/", REFUSED] {
        let refused = File::open(path).unwrap();
        assert_eq!(sendfile(fd(&sink), fd(&refused), None, 1), Err(Errno::EINVAL), "{path}");
    }
    assert_eq!(sendfile(fd(&append_only()), fd(&memfd(1)), None, 1), Err(Errno::EINVAL));
}

#[test]
fn nobody_receives() {
    let source = memfd(10);
    let closed = unread(common::pipe);
    assert_eq!(sendfile(fd(&closed), fd(&source), None, 1), Err(Errno::EPIPE));
    // A close with unread bytes resets the connection.
    let (sender, receiver) = common::tcp();
    assert_eq!(sendfile(fd(&sender), fd(&source), Some(&mut 0), 1), Ok(1));
    receiver.peek(&mut [0]).unwrap();
    drop(receiver);
    wait_ready(&sender, PollFlags::empty()); // until the sender's kernel knows
    assert_eq!(sendfile(fd(&sender), fd(&source), Some(&mut 0), 1), Err(Errno::ECONNRESET));
    assert_eq!(sendfile(fd(&sender), fd(&source), Some(&mut 0), 1), Err(Errno::EPIPE), "it is told once");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    assert_eq!(sendfile(fd(&listener), fd(&source), None, 1), Err(Errno::EPIPE));
    let datagram = UnixDatagram::unbound().unwrap();
    assert_eq!(sendfile(fd(&datagram), fd(&source), None, 1), Err(Errno::ENOTCONN));
}

/// Also F2, for the first form.
#[test]
fn f2_a_file_that_may_not_grow_is_a_short_count_and_then_efbig_with_sigxfsz() {
    let (source, target) = (memfd(100), memfd(0));
    let (source_fd, target_fd) = (fd(&source), fd(&target));
    let limited = |action: libc::sighandler_t| {
        in_child(|| {
            let limit = libc::rlimit { rlim_cur: 60, rlim_max: 60 };
            // SAFETY: the kernel reads `limit`; the action runs no code of this program.
            unsafe {
                libc::setrlimit(libc::RLIMIT_FSIZE, &limit);
                libc::signal(libc::SIGXFSZ, action);
            }
            let first = sendfile(target_fd, source_fd, None, 100);
            let second = sendfile(target_fd, source_fd, None, 100);
            u8::from(first == Ok(60)) | u8::from(second == Err(Errno::EFBIG)) << 1
        })
    };
    assert_eq!(limited(libc::SIG_IGN).code(), Some(0b11));
    assert_eq!(limited(libc::SIG_DFL).signal(), Some(libc::SIGXFSZ));
}

/// A6 and A8, of an interface to another language.
#[test]
fn a6_numbers_and_a_pointer_that_nobody_vouches_for() {
    let (source, target, mut offset) = (memfd(100), memfd(0), 90_u64);
    let (out, input) = (target.as_raw_fd(), source.as_raw_fd());
    let send = |out, input, offset, count| {
        // SAFETY: it is null, points nowhere, or is the variable above.
        unsafe { sendfile_raw(out, input, offset, count) }
    };
    for bad in [-1, i32::MIN, i32::MAX] {
        assert_eq!(send(bad, input, &raw mut offset, 1), Err(Errno::EBADF));
        assert_eq!(send(out, bad, &raw mut offset, 1), Err(Errno::EBADF));
    }
    assert_eq!(send(out, input, std::ptr::without_provenance_mut(8), 1), Err(Errno::EFAULT));
    assert_eq!((send(out, input, &raw mut offset, 100), offset), (Ok(10), 100));
    assert_eq!((send(out, input, std::ptr::null_mut(), 60), position(&source)), (Ok(60), 60));
    assert_eq!(target.metadata().unwrap().len(), 70);
}
