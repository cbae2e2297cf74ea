//! The head of a request.
//!
//! # References
//! - [RFC 9112](https://www.rfc-editor.org/rfc/rfc9112), HTTP/1.1

use core::iter;
use core::net::Ipv6Addr;
use core::str;

use crate::status::Status;

/// The longest head, blank lines before it included.
pub const MAX_HEAD: usize = 8192;

/// The methods that are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
}

/// What the server needs of a request. The slices are of the bytes that were parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    pub method: Method,
    /// The path, percent-encoded, and the query.
    pub target: &'a [u8],
    pub keep_alive: bool,
    pub range: Option<&'a [u8]>,
    pub if_range: Option<&'a [u8]>,
    pub if_match: Option<List<'a>>,
    pub if_none_match: Option<List<'a>>,
    pub if_modified_since: Option<&'a [u8]>,
    pub if_unmodified_since: Option<&'a [u8]>,
}

/// A field that is a list, in one line or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List<'a> {
    pub name: &'static [u8],
    /// All lines of the head.
    pub head: &'a [u8],
}

impl<'a> List<'a> {
    /// The values of all lines, which were looked at before.
    fn values(self) -> impl Iterator<Item = &'a [u8]> {
        let values = self.head.split(|&byte| byte == b'\n').filter_map(move |line| {
            let (name, value) = line.split_at_checked(self.name.len())?;
            name.eq_ignore_ascii_case(self.name).then(|| value.strip_prefix(b":"))?
        });
        values.map(<[u8]>::trim_ascii)
    }

    /// Whether it is `*`, which stands for all, and nothing else.
    pub fn is_any(self) -> bool {
        let mut values = self.values();
        values.next() == Some(b"*") && values.next().is_none()
    }

    /// The entity tags of all lines, up to what is none. A comma within the quotes is part of the tag.
    pub fn tags(self) -> impl Iterator<Item = &'a [u8]> {
        self.values().flat_map(|value| {
            let mut rest = value;
            iter::from_fn(move || {
                let start = rest.iter().position(|byte| !b", \t".contains(byte))?;
                let (tag, after) = split_tag(rest.get(start..)?)?;
                rest = after;
                Some(tag)
            })
        })
    }
}

/// The entity tag at the start, and what is behind it: the end, or a comma.
fn split_tag(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let open = if bytes.starts_with(b"W/") { 2 } else { 0 };
    let quoted = bytes.get(open..)?.strip_prefix(b"\"")?;
    let len = quoted.iter().position(|byte| b"\" \t".contains(byte)).filter(|&len| quoted.get(len) == Some(&b'"'))?;
    let (tag, after) = bytes.split_at_checked(open + 1 + len + 1)?;
    matches!(after.trim_ascii_start(), [] | [b',', ..]).then_some((tag, after))
}

/// What the bytes received until now are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed<'a> {
    /// The beginning of a request.
    Incomplete,
    /// A request, and the number of bytes that it takes.
    Request(Request<'a>, usize),
    /// No request that is served. What follows it cannot be told from its body: the connection ends after the answer.
    Refused(Status),
}

/// Parses the request at the start of `bytes`. It refuses whole heads, those that are too long, and at once what does not
/// begin as a request does: who speaks another protocol waits for an answer, not for the end of a head.
///
/// It does not matter in what pieces they come.
pub fn parse(bytes: &[u8]) -> Parsed<'_> {
    let rest = after_blank_lines(bytes);
    let blank = bytes.len() - rest.len();
    if let Err(status) = first_line(rest.get(..MAX_HEAD.saturating_sub(blank)).unwrap_or(rest)) {
        return Parsed::Refused(status);
    }
    match end_of_head(rest) {
        Some(end) if blank + end <= MAX_HEAD => match head(rest.get(..end).unwrap_or(&[])) {
            Ok(request) => Parsed::Request(request, blank + end),
            Err(status) => Parsed::Refused(status),
        },
        None if bytes.len() < MAX_HEAD => Parsed::Incomplete,
        _ if rest.iter().take(MAX_HEAD - blank.min(MAX_HEAD)).any(|&byte| byte == b'\n') => {
            Parsed::Refused(Status::HEAD_TOO_LARGE)
        }
        _ => Parsed::Refused(Status::URI_TOO_LONG),
    }
}

