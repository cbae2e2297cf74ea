//! `SigpipeGuard` and `ignore_sigpipe`, in processes where SIGPIPE has its default action, which is to end them. (The runtime of Rust's std
//! ignores the signal, so no other test sees it.)
#![cfg(target_os = "linux")]

mod common;

use std::fs::File;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use bare_sendfile::{Count, Errno, Error, IoSlice, SigpipeGuard, StreamCopy, ignore_sigpipe, sendfile};
use common::faults::{answering, seccompiler};
use common::sent::send_file;
use common::{fd, file, in_child, pipe, tcp, unread};

/// Runs `body` in a child where SIGPIPE has its default action, and where no other thread takes it.
fn with_default_action(body: impl FnOnce() -> u8) -> ExitStatus {
    in_child(|| {
        unblock_all();
        // SAFETY: the default action runs no code of this process.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        body()
    })
}

/// Runs before `main`: every thread begins with SIGPIPE blocked, also that of the harness.
#[used]
#[unsafe(link_section = ".init_array")]
static AT_THE_START: extern "C" fn() = block_sigpipe;

/// Signals as bits, signal 1 the lowest.
fn bits(get: impl FnOnce(*mut libc::sigset_t) -> libc::c_int) -> u64 {
    let mut set = std::mem::MaybeUninit::uninit();
    if get(set.as_mut_ptr()) != 0 {
        return u64::MAX;
    }
    // SAFETY: `get` has filled it.
    let set = unsafe { set.assume_init() };
    // SAFETY: it only reads the set.
    (1..=64).filter(|&signal| unsafe { libc::sigismember(&set, signal) } == 1).fold(0, |bits, n| bits | 1 << (n - 1))
}

fn mask() -> u64 {
    // SAFETY: a null set changes nothing; the old one is writable.
    bits(|old| unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), old) })
}

fn pending() -> u64 {
    // SAFETY: the set is writable.
    bits(|set| unsafe { libc::sigpending(set) })
}

const SIGPIPE: u64 = 1 << (libc::SIGPIPE - 1);

extern "C" fn block_sigpipe() {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: sigemptyset fills the set, which the others change and read.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut());
    }
}

fn unblock_all() {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: sigemptyset fills the set, which the other reads.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, set.as_ptr(), std::ptr::null_mut());
    }
}

/// A call with its name, and what it returns.
type Call<'a> = (&'static str, Box<dyn Fn() -> Option<Errno> + 'a>);

/// Outputs that nobody reads.
struct Broken {
    input: File,
    pipe: File,
    unix: UnixStream,
    shut: TcpStream,
    stream: File,
}

impl Broken {
    fn new() -> Self {
        let (pipe, unix, shut) = (unread(pipe), unread(|| UnixStream::pair().unwrap()), unread(tcp));
        shut.shutdown(std::net::Shutdown::Write).unwrap();
        let input = file(&[1; 10_000]);
        let (mut feeder, stream) = common::pipe();
        std::io::Write::write_all(&mut feeder, b"some bytes").unwrap();
        Self { input, pipe, unix, shut, stream }
    }

    /// The calls that raise SIGPIPE.
    fn calls(&self) -> [Call<'_>; 6] {
        let sendfile = |out| sendfile(out, fd(&self.input), Some(&mut 0), 10).err();
        let header = [IoSlice::new(b"header")];
        [
            ("sendfile to a pipe", Box::new(move || sendfile(fd(&self.pipe)))),
            ("sendfile to a unix socket", Box::new(move || sendfile(fd(&self.unix)))),
            ("sendfile to a TCP socket", Box::new(move || sendfile(fd(&self.shut)))),
            (
                "writev to a pipe",
                Box::new(move || {
                    let (out, input) = (fd(&self.pipe), fd(&self.input));
                    send_file(out, input, 0, 10, &header, &[], &mut []).outcome.err().map(Error::errno)
                }),
            ),
            (
                "splice to a pipe",
                Box::new(|| {
                    let mut copy = StreamCopy::new(Count::ToEnd, &mut []);
                    copy.send_all(fd(&self.pipe), fd(&self.stream)).err().map(Error::errno)
                }),
            ),
            (
                "writev of a stream to a unix socket",
                Box::new(|| {
                    let mut buffer = [0; 10];
                    let mut copy = StreamCopy::new(Count::ToEnd, &mut buffer);
                    copy.send_all(fd(&self.unix), fd(&self.input)).err().map(Error::errno)
                }),
            ),
        ]
    }
}

