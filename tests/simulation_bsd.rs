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
/// FreeBSD's TCP with a clock.
#[path = "simulation_bsd/timed.rs"]
mod timed;
/// What must go wrong: the machine with FreeBSD's constants, on macOS's kernel.
#[path = "simulation_bsd/wrong.rs"]
mod wrong;

use timed::{File, SOCKET, Send, Socket};

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
    use freebsd::transfer::{Error, Output, Step, Transfer};

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
                transfer.complete(Ok(0)).unwrap();
                assert!(matches!(transfer.next_step(&headers, &[], 0), Ok(Step::AtEnd { .. })));
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

/// The kernel has room for some bytes, and then fails.
#[test]
fn c1_c2_c3_c4_c6a_what_freebsd_makes_of_it() {
    let full = Some(bare_sendfile::Errno::EAGAIN);
    for (file, room, offset, count, headers, trailers, answer, received) in [
        // C1: it counts the file alone, and 0 is to the end.
        ("file", 99, 1, 2, "h", "t", (4, None), "hilt"),
        ("file", 99, 1, 0, "h", "t", (5, None), "hilet"),
        // C2: it fails with progress.
        ("file", 3, 0, 4, "h", "", (3, full), "hfi"),
        // C3: it succeeds with a short trailer.
        ("file", 5, 0, 0, "", "trailer", (5, None), "filet"),
        // C4: it drops the headers of an empty file, and sends the trailers.
        ("", 99, 0, 0, "header", "t", (1, None), "t"),
        ("file", 99, 4, 0, "header", "t", (1, None), "t"),
        ("file", 99, 9, 0, "header", "t", (1, None), "t"),
        // C6a: it sends the trailers of a short file.
        ("file", 99, 0, 9, "", "t", (5, None), "filet"),
    ] {
        let mut kernel = freebsd::model::Kernel { file: file.into(), room, errno: full, ..Default::default() };
        assert_eq!(kernel.sendfile(offset, count, headers.as_bytes(), trailers.as_bytes()), answer, "{received}");
        assert_eq!(kernel.received, received.as_bytes());
    }
}

/// The same of "file", from its start. More room comes up behind the headers.
#[test]
fn c7_c9_what_macos_makes_of_it() {
    let full = Some(bare_sendfile::Errno::EAGAIN);
    for (room, refill, count, headers, trailers, answer, received) in [
        // C7: it counts headers and file, and the trailers come on top.
        (99, 0, 3, "h", "t", (4, None), "hfit"),
        (99, 0, 0, "h", "", (5, None), "hfile"),
        // C9: it sends the file behind torn headers.
        (2, 9, 10, "header", "", (6, None), "hefile"),
        // It looks for room after the last byte.
        (2, 0, 2, "", "", (2, full), "fi"),
    ] {
        let mut kernel =
            macos::model::Kernel { file: b"file".to_vec(), room, refill, errno: full, ..Default::default() };
        assert_eq!(kernel.sendfile(0, count, headers.as_bytes(), trailers.as_bytes()), answer, "{received}");
        assert_eq!(kernel.received, received.as_bytes());
    }
}

/// The kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Os {
    FreeBsd,
    MacOs,
}

/// A send on a fresh connection with so large a buffer, after `before` bytes that nobody waited for; the socket when all has happened.
fn send_on(
    hiwat: usize,
    mss: usize,
    nonblocking: bool,
    before: usize,
    send: &Send,
) -> (Result<(), timed::transfer::Error>, Socket) {
    SOCKET.set(Socket::new(hiwat, mss, nonblocking));
    SOCKET.with_borrow_mut(|socket| socket.queue_small_response(before));
    let outcome = send.run();
    let mut socket = SOCKET.take();
    socket.settle();
    (outcome, socket)
}

fn file(len: usize) -> File {
    File { bytes: (0..len).map(|i| (i % 251) as u8 ^ (i / 251) as u8).collect(), ..File::default() }
}

/// Whether all of it has arrived without the persist timer.
#[track_caller]
fn arrives_without_a_stall(hiwat: usize, mss: usize, nonblocking: bool, before: usize, send: &Send) -> Socket {
    let (outcome, socket) = send_on(hiwat, mss, nonblocking, before, send);
    let what = || format!("buffer {hiwat}, segment {mss}, nonblocking {nonblocking}, {before} before: {send:?}");
    assert_eq!(outcome, Ok(()), "{}", what());
    assert_eq!(socket.received[before..], send.expected(), "{}", what());
    assert_eq!(socket.persists, 0, "{}: {} ms", what(), socket.now);
    socket
}

