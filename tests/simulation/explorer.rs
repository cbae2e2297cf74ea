//! Every script of every small case: every answer of every length at every step, with faults. Compiled once for each machine that
//! is simulated: Linux's, FreeBSD's and macOS's.
//!
//! A script is one sequence of answers from the first step to the last.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::case::{Answer, Case, Sink};
use super::machine::{Count, Errno, Error, IoSlice, Step};
use super::model::World;

/// Table E, both halves, and what stops a loop.
pub(crate) const ERRNOS: [Errno; 23] = [
    Errno::EAGAIN,
    Errno::EINTR,
    // refusals
    Errno::EINVAL,
    Errno::ENOSYS,
    Errno::EOPNOTSUPP,
    Errno::ENOTSOCK,
    Errno::EXDEV,
    Errno::EOVERFLOW,
    Errno::EPERM,
    Errno::ESPIPE,
    // real errors
    Errno::EPIPE,
    Errno::ECONNRESET,
    Errno::ENOTCONN,
    Errno::EIO,
    Errno::ENOMEM,
    Errno::ENOSPC,
    Errno::EFBIG,
    Errno::EMSGSIZE,
    Errno::EDESTADDRREQ,
    Errno::EFAULT,
    Errno::EBADF,
    Errno::EBUSY,
    Errno::EDQUOT,
];

/// One of each kind.
pub(crate) const KINDS: [Errno; 4] = [Errno::EAGAIN, Errno::EINVAL, Errno::ESPIPE, Errno::EPIPE];

/// Runs every script of a case, with at most so many faults in each: errors, zeros out of place, departures.
struct Explorer<'e> {
    errnos: &'e [Errno],
    scripts: u64,
    /// The answers so far, `None` where the caller left.
    path: Vec<Option<Answer>>,
}

impl Explorer<'_> {
    fn explore(&mut self, mut world: World<'_>, faults: u32) {
        let Ok(Some(step)) = world.next() else {
            return self.end(world);
        };
        // Left here, the step given and not done.
        if faults > 0 {
            self.leave(&world, faults - 1, World::leave);
        } else {
            self.end(world.clone());
        }
        if !World::moves(&step) {
            self.answer(&world, &step, Answer::Honest, faults);
        }
        let most = world.most(&step);
        for moved in 1..=most {
            self.answer(&world, &step, Answer::Moves(moved), faults);
        }
        if World::moves(&step) && most == 0 && world.to_the_end() {
            self.answer(&world, &step, Answer::Moves(0), faults);
        } else if World::moves(&step) && most == 0 && faults == 0 {
            // Fewer bytes than the count, or than the file states.
            return self.answer(&world, &step, Answer::Moves(0), faults);
        }
        let Some(faults) = faults.checked_sub(1) else {
            return;
        };
        match step {
            Step::Identify => self.answer(&world, &step, Answer::NotAStream(2), faults),
            Step::Cork => {
                // ENOBUFS: FreeBSD's may have to wait for room.
                for errno in [Errno::EPERM, Errno::ENOBUFS] {
                    self.answer(&world, &step, Answer::Fails(0, errno), faults);
                }
                return;
            }
            Step::Flush { .. } => return self.answer(&world, &step, Answer::Fails(0, Errno::EPERM), faults),
            Step::Size { .. } | Step::AtEnd { .. } => {}
            _ => self.answer(&world, &step, Answer::Moves(0), faults),
        }
        for &errno in self.errnos {
            self.answer(&world, &step, Answer::Fails(0, errno), faults);
        }
        for moved in 1..=most {
            for errno in [Errno::EAGAIN, Errno::EINVAL, Errno::EPIPE] {
                self.answer(&world, &step, Answer::Fails(moved, errno), faults);
            }
        }
    }

    fn answer<'a>(&mut self, world: &World<'a>, step: &Step<'a>, answer: Answer, faults: u32) {
        self.path.push(Some(answer));
        let mut world = world.clone();
        match world.perform(step, answer) {
            Ok(()) => {}
            // There is nothing to come back for, but some do.
            Err(Error::Truncated { .. } | Error::Stuck) => {
                match faults.checked_sub(1) {
                    Some(faults) => self.leave(&world, faults, World::leave),
                    None => self.end(world),
                }
                self.path.pop();
                return;
            }
            // It stopped: the caller goes away and comes back, or tries again at once.
            // (That of a read is the input's.)
            Err(Error::Errno(Errno::EAGAIN)) if !matches!(step, Step::AtEnd { .. }) => {
                self.leave(&world, faults, World::leave_full);
                // The same, unless there was less to do.
                if world.full_owes_less() {
                    self.leave(&world, faults, World::leave);
                }
            }
            Err(_) => self.leave(&world, faults, World::leave),
        }
        self.explore(world, faults);
        self.path.pop();
    }

    fn leave<'a>(&mut self, world: &World<'a>, faults: u32, leave: impl Fn(&mut World<'a>)) {
        self.path.push(None);
        let mut world = world.clone();
        leave(&mut world);
        self.explore(world, faults);
        self.path.pop();
    }

    fn end(&mut self, mut world: World<'_>) {
        world.leave();
        self.scripts += 1;
    }
}