#[test]
fn without_a_guard_the_process_is_ended() {
    let broken = Broken::new();
    for (name, call) in broken.calls() {
        let status = with_default_action(|| {
            call();
            0
        });
        assert_eq!(status.signal(), Some(libc::SIGPIPE), "{name}: {status}");
    }
}

/// F1: the signal comes beside the error, not instead of it.
#[test]
fn a_guard_keeps_the_signal_off_and_leaves_nothing() {
    let broken = Broken::new();
    for (name, call) in broken.calls() {
        let status = with_default_action(|| {
            let before = mask();
            for _ in 0..3 {
                let Ok(guard) = SigpipeGuard::new() else { return 1 };
                // Twice: the second signal finds the first one pending.
                if call() != Some(Errno::EPIPE) || call() != Some(Errno::EPIPE) {
                    return 2;
                }
                if pending() & SIGPIPE == 0 {
                    return 3; // it was not raised, and nothing was shown
                }
                drop(guard);
                if pending() != 0 || mask() != before {
                    return 4;
                }
            }
            0
        });
        assert_eq!(status.code(), Some(0), "{name}: {status}");
    }
}

/// F1: what was pending is gone, and nothing becomes pending.
#[test]
fn a_process_that_ignores_it_goes_on() {
    let broken = Broken::new();
    for (name, call) in broken.calls() {
        let status = with_default_action(|| {
            block_sigpipe();
            // SAFETY: a blocked signal runs no code.
            unsafe { libc::raise(libc::SIGPIPE) };
            if ignore_sigpipe().is_err() || pending() != 0 {
                return 1;
            }
            unblock_all();
            (call() != Some(Errno::EPIPE) || call() != Some(Errno::EPIPE)).into()
        });
        assert_eq!(status.code(), Some(0), "{name}: {status}");
    }
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn that_it_cannot_be_ignored_is_told() {
    common::faults::refused(&[libc::SYS_rt_sigaction], Errno::EPERM, || {
        assert_eq!(ignore_sigpipe(), Err(Errno::EPERM));
    });
}

/// C14: MSG_NOSIGNAL.
#[test]
fn headers_and_trailers_to_a_socket_raise_none() {
    let broken = Broken::new();
    let header = [IoSlice::new(b"header")];
    for socket in [fd(&broken.unix), fd(&broken.shut)] {
        let status = with_default_action(|| {
            let sent = send_file(socket, fd(&broken.input), 0, 10, &header, &[], &mut []);
            let trailer = send_file(socket, fd(&broken.input), 0, 0, &[], &header, &mut []);
            let copied = send_file(socket, fd(&broken.input), 0, 10, &[], &header, &mut [0; 100]);
            [sent, trailer, copied].iter().any(|sent| sent.outcome != Err(Error::Errno(Errno::EPIPE))).into()
        });
        assert_eq!(status.code(), Some(0), "{status}");
    }
}

/// After a reset, ECONNRESET comes once and quietly, then EPIPE with the signal.
#[test]
fn after_a_reset() {
    for guarded in [false, true] {
        let (sender, receiver) = tcp();
        rustix::net::sockopt::set_socket_linger(&receiver, Some(std::time::Duration::ZERO)).unwrap();
        drop(receiver); // with nothing to wait for: a reset
        let input = file(&[1; 100]);
        let status = with_default_action(|| {
            let guard = if guarded { Some(SigpipeGuard::new()) } else { None };
            let send = || sendfile(fd(&sender), fd(&input), Some(&mut 0), 10);
            if send() != Err(Errno::ECONNRESET) || pending() != 0 {
                return 1;
            }
            if send() != Err(Errno::EPIPE) || !guarded {
                return 2;
            }
            drop(guard);
            (pending() != 0).into()
        });
        let expected = if guarded { (Some(0), None) } else { (None, Some(libc::SIGPIPE)) };
        assert_eq!((status.code(), status.signal()), expected, "{status}");
    }
}

/// Whether sendfile to a pipe without a reader fails with EPIPE under a guard, which is dropped then.
fn fails_under_a_guard(broken: &Broken) -> bool {
    let Ok(_guard) = SigpipeGuard::new() else { return false };
    sendfile(fd(&broken.pipe), fd(&broken.input), Some(&mut 0), 10) == Err(Errno::EPIPE)
}

/// What was blocked stays blocked, and what was pending stays pending: to the thread and to the process.
#[test]
fn what_was_there_before_stays() {
    let broken = Broken::new();
    let blocked = with_default_action(|| {
        block_sigpipe();
        (!fails_under_a_guard(&broken) || mask() != SIGPIPE || pending() != 0).into()
    });
    assert_eq!(blocked.code(), Some(0), "{blocked}");
    for to_the_process in [false, true] {
        let status = with_default_action(|| {
            block_sigpipe();
            if to_the_process {
                // SAFETY: a blocked signal runs no code.
                unsafe { libc::kill(libc::getpid(), libc::SIGPIPE) };
            } else {
                // SAFETY: the same.
                unsafe { libc::raise(libc::SIGPIPE) };
            }
            if !fails_under_a_guard(&broken) || mask() != SIGPIPE || pending() != SIGPIPE {
                return 1;
            }
            unblock_all();
            2
        });
        assert_eq!(status.signal(), Some(libc::SIGPIPE), "{status}");
    }
}

#[test]
fn guards_nest() {
    let broken = Broken::new();
    let send = || sendfile(fd(&broken.pipe), fd(&broken.input), Some(&mut 0), 10) == Err(Errno::EPIPE);
    for raised_between in [false, true] {
        let status = with_default_action(|| {
            let before = mask();
            let Ok(outer) = SigpipeGuard::new() else { return 1 };
            if raised_between && !send() {
                return 2;
            }
            let Ok(inner) = SigpipeGuard::new() else { return 1 };
            if !send() {
                return 2;
            }
            drop(inner);
            // The outer one is still in force.
            if mask() & SIGPIPE == 0 || !send() {
                return 3;
            }
            drop(outer);
            (pending() != 0 || mask() != before).into()
        });
        assert_eq!(status.code(), Some(0), "{status}");
    }
}

/// Only SIGPIPE is kept off.
#[test]
fn other_signals_arrive() {
    let status = with_default_action(|| {
        let _guard = SigpipeGuard::new();
        // SAFETY: the default action of SIGTERM ends the process, which is the test.
        unsafe { libc::raise(libc::SIGTERM) };
        0
    });
    assert_eq!(status.signal(), Some(libc::SIGTERM), "{status}");
}

/// A filter that refuses the second call of `new` leaves the mask as it was.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn a_guard_that_is_refused_changes_nothing() {
    for call in [libc::SYS_rt_sigprocmask, libc::SYS_rt_sigpending] {
        common::faults::refused(&[call], Errno::EPERM, || {
            let blocked = || {
                let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
                status.lines().find(|line| line.starts_with("SigBlk")).unwrap().to_owned()
            };
            let before = blocked();
            assert_eq!(SigpipeGuard::new().unwrap_err(), Errno::EPERM);
            assert_eq!(blocked(), before);
        });
    }
}

