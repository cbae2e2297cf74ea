//! The example server's way from the bytes of a request to the head of its answer: it does not panic, takes no part of a request
//! for one, and never names a file above the root.
#![no_main]

use httpd::conditions::{Answer, Meta, answer};
use httpd::head::{self, Common};
use httpd::path::{self, Path};
use httpd::request::{Method, Parsed, parse};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (request, len) = match parse(bytes) {
        Parsed::Request(request, len) => (request, len),
        Parsed::Incomplete | Parsed::Refused(_) => return,
    };
    assert_eq!(parse(&bytes[..len - 1]), Parsed::Incomplete);
    let Ok(mut path) = Path::new(request.target) else { return };
    if path.is_folder() && path.push_index().is_err() {
        return;
    }
    for name in path.as_bytes().split(|&byte| byte == b'/') {
        assert!(!matches!(name, b"" | b"." | b"..") && !name.contains(&0), "{path:?}");
    }
    let meta = Meta { len: len as u64, inode: 1, changed: 784_111_777, nanoseconds: 1 };
    let now = meta.changed + 3;
    let answer = answer(&request, &meta, now);
    if let Answer::Part { start, end } = answer {
        assert!(start < end && end <= meta.len);
    }
    let common = Common {
        date: &httpd::date::format(now),
        now,
        keep_alive: request.keep_alive,
        with_body: request.method == Method::Get,
    };
    let mut head = [0; head::MAX_HEAD];
    let len = head::file(&mut head, &common, path.name(), &meta, answer);
    let lines = head[..len].strip_suffix(b"\r\n\r\n").unwrap();
    assert!(lines.iter().all(|byte| byte.is_ascii_graphic() || b" \r\n".contains(byte)));
    let query = path::query(request.target);
    let len = head::redirection(&mut head, &common, path.name(), query);
    // A name of the file system has 255 bytes at most.
    let end = [b"/", query, b"\r\nContent-Length: 0\r\n\r\n"].concat();
    assert!(path.name().len() > 255 || head[..len].ends_with(&end));
});
