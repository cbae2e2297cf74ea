//! System calls of one thread, each told to another one, which lets it go on or answers in the kernel's place: a seccomp notifier.

use std::mem::{offset_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::mpsc;
use std::thread;

use super::HANGS;

// Of include/uapi/linux/seccomp.h. `libc` has the structures.
const RECV: libc::c_ulong = request(0, size_of::<libc::seccomp_notif>());
const SEND: libc::c_ulong = request(1, size_of::<libc::seccomp_notif_resp>());

/// `_IOWR('!', number, len)`.
const fn request(number: usize, len: usize) -> libc::c_ulong {
    (3 << 30 | len << 16 | (b'!' as usize) << 8 | number) as libc::c_ulong
}

/// One call: its number, its arguments, and how many of its kind came before.
pub struct Call {
    pub number: libc::c_long,
    pub arguments: [u64; 6],
    pub before: usize,
}

/// Runs `body` in a thread of its own and tells which of `calls` it made, in order. `answer` says what each returns; `None`
/// lets the kernel do it. Linux 5.5 or later.
pub fn seen<T: Send>(
    calls: &[libc::c_long],
    mut answer: impl FnMut(&Call) -> Option<i64>,
    body: impl FnOnce() -> T + Send,
) -> (T, Vec<libc::c_long>) {
    let mut seen = Vec::new();
    let (tell, listener) = mpsc::channel();
    let result = thread::scope(|scope| {
        let thread = scope.spawn(move || {
            tell.send(listen(calls)).unwrap();
            body()
        });
        let listener = listener.recv().unwrap();
        while let Some(notice) = receive(&listener) {
            let number = libc::c_long::from(notice.data.nr);
            let before = seen.iter().filter(|&&other| other == number).count();
            seen.push(number);
            respond(&listener, notice.id, answer(&Call { number, arguments: notice.data.args, before }));
        }
        thread.join().unwrap()
    });
    (result, seen)
}

/// From now on these calls of the calling thread wait for the descriptor's owner.
fn listen(calls: &[libc::c_long]) -> OwnedFd {
    let filter = |code, jf, k| libc::sock_filter { code: code as u16, jt: 0, jf, k };
    let answer = |k| filter(libc::BPF_RET | libc::BPF_K, 0, k);
    let mut program =
        vec![filter(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, offset_of!(libc::seccomp_data, nr) as u32)];
    for &call in calls {
        // Equal: fall through to the notice; else: over it.
        let is = filter(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, call as u32);
        program.extend([is, answer(libc::SECCOMP_RET_USER_NOTIF)]);
    }
    program.push(answer(libc::SECCOMP_RET_ALLOW));
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the kernel copies the program. The number that comes back is a descriptor that nobody else knows.
    unsafe {
        let none: libc::c_ulong = 0;
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1 as libc::c_ulong, none, none, none), 0);
        let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
        let listener = libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program);
        assert!(listener >= 0, "{}", std::io::Error::last_os_error());
        OwnedFd::from_raw_fd(listener as i32)
    }
}

/// The next call; `None` when the thread is gone.
fn receive(listener: &OwnedFd) -> Option<libc::seccomp_notif> {
    loop {
        let mut poll = libc::pollfd { fd: listener.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: it is one.
        let ready = unsafe { libc::poll(&mut poll, 1, HANGS.as_millis() as libc::c_int) };
        assert_ne!(ready, 0, "no system call and no end");
        if poll.revents & libc::POLLIN == 0 && poll.revents != 0 {
            return None;
        }
        // SAFETY: it consists of integers, and the kernel wants zeroes.
        let mut notice: libc::seccomp_notif = unsafe { zeroed() };
        // SAFETY: the kernel writes one notice.
        if unsafe { libc::ioctl(listener.as_raw_fd(), RECV as _, &raw mut notice) } == 0 {
            return Some(notice);
        }
    }
}

fn respond(listener: &OwnedFd, id: u64, answer: Option<i64>) {
    let (val, flags) = match answer {
        Some(val) => (val, 0),
        None => (0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
    };
    let (val, error) = if val < 0 { (0, val as i32) } else { (val, 0) };
    let mut response = libc::seccomp_notif_resp { id, val, error, flags };
    // SAFETY: the kernel reads one response. (It fails if a signal has ended the call meanwhile.)
    unsafe { libc::ioctl(listener.as_raw_fd(), SEND as _, &raw mut response) };
}
