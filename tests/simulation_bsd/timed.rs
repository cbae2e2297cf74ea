//! FreeBSD's TCP on a connection with a clock, and the machine on it: what waits for what, and for how long.
//!
//! The send buffer with its low-water mark, the asynchronous read and `SO_ERROR` are as in sys/kern/kern_sendfile.c and
//! sys/kern/uipc_sockbuf.c, Nagle's algorithm, `TCP_NOPUSH` and the persist timer as in sys/netinet/tcp_output.c and tcp_timer.c. The reader
//! takes all at once, and acknowledges every second segment at once, another one after a while.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;

#[path = "../../src/sys/freebsd/cork.rs"]
mod cork;

pub(crate) const NATIVE_HDTR: bool = true;
pub(crate) const CORKS_FILES: bool = false;

include!("system.rs");

use crate::freebsd::case::flat;
use iovec::IoSlice;
use transfer::{Count, Error, Moved, Output, Step, Transfer};

mod options {
    use super::errno::{Errno, Result};
    use super::fd::BorrowedFd;
    use super::{SOCKET, Socket};

    /// TCP's options are gone with the connection.
    fn option(ask: impl FnOnce(&mut Socket) -> bool) -> Result<usize> {
        SOCKET.with_borrow_mut(|socket| if socket.shut { Err(Errno::ECONNRESET) } else { Ok(ask(socket).into()) })
    }

    pub(crate) fn tcp_nopush(_: BorrowedFd<'_>) -> Result<usize> {
        option(|socket| socket.nopush)
    }

    pub(crate) fn set_tcp_nopush(_: BorrowedFd<'_>, on: bool) -> Result<usize> {
        option(|socket| {
            if std::mem::replace(&mut socket.nopush, on) && !on {
                socket.output(false);
            }
            false
        })
    }

    pub(crate) fn tcp_nodelay(_: BorrowedFd<'_>) -> Result<usize> {
        option(|socket| socket.nodelay)
    }

    pub(crate) fn set_tcp_nodelay(_: BorrowedFd<'_>, on: bool) -> Result<usize> {
        option(|socket| {
            socket.nodelay = on;
            false
        })
    }

    pub(crate) fn send_room(_: BorrowedFd<'_>) -> Result<usize> {
        SOCKET.with_borrow(|socket| if socket.no_ioctl { Err(Errno::EPERM) } else { Ok(socket.space()) })
    }
}

/// Milliseconds: an acknowledgement that is put off, the persist timer, and a read of the disk.
const DELAYED: u64 = 100;
const PERSIST: u64 = 5000;
const DISK: u64 = 10;

const PAGE: usize = 4096;
/// What a piece of a page counts beside its own bytes, and a buffer of copied bytes.
const MBUF: usize = 256;
const CLUSTER: usize = 2048;

/// A buffer in the send queue, and the memory that is counted for it.
#[derive(Clone, Debug)]
struct Piece {
    len: usize,
    memory: usize,
    /// When it is read from the disk; whether that fails.
    ready: Option<(u64, bool)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Socket {
    pub(crate) now: u64,
    /// The persist timer has gone off so many times.
    pub(crate) persists: u32,
    pub(crate) received: Vec<u8>,
    /// Bytes sent by segments.
    pub(crate) segments: Vec<usize>,
    pub(crate) error: Option<Errno>,
    pub(crate) nopush: bool,
    pub(crate) no_ioctl: bool,
    nodelay: bool,
    shut: bool,
    nonblocking: bool,
    hiwat: usize,
    lowat: usize,
    mss: usize,
    queue: VecDeque<Piece>,
    /// What is in the queue, and how much of it is on its way.
    bytes: VecDeque<u8>,
    flying: usize,
    /// When the receiver acknowledges, and the sender probes.
    delayed: Option<u64>,
    persist: Option<u64>,
    /// Acknowledgements under way.
    acks: usize,
}

thread_local! {
    pub(crate) static SOCKET: RefCell<Socket> = RefCell::default();
}

impl Socket {
    pub(crate) fn new(hiwat: usize, mss: usize, nonblocking: bool) -> Self {
        Self { hiwat, mss, nonblocking, lowat: CLUSTER.min(hiwat), ..Self::default() }
    }

