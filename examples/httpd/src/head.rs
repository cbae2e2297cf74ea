//! The head of a response.

use crate::conditions::{Answer, Meta};
use crate::content_type;
use crate::date;
use crate::request;
use crate::status::Status;

/// The longest head, with the text of a refusal, without a query: that of a redirection to the longest name, all of it
/// percent-encoded.
pub const MAX_PLAIN: usize = 1280;
/// The longest head: that of the same with the longest query that a request has room for.
pub const MAX_HEAD: usize = MAX_PLAIN + request::MAX_HEAD;

/// What stands in every response.
#[derive(Clone, Copy, Debug)]
pub struct Common<'a> {
    /// The date as HTTP writes it.
    pub date: &'a [u8],
    /// The same in seconds since 1970.
    pub now: u64,
    /// The connection goes on.
    pub keep_alive: bool,
    /// A refusal says in its body what it says in its status: not after HEAD.
    pub with_body: bool,
}

/// A head in the making.
pub struct Head<'b> {
    bytes: &'b mut [u8; MAX_HEAD],
    len: usize,
}

impl<'b> Head<'b> {
    fn new(bytes: &'b mut [u8; MAX_HEAD], status: Status, common: &Common<'_>) -> Self {
        let mut head = Self { bytes, len: 0 };
        head.push(b"HTTP/1.1 ");
        head.number(u64::from(status.0));
        head.push(b" ");
        head.push(status.1.as_bytes());
        head.push(b"\r\nDate: ");
        head.push(common.date);
        // HTTP/1.1 needs no word to go on; that of 1.0 does, and to say it always is shorter than to know.
        head.push(if common.keep_alive { b"\r\nConnection: keep-alive" } else { b"\r\nConnection: close" });
        head
    }

    /// What does not fit is left out; [`MAX_HEAD`] is such that all fits.
    fn push(&mut self, bytes: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.len..self.len + bytes.len()) {
            room.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }

    fn number(&mut self, mut number: u64) {
        let mut digits = [0; 20];
        let mut start = digits.len();
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
            start -= 1;
            if number == 0 {
                break;
            }
        }
        self.push(digits.get(start..).unwrap_or(&[]));
    }

    fn field(&mut self, name: &[u8], value: &[u8]) {
        self.push(b"\r\n");
        self.push(name);
        self.push(b": ");
        self.push(value);
    }

    fn length(&mut self, len: u64) {
        self.field(b"Content-Length", b"");
        self.number(len);
    }
}

/// The head of an answer about a file; its length. The bytes of the file that follow are the caller's to send.
pub fn file(bytes: &mut [u8; MAX_HEAD], common: &Common<'_>, name: &[u8], meta: &Meta, answer: Answer) -> usize {
    let status = match answer {
        Answer::Whole => Status::OK,
        Answer::Part { .. } => Status::PARTIAL_CONTENT,
        Answer::NotModified => Status::NOT_MODIFIED,
        Answer::PreconditionFailed => Status::PRECONDITION_FAILED,
        Answer::Unsatisfiable => Status::RANGE_NOT_SATISFIABLE,
    };
    let mut head = Head::new(bytes, status, common);
    match answer {
        Answer::Whole => {
            head.length(meta.len);
            head.push(b"\r\nAccept-Ranges: bytes");
        }
        Answer::Part { start, end } => {
            head.length(end - start);
            head.field(b"Content-Range", b"bytes ");
            head.number(start);
            head.push(b"-");
            head.number(end - 1);
            head.push(b"/");
            head.number(meta.len);
        }
        Answer::NotModified => {}
        Answer::PreconditionFailed => head.length(0),
        Answer::Unsatisfiable => {
            head.length(0);
            head.field(b"Content-Range", b"bytes */");
            head.number(meta.len);
        }
    }
    if let Answer::Whole | Answer::Part { .. } = answer {
        head.field(b"Content-Type", content_type::of(name));
    }
    if answer != Answer::Unsatisfiable && meta.is_settled(common.now) {
        head.field(b"Last-Modified", &date::format(meta.changed));
        head.field(b"ETag", &meta.etag());
    }
    head.push(b"\r\n\r\n");
    head.len
}

/// A whole response that says no more than its status; its length.
pub fn refusal(bytes: &mut [u8; MAX_HEAD], common: &Common<'_>, status: Status) -> usize {
    let mut head = Head::new(bytes, status, common);
    if status == Status::METHOD_NOT_ALLOWED {
        head.push(b"\r\nAllow: GET, HEAD");
    }
    head.field(b"Content-Type", b"text/plain; charset=utf-8");
    head.length(status.1.len() as u64 + 1);
    head.push(b"\r\n\r\n");
    if common.with_body {
        head.push(status.1.as_bytes());
        head.push(b"\n");
    }
    head.len
}

