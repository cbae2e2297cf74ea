//! The event loop.

use core::fmt::Write;
use core::mem::MaybeUninit;
use core::net::SocketAddr;

use httpd::{date, head, kept};
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::{Errno, Result};
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, accept_with, bind, getsockname, ipproto, listen, socket_with, sockopt,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::arguments::Arguments;
use crate::connection::{Connection, Inbox, Next, Shared};
use crate::files::{Files, MAX_CACHED};
use crate::slab::Slab;
use crate::{Out, memory, signals};

/// Clients at a time, if there are as many descriptors: one for the socket and one for a file.
const MAX_CONNECTIONS: u64 = 16384;
/// Descriptors for the rest: standard streams, root, listener, epoll, signals, two of files being looked up. There are no
/// others: what the program inherited is closed.
const OTHER_DESCRIPTORS: u64 = 9;
/// Connections accepted before others have their turn.
const ACCEPTS: usize = 64;
/// Seconds after which a client that asks for nothing has to make room for one that waits.
const IDLE: u64 = 2;
/// Connections that wait to be accepted at the most.
const BACKLOG: usize = 4096;
/// Seconds that pass between two looks at the clock at the most, unless the server is stopped.
const LONGEST_LOOK: u64 = 2;
/// Events that are handled in a row.
const EVENTS: usize = 256;
/// Names of the two descriptors that are no connections.
const LISTENER: u64 = u64::MAX;
const SIGNALS: u64 = u64::MAX - 1;

struct Server {
    epoll: OwnedFd,
    listener: Option<OwnedFd>,
    signals: OwnedFd,
    /// New clients wait in the kernel's queue until there is room.
    paused: bool,
    /// How many of them are still accepted when the server is to end.
    waiting: usize,
    /// A second has begun in which nobody has looked at what is late.
    unjudged: bool,
    /// Events that were handled since.
    handled: usize,
    connections: Slab<Connection>,
    shared: Shared,
    inbox: Inbox,
}

/// What was tried, and why it failed.
pub type Failure = (&'static str, Errno);

/// Serves until it is told to end; the signal, if it was told twice.
pub fn run(arguments: &Arguments) -> core::result::Result<Option<u8>, Failure> {
    let signals = signals::termination().map_err(|errno| ("signals", errno))?;
    let (connections, cached) = share(raise_descriptors()).ok_or(("descriptors", Errno::MFILE))?;
    let files = Files::new(arguments.root, connections, cached).map_err(|errno| ("--root", errno))?;
    let (listener, address) = listen_on(arguments).map_err(|errno| ("--bind, --port", errno))?;
    let mut server =
        Server::new(listener, signals, files, connections, arguments.idle).map_err(|errno| ("start", errno))?;
    // SAFETY: nobody closes it here, and if it was closed before, `main` has filled it.
    let stdout = unsafe { rustix::stdio::stdout() };
    let _ = writeln!(Out(stdout), "listening on {address}");
    server.serve().map_err(|errno| ("epoll", errno))
}

/// As many descriptors as the system allows without asking.
fn raise_descriptors() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum.unwrap_or(u64::MAX),
        Err(_) => current.unwrap_or(u64::MAX),
    }
}

/// How many connections there can be, and files that stay open for the next one, with so many descriptors.
fn share(descriptors: u64) -> Option<(u32, u32)> {
    let left = descriptors.checked_sub(OTHER_DESCRIPTORS)?;
    let cached = (left / 4).min(MAX_CACHED.into());
    let connections = ((left - cached) / 2).min(MAX_CONNECTIONS);
    (connections > 0).then_some((connections as u32, cached as u32))
}

fn listen_on(arguments: &Arguments) -> Result<(OwnedFd, SocketAddr)> {
    let family = if arguments.address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let listener = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    sockopt::set_socket_reuseaddr(&listener, true)?;
    // Connections inherit it: no answer waits for the acknowledgement of the one before.
    sockopt::set_tcp_nodelay(&listener, true)?;
    bind(&listener, &arguments.address)?;
    listen(&listener, BACKLOG as i32)?;
    let address = getsockname(&listener)?.try_into()?;
    Ok((listener, address))
}