/// A filter that refuses to tell what is pending: a SIGPIPE of the caller's own stays, and ends the process once it is let through.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn a_guard_that_is_refused_takes_no_signal_out() {
    let filter = answering(&[libc::SYS_rt_sigpending], libc::EPERM);
    let status = with_default_action(|| {
        block_sigpipe();
        // SAFETY: a blocked signal runs no code.
        unsafe { libc::raise(libc::SIGPIPE) };
        if seccompiler::apply_filter(&filter).is_err() {
            return 1;
        }
        if SigpipeGuard::new().err() != Some(Errno::EPERM) || mask() != SIGPIPE {
            return 2;
        }
        unblock_all();
        3
    });
    assert_eq!(status.signal(), Some(libc::SIGPIPE), "{status}");
}

/// A filter that refuses to take the signal out: it stays blocked, and the process lives.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn a_signal_that_cannot_be_taken_out_stays_blocked() {
    let broken = Broken::new();
    let filter = answering(&[libc::SYS_rt_sigtimedwait], libc::EPERM);
    let status = with_default_action(|| {
        let filtered = seccompiler::apply_filter(&filter).is_ok();
        (!filtered || !fails_under_a_guard(&broken) || mask() & SIGPIPE == 0).into()
    });
    assert_eq!(status.code(), Some(0), "{status}");
}
