//! The second form and the drivers on real files: what arrived is a prefix of what was asked for, of the length that was
//! reported, and all of it when the outcome says so.
#![no_main]

mod files;

use std::os::fd::AsFd;

use bare_sendfile::{Count, IoSlice, SfFlags, Status, Transfer, poll_send, sendfile_hdtr};

use files::{Choices, FILE, Pair};

fn list(choice: usize, mark: u8) -> Vec<Vec<u8>> {
    (0..choice % 7).map(|i| vec![mark + i as u8; choice % (40 + i)]).collect()
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
        let received = pair.receive();
        assert_eq!(received.len() as u64, sent.total());
        assert!(expected.starts_with(&received));
        assert!(sent.outcome.is_err() || received == expected);
        return;
    }
    let Ok(transfer) = Transfer::new(offset, count, &headers, &trailers) else { return };
    let mut transfer = transfer.with_cap(choices.number().max(100) as usize).with_small(choices.number() as usize);
    let mut buffer = vec![0; choices.number() as usize % 40_000];
    let mut received = Vec::new();
    for _ in 0..20 {
        let (out_fd, in_fd) = (pair.output.as_fd(), pair.input.as_fd());
        let outcome = transfer.poll_send(out_fd, in_fd, &headers, &trailers, &mut buffer);
        received.extend(pair.receive());
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
