//! Sends a file to standard output or to a new file, without a C library, without std, without an allocator.
#![no_std]
#![no_main]

#[cfg_attr(feature = "rustix", path = "kernel/rustix.rs")]
#[cfg_attr(not(feature = "rustix"), path = "kernel/bare.rs")]
mod kernel;

use core::ffi::CStr;

use kernel::{STDERR, STDOUT, close, create, open, sendfile, wait, write};
use start::{Start, Strings};

start::main!(main);

/// Required of every program. That of `start` would make four times as much of a program that hardly ever panics.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    start::exit(134)
}

const EINTR: i32 = 4;
const EAGAIN: i32 = 11;

const USAGE: &[u8] = b"usage: tiny [-o OFFSET] [-n COUNT] FILE [NEW]
Sends FILE from byte OFFSET on, COUNT bytes or all, to standard output or to NEW.
";

/// The exit code: 0 all sent, 1 an error of the kernel or a file that is too short, 2 wrong arguments.
fn main(start: Start) -> u8 {
    match parse(start.arguments.skip_first()) {
        Some(Request::Send { offset, count, input, output }) => match send(offset, count, input, output) {
            Ok(()) => 0,
            Err(failure) => {
                failure.report();
                1
            }
        },
        Some(Request::Help) => {
            write(STDOUT, USAGE);
            0
        }
        None => {
            write(STDERR, USAGE);
            2
        }
    }
}

enum Request {
    Send { offset: u64, count: Option<u64>, input: &'static CStr, output: Option<&'static CStr> },
    Help,
}

fn parse(mut arguments: Strings) -> Option<Request> {
    let (mut offset, mut count) = (0, None);
    let input = loop {
        let argument = arguments.next()?;
        match argument.to_bytes() {
            b"-o" => offset = number(arguments.next()?)?,
            b"-n" => count = Some(number(arguments.next()?)?),
            b"--help" => return Some(Request::Help),
            b"--" => break arguments.next()?,
            [b'-', ..] => return None,
            _ => break argument,
        }
    };
    let output = arguments.next();
    // One argument too many is a mistake, not something to pass over.
    arguments.next().is_none().then_some(Request::Send { offset, count, input, output })
}

/// Decimal digits and nothing else, not above the kernel's largest offset.
fn number(digits: &CStr) -> Option<u64> {
    let mut number = 0_u64;
    for &byte in digits.to_bytes() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 || number > i64::MAX as u64 / 10 {
            return None;
        }
        number = number * 10 + u64::from(digit);
    }
    (!digits.is_empty() && number <= i64::MAX as u64).then_some(number)
}

fn send(
    mut offset: u64,
    count: Option<u64>,
    input: &'static CStr,
    output: Option<&'static CStr>,
) -> Result<(), Failure> {
    let in_fd = open(input).map_err(|errno| Failure { name: input, errno, new: None })?;
    let out_fd = match output {
        Some(output) => create(output).map_err(|errno| Failure { name: output, errno, new: None })?,
        None => STDOUT,
    };
    let mut left = count.unwrap_or(u64::MAX);
    while left > 0 {
        match sendfile(out_fd, in_fd, &mut offset, left.min(1 << 30) as usize) {
            Ok(0) if count.is_some() => return Err(Failure { name: input, errno: 0, new: output }),
            Ok(0) => break,
            Ok(sent) => left -= sent as u64,
            // Another program has made the output nonblocking: waited for, it takes more. And a signal is no reason to end.
            Err(EAGAIN) => wait(out_fd),
            Err(EINTR) => {}
            // The kernel does not tell which of the two files it means; EINVAL is mostly the input's.
            Err(errno) => return Err(Failure { name: input, errno, new: output }),
        }
    }
    // A file system may store the file only now, and say only now that it cannot.
    close(out_fd).map_err(|errno| Failure { name: output.unwrap_or(c"standard output"), errno, new: output })
}

/// What went wrong with which file; 0 stands for a file that is too short.
struct Failure {
    name: &'static CStr,
    errno: i32,
    /// A file that was made, and has not all that it should have.
    new: Option<&'static CStr>,
}

impl Failure {
    /// `tiny: FILE: no space left (os error 28); NEW is incomplete`
    fn report(&self) {
        let reason: &[u8] = match self.errno {
            0 => b"shorter than asked for",
            2 => b"no such file",
            13 => b"permission denied",
            17 => b"exists already",
            22 => b"sendfile does not take it",
            28 => b"no space left",
            _ => b"failed",
        };
        for part in [b"tiny: ", self.name.to_bytes(), b": ", reason] {
            write(STDERR, part);
        }
        if self.errno != 0 {
            // Three digits at the most, as in every error number of today.
            let mut digits = [0; 3];
            let mut left = self.errno as u32;
            for digit in digits.iter_mut().rev() {
                *digit = b'0' + (left % 10) as u8;
                left /= 10;
            }
            let leading_zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
            for part in [b" (os error ", digits.get(leading_zeros..).unwrap_or(b""), b")"] {
                write(STDERR, part);
            }
        }
        if let Some(new) = self.new {
            for part in [b"; ", new.to_bytes(), b" is incomplete"] {
                write(STDERR, part);
            }
        }
        write(STDERR, b"\n");
    }
}
