//! One client: reads requests, sends answers, one after the other.

use core::ffi::c_int;
use core::ops::Range;

use bare_sendfile::fd::AsFd;
use bare_sendfile::{Count, Error, IoSlice, Output, Status as Sent, Transfer};
use httpd::conditions::{Answer, answer};
use httpd::head::{self, Common};
use httpd::kept;
use httpd::path::{self, Path};
use httpd::request::{self, Method, Parsed, Request};
use httpd::status::Status;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::ioctl::{Getter, Opcode, ioctl};
use rustix::net::{RecvFlags, Shutdown, recv, shutdown};

use crate::files::{FileId, Files, Found};
use crate::memory;

/// Seconds for the client to close after the last answer, or to send a request when the server is to end.
const LINGER: u64 = 5;
/// Answers, or reads of what is not looked at, after which the others have their turn.
const TURN: usize = 16;
/// The same of an answer's file, in bytes.
const BUDGET: usize = 8 << 20;
/// Of include/uapi/linux/sockios.h.
const SIOCOUTQ: Opcode = 0x5411;

/// What the connections share: the machinery, and room for what is rarely kept from one event to the next.
pub struct Shared {
    pub files: Files,
    /// Seconds of a clock that nobody sets.
    pub now: u64,
    /// The same without those for which the server was stopped: in these, it was not the clients who waited.
    pub watched: u64,
    /// Seconds for a whole request to come, and for a part of an answer to go.
    pub idle: u64,
    /// Seconds since 1970, by a clock that may be set.
    pub clock: u64,
    /// The same as HTTP writes it.
    pub date: [u8; 29],
    /// The head of the answer.
    pub head: [u8; head::MAX_HEAD],
    /// Lent to transfers: small files go out with their head in one write.
    pub buffer: [u8; 64 << 10],
    /// What the connections keep, each in pages of its own.
    pub kept: &'static mut [u8],
    /// The bytes of a page.
    pub page: usize,
    /// No connection takes a new request any more.
    pub draining: bool,
}

/// What comes in: of one connection after the other.
pub struct Inbox {
    bytes: [u8; Self::SIZE],
    start: usize,
    end: usize,
    /// The last read was short, so that the kernel has no more and will tell when it has.
    drained: bool,
}

/// What became of a read.
enum Received {
    Bytes,
    Nothing,
    End,
}

impl Inbox {
    const SIZE: usize = request::MAX_HEAD;

    pub const fn new() -> Self {
        Self { bytes: [0; Self::SIZE], start: 0, end: 0, drained: false }
    }

    /// Starts with what a connection had put aside.
    fn load(&mut self, kept: &[u8]) {
        (self.start, self.end, self.drained) = (0, kept.len(), false);
        if let Some(room) = self.bytes.get_mut(..kept.len()) {
            room.copy_from_slice(kept);
        }
    }

    fn waiting(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or(&[])
    }

    /// No part of a request is waiting.
    fn is_blank(&self) -> bool {
        self.waiting().iter().all(|byte| b"\r\n".contains(byte))
    }

    /// Reads behind what is waiting.
    fn receive(&mut self, socket: &OwnedFd) -> Received {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let room = self.bytes.get_mut(self.end..).unwrap_or(&mut []);
        let len = room.len();
        match recv(socket, room, RecvFlags::empty()) {
            Ok((0, _)) => Received::End,
            Ok((read, _)) => {
                self.end += read;
                self.drained = read < len;
                Received::Bytes
            }
            Err(Errno::INTR) => Received::Bytes,
            Err(Errno::AGAIN) => Received::Nothing,
            Err(_) => Received::End,
        }
    }
}

/// What is to become of the connection.
#[derive(PartialEq, Eq)]
pub enum Next {
    /// Wait until something happens on it.
    Wait,
    /// It could go on, but others have their turn.
    Again,
    Close,
}

/// An answer on its way.
struct Response {
    transfer: Transfer,
    file: Option<FileId>,
    head_len: usize,
    /// The head was put aside.
    kept: bool,
    /// Nothing follows on this connection.
    last: bool,
}

pub struct Connection {
    socket: OwnedFd,
    deadline: u64,
    /// Bytes that the kernel had yet to bring to the client when it was asked, if it was since the deadline was set.
    unsent: Option<c_int>,
    response: Option<Response>,
    /// Bytes that were put aside.
    received: usize,
    /// The pages were used.
    used: bool,
    /// All is sent; what still comes is not looked at.
    lingering: bool,
    /// No request has come.
    fresh: bool,
}