    /// `sbspace`: what is left of the bytes, or of the memory for them.
    fn space(&self) -> usize {
        let memory: usize = self.queue.iter().map(|piece| piece.memory).sum();
        self.hiwat.saturating_sub(self.bytes.len()).min((8 * self.hiwat).saturating_sub(memory))
    }

    /// Bytes that are not waiting for the disk.
    fn ready(&self) -> usize {
        self.queue.iter().take_while(|piece| piece.ready.is_none()).map(|piece| piece.len).sum()
    }

    /// `tcp_output`: what may go now, goes.
    fn output(&mut self, force: bool) {
        let idle = self.flying == 0;
        let ready = self.ready();
        while self.flying < ready && !self.shut {
            let len = (ready - self.flying).min(self.mss);
            let last = self.flying + len == ready;
            let may_be_short = last && (idle || self.nodelay) && !self.nopush;
            if len < self.mss && !may_be_short && !force {
                break;
            }
            self.received.extend(self.bytes.range(self.flying..self.flying + len));
            self.segments.push(len);
            self.flying += len;
            self.persist = None;
            // The receiver puts off one acknowledgement at a time.
            match self.delayed.take() {
                Some(_) => self.acks = self.flying,
                None => self.delayed = Some(self.now + DELAYED),
            }
        }
        if self.flying == 0 && ready > 0 && self.persist.is_none() {
            self.persist = Some(self.now + PERSIST);
        }
    }

    /// An acknowledgement comes in, and makes room.
    fn acknowledged(&mut self, bytes: usize) {
        self.bytes.drain(..bytes);
        self.flying -= bytes;
        self.acks -= bytes.min(self.acks);
        let mut left = bytes;
        while left > 0 {
            let first = &mut self.queue[0];
            let gone = left.min(first.len);
            (first.len, left) = (first.len - gone, left - gone);
            if first.len == 0 {
                self.queue.pop_front();
            }
        }
        self.output(false);
    }

    /// Lets the next thing happen that happens by itself; none may be left to come.
    fn tick(&mut self) -> bool {
        if self.acks > 0 {
            self.acknowledged(self.acks);
            return true;
        }
        let read = self.queue.iter().filter_map(|piece| piece.ready).map(|(at, _)| at).min();
        let Some(next) = [self.delayed, self.persist, read].into_iter().flatten().min() else { return false };
        self.now = self.now.max(next);
        if self.delayed == Some(next) {
            self.delayed = None;
            self.acknowledged(self.flying);
        } else if self.persist == Some(next) {
            self.persist = None;
            self.persists += 1;
            self.output(true);
        } else if self.queue.iter().any(|piece| piece.ready == Some((next, false))) {
            // The connection is torn down, with all that is in it.
            (self.shut, self.error) = (true, Some(Errno::EIO));
            self.queue.clear();
            self.bytes.clear();
            (self.flying, self.acks, self.delayed, self.persist) = (0, 0, None, None);
        } else {
            self.queue
                .iter_mut()
                .filter(|piece| piece.ready == Some((next, true)))
                .for_each(|piece| piece.ready = None);
            self.output(false);
        }
        true
    }

    /// Until there is nothing left to happen.
    pub(crate) fn settle(&mut self) {
        while self.tick() {}
    }

    /// Waits for room, `false` on a nonblocking socket. Nothing to come is the end of the world.
    fn waits(&mut self) -> bool {
        assert!(self.nonblocking || self.tick(), "it waits for ever");
        !self.nonblocking
    }

    /// An earlier response, whose reader has not acknowledged it.
    pub(crate) fn queue_small_response(&mut self, len: usize) {
        self.append_copied(&vec![b'e'; len]);
        self.output(false);
    }

    /// The same, of many files of one byte.
    pub(crate) fn queue_pieces_of_files(&mut self, pieces: usize) {
        for _ in 0..pieces {
            self.append(b"e", MBUF + PAGE, None);
            self.output(false);
        }
    }

