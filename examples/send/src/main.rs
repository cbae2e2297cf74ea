//! Sends headers, a file or a part of it, and trailers to a file, the standard output or a TCP peer:
//!
//! ```console
//! $ cargo run --release --manifest-path examples/send/Cargo.toml -- SRC DST
//! ```

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::{self, File, Metadata};
use std::io::{self, IsTerminal, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use bare_sendfile::{Count, Errno, Error, IoSlice, Step, Transfer};
use indicatif::{BinaryBytes, HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

const USAGE: &str = "\
Usage: send [OPTIONS] SRC DST

Sends headers, a file or a part of it, and trailers: the file inside the kernel, by sendfile.

  SRC                 a file
  DST                 a path (created with SRC's permissions, or overwritten in place), - for the standard output, or tcp:HOST:PORT

  --offset BYTES      start there; at 0 by default
  --count BYTES       send so many of the file; to its end by default
  --header TEXT       send this before the file; may be repeated
  --trailer TEXT      send this after the file; may be repeated
  --fallback          where sendfile refuses (some of /proc, output opened for appending), copy through a buffer
  --help, --version   print this, or the version

Exit status: 0 all is sent; 1 not all; 2 the arguments are wrong. A signal ends it after it has said what is incomplete; a second one
ends it at once.
";

/// Lent with `--fallback`.
const BUFFER: usize = 64 << 10;

/// Between two questions whether a TCP peer has all.
const PAUSE: Duration = Duration::from_millis(10);

/// So long is read from a TCP peer that does not stop sending, and where the system does not tell whether it has all.
const PATIENCE: Duration = Duration::from_secs(2);

/// Between two pictures of the progress bar.
const TICK: Duration = Duration::from_millis(100);

/// So long there is no estimate of the rate: what goes into empty buffers at the beginning tells nothing about it.
const UNCERTAIN: Duration = Duration::from_secs(2);

/// So many bytes are sent, for what is said when a signal comes.
static SENT: AtomicU64 = AtomicU64::new(0);

/// So many of them have arrived, for the thread that draws.
static ARRIVED: AtomicU64 = AtomicU64::new(0);

/// Whether there may be a new DST that has nothing yet.
static CREATED: AtomicBool = AtomicBool::new(false);

/// What is shown, once there is a DST that may be incomplete.
static BAR: OnceLock<ProgressBar> = OnceLock::new();

/// Whether a thread says how it ended. The other one then says nothing.
static SAID: AtomicBool = AtomicBool::new(false);

/// Whether the standard output was closed when the program started.
static STDOUT_WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// std opens /dev/null before `main` in place of each standard descriptor that is closed. Whoever names /dev/stdin or /dev/stdout
/// would get that: a file of nothing, or one that takes all. A socket that nobody can open by such a name is there first.
#[used]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
static BEFORE_STD: extern "C" fn() = {
    extern "C" fn before_std() {
        for descriptor in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
            // SAFETY: it asks for the flags of a number that may be no descriptor, and touches no memory.
            if unsafe { libc::fcntl(descriptor, libc::F_GETFD) } != -1 {
                continue;
            }
            if descriptor == libc::STDOUT_FILENO {
                STDOUT_WAS_CLOSED.store(true, Relaxed);
            }
            // SAFETY: it touches no memory. The lowest number that is free is this one.
            unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0) };
        }
    }
    before_std
};

struct Args {
    source: OsString,
    target: OsString,
    offset: u64,
    count: Count,
    headers: Vec<OsString>,
    trailers: Vec<OsString>,
    fallback: bool,
}

/// What the command line asks for.
enum Command {
    Send(Args),
    Print(String),
}

fn main() -> ExitCode {
    let outcome = match parse(lexopt::Parser::from_env()) {
        Ok(Command::Send(args)) => send(&args),
        Ok(Command::Print(text)) => print(&text),
        Err(error) => {
            report(&format!(
                "send: {}\nUsage: send [OPTIONS] SRC DST; --help tells more\n",
                escaped(&error.to_string())
            ));
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&format!("send: {}\n", escaped(&error)));
            ExitCode::FAILURE
        }
    }
}

/// Writes to stderr. Nobody can be told that it failed; `eprint!` would panic.
fn report(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// A name in a message does not drive the terminal.
fn escaped(message: &str) -> String {
    message.chars().map(|c| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() }).collect()
}

