//! The kernel, the receiver, and the caller who tries everything. Compiled once for each system.

use bare_sendfile::Errno;

use super::OS;
use super::cork;
use super::fd::BorrowedFd;
use super::iovec::IoSlice;
use super::transfer::{Count, Error, Step, Transfer};
use crate::Os;

/// A stream socket and a file. The socket has room for some bytes; then the call ends with the error, if one is set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kernel {
    pub(crate) file: Vec<u8>,
    pub(crate) received: Vec<u8>,
    pub(crate) room: usize,
    pub(crate) errno: Option<Errno>,
    /// Room that comes up within the call, after the headers: the receiver reads.
    pub(crate) refill: usize,
}

impl Kernel {
    /// writev and sendmsg: what there is room for.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        let taken = if self.errno.is_some() { bytes.len().min(self.room) } else { bytes.len() };
        if taken == 0 && !bytes.is_empty() {
            return Err(self.errno.unwrap());
        }
        self.put(&bytes[..taken]);
        Ok(taken)
    }

    fn put(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
        self.room = self.room.saturating_sub(bytes.len());
    }

    /// The bytes sent, and the error.
    pub(crate) fn sendfile(
        &mut self,
        offset: usize,
        nbytes: usize,
        headers: &[u8],
        trailers: &[u8],
    ) -> (usize, Option<Errno>) {
        let before = self.received.len();
        let result = match OS {
            Os::FreeBsd => self.freebsd(offset, nbytes, headers, trailers),
            Os::MacOs => self.macos(offset, nbytes, headers, trailers),
        };
        (self.received.len() - before, result.err())
    }

    /// sys/kern/kern_sendfile.c: headers are taken up while there are bytes of the file, with which they go.
    fn freebsd(&mut self, offset: usize, nbytes: usize, mut headers: &[u8], trailers: &[u8]) -> Result<(), Errno> {
        let there = self.file.len().saturating_sub(offset);
        let mut rest =
            self.file[self.file.len() - there..][..if nbytes == 0 { there } else { there.min(nbytes) }].to_vec();
        while !rest.is_empty() {
            if let (0, Some(errno)) = (self.room, self.errno) {
                return Err(errno);
            }
            let space = if self.errno.is_some() { self.room } else { usize::MAX };
            let (now, later) = headers.split_at(headers.len().min(space));
            headers = later;
            let piece: Vec<u8> = rest.drain(..rest.len().min(space - now.len())).collect();
            self.put(&[now, &piece].concat());
        }
        if trailers.is_empty() { Ok(()) } else { self.write(trailers).map(drop) }
    }

    /// bsd/kern/uipc_syscalls.c: headers by writev, whose count is only added up; the count includes them; the room is
    /// looked at before the count.
    fn macos(&mut self, offset: usize, nbytes: usize, headers: &[u8], trailers: &[u8]) -> Result<(), Errno> {
        let mut sent = if headers.is_empty() { 0 } else { self.write(headers)? };
        self.room += std::mem::take(&mut self.refill);
        let mut at = offset;
        loop {
            if let (0, Some(errno)) = (self.room, self.errno) {
                return Err(errno);
            }
            let mut size = if self.errno.is_some() { self.room } else { usize::MAX };
            if nbytes > 0 {
                size = size.min(nbytes.saturating_sub(sent));
            }
            size = size.min(self.file.len().saturating_sub(at));
            if size == 0 {
                break;
            }
            let piece = self.file[at..at + size].to_vec();
            self.put(&piece);
            (at, sent) = (at + size, sent + size);
        }
        if trailers.is_empty() { Ok(()) } else { self.write(trailers).map(drop) }
    }
}

/// TCP's options, and what they hold back at worst: no acknowledgement ever comes.
pub(crate) mod options {
    use std::cell::Cell;

    use super::super::errno::{Errno, Result};
    use super::{BorrowedFd, OS, Os};

    #[derive(Clone, Copy, Debug, Default)]
    pub(crate) struct Tcp {
        /// The socket is of the Unix domain: it has no such options, and holds nothing.
        pub(crate) unix: bool,
        pub(crate) nopush: bool,
        pub(crate) nodelay: bool,
        /// A short segment is on its way.
        pub(crate) short: bool,
        /// Bytes wait.
        pub(crate) held: bool,
    }

