//! Tests the flush promise: random responses by every driver on every kind of stream leave no byte waiting in the kernel, unless one plain
//! write of the same bytes does too.
//!
//! Requests and responses take turns on one connection, so that Nagle's algorithm and delayed acknowledgements meet as they do
//! between servers and clients. No time is asserted: the judge (promise/link.rs) looks for bytes that stay with the sender while
//! the reader has taken all that came. A finding counts if a plain write leaves nothing in twenty attempts.
//!
//! Each connection has a number, from which all that happens on it follows. `PROMISE_SEED` is the first one's, and
//! `PROMISE_SECONDS` says how long connections are made. With `PROMISE_TIMES`, each exchange appends a line to that file: kind, bytes, and the
//! nanoseconds until the last byte, of the response and of one plain write. benches/promise.py draws them.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))] // the calls are caught with their arguments, as 64-bit words

#[path = "promise/calls.rs"]
mod calls;
#[path = "promise/case.rs"]
mod case;
mod common;
#[path = "promise/drive.rs"]
mod drive;
#[path = "promise/link.rs"]
mod link;

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

use fastrand::Rng;

use case::Case;
use common::netns::Wire;
use common::streams::{Kind, why_not};
use common::{not_checked, say};
use link::{Link, Settings, Stall};

/// Exchanges of one connection.
const EXCHANGES: usize = 15;
/// How often a plain write is tried.
const ATTEMPTS: usize = 20;
/// Above so many bytes MPTCP stalls by itself at times, for up to 250 ms: 5 of 30 fresh connections after a bare sendfile of 200 kB, 2 of
/// 30 after one write of 1.6 MB (Linux 6.18). Twenty attempts may not show it.
const MPTCP_STALLS: u64 = 150_000;
/// What a packet takes over the wire: half of a round trip of 50 ms.
const DELAY: Duration = Duration::from_millis(25);
/// Failures that are told, before the sweep gives up.
const FAILURES: usize = 8;

/// What was seen on one kind of stream.
#[derive(Default)]
struct Seen {
    links: u64,
    exchanges: usize,
    /// Stalls that a plain write has as well.
    excused: usize,
    /// Time until the last byte, in that of a plain write.
    ratios: Vec<f64>,
    /// Where each of these times is told.
    times: Option<File>,
    failures: Vec<String>,
}

/// A kind of stream, and whether it goes over a wire.
struct Place(Kind, bool);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0, if self.1 { ", far" } else { "" })
    }
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().map(|text| text.parse().ok().unwrap_or_else(|| panic!("{name}={text}")))
}

/// Makes connections for this time, of those seconds that the environment gives to all of them.
fn sweep(kind: Kind, share: f64) {
    sweep_over(kind, share, None);
}

/// The same over a wire with a round trip of 50 ms.
fn sweep_far(kind: Kind, share: f64) {
    match Wire::new(DELAY) {
        Ok(wire) => sweep_over(kind, share, Some(&wire)),
        Err(error) => not_checked(format_args!("a wire takes no time here: {error}")),
    }
}

fn sweep_over(kind: Kind, share: f64, wire: Option<&Wire>) {
    if let Some(why) = why_not(kind) {
        return not_checked(why);
    }
    let seconds: f64 = variable("PROMISE_SECONDS").unwrap_or(12.0);
    let first: u64 = variable("PROMISE_SEED").unwrap_or(0);
    let end = Instant::now() + Duration::from_secs_f64(seconds * share);
    let files = [common::file(case::file()), common::file(case::file())];
    let times =
        variable::<PathBuf>("PROMISE_TIMES").map(|path| File::options().append(true).create(true).open(path).unwrap());
    let mut seen = Seen { times, ..Seen::default() };
    while (seen.links == 0 || Instant::now() < end) && seen.failures.len() < FAILURES {
        connection(kind, wire, first + seen.links, &files, &mut seen);
        seen.links += 1;
    }
    seen.ratios.sort_by(f64::total_cmp);
    let part = |of: f64| seen.ratios.get((seen.ratios.len() as f64 * of) as usize).copied().unwrap_or(f64::NAN);
    let summary = format!(
        "{}: {} connections, {} exchanges, {} stalls that a plain write has as well; the last byte after {:.2} of its time \
         (99th percentile: {:.1})",
        Place(kind, wire.is_some()),
        seen.links,
        seen.exchanges,
        seen.excused,
        part(0.5),
        part(0.99)
    );
    say(&summary);
    assert!(seen.failures.is_empty(), "{summary}\n{}", seen.failures.join("\n"));
}

