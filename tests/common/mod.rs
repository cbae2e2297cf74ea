//! What the tests share. They run with and without the feature `std`: descriptors go through [`fd`].
#![allow(dead_code, unreachable_pub)] // each test uses a part

use std::cell::RefCell;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::panic::Location;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bare_sendfile::fd::BorrowedFd;
use bare_sendfile::{Count, IoSlice, Progress, Transfer};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::sockopt;
use sha2::{Digest, Sha256};

/// posix_fadvise(2) with 64-bit numbers.
#[cfg(all(target_os = "linux", target_arch = "arm"))]
pub const FADVISE: libc::c_long = libc::SYS_arm_fadvise64_64;
#[cfg(all(target_os = "linux", target_arch = "x86"))]
pub const FADVISE: libc::c_long = libc::SYS_fadvise64_64;
/// `libc` has no name for it there.
#[cfg(all(target_os = "linux", target_arch = "powerpc64"))]
pub const FADVISE: libc::c_long = 233;
#[cfg(all(target_os = "linux", target_pointer_width = "64", not(target_arch = "powerpc64")))]
pub const FADVISE: libc::c_long = libc::SYS_fadvise64;

/// Offset and length, of the arguments of [`FADVISE`].
#[cfg(target_os = "linux")]
pub fn fadvised(arguments: &[u64; 6]) -> (u64, u64) {
    let [_, first, second, third, fourth, last] = *arguments;
    match std::env::consts::ARCH {
        // The advice is before them.
        "arm" => (second | third << 32, fourth | last << 32),
        "x86" => (first | second << 32, third | fourth << 32),
        _ => (first, second),
    }
}

/// sendfile(2) with a 64-bit offset.
#[cfg(all(target_os = "linux", target_pointer_width = "32"))]
pub const SENDFILE: libc::c_long = libc::SYS_sendfile64;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub const SENDFILE: libc::c_long = libc::SYS_sendfile;

/// fcntl(2), of which this crate asks for flags alone.
#[cfg(all(target_os = "linux", target_pointer_width = "32"))]
pub const FCNTL: libc::c_long = libc::SYS_fcntl64;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub const FCNTL: libc::c_long = libc::SYS_fcntl;

/// lseek(2) with a 64-bit distance, and which of its arguments has the lower half of it.
#[cfg(all(target_os = "linux", target_pointer_width = "32"))]
pub const LSEEK: (libc::c_long, u8) = (libc::SYS__llseek, 2);
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub const LSEEK: (libc::c_long, u8) = (libc::SYS_lseek, 1);

#[cfg(target_os = "linux")]
pub mod calls;
#[cfg(target_os = "linux")]
pub mod faults;
#[cfg(target_os = "linux")]
pub mod netns;
pub mod sent;
#[cfg(target_os = "linux")]
pub mod streams;

/// Lends the descriptor of one of std's types as this crate's, which without the feature `std` is another type.
pub fn fd(file: &impl AsRawFd) -> BorrowedFd<'_> {
    // SAFETY: it is open, and stays so while `file` is borrowed.
    unsafe { BorrowedFd::borrow_raw(file.as_raw_fd()) }
}

/// Says that a test ends here without having checked what it is there for, and why. No test can tell the harness so: tests/all
/// and tests/kernel take these lines from what passed to what was skipped.
#[track_caller]
pub fn not_checked(why: impl Display) {
    let at = Location::caller();
    say(&format!("not checked: {}:{}: {why}", at.file(), at.line()));
}

/// Prints past the harness, which keeps back what passing tests print.
pub fn say(line: &str) {
    io::stdout().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Whatever waits longer hangs: an emulated machine takes seconds for what is a moment elsewhere.
pub const HANGS: Duration = Duration::from_secs(60);

/// A file that sendfile refuses and read does not. It is not in /proc/self, which qemu-user makes up.
pub const REFUSED: &str = "/proc/thread-self/cmdline";

/// Bytes of which any misplaced run shows: no two positions closer than 251 × 256 have the same neighbourhood.
pub fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8 ^ (i / 251) as u8).collect()
}

/// An anonymous temporary file with these bytes, at position 0.
pub fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file
}

/// /dev/null, open for writing.
pub fn null() -> File {
    File::options().write(true).open("/dev/null").unwrap()
}

/// All bytes of a file, whose position stays.
pub fn contents(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// Runs `body` in a thread of its own, whose filters end with it.
pub fn in_a_thread<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(body).join().unwrap())
}

/// A TCP connection over loopback: sender, receiver. Reads give up after [`HANGS`].
pub fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (receiver, _) = listener.accept().unwrap();
    receiver.set_read_timeout(Some(HANGS)).unwrap();
    (sender, receiver)
}