    /// poll(2).
    pub(crate) fn wait_writable(&mut self) {
        while self.space() < self.lowat && !self.shut {
            assert!(self.tick(), "never writable again");
        }
    }

    fn append(&mut self, bytes: &[u8], memory: usize, ready: Option<(u64, bool)>) {
        self.bytes.extend(bytes);
        self.queue.push_back(Piece { len: bytes.len(), memory, ready });
    }

    /// Copied bytes go to buffers, of which the last can be nearly empty.
    fn append_copied(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(CLUSTER) {
            self.append(part, if part.len() > 100 { MBUF + CLUSTER } else { MBUF }, None);
        }
    }

    /// Why nothing can be sent.
    fn check(&mut self) -> Result<(), Errno> {
        if self.shut { Err(Errno::EPIPE) } else { self.error.take().map_or(Ok(()), Err) }
    }

    /// `sosend`.
    fn sendmsg(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        let mut sent = 0;
        while sent < bytes.len() {
            let space = self.space();
            match self.check() {
                Ok(()) if bytes.len() - sent > space && space < self.lowat => {
                    if !self.waits() {
                        return if sent > 0 { Ok(sent) } else { Err(Errno::EAGAIN) };
                    }
                }
                Ok(()) => {
                    let piece = &bytes[sent..][..space.min(bytes.len() - sent)];
                    self.append_copied(piece);
                    self.output(false);
                    sent += piece.len();
                }
                Err(_) if sent > 0 => break,
                Err(errno) => return Err(errno),
            }
        }
        Ok(sent)
    }

    /// `vn_sendfile`.
    fn sendfile(&mut self, file: &File, offset: usize, count: usize, mut headers: &[u8], sync: bool) -> Moved {
        let there = file.bytes.get(offset..).unwrap_or(&[]);
        let mut rest = &there[..count.min(there.len())];
        let (mut at, mut moved) = (offset, Moved::default());
        self.lowat = self.lowat.max(self.hiwat / 2);
        while !rest.is_empty() {
            let space = self.space();
            match self.check() {
                Ok(()) if space < rest.len() && (space == 0 || space < self.lowat) => {
                    if !self.waits() {
                        moved.error = Some(Errno::EAGAIN);
                        break;
                    }
                    continue;
                }
                Ok(()) => {}
                Err(errno) => {
                    moved.error = Some(errno);
                    break;
                }
            }
            let (now, later) = headers.split_at(headers.len().min(space));
            headers = later;
            self.append_copied(now);
            let mut piece = &rest[..rest.len().min(space - now.len())];
            (rest, moved.bytes) = (&rest[piece.len()..], moved.bytes + now.len() + piece.len());
            while !piece.is_empty() {
                let len = piece.len().min(PAGE - at % PAGE);
                let ready = file.cold.then(|| (self.now + DISK, file.bad.is_none_or(|bad| bad >= at + len)));
                self.append(&piece[..len], MBUF + PAGE, ready);
                (piece, at) = (&piece[len..], at + len);
            }
            self.output(false);
        }
        // SF_SYNC: until the pages are let go of, whatever the socket's mode.
        while sync && moved.bytes > 0 && !self.bytes.is_empty() {
            assert!(self.tick(), "it waits for ever");
        }
        moved
    }
}

/// A file, whether it is on the disk alone, and the first byte that cannot be read there.
#[derive(Clone, Default)]
pub(crate) struct File {
    pub(crate) bytes: Vec<u8>,
    pub(crate) cold: bool,
    pub(crate) bad: Option<usize>,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes, cold {}, bad {:?}", self.bytes.len(), self.cold, self.bad)
    }
}

/// A send, and how it is driven.
#[derive(Clone, Debug, Default)]
pub(crate) struct Send {
    pub(crate) headers: usize,
    pub(crate) file: File,
    pub(crate) trailers: usize,
    pub(crate) to_end: bool,
    pub(crate) copying: bool,
    pub(crate) lent: usize,
    pub(crate) cap: usize,
    pub(crate) sync: bool,
}

