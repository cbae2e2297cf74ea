//! The cursor in a list of slices: whatever the lengths and the short counts, all bytes come once and in order.
//! The input's first byte is the number of slices; then their lengths; the rest are the short counts.
#![no_main]

use bare_sendfile::{Count, IoSlice, Output, Step, Transfer};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((&slices, bytes)) = bytes.split_first() else { return };
    let (lengths, shorts) = bytes.split_at(bytes.len().min(slices.into()));
    let mut shorts = shorts.iter();
    // A list longer than one call takes: all lengths, over and over.
    let lengths: Vec<usize> =
        lengths.iter().map(|&len| usize::from(len % 20)).cycle().take(slices as usize * 9).collect();
    let all: Vec<u8> = (0..lengths.iter().sum::<usize>()).map(|i| (i % 251) as u8).collect();
    let mut rest = &all[..];
    let list: Vec<std::io::IoSlice> = lengths
        .iter()
        .map(|&len| {
            let (slice, after) = rest.split_at(len);
            rest = after;
            std::io::IoSlice::new(slice)
        })
        .collect();
    let list = IoSlice::from_std(&list);

    let mut transfer = Transfer::new(0, Count::Bytes(0), list, &[]).unwrap().with_output(Output::Tcp);
    let mut received = Vec::new();
    loop {
        let asked = match transfer.next_step(list, &[], 0).unwrap() {
            Step::Write { slices, more, .. } => {
                let written: Vec<u8> = slices.as_slice().iter().flat_map(|slice| slice.as_slice()).copied().collect();
                assert!(!written.is_empty() && slices.as_slice().len() <= 1024);
                assert_eq!(more, received.len() + written.len() < all.len());
                written
            }
            Step::Flush { .. } => {
                transfer.complete(Ok(0)).unwrap();
                continue;
            }
            Step::Done => break,
            step => panic!("{step:?}"),
        };
        let short = shorts.next().map_or(usize::MAX, |&short| usize::from(short));
        let moved = short.clamp(1, asked.len());
        received.extend_from_slice(&asked[..moved]);
        transfer.complete(Ok(moved)).unwrap();
        assert_eq!(transfer.progress().headers, received.len() as u64);
    }
    assert_eq!(received, all);
});
