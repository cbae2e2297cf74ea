//! The transfer as it is compiled for FreeBSD and for macOS, against models of these kernels' sendfile: the exhaustive scripts of
//! tests/simulation.rs. The models have the kernels' quirks, C1 to C9 of docs/semantics.md, and tests of their own for them.
//!
//! The library's sources are compiled here once more, with the constants of another system: see simulation_bsd/*.rs.

#![allow(clippy::duplicate_mod)] // once for each system

/// The machine with FreeBSD's constants and kernel.
#[path = "simulation_bsd/freebsd.rs"]
mod freebsd;
/// The machine with macOS's constants and kernel.
#[path = "simulation_bsd/macos.rs"]
mod macos;
/// What must go wrong: the machine with FreeBSD's constants, on macOS's kernel.
#[path = "simulation_bsd/wrong.rs"]
mod wrong;

/// The scripts of tests/simulation.rs, for each system.
macro_rules! scripts {
    ($os:ident) => {
        mod $os {
            use crate::$os::{explorer, model::has};

            #[test]
            fn every_answer_of_every_length() {
                explorer::every_answer_of_every_length(500_000, has);
            }

            #[test]
            fn every_errno() {
                explorer::every_errno(500_000, has);
            }

            #[test]
            fn every_pair_of_faults() {
                explorer::every_pair_of_faults(500_000, has);
            }
        }
    };
}

mod scripts {
    scripts!(freebsd);
    scripts!(macos);
}

#[test]
fn c16_c18_freebsd_flushes_once_the_callers_cork_is_cleared() {
    freebsd::model::the_callers_cork_is_cleared();
}

/// C6a: at the largest offset the range is empty, and a count of 0 would mean another one. The headers are written by themselves.
#[test]
fn c6a_headers_are_not_joined_with_an_empty_range() {
    use freebsd::transfer::{Error, Step, Transfer};

    let headers = [bare_sendfile::IoSlice::new(b"header")];
    for (before, joins) in [(1, true), (0, false)] {
        let offset = i64::MAX as u64 - before;
        let mut transfer = Transfer::new(offset, 2, &headers, &[]).unwrap().with_output(Output::Tcp);
        match transfer.next_step(&headers, &[], 0).unwrap() {
            Step::SendFileHdtr { count: 1, .. } if joins => {}
            Step::Cork if !joins => {
                transfer.complete(Ok(0)).unwrap();
                assert!(matches!(transfer.next_step(&headers, &[], 0), Ok(Step::Write { more: true, .. })));
                transfer.complete(Ok(6)).unwrap();
                assert!(matches!(transfer.next_step(&headers, &[], 0), Ok(Step::SendFile { count: 0, .. })));
                assert_eq!(transfer.complete(Ok(0)), Err(Error::Truncated { owed: 2 }));
            }
            step => panic!("{step:?}"),
        }
    }
}

/// C9 is real in the model: headers given to macOS's sendfile are torn, and the receiver notices.
#[test]
fn c9_headers_given_to_macos_are_torn() {
    let run = || wrong::explorer::every(1, &[], 0, |case| wrong::model::has(case) && case.file == 3);
    let panic = std::panic::catch_unwind(run).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("the stream is torn"), "{message}");
}

/// A kernel with room for `room` more bytes, then `errno`.
macro_rules! kernel {
    ($os:ident, $file:expr, $room:expr) => {
        $os::model::Kernel {
            file: $file.to_vec(),
            room: $room,
            errno: Some(bare_sendfile::Errno::EAGAIN),
            ..Default::default()
        }
    };
}

#[test]
fn c1_freebsd_counts_the_file_alone_and_0_is_to_the_end() {
    let mut kernel = kernel!(freebsd, b"file", 99);
    assert_eq!(kernel.sendfile(1, 2, b"h", b"t"), (4, None));
    assert_eq!(kernel.received, b"hilt");
    let mut kernel = kernel!(freebsd, b"file", 99);
    assert_eq!(kernel.sendfile(1, 0, b"h", b"t"), (5, None));
    assert_eq!(kernel.received, b"hilet");
}

#[test]
fn c2_freebsd_fails_with_progress() {
    let mut kernel = kernel!(freebsd, b"file", 3);
    assert_eq!(kernel.sendfile(0, 4, b"h", b""), (3, Some(bare_sendfile::Errno::EAGAIN)));
    assert_eq!(kernel.received, b"hfi");
}

#[test]
fn c3_freebsd_succeeds_with_a_short_trailer() {
    let mut kernel = kernel!(freebsd, b"file", 5);
    assert_eq!(kernel.sendfile(0, 0, b"", b"trailer"), (5, None));
    assert_eq!(kernel.received, b"filet");
}

#[test]
fn c4_freebsd_drops_the_headers_of_an_empty_file_and_sends_the_trailers() {
    for (file, offset) in [(&b""[..], 0), (b"file", 4), (b"file", 9)] {
        let mut kernel = kernel!(freebsd, file, 99);
        assert_eq!(kernel.sendfile(offset, 0, b"header", b"t"), (1, None));
        assert_eq!(kernel.received, b"t");
    }
}

#[test]
fn c6a_freebsd_sends_the_trailers_of_a_short_file() {
    let mut kernel = kernel!(freebsd, b"file", 99);
    assert_eq!(kernel.sendfile(0, 9, b"", b"t"), (5, None));
    assert_eq!(kernel.received, b"filet");
}

#[test]
fn c7_macos_counts_headers_and_file() {
    let mut kernel = kernel!(macos, b"file", 99);
    assert_eq!(kernel.sendfile(0, 3, b"h", b"t"), (4, None));
    assert_eq!(kernel.received, b"hfit"); // one byte of headers, two of the file, the trailers on top
    let mut kernel = kernel!(macos, b"file", 99);
    assert_eq!(kernel.sendfile(0, 0, b"h", b""), (5, None));
    assert_eq!(kernel.received, b"hfile");
}

#[test]
fn c9_macos_sends_the_file_behind_torn_headers() {
    let mut kernel = kernel!(macos, b"file", 2);
    kernel.refill = 9;
    assert_eq!(kernel.sendfile(0, 10, b"header", b"").1, None);
    assert_eq!(kernel.received, b"hefile");
}

#[test]
fn macos_looks_for_room_after_the_last_byte() {
    let mut kernel = kernel!(macos, b"file", 2);
    assert_eq!(kernel.sendfile(0, 2, b"", b""), (2, Some(bare_sendfile::Errno::EAGAIN)));
}

/// The kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Os {
    FreeBsd,
    MacOs,
}