impl Connection {
    pub fn new(socket: OwnedFd, deadline: u64) -> Self {
        Self { socket, deadline, unsent: None, response: None, received: 0, used: false, lingering: false, fresh: true }
    }

    pub fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    /// The kernel takes more of an answer only when it has brought much of the last part to the client, for which a slow one
    /// needs longer than `idle`. It is not late as long as that becomes less.
    pub fn is_late(&mut self, watched: u64, idle: u64) -> bool {
        if watched <= self.deadline {
            return false;
        }
        let unsent = self.unsent();
        let late = unsent == 0 || self.unsent.is_some_and(|before| unsent >= before);
        (self.deadline, self.unsent) = (watched + idle, Some(unsent));
        late
    }

    /// Since when it asks for nothing, if it does. With nothing unsent, its place can be given to another client.
    pub fn idle_since(&self, idle: u64) -> Option<u64> {
        let asks = self.response.is_some() || self.received > 0 || self.fresh || self.lingering;
        (!asks).then(|| self.deadline.saturating_sub(idle))
    }

    /// Bytes that the kernel has yet to bring to the client.
    pub fn unsent(&self) -> c_int {
        // SAFETY: the kernel writes a number of this type.
        unsafe { ioctl(&self.socket, Getter::<SIOCOUTQ, c_int>::new()) }.unwrap_or(0)
    }

    /// Lets go of what is shared. `kept` are its pages.
    pub fn end(self, files: &mut Files, kept: &mut [u8]) {
        if let Some(id) = self.response.and_then(|response| response.file) {
            files.release(id);
        }
        if self.used {
            memory::release(kept);
        }
    }

    /// Does what can be done. `hung_up`: the client sends no more, so that a short read is followed by the end.
    pub fn advance(&mut self, id: u32, shared: &mut Shared, inbox: &mut Inbox, hung_up: bool) -> Next {
        let kept = kept::pages(id, shared.page);
        inbox.load(shared.kept.get(kept.start..kept.start + self.received).unwrap_or(&[]));
        let next = self.turn(kept.clone(), shared, inbox, hung_up);
        let waiting = inbox.waiting();
        self.received = waiting.len();
        if let Some(room) = shared.kept.get_mut(kept.start..kept.start + waiting.len()) {
            self.used |= !room.is_empty();
            room.copy_from_slice(waiting);
        }
        next
    }

    fn turn(&mut self, kept: Range<usize>, shared: &mut Shared, inbox: &mut Inbox, hung_up: bool) -> Next {
        let mut done = 0;
        loop {
            if self.response.is_some() {
                match self.send(kept.clone(), shared) {
                    Ok(Sent::Done) => done += 1,
                    Ok(Sent::OutFull) => return Next::Wait,
                    Ok(Sent::Yielded) => return Next::Again,
                    // The client is gone, the file became shorter than was promised, or it cannot be read.
                    Ok(Sent::InEmpty) | Err(_) => return Next::Close,
                }
            } else if done == TURN {
                return Next::Again;
            } else if self.lingering {
                inbox.start = inbox.end;
                match inbox.receive(&self.socket) {
                    Received::Bytes => done += 1,
                    Received::Nothing => return Next::Wait,
                    Received::End => return Next::Close,
                }
            } else {
                match request::parse(inbox.waiting()) {
                    Parsed::Request(request, len) => {
                        self.fresh = false;
                        self.response = Some(respond(&request, shared));
                        inbox.start += len;
                    }
                    Parsed::Refused(status) => {
                        let with_body = !request::is_head(inbox.waiting());
                        self.response = Some(refuse(status, false, with_body, shared));
                        inbox.start = inbox.end;
                    }
                    Parsed::Incomplete => {
                        let received = match inbox.drained && !hung_up {
                            true => Received::Nothing,
                            false => inbox.receive(&self.socket),
                        };
                        match received {
                            Received::Bytes => {}
                            Received::Nothing if !shared.draining || !inbox.is_blank() => return Next::Wait,
                            // Its request may be on the way.
                            Received::Nothing if self.fresh => {
                                self.deadline = self.deadline.min(shared.watched + LINGER);
                                return Next::Wait;
                            }
                            // No request has begun, and none is to begin. The client may not have all of the last answer yet.
                            Received::Nothing if done > 0 || self.unsent() > 0 => self.linger(shared.watched),
                            Received::Nothing | Received::End => return Next::Close,
                        }
                    }
                }
            }
        }
    }

