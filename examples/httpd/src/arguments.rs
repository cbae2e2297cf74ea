//! The command line.

use core::ffi::CStr;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::str;

pub const USAGE: &str = "usage: httpd [--root FOLDER] [--port NUMBER] [--bind ADDRESS] [--idle SECONDS]";

pub const HELP: &str = "
  --root FOLDER   the folder whose files are served: the one it is started in
  --port NUMBER   0 for any that is free: 8080
  --bind ADDRESS  IPv4 or IPv6, 0.0.0.0 or :: for all: 127.0.0.1
  --idle SECONDS  for a request to come, and for a part of an answer to go: 60

SIGTERM or SIGINT ends it when it has finished what it has begun, a second one at once.";

/// What the server is told.
pub struct Arguments {
    pub root: &'static CStr,
    pub address: SocketAddr,
    /// Seconds for a whole request to come, and for a part of an answer to go.
    pub idle: u64,
}

/// What is wrong with the command line: a word of it.
pub struct Wrong(&'static str, &'static [u8]);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0, self.1.escape_ascii())
    }
}

impl Arguments {
    /// From the arguments, the program's name not among them, each with its NUL. Nothing, if help is asked for.
    pub fn parse(words: &mut dyn Iterator<Item = &'static [u8]>) -> Result<Option<Self>, Wrong> {
        let (mut root, mut port, mut bind, mut idle) = (c".", 8080, IpAddr::V4(Ipv4Addr::LOCALHOST), 60_u32);
        while let Some(option) = words.next() {
            let name = option.strip_suffix(b"\0").unwrap_or(option);
            if matches!(name, b"--help" | b"-h") {
                return Ok(None);
            }
            if !matches!(name, b"--root" | b"--port" | b"--bind" | b"--idle") {
                return Err(Wrong("unknown option", name));
            }
            let value = words.next().ok_or(Wrong("a value is missing after", name))?;
            let wrong = Wrong("bad value", value.strip_suffix(b"\0").unwrap_or(value));
            let text = str::from_utf8(wrong.1).ok();
            match name {
                b"--root" => root = CStr::from_bytes_with_nul(value).map_err(|_| wrong)?,
                b"--port" => port = text.and_then(|text| text.parse().ok()).ok_or(wrong)?,
                b"--idle" => idle = text.and_then(|text| text.parse().ok()).ok_or(wrong)?,
                _ => bind = text.and_then(|text| text.parse().ok()).ok_or(wrong)?,
            }
        }
        Ok(Some(Self { root, address: SocketAddr::new(bind, port), idle: idle.into() }))
    }
}
