//! `vsock-file FILE PORT [CID]`: sends FILE to a port of the host, or of CID; 1 is this machine itself.

use std::env::args_os;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use vsock::VMADDR_CID_HOST;

fn main() -> ExitCode {
    let words: Vec<OsString> = args_os().skip(1).collect();
    let number = |word: &OsString| word.to_str()?.parse().ok();
    let target = match &words[..] {
        [_, port] => number(port).map(|port| (port, VMADDR_CID_HOST)),
        [_, port, cid] => number(port).zip(number(cid)),
        _ => None,
    };
    let Some((port, cid)) = target else {
        report("usage: vsock-file FILE PORT [CID]");
        return ExitCode::from(2);
    };
    match vsock_file::open(Path::new(&words[0])).and_then(|file| vsock_file::send(&file, cid, port)) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            report(&format!("vsock-file: {}: {error}", words[0].display()));
            ExitCode::FAILURE
        }
    }
}

/// Writes a line to stderr. If that fails nobody can be told; `eprintln!` would panic.
fn report(line: &str) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}
