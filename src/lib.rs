//! Python's `os.sendfile`, both forms, straight to the kernel: no libc, no std, no allocation.
//!
//! - [`sendfile`]`(out, in, offset, count)` is the first form. It is one system call, and the arguments go to the kernel as they are.
//! - [`sendfile_hdtr`]`(out, in, offset, count, headers, trailers, flags)` is the second form: headers, file and trailers. FreeBSD and
//!   macOS do this in the kernel. Linux does not, so the crate makes several calls there.
//!
//! The kernel moves the bytes from a file to a socket, pipe or other file. They do not pass through the program.
//!
//! # Before you use it
//!
//! **The pages are shared, not copied.** The kernel sends the file's own pages of the page cache. If the file is modified later, the
//! receiver may get the new bytes. On TCP that can happen even after the send queue is empty. Replace files and do not rewrite them, or
//! take a snapshot with [`Transfer::copying`]. Linux 5.10 to 6.18 share the pages (for a pipe since 5.12; `tests/quirks.rs` measures it). A later
//! kernel may copy instead, which is slower and changes nothing else.
//!
//! **SIGPIPE.** If nobody reads any more, sendfile fails with `EPIPE` and the kernel raises SIGPIPE as well. No flag prevents that. Rust's
//! std ignores the signal. A program without std is ended by it, unless it calls [`ignore_sigpipe`] once or,
//! in a library, holds a [`SigpipeGuard`].
//!
//! **Sent is not received.** A byte counts as sent when the kernel has accepted it. Closing a TCP socket with unread input resets the
//! connection and discards unsent data. Shut the socket down for writing and read to the end first.
//!
//! # Which function
//!
//! | you have | use |
//! |---|---|
//! | one call to make, and a loop of your own | [`sendfile`] |
//! | a blocking output, and all of a file to send (like `write_all`) | [`sendfile_all`] |
//! | the same with headers and trailers, or a buffer to fall back on | [`sendfile_hdtr_all`] |
//! | Python's or FreeBSD's second form, with its flags and its stop at `EINTR` | [`sendfile_hdtr`] |
//! | a blocking output, and a transfer that goes on later | a [`Transfer`] and [`Transfer::send_all`] |
//! | a nonblocking output and an event loop | a [`Transfer`] in each connection, and [`Transfer::poll_send`] |
//! | an async runtime | the same, between two waits of the runtime |
//! | a progress bar, or a rate limit | a [`Transfer`] and its [`Step`]s; [`Transfer::perform`] does one |
//! | io_uring | the same, but the ring makes the calls; report each result to [`Transfer::complete`] |
//! | a task that can be dropped at any point | [`FlushOnDrop`] |
//! | input that cannot be read twice: a pipe, a socket, a terminal, `/proc/kmsg` | [`StreamCopy`] |
//! | a socket to copy to a socket, without a buffer | `PipeCopy` (Linux only) |
//!
//! `docs/guide.md` in the repository has examples.
//!
//! # The layers
//!
//! | layer, from the program down to the kernel | what it does |
//! |---|---|
//! | stream | copies input that cannot be read twice: [`StreamCopy`], `PipeCopy` |
//! | drive | performs a transfer's steps on real files: [`sendfile_all`], [`sendfile_hdtr`], [`Transfer::poll_send`] |
//! | sendfile | makes the first form's call, and the second form's where the kernel has it; handles SIGPIPE |
//! | transfer | decides what to do next, without doing it: headers, file, trailers; resume, fallback, flush |
//! | sys | knows the system: numbers, C structures, how errors are returned |
//! | vocabulary | [`Errno`], descriptors, [`IoSlice`], flags |
//! | arch | makes the trap, the instruction that enters the kernel; the only files with `asm!` |
//!
//! Each layer uses only those below it. A [`Transfer`] is a state machine that performs no I/O. It returns the next step, and the caller
//! performs it and reports the result. It holds neither slices nor descriptors, so it can live in the connection that it serves.
//!
//! # What is promised
//!
//! - **No byte is lost, doubled or reordered.** Even after an error you get the number of bytes sent of headers, file and trailers.
//! - **The flush promise: no byte waits** in the kernel for longer than after one plain write of the same bytes. The drivers
//!   keep it whenever they return. A loop of your own has to call [`Transfer::flush`] if it stops early. If the caller has set
//!   `TCP_CORK`, it is left alone, and nothing is flushed under it. [`Output`] describes the streams on which less is promised.
//! - **A byte that counts as sent survives an orderly shutdown and close**, on kTLS, MPTCP and SCTP too. The one exception is kTLS before
//!   Linux 6.5: see [`Output::Layered`].
//! - **[`Transfer::poll_send`] returns** after a budget of bytes, however fast the reader is.
//! - **Nothing is copied through user space** unless you lend a buffer for it, which is an argument (`&mut [u8]`). With an empty one, the
//!   kernel's refusal is the error.
//! - **A count of 0 sends nothing of the file.** "To the end" is [`Count::ToEnd`].
//! - **A file that is shorter than the count** is [`Error::Truncated`], and its trailers are withheld.
//! - No function panics, allocates, or makes a system call that is not listed here.
//!
//! The flush promise has two other limits, both on TCP with Nagle's algorithm on. A response that is queued behind unsent bytes of an
//! earlier one (pipelining) can leave a short segment, whose end waits for an acknowledgement. So can a response on a system whose
//! `net.core.max_skb_frags` is lowered.
//!
//! # System calls and kernels
//!
//! For seccomp filters: the system calls that each function can make, and the oldest Linux on which it works.
//!
//! | function | system calls | Linux |
//! |---|---|---|
//! | [`sendfile`], [`sendfile_raw`] | `sendfile` | 2.6.33; 2.2 if the output is a socket |
//! | [`available`] | `sendfile` | any |
//! | [`sendfile_hdtr`] | `getsockopt`, `setsockopt`, `sendmsg`, `writev`, `sendfile` | 2.6.33 |
//! | … with [`SfFlags::NODISKIO`] | and `preadv2` | 4.14; before, or if a filter refuses it, the flag is reported as ignored |
//! | … with [`SfFlags::USER_READAHEAD`] or [`SfFlags::NOCACHE`] | and `fadvise64` | 2.6 |
//! | [`sendfile_all`], [`sendfile_hdtr_all`], [`Transfer::send_all`], [`Transfer::poll_send`], [`Transfer::perform`] | `getsockopt`, `setsockopt`, `sendmsg`, `writev`, `sendfile` | 2.6.33 |
//! | … all of these, with a buffer, to the end, or of a file that is shorter than the count | and `pread64` | |
//! | … all of these, to kTLS or SCTP | and `statx` | 4.11; kTLS 4.13 |
//! | … the calls of the last two rows, from the position of the file (`None`, `Transfer::from_position`, Linux only) | and `lseek` | |
//! | [`Output::of`] | `getsockopt` | 2.6.32 |
//! | [`FlushOnDrop`], dropped | `getsockopt`, `setsockopt` | 2.2 |
//! | [`StreamCopy`] | `splice`, `read`, `writev`, `ppoll`, `getsockopt`, `setsockopt`, `fcntl`, `ioctl` | 2.6.17; without splice it copies |
//! | `PipeCopy` | the same, `pipe2` and `close` | 2.6.27 |
//! | [`ignore_sigpipe`] | `rt_sigaction` | 2.2 |
//! | [`SigpipeGuard`] | `rt_sigprocmask`, `rt_sigpending`, `rt_sigtimedwait` | 2.2 |
//! | [`fd::OwnedFd`] without `std`, dropped | `close` | any |
//! | the other functions of [`Transfer`], and everything else | none | |
//!
//! "All of these" includes [`sendfile_hdtr`], which lends no buffer. If a filter refuses `setsockopt`, the flush promise does not hold.
//!
//! `sendmsg` is for sockets, `writev` for everything else. aarch64 came with Linux 3.7 and riscv64 with 4.15. On 32 bits the calls are
//! those for 64-bit numbers: `sendfile64`, `_llseek`, `fcntl64`, `fadvise64_64` (`arm_fadvise64_64` on arm). On i686 and s390x,
//! `getsockopt`, `setsockopt` and `sendmsg` have numbers since Linux 4.3.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | none (default) | everything; [`fd`] has descriptor types with std's names |
//! | `std` | std's `AsFd`, `BorrowedFd`, `OwnedFd` in their place; [`Errno`] and [`Error`] convert to `std::io::Error` |
//! | `macos-raw-syscalls` | on macOS the trap instead of libSystem. The vendor does not support that: numbers and registers may change with any release. No effect on other systems |
//! | `rustix` | without `std`, descriptors of the `rustix` crate are accepted as they are, and its `OwnedFd` converts to [`fd::OwnedFd`] and back; [`Errno`] converts to and from rustix's. Linux only |
//! | `syscalls` | [`Errno`] converts to and from that of the `syscalls` crate. Linux only |
//!
//! Features are additive, with two exceptions. A crate that implements both std's `AsFd` and [`fd::AsFd`] for a type has to enable
//! `std`, which makes them one trait. With `std` on, rustix's descriptors are accepted only if rustix has its own `std` (its default).
//!
//! # Systems
//!
//! - Linux and FreeBSD on x86_64, aarch64 and riscv64; macOS on x86_64 and aarch64.
//! - Linux also on every other processor for which Rust's `asm!` is stable, which `arch/README.md` lists; Android on those that it has.
//! - On anything else the crate does not compile.
//!
//! On FreeBSD and macOS the functions make the same calls, with `TCP_NOPUSH` or `TCP_NODELAY` in place of `TCP_CORK`. `splice`, `statx` and
//! `TCP_ULP` are not used there.
//!
//! # In the repository
//!
//! - `docs/guide.md`: the functions, with examples.
//! - `docs/semantics.md`: the numbered requirements, with the tests that cover each.
//! - `docs/platforms.md`: every argument and outcome on each system.
//! - `docs/embedding.md`: what a program without libc has to bring, and the flags of the linker.
//! - `docs/measured.md`: speed, sizes, memory.
//! - `arch/README.md`: the registers.
//! - `examples/`: a command that sends a file, and servers for each way of waiting.
#![no_std]

