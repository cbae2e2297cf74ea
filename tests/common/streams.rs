//! A connected pair of every kind of stream socket that Linux has, and what its kernel says of the bytes in one. Other files that cannot
//! seek.

use std::fmt;
use std::fs::File;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use super::netns::{self, Wire};
use super::{HANGS, pipe, tcp, tty};

/// The kinds that differ in what they hold back.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    Tcp,
    /// TLS in the kernel, of one direction: the sender encrypts and the receiver decrypts.
    Ktls,
    Mptcp,
    /// One-to-one, as a stream.
    Sctp,
    Unix,
    /// Within this machine, without a hypervisor.
    Vsock,
}

impl Kind {
    pub const ALL: [Self; 6] = [Self::Tcp, Self::Ktls, Self::Mptcp, Self::Sctp, Self::Unix, Self::Vsock];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Ktls => "kTLS",
            Self::Mptcp => "MPTCP",
            Self::Sctp => "SCTP",
            Self::Unix => "a Unix stream",
            Self::Vsock => "vsock",
        })
    }
}

/// A connection over loopback: the sender, which accepted it as a server does, and the receiver. Both block, and close on exec.
/// Reads and writes of either give up after [`HANGS`].
///
/// # Errors
///
/// Those of a kernel that has no such sockets: [`why_not`] says it in words.
pub fn pair(kind: Kind) -> io::Result<(File, File)> {
    pair_at(kind, None)
}

/// The same over a wire, for the kinds that have an address of the Internet.
///
/// # Errors
///
/// The same.
pub fn pair_over(kind: Kind, wire: &Wire) -> io::Result<(File, File)> {
    pair_at(kind, Some(wire))
}

fn pair_at(kind: Kind, wire: Option<&Wire>) -> io::Result<(File, File)> {
    let ends = match kind {
        Kind::Unix => unix(libc::SOCK_STREAM),
        Kind::Vsock => {
            // SAFETY: it consists of integers, for which zeroes are valid.
            let mut any: libc::sockaddr_vm = unsafe { std::mem::zeroed() };
            any.svm_family = libc::AF_VSOCK as _;
            any.svm_cid = libc::VMADDR_CID_LOCAL;
            any.svm_port = libc::VMADDR_PORT_ANY;
            connected(libc::AF_VSOCK, 0, any, None)?
        }
        Kind::Tcp | Kind::Ktls | Kind::Mptcp | Kind::Sctp => {
            // SAFETY: the same.
            let mut any: libc::sockaddr_in = unsafe { std::mem::zeroed() };
            any.sin_family = libc::AF_INET as _;
            any.sin_addr.s_addr = u32::from_ne_bytes(if wire.is_some() { netns::SENDER } else { [127, 0, 0, 1] });
            let protocol = match kind {
                Kind::Mptcp => libc::IPPROTO_MPTCP,
                Kind::Sctp => libc::IPPROTO_SCTP,
                _ => libc::IPPROTO_TCP,
            };
            connected(libc::AF_INET, protocol, any, wire)?
        }
    };
    for end in [&ends.0, &ends.1] {
        let limit = libc::timeval { tv_sec: HANGS.as_secs() as _, tv_usec: 0 };
        set_option(end, libc::SOL_SOCKET, libc::SO_RCVTIMEO, &limit)?;
        set_option(end, libc::SOL_SOCKET, libc::SO_SNDTIMEO, &limit)?;
    }
    if kind == Kind::Ktls {
        encrypt(&ends)?;
    }
    Ok(ends)
}

/// Why this kernel, as it is configured and loaded, has no pair of this kind; `None` if it has.
pub fn why_not(kind: Kind) -> Option<String> {
    pair(kind).err().map(|error| format!("{kind} is not to be had here: {error}"))
}

/// A pair of Unix sockets of this type.
pub fn unix(kind: libc::c_int) -> (File, File) {
    let mut fds = [-1; 2];
    // SAFETY: both numbers are writable.
    checked(unsafe { libc::socketpair(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC, 0, fds.as_mut_ptr()) }).unwrap();
    (owned(fds[0]), owned(fds[1]))
}

/// A stream: the end to write to, and the end to read from, whose name in tests/quirks this is.
pub fn stream(name: &str) -> (File, File) {
    match name {
        "pipe" => pipe(),
        "unix" => unix(libc::SOCK_STREAM),
        "TCP" => {
            let (sender, receiver) = tcp();
            (OwnedFd::from(sender).into(), OwnedFd::from(receiver).into())
        }
        "tty" => {
            let (terminal, user) = tty();
            (user, terminal)
        }
        "ptmx" => tty(),
        _ => panic!("{name}"),
    }
}

/// A pipe in packet mode: the end to write to, the end to read from.
pub fn packets() -> (File, File) {
    let flags = rustix::pipe::PipeFlags::CLOEXEC | rustix::pipe::PipeFlags::DIRECT;
    let (read, write) = rustix::pipe::pipe_with(flags).unwrap();
    (write.into(), read.into())
}