fn print(text: &str) -> Result<(), String> {
    let printed = stdout().and_then(|mut stdout| {
        stdout.write_all(text.as_bytes())?;
        close_file(stdout)
    });
    printed.map_err(|error| format!("standard output: {}", reason(&error)))
}

fn stdout() -> io::Result<File> {
    if STDOUT_WAS_CLOSED.load(Relaxed) {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    io::stdout().as_fd().try_clone_to_owned().map(File::from)
}

/// Closes a file and returns the error of it, which a drop passes over: some file systems (NFS, FUSE) store a file only then.
fn close_file(file: File) -> io::Result<()> {
    // SAFETY: it is open, and nobody else has it.
    match unsafe { libc::close(file.into_raw_fd()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn parse(mut parser: lexopt::Parser) -> Result<Command, lexopt::Error> {
    use lexopt::prelude::{Long, Value};

    let (mut offset, mut count, mut fallback) = (0, Count::ToEnd, false);
    let (mut headers, mut trailers, mut paths) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(argument) = parser.next()? {
        match argument {
            Long("offset") => offset = bytes("--offset", &parser.value()?)?,
            Long("count") => count = Count::Bytes(bytes("--count", &parser.value()?)?),
            Long("header") => headers.push(parser.value()?),
            Long("trailer") => trailers.push(parser.value()?),
            Long("fallback") => fallback = true,
            Long("help") => return Ok(Command::Print(USAGE.into())),
            Long("version") => return Ok(Command::Print(format!("send {}\n", env!("CARGO_PKG_VERSION")))),
            Value(path) if paths.len() < 2 => paths.push(path),
            other => return Err(other.unexpected()),
        }
    }
    let [source, target] = <[OsString; 2]>::try_from(paths).map_err(|_| "SRC and DST are needed")?;
    if source == "-" {
        return Err("SRC cannot be -: what is sent is a file".into());
    }
    if target.as_bytes().starts_with(b"tcp:") {
        let parts = address(&target).and_then(|address| address.rsplit_once(':'));
        if !parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()) {
            return Err(format!("{}: not of the form tcp:HOST:PORT, with a PORT up to 65535", shown(&target)).into());
        }
    }
    Ok(Command::Send(Args { source, target, offset, count, headers, trailers, fallback }))
}

/// HOST:PORT of a TCP peer.
fn address(target: &OsStr) -> Option<&str> {
    target.to_str()?.strip_prefix("tcp:")
}

fn bytes(option: &str, value: &OsStr) -> Result<u64, String> {
    let number = value.to_str().and_then(|text| text.parse().ok());
    number.ok_or_else(|| format!("{option}: {value:?} is not a number of bytes from 0 to {}", u64::MAX))
}

fn send(args: &Args) -> Result<(), String> {
    // The target is created only when the source is known to be good.
    let (file, metadata) = open_source(args)?;
    // The signals are blocked before another thread is there, which one of them would reach and end the program.
    say_when_ended(target_name(args));
    let mut target = open_target(args, &metadata)?;

    let (headers, trailers) = (slices(&args.headers), slices(&args.trailers));
    let transfer = Transfer::new(args.offset, args.count, &headers, &trailers).map_err(|error| error.to_string())?;
    let mut transfer = transfer.with_small(0); // the buffer is for what sendfile refuses, and only for that
    let mut buffer = vec![0; if args.fallback { BUFFER } else { 0 }];

    let bar = BAR.get_or_init(|| progress_bar(args, &metadata, &target));
    bar.tick();
    let drawn = bar.is_hidden() || draw_by_a_thread(bar);
    let start = Instant::now();
    let outcome = drive(&mut transfer, &mut target, &file, &headers, &trailers, &mut buffer, (!drawn).then_some(bar));
    // Nothing of an old file is lost before the first byte. If it cannot be cut after that, it is old still.
    let untouched = transfer.progress().total() == 0 && matches!(target, Target::File { old: true, .. });
    let named = matches!(target, Target::File { .. });
    // After a failure as well: the peer is to have what the summary says.
    let closed = target.close().map_err(|error| ("close", errno_of(&error)));
    let elapsed = start.elapsed();
    if SAID.swap(true, Relaxed) {
        // A signal came before. The thread that says so ends the program.
        loop {
            thread::park();
        }
    }
    bar.finish_and_clear();
    report(&summary(&transfer, elapsed));
    outcome.and(closed).map_err(|failure| {
        let mut message = explain(args, failure);
        if named && !untouched {
            let _ = write!(message, "; {} is incomplete", target_name(args));
        }
        message
    })
}

/// Starts a thread that draws the progress bar, and returns whether it could. The main thread draws nothing while it waits for a peer,
/// and a terminal that stands still (Ctrl-S) would stop its transfer.
fn draw_by_a_thread(bar: &'static ProgressBar) -> bool {
    let draw = move || {
        while !bar.is_finished() {
            bar.update(|state| state.set_pos(ARRIVED.load(Relaxed)));
            sleep(TICK);
        }
    };
    thread::Builder::new().spawn(draw).is_ok()
}

/// Says what is incomplete when a signal ends the program, and then lets it. If no thread can be started for that, a signal ends the
/// program silently.
fn say_when_ended(target: String) {
    // SAFETY: all of this is what the manual pages have: a set made by sigemptyset, an action that is only asked for. A signal set
    // is plain data, and zeros are a value of both types.
    let signals = unsafe {
        // A file that becomes too large is an error as a full disk is.
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        let mut signals: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut signals);
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM] {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &mut action);
            // Who is started by nohup, or by a shell in the background, ignores some.
            if action.sa_sigaction == libc::SIG_DFL {
                libc::sigaddset(&mut signals, signal);
            }
        }
        // Of all threads, which inherit it: a signal waits until somebody asks for it.
        libc::pthread_sigmask(libc::SIG_BLOCK, &signals, std::ptr::null_mut());
        signals
    };
    let waiting = thread::Builder::new().spawn(move || {
        let mut signal = 0;
        // SAFETY: the set was made above, and the number is written to.
        unsafe {
            if libc::sigwait(&signals, &mut signal) != 0 {
                return;
            }
            // What it says may have to wait for a terminal that stands still. From now on a signal ends the program at once.
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &signals, std::ptr::null_mut());
        }
        // Before there is a bar nothing else is incomplete.
        let bar = BAR.get();
        if (bar.is_some() || CREATED.load(Relaxed)) && !SAID.swap(true, Relaxed) {
            if let Some(bar) = bar {
                bar.finish_and_clear();
            }
            let sent = SENT.load(Relaxed);
            let message = format!("send: ended by signal {signal} after {sent} bytes; {target} is incomplete");
            report(&format!("{}\n", escaped(&message)));
        }
        // SAFETY: they touch no memory. The signal's action is the default one, which ends the program.
        unsafe {
            libc::raise(signal);
            // The kernel delivers no such signal to the first process of a container (SIGNAL_UNKILLABLE in kernel/signal.c).
            libc::_exit(128 + signal);
        }
    });
    if waiting.is_err() {
        // SAFETY: the set was made above.
        unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &signals, std::ptr::null_mut()) };
    }
}

