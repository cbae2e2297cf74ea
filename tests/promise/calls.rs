//! What the promise costs, counted: segments with Nagle's algorithm off, and calls about options on a full socket.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread;

use bare_sendfile::{Count, Errno, IoSlice};

use super::common::faults::seccompiler::{
    self, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule,
};
use super::common::faults::{filter, refuse_option};
use super::common::streams::{Tick, deafen, ethernet, in_time, tcp_info};
use super::common::{self, in_a_thread, memfd, pattern, set_nonblocking, tcp, wait_writable};
use super::drive::{Driver, Pause, Response, drive};

/// So many bytes of a file from its start behind these headers.
fn response<'a>(driver: Driver, headers: &'a [IoSlice<'a>], file: u64) -> Response<'a> {
    Response {
        driver,
        offset: 0,
        count: Count::Bytes(file),
        headers,
        trailers: &[],
        buffer: 0,
        copying: false,
        cap: None,
        budget: None,
        output: None,
    }
}

/// Sends all of it on a blocking socket.
fn send(response: &Response<'_>, out: &TcpStream, file: &File) {
    assert_eq!(drive(response, out, file, &mut |_, _| {}).0, Ok(()), "{response:?}");
}

/// Segments that left before an acknowledgement came, and bytes that did not.
fn first_flight(bytes: &[u8], send: impl Fn(&TcpStream)) -> (u32, u32) {
    in_time(|| {
        let (sender, mut receiver) = ethernet();
        deafen(&sender, true);
        let start = Tick::next();
        send(&sender);
        let after = tcp_info(&sender);
        let in_time = start.is_before_timers();
        deafen(&sender, false);
        in_time.then(|| {
            assert!(common::receive(&mut receiver, bytes.len()) == bytes);
            (after.tcpi_data_segs_out, after.tcpi_notsent_bytes)
        })
    })
}

/// Ten segments may leave before the first acknowledgement: sixteen short ones cost a round trip that six whole ones do not.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user cuts TCP_INFO to four bytes")]
fn a_cap_below_a_segment_makes_no_more_segments_without_nagle() {
    let bytes = pattern(8200);
    let file = common::file(&bytes[200..]);
    let headers = [IoSlice::new(&bytes[..200])];
    let write = first_flight(&bytes, |mut sender| sender.write_all(&bytes).unwrap());
    assert_eq!(write, (6, 0));
    for driver in [Driver::SendAll, Driver::PollSend, Driver::Steps] {
        for cap in [500, 1000, 1448, 3000] {
            for (buffer, copying) in [(0, false), (300, false), (300, true), (9000, true)] {
                let response = Response { cap: Some(cap), buffer, copying, ..response(driver, &headers, 8000) };
                let by_steps = first_flight(&bytes, |sender| send(&response, sender, &file));
                assert_eq!(by_steps, write, "{driver:?}, cap {cap}, buffer {buffer}, copying: {copying}");
            }
        }
    }
}

/// Calls about options that the filter has caught.
static CAUGHT: AtomicUsize = AtomicUsize::new(0);

/// A sixth argument, which these calls have not, lets them pass.
const PASS: libc::c_long = 0x5eed_5eed;

/// Counts the call, and makes it.
extern "C" fn catch(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    CAUGHT.fetch_add(1, SeqCst);
    // SAFETY: the kernel gives the interrupted thread's registers, which nobody else uses now.
    let machine = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext };
    #[cfg(target_arch = "x86_64")]
    {
        let registers = &mut machine.gregs;
        let [a, b, c, d, e] = [libc::REG_RDI, libc::REG_RSI, libc::REG_RDX, libc::REG_R10, libc::REG_R8]
            .map(|register| registers[register as usize]);
        // SAFETY: these are the arguments of the call that was caught.
        let result = unsafe { again(registers[libc::REG_RAX as usize], [a, b, c, d, e]) };
        registers[libc::REG_RAX as usize] = result;
    }
    #[cfg(target_arch = "aarch64")]
    {
        let registers = &mut machine.regs;
        let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|register| registers[register] as i64);
        // SAFETY: as above.
        registers[0] = unsafe { again(registers[8] as i64, [a, b, c, d, e]) } as u64;
    }
    #[cfg(target_arch = "riscv64")]
    {
        let registers = &mut machine.__gregs;
        let [a, b, c, d, e] = [10, 11, 12, 13, 14].map(|register| registers[register] as i64);
        // SAFETY: as above.
        registers[10] = unsafe { again(registers[17] as i64, [a, b, c, d, e]) } as u64;
    }
}