/// A timer that expires at once.
///
/// # Errors
///
/// The kernel's.
pub fn timerfd() -> io::Result<File> {
    // SAFETY: the call touches no memory.
    let timer = owned(checked(unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC) })?);
    let once = libc::itimerspec {
        it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 },
        it_value: libc::timespec { tv_sec: 0, tv_nsec: 1 },
    };
    // SAFETY: the kernel reads `once`, and the old value is not asked for.
    checked(unsafe { libc::timerfd_settime(timer.as_raw_fd(), 0, &once, std::ptr::null_mut()) })?;
    Ok(timer)
}

/// A SIGUSR2 that was sent to this thread, which blocks it from now on.
///
/// # Errors
///
/// The kernel's.
pub fn signalfd() -> io::Result<File> {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: sigemptyset fills the set, which the others change and read. The signal goes to this thread, which has blocked it.
    let fd = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGUSR2);
        assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()), 0);
        assert_eq!(libc::pthread_kill(libc::pthread_self(), libc::SIGUSR2), 0);
        libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC)
    };
    checked(fd).map(owned)
}

/// Bytes that were taken and have not left once (`SIOCOUTQNSD`).
///
/// # Errors
///
/// Those of a kind that cannot tell: only TCP, kTLS and MPTCP can. MPTCP does not count what one of its subflows holds back.
pub fn unsent(socket: &impl AsRawFd) -> io::Result<usize> {
    const SIOCOUTQNSD: libc::c_ulong = 0x894b;
    queued(socket, SIOCOUTQNSD)
}

/// Bytes that were taken and are not acknowledged (`SIOCOUTQ`), those of [`unsent`] included.
///
/// # Errors
///
/// Those of a kind that cannot tell.
pub fn unacknowledged(socket: &impl AsRawFd) -> io::Result<usize> {
    queued(socket, libc::TIOCOUTQ as _)
}

fn queued(socket: &impl AsRawFd, what: libc::c_ulong) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the kernel writes one number.
    checked(unsafe { libc::ioctl(socket.as_raw_fd(), what as _, &mut bytes) })?;
    Ok(bytes as usize)
}

/// Turns Nagle's algorithm off, or on again.
///
/// # Errors
///
/// Those of a kind that has no such option.
pub fn set_nodelay(kind: Kind, socket: &impl AsRawFd, on: bool) -> io::Result<()> {
    const SCTP_NODELAY: libc::c_int = 3;
    let (level, option) = match kind {
        Kind::Sctp => (libc::IPPROTO_SCTP, SCTP_NODELAY),
        _ => (libc::IPPROTO_TCP, libc::TCP_NODELAY),
    };
    set_option(socket, level, option, &libc::c_int::from(on))
}

/// Sets `TCP_CORK`, or clears it.
///
/// # Errors
///
/// Those of a kind that has no such option.
pub fn set_cork(socket: &impl AsRawFd, on: bool) -> io::Result<()> {
    set_option(socket, libc::IPPROTO_TCP, libc::TCP_CORK, &libc::c_int::from(on))
}

/// A TCP connection with the segments of an Ethernet, not those of 64 KiB that the loopback has: sender, receiver.
pub fn ethernet() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    set_option(&listener, libc::IPPROTO_TCP, libc::TCP_MAXSEG, &1460).unwrap();
    let sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    // BBR paces; not everybody is allowed to change it.
    let _ = set_option(&sender, libc::IPPROTO_TCP, libc::TCP_CONGESTION, b"reno");
    let (receiver, _) = listener.accept().unwrap();
    receiver.set_read_timeout(Some(HANGS)).unwrap();
    receiver.set_ttl(64).unwrap();
    (sender, receiver)
}

/// Makes a sender drop what comes in, or take it again: what it sends meanwhile is not acknowledged.
pub fn deafen(sender: &TcpStream, deaf: bool) {
    // Packets with a smaller TTL; the receiver's have 64.
    set_option(sender, libc::IPPROTO_IP, libc::IP_MINTTL, if deaf { &255 } else { &0 }).unwrap();
}

/// `TCP_INFO`, with the segments that were sent (`tcpi_data_segs_out`): Linux 4.6 or later.
pub fn tcp_info(socket: &impl AsRawFd) -> libc::tcp_info {
    // SAFETY: it consists of integers, for which zeroes are valid.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut len = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes to `info`.
    checked(unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut info).cast(), &mut len)
    })
    .unwrap();
    assert!(len as usize >= std::mem::offset_of!(libc::tcp_info, tcpi_data_segs_out) + 4, "{len}");
    info
}