/// Told if the test ends here.
struct Told(String);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&self.0);
        }
    }
}

fn random(kind: Kind, rng: &mut Rng) -> Case {
    let case = Case::random(rng);
    if kind == Kind::Sctp { case.with_writes(link::MESSAGE) } else { case }
}

/// One connection and the control beside it, from the first request to the close.
fn connection(kind: Kind, wire: Option<&Wire>, seed: u64, files: &[File; 2], seen: &mut Seen) {
    let mut rng = Rng::with_seed(seed);
    let settings =
        if wire.is_none() { Settings::random(kind, &mut rng) } else { Settings::random_over_a_wire(kind, &mut rng) };
    let file = rng.choice(files).unwrap();
    let (link, control) = (Link::new(&settings, wire), Link::new(&settings, wire));
    for number in 0..rng.usize(1..=EXCHANGES) {
        let case = random(kind, &mut rng);
        let told = || format!("PROMISE_SEED={seed}, exchange {number}, {settings:?}, {case:?}");
        let _case = Told(told());
        let exchange = link.exchange(|out, pause| case.send(out, file, settings.nodelay, pause));
        seen.exchanges += 1;
        let (sent, bytes) = (exchange.sent as usize, case.bytes());
        let came = exchange.arrived.len();
        if exchange.arrived[..] != bytes[..came.min(bytes.len())] {
            seen.failures.push(format!("other bytes came: {}", told()));
            return;
        }
        let write = control.write(&bytes[..sent]);
        let arrived = write.arrived.len();
        assert!(write.arrived == bytes[..arrived.min(sent)], "other bytes of a plain write came: {}", told());
        if arrived < sent {
            say(&format!("a plain write of {sent} waits: {arrived} came: {} {}", write.stall.unwrap(), told()));
            return;
        }
        let excused = |stall: &Stall| {
            // Nothing can be told to SCTP, which waits for its peer as it likes. Its bytes and their order are judged, and the close.
            kind == Kind::Sctp
                || kind == Kind::Mptcp && stall.sent > MPTCP_STALLS
                // All of it is under a cork, so a call can wait for room in a small queue (C23).
                || kind == Kind::Mptcp && stall.asleep
                || write.stall.is_some()
                || (0..ATTEMPTS).any(|_| control.write(&bytes[..sent]).stall.is_some())
        };
        match exchange.stall {
            Some(stall) if excused(&stall) => seen.excused += 1,
            Some(stall) => seen.failures.push(format!("{stall}, the last for {:?}: {}", exchange.time, told())),
            None if sent > 0 => {
                if let Some(times) = &mut seen.times {
                    let kind = Place(kind, wire.is_some());
                    writeln!(times, "{kind}\t{sent}\t{}\t{}", exchange.time.as_nanos(), write.time.as_nanos()).unwrap();
                }
                seen.ratios.push(exchange.time.as_secs_f64() / write.time.as_secs_f64());
            }
            None => {}
        }
        if came < sent {
            let rest = link.end();
            if came + rest.len() < sent {
                seen.failures.push(format!("{} of {sent} bytes lost by a close: {}", sent - came - rest.len(), told()));
            }
            return;
        }
    }
    let case = random(kind, &mut rng);
    let (sent, arrived) = link.close(|out| case.send(out, file, settings.nodelay, &mut |_, _| {}));
    let lost = sent as usize - arrived.len().min(sent as usize);
    if lost > 0 {
        seen.failures.push(format!(
            "{lost} of {sent} bytes lost by a close: PROMISE_SEED={seed}, the last, {settings:?}, {case:?}"
        ));
    }
    assert!(arrived == case.bytes()[..arrived.len()], "other bytes came: PROMISE_SEED={seed}, the last");
    control.end();
}

#[test]
fn tcp() {
    sweep(Kind::Tcp, 0.8);
}

#[test]
fn tcp_far() {
    sweep_far(Kind::Tcp, 0.8);
}

#[test]
fn ktls() {
    sweep(Kind::Ktls, 0.3);
}

#[test]
fn ktls_far() {
    sweep_far(Kind::Ktls, 0.3);
}

#[test]
fn mptcp() {
    sweep(Kind::Mptcp, 0.3);
}

#[test]
fn sctp() {
    sweep(Kind::Sctp, 0.3);
}

#[test]
fn unix() {
    sweep(Kind::Unix, 0.1);
}

#[test]
fn vsock() {
    sweep(Kind::Vsock, 0.3);
}