/// Where the bytes go.
enum Target {
    /// A regular file, opened by its name; `old` as long as it may have bytes from before.
    File {
        file: File,
        old: bool,
    },
    /// Nonblocking, so that the progress bar sees each part.
    Tcp(TcpStream),
    Other(File),
}

impl AsFd for Target {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::File { file, .. } => file.as_fd(),
            Self::Tcp(socket) => socket.as_fd(),
            Self::Other(file) => file.as_fd(),
        }
    }
}

impl Target {
    /// Removes what an old file has after the `sent` bytes, once. Not before the first of them: until then sendfile can still
    /// refuse, and the file stays as it was.
    fn cut(&mut self, sent: u64) -> Result<(), Failure> {
        if let Self::File { file, old: old @ true } = self {
            file.set_len(sent).map_err(|error| ("cut", errno_of(&error)))?;
            *old = false;
        }
        Ok(())
    }

    /// What keeps bytes from being sent, where sendfile does not know: it says EINVAL of /dev/full, and a write of nothing ENOSPC.
    fn reason(&self, errno: Errno) -> Errno {
        match self {
            Self::Other(file) if file.metadata().is_ok_and(|metadata| metadata.file_type().is_char_device()) => {
                rustix::io::write(file, &[]).err().map_or(errno, |error| number(&error.into()))
            }
            _ => errno,
        }
    }

