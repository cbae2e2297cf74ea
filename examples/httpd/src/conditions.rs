//! What a request's conditions and range make of a file.
//!
//! # References
//! - [RFC 9110, section 13](https://www.rfc-editor.org/rfc/rfc9110#section-13)

use crate::date;
use crate::range::Range;
use crate::request::{List, Method, Request};

/// What the server knows of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    pub len: u64,
    /// Last change, in seconds since 1970.
    pub modified: u64,
    /// And the nanoseconds.
    pub nanoseconds: u32,
}

/// What to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Whole,
    Part { start: u64, end: u64 },
    NotModified,
    PreconditionFailed,
    Unsatisfiable,
}

/// `"seconds-nanoseconds-length"`, in hexadecimal, each of a fixed width.
pub const ETAG_LEN: usize = 44;

impl Meta {
    /// The strong entity tag: it changes when the file's length or time of change does.
    pub fn etag(&self) -> [u8; ETAG_LEN] {
        let mut text = [b'"'; ETAG_LEN];
        hex(&mut text[1..17], self.modified);
        text[17] = b'-';
        hex(&mut text[18..26], u64::from(self.nanoseconds));
        text[26] = b'-';
        hex(&mut text[27..43], self.len);
        text
    }
}

fn hex(text: &mut [u8], mut number: u64) {
    for digit in text.iter_mut().rev() {
        *digit = b"0123456789abcdef"[number as usize % 16];
        number /= 16;
    }
}

/// What `request` gets of a file. `now` is what dates with years of two digits are seen from.
///
/// A tag has precedence over a date, which is ignored if it is none.
pub fn answer(request: &Request<'_>, meta: &Meta, now: u64) -> Answer {
    let modified_by = |since| date::parse(since, now).map(|since| meta.modified <= since);
    let wanted = match (request.if_match, request.if_unmodified_since) {
        (Some(tags), _) => any(tags, still, meta),
        (None, Some(since)) => modified_by(since) != Some(false),
        (None, None) => true,
    };
    if !wanted {
        return Answer::PreconditionFailed;
    }
    let unchanged = match (request.if_none_match, request.if_modified_since) {
        (Some(tags), _) => any(tags, same, meta),
        (None, Some(since)) => modified_by(since) == Some(true),
        (None, None) => false,
    };
    if unchanged {
        return Answer::NotModified;
    }
    let range = match (request.method, request.range) {
        (Method::Get, Some(range)) if request.if_range.is_none_or(|condition| still(condition, meta)) => range,
        _ => return Answer::Whole,
    };
    match Range::new(range, meta.len) {
        Range::Whole => Answer::Whole,
        Range::Part { start, end } => Answer::Part { start, end },
        Range::Unsatisfiable => Answer::Unsatisfiable,
    }
}

/// Whether one of the tags is the file's. `*` is that of every file.
fn any(tags: List<'_>, is: fn(&[u8], &Meta) -> bool, meta: &Meta) -> bool {
    tags.items().any(|tag| tag == b"*" || is(tag, meta))
}

/// The weak comparison: a tag that a cache made weak is the same.
fn same(tag: &[u8], meta: &Meta) -> bool {
    tag.strip_prefix(b"W/").unwrap_or(tag) == meta.etag()
}