/// H10: no call waits for room under a cork.
#[test]
fn h10_small_buffers_with_trailers_do_not_stall() {
    // The second has room for short trailers alone.
    for hiwat in [8192, 14_000] {
        for to_end in [false, true] {
            for (copying, lent) in [(false, 0), (true, 500), (true, 9000)] {
                for trailers in [0, 100, 20_000] {
                    let send = Send { file: file(30_000), trailers, to_end, copying, lent, ..Send::default() };
                    arrives_without_a_stall(hiwat, 16_332, false, 0, &send);
                }
            }
        }
    }
}

/// C15: where there is room for all of it, headers, file and trailers share a segment.
#[test]
fn c15_with_room_they_are_one_segment() {
    let send = Send { headers: 200, file: file(500), trailers: 100, ..Send::default() };
    assert_eq!(arrives_without_a_stall(32_768, 1448, false, 0, &send).segments, [800]);
    let (_, socket) = send_on(32_768, 1448, false, 0, &Send { copying: true, lent: 100, ..send });
    assert_eq!(socket.segments, [800]);
}

/// H10: the memory of the buffer runs out before its bytes do. Of many small pieces each counts as much as a page.
#[test]
fn h10_small_pieces_fill_the_memory() {
    let send = Send { headers: 10, file: file(10), trailers: 3200, ..Send::default() };
    for pieces in 0..40 {
        SOCKET.set(Socket::new(20_000, 16_332, false));
        // Earlier ones, which the reader has not acknowledged.
        SOCKET.with_borrow_mut(|socket| socket.queue_pieces_of_files(pieces));
        assert_eq!(send.run(), Ok(()));
        let mut socket = SOCKET.take();
        socket.settle();
        assert_eq!(socket.persists, 0, "after {pieces} pieces");
    }
}

/// H10: SF_SYNC waits for pages of which a cork would hold the last.
#[test]
fn h10_sync_does_not_wait_for_a_cork() {
    let send = Send { headers: 200, file: file(500), trailers: 100, sync: true, ..Send::default() };
    arrives_without_a_stall(32_768, 1448, false, 0, &send);
}

/// A rights' mask that knows of no ioctl.
#[test]
fn h10_without_the_question_there_is_no_cork() {
    let send = Send { headers: 200, file: file(500), trailers: 100, ..Send::default() };
    let mut socket = Socket::new(32_768, 1448, false);
    socket.no_ioctl = true;
    SOCKET.set(socket);
    assert_eq!(send.run(), Ok(()));
    let mut socket = SOCKET.take();
    assert_eq!((socket.nopush, &socket.received), (false, &send.expected()), "nothing waits");
    socket.settle();
    assert_eq!((socket.persists, &socket.segments[..]), (0, &[700, 100][..]));
}

/// H11: the block is bad, and sendfile has returned before that is known. The next call has to say it.
#[test]
fn h11_a_block_that_cannot_be_read_is_eio() {
    let bad = File { cold: true, bad: Some(40_000), ..file(100_000) };
    for (trailers, cap) in [(0, 0), (100, 0), (0, 20_000)] {
        let (outcome, socket) =
            send_on(32_768, 1448, false, 0, &Send { file: bad.clone(), trailers, cap, ..Send::default() });
        assert_eq!(outcome, Err(timed::transfer::Error::Errno(bare_sendfile::Errno::EIO)));
        assert!(socket.received.len() <= 40_000, "and what counts as sent does not arrive");
    }
    // A copy reads it itself.
    let (outcome, _) =
        send_on(32_768, 1448, false, 0, &Send { file: bad, copying: true, lent: 4096, ..Send::default() });
    assert_eq!(outcome, Err(timed::transfer::Error::Errno(bare_sendfile::Errno::EIO)));
}

/// Every size of everything: nothing stalls, and nothing is lost.
#[test]
fn h10_random_sizes_do_not_stall() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below.max(1)
    };
    let rounds = if cfg!(qemu_user) { 100 } else { 2000 };
    for _ in 0..rounds {
        let hiwat = [2048, 4096, 8192, 20_000, 32_768, 65_536, 300_000][random(7)];
        let mss = [536, 1448, 16_332][random(3)];
        let size = |random: &mut dyn FnMut(usize) -> usize| match random(4) {
            0 => 0,
            1 => random(300),
            2 => random(2 * mss),
            _ => random(3 * hiwat.min(40_000)),
        };
        let (headers, body, trailers) = (size(&mut random), size(&mut random), size(&mut random));
        let copying = random(3) == 0;
        let send = Send {
            headers,
            file: File { cold: random(4) == 0, ..file(body) },
            trailers,
            to_end: random(3) == 0,
            copying,
            lent: if copying || random(4) == 0 { 1 + random(5000) } else { 0 },
            cap: if random(3) == 0 { 1 + random(5000) } else { 0 },
            sync: random(8) == 0,
        };
        let before = if random(3) == 0 { random(100.min(hiwat)) } else { 0 };
        arrives_without_a_stall(hiwat, mss, random(2) == 0, before, &send);
    }
}
