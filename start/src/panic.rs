//! The end of a program that cannot go on.

use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::ptr::without_provenance_mut;

/// write(2)
const WRITE: usize = match () {
    () if cfg!(target_arch = "x86_64") && !cfg!(target_os = "freebsd") => 1,
    () if cfg!(any(target_os = "freebsd", target_arch = "x86", target_arch = "arm", target_arch = "s390x")) => 4,
    () if cfg!(any(target_arch = "powerpc", target_arch = "powerpc64")) => 4,
    () => 64,
};

struct Stderr;

impl Write for Stderr {
    fn write_str(&mut self, mut text: &str) -> fmt::Result {
        while !text.is_empty() {
            let (bytes, len) = (text.as_ptr().cast_mut().cast(), without_provenance_mut(text.len()));
            // SAFETY: the kernel reads these bytes.
            let written = unsafe { crate::arch::syscall3(WRITE, without_provenance_mut(2), bytes, len) };
            // A device that takes nothing, and says so without an error, would hold the program for ever.
            let written = usize::try_from(written).ok().filter(|&written| written > 0);
            text = written.and_then(|written| text.get(written..)).ok_or(fmt::Error)?;
        }
        Ok(())
    }
}

/// Says what was wrong and where. The exit code is that of a shell for a program that SIGABRT has ended.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // There is nowhere to report a failure to.
    let _ = writeln!(Stderr, "{info}");
    crate::exit(134)
}