/// The same, with buffers of a fixed size, far below 1 MiB.
pub fn narrow_tcp() -> (TcpStream, TcpStream) {
    let (sender, receiver) = tcp();
    sockopt::set_socket_send_buffer_size(&sender, 64 << 10).unwrap();
    sockopt::set_socket_recv_buffer_size(&receiver, 64 << 10).unwrap();
    (sender, receiver)
}

/// Exactly so many bytes.
pub fn receive(from: &mut impl Read, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    from.read_exact(&mut bytes).unwrap();
    bytes
}

/// All bytes to the end, read in a thread of its own.
pub fn drain(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

/// What is there to be read without waiting. The descriptor is blocking before and after.
pub fn available_bytes(from: &impl AsRawFd) -> Vec<u8> {
    let from = fd_of_std(from);
    let mut bytes = Vec::new();
    let mut some = [0; 65_536];
    rustix::io::ioctl_fionbio(from, true).unwrap();
    loop {
        match rustix::io::read(from, &mut some) {
            Ok(0) | Err(rustix::io::Errno::AGAIN) => break,
            Ok(n) => bytes.extend_from_slice(&some[..n]),
            Err(error) => panic!("{error}"),
        }
    }
    rustix::io::ioctl_fionbio(from, false).unwrap();
    bytes
}

/// Waits until it can be read.
pub fn wait_readable(file: &impl AsRawFd) {
    wait_ready(file, PollFlags::IN);
}

/// Waits until it can be written to.
pub fn wait_writable(file: &impl AsRawFd) {
    wait_ready(file, PollFlags::OUT);
}

/// Waits until it is ready for this, or has an error or no other end.
pub fn wait_ready(file: &impl AsRawFd, flags: PollFlags) {
    let mut fds = [PollFd::from_borrowed_fd(fd_of_std(file), flags)];
    assert_eq!(poll(&mut fds, Some(&HANGS.try_into().unwrap())), Ok(1), "not ready: {flags:?}");
}

/// The descriptor as std's type, for rustix.
pub fn fd_of_std(file: &impl AsRawFd) -> std::os::fd::BorrowedFd<'_> {
    // SAFETY: it is open, and stays so while `file` is borrowed.
    unsafe { std::os::fd::BorrowedFd::borrow_raw(file.as_raw_fd()) }
}

/// A pipe: the end to write to, the end to read from.
#[cfg(target_os = "linux")]
pub fn pipe() -> (File, File) {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    (write.into(), read.into())
}

/// A terminal in raw mode: the terminal, and the side of its user.
#[cfg(target_os = "linux")]
pub fn tty() -> (File, File) {
    use rustix::fs::{Mode, OFlags};
    use rustix::pty::OpenptFlags;

    let user = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    rustix::pty::grantpt(&user).unwrap();
    rustix::pty::unlockpt(&user).unwrap();
    let name = rustix::pty::ptsname(&user, Vec::new()).unwrap();
    let terminal = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let mut raw = std::mem::MaybeUninit::<libc::termios>::zeroed();
    // SAFETY: all of its fields are integers, for which zero is a value, and the second call reads it.
    let set = unsafe {
        libc::cfmakeraw(raw.as_mut_ptr());
        libc::tcsetattr(terminal.as_raw_fd(), libc::TCSANOW, raw.as_ptr())
    };
    assert_eq!(set, 0);
    (terminal.into(), user.into())
}

/// Makes reads and writes fail with EAGAIN rather than wait, for the whole file description.
pub fn set_nonblocking(file: &impl AsRawFd) {
    rustix::io::ioctl_fionbio(fd_of_std(file), true).unwrap();
}

/// A header, a body and a trailer; the body lies in a file between bytes that must not be sent.
pub struct Message {
    /// All that is to be sent, in order.
    pub whole: Vec<u8>,
    header: usize,
    body: usize,
    pub file: File,
}

impl Message {
    /// Where the body begins in the file.
    pub const OFFSET: u64 = 1000;

    pub fn new(header: usize, body: usize, trailer: usize) -> Self {
        let whole = pattern(header + body + trailer);
        let (before, after) = ([0xee; Self::OFFSET as usize], [0xdd; 500]);
        let file = file(&[&before, &whole[header..header + body], &after].concat());
        Self { whole, header, body, file }
    }

    /// The header, in two slices.
    pub fn headers(&self) -> [IoSlice<'_>; 2] {
        halves(&self.whole[..self.header])
    }

    pub fn body(&self) -> &[u8] {
        &self.whole[self.header..self.header + self.body]
    }

    pub fn count(&self) -> Count {
        Count::Bytes(self.body as u64)
    }

