//! The table of system calls in the crate's documentation: functions make no call that it does not list, and it lists none that they do not make.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::Write;
use std::mem::ManuallyDrop;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use bare_sendfile::{
    Count, Errno, Error, FlushOnDrop, IoSlice, Output, PipeCopy, SfFlags, SigpipeGuard, Status, StreamCopy, Transfer,
    available, ignore_sigpipe, sendfile, sendfile_all,
};

mod common;
use common::faults::{allowlist, seccompiler};
use common::sent::{send_file, sendfile_hdtr};
use common::streams::{set_option, unix};
use common::{fd, in_child, memfd, pipe, tcp};

const HEADER: &[IoSlice<'_>] = &[IoSlice::new(b"header")];
const TRAILER: &[IoSlice<'_>] = &[IoSlice::new(b"trailer")];

/// What the rows of the table that begin so say.
fn listed(rows: &[&str]) -> Vec<&'static str> {
    let calls = rows.iter().flat_map(|row| {
        let line = include_str!("../src/lib.rs").lines().find_map(|line| line.strip_prefix(&format!("//! | {row}")));
        let line = line.unwrap_or_else(|| panic!("no row {row}"));
        let (_, line) = line.split_once(" | ").unwrap();
        let (column, _) = line.split_once(" |").unwrap();
        column.split('`').skip(1).step_by(2)
    });
    calls.collect()
}

fn number(name: &str) -> libc::c_long {
    match name {
        "close" => libc::SYS_close,
        "fadvise64" => common::FADVISE,
        "fcntl" => common::FCNTL,
        "getsockopt" => libc::SYS_getsockopt,
        "ioctl" => libc::SYS_ioctl,
        "lseek" => common::LSEEK.0,
        "pipe2" => libc::SYS_pipe2,
        "ppoll" => libc::SYS_ppoll,
        "pread64" => libc::SYS_pread64,
        "preadv2" => libc::SYS_preadv2,
        "read" => libc::SYS_read,
        "rt_sigaction" => libc::SYS_rt_sigaction,
        "rt_sigpending" => libc::SYS_rt_sigpending,
        "rt_sigprocmask" => libc::SYS_rt_sigprocmask,
        "rt_sigtimedwait" => libc::SYS_rt_sigtimedwait,
        "sendfile" => common::SENDFILE,
        "sendmsg" => libc::SYS_sendmsg,
        "setsockopt" => libc::SYS_setsockopt,
        "splice" => libc::SYS_splice,
        "statx" => libc::SYS_statx,
        "writev" => libc::SYS_writev,
        _ => panic!("what is {name}?"),
    }
}

/// What the calls are tried on, anew for each child.
struct Files {
    input: File,
    tcp: TcpStream,
    peer: TcpStream,
    /// A connection that has room for little, and waits for more for a limited time.
    narrow: (TcpStream, TcpStream),
    memfd: File,
    /// sendfile refuses it as output.
    append: File,
    pipe: File,
    pipe_end: File,
    /// A socket of messages with one message in it, and nobody at the other end.
    message: File,
    /// A transfer whose header was sent to `tcp` with "more follows".
    begun: Transfer,
}

impl Files {
    fn new() -> Self {
        let (input, (tcp, mut peer), narrow) = (memfd(3 << 20), tcp(), tcp());
        set_option(&narrow.0, libc::SOL_SOCKET, libc::SO_SNDBUF, &(1_i32 << 17)).unwrap();
        narrow.0.set_write_timeout(Some(Duration::from_millis(9))).unwrap();
        let append = tempfile::tempfile().unwrap();
        rustix::fs::fcntl_setfl(&append, rustix::fs::OFlags::APPEND).unwrap();
        let (mut pipe_end, pipe) = pipe();
        pipe_end.write_all(&[b'x'; 100]).unwrap();
        let (mut sender, message) = unix(libc::SOCK_SEQPACKET);
        sender.write_all(b"message").unwrap();
        drop(sender);
        peer.write_all(&[b'x'; 100]).unwrap();

        let mut begun = Transfer::new(0, 4, HEADER, &[]).unwrap();
        while begun.progress().headers == 0 {
            let step = begun.next_step(HEADER, &[], 0).unwrap();
            begun.perform(&step, fd(&tcp), fd(&input), &mut []).unwrap();
        }
        assert!(begun.flush_owed());
        Self { input, tcp, peer, narrow, memfd: memfd(0), append, pipe, pipe_end, message, begun }
    }
}

type Body<'a> = &'a dyn Fn(&Files) -> bool;

/// Runs `body` in a child that ends with SIGSYS at any other call than these. It exits with 0 if `body` returns true.
fn with_only(calls: &[&str], body: Body<'_>) -> ExitStatus {
    let numbers: Vec<_> = calls.iter().map(|name| number(name)).chain([libc::SYS_exit_group]).collect();
    let filter = allowlist(&numbers);
    in_child(|| {
        let files = ManuallyDrop::new(Files::new()); // to close them is another system call
        // SAFETY: it touches no memory. SIGSYS leaves no core behind then.
        let no_core = unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0 as libc::c_ulong) } == 0;
        u8::from(!(no_core && seccompiler::apply_filter(&filter).is_ok() && body(&files)))
    })
}

