//! The transfer against a scripted kernel: every answer of every length at every step for small sizes, random ones for
//! large. What is checked, and when, stands in simulation/model.rs.
//!
//! A script is one sequence of answers from the first step to the last. By default the exhaustive tests run four million, of
//! one fault each in most cases; with SIMULATION_ALL=1 in the environment two faults in every case (with --release).
#![cfg(target_os = "linux")]

#[path = "simulation/model.rs"]
mod model;
#[path = "simulation/script.rs"]
mod script;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use bare_sendfile::{Count, Errno, Error, IoSlice, Step};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestRunner};

use model::{Answer, Case, Output, World};
use script::{Choices, NUMBERS};

/// Table E, both halves, and what stops a loop.
const ERRNOS: [Errno; 23] = [
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
const KINDS: [Errno; 4] = [Errno::EAGAIN, Errno::EINVAL, Errno::ESPIPE, Errno::EPIPE];

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
            self.leave(&world, faults - 1);
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
            // Fewer bytes than the count, and nobody to ask again.
            assert!(matches!(world.perform(&step, Answer::Moves(0)), Err(Error::Truncated { .. })));
            return self.end(world);
        }
        let Some(faults) = faults.checked_sub(1) else {
            return;
        };
        match step {
            Step::SocketType => self.answer(&world, &step, Answer::SocketType(2), faults),
            Step::Cork | Step::Flush { .. } => {
                return self.answer(&world, &step, Answer::Fails(0, Errno::EPERM), faults);
            }
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
        // A fault of SocketType that is none.
        if matches!((step, answer), (Step::SocketType, Answer::Fails(_, Errno::ENOTSOCK))) {
            return;
        }
        self.path.push(Some(answer));
        let mut world = world.clone();
        if world.perform(step, answer).is_err() {
            // It stopped: the caller goes away and comes back, or tries again at once.
            self.leave(&world, faults);
        }
        self.explore(world, faults);
        self.path.pop();
    }

    fn leave(&mut self, world: &World<'_>, faults: u32) {
        self.path.push(None);
        let mut world = world.clone();
        world.leave();
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

/// Every combination of small sizes.
fn small(mut run: impl FnMut(&Case<'_>)) {
    let s = IoSlice::new;
    let headers = [&[][..], &[s(b"")], &[s(b"a")], &[s(b""), s(b"ab"), s(b""), s(b"c")]];
    let trailers = [&[][..], &[s(b"x"), s(b""), s(b"y")]];
    let counts = [Count::Bytes(0), Count::Bytes(1), Count::Bytes(3), Count::ToEnd];
    let lent = [(0, false), (1, false), (9, false), (0, true), (2, true)];
    for headers in headers {
        for trailers in trailers {
            for (file, start) in [(0, 0), (1, 0), (3, 0), (4, 1), (1, 2)] {
                for count in counts {
                    for cap in [2, 9] {
                        for (lent, copying) in lent {
                            for at_position in [false, true] {
                                for output in [Output::Tcp, Output::Corked, Output::Unix, Output::Pipe] {
                                    run(&Case {
                                        headers,
                                        file,
                                        trailers,
                                        start,
                                        at_position,
                                        count,
                                        cap,
                                        small: 4,
                                        lent,
                                        copying,
                                        output,
                                        known: false,
                                    });
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Runs every script of those cases. At least so many must come of it.
fn run(errnos: &[Errno], faults: u32, least: u64, case: impl Fn(&Case<'_>) -> bool) {
    let (mut scripts, mut cases, mut number) = (0, 0, 0);
    // An emulated CPU is slow, and does not change what a script does.
    let each = if cfg!(qemu_user) { 16 } else { 1 };
    small(|small| {
        number += 1;
        if number % each == 0 && case(small) {
            scripts += every_script(small, errnos, faults);
            cases += 1;
        }
    });
    println!("{scripts} scripts of {cases} cases");
    assert!(scripts >= if cfg!(qemu_user) { least / 20 } else { least });
}

#[test]
fn every_answer_of_every_length() {
    if std::env::var_os("SIMULATION_ALL").is_some() {
        run(&KINDS, 2, 100_000_000, |_| true);
    } else {
        run(&KINDS, 1, 2_000_000, |case| case.cap > 2 && case.start != 2);
    }
}

#[test]
fn every_errno() {
    run(&ERRNOS, 1, 1_000_000, |case| case.file == 1 && case.start == 0 && case.cap > 2);
}

/// An error, and the caller leaves; two errors; an end of the file that was none, and an error.
#[test]
fn every_pair_of_faults() {
    run(&[Errno::EAGAIN, Errno::EINVAL], 2, 1_000_000, |case| {
        case.file == 1 && case.start == 0 && case.cap > 2 && case.headers.len() < 2 && case.count != Count::Bytes(3)
    });
}

/// Offsets, lengths and limits around each number that is one, with all answers as good as they can be.
#[test]
fn every_limit() {
    let headers = [IoSlice::new(b"abc")];
    for start in [0, 100, i64::MAX as u64 - 1, i64::MAX as u64] {
        for body in NUMBERS {
            for count in [Count::Bytes(body), Count::Bytes(u64::MAX), Count::ToEnd] {
                for cap in NUMBERS {
                    for (small, lent) in [(0, 0), (0, 100), (100, 103), (usize::MAX, 20_000), (5 << 30, usize::MAX)] {
                        let case = Case {
                            headers: &headers,
                            file: start.saturating_add(body).min(i64::MAX as u64),
                            trailers: &headers,
                            start,
                            at_position: false,
                            count,
                            cap: cap as usize,
                            small,
                            lent,
                            copying: false,
                            output: Output::Tcp,
                            known: false,
                        };
                        script::drive(&case, Choices(&[]), 6);
                    }
                }
            }
        }
    }
}

#[test]
fn random_sizes_and_scripts() {
    let steps = Cell::new(0);
    let config =
        Config { cases: if cfg!(qemu_user) { 300 } else { 3000 }, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let result = runner.run(&vec(any::<u8>(), 0..200), |bytes| {
        steps.set(steps.get() + u64::from(script::run(&bytes)));
        Ok(())
    });
    println!("{} steps", steps.get());
    result.unwrap();
    assert!(steps.get() > 10_000);
}
