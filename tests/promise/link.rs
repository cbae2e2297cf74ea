//! A connection that stays, on which requests and responses take turns, and the judge of what waits in it.

use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::common::faults::{is_asleep, thread_id};
use super::common::netns::Wire;
use super::common::streams::{self, Kind};
use super::common::{fd_of_std, set_nonblocking};
use super::drive::Pause;

/// What a peer asks with.
const REQUEST: [u8; 90] = [b'?'; 90];
/// The longest message to SCTP: it refuses what is longer than its buffer.
pub(crate) const MESSAGE: usize = 65_536;
/// Between two looks at what waits.
const LOOK: Duration = Duration::from_micros(250);
/// So many looks in a row at which nothing moved, 5 ms or more: an acknowledgement is delayed by 40 ms at the least
/// (`TCP_DELACK_MIN`), and what waits for none has long arrived. qemu-user has no SIOCOUTQNSD, which tells a stall from a busy machine:
/// there 100 ms, so that the timers of 200 ms show.
const LOOKS: u32 = if cfg!(qemu_user) { 400 } else { 20 };
/// The same while a call waits for room: longer than for a delayed acknowledgement, for which it can wait as calls by hand do (C23).
const LOOKS_ASLEEP: u32 = 200;
/// What has not come then does not come by a timer of the kernel's, of which most end in a second.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the sockets of a link are set to.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) kind: Kind,
    nonblocking: bool,
    pub(crate) nodelay: bool,
    /// `SO_SNDBUF`.
    buffer: Option<i32>,
    /// `TCP_NOTSENT_LOWAT`.
    low: Option<i32>,
    /// The reader takes so many bytes, and then a rest.
    slow: Option<usize>,
}

impl Settings {
    pub(crate) fn random(kind: Kind, rng: &mut Rng) -> Self {
        let tcp = matches!(kind, Kind::Tcp | Kind::Ktls | Kind::Mptcp);
        Self {
            kind,
            nonblocking: rng.bool(),
            // SCTP cannot be told to send what waits: with Nagle's algorithm the second message of a response waits 200 ms.
            nodelay: tcp && rng.u8(..3) == 0 || kind == Kind::Sctp,
            buffer: (rng.u8(..4) == 0)
                .then(|| *rng.choice([&4608, &8000, &20_000, &30_000, &100_000, &1_000_000]).unwrap())
                .filter(|&bytes| kind != Kind::Sctp || bytes > MESSAGE as i32),
            low: (matches!(kind, Kind::Tcp | Kind::Ktls) && rng.u8(..4) == 0)
                .then(|| *rng.choice([&1, &16_384, &131_072]).unwrap()),
            slow: (rng.u8(..5) == 0).then(|| *rng.choice([&10_000, &65_536, &300_000]).unwrap()),
        }
    }

    /// Those for a long way, on which a buffer that is smaller than what is on its way takes seconds for a large response.
    pub(crate) fn random_over_a_wire(kind: Kind, rng: &mut Rng) -> Self {
        Self { buffer: None, low: None, ..Self::random(kind, rng) }
    }
}

/// What the reader has.
struct Arrived {
    bytes: Vec<u8>,
    /// When the last of them came.
    last: Instant,
}

/// Bytes that stay in the sender's kernel although the reader has taken all that came and waits for them.
pub(crate) struct Stall {
    /// What was counted as sent.
    pub(crate) sent: u64,
    /// What is missing of it.
    pub(crate) missing: u64,
    /// The driver waits for room: it was not done.
    pub(crate) full: bool,
    /// A call of it sleeps.
    pub(crate) asleep: bool,
    /// What `SIOCOUTQNSD` says, where it can.
    pub(crate) unsent: Option<usize>,
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.asleep {
            write!(f, "a call waits for room behind {} bytes", self.sent)?;
        } else {
            write!(f, "{} of {} bytes wait", self.missing, self.sent)?;
        }
        if let Some(unsent) = self.unsent {
            write!(f, " ({unsent} not sent once)")?;
        }
        f.write_str(if self.full { " at a full output" } else { "" })
    }
}

/// What came of a response.
pub(crate) struct Exchange {
    pub(crate) sent: u64,
    pub(crate) arrived: Vec<u8>,
    pub(crate) stall: Option<Stall>,
    /// From the first call until the last byte.
    pub(crate) time: Duration,
}

