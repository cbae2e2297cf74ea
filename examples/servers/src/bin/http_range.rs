//! HTTP ranges: `Range: bytes=FROM-TO`, `bytes=FROM-` and `bytes=-LAST` become an offset and a count.

use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::ops::Range;
use std::time::Instant;

use bare_sendfile::{IoSlice, sendfile_hdtr_all};
use httparse::{EMPTY_HEADER, Request, Status};

/// Bytes of a head, at most.
const HEAD: usize = 8 << 10;

/// What is answered.
struct Answer {
    status: &'static str,
    /// Lines of the head, beside those that each answer has.
    fields: String,
    /// The part of the file that is announced, and whether it is sent.
    part: Range<u64>,
    body: bool,
}

impl Answer {
    fn without_part(status: &'static str, fields: String) -> Self {
        Self { status, fields, part: 0..0, body: false }
    }
}

/// The bytes that are wanted, none if the file does not have them; `None` if the field is none of the three forms, which
/// HTTP has a server ignore.
fn range(field: &str, len: u64) -> Option<Range<u64>> {
    let (unit, range) = field.split_once('=')?;
    let (from, to) = range.split_once('-').filter(|_| unit.eq_ignore_ascii_case("bytes"))?;
    if from.is_empty() {
        return Some(len.saturating_sub(number(to)?)..len);
    }
    let from = number(from)?;
    let to = if to.is_empty() { u64::MAX } else { number(to)? };
    (from <= to).then(|| from..to.saturating_add(1).min(len))
}

/// Digits alone: Rust's own numbers may have a sign. More of them than fit are more than any file has.
fn number(digits: &str) -> Option<u64> {
    let valid = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    valid.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// Reads a head and returns what answers it; `None` if the peer ends before.
fn read_head(socket: &TcpStream, len: u64) -> io::Result<Option<Answer>> {
    let end = Instant::now() + servers::PATIENCE;
    let (mut buffer, mut have) = ([0; HEAD], 0);
    loop {
        match servers::read_until(socket, &mut buffer[have..], end)? {
            0 => return Ok(None),
            count => have += count,
        }
        let mut fields = [EMPTY_HEADER; 64];
        let mut request = Request::new(&mut fields);
        match request.parse(&buffer[..have]) {
            Ok(Status::Complete(_)) => return Ok(Some(answer(&request, len))),
            Ok(Status::Partial) if have < HEAD => {}
            Ok(Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
                return Ok(Some(Answer::without_part("431 Request Header Fields Too Large", String::new())));
            }
            Err(_) => return Ok(Some(Answer::without_part("400 Bad Request", String::new()))),
        }
    }
}

fn answer(request: &Request<'_, '_>, len: u64) -> Answer {
    let get = match request.method {
        Some("GET") => true,
        Some("HEAD") => false,
        _ => return Answer::without_part("405 Method Not Allowed", "Allow: GET, HEAD\r\n".into()),
    };
    let whole = Answer { status: "200 OK", fields: String::new(), part: 0..len, body: get };
    let mut ranges = request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case("range"));
    // Whoever has a part of another version says so. This server tells none apart, so it sends the whole.
    let conditional = request.headers.iter().any(|field| field.name.eq_ignore_ascii_case("if-range"));
    let (Some(field), None, true, false) = (ranges.next(), ranges.next(), get, conditional) else {
        return whole;
    };
    match str::from_utf8(field.value).ok().and_then(|value| range(value.trim_ascii(), len)) {
        None => whole,
        Some(part) if part.is_empty() => {
            Answer::without_part("416 Range Not Satisfiable", format!("Content-Range: bytes */{len}\r\n"))
        }
        Some(part) => {
            let fields = format!("Content-Range: bytes {}-{}/{len}\r\n", part.start, part.end - 1);
            Answer { status: "206 Partial Content", fields, part, body: true }
        }
    }
}

fn serve(socket: &TcpStream, file: &File) -> io::Result<()> {
    let Some(answer) = read_head(socket, file.metadata()?.len())? else { return Ok(()) };
    let Answer { status, fields, part, body } = answer;
    let len = part.end - part.start;
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {len}\r\n{fields}Connection: close\r\n\r\n");
    let count = if body { len } else { 0 };
    let headers = [IoSlice::new(head.as_bytes())];
    sendfile_hdtr_all(socket, file, Some(part.start), count, &headers, &[], &mut []).bytes()?;
    servers::finish(socket)
}

fn main() -> io::Result<()> {
    let (file, connections) = servers::arguments();
    let listener = servers::listen()?;
    for _ in 0..connections {
        if let Err(error) = serve(&servers::accept(&listener)?, &file) {
            servers::report(error);
        }
    }
    Ok(())
}