/// Whether the request at the start of `bytes`, which may be one that is refused, is for a head only.
pub fn is_head(bytes: &[u8]) -> bool {
    after_blank_lines(bytes).starts_with(b"HEAD ")
}

fn after_blank_lines(mut bytes: &[u8]) -> &[u8] {
    while let [b'\r', b'\n', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// The length of a head, its empty line included. That line may lack the carriage return, which is refused later: who sends
/// that waits for an answer.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let mut start = 0;
    loop {
        start += bytes.get(start..)?.iter().position(|&byte| byte == b'\n')? + 1;
        match bytes.get(start..)? {
            [b'\n', ..] => return Some(start + 1),
            [b'\r', b'\n', ..] => return Some(start + 2),
            _ => {}
        }
    }
}

/// Looks at the first line of a request, or at what has come of it.
fn first_line(head: &[u8]) -> Result<(), Status> {
    if let Some(end) = head.iter().position(|&byte| byte == b'\n') {
        return without_line_end(head.get(..=end).unwrap_or(&[])).and_then(request_line).map(drop);
    }
    let line = head.strip_suffix(b"\r").unwrap_or(head);
    // Of the last word any part may have come; of the first, nothing but the carriage return of an empty line.
    let mut words = line.split(|&byte| byte == b' ').peekable();
    let method = words.next().unwrap_or(&[]);
    let target = words.next().unwrap_or(&[]);
    let whole = words.peek().is_some();
    let version = words.next().unwrap_or(&[]);
    let graphic = target.iter().chain(version).all(u8::is_ascii_graphic);
    let begun = line.is_empty() || is_token(method) && graphic && !(whole && target.is_empty());
    if begun && words.next().is_none() { Ok(()) } else { Err(Status::BAD_REQUEST) }
}

/// Parses a head that ends with its empty line.
fn head(bytes: &[u8]) -> Result<Request<'_>, Status> {
    let mut lines = lines(bytes);
    let (method, target, minor) = request_line(lines.next().unwrap_or(Err(Status::BAD_REQUEST))?)?;
    let mut request = Request {
        method: Method::Get,
        target,
        keep_alive: false,
        range: None,
        if_range: None,
        if_match: None,
        if_none_match: None,
        if_modified_since: None,
        if_unmodified_since: None,
    };
    let (mut hosts, mut close, mut keep_alive) = (0, false, minor > 0);
    let (mut content_length, mut coded) = (None, false);
    let (mut chunked, mut other, mut behind_chunked) = (false, false, false);
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        let (name, value) = field(line)?;
        if name.eq_ignore_ascii_case(b"host") {
            hosts += 1;
            if !is_host(value) {
                return Err(Status::BAD_REQUEST);
            }
        } else if name.eq_ignore_ascii_case(b"connection") {
            close |= has_token(value, b"close");
            keep_alive |= has_token(value, b"keep-alive");
        } else if name.eq_ignore_ascii_case(b"content-length") {
            // Two that differ are how a request is smuggled past a proxy.
            let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
            if !digits || content_length.is_some_and(|first| first != value) {
                return Err(Status::BAD_REQUEST);
            }
            content_length = Some(value);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            coded = true;
            // The lines are one list.
            for coding in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|coding| !coding.is_empty())
            {
                behind_chunked |= chunked;
                match coding.eq_ignore_ascii_case(b"chunked") {
                    true => chunked = true,
                    false => other = true,
                }
            }
        } else if name.eq_ignore_ascii_case(b"range") {
            once(&mut request.range, value);
        } else if name.eq_ignore_ascii_case(b"if-range") {
            once(&mut request.if_range, value);
        } else if name.eq_ignore_ascii_case(b"if-match") {
            request.if_match = Some(List { name: b"if-match", head: bytes });
        } else if name.eq_ignore_ascii_case(b"if-none-match") {
            request.if_none_match = Some(List { name: b"if-none-match", head: bytes });
        } else if name.eq_ignore_ascii_case(b"if-modified-since") {
            once(&mut request.if_modified_since, value);
        } else if name.eq_ignore_ascii_case(b"if-unmodified-since") {
            once(&mut request.if_unmodified_since, value);
        }
    }
    if hosts > 1 || (hosts == 0 && minor > 0) || (coded && content_length.is_some()) {
        return Err(Status::BAD_REQUEST);
    }
    // Nobody can tell where such a body ends.
    if behind_chunked || (coded && !chunked && !other) {
        return Err(Status::BAD_REQUEST);
    }
    if other {
        return Err(Status::NOT_IMPLEMENTED);
    }
    // A body is not read, so nothing can follow it.
    let body = coded || content_length.is_some_and(|length| length.iter().any(|&digit| digit != b'0'));
    request.keep_alive = keep_alive && !close && !body;
    request.method = match method {
        b"GET" => Method::Get,
        b"HEAD" => Method::Head,
        b"POST" | b"PUT" | b"DELETE" | b"OPTIONS" | b"TRACE" | b"CONNECT" | b"PATCH" => {
            return Err(Status::METHOD_NOT_ALLOWED);
        }
        _ => return Err(Status::NOT_IMPLEMENTED),
    };
    request.target = path_of(target)?;
    Ok(request)
}