pub(crate) struct Link {
    kind: Kind,
    /// Bytes are on their way for long.
    far: bool,
    blocking: bool,
    out: File,
    peer: Arc<File>,
    arrived: Arc<Mutex<Arrived>>,
    reader: JoinHandle<()>,
}

impl Link {
    pub(crate) fn new(settings: &Settings, wire: Option<&Wire>) -> Self {
        let (out, peer) = match wire {
            None => streams::pair(settings.kind),
            Some(wire) => streams::pair_over(settings.kind, wire),
        }
        .unwrap();
        if settings.nodelay {
            streams::set_nodelay(settings.kind, &out, true).unwrap();
        }
        if let Some(bytes) = settings.buffer {
            streams::set_option(&out, libc::SOL_SOCKET, libc::SO_SNDBUF, &bytes).unwrap();
        }
        if let Some(bytes) = settings.low {
            streams::set_option(&out, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, &bytes).unwrap();
        }
        if settings.nonblocking {
            set_nonblocking(&out);
        }
        let peer = Arc::new(peer);
        let arrived = Arc::new(Mutex::new(Arrived { bytes: Vec::new(), last: Instant::now() }));
        let reader = thread::spawn({
            let (peer, arrived, slow) = (peer.clone(), arrived.clone(), settings.slow);
            move || read(&peer, &arrived, slow)
        });
        let (kind, far, blocking) = (settings.kind, wire.is_some(), !settings.nonblocking);
        Self { kind, far, blocking, out, peer, arrived, reader }
    }

    /// A request, a response, and what is left of it.
    pub(crate) fn exchange(&self, drive: impl FnOnce(&File, &mut dyn FnMut(u64, Pause)) -> u64) -> Exchange {
        self.request();
        let start = Instant::now();
        let mut stall = None;
        let (sent, asleep) = self.watched(|| {
            drive(&self.out, &mut |sent, pause| {
                let found = match pause {
                    Pause::OutFull => self.stall(sent, Some(&self.out)),
                    Pause::Yielded => self.stall(sent, None),
                };
                if pause == Pause::OutFull {
                    wait(&self.out, PollFlags::OUT, Duration::from_secs(10));
                }
                stall = stall.take().or(found);
            })
        });
        stall = stall.or(asleep);
        stall = stall.or_else(|| self.stall(sent, None));
        if stall.is_some() {
            // What waits for a timer comes by itself.
            let end = Instant::now() + PATIENCE;
            while (self.arrived.lock().unwrap().bytes.len() as u64) < sent && Instant::now() < end {
                thread::sleep(LOOK); // between two looks, for as long as PATIENCE
            }
        }
        let mut arrived = self.arrived.lock().unwrap();
        let time = arrived.last.saturating_duration_since(start);
        Exchange { sent, arrived: std::mem::take(&mut arrived.bytes), stall, time }
    }

    /// One plain write of these bytes; where it would block, as many as it takes. A write to SCTP is a message, of limited length.
    pub(crate) fn write(&self, bytes: &[u8]) -> Exchange {
        let most = if self.kind == Kind::Sctp { MESSAGE } else { usize::MAX };
        self.exchange(|mut out, pause| {
            let mut sent = 0;
            while sent < bytes.len() {
                match out.write(&bytes[sent..sent + most.min(bytes.len() - sent)]) {
                    Ok(written) => sent += written,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => pause(sent as u64, Pause::OutFull),
                    Err(error) => panic!("{error}"),
                }
            }
            sent as u64
        })
    }

    /// The last response, which an orderly shutdown and close follow at once; all that arrived.
    pub(crate) fn close(self, drive: impl FnOnce(&File) -> u64) -> (u64, Vec<u8>) {
        self.request();
        let sent = drive(&self.out);
        (sent, self.end())
    }

    /// Shuts down and closes; what arrives until then.
    pub(crate) fn end(self) -> Vec<u8> {
        // SAFETY: the call touches no memory.
        let result = unsafe { libc::shutdown(self.out.as_raw_fd(), libc::SHUT_WR) };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
        drop(self.out);
        self.reader.join().unwrap();
        std::mem::take(&mut self.arrived.lock().unwrap().bytes)
    }

    fn request(&self) {
        (&*self.peer).write_all(&REQUEST).unwrap();
        let mut request = [0; REQUEST.len()];
        wait(&self.out, PollFlags::IN, Duration::from_secs(10));
        (&self.out).read_exact(&mut request).unwrap();
    }