/// Runs every script of a case, and tells how many there were.
fn every_script(case: &Case<'_>, errnos: &[Errno], faults: u32) -> u64 {
    let mut explorer = Explorer { errnos, scripts: 0, path: Vec::new() };
    let run = catch_unwind(AssertUnwindSafe(|| explorer.explore(World::new(case), faults)));
    if let Err(panic) = run {
        eprintln!("{case:?}\nanswers: {:?}", explorer.path);
        resume_unwind(panic);
    }
    explorer.scripts
}

/// Bytes in a file, bytes that it states, and where it is sent from.
const FILES: [(u64, u64, u64); 7] = [(0, 0, 0), (1, 1, 0), (3, 3, 0), (4, 4, 1), (1, 1, 2), (1, 0, 0), (3, 1, 0)];

/// Every combination of small sizes.
fn small(mut run: impl FnMut(&Case<'_>)) {
    let s = IoSlice::new;
    let headers = [&[][..], &[s(b"")], &[s(b"a")], &[s(b""), s(b"ab"), s(b""), s(b"c")]];
    let trailers = [&[][..], &[s(b"x"), s(b""), s(b"y")]];
    let counts = [Count::Bytes(0), Count::Bytes(1), Count::Bytes(3), Count::ToEnd];
    let lent = [(0, false), (1, false), (9, false), (0, true), (2, true)];
    for headers in headers {
        for trailers in trailers {
            for (file, stated, start) in FILES {
                for count in counts {
                    for cap in [2, 9] {
                        for (lent, copying) in lent {
                            for (output, at_position) in sinks() {
                                run(&Case {
                                    headers,
                                    file,
                                    stated,
                                    trailers,
                                    start,
                                    at_position,
                                    count,
                                    cap,
                                    small: 4,
                                    lent,
                                    copying,
                                    output,
                                    known: output == Sink::TcpNoDelay,
                                });
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Each with an offset, and some from the file's position on as well.
fn sinks() -> impl Iterator<Item = (Sink, bool)> {
    let at_position = [Sink::Tcp, Sink::Ktls, Sink::Unix, Sink::Pipe];
    Sink::ALL.map(|sink| (sink, false)).into_iter().chain(at_position.map(|sink| (sink, true)))
}

/// Runs every script of one in `each` of those cases, with all answers of each length and at most so many faults; how many.
pub(crate) fn every(each: u64, errnos: &[Errno], faults: u32, case: impl Fn(&Case<'_>) -> bool) -> u64 {
    let (mut scripts, mut cases, mut number) = (0, 0, 0);
    small(|small| {
        if !case(small) {
            return;
        }
        number += 1;
        if number % each == 0 {
            scripts += every_script(small, errnos, faults);
            cases += 1;
        }
    });
    println!("{scripts} scripts of {cases} cases");
    scripts
}

/// Runs every script. At least so many must come of it.
pub(crate) fn run(errnos: &[Errno], faults: u32, least: u64, case: impl Fn(&Case<'_>) -> bool) {
    // An emulated CPU is slow, and does not change what a script does. The sizes of `small` have no factor in common with 17.
    let each = if cfg!(qemu_user) { 17 } else { 1 };
    let scripts = every(each, errnos, faults, case);
    assert!(scripts >= if cfg!(qemu_user) { least / 20 } else { least });
}

/// One fault; two in every case with SIMULATION_ALL.
pub(crate) fn every_answer_of_every_length(least: u64, case: impl Fn(&Case<'_>) -> bool) {
    if std::env::var_os("SIMULATION_ALL").is_some() {
        run(&KINDS, 2, 20 * least, case);
    } else {
        run(&KINDS, 1, least, |small| case(small) && small.cap > 2 && small.start != 2);
    }
}

/// One fault, of every error.
pub(crate) fn every_errno(least: u64, case: impl Fn(&Case<'_>) -> bool) {
    run(&ERRNOS, 1, least, |small| case(small) && small.file == 1 && small.start == 0 && small.cap > 2);
}

/// An error, and the caller leaves; two errors; an end of the file that was none, and an error.
pub(crate) fn every_pair_of_faults(least: u64, case: impl Fn(&Case<'_>) -> bool) {
    run(&[Errno::EAGAIN, Errno::EINVAL], 2, least, |small| {
        let few = small.headers.len() < 2 && small.count != Count::Bytes(3);
        case(small) && small.file == 1 && small.start == 0 && small.cap > 2 && few
    });
}