/// Whether something is in flight to TCP, and what has not left has a reason to wait for it: the congestion window is used up, or
/// more than a segment waits, which TCP may gather into one packet with what the window then has room for. A short segment goes
/// at once into a window that is open, unless Nagle's algorithm or a cork holds it back. qemu-user cuts `TCP_INFO` short: there it may
/// always be so.
pub fn is_on_its_way(socket: &impl AsRawFd) -> bool {
    if cfg!(qemu_user) {
        return true;
    }
    let info = tcp_info(socket);
    let tail = (1..info.tcpi_snd_mss).contains(&info.tcpi_notsent_bytes);
    info.tcpi_unacked > 0 && !(tail && info.tcpi_unacked < info.tcpi_snd_cwnd)
}

/// A moment by the clock of the kernel's timers, which stands still between two ticks. The kernel may be late with a tick, and then
/// two of them follow each other at once: any other clock can be wrong about what a timer has done.
pub struct Tick(Duration);

impl Tick {
    /// Waits for the next tick, so that there is most time before the timers.
    pub fn next() -> Self {
        let before = coarse(libc::clock_gettime);
        loop {
            let now = coarse(libc::clock_gettime);
            if now > before {
                return Self(now);
            }
            std::thread::sleep(Duration::from_micros(50)); // between two looks; the clock goes on by itself
        }
    }

    /// Whether no timer that was set since then can have ended. The first to send what waits is the tail loss probe, two ticks after the
    /// last segment (`tcp_schedule_loss_probe` in net/ipv4/tcp_output.c). What is seen later says nothing about the call.
    pub fn is_before_timers(&self) -> bool {
        coarse(libc::clock_gettime) - self.0 < 2 * coarse(libc::clock_getres)
    }
}

/// What the first attempt finds that has ended before the kernel's timers: [`Tick`].
#[track_caller]
pub fn in_time<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    (0..200).find_map(|_| attempt()).expect("every attempt took longer than the kernel's timers")
}

fn coarse(ask: unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> libc::c_int) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both functions write one timespec.
    checked(unsafe { ask(libc::CLOCK_MONOTONIC_COARSE, &mut time) }).unwrap();
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Sets an option of a socket to a value of its type.
///
/// # Errors
///
/// The kernel's.
pub fn set_option<T>(socket: &impl AsRawFd, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel reads `value`.
    checked(unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const *value).cast(), len) }).map(drop)
}

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn owned(fd: RawFd) -> File {
    // SAFETY: the kernel has just made it, and nobody else knows it.
    unsafe { File::from_raw_fd(fd) }
}

/// Binds a listener to `any` address, and connects to it: what was accepted, what connected.
fn connected<A>(family: libc::c_int, protocol: libc::c_int, any: A, wire: Option<&Wire>) -> io::Result<(File, File)> {
    let socket = || {
        // SAFETY: the call touches no memory.
        checked(unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, protocol) }).map(owned)
    };
    let (listener, receiver) = match wire {
        None => (socket()?, socket()?),
        Some(wire) => (wire.at_sender(socket)?, wire.at_receiver(socket)?),
    };
    let (mut address, mut len) = (any, size_of::<A>() as libc::socklen_t);
    let place = (&raw mut address).cast::<libc::sockaddr>();
    let fd = listener.as_raw_fd();
    // SAFETY: each call reads or writes at most `len` bytes of `address`, or no memory.
    unsafe {
        checked(libc::bind(fd, place, len))?;
        checked(libc::listen(fd, 1))?;
        checked(libc::getsockname(fd, place, &mut len))?;
        checked(libc::connect(receiver.as_raw_fd(), place, len))?;
        let sender = libc::accept4(fd, std::ptr::null_mut(), std::ptr::null_mut(), libc::SOCK_CLOEXEC);
        Ok((owned(checked(sender)?), receiver))
    }
}

/// Gives both ends one key, as after a handshake: AES-128-GCM of TLS 1.2.
fn encrypt((sender, receiver): &(File, File)) -> io::Result<()> {
    /// `struct tls12_crypto_info_aes_gcm_128` of linux/tls.h.
    #[repr(C)]
    struct Key {
        version: u16,
        cipher: u16,
        iv: [u8; 8],
        key: [u8; 16],
        salt: [u8; 4],
        first_record: [u8; 8],
    }
    const TLS_1_2: u16 = 0x0303;
    const AES_GCM_128: u16 = 51;
    const TCP_ULP: libc::c_int = 31;
    const TLS_TX: libc::c_int = 1;
    const TLS_RX: libc::c_int = 2;
    let key =
        Key { version: TLS_1_2, cipher: AES_GCM_128, iv: [1; 8], key: [2; 16], salt: [3; 4], first_record: [0; 8] };
    for (end, direction) in [(sender, TLS_TX), (receiver, TLS_RX)] {
        set_option(end, libc::IPPROTO_TCP, TCP_ULP, b"tls")?;
        set_option(end, libc::SOL_TLS, direction, &key)?;
    }
    Ok(())
}