    /// The trailer, in two slices.
    pub fn trailers(&self) -> [IoSlice<'_>; 2] {
        halves(&self.whole[self.header + self.body..])
    }

    pub fn transfer(&self) -> Transfer {
        Transfer::new(Self::OFFSET, self.count(), &self.headers(), &self.trailers()).unwrap()
    }

    /// What arrived is what was reported as sent, no more and no less, by SHA-256.
    #[track_caller]
    pub fn assert_arrived(&self, arrived: &[u8], progress: Progress) {
        assert_eq!(arrived.len() as u64, progress.total(), "{progress:?}");
        assert_eq!(sha256(arrived), sha256(&self.whole[..arrived.len()]));
        let headers = arrived.len().min(self.header);
        let file = (arrived.len() - headers).min(self.body);
        let trailers = arrived.len() - headers - file;
        let split = Progress { headers: headers as u64, file: file as u64, trailers: trailers as u64 };
        assert_eq!(progress, split);
    }

    /// The same, and it was all.
    #[track_caller]
    pub fn assert_all_arrived(&self, arrived: &[u8], progress: Progress) {
        self.assert_arrived(arrived, progress);
        assert_eq!(arrived.len(), self.whole.len());
    }
}

/// The transfer and what is lent to it: with a buffer it copies.
pub fn copying(transfer: Transfer, lent: usize) -> (Transfer, Vec<u8>) {
    (if lent > 0 { transfer.copying() } else { transfer }, vec![0; lent])
}

fn halves(bytes: &[u8]) -> [IoSlice<'_>; 2] {
    let (first, second) = bytes.split_at(bytes.len() / 3);
    [IoSlice::new(first), IoSlice::new(second)]
}

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The size of the largest file in memory: `i64::MAX`, but a kernel of 32 bits numbers pages by a word. It is the kernel that counts, which
/// may have 64 where the process has not.
#[cfg(target_os = "linux")]
pub fn largest_file() -> u64 {
    match memfd(0).set_len(i64::MAX as u64) {
        Ok(()) => i64::MAX as u64,
        Err(error) => {
            assert_eq!(error.raw_os_error(), Some(libc::EFBIG));
            // SAFETY: it touches no memory of this process.
            u64::from(u32::MAX) * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64
        }
    }
}

/// A sparse anonymous file in memory, which every kernel serves alike: its file system's largest offset is [`largest_file`].
#[cfg(target_os = "linux")]
pub fn memfd(len: u64) -> File {
    let file = File::from(rustix::fs::memfd_create("test", rustix::fs::MemfdFlags::CLOEXEC).unwrap());
    file.set_len(len).unwrap();
    file
}

/// Zeros, more than one call can send, in holes: they cost nothing in memory, but before 5.18 that filled them. On a disk the
/// cost is cache, which goes with the file.
#[cfg(target_os = "linux")]
pub fn zeros() -> File {
    let file = if linux() < (5, 18) { tempfile::tempfile().unwrap() } else { memfd(0) };
    file.set_len(5 << 30).unwrap();
    file
}

/// This thread shares its mounts with no other from now on.
#[cfg(target_os = "linux")]
pub fn mounts_of_its_own() -> io::Result<()> {
    // SAFETY: it touches no memory.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let private = rustix::mount::MountPropagationFlags::PRIVATE | rustix::mount::MountPropagationFlags::REC;
    Ok(rustix::mount::mount_change("/", private)?)
}

/// Mounts a file system that needs no device, and so no program mount(8).
#[cfg(target_os = "linux")]
pub fn mount_no_device(name: &str, at: impl AsRef<std::path::Path>, options: &str) -> io::Result<()> {
    let options = std::ffi::CString::new(options)?;
    Ok(rustix::mount::mount("none", at.as_ref(), name, rustix::mount::MountFlags::empty(), &*options)?)
}

/// The running kernel's version.
#[cfg(target_os = "linux")]
pub fn linux() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

/// The position of a file.
pub fn position(mut file: &File) -> u64 {
    file.stream_position().unwrap()
}

/// The answer of a call that no signal may shorten, such as that of another test's child that ends: nobody handles SIGCHLD here,
/// but qemu-user does. Another thread takes the signal.
pub fn undisturbed<T>(call: impl FnOnce() -> T) -> T {
    let mut all = std::mem::MaybeUninit::uninit();
    let mut former = std::mem::MaybeUninit::uninit();
    // SAFETY: both sets are writable, and `all` is filled before it is read.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), former.as_mut_ptr()), 0);
    }
    let answer = call();
    // SAFETY: the first call has filled `former`.
    assert_eq!(unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, former.as_ptr(), std::ptr::null_mut()) }, 0);
    answer
}

