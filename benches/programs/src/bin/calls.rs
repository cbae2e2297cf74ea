//! `calls LIBRARY FORM COUNT`: calls sendfile so often, by a library, inlined or as a function of its own. Whoever counts the
//! instructions of two runs knows what one call takes.

use std::env::args;
use std::fs::File;
use std::hint::black_box;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// `call` so often, inlined and as a function of its own. What was sent is added up, and an error ends it, as a caller does.
macro_rules! library {
    ($name:ident, |$out:ident, $in:ident, $offset:ident, $count:ident| $call:expr, $result:ty) => {
        mod $name {
            use super::*;

            #[inline(always)]
            fn inlined($out: BorrowedFd<'_>, $in: BorrowedFd<'_>, $offset: &mut u64, $count: usize) -> $result {
                $call
            }

            #[inline(never)]
            fn function($out: BorrowedFd<'_>, $in: BorrowedFd<'_>, $offset: &mut u64, $count: usize) -> $result {
                $call
            }

            #[inline(always)]
            fn repeat(
                call: impl Fn(BorrowedFd<'_>, BorrowedFd<'_>, &mut u64, usize) -> $result,
                (out_fd, in_fd): (BorrowedFd<'_>, BorrowedFd<'_>),
                times: u64,
            ) -> Option<usize> {
                let mut sent = 0;
                for _ in 0..times {
                    sent += call(out_fd, in_fd, &mut 0, 1).ok()? as usize;
                }
                Some(sent)
            }

            #[inline(never)]
            pub fn run(form: &str, fds: (BorrowedFd<'_>, BorrowedFd<'_>), times: u64) -> Option<usize> {
                match form {
                    "inlined" => repeat(inlined, fds, times),
                    _ => repeat(function, fds, times),
                }
            }
        }
    };
}

library!(
    by_bare_sendfile,
    |out, r#in, offset, count| ::bare_sendfile::sendfile(out, r#in, Some(offset), count),
    ::bare_sendfile::Result<usize>
);
library!(
    by_rustix,
    |out, r#in, offset, count| ::rustix::fs::sendfile(out, r#in, Some(offset), count),
    ::rustix::io::Result<usize>
);
#[cfg(target_pointer_width = "64")]
library!(
    by_nix,
    |out, r#in, offset, count| {
        let mut signed = *offset as i64;
        let sent = ::nix::sys::sendfile::sendfile(out, r#in, Some(&mut signed), count);
        *offset = signed as u64;
        sent
    },
    ::nix::Result<usize>
);
library!(
    by_libc,
    |out, r#in, offset, count| {
        // SAFETY: the offset is borrowed mutably, and every bit pattern is one.
        match unsafe { ::libc::sendfile64(out.as_raw_fd(), r#in.as_raw_fd(), (&raw mut *offset).cast(), count) } {
            -1 => Err(()), // and errno
            sent => Ok(sent),
        }
    },
    Result<isize, ()>
);
library!(
    by_syscalls,
    |out, r#in, offset, count| {
        #[cfg(target_pointer_width = "32")]
        use ::syscalls::Sysno::sendfile64 as number;
        #[cfg(target_pointer_width = "64")]
        use ::syscalls::Sysno::sendfile as number;
        // SAFETY: as above.
        unsafe { ::syscalls::syscall!(number, out.as_raw_fd(), r#in.as_raw_fd(), &raw mut *offset, count) }
    },
    Result<usize, ::syscalls::Errno>
);
#[cfg(target_pointer_width = "64")]
library!(
    by_sc,
    |out, r#in, offset, count| {
        // SAFETY: as above.
        let word = unsafe { ::sc::syscall!(SENDFILE, out.as_raw_fd(), r#in.as_raw_fd(), &raw mut *offset, count) };
        // What its users write themselves.
        if word > -4096_isize as usize { Err(word) } else { Ok(word) }
    },
    Result<usize, usize>
);
#[cfg(target_pointer_width = "64")]
library!(
    by_nc,
    |out, r#in, offset, count| {
        let mut signed = *offset as isize;
        // SAFETY: as above.
        let sent = unsafe { ::nc::sendfile(out.as_raw_fd(), r#in.as_raw_fd(), Some(&mut signed), count) };
        *offset = signed as u64;
        sent
    },
    Result<isize, ::nc::Errno>
);
// The loop, and the call of a function: what is to be taken off.
library!(by_nothing, |_out, _in, offset, count| { black_box(&mut *offset); Ok(count) }, Result<usize, ()>);

fn main() {
    let mut arguments = args().skip(1);
    let mut next = || arguments.next().expect("calls LIBRARY FORM COUNT");
    let (library, form, times) = (next(), next(), next().parse().expect("a count"));
    let (output, input) = (File::create("/dev/null").unwrap(), File::open("/proc/self/exe").unwrap());
    let fds = (output.as_fd(), input.as_fd());
    let run = match library.as_str() {
        "bare-sendfile" => by_bare_sendfile::run,
        "rustix" => by_rustix::run,
        #[cfg(target_pointer_width = "64")]
        "nix" => by_nix::run,
        "libc" => by_libc::run,
        "syscalls" => by_syscalls::run,
        #[cfg(target_pointer_width = "64")]
        "sc" => by_sc::run,
        #[cfg(target_pointer_width = "64")]
        "nc" => by_nc::run,
        "nothing" => by_nothing::run,
        _ => panic!("no library {library}"),
    };
    assert_eq!(run(&form, fds, times), Some(times as usize));
}