/// Makes a system call with these arguments; what the kernel returns.
///
/// # Safety
///
/// That of the call.
unsafe fn again(number: i64, [a, b, c, d, e]: [i64; 5]) -> i64 {
    // SAFETY: the caller's.
    match unsafe { libc::syscall(number, a, b, c, d, e, PASS) } {
        -1 => -i64::from(std::io::Error::last_os_error().raw_os_error().unwrap()),
        result => result,
    }
}

/// From now on getsockopt and setsockopt of this thread are counted.
fn count_option_calls() {
    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = catch;
    // SAFETY: every field of it is an integer or a nullable function, for which zero is a value.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_SIGINFO;
    // SAFETY: the handler adds to an atomic and makes one system call, and the old action is not asked for.
    assert_eq!(unsafe { libc::sigaction(libc::SIGSYS, &action, std::ptr::null_mut()) }, 0);
    let not_passing = SeccompCondition::new(5, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, PASS as u64).unwrap();
    let rule = SeccompRule::new(vec![not_passing]).unwrap();
    let calls = [libc::SYS_getsockopt, libc::SYS_setsockopt].map(|call| (call, vec![rule.clone()]));
    seccompiler::apply_filter(&filter(calls, SeccompAction::Trap, SeccompAction::Allow)).unwrap();
}

/// What a full socket holds it sends as room comes, down to the last byte. The exception is a queue of next to no room, which one
/// piece of a sendfile fills; a transfer asks once whether it is one.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn a_full_socket_is_not_asked_for_options() {
    const LEN: u64 = 60 << 20;
    const OFFSET: u64 = 1000;
    let file = memfd(OFFSET + LEN);
    let (sender, mut receiver) = tcp();
    set_nonblocking(&sender);
    // It reads when the socket is full, and not before.
    let (full, is_full) = mpsc::channel();
    let reader = thread::spawn(move || {
        let (mut left, mut some) = (LEN as usize, vec![0; 3 << 20]);
        for () in is_full {
            let len = some.len().min(left);
            receiver.read_exact(&mut some[..len]).unwrap();
            left -= len;
        }
        while left > 0 {
            left -= receiver.read(&mut some).unwrap();
        }
    });
    let waits = thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let (mut waits, mut before, mut asked) = (0, 0, 0);
            let response = Response { offset: OFFSET, ..response(Driver::PollSend, &[], LEN) };
            let (outcome, sent) = drive(&response, &sender, &file, &mut |_, pause| {
                if waits == 0 && pause == Pause::OutFull {
                    count_option_calls(); // the first call of all has found out what the output is
                }
                let caught = CAUGHT.load(SeqCst);
                if pause == Pause::OutFull {
                    waits += 1;
                    asked += caught - before;
                }
                before = caught;
                if pause == Pause::Yielded {
                    return;
                }
                full.send(()).unwrap();
                wait_writable(&sender);
            });
            assert_eq!((outcome, sent), (Ok(()), LEN));
            let caught = CAUGHT.load(SeqCst);
            assert!(!sender.nodelay().unwrap());
            assert_eq!(CAUGHT.load(SeqCst), caught + 1, "the filter counts, and lets pass");
            assert_eq!(asked, 0, "calls about options for {waits} full sockets");
            waits
        });
        sending.join().unwrap()
    });
    drop(full);
    reader.join().unwrap();
    assert!(waits > 5, "{waits}");
}

/// Whoever cannot be asked whether Nagle's algorithm is on leaves it as it is: it is the caller's.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn a_refused_question_for_tcp_nodelay_leaves_it_as_it_is() {
    let bytes = pattern(70_200);
    let (headers, file) = ([IoSlice::new(&bytes[..200])], common::file(&bytes[200..]));
    for driver in [Driver::SendAll, Driver::PollSend, Driver::Steps, Driver::Dropped(usize::MAX)] {
        for nodelay in [false, true] {
            let (sender, mut receiver) = tcp();
            sender.set_nodelay(nodelay).unwrap();
            let response = Response { cap: Some(20_000), ..response(driver, &headers, 70_000) };
            in_a_thread(|| {
                refuse_option(libc::TCP_NODELAY, Errno::EPERM);
                send(&response, &sender, &file);
            });
            assert_eq!(sender.nodelay().unwrap(), nodelay, "{driver:?}");
            assert!(common::receive(&mut receiver, bytes.len()) == bytes);
        }
    }
}
