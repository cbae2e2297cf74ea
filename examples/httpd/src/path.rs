//! From the target of a request to a path below the root.

use core::ffi::CStr;

use crate::status::Status;

/// The longest path: `PATH_MAX` of include/uapi/linux/limits.h is four times as much, and no page has such a name.
pub const MAX_PATH: usize = 1024;

/// Names joined by `/`, without `.`, `..` and empty ones: it cannot leave the folder that it starts from, unless by a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The names and a NUL.
    bytes: [u8; MAX_PATH + 1],
    len: usize,
    folder: bool,
}

impl Path {
    /// The path of a target that starts with `/`: without the query, percent-decoded, then `..` resolved.
    ///
    /// # Errors
    ///
    /// `BAD_REQUEST`: a wrong percent-encoding, a NUL, or more `..` than folders. `NOT_FOUND`: an encoded `/`, which would be
    /// part of a name. `URI_TOO_LONG`.
    pub fn new(target: &[u8]) -> Result<Self, Status> {
        let mut path = Self { bytes: [0; MAX_PATH + 1], len: 0, folder: true };
        let mut rest = target.split(|byte| b"?#".contains(byte)).next().unwrap_or(&[]);
        let mut start = 0; // of the last name
        while let Some((byte, after)) = decode(rest)? {
            rest = after;
            if byte == b'/' {
                path.end_name(start)?;
                start = path.len;
            } else {
                path.push(byte)?;
            }
        }
        path.folder = path.end_name(start)?;
        if path.bytes.get(path.len.wrapping_sub(1)) == Some(&b'/') {
            path.len -= 1;
        }
        if let Some(end) = path.bytes.get_mut(path.len) {
            *end = 0;
        }
        Ok(path)
    }

    fn push(&mut self, byte: u8) -> Result<(), Status> {
        if self.len == MAX_PATH {
            return Err(Status::URI_TOO_LONG);
        }
        *self.bytes.get_mut(self.len).ok_or(Status::URI_TOO_LONG)? = byte;
        self.len += 1;
        Ok(())
    }

