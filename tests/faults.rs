//! Real faults: filters, peers, disks and files that misbehave while something is sent. What arrived is compared with what was
//! reported as sent, by SHA-256.
#![cfg(target_os = "linux")]

mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bare_sendfile::{
    Count, Errno, Error, Mechanisms, Output, PipeCopy, Progress, SfFlags, Status, StreamCopy, Transfer, available,
};
use common::calls::seen;
use common::faults::seccompiler::{self, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule};
use common::faults::{
    answer, catch_signals, filter, interrupt, limit_file_size, refuse, refuse_option, refused, thread_id, wait_asleep,
};
use common::sent::sendfile_hdtr;
use common::streams::{self, Kind};
use common::{
    LSEEK, Message, SENDFILE, available_bytes, contents, copying, drain, fd, fd_of_std, file, in_a_thread, in_child,
    not_checked, pattern, pipe, position, receive, set_nonblocking, sha256, tcp,
};
use rustix::event::{PollFd, PollFlags};
use rustix::net::sockopt::{Timeout, set_socket_send_buffer_size, set_socket_timeout};

const BODY: u64 = 100_000;
/// Longer than any timer of TCP's: what has not moved then does not move any more.
const LONG: Duration = Duration::from_secs(10);
/// Ten calls for the body.
const CAP: usize = 10_000;

/// The call is refused from the `nth` on; then, where nothing is refused, the transfer goes on to its end. Tells how the body
/// was moved, and how much of it had been sent when the refusals began.
fn from_the_nth(calls: &[libc::c_long], errno: Errno, nth: u64, socket: bool, lent: usize) -> (Mechanisms, u64) {
    let message = Message::new(300, BODY as usize, 300);
    let (sender, receiver): (File, JoinHandle<_>) = if socket {
        let (sender, receiver) = UnixStream::pair().unwrap();
        (std::os::fd::OwnedFd::from(sender).into(), drain(receiver))
    } else {
        let (sender, receiver) = pipe();
        (sender, drain(receiver))
    };
    let mut transfer = message.transfer().with_cap(CAP).with_small(0);
    let mut buffer = vec![0; lent];
    let mut sent_before = 0;
    let outcome = in_a_thread(|| {
        while transfer.progress().file < nth * CAP as u64 {
            message.step(&mut transfer, &sender, &mut buffer).unwrap();
        }
        sent_before = transfer.progress().file;
        refuse(calls, errno);
        if errno != Errno::EINTR {
            return message.send(&mut transfer, &sender, &mut buffer);
        }
        // `send_all` would go on for ever.
        let mut interrupted = 0;
        while interrupted < 10 {
            match message.step(&mut transfer, &sender, &mut buffer) {
                Ok(()) => {}
                Err(error) => {
                    assert_eq!(error, Error::Errno(Errno::EINTR));
                    interrupted += 1;
                }
            }
        }
        Err(Error::Errno(errno))
    });
    let before = transfer.progress();
    if let Err(error) = outcome {
        assert_eq!(error, Error::Errno(errno));
        assert!(before.total() < message.whole.len() as u64);
        assert_eq!(message.send(&mut transfer, &sender, &mut buffer), Ok(()));
    }
    drop(sender);
    message.assert_all_arrived(&receiver.join().unwrap(), transfer.progress());
    let mechanisms = transfer.mechanisms();
    assert_eq!(mechanisms.sendfile + mechanisms.copy, BODY);
    assert_eq!(outcome.is_ok(), mechanisms.copy > 0, "{mechanisms:?}");
    (mechanisms, sent_before)
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn d5_e1_sendfile_is_refused_from_the_nth_call_on() {
    let calls = [SENDFILE];
    for errno in [Errno::ENOSYS, Errno::EPERM, Errno::EINVAL, Errno::EINTR] {
        for nth in [0, 1, 5, 9] {
            for socket in [false, true] {
                let (mechanisms, _) = from_the_nth(&calls, errno, nth, socket, 0);
                assert_eq!(mechanisms, Mechanisms { sendfile: BODY, ..Mechanisms::default() });
                for lent in [13, 777, 4096, 1 << 20] {
                    let (mechanisms, sent_before) = from_the_nth(&calls, errno, nth, socket, lent);
                    let eintr = errno == Errno::EINTR; // is no refusal
                    let (sendfile, refused) = if eintr { (BODY, None) } else { (sent_before, Some(errno)) };
                    let copy = BODY - sendfile;
                    assert_eq!(mechanisms, Mechanisms { sendfile, copy, refused, ..Mechanisms::default() });
                }
            }
        }
    }
}

/// The probe is `sendfile(-1, -1, NULL, 0)` to the letter: only that call is refused here.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn a7_the_probe_is_a_call_on_no_descriptors() {
    use SeccompCmpArgLen::{Dword, Qword};
    in_a_thread(|| {
        let arguments = [(Dword, u64::from(u32::MAX)), (Dword, u64::from(u32::MAX)), (Qword, 0), (Qword, 0)];
        let equal = (0..)
            .zip(arguments)
            .map(|(argument, (len, value))| SeccompCondition::new(argument, len, SeccompCmpOp::Eq, value).unwrap());
        let rules = [(SENDFILE, vec![SeccompRule::new(equal.collect()).unwrap()])];
        let filter = filter(rules, SeccompAction::Errno(libc::EACCES as u32), SeccompAction::Allow);
        assert_eq!(available(), Ok(()));
        seccompiler::apply_filter(&filter).unwrap();
        assert_eq!(available(), Err(Errno::EACCES));
    });
}

