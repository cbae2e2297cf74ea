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
    pub inode: u64,
    /// Last change of the file or of what is known of it, in seconds since 1970; 0 if nobody knows.
    ///
    /// It is not the time of modification, which anyone may set, and which archives and reproducible builds do set: two
    /// files of one length can have the same. The kernel sets this one, with a rename as well.
    pub changed: u64,
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

/// `"inode-seconds-nanoseconds-length"`, in hexadecimal, each of a fixed width.
pub const ETAG_LEN: usize = 61;

/// Seconds within which a file may change again without another time: file systems count in steps of up to two.
const STEP: u64 = 2;
/// No kernel with a clock says less. It is the time of an image, or of a clock that was not set.
const FIRST: u64 = 86_400;

impl Meta {
    /// Whether a change from now on shows in the time of change. Otherwise no validator is sent, as it would not be one.
    pub fn is_settled(&self, now: u64) -> bool {
        (FIRST..now.saturating_sub(STEP)).contains(&self.changed)
    }

    /// The strong entity tag, of a file that is settled: it changes when the file does, or another is in its place.
    pub fn etag(&self) -> [u8; ETAG_LEN] {
        let mut text = [b'-'; ETAG_LEN];
        (text[0], text[60]) = (b'"', b'"');
        hex(&mut text[1..17], self.inode);
        hex(&mut text[18..34], self.changed);
        hex(&mut text[35..43], u64::from(self.nanoseconds));
        hex(&mut text[44..60], self.len);
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
    let settled = meta.is_settled(now);
    let tag = settled.then(|| meta.etag());
    let tag = tag.as_ref().map_or([].as_slice(), |tag| tag);
    let wanted = match (request.if_match, request.if_unmodified_since) {
        (Some(tags), _) => any(tags, |given| given == tag),
        (None, Some(since)) => date::parse(since, now).is_none_or(|since| meta.changed <= since),
        (None, None) => true,
    };
    if !wanted {
        return Answer::PreconditionFailed;
    }
    let unchanged = match (request.if_none_match, request.if_modified_since) {
        // The weak comparison: a tag that a cache made weak is the same.
        (Some(tags), _) => any(tags, |given| given.strip_prefix(b"W/").unwrap_or(given) == tag),
        // Only the very date: a link may lead to an older file today.
        (None, Some(since)) => settled && date::parse(since, now) == Some(meta.changed),
        (None, None) => false,
    };
    if unchanged {
        return Answer::NotModified;
    }
    // The strong comparison. A date never passes: the file may have changed twice in that second.
    let range = match (request.method, request.range) {
        (Method::Get, Some(range)) if request.if_range.is_none_or(|given| settled && given == tag) => range,
        _ => return Answer::Whole,
    };
    match Range::new(range, meta.len) {
        Range::Whole => Answer::Whole,
        Range::Part { start, end } => Answer::Part { start, end },
        Range::Unsatisfiable => Answer::Unsatisfiable,
    }
}

/// Whether one of the tags is the file's. `*` is that of every file.
fn any(tags: List<'_>, is: impl Fn(&[u8]) -> bool) -> bool {
    tags.is_any() || tags.tags().any(is)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::format;
    use std::string::String;

    const META: Meta = Meta { len: 10, inode: 7, changed: 784_111_777, nanoseconds: 5 };
    const NOW: u64 = META.changed + STEP + 1;
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
        super::answer(request, &META, NOW)
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
        assert_eq!(META.etag(), *b"\"0000000000000007-000000002ebc98a1-00000005-000000000000000a\"");
        for (before, after) in
            [("", ""), ("W/", ""), ("\"x\", ", ""), ("\"x\"\r\nIf-None-Match: ", "\r\nIf-None-Match: \"y\"")]
        {
            let head = head("If-None-Match", before, after);
            assert_eq!(answer(&if_none_match(head.as_bytes())), Answer::NotModified, "{head}");
        }
        assert_eq!(answer(&if_none_match(b"If-None-Match: *\r\n\r\n")), Answer::NotModified);
        for none in ["\"x\", *", "*, \"x\"", "\"x", "", ","] {
            let head = std::format!("If-None-Match: {none}\r\n\r\n");
            assert_eq!(answer(&if_none_match(head.as_bytes())), Answer::Whole, "{none}");
        }
        let other = Request { if_modified_since: Some(SINCE), ..if_none_match(b"If-None-Match: \"x\"\r\n\r\n") };
        assert_eq!(answer(&other), Answer::Whole, "a tag has precedence over a date");
        assert_eq!(answer(&if_none_match(head("X", "", "").as_bytes())), Answer::Whole, "the tag of another field");
    }

    #[test]
    fn another_file() {
        for other in [
            Meta { inode: 8, ..META },
            Meta { changed: META.changed - 1, ..META },
            Meta { nanoseconds: 6, ..META },
            Meta { len: 11, ..META },
        ] {
            assert_ne!(other.etag(), META.etag());
        }
    }

    #[test]
    fn no_validator_before_it_is_one() {
        let tag = META.etag();
        let head = head("If-None-Match", "", "");
        let ranged = Request { range: Some(b"bytes=2-3"), if_range: Some(&tag), ..request() };
        let requests = [
            if_none_match(head.as_bytes()),
            Request { if_modified_since: Some(SINCE), ..request() },
            ranged,
            Request { if_range: Some(b""), ..ranged },
        ];
        for now in [0, META.changed - 1, META.changed, META.changed + STEP] {
            assert!(!META.is_settled(now));
            for request in &requests {
                assert_eq!(super::answer(request, &META, now), Answer::Whole, "{request:?}");
            }
        }
        assert!(META.is_settled(NOW));
        for changed in [0, 1, 1000] {
            let meta = Meta { changed, ..META };
            assert!(!meta.is_settled(NOW));
            let since = date::format(changed);
            let request = Request { if_modified_since: Some(&since), ..request() };
            assert_eq!(super::answer(&request, &meta, NOW), Answer::Whole);
        }
        // A range alone needs none.
        assert_eq!(super::answer(&Request { if_range: None, ..ranged }, &META, 0), Answer::Part { start: 2, end: 4 });
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
        assert_eq!(since(b"Sun, 06 Nov 1994 08:49:38 GMT"), Answer::Whole, "a link may have led to a newer file");
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