    /// How many of the `sent` bytes have arrived, as far as the system tells.
    fn arrived(&self, sent: u64) -> u64 {
        match self {
            Self::Tcp(socket) => sent.saturating_sub(unacknowledged(socket).map_or(0, |bytes| bytes as u64)),
            _ => sent,
        }
    }

    fn close(self) -> io::Result<()> {
        match self {
            Self::File { file, .. } | Self::Other(file) => close_file(file),
            Self::Tcp(socket) => close(&socket),
        }
    }
}

/// Closes the connection when the peer has all. A socket that is closed with input that nobody has read resets the
/// connection, and what waits to be sent is lost: so the input is read.
fn close(mut socket: &TcpStream) -> io::Result<()> {
    if socket.shutdown(Shutdown::Write).is_err() {
        // There is no connection any more. The reason is here unless it has been told already.
        return socket.take_error()?.map_or(Ok(()), Err);
    }
    socket.set_nonblocking(false)?;
    socket.set_read_timeout(Some(PAUSE))?;
    let (mut buffer, start) = ([0; 4096], Instant::now());
    loop {
        // Asked first: what has come by then is read before the end.
        let unacknowledged = unacknowledged(socket);
        let impatient = start.elapsed() > PATIENCE;
        match (socket.read(&mut buffer), unacknowledged) {
            (Ok(0), _) => {
                // A reset does not change the end that was there before it.
                if let Some(error) = socket.take_error()? {
                    return Err(error);
                }
                if unacknowledged.is_none_or(|bytes| bytes == 0) {
                    return Ok(());
                }
                sleep(PAUSE); // the end is read at once, so nothing else waits between two questions
            }
            (Err(error), Some(0)) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            (Err(error), _) if ![io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted].contains(&error.kind()) => {
                return Err(error);
            }
            (_, Some(0) | None) if impatient => return Ok(()),
            _ => {}
        }
    }
}

/// Bytes that the peer's system has not yet confirmed to have, and 1 for the end. `None` where the system does not tell.
#[cfg(target_os = "linux")]
fn unacknowledged(socket: &TcpStream) -> Option<i32> {
    use std::os::fd::AsRawFd;

    let mut bytes = 0;
    // SAFETY: this request, SIOCOUTQ for a socket, writes an int.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &mut bytes) };
    (result == 0).then_some(bytes)
}
#[cfg(not(target_os = "linux"))]
fn unacknowledged(_: &TcpStream) -> Option<i32> {
    None
}

