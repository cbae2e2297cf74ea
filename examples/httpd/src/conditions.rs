//! What a request's conditions and range make of a file.
//!
//! # References
//! - [RFC 9110, section 13](https://www.rfc-editor.org/rfc/rfc9110#section-13)

use crate::date;
use crate::range::Range;
use crate::request::{Method, Request};

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

/// What `request` gets of a file.
pub fn answer(request: &Request<'_>, meta: &Meta) -> Answer {
    let unchanged = match (request.if_none_match, request.if_modified_since) {
        (Some(tags), _) => tags == b"*" || tags.split(|&byte| byte == b',').any(|tag| same(tag.trim_ascii(), meta)),
        (None, Some(since)) => date::parse(since).is_some_and(|since| meta.modified <= since),
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

    const META: Meta = Meta { len: 10, modified: 784_111_777, nanoseconds: 5 };
    const SINCE: &[u8] = b"Sun, 06 Nov 1994 08:49:37 GMT";

    fn request() -> Request<'static> {
        Request {
            method: Method::Get,
            target: b"/",
            keep_alive: true,
            range: None,
            if_range: None,
            if_none_match: None,
            if_modified_since: None,
        }
    }

    #[test]
    fn tags() {
        assert_eq!(META.etag(), *b"\"000000002ebc98a1-00000005-000000000000000a\"");
        let tag = META.etag();
        let weak = [b"W/", tag.as_slice()].concat();
        let list = [b"\"x\", ", tag.as_slice()].concat();
        for tags in [tag.as_slice(), &weak, &list, b"*"] {
            assert_eq!(answer(&Request { if_none_match: Some(tags), ..request() }, &META), Answer::NotModified);
        }
        let request = Request { if_none_match: Some(b"\"x\""), if_modified_since: Some(SINCE), ..request() };
        assert_eq!(answer(&request, &META), Answer::Whole, "a tag has precedence over a date");
    }

    #[test]
    fn dates() {
        let since = |since| answer(&Request { if_modified_since: Some(since), ..request() }, &META);
        assert_eq!(since(SINCE), Answer::NotModified);
        assert_eq!(since(b"Sun, 06 Nov 1994 08:49:38 GMT"), Answer::NotModified);
        assert_eq!(since(b"Sun, 06 Nov 1994 08:49:36 GMT"), Answer::Whole);
        assert_eq!(since(b"yesterday"), Answer::Whole);
    }

    #[test]
    fn ranges() {
        let range = Request { range: Some(b"bytes=2-3"), ..request() };
        assert_eq!(answer(&range, &META), Answer::Part { start: 2, end: 4 });
        assert_eq!(answer(&Request { method: Method::Head, ..range }, &META), Answer::Whole);
        assert_eq!(answer(&Request { range: Some(b"bytes=10-"), ..range }, &META), Answer::Unsatisfiable);
        assert_eq!(answer(&Request { if_none_match: Some(b"*"), ..range }, &META), Answer::NotModified);
        let tag = META.etag();
        assert_eq!(answer(&Request { if_range: Some(&tag), ..range }, &META), Answer::Part { start: 2, end: 4 });
        for other in [b"\"x\"".as_slice(), SINCE, &[b"W/", tag.as_slice()].concat()] {
            assert_eq!(answer(&Request { if_range: Some(other), ..range }, &META), Answer::Whole);
        }
    }
}