    thread_local! {
        pub(crate) static TCP: Cell<Tcp> = const { Cell::new(Tcp { unix: false, nopush: false, nodelay: false, short: false, held: false }) };
    }

    impl Tcp {
        /// `tcp_output`: Nagle's algorithm, and TCP_NOPUSH against everything.
        pub(crate) fn output(&mut self) {
            self.held = !self.unix && (self.nopush || (self.short && !self.nodelay));
            self.short |= !self.held;
        }
    }

    fn get(option: impl FnOnce(Tcp) -> bool) -> Result<usize> {
        let tcp = TCP.get();
        if tcp.unix { Err(Errno::EINVAL) } else { Ok(if option(tcp) { 4 } else { 0 }) }
    }

    fn change(change: impl FnOnce(&mut Tcp)) -> Result<usize> {
        let mut tcp = TCP.get();
        if tcp.unix {
            return Err(Errno::EINVAL);
        }
        change(&mut tcp);
        TCP.set(tcp);
        Ok(0)
    }

    #[allow(dead_code)] // of FreeBSD
    pub(crate) fn tcp_nopush(_: BorrowedFd<'_>) -> Result<usize> {
        get(|tcp| tcp.nopush)
    }

    #[allow(dead_code)] // of FreeBSD
    pub(crate) fn set_tcp_nopush(_: BorrowedFd<'_>, on: bool) -> Result<usize> {
        change(|tcp| {
            let was = std::mem::replace(&mut tcp.nopush, on);
            if OS == Os::FreeBsd && was && !on && tcp.held {
                tcp.output();
            }
        })
    }

    pub(crate) fn tcp_nodelay(_: BorrowedFd<'_>) -> Result<usize> {
        get(|tcp| tcp.nodelay)
    }

    pub(crate) fn set_tcp_nodelay(_: BorrowedFd<'_>, on: bool) -> Result<usize> {
        change(|tcp| tcp.nodelay = on)
    }
}

use options::{TCP, Tcp};

/// One transfer.
struct Case<'a> {
    headers: &'a [IoSlice<'a>],
    trailers: &'a [IoSlice<'a>],
    start: u64,
    count: Count,
    lent: usize,
}

/// A transfer under way, on the kernel with its socket.
#[derive(Clone)]
struct World<'a> {
    case: &'a Case<'a>,
    transfer: Transfer,
    kernel: Kernel,
    tcp: Tcp,
    /// An error that came with progress: the next step has to report it.
    kept: Option<Errno>,
    /// Headers went with the file.
    joined: bool,
    /// They were dropped, as there was no byte of the file.
    dropped: bool,
    /// An answer moved nothing, and must not be repeated for ever.
    steps: u32,
}

const ERRNOS: [Errno; 4] = [Errno::EAGAIN, Errno::EINTR, Errno::EBUSY, Errno::ECONNRESET];