/// The step at which it stopped, and why.
type Failure = (&'static str, Error);

/// Takes steps until all is sent; and, whatever happens, leaves nothing waiting in the kernel. Draws the bar, if there is one.
fn drive(
    transfer: &mut Transfer,
    target: &mut Target,
    file: &File,
    headers: &[IoSlice<'_>],
    trailers: &[IoSlice<'_>],
    buffer: &mut [u8],
    bar: Option<&ProgressBar>,
) -> Result<(), Failure> {
    let outcome = loop {
        let step = match transfer.next_step(headers, trailers, buffer.len()) {
            Ok(Step::Done) => break target.cut(transfer.progress().total()),
            Ok(step) => step,
            Err(error) => break Err(("next step", error)),
        };
        let name = match step {
            Step::SendFile { .. } => "sendfile",
            Step::Copy { .. } => "copy",
            _ => "write",
        };
        let result = transfer.perform(&step, &*target, file, buffer);
        let sent = transfer.progress().total();
        SENT.store(sent, Relaxed);
        ARRIVED.store(target.arrived(sent), Relaxed);
        if let Some(bar) = bar {
            bar.set_position(ARRIVED.load(Relaxed));
        }
        if sent > 0 {
            if let Err(failure) = target.cut(sent) {
                break Err(failure);
            }
        }
        match result {
            Ok(()) | Err(Error::Errno(Errno::EINTR)) => {}
            // A TCP socket, or another program has made our standard output nonblocking.
            Err(Error::Errno(Errno::EAGAIN)) => {
                flush(transfer, true, target, file);
                let timeout = Timespec { tv_sec: 0, tv_nsec: TICK.subsec_nanos().into() };
                match poll(&mut [PollFd::new(target, PollFlags::OUT)], Some(&timeout)) {
                    Ok(_) | Err(rustix::io::Errno::INTR) => {}
                    Err(errno) => break Err(("poll", errno_of(&errno.into()))),
                }
            }
            Err(Error::Errno(errno @ Errno::EINVAL)) => break Err((name, Error::Errno(target.reason(errno)))),
            Err(error) => break Err((name, error)),
        }
    };
    flush(transfer, false, target, file);
    outcome
}

/// Leaves nothing waiting in the kernel. `full`: whether the target is full, so that the kernel sends most of it by itself.
fn flush(transfer: &mut Transfer, full: bool, target: &Target, file: &File) {
    let step = if full { transfer.flush_full() } else { transfer.flush() };
    if let Some(step) = step {
        let _ = transfer.perform(&step, target, file, &mut []);
    }
}

fn errno_of(error: &io::Error) -> Error {
    Error::Errno(number(error))
}

fn number(error: &io::Error) -> Errno {
    error.raw_os_error().and_then(Errno::from_raw_os_error).unwrap_or(Errno::EIO)
}

fn slices(texts: &[OsString]) -> Vec<IoSlice<'_>> {
    texts.iter().map(|text| IoSlice::new(text.as_bytes())).collect()
}

fn open_source(args: &Args) -> Result<(File, Metadata), String> {
    let path = shown(&args.source);
    let failed = |error: io::Error| format!("{path}: {}", reason(&error));
    let no_file = || format!("{path}: SRC must be a file that can be read at an offset");
    // Asked before it is opened, which would wait until somebody writes.
    if fs::metadata(&args.source).map_err(failed)?.file_type().is_fifo() {
        return Err(no_file());
    }
    let file = File::open(&args.source).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(format!("{path}: {}", Errno::EISDIR));
    }
    if i64::try_from(args.offset).is_err() {
        return Err(format!("offset {} is above the kernel's largest offset, {}", args.offset, i64::MAX));
    }
    // Asked of the file itself: files of /proc and devices have a length of 0.
    let read = file.read_at(&mut [0], args.offset.saturating_sub(1)).map_err(|error| match error.raw_os_error() {
        Some(libc::ESPIPE) => no_file(),
        _ => failed(error),
    })?;
    if read == 0 && args.offset > 0 {
        // The length is told where it is plausible.
        let len = Some(metadata.len()).filter(|&len| 0 < len && len < args.offset);
        let len = len.map_or(String::new(), |len| format!(" ({len} bytes)"));
        return Err(format!("offset {} is past the end of {path}{len}", args.offset));
    }
    Ok((file, metadata))
}

fn open_target(args: &Args, source: &Metadata) -> Result<Target, String> {
    let name = target_name(args);
    let failed = |error: io::Error| format!("{name}: {}", reason(&error));
    if let Some(address) = address(&args.target) {
        let connected = TcpStream::connect(address).and_then(|socket| {
            socket.set_nonblocking(true)?;
            Ok(Target::Tcp(socket))
        });
        return connected.map_err(failed);
    }
    let is_stdout = args.target == "-";
    // Who may use a device is not who may read what was copied from it.
    let mode = if source.is_file() { source.mode() & 0o777 } else { 0o666 };
    let options = || File::options().write(true).mode(mode).custom_flags(libc::O_NOCTTY).to_owned();
    // O_CREAT is left out: in a folder like /tmp the kernel refuses it for a file of somebody else (`fs.protected_regular`). Only a link
    // to nothing needs it.
    let open_old = || match options().open(&args.target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            options().create(true).truncate(false).open(&args.target)
        }
        file => file,
    };
    let (file, new) = if is_stdout {
        (stdout(), false)
    } else {
        // Beforehand: a signal may come before the answer does.
        CREATED.store(true, Relaxed);
        let file = options().create_new(true).open(&args.target);
        CREATED.store(file.is_ok(), Relaxed);
        match file {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => (open_old(), false),
            file => (file, true),
        }
    };
    let file = file.map_err(failed)?;
    let target = file.metadata().map_err(failed)?;
    if target.is_file() && (target.dev(), target.ino()) == (source.dev(), source.ino()) {
        return Err(format!("{} and {name} are the same file", shown(&args.source)));
    }
    Ok(if target.is_file() && !is_stdout { Target::File { file, old: !new } } else { Target::Other(file) })
}

