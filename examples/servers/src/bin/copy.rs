//! A whole file into another, as an init does it when it unpacks its payload: to the end, through a small buffer where
//! sendfile is refused (procfs, files opened for appending), and in place only when complete.

use std::env::args_os;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::ExitCode;

use bare_sendfile::{Count, sendfile_hdtr_all};

fn copy(from: &Path, to: &Path) -> io::Result<u64> {
    let source = File::open(from)?;
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    let target = File::create(&part)?;
    let sent = sendfile_hdtr_all(&target, &source, Some(0), Count::ToEnd, &[], &[], &mut [0; 4096]).bytes();
    let placed = sent.map_err(io::Error::from).and_then(|bytes| fs::rename(&part, to).map(|()| bytes));
    if placed.is_err() {
        fs::remove_file(&part)?;
    }
    placed
}

fn main() -> ExitCode {
    let arguments: Vec<_> = args_os().skip(1).collect();
    let [from, to] = &arguments[..] else {
        eprintln!("usage: copy FROM TO");
        return ExitCode::from(2);
    };
    match copy(from.as_ref(), to.as_ref()) {
        Ok(bytes) => println!("{bytes} bytes"),
        Err(error) => {
            eprintln!("{} to {}: {error}", from.display(), to.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
