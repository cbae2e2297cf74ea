//! HTTP ranges: `Range: bytes=FROM-TO`, `bytes=FROM-` and `bytes=-LAST` become an offset and a count.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::TcpStream;
use std::ops::Range;

use bare_sendfile::{IoSlice, send_file};

/// The bytes that are wanted, none if the file does not have them; `None` if the field is none of the three forms, which
/// HTTP has a server ignore.
fn range(field: &str, len: u64) -> Option<Range<u64>> {
    let (unit, range) = field.split_once('=')?;
    let (from, to) = range.split_once('-').filter(|_| unit.eq_ignore_ascii_case("bytes"))?;
    if from.is_empty() {
        return Some(len.saturating_sub(to.parse().ok()?)..len);
    }
    let from = from.parse().ok()?;
    let to = if to.is_empty() { u64::MAX } else { to.parse().ok()? };
    (from <= to).then(|| from..to.saturating_add(1).min(len))
}

fn serve(socket: &TcpStream, file: &File) -> io::Result<()> {
    let len = file.metadata()?.len();
    let mut wanted = None;
    for line in BufReader::new(socket).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((_, value)) = line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("range")) {
            wanted = range(value.trim(), len);
        }
    }
    let (status, offset, count, extra) = match wanted {
        None => ("200 OK", 0, len, String::new()),
        Some(range) if !range.is_empty() => {
            let (offset, last) = (range.start, range.end - 1);
            let extra = format!("Content-Range: bytes {offset}-{last}/{len}\r\n");
            ("206 Partial Content", offset, range.end - offset, extra)
        }
        Some(_) => ("416 Range Not Satisfiable", 0, 0, format!("Content-Range: bytes */{len}\r\n")),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {count}\r\n{extra}Connection: close\r\n\r\n");
    send_file(socket, file, offset, count, &[IoSlice::new(head.as_bytes())], &[], &mut []).outcome?;
    servers::finish(socket)
}

fn main() -> io::Result<()> {
    let (file, connections) = servers::arguments();
    let listener = servers::listen()?;
    for _ in 0..connections {
        if let Err(error) = serve(&listener.accept()?.0, &file) {
            servers::report(error);
        }
    }
    Ok(())
}
