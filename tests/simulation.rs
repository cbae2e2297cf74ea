//! The transfer against a scripted kernel: every answer of every length at every step for small sizes, random ones for
//! large. What is checked, and when, stands in simulation/model.rs; simulation_bsd.rs runs the same scripts on other kernels.
//!
//! A script is one sequence of answers from the first step to the last. By default the exhaustive tests run six million, of
//! one fault each in most cases; with SIMULATION_ALL=1 in the environment two faults in every case (with --release).
#![cfg(target_os = "linux")]

#[path = "simulation/case.rs"]
mod case;
#[path = "simulation/explorer.rs"]
mod explorer;
#[path = "simulation/model.rs"]
mod model;
#[path = "simulation/queue.rs"]
mod queue;
#[path = "simulation/script.rs"]
mod script;
#[path = "streams/model.rs"]
mod streams;

use std::cell::Cell;

use bare_sendfile as machine;
use bare_sendfile::{Count, IoSlice};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestRunner};

use case::{Case, Sink};
use script::{Choices, NUMBERS};

#[test]
fn every_answer_of_every_length() {
    explorer::every_answer_of_every_length(5_000_000, |_| true);
}

#[test]
fn every_errno() {
    // What comes of an error is not the protocol's doing.
    let some = |case: &Case<'_>| matches!(case.output, Sink::Tcp | Sink::Ktls | Sink::Unix | Sink::Pipe);
    explorer::every_errno(2_000_000, some);
}

#[test]
fn every_pair_of_faults() {
    explorer::every_pair_of_faults(3_000_000, |_| true);
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
                        for output in [Sink::Tcp, Sink::Ktls] {
                            let case = Case {
                                headers: &headers,
                                file: start.saturating_add(body).min(i64::MAX as u64),
                                stated: u64::MAX,
                                trailers: &headers,
                                start,
                                at_position: false,
                                count,
                                cap: cap as usize,
                                small,
                                lent,
                                copying: false,
                                output,
                                known: false,
                            };
                            script::drive(&case, Choices(&[]), 6);
                        }
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