/// Where there is no `TCP_ULP` (before Linux 4.13), the protocol of the socket decides.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn c22_without_tcp_ulp_the_protocol_tells_the_output() {
    const TCP_ULP: libc::c_int = 31;
    let outputs = [
        (Kind::Tcp, Output::Tcp),
        (Kind::Mptcp, Output::Mptcp),
        (Kind::Sctp, Output::Layered),
        (Kind::Unix, Output::Stream),
    ];
    in_a_thread(|| {
        refuse_option(TCP_ULP, Errno::ENOPROTOOPT);
        for (kind, output) in outputs {
            match streams::pair(kind) {
                Ok((sender, _receiver)) => assert_eq!(Output::of(fd(&sender)), Ok(output), "{kind}"),
                Err(error) => not_checked(format!("{kind} is not to be had here: {error}")),
            }
        }
    });
}

/// A filter that refuses lseek where its distance, of which a word counts, compares so with the number.
fn refuse_lseek(op: SeccompCmpOp, distance: u64) {
    let (lseek, argument) = LSEEK;
    let moving = SeccompCondition::new(argument, SeccompCmpArgLen::Qword, op, distance).unwrap();
    let rules = [(lseek, vec![SeccompRule::new(vec![moving]).unwrap()])];
    let filter = filter(rules, SeccompAction::Errno(libc::EPERM as u32), SeccompAction::Allow);
    seccompiler::apply_filter(&filter).unwrap();
}

/// A copy at a position that may be asked for and not moved: nothing is sent, for it would be sent again.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn d5_nothing_is_sent_from_a_position_that_may_not_move() {
    in_a_thread(|| {
        let (source, (out, end)) = (file(b"0123456789"), pipe());
        let mut transfer = Transfer::from_position(Count::Bytes(10), &[], &[]).unwrap().copying();
        refuse_lseek(SeccompCmpOp::Ne, 0);
        let outcome = transfer.send_all(fd(&out), fd(&source), &[], &[], &mut [0; 4]);
        assert_eq!((outcome, transfer.progress().file), (Err(Error::Errno(Errno::EPERM)), 0));
        assert_eq!(available_bytes(&end), []);
    });
}

/// The same of a device that lets itself be told to move and does not.
#[test]
fn d5_nothing_is_sent_from_a_position_that_does_not_move() {
    let (source, (out, end)) = (File::open("/dev/urandom").unwrap(), pipe());
    for count in [Count::Bytes(10), Count::ToEnd] {
        let mut transfer = Transfer::from_position(count, &[], &[]).unwrap().copying();
        let outcome = transfer.send_all(fd(&out), fd(&source), &[], &[], &mut [0; 4]);
        assert_eq!((outcome, transfer.progress().file), (Err(Error::Errno(Errno::ESPIPE)), 0));
        assert_eq!(available_bytes(&end), []);
    }
}

/// A copy whose position cannot go back by what was not written: what was counts, and the error is told (D2).
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn d5_bytes_count_though_the_position_cannot_follow() {
    in_a_thread(|| {
        const PAGE: u64 = 4096;
        let bytes = pattern(20_000);
        let (source, (out, end)) = (file(&bytes), pipe());
        rustix::pipe::fcntl_setpipe_size(&out, PAGE as usize).unwrap();
        set_nonblocking(&out);
        let start = || Transfer::from_position(Count::Bytes(5000), &[], &[]).unwrap().copying();
        refuse_lseek(SeccompCmpOp::Gt, isize::MAX as u64);
        let mut transfer = start();
        let outcome = transfer.send_all(fd(&out), fd(&source), &[], &[], &mut [0; 5000]);
        assert_eq!((outcome, transfer.progress().file), (Err(Error::Errno(Errno::EPERM)), PAGE));
        assert_eq!(available_bytes(&end), bytes[..PAGE as usize]);

        // D2: step by step the same.
        let mut transfer = start();
        for (file, outcome) in [(0, Ok(())), (PAGE, Err(Errno::EPERM.into()))] {
            let step = transfer.next_step(&[], &[], 5000).unwrap();
            assert_eq!(transfer.perform(&step, fd(&out), fd(&source), &mut [0; 5000]), outcome);
            assert_eq!(transfer.progress().file, file);
        }
    });
}

/// An output that takes nothing is not the end of the file.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn a_copy_of_which_nothing_is_taken_is_an_error() {
    in_a_thread(|| {
        let (message, log) = (Message::new(0, 1000, 10), file(b""));
        let start = || message.transfer().with_small(0);
        answer(&[libc::SYS_writev], 0);
        for mut transfer in [start().copying(), start().with_small(1000)] {
            let outcome = message.send(&mut transfer, &log, &mut [0; 2000]);
            assert_eq!((outcome, transfer.progress().total()), (Err(Error::Errno(Errno::EIO)), 0));
        }
    });
}

