//! Compares this crate with `rustix`, `libc`, `syscalls` and `sc`: the same call has the same result, offset, position and bytes received.
//! Arguments are random, and files are of all kinds.
#![cfg(target_os = "linux")]
#![allow(clippy::incompatible_msrv)] // only the library is for so old a Rust

mod common;

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write, empty, pipe};
use std::net::{Shutdown, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::LazyLock;

use bare_sendfile::fd::BorrowedFd;
use bare_sendfile::{Errno, sendfile};
use common::{REFUSED, pattern};
use proptest::prelude::*;
use proptest::sample::select;

/// Bytes, or errno.
type Outcome = Result<usize, i32>;

#[derive(Clone, Copy, Debug)]
enum Implementation {
    This,
    Rustix,
    Libc,
    Syscalls,
    /// For some processors it does not compile.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
    Sc,
}

/// The call that takes 64-bit offsets.
#[cfg(target_pointer_width = "64")]
use libc::sendfile as libc_sendfile;
#[cfg(target_pointer_width = "32")]
use libc::sendfile64 as libc_sendfile;
#[cfg(target_pointer_width = "64")]
const SYSNO: syscalls::Sysno = syscalls::Sysno::sendfile;
#[cfg(target_pointer_width = "32")]
const SYSNO: syscalls::Sysno = syscalls::Sysno::sendfile64;

impl Implementation {
    /// sendfile on descriptors that need not be open.
    fn sendfile(self, out: RawFd, input: RawFd, offset: Option<&mut u64>, count: usize) -> Outcome {
        let pointer = |offset: Option<&mut u64>| offset.map_or(std::ptr::null_mut(), |offset| &raw mut *offset);
        match self {
            Self::This => {
                // SAFETY: a descriptor that is not open is not anybody's; the kernel answers EBADF.
                let (out, input) = unsafe { (BorrowedFd::borrow_raw(out), BorrowedFd::borrow_raw(input)) };
                sendfile(out, input, offset, count).map_err(Errno::raw_os_error)
            }
            Self::Rustix => {
                use rustix::fd::BorrowedFd;
                // SAFETY: as above.
                let (out, input) = unsafe { (BorrowedFd::borrow_raw(out), BorrowedFd::borrow_raw(input)) };
                rustix::fs::sendfile(out, input, offset, count).map_err(|errno| errno.raw_os_error())
            }
            Self::Libc => {
                // SAFETY: the offset is null or writable.
                match unsafe { libc_sendfile(out, input, pointer(offset).cast(), count) } {
                    -1 => Err(std::io::Error::last_os_error().raw_os_error().unwrap()),
                    sent => Ok(sent as usize),
                }
            }
            Self::Syscalls => {
                // SAFETY: the offset is null or writable.
                let result = unsafe { syscalls::syscall!(SYSNO, out, input, pointer(offset), count) };
                result.map_err(syscalls::Errno::into_raw)
            }
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
            Self::Sc => {
                let offset = pointer(offset) as usize;
                // SAFETY: the offset is null or writable.
                match unsafe { sc::syscall!(SENDFILE, out, input, offset, count) } as isize {
                    error @ -4095..0 => Err(-error as i32),
                    sent => Ok(sent as usize),
                }
            }
        }
    }
}

const OTHERS: &[Implementation] = &[
    Implementation::Rustix,
    Implementation::Libc,
    Implementation::Syscalls,
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
    Implementation::Sc,
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Out {
    Unix,
    UnixFull,
    UnixShut,
    Tcp,
    TcpShut,
    Udp,
    Pipe,
    PipeFull,
    PipeWithoutReader,
    File,
    FileInTheMiddle,
    Append,
    ReadOnly,
    DevNull,
    DevFull,
    Closed,
}

const OUTS: [Out; 16] = [
    Out::Unix,
    Out::UnixFull,
    Out::UnixShut,
    Out::Tcp,
    Out::TcpShut,
    Out::Udp,
    Out::Pipe,
    Out::PipeFull,
    Out::PipeWithoutReader,
    Out::File,
    Out::FileInTheMiddle,
    Out::Append,
    Out::ReadOnly,
    Out::DevNull,
    Out::DevFull,
    Out::Closed,
];

impl Out {
    /// The output, none if it is closed, and where its bytes arrive. Nothing that takes no more bytes waits for a reader.
    fn open(self) -> (Option<OwnedFd>, Box<dyn Read>) {
        let filling = [7; 4096];
        match self {
            Self::Unix | Self::UnixFull | Self::UnixShut => {
                let (mut sender, receiver) = UnixStream::pair().unwrap();
                sender.set_nonblocking(true).unwrap();
                if self == Self::UnixFull {
                    while sender.write(&filling).is_ok() {}
                }
                if self == Self::UnixShut {
                    sender.shutdown(Shutdown::Write).unwrap();
                }
                (Some(sender.into()), Box::new(receiver))
            }
            Self::Tcp | Self::TcpShut => {
                let (sender, receiver) = common::tcp();
                rustix::net::sockopt::set_socket_send_buffer_size(&sender, 2 * LARGEST).unwrap();
                if self == Self::TcpShut {
                    sender.shutdown(Shutdown::Write).unwrap();
                }
                (Some(sender.into()), Box::new(receiver))
            }
            Self::Udp => {
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                socket.connect(socket.local_addr().unwrap()).unwrap();
                (Some(socket.into()), Box::new(empty()))
            }
            Self::Pipe | Self::PipeFull => {
                let (reader, mut writer) = pipe().unwrap();
                rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::NONBLOCK).unwrap();
                if self == Self::PipeFull {
                    while writer.write(&filling).is_ok() {}
                }
                (Some(writer.into()), Box::new(reader))
            }
            Self::PipeWithoutReader => (Some(pipe().unwrap().1.into()), Box::new(empty())),
            Self::File | Self::FileInTheMiddle | Self::Append | Self::ReadOnly => {
                let mut file = tempfile::NamedTempFile::new().unwrap();
                file.write_all(&filling).unwrap();
                let mut options = OpenOptions::new();
                options.read(true).write(self != Self::ReadOnly).append(self == Self::Append);
                let mut out = options.open(file.path()).unwrap();
                if self == Self::FileInTheMiddle {
                    out.seek(SeekFrom::Start(1000)).unwrap();
                }
                (Some(out.into()), Box::new(file.reopen().unwrap()))
            }
            Self::DevNull => (Some(device("/dev/null")), Box::new(empty())),
            Self::DevFull => (Some(device("/dev/full")), Box::new(empty())),
            Self::Closed => (None, Box::new(empty())),
        }
    }
}

fn device(path: &str) -> OwnedFd {
    OpenOptions::new().write(true).open(path).unwrap().into()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum In {
    File,
    Memfd,
    WriteOnly,
    Directory,
    ProcVersion,
    Refused,
    Pipe,
    Unix,
    Closed,
}

const INS: [In; 9] =
    [In::File, In::Memfd, In::WriteOnly, In::Directory, In::ProcVersion, In::Refused, In::Pipe, In::Unix, In::Closed];

impl In {
    /// The input with these bytes if it can have them, at a position if it has one; none if it is closed.
    fn open(self, bytes: &[u8], position: u64) -> Option<OwnedFd> {
        let mut file = match self {
            Self::File => common::file(bytes),
            Self::Memfd => {
                let mut file = common::memfd(0);
                file.write_all(bytes).unwrap();
                file
            }
            Self::WriteOnly => return Some(device("/dev/null")),
            Self::Directory => File::open("/").unwrap(),
            Self::ProcVersion => File::open("/proc/version").unwrap(),
            Self::Refused => File::open(REFUSED).unwrap(),
            Self::Pipe => {
                let (reader, mut writer) = pipe().unwrap();
                writer.write_all(&bytes[..bytes.len().min(4096)]).unwrap();
                return Some(reader.into());
            }
            Self::Unix => {
                let (mut sender, receiver) = UnixStream::pair().unwrap();
                sender.write_all(&bytes[..bytes.len().min(4096)]).unwrap();
                return Some(receiver.into());
            }
            Self::Closed => return None,
        };
        if self != Self::Directory {
            file.seek(SeekFrom::Start(position)).unwrap();
        }
        Some(file.into())
    }
}

/// The longest file.
const LARGEST: usize = 100_000;

static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| pattern(LARGEST));

#[derive(Clone, Debug)]
struct Call {
    out: Out,
    input: In,
    len: usize,
    position: u64,
    offset: Option<u64>,
    count: usize,
}

/// What can be seen of a call from outside.
#[derive(Debug, PartialEq)]
struct Seen {
    result: Outcome,
    offset: Option<u64>,
    in_position: Option<u64>,
    out_position: Option<u64>,
    arrived: Vec<u8>,
}

impl Call {
    fn through(&self, implementation: Implementation) -> Seen {
        let (out, mut reader) = self.out.open();
        let input = self.input.open(&BYTES[..self.len], self.position);
        // No process may have so many open.
        let number = |fd: &Option<OwnedFd>| fd.as_ref().map_or(RawFd::MAX, AsRawFd::as_raw_fd);
        let position = |fd: &Option<OwnedFd>| rustix::fs::tell(fd.as_ref()?).ok();
        let mut offset = self.offset;
        let result = implementation.sendfile(number(&out), number(&input), offset.as_mut(), self.count);
        let (in_position, out_position) = (position(&input), position(&out));
        drop(out);
        let mut arrived = Vec::new();
        reader.read_to_end(&mut arrived).unwrap();
        Seen { result, offset, in_position, out_position, arrived }
    }

    /// The one property; and, lest all agree on nothing, that what was counted is what arrived.
    fn is_the_same_everywhere(&self) {
        let ours = self.through(Implementation::This);
        for &other in OTHERS {
            assert_eq!(ours, self.through(other), "{other:?}");
        }
        if let (Ok(sent), Out::Unix | Out::Tcp | Out::Pipe, In::File | In::Memfd) = (ours.result, self.out, self.input)
        {
            let start = self.offset.unwrap_or(self.position).min(self.len as u64) as usize;
            assert_eq!(ours.arrived, BYTES[start..self.len][..sent]);
        }
    }
}

#[test]
fn every_kind_of_input_to_every_kind_of_output() {
    for out in OUTS {
        for input in INS {
            for offset in [None, Some(10)] {
                Call { out, input, len: 5000, position: 20, offset, count: 3000 }.is_the_same_everywhere();
            }
        }
    }
}

fn calls() -> impl Strategy<Value = Call> {
    let largest = LARGEST as u64;
    let offsets = vec![1 << 31, 1 << 32, 1 << 44, i64::MAX as u64 - 1, i64::MAX as u64, 1 << 63, u64::MAX];
    let counts = vec![
        1 << 31,
        (usize::MAX >> (usize::BITS / 2)) + 1,
        isize::MAX as usize - 1,
        isize::MAX as usize,
        isize::MAX as usize + 1,
        usize::MAX,
    ];
    (
        select(&OUTS[..]),
        prop_oneof![3 => select(&[In::File, In::Memfd][..]), 1 => select(&INS[..])],
        0..=LARGEST,
        0..=largest,
        prop_oneof![3 => Just(None), 3 => (0..=largest).prop_map(Some), 1 => select(offsets).prop_map(Some)],
        prop_oneof![4 => 0..=LARGEST, 1 => select(counts)],
    )
        .prop_map(|(out, input, len, position, offset, count)| Call { out, input, len, position, offset, count })
}

proptest! {
    #[test]
    fn any_call(call in calls()) {
        call.is_the_same_everywhere();
    }
}
