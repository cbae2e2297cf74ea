//! HTTP ranges: `Range: bytes=FROM-TO` and `bytes=FROM-` become an offset and a count.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::TcpStream;

use bare_sendfile::{IoSlice, send_file};

/// First byte and number of bytes; `None` if the header is none of the two forms or begins behind the end.
fn range(header: &str, len: u64) -> Option<(u64, u64)> {
    let (from, to) = header.strip_prefix("bytes=")?.split_once('-')?;
    let from: u64 = from.parse().ok()?;
    let to = if to.is_empty() { len } else { to.parse::<u64>().ok()?.saturating_add(1).min(len) };
    (from < to).then(|| (from, to - from))
}

fn serve(socket: &TcpStream, file: &File) -> io::Result<()> {
    let len = file.metadata()?.len();
    let mut wanted = None;
    for line in BufReader::new(socket).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("Range: ") {
            wanted = Some(range(value, len));
        }
    }
    let (status, offset, count, extra) = match wanted {
        None => ("200 OK", 0, len, String::new()),
        Some(Some((offset, count))) => {
            let last = offset + count - 1;
            ("206 Partial Content", offset, count, format!("Content-Range: bytes {offset}-{last}/{len}\r\n"))
        }
        Some(None) => ("416 Range Not Satisfiable", 0, 0, format!("Content-Range: bytes */{len}\r\n")),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {count}\r\n{extra}Connection: close\r\n\r\n");
    send_file(socket, file, offset, count, &[IoSlice::new(head.as_bytes())], &[], &mut []).outcome?;
    Ok(())
}

fn main() -> io::Result<()> {
    let (file, connections) = servers::arguments();
    let listener = servers::listen()?;
    for _ in 0..connections {
        if let Err(error) = serve(&listener.accept()?.0, &file) {
            eprintln!("{error}");
        }
    }
    Ok(())
}