/// The strong comparison. A date never passes: the file may have changed twice in that second.
fn still(condition: &[u8], meta: &Meta) -> bool {
    condition == meta.etag()
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::format;
    use std::string::String;

    const META: Meta = Meta { len: 10, modified: 784_111_777, nanoseconds: 5 };
    const SINCE: &[u8] = b"Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &[u8] = b"Sun, 06 Nov 1994 08:49:36 GMT";

    fn request() -> Request<'static> {
        Request {
            method: Method::Get,
            target: b"/",
            keep_alive: true,
            range: None,
            if_range: None,
            if_match: None,
            if_none_match: None,
            if_modified_since: None,
            if_unmodified_since: None,
        }
    }

    fn answer(request: &Request<'_>) -> Answer {
        super::answer(request, &META, 0)
    }

    fn if_match(head: &[u8]) -> Request<'_> {
        Request { if_match: Some(List { name: b"if-match", head }), ..request() }
    }

    fn if_none_match(head: &[u8]) -> Request<'_> {
        Request { if_none_match: Some(List { name: b"if-none-match", head }), ..request() }
    }

    /// A head with the tag of `META` in several places.
    fn head(name: &str, before: &str, after: &str) -> String {
        let tag = META.etag().map(char::from);
        format!("GET / HTTP/1.1\r\nHost: x\r\n{name}: {before}{}{after}\r\n\r\n", String::from_iter(tag))
    }

    #[test]
    fn tags() {
        assert_eq!(META.etag(), *b"\"000000002ebc98a1-00000005-000000000000000a\"");
        for (before, after) in
            [("", ""), ("W/", ""), ("\"x\", ", ""), ("\"x\"\r\nIf-None-Match: ", "\r\nIf-None-Match: \"y\"")]
        {
            let head = head("If-None-Match", before, after);
            assert_eq!(answer(&if_none_match(head.as_bytes())), Answer::NotModified, "{head}");
        }
        assert_eq!(answer(&if_none_match(b"If-None-Match: *\r\n\r\n")), Answer::NotModified);
        let other = Request { if_modified_since: Some(SINCE), ..if_none_match(b"If-None-Match: \"x\"\r\n\r\n") };
        assert_eq!(answer(&other), Answer::Whole, "a tag has precedence over a date");
        assert_eq!(answer(&if_none_match(head("X", "", "").as_bytes())), Answer::Whole, "the tag of another field");
    }

    #[test]
    fn preconditions() {
        for (before, after) in
            [("", ""), ("\"x\", ", ""), ("", ", \"x\""), ("\"x\"\r\nIf-Match: ", "\r\nIf-Match: \"y\"")]
        {
            let head = head("If-Match", before, after);
            assert_eq!(answer(&if_match(head.as_bytes())), Answer::Whole, "{head}");
        }
        assert_eq!(answer(&if_match(b"If-Match: *\r\n\r\n")), Answer::Whole);
        let weak = head("If-Match", "W/", "");
        for head in [weak.as_bytes(), b"If-Match: \"x\"\r\n\r\n", b"If-Match:\r\n\r\n"] {
            assert_eq!(answer(&if_match(head)), Answer::PreconditionFailed);
            // The date is not looked at, and what comes later in the order neither.
            let since = Request { if_unmodified_since: Some(SINCE), range: Some(b"bytes=10-"), ..if_match(head) };
            assert_eq!(answer(&since), Answer::PreconditionFailed);
            assert_eq!(answer(&Request { if_modified_since: Some(SINCE), ..since }), Answer::PreconditionFailed);
        }
        let since = |since| answer(&Request { if_unmodified_since: Some(since), ..request() });
        assert_eq!(since(SINCE), Answer::Whole);
        assert_eq!(since(BEFORE), Answer::PreconditionFailed);
        assert_eq!(since(b"Sunday, 06-Nov-94 08:49:36 GMT"), Answer::PreconditionFailed);
        assert_eq!(since(b"yesterday"), Answer::Whole);
        let passed = Request { if_unmodified_since: Some(BEFORE), ..if_match(b"If-Match: *\r\n\r\n") };
        assert_eq!(answer(&passed), Answer::Whole, "a tag has precedence over a date");
        assert_eq!(answer(&Request { if_modified_since: Some(SINCE), ..passed }), Answer::NotModified);
    }

    #[test]
    fn dates() {
        let since = |since| answer(&Request { if_modified_since: Some(since), ..request() });
        assert_eq!(since(SINCE), Answer::NotModified);
        assert_eq!(since(b"Sun, 06 Nov 1994 08:49:38 GMT"), Answer::NotModified);
        assert_eq!(since(b"Sun Nov  6 08:49:37 1994"), Answer::NotModified);
        assert_eq!(since(BEFORE), Answer::Whole);
        assert_eq!(since(b"yesterday"), Answer::Whole);
    }

    #[test]
    fn ranges() {
        let range = Request { range: Some(b"bytes=2-3"), ..request() };
        assert_eq!(answer(&range), Answer::Part { start: 2, end: 4 });
        assert_eq!(answer(&Request { method: Method::Head, ..range }), Answer::Whole);
        assert_eq!(answer(&Request { range: Some(b"bytes=10-"), ..range }), Answer::Unsatisfiable);
        assert_eq!(
            answer(&Request { range: range.range, ..if_none_match(b"If-None-Match: *\r\n\r\n") }),
            Answer::NotModified
        );
        let tag = META.etag();
        assert_eq!(answer(&Request { if_range: Some(&tag), ..range }), Answer::Part { start: 2, end: 4 });
        for other in [b"\"x\"".as_slice(), SINCE, &[b"W/", tag.as_slice()].concat()] {
            assert_eq!(answer(&Request { if_range: Some(other), ..range }), Answer::Whole);
        }
    }
}