/// Each of `bodies` needs only what the rows list; and of that each call is needed by one of them.
#[track_caller]
fn check(rows: &[&str], bodies: &[Body<'_>]) {
    let calls = listed(rows);
    assert!(!calls.is_empty());
    for (index, body) in bodies.iter().enumerate() {
        let ended = with_only(&calls, body);
        assert_eq!(ended.code(), Some(0), "{rows:?}: body {index}: {ended}");
    }
    for call in &calls {
        let without: Vec<_> = calls.iter().copied().filter(|other| other != call).collect();
        let needed = bodies.iter().any(|body| with_only(&without, body).signal() == Some(libc::SIGSYS));
        assert!(needed, "{rows:?}: nothing calls {call}");
    }
}

const SENDS: &str = "[`sendfile_all`], [`sendfile_hdtr_all`]";
const READS: &str = "… all these, and `sendfile_hdtr`, if there is a buffer";
const LAYERED: &str = "… all these, and `sendfile_hdtr`, to kTLS";

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user does not emulate seccomp")]
fn of_the_first_form() {
    check(&["[`sendfile`]"], &[&|files| sendfile(fd(&files.memfd), fd(&files.input), None, 9) == Ok(9)]);
    check(&["[`available`]"], &[&|_| available().is_ok()]);
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user does not emulate seccomp")]
fn of_the_second_form() {
    fn hdtr(out: &impl AsRawFd, files: &Files, len: u64, flags: SfFlags) -> bool {
        let sent = sendfile_hdtr(fd(out), fd(&files.input), 0, len, HEADER, TRAILER, flags);
        sent.outcome.is_ok() && sent.total() == len + 13
    }
    let name = "[`sendfile_hdtr`]";
    let readahead = SfFlags::USER_READAHEAD.with_readahead(1).unwrap();
    for (row, flags, len) in [
        (None, SfFlags::empty(), 100),
        (Some("… with [`SfFlags::NODISKIO`]"), SfFlags::NODISKIO, 100),
        (Some("… with [`SfFlags::USER_READAHEAD`] or [`SfFlags::NOCACHE`]"), readahead, 100),
        // It drops what an earlier step has sent.
        (Some("… with [`SfFlags::USER_READAHEAD`] or [`SfFlags::NOCACHE`]"), SfFlags::NOCACHE, 3 << 20),
    ] {
        let rows: Vec<_> = [name].into_iter().chain(row).collect();
        check(&rows, &[&|files| hdtr(&files.tcp, files, 100, flags), &|files| hdtr(&files.memfd, files, len, flags)]);
    }
    let stops = |files: &Files| {
        let sent = sendfile_hdtr(fd(&files.narrow.0), fd(&files.input), 0, 3 << 20, HEADER, TRAILER, SfFlags::empty());
        sent.outcome == Err(Errno::EAGAIN.into()) && sent.progress.file > 0
    };
    let none = SfFlags::empty();
    check(
        &[name, "… if a call to a socket sends less"],
        &[&stops, &|files| hdtr(&files.tcp, files, 100, none), &|files| hdtr(&files.memfd, files, 100, none)],
    );
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user does not emulate seccomp")]
fn of_the_drivers() {
    fn send(out: &impl AsRawFd, files: &Files, buffer: &mut [u8]) -> bool {
        let sent = send_file(fd(out), fd(&files.input), 0, 50_000, HEADER, TRAILER, buffer);
        sent.outcome.is_ok() && sent.total() == 50_013
    }
    check(&[SENDS], &[&|files| send(&files.tcp, files, &mut []), &|files| send(&files.memfd, files, &mut [])]);
    check(
        &[SENDS, READS],
        &[&|files| send(&files.tcp, files, &mut [0; 999]), &|files| send(&files.append, files, &mut [0; 999])],
    );

    fn to_the_end(out: &impl AsRawFd, files: &Files) -> bool {
        sendfile_all(fd(out), fd(&files.input), Some(3), Count::ToEnd).bytes().is_ok()
    }
    check(
        &[SENDS, READS],
        &[&|files| to_the_end(&files.memfd, files) && send(&files.tcp, files, &mut []), &|files| {
            send(&files.memfd, files, &mut [])
        }],
    );

    fn layered(transfer: Result<Transfer, Error>, files: &Files) -> bool {
        let mut transfer = transfer.unwrap().with_output(Output::Layered);
        transfer.send_all(fd(&files.tcp), fd(&files.input), HEADER, TRAILER, &mut []).is_ok()
    }
    let to_the_end = |files: &Files| layered(Transfer::new((3 << 20) - 100, Count::ToEnd, HEADER, TRAILER), files);
    let at_position = |files: &Files| layered(Transfer::from_position(100, HEADER, TRAILER), files);
    let copied = |files: &Files| {
        let mut transfer = Transfer::from_position(100, HEADER, TRAILER).unwrap().copying();
        transfer.send_all(fd(&files.tcp), fd(&files.input), HEADER, TRAILER, &mut [0; 999]).is_ok()
    };
    check(&[SENDS, READS, LAYERED], &[&to_the_end, &|files| send(&files.memfd, files, &mut [])]);
    check(
        &[SENDS, READS, LAYERED, "… if `pread64` or `statx` is needed"],
        &[&to_the_end, &at_position, &copied, &|files| send(&files.memfd, files, &mut [])],
    );
    check(
        &["[`Output::of`]"],
        &[&|files| {
            Output::of(fd(&files.tcp)) == Ok(Output::Tcp) && Output::of(fd(&files.pipe)) == Ok(Output::NotSocket)
        }],
    );
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user does not emulate seccomp")]
fn of_a_flush_on_drop() {
    check(
        &["[`FlushOnDrop`]"],
        &[&|files| {
            drop(FlushOnDrop::new(files.begun.clone(), fd(&files.tcp)));
            true
        }],
    );
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user does not emulate seccomp")]
fn of_a_copy_of_a_stream() {
    fn copy(out: &impl AsRawFd, input: &impl AsRawFd) -> bool {
        let mut buffer = [0; 10];
        let mut copy = StreamCopy::new(Count::Bytes(20), &mut buffer);
        copy.send_all(fd(out), fd(input)).is_ok() && copy.sent() == 20
    }
    fn to_the_end(out: &impl AsRawFd, input: &impl AsRawFd) -> bool {
        StreamCopy::new(Count::ToEnd, []).send_all(fd(out), fd(input)).is_ok()
    }
    fn poll(files: &Files) -> bool {
        let mut copy = StreamCopy::new(Count::ToEnd, []);
        copy.poll_send(fd(&files.peer), fd(&files.pipe)) == Ok(Status::InEmpty) && copy.sent() == 100
    }
    // A message and the end.
    fn messages(files: &Files) -> bool {
        to_the_end(&files.pipe_end, &files.message)
    }
    let bodies: [Body<'_>; 6] = [
        &|files| copy(&files.memfd, &files.pipe),
        &|files| copy(&files.memfd, &files.tcp),
        &|files| copy(&files.peer, &files.pipe),
        &|files| to_the_end(&files.pipe_end, &files.append),
        &poll,
        &messages,
    ];
    check(&["[`StreamCopy`]"], &bodies);
    let through_a_pipe = |files: &Files| {
        let Ok(mut copy) = PipeCopy::new(Count::Bytes(100)) else { return false };
        copy.send_all(fd(&files.memfd), fd(&files.tcp)).is_ok() && copy.sent() == 100
    };
    check(&["[`StreamCopy`]", "`PipeCopy`"], &[&[&through_a_pipe as Body<'_>], &bodies[..]].concat());
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user does not emulate seccomp")]
fn of_the_guard() {
    check(&["[`ignore_sigpipe`]"], &[&|_| ignore_sigpipe().is_ok()]);
    check(&["[`SigpipeGuard`]"], &[&|_| SigpipeGuard::new().map(drop).is_ok()]);
}

/// With `std` it is std's type and std's business.
#[test]
#[cfg(not(feature = "std"))]
#[cfg_attr(qemu_user, ignore = "qemu-user does not emulate seccomp")]
fn of_a_descriptor() {
    use bare_sendfile::fd::{FromRawFd, OwnedFd};

    check(
        &["[`fd::OwnedFd`]"],
        &[&|files| {
            // SAFETY: it is open, and this process, which ends without running destructors, closes it nowhere else.
            drop(unsafe { OwnedFd::from_raw_fd(files.memfd.as_raw_fd()) });
            true
        }],
    );
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user does not emulate seccomp")]
fn of_everything_else() {
    let ended = with_only(&[], &|_| {
        let mut transfer = Transfer::new(0, 10, HEADER, TRAILER).unwrap();
        transfer.next_step(HEADER, TRAILER, 0).is_ok()
            && transfer.identified(Ok(Output::Tcp)).is_ok()
            && transfer.flush().is_none()
    });
    assert_eq!(ended.code(), Some(0), "{ended}");
}
