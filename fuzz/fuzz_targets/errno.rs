//! Error numbers: what is one, what it is called, and that libc's words for it are the same.
#![no_main]

use std::ffi::CStr;

use bare_sendfile::Errno;

libfuzzer_sys::fuzz_target!(|bytes: [u8; 4]| {
    let number = i32::from_ne_bytes(bytes);
    // Half of the inputs as they are, the other half where the numbers are.
    let number = if number & 1 == 0 { number } else { number % 5000 };
    let Some(errno) = Errno::from_raw_os_error(number) else {
        assert!(!(1..=Errno::MAX).contains(&number));
        return;
    };
    assert!((1..=Errno::MAX).contains(&number));
    assert_eq!(errno.raw_os_error(), number);
    let error = std::io::Error::from(errno);
    assert_eq!(error.raw_os_error(), Some(number));
    let text = errno.to_string();
    assert!(text.ends_with(&format!("os error {number})")), "{text}");
    // SAFETY: it is a static string of libc, or one that the next call of this thread overwrites.
    let libc = unsafe { CStr::from_ptr(libc::strerror(number)) }.to_str().unwrap();
    match errno.name() {
        Some(name) => {
            assert_eq!(errno.description(), libc);
            assert_eq!(text, format!("{libc} ({name}, os error {number})"));
            assert_eq!(format!("{errno:?}"), name);
        }
        None => assert!(libc.starts_with("Unknown error"), "{libc}"),
    }
});
