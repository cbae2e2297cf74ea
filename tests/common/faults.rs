//! Faults: system calls that are refused, signals.

use std::collections::BTreeMap;
use std::os::unix::thread::JoinHandleExt;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bare_sendfile::Errno;

use super::{HANGS, in_a_thread};

/// The crate has nothing for big-endian processors. The suite runs under qemu-user there, which has no seccomp.
#[cfg(target_endian = "little")]
pub use ::seccompiler;
#[cfg(target_endian = "big")]
#[path = "seccompiler.rs"]
pub mod seccompiler;
use self::seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

/// The number of a system call as seccompiler has it.
#[allow(clippy::unnecessary_cast)] // on 64 bits a c_long is an i64 already
fn rule_number(call: libc::c_long) -> i64 {
    call as i64
}

/// A filter of these rules for each number. Where seccompiler does not know the processor it is that of x86_64, of which only the
/// processor's own number is another on those that are little-endian as well.
pub fn filter(
    rules: impl IntoIterator<Item = (libc::c_long, Vec<SeccompRule>)>,
    listed: SeccompAction,
    others: SeccompAction,
) -> BpfProgram {
    let rules: BTreeMap<i64, _> = rules.into_iter().map(|(call, rules)| (rule_number(call), rules)).collect();
    // Of <linux/audit.h>.
    let number = match std::env::consts::ARCH {
        "arm" => Some(0x4000_0028_u32),
        "x86" => Some(0x4000_0003),
        "powerpc64" => Some(0xc000_0015),
        "loongarch64" => Some(0xc000_0102),
        _ => None,
    };
    let arch: TargetArch = number.map_or(std::env::consts::ARCH, |_| "x86_64").try_into().unwrap();
    #[cfg_attr(target_endian = "big", expect(unused_mut))] // see above
    let mut program: BpfProgram = SeccompFilter::new(rules, others, listed, arch).unwrap().try_into().unwrap();
    #[cfg(target_endian = "little")]
    if let Some(number) = number {
        assert_eq!(program[1].k, 0xc000_003e, "what compares the processor");
        program[1].k = number;
    }
    program
}

fn plain(calls: &[libc::c_long]) -> impl Iterator<Item = (libc::c_long, Vec<SeccompRule>)> {
    calls.iter().map(|&call| (call, vec![]))
}

/// From now on these system calls of the calling thread fail with this error. There is no way back.
pub fn refuse(calls: &[libc::c_long], errno: Errno) {
    answer(calls, errno.raw_os_error());
}

/// The same for any number, 0 included.
pub fn answer(calls: &[libc::c_long], errno: i32) {
    seccompiler::apply_filter(&answering(calls, errno)).unwrap();
}

/// The filter for that.
pub fn answering(calls: &[libc::c_long], errno: i32) -> BpfProgram {
    filter(plain(calls), SeccompAction::Errno(errno as u32), SeccompAction::Allow)
}

/// Runs `body` in a thread of its own where these system calls fail with this error.
pub fn refused<T: Send>(calls: &[libc::c_long], errno: Errno, body: impl FnOnce() -> T + Send) -> T {
    in_a_thread(|| {
        refuse(calls, errno);
        body()
    })
}

/// From now on the calling thread cannot ask for this option of TCP's: getsockopt fails with this error.
pub fn refuse_option(option: libc::c_int, errno: Errno) {
    let is = |argument, value: libc::c_int| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value as u64).unwrap()
    };
    let asked = SeccompRule::new(vec![is(1, libc::IPPROTO_TCP), is(2, option)]).unwrap();
    let refused = SeccompAction::Errno(errno.raw_os_error() as u32);
    let filter = filter([(libc::SYS_getsockopt, vec![asked])], refused, SeccompAction::Allow);
    seccompiler::apply_filter(&filter).unwrap();
}

/// From now on no file grows beyond this size when this process writes to it (RLIMIT_FSIZE).
pub fn limit_file_size(bytes: libc::rlim_t) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the kernel reads `limit`.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) }, 0);
}

/// A filter that ends the process at any other system call than these.
pub fn allowlist(calls: &[libc::c_long]) -> BpfProgram {
    filter(plain(calls), SeccompAction::Allow, SeccompAction::KillProcess)
}

/// How often the handler of SIGUSR1 ran.
static INTERRUPTIONS: AtomicUsize = AtomicUsize::new(0);

/// The calling thread, for [`interrupt`].
pub fn thread_id() -> libc::pid_t {
    // SAFETY: it touches no memory.
    unsafe { libc::gettid() }
}

/// Lets SIGUSR1 interrupt system calls: a handler without SA_RESTART.
pub fn catch_signals() {
    extern "C" fn handler(_: libc::c_int) {
        INTERRUPTIONS.fetch_add(1, SeqCst);
    }
    let handler: extern "C" fn(libc::c_int) = handler;
    // SAFETY: every field of it is an integer or a nullable function, for which zero is a value.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    // SAFETY: the handler only adds to an atomic, and the old action is not asked for.
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()) }, 0);
}

/// Sends SIGUSR1 to a thread of this process and waits until its handler has run; false if the thread is gone.
pub fn interrupt(thread: libc::pid_t) -> bool {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let before = INTERRUPTIONS.load(SeqCst);
    let start = Instant::now();
    let mut alive = kill(thread, libc::SIGUSR1);
    while alive && INTERRUPTIONS.load(SeqCst) == before {
        assert!(start.elapsed() < HANGS, "no signal came to thread {thread}");
        thread::yield_now();
        alive = kill(thread, 0);
    }
    alive
}

/// False if there is no such thread in this process.
fn kill(thread: libc::pid_t, signal: libc::c_int) -> bool {
    // SAFETY: it touches no memory of this process.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, signal) == 0 }
}

/// Sends SIGUSR1 to the thread, where it interrupts a system call, until it ends: the first may come too early.
pub fn interrupt_until_finished<T>(thread: JoinHandle<T>) -> T {
    catch_signals();
    let start = Instant::now();
    while !thread.is_finished() {
        assert!(start.elapsed() < HANGS, "no signal stops it");
        // SAFETY: the thread is not joined yet, so its id is valid.
        // (libc has another type for it than std, where the C library is musl.)
        unsafe { libc::pthread_kill(thread.as_pthread_t() as _, libc::SIGUSR1) };
        thread::sleep(Duration::from_millis(1)); // between two signals
    }
    thread.join().unwrap()
}

/// Whether the thread sleeps in the kernel, or is gone.
pub fn is_asleep(thread: libc::pid_t) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat"));
    // The name, in parentheses, may hold anything.
    stat.map_or(true, |stat| stat.rsplit_once(") ").unwrap().1.starts_with('S'))
}

/// Waits until it does.
pub fn wait_asleep(thread: libc::pid_t) {
    let start = Instant::now();
    while !is_asleep(thread) {
        assert!(start.elapsed() < HANGS, "thread {thread} never slept");
        thread::yield_now();
    }
}