#[cfg(any(test, feature = "std"))]
extern crate std;

// src/sys/mod.rs refuses unsupported systems, arch/*/mod.rs unsupported processors.
#[cfg(all(target_pointer_width = "32", any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!(
    "bare-sendfile does not support x32 and the ILP32 variants of aarch64: many kernels refuse their system calls"
);

// First, so that the page of `Transfer` begins with `new`.
mod transfer;

mod drive;
#[macro_use]
mod errno;
pub mod fd;
mod flags;
mod iovec;
#[cfg(doctest)]
mod misuse;
mod sendfile;
mod sigpipe;
mod stream;
mod sys;
#[cfg(all(feature = "rustix", any(target_os = "linux", target_os = "android")))]
mod with_rustix;

pub use drive::{FlushOnDrop, Report, Sent, Status, sendfile_all, sendfile_hdtr, sendfile_hdtr_all};
pub use errno::{Errno, Result};
pub use flags::{FlagsReport, SfFlags};
pub use iovec::IoSlice;
pub use sendfile::{available, sendfile, sendfile_raw};
pub use sigpipe::{SigpipeGuard, ignore_sigpipe};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use stream::PipeCopy;
pub use stream::StreamCopy;
#[cfg(any(target_os = "freebsd", target_os = "macos"))]
pub use sys::native::sendfile_native;
pub use transfer::{Count, Error, Mechanisms, Moved, Output, Progress, Slices, Step, Transfer};

/// Compiles and runs the code in the README and the guide. One piece uses `syscalls`, which is Linux's.
#[cfg(all(doctest, feature = "std", feature = "syscalls", target_os = "linux"))]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../docs/guide.md")]
struct Readme;