/// In the environment of a child: how those before it ended, as the system's numbers.
const CHILD: &str = "TEST_CHILDREN_BEFORE";

/// Held while a child lives.
static ONE_CHILD: Mutex<()> = Mutex::new(());

thread_local! {
    /// How the children of this test ended so far.
    static ENDED: RefCell<Vec<ExitStatus>> = const { RefCell::new(Vec::new()) };
}

/// An output that nobody can read any more: not even a child that is just being started, and has a copy of the other end until
/// it is another program.
pub fn unread<Out, End>(pair: impl FnOnce() -> (Out, End)) -> Out {
    let _none = ONE_CHILD.lock().unwrap_or_else(PoisonError::into_inner);
    pair().0
}

/// Runs `body` in a process of its own and returns how that ended. What `body` returns is the exit status.
///
/// A program with threads cannot fork: locks that other threads hold stay held in the copy. So the child is this test program,
/// started anew for this one test, which runs from its beginning: files, sockets and threads that were made before this call
/// are made again, and the child has those. It is told how the children before it ended. Beside the test's thread it has that of
/// the harness.
pub fn in_child(body: impl FnOnce() -> u8) -> ExitStatus {
    in_child_of(&[], body)
}

/// The same, started by a program that becomes the one in its last arguments.
pub fn in_child_of(starter: &[&str], body: impl FnOnce() -> u8) -> ExitStatus {
    if let Some(earlier) = as_child(body) {
        return earlier;
    }
    let _one = ONE_CHILD.lock().unwrap_or_else(PoisonError::into_inner);
    let child = child(starter).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    print!("{stdout}{stderr}"); // kept back by the harness if the test passes
    assert!(!stdout.contains("test result: "), "the child has not come to the end of its body: {}", child.status);
    ENDED.with_borrow_mut(|ended| ended.push(child.status));
    child.status
}

/// Gives `body` the number of a child that is stopped with all of its threads. Then the child is ended.
pub fn stopped(body: impl FnOnce(libc::pid_t)) {
    struct Ended(Child);

    impl Drop for Ended {
        fn drop(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    let stop = || {
        // SAFETY: it runs no code of this process.
        unsafe { libc::raise(libc::SIGSTOP) };
        0
    };
    if as_child(stop).is_some() {
        return;
    }
    let _one = ONE_CHILD.lock().unwrap_or_else(PoisonError::into_inner);
    let child = Ended(child(&[]).stdout(Stdio::null()).spawn().unwrap());
    let id = child.0.id() as libc::pid_t;
    let mut status = 0;
    // SAFETY: `status` is writable, and nobody else waits for this child.
    assert_eq!(unsafe { libc::waitpid(id, &mut status, libc::WUNTRACED) }, id);
    assert!(libc::WIFSTOPPED(status), "{status}");
    ENDED.with_borrow_mut(|ended| ended.push(ExitStatus::default()));
    body(id);
}

/// In a child: runs `body` and ends the process, or returns how an earlier child ended if it is that one's turn.
fn as_child(body: impl FnOnce() -> u8) -> Option<ExitStatus> {
    let before = std::env::var(CHILD).ok()?;
    let turn = ENDED.with_borrow(Vec::len);
    let Some(earlier) = before.split_whitespace().nth(turn) else {
        let status = body();
        // SAFETY: it ends the process and runs nothing more of it.
        unsafe { libc::_exit(status.into()) }
    };
    let earlier = ExitStatus::from_raw(earlier.parse().unwrap());
    ENDED.with_borrow_mut(|ended| ended.push(earlier));
    Some(earlier)
}

/// This test program, for the running test alone: where it is run by an emulator, by the same.
fn child(starter: &[&str]) -> Command {
    let cpu = match std::env::consts::ARCH {
        "arm" => "ARMV7".to_string(),
        "x86" => "I686".to_string(),
        cpu => cpu.to_uppercase(),
    };
    let runner = std::env::vars().find(|(name, _)| {
        let of_cpu = name.strip_prefix("CARGO_TARGET_").and_then(|name| name.strip_prefix(&cpu));
        of_cpu.is_some_and(|name| name.contains("_LINUX_") && name.ends_with("_RUNNER"))
    });
    let runner = runner.map_or(String::new(), |(_, runner)| runner);
    let program = std::env::current_exe().unwrap();
    let mut words = starter.iter().copied().chain(runner.split_whitespace()).chain([program.to_str().unwrap()]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).arg(thread::current().name().unwrap()).args(["--exact", "--nocapture", "--test-threads=1"]);
    let before: Vec<_> = ENDED.with_borrow(|ended| ended.iter().map(|status| status.into_raw().to_string()).collect());
    command.env(CHILD, before.join(" ")).stdin(Stdio::null());
    command
}
