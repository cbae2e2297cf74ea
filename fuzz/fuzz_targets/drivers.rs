//! The second form and the drivers on real files: what arrived is a prefix of what was asked for, of the length that was
//! reported, and all of it when the outcome says so.
#![no_main]

mod files;

use std::os::fd::AsFd;

use bare_sendfile::{Count, IoSlice, Sent, SfFlags, Status, Transfer, sendfile_hdtr, sendfile_hdtr_all};

use files::{Choices, FILE, Pair};

fn list(choice: usize, mark: u8) -> Vec<Vec<u8>> {
    (0..choice % 7).map(|i| vec![mark + i as u8; choice % (40 + i)]).collect()
}

/// What arrived is what the answer says.
fn check(pair: &mut Pair, sent: Sent, expected: &[u8]) {
    let received = pair.receive();
    let (report, outcome) = sent.into_parts();
    assert_eq!(received.len() as u64, report.progress.total());
    assert!(expected.starts_with(&received));
    assert!(outcome.is_err() || received == expected);
}

libfuzzer_sys::fuzz_target!(init: files::ignore_sigpipe(), |bytes: &[u8]| {
    let mut choices = Choices(bytes);
    let mut pair = Pair::new(choices.next() % 2, choices.next() % 7);
    let (headers, trailers) = (list(choices.next(), 10), list(choices.next(), 20));
    let (offset, bytes) = (choices.number(), choices.number());
    let count = if choices.next() % 2 == 0 { Count::ToEnd } else { Count::Bytes(bytes) };

    let mut expected = headers.concat();
    let file = &FILE[offset.min(FILE.len() as u64) as usize..];
    match count {
        Count::Bytes(count) if count > file.len() as u64 => expected.extend_from_slice(file), // and no trailers
        Count::Bytes(count) => expected.extend([&file[..count as usize], &trailers.concat()].concat()),
        Count::ToEnd => expected.extend([file, &trailers.concat()].concat()),
    }
    let headers: Vec<IoSlice> = headers.iter().map(|bytes| IoSlice::new(bytes)).collect();
    let trailers: Vec<IoSlice> = trailers.iter().map(|bytes| IoSlice::new(bytes)).collect();

    if choices.next() % 2 == 0 {
        let flags = SfFlags::from_bits_retain(choices.next() as u32 & 0x1f);
        let sent = sendfile_hdtr(pair.output.as_fd(), pair.input.as_fd(), offset, count, &headers, &trailers, flags);
        return check(&mut pair, sent, &expected);
    }
    if choices.next() % 4 == 0 {
        let mut buffer = vec![0; choices.number() as usize % 40_000];
        let (out_fd, in_fd) = (pair.output.as_fd(), pair.input.as_fd());
        let sent = sendfile_hdtr_all(out_fd, in_fd, Some(offset), count, &headers, &trailers, &mut buffer);
        return check(&mut pair, sent, &expected);
    }
    let Ok(transfer) = Transfer::new(offset, count, &headers, &trailers) else { return };
    let (cap, small) = (choices.number().max(100) as usize, choices.number() as usize);
    let budget = choices.number().max(2000);
    let mut transfer = transfer.with_cap(cap).with_small(small).with_budget(budget as usize);
    let mut buffer = vec![0; choices.number() as usize % 40_000];
    let mut received = Vec::new();
    for _ in 0..1000 {
        let (out_fd, in_fd) = (pair.output.as_fd(), pair.input.as_fd());
        let outcome = transfer.poll_send(out_fd, in_fd, &headers, &trailers, &mut buffer);
        let arrived = pair.receive();
        assert!(arrived.len() as u64 <= budget);
        // The budget is used up, or so many steps are made, of a byte each at least.
        assert!(outcome != Ok(Status::Yielded) || arrived.len() as u64 == budget || arrived.len() > 400);
        received.extend(arrived);
        assert_eq!(received.len() as u64, transfer.progress().total());
        assert!(expected.starts_with(&received));
        match outcome {
            Ok(Status::Done) => return assert_eq!(received, expected),
            Ok(_) => {}
            Err(_) => return,
        }
    }
    panic!("all was received each time, and it is still full");
});