impl Server {
    fn new(listener: OwnedFd, signals: OwnedFd, files: Files, connections: u32, idle: u64) -> Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        epoll::add(&epoll, &signals, EventData::new_u64(SIGNALS), EventFlags::IN)?;
        let page = memory::page();
        let shared = Shared {
            files,
            now: 0,
            watched: 0,
            idle,
            clock: 0,
            date: date::format(0),
            head: [0; head::MAX_HEAD],
            buffer: [0; 64 << 10],
            kept: memory::bytes(kept::pages(connections, page).start)?,
            page,
            draining: false,
        };
        let connections = Slab::new(connections)?;
        Ok(Self {
            epoll,
            listener: Some(listener),
            signals,
            paused: false,
            waiting: BACKLOG,
            unjudged: false,
            handled: 0,
            connections,
            shared,
            inbox: Inbox::new(),
        })
    }

    fn serve(&mut self) -> Result<Option<u8>> {
        let mut events = [MaybeUninit::<Event>::uninit(); EVENTS];
        let second = Timespec { tv_sec: 1, tv_nsec: 0 };
        while self.listener.is_some() || !self.connections.is_empty() {
            let nothing_to_look_after = self.connections.is_empty() && self.shared.files.is_empty() && !self.paused;
            let timeout = if nothing_to_look_after { None } else { Some(&second) };
            let ready = match epoll::wait(&self.epoll, &mut events, timeout) {
                Ok((ready, _)) => ready,
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno),
            };
            self.tick();
            for event in ready.iter() {
                let flags = event.flags; // the kernel's structure is packed
                match event.data.u64() {
                    LISTENER => self.accept(),
                    SIGNALS => match signals::next(&self.signals) {
                        Some(signal) if self.shared.draining => return Ok(Some(signal)),
                        Some(_) => self.drain(),
                        None => {}
                    },
                    id => self.advance(id as u32, flags.intersects(EventFlags::RDHUP | EventFlags::HUP)),
                }
            }
            if self.shared.draining {
                self.accept_waiting();
            }
            self.handled += ready.len();
            // Whoever has sent something meanwhile is not late: all events were handled, or at least one of each.
            if self.unjudged && (ready.len() < EVENTS || self.handled >= self.connections.end() as usize + EVENTS) {
                self.judge();
            }
        }
        Ok(None)
    }

    /// Looks at the clock.
    fn tick(&mut self) {
        let now = clock_gettime(ClockId::MonotonicCoarse).tv_sec as u64;
        if now == self.shared.now {
            return;
        }
        self.shared.watched += (now - self.shared.now).min(LONGEST_LOOK);
        self.shared.now = now;
        self.shared.clock = u64::try_from(clock_gettime(ClockId::RealtimeCoarse).tv_sec).unwrap_or(0);
        self.shared.date = date::format(self.shared.clock);
        (self.unjudged, self.handled) = (true, 0);
    }

    /// Looks once a second at what is late.
    fn judge(&mut self) {
        self.unjudged = false;
        let (watched, idle) = (self.shared.watched, self.shared.idle);
        for id in 0..self.connections.end() {
            if self.connections.get(id).is_some_and(|connection| connection.is_late(watched, idle)) {
                self.close(id);
            }
        }
        self.shared.files.expire(self.shared.now);
        self.resume();
    }

    fn accept(&mut self) {
        for _ in 0..ACCEPTS {
            if self.connections.is_full() && !self.make_room() {
                return self.pause();
            }
            let Some(listener) = &self.listener else { return };
            if self.shared.draining {
                // Without a free descriptor, accept4(2) fails before it looks whether anybody waits.
                let now = Timespec { tv_sec: 0, tv_nsec: 0 };
                if poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&now)) == Ok(0) {
                    return self.listener = None;
                }
                match self.waiting.checked_sub(1) {
                    Some(waiting) => self.waiting = waiting,
                    None => return self.listener = None,
                }
            }
            let socket = match accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(socket) => socket,
                Err(Errno::AGAIN) => return,
                Err(Errno::MFILE | Errno::NFILE) if self.shared.files.evict() => continue,
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                    // Connections give a descriptor back when they end. Without any, this server would wait for somebody else.
                    if self.shared.draining && self.connections.is_empty() {
                        return self.listener = None;
                    }
                    return self.pause();
                }
                // The client left before it was looked at, or the network says something that is not this socket's.
                Err(_) => continue,
            };
            let Ok(id) = self.connections.insert(Connection::new(socket, self.shared.watched + self.shared.idle))
            else {
                return;
            };
            // Each change is told once, for both directions: no call is needed to change what is waited for.
            let all = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
            let added = self
                .connections
                .get(id)
                .map(|connection| epoll::add(&self.epoll, connection.socket(), EventData::new_u64(id.into()), all));
            if added != Some(Ok(())) {
                self.close(id);
            }
        }
    }

    /// Closes the connection that has asked for nothing for the longest time, if there is one.
    fn make_room(&mut self) -> bool {
        let mut longest = None;
        for id in 0..self.connections.end() {
            let Some(connection) = self.connections.get(id) else { continue };
            let Some(since) = connection.idle_since(self.shared.idle) else { continue };
            if since + IDLE < self.shared.watched
                && longest.is_none_or(|(least, _)| since < least)
                && connection.unsent() == 0
            {
                longest = Some((since, id));
            }
        }
        let Some((_, id)) = longest else { return false };
        self.close(id);
        true
    }

    /// Takes no new clients until some are gone.
    fn pause(&mut self) {
        self.listen_for(EventFlags::empty());
        self.paused = true;
    }

    fn resume(&mut self) {
        if self.paused {
            self.listen_for(EventFlags::IN);
            self.paused = false;
        }
    }

    fn listen_for(&self, flags: EventFlags) {
        if let Some(listener) = &self.listener {
            // The kernel refuses a change only of what was never added.
            let _ = epoll::modify(&self.epoll, listener, EventData::new_u64(LISTENER), flags);
        }
    }

    fn advance(&mut self, id: u32, hung_up: bool) {
        let Some(connection) = self.connections.get(id) else { return };
        match connection.advance(id, &mut self.shared, &mut self.inbox, hung_up) {
            Next::Wait => {}
            Next::Again => {
                // The same once more makes the kernel tell again what is ready.
                let all = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
                if epoll::modify(&self.epoll, connection.socket(), EventData::new_u64(id.into()), all).is_err() {
                    self.close(id);
                }
            }
            Next::Close => self.close(id),
        }
    }

    fn close(&mut self, id: u32) {
        if let Some(connection) = self.connections.remove(id) {
            let pages = self.shared.kept.get_mut(kept::pages(id, self.shared.page)).unwrap_or(&mut []);
            connection.end(&mut self.shared.files, pages);
            self.resume();
        }
    }

    /// Until nobody waits any more, or there is no room.
    fn accept_waiting(&mut self) {
        while self.listener.is_some() && !self.paused {
            self.accept();
        }
    }

    /// Takes no new requests from clients that had an answer; what has begun goes on. Clients that wait to be accepted are
    /// the last ones: the kernel would reset their connections, and it has told them that they are connected.
    fn drain(&mut self) {
        self.shared.draining = true;
        self.accept_waiting();
        for id in 0..self.connections.end() {
            // What came in until now is answered; one that has nothing under way closes.
            self.advance(id, false);
        }
    }
}