/// A buffer that is lent does not keep a small body back that the file will not have read into it (as with O_DIRECT): there is
/// sendfile.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn a_small_body_that_cannot_be_read_is_sent() {
    in_a_thread(|| {
        let message = Message::new(100, 1000, 10);
        let (sender, receiver) = UnixStream::pair().unwrap();
        refuse(&[libc::SYS_pread64], Errno::EINVAL);
        let mut transfer = message.transfer();
        assert_eq!(message.send(&mut transfer, &sender, &mut [0; 2000]), Ok(()));
        assert_eq!(transfer.mechanisms(), Mechanisms { sendfile: 1000, ..Mechanisms::default() });
        message.assert_all_arrived(&available_bytes(&receiver), transfer.progress());
    });
}

/// Nothing can replace it: the error is the caller's, the state goes on.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn writes_are_refused_from_the_nth_call_on() {
    for errno in [Errno::ENOSYS, Errno::EPERM, Errno::EINVAL, Errno::EINTR] {
        for nth in [0, 1, 10] {
            for (call, socket) in [(libc::SYS_sendmsg, true), (libc::SYS_writev, false)] {
                from_the_nth(&[call], errno, nth, socket, 0);
                // The body with sendfile, the trailer not.
                let (mechanisms, _) = from_the_nth(&[call], errno, nth, socket, 4096);
                assert_eq!(mechanisms, Mechanisms { sendfile: BODY, ..Mechanisms::default() });
            }
        }
    }
}

/// Both at once: the copy that replaces sendfile cannot write either, and the error is the write's.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn e2_sendfile_and_the_write_are_refused() {
    let message = Message::new(0, 1000, 0);
    let (sender, receiver) = UnixStream::pair().unwrap();
    let mut transfer = message.transfer();
    let outcome = in_a_thread(|| {
        refuse(&[SENDFILE], Errno::EPERM);
        refuse(&[libc::SYS_sendmsg], Errno::EACCES);
        message.send(&mut transfer, &sender, &mut [0; 100])
    });
    assert_eq!((outcome, transfer.progress().total()), (Err(Error::Errno(Errno::EACCES)), 0));
    assert_eq!(message.send(&mut transfer, &sender, &mut [0; 100]), Ok(()));
    message.assert_all_arrived(&available_bytes(&receiver), transfer.progress());
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn a7_available_says_what_the_filter_says() {
    assert_eq!(available(), Ok(()));
    for errno in [Errno::ENOSYS, Errno::EPERM, Errno::EACCES] {
        assert_eq!(refused(&[SENDFILE], errno, available), Err(errno));
    }
    // A filter that pretends success has taken the call away as well.
    let pretended = in_a_thread(|| {
        answer(&[SENDFILE], 0);
        available()
    });
    assert_eq!(pretended, Err(Errno::ENOSYS));
    assert_eq!(available(), Ok(()));
}

/// What arrived before the connection broke is a beginning of what was reported as sent.
#[track_caller]
fn assert_beginning(message: &Message, arrived: &[u8], progress: Progress) {
    assert!(arrived.len() as u64 <= progress.total(), "{} {progress:?}", arrived.len());
    assert_eq!(sha256(arrived), sha256(&message.whole[..arrived.len()]));
}

#[test]
fn a_peer_that_resets() {
    for lent in [0, 5000] {
        let message = Message::new(1000, 8 << 20, 1000);
        let (sender, mut receiver) = tcp();
        let receiver = thread::spawn(move || {
            let arrived = common::receive(&mut receiver, 200_000);
            rustix::net::sockopt::set_socket_linger(&receiver, Some(Duration::ZERO)).unwrap();
            arrived
        });
        let (mut transfer, mut buffer) = copying(message.transfer(), lent);
        let first = message.send(&mut transfer, &sender, &mut buffer);
        assert!(first == Err(Error::Errno(Errno::ECONNRESET)) || first == Err(Error::Errno(Errno::EPIPE)), "{first:?}");
        let progress = transfer.progress();
        assert_eq!(message.send(&mut transfer, &sender, &mut buffer), Err(Error::Errno(Errno::EPIPE)));
        assert_eq!(transfer.progress(), progress);
        assert_eq!(progress.trailers, 0);
        assert_beginning(&message, &receiver.join().unwrap(), progress);
    }
}

#[test]
fn a_peer_that_only_stops_to_send() {
    let message = Message::new(1000, 1 << 20, 1000);
    let (sender, receiver) = tcp();
    receiver.shutdown(Shutdown::Write).unwrap();
    let receiver = drain(receiver);
    let mut transfer = message.transfer();
    assert_eq!(message.send(&mut transfer, &sender, &mut []), Ok(()));
    drop(sender);
    message.assert_all_arrived(&receiver.join().unwrap(), transfer.progress());
}

