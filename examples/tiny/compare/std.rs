//! The same program with std: what to compare the size of tiny with. `std::io::copy` calls sendfile where it can. (What
//! close(2) says and waiting for a nonblocking output are not in std, so not here.)

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::process::ExitCode;

const USAGE: &str = "usage: tiny [-o OFFSET] [-n COUNT] FILE [NEW]
Sends FILE from byte OFFSET on, COUNT bytes or all, to standard output or to NEW.
";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (mut offset, mut count) = (0, None);
    let request = loop {
        let Some(argument) = arguments.next() else { break None };
        match argument.to_str() {
            Some("-o") => match arguments.next().and_then(number) {
                Some(number) => offset = number,
                None => break None,
            },
            Some("-n") => match arguments.next().and_then(number) {
                Some(number) => count = Some(number),
                None => break None,
            },
            Some("--help") => {
                print!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            Some("--") => break arguments.next().map(|input| (input, arguments.next())),
            Some(option) if option.starts_with('-') => break None,
            _ => break Some((argument, arguments.next())),
        }
    };
    let (Some((input, output)), None) = (request, arguments.next()) else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    match send(offset, count, &input, output.as_ref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err((name, error, new)) => {
            let new = new.map_or(String::new(), |new| format!("; {} is incomplete", new.display()));
            eprintln!("tiny: {}: {error}{new}", name.display());
            ExitCode::FAILURE
        }
    }
}

fn number(digits: OsString) -> Option<u64> {
    digits.to_str()?.parse().ok().filter(|&number| i64::try_from(number).is_ok())
}

/// Fails with the file that it is about, and with one that was made and has not all.
fn send<'a>(
    offset: u64,
    count: Option<u64>,
    input: &'a OsString,
    output: Option<&'a OsString>,
) -> Result<(), (&'a OsString, io::Error, Option<&'a OsString>)> {
    let mut file = File::open(input).map_err(|error| (input, error, None))?;
    file.seek(SeekFrom::Start(offset)).map_err(|error| (input, error, None))?;
    let mut file = file.take(count.unwrap_or(u64::MAX));
    let sent = match output {
        Some(name) => {
            let mut output = File::create_new(name).map_err(|error| (name, error, None))?;
            io::copy(&mut file, &mut output)
        }
        None => {
            let mut output = io::stdout().lock();
            io::copy(&mut file, &mut output).and_then(|sent| output.flush().map(|()| sent))
        }
    };
    match sent {
        Ok(sent) if count.is_some_and(|count| sent < count) => {
            Err((input, io::Error::other("shorter than asked for"), output))
        }
        Ok(_) => Ok(()),
        Err(error) => Err((input, error, output)),
    }
}