impl Send {
    /// All that has to arrive.
    pub(crate) fn expected(&self) -> Vec<u8> {
        [vec![b'h'; self.headers], self.file.bytes.clone(), vec![b't'; self.trailers]].concat()
    }

    /// Sends it as the drivers do.
    ///
    /// # Errors
    ///
    /// The transfer's.
    pub(crate) fn run(&self) -> Result<(), Error> {
        let (headers, trailers) = (vec![b'h'; self.headers], vec![b't'; self.trailers]);
        let (headers, trailers) = ([IoSlice::new(&headers)], [IoSlice::new(&trailers)]);
        let count = if self.to_end { Count::ToEnd } else { Count::Bytes(self.file.bytes.len() as u64) };
        let mut transfer = Transfer::new(0, count, &headers, &trailers).unwrap().with_small(0);
        transfer = if self.copying { transfer.copying() } else { transfer };
        transfer = if self.cap > 0 { transfer.with_cap(self.cap) } else { transfer };
        let fd = BorrowedFd(std::marker::PhantomData);
        loop {
            let outcome = match transfer.next_step(&headers, &trailers, self.lent) {
                Ok(Step::Done) => Ok(true),
                Ok(step) => self.perform(&mut transfer, &step).map(|()| false),
                Err(error) => Err(error),
            };
            let full = outcome == Err(Error::Errno(Errno::EAGAIN));
            if let Ok(false) = outcome {
                continue;
            }
            let flush = if full { transfer.flush_full() } else { transfer.flush() };
            if let Some(Step::Flush { uncork, push }) = flush {
                let _ = transfer.complete(cork::flush(fd, uncork, push));
            }
            if !full {
                return outcome.map(drop);
            }
            SOCKET.with_borrow_mut(|socket| {
                // A full queue is not left under a cork: all that is in it goes out by itself.
                let mut later = socket.clone();
                later.settle();
                assert_eq!(later.persists, socket.persists, "{self:?}: it is left full, and waits");
                socket.wait_writable();
            });
        }
    }

    /// As src/drive/perform.rs does, and src/drive/mod.rs with flags.
    fn perform(&self, transfer: &mut Transfer, step: &Step<'_>) -> Result<(), Error> {
        let fd = BorrowedFd(std::marker::PhantomData);
        let there = |offset: u64, count: usize| {
            let there = self.file.bytes.get(offset as usize..).unwrap_or(&[]);
            &there[..count.min(there.len())]
        };
        let sendfile = |offset: u64, count, headers: &[u8]| {
            SOCKET.with_borrow_mut(|socket| socket.sendfile(&self.file, offset as usize, count, headers, self.sync))
        };
        let write = |bytes: &[u8]| SOCKET.with_borrow_mut(|socket| socket.sendmsg(bytes));
        let outcome = match *step {
            Step::Identify => transfer.identified(Ok(Output::Tcp)),
            Step::Cork if self.sync => transfer.complete(Err(Errno::ENOBUFS)),
            Step::Cork => transfer.complete(cork::cork(fd, transfer.left())),
            Step::Flush { uncork, push } => transfer.complete(cork::flush(fd, uncork, push)),
            Step::AtEnd { offset } => transfer.complete(Ok(there(offset.unwrap(), 1).len())),
            Step::Write { slices, .. } => transfer.complete(write(&flat(slices.as_slice()))),
            Step::SendFile { offset, count } => transfer.complete(sendfile(offset.unwrap(), count, &[])),
            Step::SendFileHdtr { headers, offset, count } => {
                transfer.complete(sendfile(offset, count, &flat(headers.as_slice())))
            }
            Step::Copy { offset, count, .. } => match self.file.bad {
                Some(bad) if bad < offset.unwrap() as usize + count => transfer.complete(Err(Errno::EIO)),
                _ => transfer.complete(write(there(offset.unwrap(), count))),
            },
            ref step => panic!("{step:?}"),
        };
        // The error that the socket keeps.
        let kept = || SOCKET.with_borrow_mut(|socket| socket.error.take());
        outcome.map_err(|error| if error == Errno::EPIPE { kept().map_or(error, Error::Errno) } else { error })
    }
}