#[test]
fn a_peer_that_stops_to_receive() {
    let message = Message::new(1000, 1 << 20, 1000);
    let (sender, mut receiver) = UnixStream::pair().unwrap();
    let receiver = thread::spawn(move || {
        let mut arrived = common::receive(&mut receiver, 100_000);
        receiver.shutdown(Shutdown::Read).unwrap();
        receiver.read_to_end(&mut arrived).unwrap();
        (arrived, receiver)
    });
    let mut transfer = message.transfer();
    for _ in 0..2 {
        assert_eq!(message.send(&mut transfer, &sender, &mut []), Err(Error::Errno(Errno::EPIPE)));
    }
    assert_beginning(&message, &receiver.join().unwrap().0, transfer.progress());
}

/// It reads a byte at a time, and takes its time for the first ones. The sender has a time limit, so it comes back often.
#[test]
fn a_peer_that_reads_byte_by_byte() {
    let message = Message::new(5000, 100_000, 5000);
    let (tcp_sender, tcp_receiver) = tcp();
    let (unix_sender, unix_receiver) = UnixStream::pair().unwrap();
    fn check(message: &Message, sender: impl AsRawFd, mut receiver: impl Read + Send + 'static) {
        let receiver = thread::spawn(move || {
            let (mut arrived, mut byte) = (Vec::new(), [0]);
            while receiver.read(&mut byte).unwrap() == 1 {
                arrived.push(byte[0]);
                if arrived.len() < 100 {
                    thread::sleep(Duration::from_millis(1)); // a slow reader is what is tested
                }
            }
            arrived
        });
        let (mut transfer, mut stops) = (message.transfer(), 0);
        while let Err(error) = message.send(&mut transfer, &sender, &mut []) {
            assert_eq!(error, Error::Errno(Errno::EAGAIN));
            stops += 1;
        }
        drop(sender);
        message.assert_all_arrived(&receiver.join().unwrap(), transfer.progress());
        assert!(stops > 0, "it was never too slow");
    }
    for sender in [fd_of_std(&tcp_sender), fd_of_std(&unix_sender)] {
        rustix::net::sockopt::set_socket_send_buffer_size(sender, 1).unwrap();
        let limit = Some(Duration::from_millis(1));
        rustix::net::sockopt::set_socket_timeout(sender, rustix::net::sockopt::Timeout::Send, limit).unwrap();
    }
    rustix::net::sockopt::set_socket_recv_buffer_size(&tcp_receiver, 20_000).unwrap();
    check(&message, tcp_sender, tcp_receiver);
    check(&message, unix_sender, unix_receiver);
}

/// A file system of 1 MiB in memory, mounted nowhere; it ends with the descriptor. `None` without CAP_SYS_ADMIN.
fn small_tmpfs() -> Option<File> {
    use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};
    let context = match rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC) {
        Err(rustix::io::Errno::PERM) => return None,
        context => context.unwrap(),
    };
    rustix::mount::fsconfig_set_string(&context, "size", "1m").unwrap();
    rustix::mount::fsconfig_create(&context).unwrap();
    let root = rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).unwrap();
    Some(root.into())
}