    /// Sends what it can of the answer.
    fn send(&mut self, kept: Range<usize>, shared: &mut Shared) -> Result<Sent, Error> {
        let Some(response) = &mut self.response else { return Ok(Sent::Done) };
        let fresh = shared.head.get(..response.head_len).unwrap_or(&[]);
        let kept = shared.kept.get_mut(kept.end - response.head_len..kept.end).unwrap_or(&mut []);
        let headers = [IoSlice::new(if response.kept { kept } else { fresh })];
        let out_fd = self.socket.as_fd();
        // An answer without a file never looks at this descriptor.
        let in_fd = response.file.and_then(|id| shared.files.fd(id)).unwrap_or(out_fd);
        let before = response.transfer.progress();
        let sent = response.transfer.poll_send(out_fd, in_fd, &headers, &[], &mut shared.buffer);
        if response.transfer.progress() != before {
            (self.deadline, self.unsent) = (shared.watched + shared.idle, None);
        }
        if sent == Ok(Sent::Done) {
            let last = response.last;
            if let Some(id) = response.file {
                shared.files.release(id);
            }
            self.response = None;
            if last {
                self.linger(shared.watched);
            }
        } else if !response.kept && response.transfer.progress().headers < response.head_len as u64 {
            kept.copy_from_slice(fresh);
            (response.kept, self.used) = (true, true);
        }
        sent
    }

    /// Says that this was all, and waits for the client to close. Closing at once would answer what the client may still be
    /// sending with a reset, which can take the answer back from it.
    fn linger(&mut self, watched: u64) {
        self.lingering = true;
        (self.deadline, self.unsent) = (watched + LINGER, None);
        let _ = shutdown(&self.socket, Shutdown::Write); // An error is one of the connection; the next read has it.
    }
}

/// What to send for a request.
fn respond(request: &Request<'_>, shared: &mut Shared) -> Response {
    let with_body = request.method == Method::Get;
    let last = !request.keep_alive || shared.draining;
    let (path, found) = match find(request.target, shared) {
        Ok(found) => found,
        Err(status) => return refuse(status, !last, with_body, shared),
    };
    let common = Common { date: &shared.date, now: shared.clock, keep_alive: !last, with_body };
    match found {
        Found::Folder => {
            let head_len = head::redirection(&mut shared.head, &common, path.name(), path::query(request.target));
            Response::new(&shared.head, head_len, None, 0, 0, last)
        }
        Found::File(id, meta) => {
            let answer = answer(request, &meta, shared.clock);
            let head_len = head::file(&mut shared.head, &common, path.name(), &meta, answer);
            match answer {
                Answer::Whole if with_body => Response::new(&shared.head, head_len, Some(id), 0, meta.len, last),
                Answer::Part { start, end } => {
                    Response::new(&shared.head, head_len, Some(id), start, end - start, last)
                }
                _ => Response::new(&shared.head, head_len, Some(id), 0, 0, last),
            }
        }
    }
}

fn find(target: &[u8], shared: &mut Shared) -> Result<(Path, Found), Status> {
    let mut path = Path::new(target)?;
    if path.is_folder() {
        path.push_index()?;
    }
    let found = shared.files.open(&path, shared.now)?;
    Ok((path, found))
}

fn refuse(status: Status, keep_alive: bool, with_body: bool, shared: &mut Shared) -> Response {
    let keep_alive = keep_alive && !shared.draining;
    let common = Common { date: &shared.date, now: shared.clock, keep_alive, with_body };
    let head_len = head::refusal(&mut shared.head, &common, status);
    Response::new(&shared.head, head_len, None, 0, 0, !keep_alive)
}

impl Response {
    fn new(head: &[u8], head_len: usize, file: Option<FileId>, start: u64, count: u64, last: bool) -> Self {
        let headers = [IoSlice::new(head.get(..head_len).unwrap_or(&[]))];
        let transfer = match Transfer::new(start, Count::Bytes(count), &headers, &[]) {
            // The listener has set the option; the socket need not be asked with each answer.
            Ok(transfer) => transfer.with_output(Output::TcpNoDelay).with_budget(BUDGET),
            // No file is so large; the kernel's own numbers are signed.
            Err(_) => unreachable!(),
        };
        Self { transfer, file, head_len, kept: false, last }
    }
}
