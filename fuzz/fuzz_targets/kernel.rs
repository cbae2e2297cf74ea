//! The first form against libc's sendfile: two equal pairs of real files, the same arguments, the same of all that can be seen.
#![no_main]

mod files;

use std::os::fd::{AsFd, AsRawFd};

use bare_sendfile::sendfile;

use files::{Choices, Pair};

libfuzzer_sys::fuzz_target!(init: files::ignore_sigpipe(), |bytes: &[u8]| {
    let mut choices = Choices(bytes);
    let (input, output) = (choices.next(), choices.next());
    let (mut ours, mut theirs) = (Pair::new(input, output), Pair::new(input, output));
    for _ in 0..3 {
        let mut offset = (choices.next() % 3 > 0).then(|| choices.number());
        let count = choices.number() as usize;

        let mut libc_offset = offset.map(|offset| offset as libc::off64_t);
        let pointer = libc_offset.as_mut().map_or(std::ptr::null_mut(), |offset| offset as *mut _);
        // SAFETY: the pointer is null or borrows `libc_offset`.
        let expected = unsafe { libc::sendfile64(theirs.output.as_raw_fd(), theirs.input.as_raw_fd(), pointer, count) };
        let expected = usize::try_from(expected).map_err(|_| std::io::Error::last_os_error().raw_os_error().unwrap());

        let result = sendfile(ours.output.as_fd(), ours.input.as_fd(), offset.as_mut(), count);
        assert_eq!(result.map_err(|errno| errno.raw_os_error()), expected);
        assert_eq!(offset, libc_offset.map(|offset| offset as u64));
        assert_eq!(ours.seen(), theirs.seen());
    }
});