    /// The name that starts there is whole; whether it was none, so that what is before it is a folder.
    fn end_name(&mut self, start: usize) -> Result<bool, Status> {
        match self.bytes.get(start..self.len).unwrap_or(&[]) {
            b"" => {}
            b"." => self.len = start,
            b".." => {
                let parents = self.bytes.get(..start.saturating_sub(1)).unwrap_or(&[]);
                if start == 0 {
                    return Err(Status::BAD_REQUEST);
                }
                self.len = parents.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
            }
            _ => {
                self.push(b'/')?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The target ended with `/`, or in a way that means the same.
    pub fn is_folder(&self) -> bool {
        self.folder
    }

    /// The page that stands for a folder.
    ///
    /// # Errors
    ///
    /// `URI_TOO_LONG`.
    pub fn push_index(&mut self) -> Result<(), Status> {
        let slash: &[u8] = if self.len == 0 { b"" } else { b"/" };
        for &byte in slash.iter().chain(b"index.html") {
            self.push(byte)?;
        }
        if let Some(end) = self.bytes.get_mut(self.len) {
            *end = 0;
        }
        self.folder = false;
        Ok(())
    }

    /// Without the NUL; empty for the root itself.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    /// For system calls: `.` for the root itself.
    pub fn as_c_str(&self) -> &CStr {
        let bytes = self.bytes.get(..=self.len).unwrap_or(&[]);
        match CStr::from_bytes_with_nul(bytes) {
            Ok(path) if !path.is_empty() => path,
            _ => c".",
        }
    }

    /// The last name.
    pub fn name(&self) -> &[u8] {
        self.as_bytes().rsplit(|&byte| byte == b'/').next().unwrap_or(&[])
    }
}

/// The query of a target with its `?`; empty if there is none.
pub fn query(target: &[u8]) -> &[u8] {
    let target = target.split(|&byte| byte == b'#').next().unwrap_or(&[]);
    let start = target.iter().position(|&byte| byte == b'?').unwrap_or(target.len());
    target.get(start..).unwrap_or(&[])
}

/// The first byte, decoded, and the rest.
fn decode(bytes: &[u8]) -> Result<Option<(u8, &[u8])>, Status> {
    let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    let (byte, rest) = match *bytes {
        [] => return Ok(None),
        [b'%', high, low, ref rest @ ..] => match (digit(high), digit(low)) {
            (Some(2), Some(15)) => return Err(Status::NOT_FOUND),
            (Some(high), Some(low)) => (high << 4 | low, rest),
            _ => return Err(Status::BAD_REQUEST),
        },
        [b'%', ..] | [0, ..] => return Err(Status::BAD_REQUEST),
        [byte, ref rest @ ..] => (byte, rest),
    };
    if byte == 0 { Err(Status::BAD_REQUEST) } else { Ok(Some((byte, rest))) }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[test]
    fn paths() {
        for (target, path, folder) in [
            ("/", "", true),
            ("/a", "a", false),
            ("/a/", "a", true),
            ("//a//b?c/../d#e", "a/b", false),
            ("/a%20b/c", "a b/c", false),
            ("/a/./b/../c", "a/c", false),
            ("/a/..", "", true),
            ("/a/b/..", "a", true),
            ("/a/b/%2e%2e/..", "", true),
            ("/a/.", "a", true),
            ("/...", "...", false),
            ("/.a", ".a", false),
        ] {
            let parsed = Path::new(target.as_bytes()).unwrap();
            assert_eq!((parsed.as_bytes(), parsed.is_folder()), (path.as_bytes(), folder), "{target}");
            let c_path = if path.is_empty() { "." } else { path };
            assert_eq!(parsed.as_c_str().to_bytes(), c_path.as_bytes());
        }
    }

    #[test]
    fn refusals() {
        for target in ["/a%2Fb", "/a%2f", "/%2F", "/..%2fa"] {
            assert_eq!(Path::new(target.as_bytes()), Err(Status::NOT_FOUND), "{target}");
        }
        for target in ["/..", "/../a", "/a/../../b", "/%2e%2E/a", "/..%2", "/%00", "/a%", "/a%2", "/%zz", "/%+1"] {
            assert_eq!(Path::new(target.as_bytes()), Err(Status::BAD_REQUEST), "{target}");
        }
        let long = |len: usize| std::format!("/{}", "x".repeat(len));
        assert_eq!(Path::new(long(MAX_PATH - 1).as_bytes()).unwrap().as_bytes().len(), MAX_PATH - 1);
        assert_eq!(Path::new(long(MAX_PATH).as_bytes()), Err(Status::URI_TOO_LONG));
        assert_eq!(Path::new(long(MAX_PATH - 5).as_bytes()).unwrap().push_index(), Err(Status::URI_TOO_LONG));
    }

    #[test]
    fn index() {
        for (target, path) in [("/", "index.html"), ("/a/", "a/index.html")] {
            let mut parsed = Path::new(target.as_bytes()).unwrap();
            parsed.push_index().unwrap();
            assert_eq!(parsed.as_c_str().to_bytes(), path.as_bytes());
            assert_eq!(parsed.name(), b"index.html");
        }
    }

    #[test]
    fn queries() {
        for (target, found) in
            [("/a", ""), ("/a?", "?"), ("/a?b?c/../d", "?b?c/../d"), ("/a?b#c?d", "?b"), ("/a#b?c", "")]
        {
            assert_eq!(query(target.as_bytes()), found.as_bytes(), "{target}");
        }
    }

    proptest! {
        #[test]
        fn never_above_the_root(
            target in prop::collection::vec(prop::sample::select(&b"/.%2eEfF05a?\0"[..]), 0..40)
        ) {
            let target: Vec<u8> = b"/".iter().chain(&target).copied().collect();
            if let Ok(path) = Path::new(&target) {
                let names = path.as_bytes().split(|&byte| byte == b'/');
                if !path.as_bytes().is_empty() {
                    for name in names {
                        prop_assert!(!matches!(name, b"" | b"." | b".."), "{:?}", path);
                        prop_assert!(!name.contains(&0));
                    }
                }
            }
        }
    }
}
