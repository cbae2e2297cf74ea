//! Sends at random, injects faults, and compares what arrived with what was reported as sent, byte by byte:
//!
//! ```console
//! $ cargo run --release --manifest-path examples/soak/Cargo.toml -- --transfers 10000
//! ```
//!
//! Every transfer has a seed of its own, which is printed when something is wrong: `--seed SEED --transfers 1` makes the same
//! choices again. What the scheduler does in between is not repeated.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::AddAssign;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use bare_sendfile::{Count, Errno, Error, IoSlice, Progress, Status, Step, StreamCopy, Transfer};
use fastrand::Rng;
use indicatif::ProgressBar;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::SeekFrom;
use rustix::net::sockopt;
use seccompiler::{SeccompAction, SeccompFilter};

const USAGE: &str = "\
Usage: soak [--transfers N] [--seed SEED]

  --transfers N       how many; 1000 by default
  --seed SEED         of the first one, the next have the following ones; at random by default

Exit status: 0 every byte is where it should be; 1 not; 2 the arguments are wrong.
";

/// The longest body.
const LEN: usize = 1 << 20;

pub(crate) fn main() -> ExitCode {
    let (transfers, seed) = match arguments() {
        Ok(Some(arguments)) => arguments,
        Ok(None) => return print(USAGE),
        Err(error) => {
            report(format_args!("soak: {error}\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    catch_signals();
    let bar = ProgressBar::new(transfers);
    let (mut bytes, mut faults) = (0, Faults::default());
    for seed in (0..transfers).map(|n| seed.wrapping_add(n)) {
        // A thread of its own: a filter cannot be taken back.
        let (tell, result) = mpsc::channel();
        if let Err(error) = thread::Builder::new().spawn(move || tell.send(transfer(Rng::with_seed(seed)))) {
            return wrong(seed, error);
        }
        match result.recv_timeout(Duration::from_secs(120)) {
            Ok(Ok((moved, injected))) => {
                bytes += moved;
                faults += injected;
            }
            Ok(Err(reason)) => return wrong(seed, reason),
            Err(mpsc::RecvTimeoutError::Timeout) => return wrong(seed, "not done after two minutes"),
            Err(mpsc::RecvTimeoutError::Disconnected) => return wrong(seed, "panicked"),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let Faults { refusals, breaks, truncations, signals, stops } = faults;
    print(&format!(
        "{refusals} refusals, {breaks} broken connections, {truncations} truncations, {signals} signals\n\
         {stops} times stopped and gone on\n\
         {transfers} transfers, {bytes} bytes, {} faults injected\n",
        refusals + breaks + truncations + signals
    ))
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(format_args!("soak: standard output: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// A line on stderr. Nobody can be told that it failed; `eprintln!` would panic.
fn report(message: impl Display) {
    let _ = writeln!(io::stderr(), "{message}");
}

fn wrong(seed: u64, reason: impl Display) -> ExitCode {
    report(format_args!("soak: {reason}; again with: --transfers 1 --seed {seed}"));
    ExitCode::FAILURE
}

fn arguments() -> Result<Option<(u64, u64)>, lexopt::Error> {
    use lexopt::prelude::*;
    let (mut transfers, mut seed) = (1000, Rng::new().u64(..));
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("transfers") => transfers = parser.value()?.parse()?,
            Long("seed") => seed = parser.value()?.parse()?,
            Long("help") => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some((transfers, seed)))
}

#[derive(Default)]
struct Faults {
    /// Filters that take a system call away.
    refusals: u64,
    /// Receivers that went away.
    breaks: u64,
    /// Files that became shorter.
    truncations: u64,
    signals: u64,
    /// How often a sender had to stop.
    stops: u64,
}

impl AddAssign for Faults {
    fn add_assign(&mut self, other: Self) {
        self.refusals += other.refusals;
        self.breaks += other.breaks;
        self.truncations += other.truncations;
        self.signals += other.signals;
        self.stops += other.stops;
    }
}

/// What went wrong, with as much as is known of it.
type Wrong = Box<dyn std::error::Error + Send + Sync>;

/// Sends something from somewhere to somewhere. Bytes and faults, or what is wrong.
fn transfer(mut rng: Rng) -> Result<(u64, Faults), Wrong> {
    let (out, input) = output(&mut rng)?;
    let mut faults = Faults::default();
    // Sometimes the receiver goes away in the middle.
    let leaves = (rng.u8(..) < 20).then(|| rng.usize(..LEN));
    faults.breaks += u64::from(leaves.is_some());
    let sizes = Sizes::new(&mut rng);
    let pace = length(&mut rng, sizes.piece);
    let receiver = thread::Builder::new().spawn(move || receive(input, leaves, pace))?;
    let signals = (rng.u8(..) < 40).then(Signals::start).transpose()?;
    let sent = if rng.u8(..) < 80 {
        stream(&mut rng, sizes, out, leaves.is_some(), &mut faults)
    } else {
        file(&mut rng, sizes, out, leaves.is_some(), &mut faults)
    };
    faults.signals += signals.map_or(0, Signals::stop);
    let whole = sent?;
    let arrived = receiver.join().map_err(|_| "the receiver panicked")??;
    if let Some(at) = (0..arrived.len()).find(|&at| arrived.get(at) != whole.get(at)) {
        return Err(format!("byte {at} of {} is wrong, of {} that were sent", arrived.len(), whole.len()).into());
    }
    // What was on its way when the receiver left is lost.
    if arrived.len() != whole.len() && leaves.is_none_or(|left| left > whole.len()) {
        return Err(format!("{} bytes arrived of {} that were sent", arrived.len(), whole.len()).into());
    }
    Ok((arrived.len() as u64, faults))
}

/// A TCP connection, a unix socket or a pipe, perhaps with tiny buffers, perhaps with a time limit.
fn output(rng: &mut Rng) -> io::Result<(OwnedFd, OwnedFd)> {
    let (sender, receiver): (OwnedFd, OwnedFd) = match rng.u8(..3) {
        0 => {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let sender = TcpStream::connect(listener.local_addr()?)?;
            sender.set_nodelay(rng.bool())?;
            (sender.into(), listener.accept()?.0.into())
        }
        1 => {
            let (sender, receiver) = UnixStream::pair()?;
            (sender.into(), receiver.into())
        }
        _ => {
            let (receiver, sender) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
            return Ok((sender, receiver));
        }
    };
    if rng.bool() {
        sockopt::set_socket_send_buffer_size(&sender, 1)?;
        // Not the smallest: TCP would wait for its timers.
        sockopt::set_socket_recv_buffer_size(&receiver, 30_000)?;
    }
    if rng.bool() {
        sockopt::set_socket_timeout(&sender, sockopt::Timeout::Send, Some(Duration::from_millis(1)))?;
    }
    Ok((sender, receiver))
}

/// Reads to the end, or until it leaves, in pieces of up to `pace` bytes.
fn receive(input: OwnedFd, leaves: Option<usize>, pace: usize) -> io::Result<Vec<u8>> {
    let (mut arrived, mut some) = (Vec::new(), vec![0; pace]);
    let mut input = File::from(input);
    while leaves.is_none_or(|leaves| arrived.len() < leaves) {
        match input.read(&mut some) {
            Ok(0) => break,
            Ok(n) => arrived.extend_from_slice(some.get(..n).unwrap_or(&[])),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    // On TCP, what is unread makes it a reset.
    Ok(arrived)
}

/// Bytes that never repeat within a transfer.
fn bytes() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let mut bytes = vec![0; 4 * LEN];
        Rng::with_seed(0).fill(&mut bytes);
        bytes
    })
}

/// A length of any order of magnitude in a range of powers of two.
fn length(rng: &mut Rng, (smallest, largest): (u32, u32)) -> usize {
    let bits = rng.u32(smallest..=largest);
    rng.usize((1 << smallest) / 2..=1 << bits)
}

/// Powers of two between which lengths are: mostly many bytes in large pieces, sometimes few in tiny ones.
#[derive(Clone, Copy)]
struct Sizes {
    body: (u32, u32),
    /// Buffers, and what is read or written at once.
    piece: (u32, u32),
}

impl Sizes {
    fn new(rng: &mut Rng) -> Self {
        match rng.u8(..5) {
            0 => Self { body: (0, 10), piece: (1, 6) },
            _ => Self { body: (12, 20), piece: (8, 17) },
        }
    }
}

/// Some slices, empty ones too.
fn slices(rng: &mut Rng) -> Vec<IoSlice<'static>> {
    (0..rng.usize(..5))
        .map(|_| {
            let (start, len) = (rng.usize(..LEN), length(rng, (0, 13)));
            IoSlice::new(bytes().get(start..start + len).unwrap_or(&[]))
        })
        .collect()
}

fn concat(slices: &[IoSlice<'_>]) -> Vec<u8> {
    slices.iter().flat_map(|slice| slice.as_slice()).copied().collect()
}

/// The errors that sendfile and splice have where they do not work.
fn refusal(rng: &mut Rng) -> Errno {
    [Errno::ENOSYS, Errno::EPERM, Errno::EINVAL][rng.usize(..3)]
}

/// From now on the system call fails in this thread.
fn refuse(call: i64, errno: Errno) -> Result<(), Wrong> {
    let arch = std::env::consts::ARCH.try_into().map_err(|_| "no filters for this processor")?;
    let errno = SeccompAction::Errno(errno.raw_os_error().unsigned_abs());
    let filter = SeccompFilter::new([(call, vec![])].into(), SeccompAction::Allow, errno, arch);
    let program: seccompiler::BpfProgram = filter.and_then(TryInto::try_into)?;
    Ok(seccompiler::apply_filter(&program)?)
}

/// How a transfer is driven.
#[derive(Clone, Copy, Debug)]
enum Driver {
    SendAll,
    PollSend,
    /// So many steps, then a flush.
    Steps(usize),
}

/// Headers, a range of a file, trailers. What was sent.
fn file(rng: &mut Rng, sizes: Sizes, out: OwnedFd, leaves: bool, faults: &mut Faults) -> Result<Vec<u8>, Wrong> {
    let (headers, trailers) = (slices(rng), slices(rng));
    let (before, len, after) = (length(rng, (0, 16)), length(rng, sizes.body), length(rng, (0, 12)));
    let contents = bytes().get(..before + len + after).unwrap_or(&[]);
    let mut source = tempfile::tempfile()?;
    source.write_all(contents)?;
    let count = match rng.u8(..10) {
        0..3 => Count::ToEnd,
        3 => Count::Bytes((len + after + 1 + length(rng, (0, 12))) as u64), // more than there is
        _ => Count::Bytes(len as u64),
    };
    let offset = before as u64;
    let from_position = rng.u8(..3) == 0;
    let mut transfer = if from_position {
        rustix::fs::seek(&source, SeekFrom::Start(offset))?;
        Transfer::from_position(count, &headers, &trailers)
    } else {
        Transfer::new(offset, count, &headers, &trailers)
    }?
    .with_cap([1 << 21, 100_000, 7000][rng.usize(..3)])
    .with_small(length(rng, (0, 18)));
    let budget = [1 << 21, 50_000, 1000][rng.usize(..3)];
    transfer = transfer.with_budget(budget);
    let mut buffer = vec![0; if rng.bool() { length(rng, sizes.piece) } else { 0 }];
    let copying = !buffer.is_empty() && rng.bool();
    if copying {
        transfer = transfer.copying();
    }
    let driver = [Driver::SendAll, Driver::PollSend, Driver::Steps(rng.usize(1..20))][rng.usize(..3)];
    if let Driver::PollSend = driver {
        rustix::io::ioctl_fionbio(&out, true)?;
    }
    // After so many stops.
    let mut refuse_at = (!buffer.is_empty() && rng.u8(..5) == 0).then(|| rng.usize(..3));
    let mut truncate_at = (rng.u8(..8) == 0).then(|| rng.usize(..3));
    let mut grows = rng.bool();
    let mut there = contents.len() as u64;
    let mut stops = 0;
    let outcome = loop {
        if refuse_at.is_some_and(|at| at <= stops) {
            refuse_at = None;
            faults.refusals += 1;
            refuse(libc::SYS_sendfile, refusal(rng))?;
        }
        let reached = offset + transfer.progress().file;
        if truncate_at.is_some_and(|at| at <= stops) && reached < there {
            // Not before what is on its way: the kernel would clear it in the shared pages.
            truncate_at = None;
            faults.truncations += 1;
            there = rng.u64(reached..there);
            source.set_len(there)?;
        }
        let result = match driver {
            Driver::SendAll => {
                transfer.send_all(&out, &source, &headers, &trailers, &mut buffer).map(|()| Status::Done)
            }
            Driver::PollSend => {
                let sent = transfer.progress().total();
                let result = transfer.poll_send(&out, &source, &headers, &trailers, &mut buffer);
                let moved = transfer.progress().total() - sent;
                // It yields when the budget is used up, or after 512 steps: all but a few of them move a byte or more.
                if moved > budget as u64 || result == Ok(Status::Yielded) && moved < 500.min(budget as u64) {
                    return Err(format!("{result:?} after {moved} bytes of {budget}: {transfer:?}").into());
                }
                result
            }
            Driver::Steps(n) => steps(n, &mut transfer, &out, &source, &headers, &trailers, &mut buffer),
        };
        match result {
            Ok(Status::Done) => break Ok(()),
            Ok(Status::Yielded) => {}
            Ok(Status::OutFull | Status::InEmpty) | Err(Error::Errno(Errno::EAGAIN)) => {
                faults.stops += 1;
                wait_for(&out, PollFlags::OUT)?;
            }
            Err(Error::Errno(Errno::EINTR)) if matches!(driver, Driver::Steps(_)) => {}
            Err(Error::Truncated { .. }) if grows && there < contents.len() as u64 => {
                grows = false;
                let rest = contents.get(there as usize..).unwrap_or(&[]);
                rustix::io::pwrite(&source, rest, there)?;
                there = contents.len() as u64;
            }
            Err(error) => break Err(error),
        }
        stops += 1;
        if rng.bool() {
            transfer = transfer.clone(); // a checkpoint
        }
    };
    let Progress { headers: head, file, trailers: trail } = transfer.progress();
    let (header, trailer) = (concat(&headers), concat(&trailers));
    let end = offset + file;
    let expected = match (outcome, count) {
        (Ok(()), Count::Bytes(count)) => file == count && trail == trailer.len() as u64,
        (Ok(()), Count::ToEnd) => end == there && trail == trailer.len() as u64,
        (Err(Error::Truncated { owed }), Count::Bytes(count)) => file + owed == count && end == there && trail == 0,
        (Err(Error::Errno(Errno::EPIPE | Errno::ECONNRESET)), _) => leaves,
        _ => false,
    };
    let moved = transfer.mechanisms();
    let in_order = head == header.len() as u64 || file + trail == 0;
    let mechanisms = moved.sendfile + moved.copy == file
        && (!copying || moved.sendfile == 0)
        && (!buffer.is_empty() || moved.copy == 0);
    let position = !from_position || rustix::fs::tell(&source) == Ok(end);
    if !expected || !in_order || !mechanisms || !position || transfer.flush_owed() {
        return Err(format!("{driver:?} {outcome:?} of {count:?} at {offset} (there are {there}): {transfer:?}").into());
    }
    let mut whole = header.get(..head as usize).ok_or("more headers than there are")?.to_vec();
    whole.extend(contents.get(before..end as usize).ok_or("more of the file than there is")?);
    whole.extend(trailer.get(..trail as usize).ok_or("more trailers than there are")?);
    Ok(whole)
}

/// A few steps by hand, then a flush, as if it were given up.
fn steps(
    n: usize,
    transfer: &mut Transfer,
    out: &OwnedFd,
    source: &File,
    headers: &[IoSlice<'_>],
    trailers: &[IoSlice<'_>],
    buffer: &mut [u8],
) -> Result<Status, Error> {
    let mut outcome = Ok(Status::Yielded);
    for _ in 0..n {
        outcome = match transfer.next_step(headers, trailers, buffer.len()) {
            Ok(Step::Done) => Ok(Status::Done),
            Ok(step) => transfer.perform(&step, out, source, buffer).map(|()| Status::Yielded),
            Err(error) => Err(error),
        };
        if outcome != Ok(Status::Yielded) {
            break;
        }
    }
    if let Some(step) = transfer.flush() {
        transfer.perform(&step, out, source, &mut [])?;
    }
    outcome
}

/// From a pipe or a socket. What was sent.
fn stream(rng: &mut Rng, sizes: Sizes, out: OwnedFd, leaves: bool, faults: &mut Faults) -> Result<Vec<u8>, Wrong> {
    let (input, feeder): (OwnedFd, OwnedFd) = if rng.bool() {
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?
    } else {
        let (input, feeder) = UnixStream::pair()?;
        (input.into(), feeder.into())
    };
    let len = length(rng, sizes.body);
    let whole = bytes().get(..len).unwrap_or(&[]);
    let count = match rng.u8(..4) {
        0 => Count::Bytes(rng.u64(..=len as u64)),
        1 => Count::Bytes(len as u64 + 1), // more than there is
        _ => Count::ToEnd,
    };
    let pace = length(rng, sizes.piece);
    let mut feeder = File::from(feeder);
    // To the end, or until nobody reads any more.
    let feeder =
        thread::Builder::new().spawn(move || whole.chunks(pace).all(|piece| feeder.write_all(piece).is_ok()))?;
    if rng.bool() {
        for file in [&input, &out] {
            rustix::io::ioctl_fionbio(file, true)?;
        }
    }
    let mut refuse_at = rng.bool().then(|| rng.usize(..3));
    let mut buffer = vec![0; length(rng, sizes.piece)];
    let mut copy = StreamCopy::new(count, &mut buffer);
    let mut stops = 0;
    let outcome = loop {
        if refuse_at.is_some_and(|at| at <= stops) {
            refuse_at = None;
            faults.refusals += 1;
            refuse(libc::SYS_splice, refusal(rng))?;
        }
        match copy.poll_send(&out, &input) {
            Ok(Status::Done) => break Ok(()),
            Ok(Status::Yielded) => {}
            Ok(Status::OutFull) => wait_for(&out, PollFlags::OUT)?,
            Ok(Status::InEmpty) => wait_for(&input, PollFlags::IN)?,
            Err(error) => break Err(error),
        }
        stops += 1;
        faults.stops += 1;
    };
    let sent = copy.sent();
    let expected = match (outcome, count) {
        (Ok(()), Count::Bytes(count)) => sent == count,
        (Ok(()), Count::ToEnd) => sent == len as u64,
        (Err(Error::Truncated { owed }), Count::Bytes(count)) => sent + owed == count && sent == len as u64,
        (Err(Error::Errno(Errno::EPIPE | Errno::ECONNRESET)), _) => leaves,
        _ => false,
    };
    let remainder = copy.remainder();
    let rest = whole.get(sent as usize..).ok_or("more than there is")?;
    if !expected || copy.spliced() > sent || !rest.starts_with(remainder) {
        return Err(format!("{outcome:?} of {count:?} of {len}: {sent} sent, {} kept", remainder.len()).into());
    }
    drop(input);
    feeder.join().map_err(|_| "the feeder panicked")?;
    Ok(whole.get(..sent as usize).unwrap_or(&[]).to_vec())
}

fn wait_for(file: &OwnedFd, flags: PollFlags) -> Result<(), Wrong> {
    let timeout = Timespec { tv_sec: 30, tv_nsec: 0 };
    match poll(&mut [PollFd::from_borrowed_fd(file.as_fd(), flags)], Some(&timeout)) {
        Ok(0) => Err("nothing happened for 30 seconds".into()),
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Makes SIGUSR1 interrupt system calls and do nothing else.
fn catch_signals() {
    extern "C" fn nothing(_: libc::c_int) {}
    let handler: extern "C" fn(libc::c_int) = nothing;
    // SAFETY: all of its fields are integers or nullable, for which zero is a value.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    // SAFETY: the handler does nothing, and the old action is not asked for.
    unsafe { libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()) };
}

/// A thread that signals the one that starts it, over and over.
struct Signals {
    done: Arc<AtomicBool>,
    thread: thread::JoinHandle<u64>,
}

impl Signals {
    fn start() -> io::Result<Self> {
        let done = Arc::new(AtomicBool::new(false));
        // SAFETY: it touches no memory.
        let (also_done, target) = (done.clone(), unsafe { libc::gettid() });
        let thread = thread::Builder::new().spawn(move || {
            let mut signals = 0;
            while !also_done.load(SeqCst) {
                // SAFETY: it touches no memory of this process; the handler does nothing.
                unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), target, libc::SIGUSR1) };
                signals += 1;
                thread::sleep(Duration::from_micros(50)); // how often it is disturbed; nothing waits for it
            }
            signals
        })?;
        Ok(Self { done, thread })
    }

    fn stop(self) -> u64 {
        self.done.store(true, SeqCst);
        self.thread.join().unwrap_or(0)
    }
}