/// Stores the value of a field that may come once. One that came twice says nothing that can be understood.
fn once<'a>(place: &mut Option<&'a [u8]>, value: &'a [u8]) {
    *place = Some(if place.is_none() { value } else { b"" });
}

fn lines(head: &[u8]) -> impl Iterator<Item = Result<&[u8], Status>> {
    head.split_inclusive(|&byte| byte == b'\n').map(without_line_end)
}

/// A line without its end. A line feed or carriage return alone is refused, and all else that is no text.
fn without_line_end(line: &[u8]) -> Result<&[u8], Status> {
    let line = line.strip_suffix(b"\r\n").ok_or(Status::BAD_REQUEST)?;
    let text = line.iter().all(|&byte| byte >= b' ' && byte != 0x7f || byte == b'\t');
    if text { Ok(line) } else { Err(Status::BAD_REQUEST) }
}

/// Method, target and the minor version.
fn request_line(line: &[u8]) -> Result<(&[u8], &[u8], u8), Status> {
    let mut words = line.split(|&byte| byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Status::BAD_REQUEST);
    };
    if !is_token(method) || target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
        return Err(Status::BAD_REQUEST);
    }
    match version {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ b'0'..=b'9'] => Ok((method, target, minor - b'0')),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => Err(Status::VERSION_NOT_SUPPORTED),
        _ => Err(Status::BAD_REQUEST),
    }
}

/// The path of a target: of a URI with a host as well, as proxies are sent it.
fn path_of(target: &[u8]) -> Result<&[u8], Status> {
    if target.starts_with(b"/") {
        return Ok(target);
    }
    let Some((scheme, rest)) = target.split_at_checked(7) else { return Err(Status::BAD_REQUEST) };
    if !scheme.eq_ignore_ascii_case(b"http://") {
        return Err(Status::BAD_REQUEST);
    }
    let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    match is_host(host) {
        true if path.starts_with(b"/") => Ok(path),
        true => Ok(b"/"),
        false => Err(Status::BAD_REQUEST),
    }
}

/// Name and value. A name with a space, as of a folded line, is refused.
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Status> {
    let colon = line.iter().position(|&byte| byte == b':').ok_or(Status::BAD_REQUEST)?;
    let (name, value) = line.split_at(colon);
    if !is_token(name) {
        return Err(Status::BAD_REQUEST);
    }
    Ok((name, value.get(1..).unwrap_or(&[]).trim_ascii()))
}

