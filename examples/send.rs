//! Sends headers, a file or a part of it, and trailers to a file, the standard output or a TCP peer:
//!
//! ```console
//! $ cargo run --release --features std --example send -- SRC DST
//! ```

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::fs::{File, Metadata};
use std::io::{self, IsTerminal, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bare_sendfile::{Count, Errno, Error, IoSlice, Step, Transfer, perform};
use indicatif::{BinaryBytes, ProgressBar, ProgressStyle};
use rustix::event::{PollFd, PollFlags, poll};

const USAGE: &str = "\
Usage: send [OPTIONS] SRC DST

Sends headers, a file or a part of it, and trailers: the file inside the kernel, by sendfile.

  SRC                 a file
  DST                 a path (created or overwritten), - for the standard output, or tcp:HOST:PORT

  --offset BYTES      start there; at 0 by default
  --count BYTES       send so many of the file; to its end by default
  --header TEXT       send this before the file; may be repeated
  --trailer TEXT      send this after the file; may be repeated
  --fallback          where sendfile refuses (some of /proc, output opened for appending), copy through a buffer
  --help, --version   print this, or the version

Exit status: 0 all is sent; 1 not all; 2 the arguments are wrong.
";

/// Lent with `--fallback`.
const BUFFER: usize = 64 << 10;

struct Args {
    source: PathBuf,
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
            report(&format!("send: {error}\nUsage: send [OPTIONS] SRC DST; --help tells more\n"));
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&format!("send: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Writes to stderr. Nobody can be told that it failed; `eprint!` would panic.
fn report(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

fn print(text: &str) -> Result<(), String> {
    let mut stdout = io::stdout();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| format!("standard output: {}", reason(&error)))
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
    Ok(Command::Send(Args { source: source.into(), target, offset, count, headers, trailers, fallback }))
}

fn bytes(option: &str, value: &OsStr) -> Result<u64, String> {
    let number = value.to_str().and_then(|text| text.parse().ok());
    number.ok_or_else(|| format!("{option}: {value:?} is not a number of bytes from 0 to {}", u64::MAX))
}

fn send(args: &Args) -> Result<(), String> {
    // The target is created or emptied only when the source is known to be good.
    let (file, metadata) = open_source(args)?;
    let out = open_target(args, &metadata)?;

    let (headers, trailers) = (slices(&args.headers), slices(&args.trailers));
    let transfer = Transfer::new(args.offset, args.count, &headers, &trailers).map_err(|error| error.to_string())?;
    let mut transfer = transfer.with_small(0); // the buffer is for what sendfile refuses, and only for that
    let mut buffer = vec![0; if args.fallback { BUFFER } else { 0 }];

    let bar = progress_bar(args, &metadata);
    let start = Instant::now();
    let outcome = drive(&mut transfer, &out, &file, &headers, &trailers, &mut buffer, &bar);
    let elapsed = start.elapsed();
    bar.finish_and_clear();
    report(&summary(&transfer, elapsed));
    outcome.map_err(|failure| explain(args, failure))
}

/// The step at which it stopped, and why.
type Failure = (&'static str, Error);

/// Takes steps until all is sent; and, whatever happens, leaves nothing waiting in the kernel.
fn drive(
    transfer: &mut Transfer,
    out: &OwnedFd,
    file: &File,
    headers: &[IoSlice<'_>],
    trailers: &[IoSlice<'_>],
    buffer: &mut [u8],
    bar: &ProgressBar,
) -> Result<(), Failure> {
    let outcome = loop {
        let step = match transfer.next_step(headers, trailers, buffer.len()) {
            Ok(Step::Done) => break Ok(()),
            Ok(step) => step,
            Err(error) => break Err(("next step", error)),
        };
        let name = match step {
            Step::SendFile { .. } => "sendfile",
            Step::Copy { .. } => "copy",
            _ => "write",
        };
        match transfer.complete(perform(&step, out, file, buffer)) {
            Ok(()) => bar.set_position(transfer.progress().total()),
            Err(Error::Errno(Errno::EINTR)) => {}
            // Another program has made our standard output nonblocking.
            Err(Error::Errno(Errno::EAGAIN)) => match poll(&mut [PollFd::new(out, PollFlags::OUT)], None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => break Err(("poll", errno_of(errno.raw_os_error()))),
            },
            Err(error) => break Err((name, error)),
        }
    };
    if let Some(step) = transfer.flush() {
        let _ = transfer.complete(perform(&step, out, file, &mut []));
    }
    outcome
}

fn errno_of(number: i32) -> Error {
    Error::Errno(Errno::from_raw_os_error(number).unwrap_or(Errno::EIO))
}

fn slices(texts: &[OsString]) -> Vec<IoSlice<'_>> {
    texts.iter().map(|text| IoSlice::new(text.as_bytes())).collect()
}

fn open_source(args: &Args) -> Result<(File, Metadata), String> {
    let path = args.source.display();
    let failed = |error: io::Error| format!("{path}: {}", reason(&error));
    let file = File::open(&args.source).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(format!("{path}: {}", Errno::EISDIR));
    }
    if let Some(before) = args.offset.checked_sub(1) {
        // Asked of the file itself: files of /proc and devices have a length of 0.
        let beyond = i64::try_from(args.offset).is_err() || file.read_at(&mut [0], before).map_err(failed)? == 0;
        if beyond {
            // The length is told where it is plausible.
            let len = Some(metadata.len()).filter(|&len| 0 < len && len < args.offset);
            let len = len.map_or(String::new(), |len| format!(" ({len} bytes)"));
            return Err(format!("offset {} is past the end of {path}{len}", args.offset));
        }
    }
    Ok((file, metadata))
}

fn open_target(args: &Args, source: &Metadata) -> Result<OwnedFd, String> {
    let name = target_name(args);
    let failed = |error: io::Error| format!("{name}: {}", reason(&error));
    if let Some(address) = args.target.to_str().and_then(|target| target.strip_prefix("tcp:")) {
        return TcpStream::connect(address).map(OwnedFd::from).map_err(failed);
    }
    let stdout = args.target == "-";
    let file = if stdout {
        io::stdout().as_fd().try_clone_to_owned().map(File::from)
    } else {
        File::options().write(true).create(true).truncate(false).open(&args.target)
    };
    let file = file.map_err(failed)?;
    let target = file.metadata().map_err(failed)?;
    if target.is_file() {
        if (target.dev(), target.ino()) == (source.dev(), source.ino()) {
            return Err(format!("{} and {name} are the same file", args.source.display()));
        }
        if !stdout {
            file.set_len(0).map_err(failed)?;
        }
    }
    Ok(file.into())
}

fn target_name(args: &Args) -> impl Display {
    Path::new(if args.target == "-" { OsStr::new("standard output") } else { &args.target }).display()
}

/// Shown if stderr is a terminal, and not the one that the bytes go to.
fn progress_bar(args: &Args, source: &Metadata) -> ProgressBar {
    if !io::stderr().is_terminal() || (args.target == "-" && io::stdout().is_terminal()) {
        return ProgressBar::hidden();
    }
    let of_file = match args.count {
        Count::Bytes(count) => Some(count),
        Count::ToEnd => source.len().checked_sub(args.offset).filter(|&len| len > 0),
    };
    let texts: usize = args.headers.iter().chain(&args.trailers).map(|text| text.len()).sum();
    let bar = match of_file {
        Some(len) => ProgressBar::new(len.saturating_add(texts as u64)),
        None => ProgressBar::new_spinner(),
    };
    // At most 75 columns: a line that wraps cannot be redrawn in place.
    let template = "{bar:20} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left";
    if let (Some(_), Ok(style)) = (of_file, ProgressStyle::with_template(template)) {
        bar.set_style(style);
    }
    bar.tick();
    bar
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

/// Names the files and, where it is so, the way out.
fn explain(args: &Args, (step, error): Failure) -> String {
    let (source, target) = (args.source.display(), target_name(args));
    match (step, error) {
        (_, Error::Truncated { owed }) => format!("{source}: {owed} bytes are missing: {error}"),
        ("sendfile", Error::Errno(Errno::EINVAL | Errno::ENOSYS | Errno::EPERM)) => {
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