fn flat(list: &[IoSlice<'_>]) -> Vec<u8> {
    list.iter().flat_map(|slice| slice.as_slice().to_vec()).collect()
}

impl World<'_> {
    /// What has to arrive, per section: the trailers only if the file is not cut short.
    fn expected(&self) -> [Vec<u8>; 3] {
        let start = self.kernel.file.len().min(self.case.start as usize);
        let there = &self.kernel.file[start..];
        let (file, whole) = match self.case.count {
            Count::Bytes(count) => (&there[..there.len().min(count as usize)], there.len() as u64 >= count),
            Count::ToEnd => (there, true),
        };
        [flat(self.case.headers), file.to_vec(), if whole { flat(self.case.trailers) } else { Vec::new() }]
    }

    /// The receiver has the beginning of it, and the transfer says how much of each section.
    fn check(&self) {
        let (expected, progress) = (self.expected(), self.transfer.progress());
        assert!(expected.concat().starts_with(&self.kernel.received), "the stream is torn: {:?}", self.kernel.received);
        let mut left = self.kernel.received.len();
        let got = expected.map(|section| {
            let got = section.len().min(left);
            left -= got;
            got as u64
        });
        assert_eq!([progress.headers, progress.file, progress.trailers], got, "progress is delivery");
        assert_eq!(self.transfer.mechanisms().hdtr, self.joined, "headers went with the file");
    }

    fn flushed(&self) {
        assert!(!self.transfer.flush_owed() && !self.tcp.nopush && !self.tcp.nodelay, "the options are put back");
        assert!(!self.tcp.held, "bytes are left waiting");
    }

    /// Something is to be joined, or on macOS something short would wait: else the cork costs two calls for nothing.
    fn check_cork(&self) {
        let progress = self.transfer.progress();
        let file = match self.case.count {
            Count::Bytes(count) => progress.file < count,
            Count::ToEnd => true, // perhaps
        };
        let headers = progress.headers < flat(self.case.headers).len() as u64;
        let trailers = progress.trailers < flat(self.case.trailers).len() as u64;
        let sections = [headers, file, trailers].into_iter().filter(|&left| left).count();
        let short = OS == Os::MacOs && (file || progress.total() > 0);
        assert!(sections > 1 || short, "a cork for nothing: {progress:?}");
    }

    /// Performs a step as src/send.rs does. `room` bytes go, then `errno`; all go without one.
    fn perform(&mut self, step: &Step<'_>, room: usize, errno: Option<Errno>) -> Result<(), Error> {
        (self.kernel.room, self.kernel.errno, self.kernel.refill) = (room, errno, 2);
        let fd = BorrowedFd(std::marker::PhantomData);
        let before = self.kernel.received.len();
        TCP.set(self.tcp);
        let write = |kernel: &mut Kernel, slices: &[IoSlice<'_>]| kernel.write(&flat(slices));
        let outcome = match *step {
            Step::SocketType => self.transfer.complete(Ok(1)),
            Step::Cork => {
                self.check_cork();
                self.transfer.complete(cork::cork(fd))
            }
            Step::Flush { uncork, push } => self.transfer.complete(cork::flush(fd, uncork, push)),
            Step::Write { slices, .. } => {
                let of_headers = self.transfer.progress().headers < flat(self.case.headers).len() as u64;
                let native = OS == Os::FreeBsd && self.case.count != Count::Bytes(0);
                assert!(!(of_headers && native) || self.dropped, "headers are written that the kernel would take");
                let result = write(&mut self.kernel, slices.as_slice());
                self.transfer.complete(result)
            }
            Step::SendFile { offset: Some(offset), count } => self.sendfile(offset, count, &[]),
            Step::SendFileHdtr { headers, offset, count } => self.sendfile(offset, count, headers.as_slice()),
            Step::Gather { headers, sent, offset, count, trailers, .. } => {
                let at = self.kernel.file.len().min(offset as usize);
                let file = self.kernel.file[at..][..count.min(self.kernel.file.len() - at)].to_vec();
                let trailers = if file.len() == count { flat(trailers) } else { Vec::new() };
                let bytes = [&flat(headers)[sent as usize..], &file[..], &trailers].concat();
                let result = self.kernel.write(&bytes);
                self.transfer.complete(result)
            }
            ref step => panic!("{step:?} was not expected"),
        };
        self.tcp = TCP.get();
        if self.kernel.received.len() > before {
            self.tcp.output();
        }
        outcome
    }

    fn sendfile(&mut self, offset: u64, count: usize, headers: &[IoSlice<'_>]) -> Result<(), Error> {
        assert_ne!(count, 0, "a count of 0 is the whole file");
        let headers = flat(headers);
        // As src/sys does: macOS counts the headers.
        let nbytes = if OS == Os::MacOs { count + headers.len() } else { count };
        let result = self.kernel.sendfile(offset as usize, nbytes, &headers, &[]);
        self.joined |= !headers.is_empty() && result.0 > 0;
        self.dropped |= !headers.is_empty() && result == (0, None);
        match result {
            (moved, Some(Errno::EAGAIN | Errno::EINTR)) if moved == count + headers.len() => {
                self.transfer.complete(Ok(moved))
            }
            (moved, Some(errno)) => {
                self.kept = (moved > 0).then_some(errno);
                self.transfer.complete_with_error(moved, errno)
            }
            (moved, None) => self.transfer.complete(Ok(moved)),
        }
    }

    /// The caller goes away: what is owed is flushed.
    fn leave(&mut self) {
        if let Some(step) = self.transfer.flush() {
            self.perform(&step, 0, None).unwrap();
        }
        self.flushed();
    }

    /// Every answer to this step, with at most so many faults.
    fn explore(mut self, faults: u32, scripts: &mut u64) {
        self.steps += 1;
        assert!(self.steps < 60, "no end");
        let step = match self.transfer.next_step(self.case.headers, self.case.trailers, self.case.lent) {
            Ok(step) => step,
            Err(error) => {
                assert_eq!(Some(error), self.kept.take().map(Error::Errno));
                self.leave();
                return self.explore(faults, scripts);
            }
        };
        assert_eq!(self.kept, None, "an error is lost");
        if let Step::Done = step {
            assert_eq!(self.kernel.received, self.expected().concat(), "all is there");
            self.flushed();
            *scripts += 1;
            return;
        }
        self.clone().answer(&step, 0, None, faults, scripts);
        if faults == 0 || matches!(step, Step::SocketType | Step::Cork | Step::Flush { .. }) {
            return;
        }
        for room in 0..8 {
            for errno in ERRNOS {
                self.clone().answer(&step, room, Some(errno), faults - 1, scripts);
            }
        }
    }

    fn answer(mut self, step: &Step<'_>, room: usize, errno: Option<Errno>, faults: u32, scripts: &mut u64) {
        match self.perform(step, room, errno) {
            Ok(()) => {}
            Err(Error::Truncated { owed }) => {
                let Count::Bytes(count) = self.case.count else { panic!("to the end is never cut short") };
                assert_eq!(owed, count - self.transfer.progress().file);
                assert_eq!(self.kernel.received, self.expected().concat());
                self.check();
                self.leave();
                *scripts += 1;
                return;
            }
            Err(Error::Errno(found)) if Some(found) == errno => self.leave(),
            Err(error) => panic!("{error}"),
        }
        self.check();
        self.explore(faults, scripts);
    }
}

/// The caller's cork holds a header; they clear it, and Nagle's algorithm holds it on, for something of before is not
/// acknowledged. Whoever leaves the transfer then flushes it.
#[allow(dead_code)] // of FreeBSD
pub(crate) fn the_callers_cork_is_cleared() {
    let headers = [IoSlice::new(b"head")];
    let trailers = [IoSlice::new(b"trailer")];
    let case = Case { headers: &headers, trailers: &trailers, start: 0, count: Count::Bytes(0), lent: 0 };
    let mut world = World {
        case: &case,
        transfer: Transfer::new(0, case.count, &headers, &trailers).unwrap(),
        kernel: Kernel::default(),
        tcp: Tcp { nopush: true, short: true, ..Tcp::default() },
        kept: None,
        joined: false,
        dropped: true,
        steps: 0,
    };
    for _ in 0..3 {
        let step = world.transfer.next_step(&headers, &trailers, 0).unwrap();
        world.perform(&step, 0, None).unwrap();
    }
    assert_eq!(world.kernel.received, b"head");
    TCP.set(world.tcp);
    options::set_tcp_nopush(BorrowedFd(std::marker::PhantomData), false).unwrap();
    world.tcp = TCP.get();
    assert!(world.tcp.held);
    world.leave();
}

/// Every script of every small case; there must be so many.
pub(crate) fn every_case(least: u64) {
    let s = |bytes: &'static str| IoSlice::new(bytes.as_bytes());
    let mut scripts = 0;
    for headers in [&[][..], &[s("H")], &[s("a"), s(""), s("bc")]] {
        for trailers in [&[][..], &[s("x"), s("yz")]] {
            for file in ["", "1", "123"] {
                for start in [0, 1, 5] {
                    for count in [Count::Bytes(0), Count::Bytes(1), Count::Bytes(3), Count::ToEnd] {
                        for (cap, lent, unix) in [(2, 0, false), (9, 0, false), (9, 20, false), (9, 0, true)] {
                            let case = Case { headers, trailers, start, count, lent };
                            let transfer = Transfer::new(start, count, headers, trailers).unwrap().with_cap(cap);
                            let kernel = Kernel { file: file.as_bytes().to_vec(), ..Kernel::default() };
                            let world = World {
                                case: &case,
                                transfer,
                                kernel,
                                tcp: Tcp { unix, ..Tcp::default() },
                                kept: None,
                                joined: false,
                                dropped: false,
                                steps: 0,
                            };
                            // An emulated CPU is slow, and does not change what a script does.
                            world.explore(if unix || cfg!(qemu_user) { 1 } else { 2 }, &mut scripts);
                        }
                    }
                }
            }
        }
    }
    println!("{scripts} scripts");
    assert!(scripts >= if cfg!(qemu_user) { least / 50 } else { least });
}