/// Whether it is a name or an address, then maybe a port. No `http` URI is without a name, or should say who asks. A comma,
/// which a name might have, is refused: it is what two lines look like that were made one.
fn is_host(value: &[u8]) -> bool {
    let end = match value {
        [b'[', ..] => value.iter().position(|&byte| byte == b']').map(|at| at + 1),
        _ => value.iter().position(|&byte| byte == b':'),
    };
    let (host, port) = value.split_at(end.unwrap_or(value.len()));
    let host = match host {
        [b'[', address @ .., b']'] => str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok()),
        name => {
            let text = name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=%".contains(byte));
            let hexadecimal = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
            text && !name.is_empty()
                && name.split(|&byte| byte == b'%').skip(1).all(|after| after.get(..2).is_some_and(hexadecimal))
        }
    };
    host && matches!(port, [] | [b':', ..]) && port.iter().skip(1).all(u8::is_ascii_digit)
}

fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

fn has_token(list: &[u8], token: &[u8]) -> bool {
    list.split(|&byte| byte == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn refused(bytes: &[u8]) -> u16 {
        match parse(bytes) {
            Parsed::Refused(status) => status.0,
            other => panic!("{other:?}"),
        }
    }

    fn accepted(bytes: &[u8]) -> Request<'_> {
        match parse(bytes) {
            Parsed::Request(request, len) if len == bytes.len() => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn requests() {
        let request = accepted(b"\r\nHEAD /a?b HTTP/1.1\r\nhOST:x\r\nRange: bytes=0-1 \r\nIf-Range:\t\"a\"\r\n\r\n");
        assert_eq!((request.method, request.target), (Method::Head, b"/a?b".as_slice()));
        assert_eq!((request.range, request.if_range), (Some(b"bytes=0-1".as_slice()), Some(b"\"a\"".as_slice())));
        assert!(request.keep_alive);
        // Nothing in a field, and an expectation of what a request without a body has.
        accepted(b"GET / HTTP/1.1\r\nHost: x\r\nX:\r\nY: \r\nExpect: 100-continue\r\n\r\n");
        assert!(!accepted(b"GET / HTTP/1.0\r\n\r\n").keep_alive);
        assert!(accepted(b"GET / HTTP/1.0\r\nConnection: Foo, Keep-Alive\r\n\r\n").keep_alive);
        for lines in ["close\r\nConnection: keep-alive", "keep-alive\r\nConnection: close", "keep-alive, close"] {
            for minor in 0..2 {
                let bytes = std::format!("GET / HTTP/1.{minor}\r\nHost: x\r\nConnection: {lines}\r\n\r\n");
                assert!(!accepted(bytes.as_bytes()).keep_alive, "{bytes:?}");
            }
        }
        assert!(!accepted(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").keep_alive);
        assert!(!accepted(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n").keep_alive);
        assert!(accepted(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 00\r\n\r\n").keep_alive);
        for codings in ["chunked", "Chunked", "\r\nTransfer-Encoding: chunked", ", chunked, ,"] {
            let bytes = std::format!("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {codings}\r\n\r\n");
            assert!(!accepted(bytes.as_bytes()).keep_alive);
        }
        let twice = accepted(b"GET / HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1\r\nRange: bytes=2-3\r\n\r\n");
        assert_eq!(twice.range, Some(b"".as_slice()));
        for (target, path) in [
            ("http://h/p?q", "/p?q"),
            ("http://[::1]:80/p", "/p"),
            ("http://h:/p", "/p"),
            ("HTTP://h", "/"),
            ("http://h?q", "/"),
        ] {
            let bytes = std::format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
            assert_eq!(accepted(bytes.as_bytes()).target, path.as_bytes());
        }
    }

    #[test]
    fn refusals() {
        let cases: &[(&str, u16)] = &[
            ("GET /\r\n\r\n", 400),
            ("GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
            ("GET / HTTP/1.1\nHost: x\n\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nnothing\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\n\rX: y\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nX[]: y\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nX: \x07\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", 400),
            ("GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET /\u{e9} HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET a HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET http:///p HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET http:// HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET http://:80/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET http://u@h/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET http://u:p@h:80/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET http://@h/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET http://h:x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET http://[::1/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET http://a,b/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET / HTTP/1.0\r\nHost:\r\n\r\n", 400),
            ("GET ftp://h/p HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET / http/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET / HTTP/1.10\r\nHost: x\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -99999999999999999999\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n", 400),
            ("a b GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
            ("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
            ("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n", 501),
            ("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked;x=1\r\n\r\n", 501),
            ("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: ,\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n", 501),
            ("POST / HTTP/1.1\r\nHost: x\r\n\r\n", 405),
            ("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 405),
            ("get / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
            ("GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        ];
        for (bytes, status) in cases {
            assert_eq!(refused(bytes.as_bytes()), *status, "{bytes:?}");
        }
    }

    #[test]
    fn no_http() {
        for bytes in [
            "\x16\x03\x01\x02",
            "\0",
            "\n",
            "\rG",
            " ",
            "GARBAGE\r\n",
            "GET\n",
            "GET /\r\n",
            "GET  ",
            "GET /\t",
            "GET / HTTP/1.1 ",
            "GET / HTTP/1.1\n",
            "GET / HTTP/1.1\rX",
            "\r\n\r\n\u{e9}",
            "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n",
            "EHLO x\r\n",
        ] {
            assert_eq!(refused(bytes.as_bytes()), 400, "{bytes:?}");
        }
        assert_eq!(refused(b"PRI * HTTP/2.0\r\n"), 505);
        for bytes in ["", "\r", "\r\n\r", "GARBAGE", "G\r", "GET ", "GET /", "GET / ", "GET / H", "GET / HTTP/1.1\r"] {
            assert_eq!(parse(bytes.as_bytes()), Parsed::Incomplete, "{bytes:?}");
        }
    }

    #[test]
    fn hosts() {
        let head = |host: &str| std::format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        for host in
            ["x", "a-b.c_d~", "a%2Fb", "x:", "x:80", "127.0.0.1:8080", "[::1]", "[::1]:", "[2001:db8::1.2.3.4]:80"]
        {
            accepted(head(host).as_bytes());
        }
        for host in [
            "",
            ":",
            ":80",
            "a b",
            "a/b",
            "a,b",
            "a@b",
            "a?b",
            "a#b",
            "a\\b",
            "\"a\"",
            "<a>",
            "\u{e9}",
            "x:y",
            "x:8 0",
            "x:80:80",
            "x:-1",
            "a%2",
            "a%g0",
            "[",
            "[]",
            "[::1",
            "::1",
            "[::1]80",
            "[::1]:x",
            "[x]",
            "[::1%25eth0]",
            "x[::1]",
        ] {
            assert_eq!(refused(head(host).as_bytes()), 400, "{host}");
        }
    }

    #[test]
    fn heads_only() {
        for bytes in ["HEAD / HTTP/1.1\r\n", "\r\n\r\nHEAD  /", "HEAD \n\n"] {
            assert!(is_head(bytes.as_bytes()), "{bytes:?}");
        }
        for bytes in
            ["", "HEAD", "HEADS / HTTP/1.1\r\n", "head / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHEAD / HTTP/1.1\r\n"]
        {
            assert!(!is_head(bytes.as_bytes()), "{bytes:?}");
        }
    }

    #[test]
    fn lists() {
        let request = accepted(
            b"GET http://x HTTP/1.1\r\nHost: x\r\nif-match: \"a\",\"b\" \r\nX: \"y\"\r\nIF-MATCH:\r\nIf-Match:W/\"c\"\r\n\r\n",
        );
        let tags: Vec<_> = request.if_match.unwrap().tags().collect();
        assert_eq!(tags, [b"\"a\"".as_slice(), b"\"b\"", b"W/\"c\""]);
        assert!(!request.if_match.unwrap().is_any());
        assert_eq!(request.if_none_match, None);
        let list = |value: &str| std::format!("If-Match: {value}\r\n\r\n");
        for (value, tags) in [
            (r#""a,b""#, &[r#""a,b""#][..]),
            (r#""a, \"b\", c", "d""#, &[]),
            (r#""", W/"a,",,	, "b""#, &[r#""""#, r#"W/"a,""#, r#""b""#]),
            (r#""\", "b""#, &[r#""\""#, r#""b""#]),
            // Up to what is no tag: where the next one begins, nobody can tell.
            (r#""a", b, "c""#, &[r#""a""#]),
            (r#""a" "b""#, &[]),
            (r#""a"x, "b""#, &[]),
            (r#"w/"a""#, &[]),
            (r#"W/ "a""#, &[]),
            (r#""a b""#, &[]),
            (r#""a"#, &[]),
            (r#"*, "a""#, &[]),
            (r#""a", *"#, &[r#""a""#]),
        ] {
            let head = list(value);
            let list = List { name: b"if-match", head: head.as_bytes() };
            let found: Vec<_> = list.tags().map(|tag| str::from_utf8(tag).unwrap()).collect();
            assert_eq!(found, tags, "{value}");
            assert!(!list.is_any(), "{value}");
        }
        for (lines, any) in [("*", true), (" * ", true), ("*,", false), ("*\r\nIf-Match: *", false), ("\"*\"", false)] {
            let head = list(lines);
            assert_eq!(List { name: b"if-match", head: head.as_bytes() }.is_any(), any, "{lines}");
        }
    }

    #[test]
    fn limits() {
        let head = |len: usize| {
            let mut bytes = Vec::from(b"GET / HTTP/1.1\r\nHost: x\r\nX: ".as_slice());
            bytes.resize(len - 4, b'x');
            bytes.extend_from_slice(b"\r\n\r\n");
            bytes
        };
        accepted(&head(MAX_HEAD));
        assert_eq!(refused(&head(MAX_HEAD + 1)), 431);
        assert_eq!(parse(&head(MAX_HEAD + 1)[..MAX_HEAD - 1]), Parsed::Incomplete);
        assert_eq!(refused(&head(MAX_HEAD + 1)[..MAX_HEAD]), 431);
        assert_eq!(refused(&[b'x'; MAX_HEAD]), 414);
        assert_eq!(refused(&b"\r\n".repeat(MAX_HEAD)), 414);
    }

    /// Mostly pieces of requests, so that many are whole.
    fn request_like() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            6 => prop::sample::select(&[
                "GET ", "HEAD ", "/", "a%20", "..", " HTTP/1.1", " HTTP/1.0", "\r\n", "\r\n", "\r\n\r\n", "Host: x\r\n", "\n",
                "Range: bytes=0-\r\n", "GET / HTTP/1.1\r\nHost: x\r\n", "Content-Length: 0\r\n", "http://h", ":", " ", ",",
            ][..]).prop_map(|text| text.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..4),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(bytes in request_like()) {
            let len = match parse(&bytes) {
                Parsed::Incomplete => bytes.len(),
                Parsed::Request(request, len) => {
                    prop_assert!(request.target.starts_with(b"/"));
                    prop_assert_eq!(parse(&bytes[..len]), Parsed::Request(request, len));
                    len - 1
                }
                Parsed::Refused(status) => {
                    let begin = (0..bytes.len()).find(|&end| parse(&bytes[..end]) != Parsed::Incomplete);
                    for end in begin.unwrap_or(bytes.len())..bytes.len() {
                        prop_assert_eq!(parse(&bytes[..end]), Parsed::Refused(status));
                    }
                    return Ok(());
                }
            };
            for end in 0..len {
                prop_assert_eq!(parse(&bytes[..end]), Parsed::Incomplete);
            }
        }
    }
}