/// A new file in a directory.
fn create(directory: &File, name: &str) -> File {
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CREATE | rustix::fs::OFlags::CLOEXEC;
    rustix::fs::openat(directory, name, flags, rustix::fs::Mode::RUSR).unwrap().into()
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user knows no fsopen")]
fn a_full_disk() {
    let Some(disk) = small_tmpfs() else {
        return not_checked("mounting needs CAP_SYS_ADMIN");
    };
    let message = Message::new(100_000, 700_000, 100_000);
    for (lent, from_position) in [(0, false), (30_000, false), (0, true), (30_000, true)] {
        // Room for the header and a part of the body.
        let (ballast, out) = (create(&disk, "ballast"), create(&disk, "out"));
        out.set_len(0).unwrap();
        ballast.write_all_at(&vec![1; 600_000], 0).unwrap();
        let mut transfer = message.transfer();
        if from_position {
            rustix::fs::seek(&message.file, rustix::fs::SeekFrom::Start(Message::OFFSET)).unwrap();
            transfer = Transfer::from_position(message.count(), &message.headers(), &message.trailers()).unwrap();
        }
        let (mut transfer, mut buffer) = copying(transfer, lent);
        for _ in 0..2 {
            assert_eq!(message.send(&mut transfer, &out, &mut buffer), Err(Error::Errno(Errno::ENOSPC)));
            let progress = transfer.progress();
            assert!(progress.file > 0 && progress.trailers == 0, "{progress:?}");
            message.assert_arrived(&contents(&out), progress);
            assert_eq!(position(&out), progress.total());
            if from_position {
                assert_eq!(position(&message.file), Message::OFFSET + progress.file);
            }
        }
        ballast.set_len(0).unwrap();
        assert_eq!(message.send(&mut transfer, &out, &mut buffer), Ok(()));
        message.assert_all_arrived(&contents(&out), transfer.progress());
    }
}

static SIGXFSZ: AtomicUsize = AtomicUsize::new(0);

/// F2: first a short count, then EFBIG with SIGXFSZ. (sendfile may have tried to write on and raised it before.)
#[test]
fn f2_a_limit_of_the_file_size() {
    extern "C" fn handler(_: libc::c_int) {
        SIGXFSZ.fetch_add(1, SeqCst);
    }
    let message = Message::new(1000, 50_000, 1000);
    for lent in [0, 3000] {
        let out = file(&[]);
        let (mut transfer, mut buffer) = copying(message.transfer(), lent);
        let status = in_child(|| {
            let handler: extern "C" fn(libc::c_int) = handler;
            // SAFETY: the handler only adds to an atomic.
            unsafe { libc::signal(libc::SIGXFSZ, handler as libc::sighandler_t) };
            limit_file_size(30_000);
            let before = loop {
                let before = SIGXFSZ.load(SeqCst);
                match message.step(&mut transfer, &out, &mut buffer) {
                    Ok(()) => {}
                    Err(Error::Errno(Errno::EFBIG)) => break before,
                    Err(_) => return 1,
                }
            };
            if lent > 0 && before != 0 || SIGXFSZ.load(SeqCst) == before {
                return 2;
            }
            if transfer.progress() != (Progress { headers: 1000, file: 29_000, trailers: 0 }) {
                return 3;
            }
            limit_file_size(libc::RLIM_INFINITY);
            assert_eq!(message.send(&mut transfer, &out, &mut buffer), Ok(()));
            assert_eq!(sha256(&contents(&out)), sha256(&message.whole));
            0
        });
        assert_eq!(status.code(), Some(0), "{status}");
    }
}

/// A transfer that has filled a socket, and what it takes to go on.
struct Stopped {
    message: Message,
    transfer: Transfer,
    sender: UnixStream,
    receiver: UnixStream,
    arrived: Vec<u8>,
    buffer: Vec<u8>,
}

impl Stopped {
    fn new(lent: usize, count: Count) -> Self {
        let message = Message::new(1000, 1 << 20, 0);
        let (sender, receiver) = UnixStream::pair().unwrap();
        set_nonblocking(&sender);
        let transfer = Transfer::new(Message::OFFSET, count, &message.headers(), &message.trailers()).unwrap();
        let (transfer, buffer) = copying(transfer, lent);
        let mut stopped = Self { message, transfer, sender, receiver, arrived: Vec::new(), buffer };
        assert_eq!(stopped.poll(), Ok(Status::OutFull));
        let file = stopped.transfer.progress().file;
        assert!(0 < file && file < 1 << 20, "{file}");
        stopped
    }

    fn poll(&mut self) -> Result<Status, Error> {
        self.message.poll(&mut self.transfer, &self.sender, &mut self.buffer)
    }

    /// To the end, or an error; what has arrived then is as much as was reported.
    fn go_on(&mut self) -> Result<Status, Error> {
        let result = loop {
            self.arrived.extend(available_bytes(&self.receiver));
            match self.poll() {
                Ok(Status::OutFull) => {}
                result => break result,
            }
        };
        self.arrived.extend(available_bytes(&self.receiver));
        assert_eq!(self.arrived.len() as u64, self.transfer.progress().total());
        result
    }
}

#[test]
fn d4_a_file_that_is_truncated_during_the_send() {
    for lent in [0, 10_000] {
        let mut stopped = Stopped::new(lent, Count::Bytes(1 << 20));
        let sent = stopped.transfer.progress().file;
        // What is on its way has to be taken first: truncating clears the rest of a shared page.
        stopped.arrived = available_bytes(&stopped.receiver);
        let there = sent + 5000;
        stopped.message.file.set_len(Message::OFFSET + there).unwrap();
        let owed = (1 << 20) - there;
        for _ in 0..2 {
            assert_eq!(stopped.go_on(), Err(Error::Truncated { owed }));
            stopped.message.assert_arrived(&stopped.arrived, stopped.transfer.progress());
        }
        // Shorter than what was sent already.
        stopped.message.file.set_len(10).unwrap();
        assert_eq!(stopped.go_on(), Err(Error::Truncated { owed }));
        stopped.message.assert_arrived(&stopped.arrived, stopped.transfer.progress());
        // Grown again, it goes on where it stopped.
        stopped.message.file.write_all_at(stopped.message.body(), Message::OFFSET).unwrap();
        assert_eq!(stopped.go_on(), Ok(Status::Done));
        stopped.message.assert_all_arrived(&stopped.arrived, stopped.transfer.progress());
    }
}

#[test]
fn a_file_that_grows_during_the_send() {
    for lent in [0, 10_000] {
        let mut stopped = Stopped::new(lent, Count::ToEnd);
        let more = pattern(300_000);
        let end = stopped.message.file.metadata().unwrap().len();
        stopped.message.file.write_all_at(&more, end).unwrap();
        assert_eq!(stopped.go_on(), Ok(Status::Done));
        let whole = [&stopped.message.whole, &[0xdd; 500][..], &more].concat();
        assert_eq!(sha256(&stopped.arrived), sha256(&whole));
        // The end stays the end.
        stopped.message.file.write_all_at(&more, end + 300_000).unwrap();
        assert_eq!(stopped.poll(), Ok(Status::Done));
        // A number is a number.
        let mut stopped = Stopped::new(lent, Count::Bytes(1 << 20));
        stopped.message.file.write_all_at(&more, end).unwrap();
        assert_eq!(stopped.go_on(), Ok(Status::Done));
        stopped.message.assert_all_arrived(&stopped.arrived, stopped.transfer.progress());
    }
}

#[test]
fn a_file_that_is_overwritten_during_the_send() {
    for lent in [0, 10_000] {
        let mut stopped = Stopped::new(lent, Count::Bytes(1 << 20));
        let sent = stopped.transfer.progress().total() as usize;
        let old = stopped.message.whole.clone();
        let new: Vec<u8> = old.iter().map(|byte| !byte).collect();
        stopped.message.file.write_all_at(&new[1000..], Message::OFFSET).unwrap();
        assert_eq!(stopped.go_on(), Ok(Status::Done));
        let arrived = &stopped.arrived;
        assert_eq!(arrived.len(), old.len());
        assert_eq!(arrived[sent..], new[sent..]);
        if lent > 0 {
            assert_eq!(sha256(&arrived[..sent]), sha256(&old[..sent]));
        } else {
            // Pages that wait in the socket are shared with the file: each byte is the old or the new one.
            assert!((0..sent).all(|i| arrived[i] == old[i] || arrived[i] == new[i]));
            assert_eq!(arrived[..1000], old[..1000]); // the header
        }
    }
}

/// Somebody truncates the file and writes it again, over and over, while it is sent.
#[test]
fn a_file_that_changes_all_the_time() {
    let message = Message::new(1000, 500_000, 1000);
    let (sender, receiver) = UnixStream::pair().unwrap();
    let receiver = drain(receiver);
    let (done, mut truncated) = (AtomicBool::new(false), 0);
    let mut transfer = message.transfer().copying();
    thread::scope(|scope| {
        scope.spawn(|| {
            let len = message.body().len();
            while !done.load(SeqCst) {
                for at in (0..len).rev().step_by(len / 7).chain([0]) {
                    message.file.set_len(Message::OFFSET + at as u64).unwrap();
                    thread::yield_now();
                    // Never a hole, which would be read as zeros.
                    message.file.write_all_at(&message.body()[at..], Message::OFFSET + at as u64).unwrap();
                    thread::yield_now(); // or on one processor the sender finds it short each time
                }
            }
        });
        let mut buffer = vec![0; 3001];
        while let Err(error) = message.send(&mut transfer, &sender, &mut buffer) {
            assert!(matches!(error, Error::Truncated { .. }), "{error:?}");
            truncated += 1;
            thread::yield_now();
        }
        done.store(true, SeqCst);
    });
    drop(sender);
    println!("truncated {truncated} times");
    message.assert_all_arrived(&receiver.join().unwrap(), transfer.progress());
}

/// Calls `send` until the thread that it runs in has caught a thousand signals, the first of them while it waits for a reader
/// that has not begun. What `send` returns is added up: interruptions that it saw.
fn a_thousand_signals<S: AsRawFd + Send>(
    sender: S,
    mut receiver: impl Read + Send + 'static,
    message: &Message,
    send: impl Fn(&S) -> usize + Send,
) -> usize {
    const SIGNALS: usize = 1000;
    catch_signals();
    // Compared at once and not kept: there is the more of it the slower the signals come.
    let (len, twice) = (message.whole.len() as u64, message.whole.repeat(2));
    let (begin, begun) = mpsc::channel();
    let receiver = thread::spawn(move || {
        let (mut arrived, mut some) = (0, [0; 5000]);
        begun.recv().unwrap();
        loop {
            let read = receiver.read(&mut some).unwrap();
            if read == 0 {
                return arrived;
            }
            assert!(twice[(arrived % len) as usize..].starts_with(&some[..read]), "from {arrived} on");
            arrived += read as u64;
        }
    });
    let (mut rounds, done) = (0, AtomicBool::new(false));
    let seen = thread::scope(|scope| {
        let (tell, target) = mpsc::channel();
        let (done, rounds) = (&done, &mut rounds);
        let thread = scope.spawn(move || {
            tell.send(thread_id()).unwrap();
            let mut seen = 0;
            while !done.load(SeqCst) {
                seen += send(&sender);
                *rounds += 1;
            }
            seen
        });
        let target = target.recv().unwrap();
        for _ in 0..10 {
            wait_asleep(target);
            assert!(interrupt(target));
        }
        begin.send(()).unwrap();
        for _ in 10..SIGNALS {
            assert!(interrupt(target));
        }
        done.store(true, SeqCst);
        thread.join().unwrap()
    });
    assert_eq!(receiver.join().unwrap(), rounds * len);
    seen
}

#[test]
fn signals_by_the_thousand() {
    let message = Message::new(10_000, 300_000, 10_000);
    for lent in [0, 20_000] {
        let all = |sender: &dyn AsRawFd| {
            let (mut transfer, mut buffer) = copying(message.transfer(), lent);
            assert_eq!(message.send(&mut transfer, &sender.as_raw_fd(), &mut buffer), Ok(()));
            0
        };
        let by_steps = |sender: &dyn AsRawFd| {
            let (mut transfer, mut buffer) = copying(message.transfer(), lent);
            let mut interrupted = 0;
            while transfer.progress().total() < message.whole.len() as u64 {
                match message.step(&mut transfer, &sender.as_raw_fd(), &mut buffer) {
                    Ok(()) => {}
                    Err(error) => {
                        assert_eq!(error, Error::Errno(Errno::EINTR));
                        interrupted += 1;
                    }
                }
            }
            interrupted
        };
        let (sender, receiver) = tcp();
        a_thousand_signals(sender, receiver, &message, |sender| all(sender));
        let (sender, receiver) = UnixStream::pair().unwrap();
        a_thousand_signals(sender, receiver, &message, |sender| all(sender));
        let (sender, receiver) = UnixStream::pair().unwrap();
        rustix::net::sockopt::set_socket_send_buffer_size(&sender, 1).unwrap();
        assert!(a_thousand_signals(sender, receiver, &message, |sender| by_steps(sender)) > 0);
        let (sender, receiver) = pipe();
        a_thousand_signals(sender, receiver, &message, |sender| all(sender));
    }
}

/// C22: before Linux 6.5, kTLS does not push finished records while a call waits for room. A call of several records could wait for ever.
#[test]
fn c22_ktls_with_a_small_queue() {
    const TCP_NOTSENT_LOWAT: libc::c_int = 25;
    type Sender = fn(&File, &Message) -> Result<(), Error>;
    const SENDERS: [Sender; 4] = [
        |out, message| message.send(&mut message.transfer(), out, &mut []),
        |out, message| {
            set_nonblocking(out);
            let mut transfer = message.transfer();
            loop {
                match message.poll(&mut transfer, out, &mut [])? {
                    Status::Done => return Ok(()),
                    Status::OutFull if !writable(out) => return Err(Error::Errno(Errno::EAGAIN)),
                    _ => {}
                }
            }
        },
        |out, message| {
            let (mut feeder, input) = pipe();
            thread::scope(|scope| {
                scope.spawn(move || feeder.write_all(&message.whole));
                StreamCopy::new(Count::ToEnd, []).send_all(fd(out), fd(&input))
            })
        },
        |out, message| {
            let (mut feeder, input) = UnixStream::pair().unwrap();
            thread::scope(|scope| {
                scope.spawn(move || feeder.write_all(&message.whole));
                PipeCopy::new(Count::ToEnd).unwrap().send_all(fd(out), fd(&input))
            })
        },
    ];
    for send in SENDERS {
        for (size, low) in [(1, 0), (20_000, 0), (24_000, 0), (40_000, 0), (1 << 20, 1), (1 << 20, 16_384)] {
            let (out, receiver) = match streams::pair(Kind::Ktls) {
                Ok(pair) => pair,
                Err(_) => return not_checked(streams::why_not(Kind::Ktls).unwrap()),
            };
            set_socket_send_buffer_size(&out, size).unwrap();
            if low > 0 {
                streams::set_option(&out, libc::IPPROTO_TCP, TCP_NOTSENT_LOWAT, &low).unwrap();
            }
            set_socket_timeout(&out, Timeout::Send, Some(LONG)).unwrap();
            let message = Message::new(10_000, 1_000_000, 0);
            let receiver = drain(receiver);
            assert_eq!(send(&out, &message), Ok(()), "SO_SNDBUF {size}, TCP_NOTSENT_LOWAT {low}");
            rustix::net::shutdown(&out, rustix::net::Shutdown::Write).unwrap();
            assert!(receiver.join().unwrap() == message.whole, "SO_SNDBUF {size}, TCP_NOTSENT_LOWAT {low}");
        }
    }
}

/// Whether it has room within so long a time.
fn writable(out: &File) -> bool {
    let mut fds = [PollFd::new(out, PollFlags::OUT)];
    rustix::event::poll(&mut fds, Some(&LONG.try_into().unwrap())) == Ok(1)
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn d2_a_signal_before_the_first_byte_stops_the_second_form() {
    let message = Message::new(10, 100, 10);
    let (sender, receiver) = UnixStream::pair().unwrap();
    let (sent, _) = seen(
        &[SENDFILE],
        |call| (call.before == 0).then_some(-i64::from(libc::EINTR)),
        || {
            let (out, file, count) = (fd(&sender), fd(&message.file), message.count());
            let (headers, trailers) = (message.headers(), message.trailers());
            sendfile_hdtr(out, file, Message::OFFSET, count, &headers, &trailers, SfFlags::empty())
        },
    );
    assert_eq!((sent.outcome, sent.progress.file), (Err(Error::Errno(Errno::EINTR)), 0));
    message.assert_arrived(&available_bytes(&receiver), sent.progress);
}

/// The kernel does not report a signal that cut a call short, only the bytes. The second form does, or the next call would wait.
#[test]
fn d2_one_signal_stops_the_second_form() {
    catch_signals();
    for len in [0, 8 << 20] {
        let message = Message::new(len, 16 << 20, 0);
        let (unix, tcp) = (UnixStream::pair().unwrap(), tcp());
        let of_tcp = (OwnedFd::from(tcp.0), OwnedFd::from(tcp.1));
        for (sender, receiver) in [of_tcp, (OwnedFd::from(unix.0), OwnedFd::from(unix.1))] {
            let mut receiver = File::from(receiver);
            let (tell, target) = mpsc::channel();
            let sent = thread::scope(|scope| {
                let thread = scope.spawn(|| {
                    tell.send(thread_id()).unwrap();
                    let (out, file, count) = (fd(&sender), fd(&message.file), message.count());
                    sendfile_hdtr(out, file, Message::OFFSET, count, &message.headers(), &[], SfFlags::empty())
                });
                let first = receive(&mut receiver, 1); // so that something is sent
                let target = target.recv().unwrap();
                wait_asleep(target);
                interrupt(target); // or it has ended already
                // A reader for all, with which it could go on.
                let receiver = drain(receiver);
                let sent = thread.join().unwrap();
                rustix::net::shutdown(&sender, rustix::net::Shutdown::Write).unwrap();
                message.assert_arrived(&[first, receiver.join().unwrap()].concat(), sent.progress);
                sent
            });
            assert_eq!(sent.outcome, Err(Error::Errno(Errno::EINTR)));
        }
    }
}

#[test]
fn signals_by_the_thousand_in_a_stream() {
    let message = Message::new(0, 100_000, 0);
    let send = |sender: &UnixStream| {
        let (mut feeder, input) = pipe();
        let whole = message.whole.clone();
        let feeder = thread::spawn(move || feeder.write_all(&whole).unwrap());
        let mut buffer = [0; 4096];
        let mut copy = StreamCopy::new(Count::ToEnd, &mut buffer);
        assert_eq!(copy.send_all(fd(sender), fd(&input)), Ok(()));
        assert_eq!(copy.sent(), 100_000);
        feeder.join().unwrap();
        0
    };
    let (sender, receiver) = UnixStream::pair().unwrap();
    a_thousand_signals(sender, receiver, &message, send);
}

/// D11: the output takes nothing, or the file system states too small a size.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn d11_a_sendfile_of_0_is_not_the_end_where_a_read_finds_more() {
    in_a_thread(|| {
        let message = Message::new(0, 10_000, 0);
        message.file.set_len(Message::OFFSET + 10_000).unwrap();
        answer(&[SENDFILE], 0);
        for count in [Count::ToEnd, Count::Bytes(10_000)] {
            let start = || Transfer::new(Message::OFFSET, count, &[], &[]).unwrap().with_small(0);
            let (sender, receiver) = UnixStream::pair().unwrap();
            for mut transfer in [start(), start().with_output(Output::Layered)] {
                assert_eq!(message.send(&mut transfer, &sender, &mut []), Err(Error::Stuck), "{count:?}");
                assert_eq!(transfer.progress().total(), 0);
            }
            for mut transfer in [start(), start().with_output(Output::Layered)] {
                assert_eq!(message.send(&mut transfer, &sender, &mut [0; 777]), Ok(()), "{count:?}");
                message.assert_all_arrived(&available_bytes(&receiver), transfer.progress());
                assert_eq!(transfer.mechanisms(), Mechanisms { copy: 10_000, ..Mechanisms::default() });
            }
        }
    });
}

/// D10: a read that claims to have read more than it was asked for would send what was in the buffer before.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn d10_a_copy_sends_nothing_that_was_not_read() {
    let (sender, receiver) = UnixStream::pair().unwrap();
    let message = Message::new(0, 100, 10);
    // In 32 bits more than half of a word would be an error.
    for claimed in [101, 5000, u32::MAX as usize & isize::MAX as usize, isize::MAX as usize] {
        for mut transfer in [message.transfer().copying().with_small(0), message.transfer().copying()] {
            let (outcome, _) = seen(
                &[libc::SYS_pread64],
                |_| Some(claimed as i64),
                || message.send(&mut transfer, &sender, &mut [0; 2000]),
            );
            assert_eq!((outcome, transfer.progress().total()), (Err(Error::Errno(Errno::EIO)), 0), "{claimed}");
        }
    }
    assert!(available_bytes(&receiver).is_empty());
}