    /// Calls `drive`, and watches it if its calls can wait: whether one sleeps while the reader waits for bytes that have not left.
    fn watched(&self, drive: impl FnOnce() -> u64) -> (u64, Option<Stall>) {
        /// Says so when it is dropped, also by a panic.
        struct Done<'a>(&'a AtomicBool);
        impl Drop for Done<'_> {
            fn drop(&mut self) {
                self.0.store(true, SeqCst);
            }
        }
        if !self.blocking || self.far {
            return (drive(), None);
        }
        let (thread, done) = (thread_id(), AtomicBool::new(false));
        thread::scope(|scope| {
            let watcher = scope.spawn(|| self.asleep(thread, &done));
            let sent = {
                let _done = Done(&done);
                drive()
            };
            (sent, watcher.join().unwrap())
        })
    }

    fn asleep(&self, thread: libc::pid_t, done: &AtomicBool) -> Option<Stall> {
        let (mut before, mut looks) = (0, 0);
        while !done.load(SeqCst) {
            {
                let arrived = self.arrived.lock().unwrap().bytes.len() as u64;
                let unsent = streams::unsent(&self.out).ok().filter(|&bytes| bytes > 0);
                let waits = unsent.is_some() && is_asleep(thread) && !wait(&self.peer, PollFlags::IN, Duration::ZERO);
                looks = if arrived == before && waits { looks + 1 } else { 0 };
                before = arrived;
                if looks >= LOOKS_ASLEEP {
                    return Some(Stall { sent: arrived, missing: 0, full: false, asleep: true, unsent });
                }
            }
            thread::sleep(LOOK); // between two looks, as long as the driver runs
        }
        None
    }

    /// Waits until all that was sent has arrived or the output has room, and tells if it does not come to that.
    fn stall(&self, sent: u64, room: Option<&File>) -> Option<Stall> {
        let start = Instant::now();
        let (mut before, mut looks) = (0, 0);
        loop {
            {
                // The reader takes nothing meanwhile.
                let arrived = self.arrived.lock().unwrap().bytes.len() as u64;
                assert!(arrived <= sent, "{arrived} bytes arrived of {sent}");
                if arrived == sent && room.is_none() {
                    return None;
                }
                let readable = wait(&self.peer, PollFlags::IN, Duration::ZERO);
                let unsent = match self.kind {
                    Kind::Tcp | Kind::Ktls | Kind::Mptcp => streams::unsent(&self.out).ok(),
                    _ => None,
                };
                // If all has left, the machine is merely slow.
                let waits = arrived < sent
                    && !(self.kind == Kind::Tcp && unsent == Some(0))
                    && !(self.far && streams::is_on_its_way(&self.out));
                looks = if arrived == before && !readable && waits { looks + 1 } else { 0 };
                before = arrived;
                if looks >= LOOKS {
                    return Some(Stall { sent, missing: sent - arrived, full: room.is_some(), asleep: false, unsent });
                }
            }
            assert!(
                start.elapsed() < Duration::from_secs(10),
                "for ten seconds {before} of {sent} bytes have arrived, waiting for room: {}",
                room.is_some()
            );
            match room {
                Some(out) if wait(out, PollFlags::OUT, LOOK) => return None,
                Some(_) => {}
                None => thread::sleep(LOOK), // between two looks, for ten seconds
            }
        }
    }
}

/// Takes what comes, to the end; at once, or by and by.
fn read(mut peer: &File, arrived: &Mutex<Arrived>, slow: Option<usize>) {
    let mut some = vec![0; slow.unwrap_or(1 << 20)];
    loop {
        wait(peer, PollFlags::IN, Duration::from_secs(20));
        let mut arrived = arrived.lock().unwrap();
        let Ok(read @ 1..) = peer.read(&mut some) else { break };
        arrived.bytes.extend_from_slice(&some[..read]);
        arrived.last = Instant::now();
        drop(arrived);
        if slow.is_some() {
            thread::sleep(Duration::from_micros(300)); // this is what makes the reader slow
        }
    }
}

/// Waits until it is ready, or so long.
fn wait(file: &File, ready: PollFlags, limit: Duration) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd_of_std(file), ready)];
    let limit = Timespec { tv_sec: limit.as_secs() as i64, tv_nsec: limit.subsec_nanos().into() };
    poll(&mut fds, Some(&limit)).unwrap() > 0
}
