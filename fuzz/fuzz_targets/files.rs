//! Pairs of real files, each made in the same way every time.
#![allow(dead_code)] // each target uses a part

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::sync::LazyLock;

/// What the regular files hold.
pub static FILE: LazyLock<Vec<u8>> =
    LazyLock::new(|| (0..20_000_u32).map(|i| (i % 251) as u8 ^ (i / 251) as u8).collect());

/// Reads bytes as choices; 0 without end after the last.
pub struct Choices<'b>(pub &'b [u8]);

impl Choices<'_> {
    pub fn next(&mut self) -> usize {
        let Some((&byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        byte.into()
    }

    /// Any number, but mostly one near a limit.
    pub fn number(&mut self) -> u64 {
        const LIMITS: [u64; 10] = [0, 1, 4096, 10_000, 20_000, 65_536, 0x7fff_f000, i64::MAX as u64, u64::MAX, 1 << 63];
        match self.next() {
            byte @ 0..=159 => LIMITS[byte % 10].wrapping_add(self.next() as u64).wrapping_sub(byte as u64 / 10),
            _ => (0..8).fold(0, |number, _| number << 8 | self.next() as u64),
        }
    }
}

/// SIGPIPE would end the program: libFuzzer's main does not do what std's does.
pub fn ignore_sigpipe() {
    // SAFETY: SIG_IGN is no handler of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// What is sent from, what is sent to, and its other end.
pub struct Pair {
    pub input: File,
    pub output: File,
    peer: Option<File>,
    /// Bytes of the output, a file, that were looked at.
    read: u64,
}

fn memfd() -> File {
    // SAFETY: the name is a C string, and nobody else owns the new descriptor.
    unsafe { File::from_raw_fd(libc::memfd_create(c"fuzz".as_ptr(), 0)) }
}

fn filled(mut file: File) -> File {
    file.write_all(&FILE).unwrap();
    file.seek(SeekFrom::Start(100)).unwrap();
    file
}

/// Reader and writer, neither of which blocks.
fn pipe() -> (File, File) {
    let mut fds = [0; 2];
    // SAFETY: the kernel writes two descriptors, and nobody else owns them.
    unsafe {
        assert_eq!(libc::pipe2(fds.as_mut_ptr(), libc::O_NONBLOCK), 0);
        (File::from_raw_fd(fds[0]), File::from_raw_fd(fds[1]))
    }
}

fn unix() -> (File, File) {
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    b.set_nonblocking(true).unwrap();
    (OwnedFd::from(a).into(), OwnedFd::from(b).into())
}

fn add_flag(file: File, flag: i32) -> File {
    // SAFETY: it only changes flags of an open file.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, flag) };
    file
}

impl Pair {
    pub fn new(input: usize, output: usize) -> Self {
        let input = match input % 8 {
            0 => filled(memfd()),
            1 => filled(tempfile::tempfile().unwrap()),
            2 => memfd(),
            3 => pipe().0,
            4 => unix().0,
            5 => File::open("/").unwrap(),
            6 => File::open("/proc/self/limits").unwrap(),
            _ => pipe().1, // not open for reading
        };
        let (output, peer) = match output % 9 {
            0 => (memfd(), None),
            1 => (tempfile::tempfile().unwrap(), None),
            2 => (add_flag(memfd(), libc::O_APPEND), None),
            3 => {
                let (reader, writer) = pipe();
                (writer, Some(reader))
            }
            4 => {
                let (a, b) = unix();
                (a, Some(b))
            }
            5 => (pipe().1, None), // nobody reads
            6 => (unix().0, None),
            7 => (File::options().write(true).open("/dev/null").unwrap(), None),
            _ => (File::open("/").unwrap(), None), // not open for writing
        };
        Self { input, output, peer, read: 0 }
    }

    /// All that arrived since the last time.
    pub fn receive(&mut self) -> Vec<u8> {
        let mut bytes = vec![];
        match &mut self.peer {
            // It ends with EAGAIN.
            Some(peer) => drop(peer.read_to_end(&mut bytes)),
            None => {
                let len = self.output.metadata().map_or(0, |file| if file.is_file() { file.len() } else { 0 });
                bytes.resize((len - self.read.min(len)) as usize, 0);
                self.output.read_exact_at(&mut bytes, self.read).unwrap();
                self.read = len;
            }
        }
        bytes
    }

    /// Both positions, and the bytes that arrived.
    pub fn seen(&mut self) -> (Option<u64>, Option<u64>, Vec<u8>) {
        (self.input.stream_position().ok(), self.output.stream_position().ok(), self.receive())
    }
}