fn target_name(args: &Args) -> String {
    if args.target == "-" { "standard output".into() } else { shown(&args.target) }
}

/// An empty name is seen as well.
fn shown(name: &OsStr) -> String {
    if name.is_empty() { "''".into() } else { Path::new(name).display().to_string() }
}

/// Shown if stderr is a terminal, and the bytes go to none, which may be the same.
fn progress_bar(args: &Args, source: &Metadata, target: &Target) -> ProgressBar {
    if !io::stderr().is_terminal() || target.as_fd().is_terminal() {
        return ProgressBar::hidden();
    }
    let of_file = match args.count {
        Count::Bytes(count) => Some(count),
        Count::ToEnd => source.len().checked_sub(args.offset).filter(|&len| len > 0),
    };
    let texts: usize = args.headers.iter().chain(&args.trailers).map(|text| text.len()).sum();
    let (bar, template) = match of_file {
        Some(len) => (ProgressBar::new(len.saturating_add(texts as u64)), "{figures} {wide_bar}"),
        None => (ProgressBar::new_spinner(), "{spinner} {figures}"),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.with_key("figures", |state: &ProgressState, line: &mut dyn std::fmt::Write| {
            let _ = line.write_str(&figures(state));
        }));
    }
    bar
}

/// How far it is, as far as it fits the terminal: a line that wraps cannot be redrawn in place.
fn figures(state: &ProgressState) -> String {
    let columns = rustix::termios::tcgetwinsize(io::stderr()).map_or(0, |size| usize::from(size.ws_col));
    let columns = if columns == 0 { 80 } else { columns }; // it does not know
    let mut parts = vec![BinaryBytes(state.pos()).to_string()];
    if let Some(len) = state.len() {
        parts[0] += &format!(" of {}", BinaryBytes(len));
    }
    if state.elapsed() >= UNCERTAIN {
        let rate = state.per_sec();
        parts.push(format!("{}/s", BinaryBytes(rate as u64)));
        if state.len().is_some() && rate >= 1.0 {
            parts.push(format!("{:#} left", HumanDuration(state.eta())));
        }
    }
    let mut line = String::new();
    for part in parts {
        let longer = if line.is_empty() { part } else { format!("{line}, {part}") };
        // Beside it stand the spinner and a space, and the last column stays free.
        if longer.len() + 3 > columns {
            break;
        }
        line = longer;
    }
    line
}

/// Bytes per section, how they were moved, and the rate.
fn summary(transfer: &Transfer, elapsed: Duration) -> String {
    let (sent, by) = (transfer.progress(), transfer.mechanisms());
    let why = by.refused.map_or(String::new(), |errno| format!(" (sendfile refused: {errno:?})"));
    let rate = BinaryBytes((sent.total() as f64 / elapsed.as_secs_f64()) as u64);
    format!(
        "sent {} bytes: headers {} written, file {} by sendfile and {} copied{why}, trailers {} written; {elapsed:.2?}, {rate}/s\n",
        sent.total(),
        sent.headers,
        by.sendfile,
        by.copy,
        sent.trailers,
    )
}

/// What `--fallback` is for, as the library has it.
const REFUSALS: [Errno; 7] =
    [Errno::EINVAL, Errno::ENOSYS, Errno::EOPNOTSUPP, Errno::ENOTSOCK, Errno::EXDEV, Errno::EOVERFLOW, Errno::EPERM];

/// Names the files and, where it is so, the way out.
fn explain(args: &Args, (step, error): Failure) -> String {
    let (source, target) = (shown(&args.source), target_name(args));
    match (step, error) {
        (_, Error::Truncated { .. }) => format!("{source}: {error}"),
        ("sendfile", Error::Errno(errno)) if !args.fallback && REFUSALS.contains(&errno) => {
            format!(
                "sendfile refused to send {source} to {target}: {error}; --fallback copies through a buffer instead"
            )
        }
        ("sendfile" | "copy", _) => format!("{step} of {source} to {target}: {error}"),
        _ => format!("{target}: {error}"),
    }
}

/// As std has it, but with the name of the errno.
fn reason(error: &io::Error) -> String {
    match error.raw_os_error().and_then(Errno::from_raw_os_error) {
        Some(errno) => errno.to_string(),
        None => error.to_string(),
    }
}