/// D12: also if it is the second read, of whole blocks.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn d12_eagain_of_a_read_of_blocks_is_the_inputs() {
    let (sender, _receiver) = UnixStream::pair().unwrap();
    let message = Message::new(0, 100, 0);
    let mut transfer = message.transfer().copying();
    let (status, calls) = seen(
        &[libc::SYS_pread64],
        |call| Some(-i64::from(if call.before == 0 { libc::EINVAL } else { libc::EAGAIN })),
        || message.poll(&mut transfer, &sender, &mut [0; 8192]),
    );
    assert_eq!((status, calls.len()), (Ok(Status::InEmpty), 2));
}

/// D9: a signal at the question whether the peer is gone is no answer to it.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn d9_an_interrupted_question_is_not_the_end_of_a_datagram_socket() {
    let (input, peer) = std::os::unix::net::UnixDatagram::pair().unwrap();
    set_nonblocking(&input);
    peer.send(b"").unwrap();
    let (out, _receiver) = UnixStream::pair().unwrap();
    in_a_thread(|| {
        refuse(&[libc::SYS_ppoll], Errno::EINTR);
        let mut copy = StreamCopy::new(Count::ToEnd, [0; 100]);
        assert_eq!(copy.poll_send(fd(&out), fd(&input)), Ok(Status::InEmpty));
    });
}