/// A whole response that sends the client from the folder's name to the same with a `/`; its length.
///
/// The reference is relative, and all but letters and digits is encoded: no name can make another host or scheme of it.
/// `query` is the request's with its `?`, or empty: it stays as it came.
pub fn redirection(bytes: &mut [u8; MAX_HEAD], common: &Common<'_>, name: &[u8], query: &[u8]) -> usize {
    let mut head = Head::new(bytes, Status::MOVED_PERMANENTLY, common);
    head.field(b"Location", b"");
    for byte in name {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(byte) {
            head.push(&[*byte]);
        } else {
            let digit = |value: u8| b"0123456789ABCDEF"[usize::from(value % 16)];
            head.push(&[b'%', digit(byte >> 4), digit(*byte)]);
        }
    }
    head.push(b"/");
    head.push(query);
    head.length(0);
    head.push(b"\r\n\r\n");
    head.len
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::String;

    const COMMON: Common<'_> =
        Common { date: b"Sun, 06 Nov 1994 08:49:40 GMT", now: 784_111_780, keep_alive: true, with_body: true };
    const META: Meta = Meta { len: 10, inode: 7, changed: 784_111_777, nanoseconds: 5 };

    fn text(write: impl Fn(&mut [u8; MAX_HEAD]) -> usize) -> String {
        let mut bytes = [0; MAX_HEAD];
        let len = write(&mut bytes);
        String::from_utf8(bytes[..len].to_vec()).unwrap()
    }

    #[test]
    fn files() {
        let head = text(|bytes| file(bytes, &COMMON, b"a.txt", &META, Answer::Part { start: 2, end: 4 }));
        let expected = "HTTP/1.1 206 Partial Content\r\nDate: Sun, 06 Nov 1994 08:49:40 GMT\r\nConnection: keep-alive\r\n\
            Content-Length: 2\r\nContent-Range: bytes 2-3/10\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
            ETag: \"0000000000000007-000000002ebc98a1-00000005-000000000000000a\"\r\n\r\n";
        assert_eq!(head, expected);
        let head = text(|bytes| file(bytes, &COMMON, b"a.txt", &META, Answer::Unsatisfiable));
        assert!(head.starts_with("HTTP/1.1 416 ") && head.contains("\r\nContent-Range: bytes */10\r\n"));
        let head = text(|bytes| file(bytes, &COMMON, b"a.txt", &META, Answer::NotModified));
        assert!(head.starts_with("HTTP/1.1 304 ") && !head.contains("Content-Length"));
        let head = text(|bytes| file(bytes, &COMMON, b"a.txt", &META, Answer::PreconditionFailed));
        assert!(head.starts_with("HTTP/1.1 412 ") && head.contains("\r\nContent-Length: 0\r\n"));
    }

    #[test]
    fn no_validators() {
        for changed in [0, 1, 784_111_778, 784_111_780, 784_111_781, u64::MAX] {
            let head = text(|bytes| file(bytes, &COMMON, b"a.txt", &Meta { changed, ..META }, Answer::Whole));
            assert!(!head.contains("Last-Modified") && !head.contains("ETag"), "{head}");
        }
    }

    #[test]
    fn refusals() {
        let refused = |with_body, keep_alive| {
            let common = Common { with_body, keep_alive, ..COMMON };
            text(|bytes| refusal(bytes, &common, Status::METHOD_NOT_ALLOWED))
        };
        let whole = refused(true, false);
        assert!(whole.contains("\r\nAllow: GET, HEAD\r\n") && whole.contains("\r\nConnection: close\r\n"));
        assert!(whole.ends_with("\r\nContent-Length: 19\r\n\r\nMethod Not Allowed\n"));
        assert_eq!(refused(false, false), whole[..whole.len() - 19]);
    }

    #[test]
    fn redirections() {
        let head = text(|bytes| redirection(bytes, &COMMON, b"a:b c", b""));
        assert!(head.contains("\r\nLocation: a%3Ab%20c/\r\n"), "{head}");
        let head = text(|bytes| redirection(bytes, &COMMON, b"a", b"?b=/c?%20"));
        assert!(head.contains("\r\nLocation: a/?b=/c?%20\r\n"), "{head}");
        // The longest of all fits, and without a query it is no longer than it says.
        let longest = |query: &[u8]| text(|bytes| redirection(bytes, &COMMON, &[b' '; 255], query));
        let plain = longest(b"");
        assert!(plain.ends_with("/\r\nContent-Length: 0\r\n\r\n") && plain.contains(&"%20".repeat(255)));
        assert!(plain.len() <= MAX_PLAIN);
        assert_eq!(longest(&[b'?'; request::MAX_HEAD]).len(), plain.len() + request::MAX_HEAD);
    }

    #[test]
    fn largest_numbers() {
        let meta = Meta { len: u64::MAX, inode: u64::MAX, changed: u64::MAX - 3, nanoseconds: u32::MAX };
        let common = Common { now: u64::MAX, ..COMMON };
        let head =
            text(|bytes| file(bytes, &common, b"a.js", &meta, Answer::Part { start: u64::MAX - 2, end: u64::MAX - 1 }));
        assert!(head.contains("\r\nLast-Modified: Fri, 31 Dec 9999 23:59:59 GMT\r\n"));
        assert!(head.contains("bytes 18446744073709551613-18446744073709551613/18446744073709551615\r\n"));
        assert!(head.ends_with("\r\n\r\n"));
    }
}
