//! Python's `os.sendfile`, both forms, straight to the kernel: no libc, no std, no allocation.
//!
//! - [`sendfile`]`(out, in, offset, count)` is the first form. It is one system call. On Linux the arguments go to the kernel as they are.
//! - [`sendfile_hdtr`]`(out, in, offset, count, headers, trailers, flags)` is the second form: headers, file and trailers. It can make
//!   several calls. Python has this form on FreeBSD and macOS only. The crate has it on Linux too.
//!
//! The kernel moves the bytes from a file to a socket, on Linux also to a pipe or another file. They do not pass through the program.
//!
//! # Before you use it
//!
//! **The pages are shared, not copied.** The kernel sends the file's own pages of the page cache. If the file is modified later, the
//! receiver may get the new bytes. If both ends of a TCP connection are on one machine, that can happen even after the send queue is empty.
//! Replace files and do not rewrite them, or take a snapshot with [`Transfer::copying`]. Linux 5.10 to 6.18 share the pages (if the
//! output is a pipe, only since 5.12; `tests/quirks.rs` measures it). A later kernel may copy them. Then later
//! changes no longer reach the receiver, and sending is slower. macOS copies them.
//!
//! **SIGPIPE.** If the reader has gone, sendfile fails with `EPIPE` and the kernel raises SIGPIPE as well. (FreeBSD's kernel
//! does not.) No flag prevents that. Rust's std ignores the signal. SIGPIPE ends a program without std, unless the program calls
//! [`ignore_sigpipe`] once. A library holds a [`SigpipeGuard`] instead. (On macOS the guard works only if all other threads block SIGPIPE.)
//!
//! **Sent is not received.** A byte counts as sent when the kernel has accepted it. Closing a TCP socket with unread input resets the
//! connection and discards unsent data. Shut the socket down for writing, and read until the peer closes, before you drop it.
//!
//! # Which function
//!
//! | you have | use |
//! |---|---|
//! | one call to make, and a loop of your own | [`sendfile`] |
//! | a blocking output, and all of a file to send (like `write_all`) | [`sendfile_all`] |
//! | the same with headers and trailers, or a buffer to fall back on | [`sendfile_hdtr_all`] |
//! | headers, a file, trailers and FreeBSD's flags (the second form), in a call that returns at `EINTR` | [`sendfile_hdtr`] |
//! | a blocking output, and a transfer that you may continue later | a [`Transfer`] and [`Transfer::send_all`] |
//! | a nonblocking output and an event loop | a [`Transfer`] in each connection, and [`Transfer::poll_send`] |
//! | an async runtime | the same; after `OutFull` await the runtime's `writable` |
//! | a progress bar, or a rate limit | a [`Transfer`] and its [`Step`]s; [`Transfer::perform`] does one |
//! | io_uring | the same, but the ring performs the `Write` steps; report the result of each to [`Transfer::complete`] |
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
//! Each layer uses only those below it. A [`Transfer`] is a state machine. Its [`next_step`](Transfer::next_step) and
//! [`complete`](Transfer::complete) make no system call. The drivers perform its steps: [`Transfer::send_all`], [`Transfer::poll_send`],
//! [`sendfile_hdtr`], [`sendfile_hdtr_all`], [`sendfile_all`]. A transfer holds neither slices nor descriptors, so it can live in the
//! connection that it serves.
//!
//! # What is promised
//!
//! - **No byte is lost, doubled or reordered.** Even after an error, [`Sent::into_parts`] and [`Transfer::progress`] return the number of
//!   bytes sent of each section. The one exception is macOS: if a handler set with `SA_RESTART` interrupts a blocking sendfile, the kernel
//!   sends bytes twice (`docs/platforms.md`).
//! - **The flush promise: no byte waits longer** in the kernel than if one plain write had sent the same bytes. The drivers
//!   keep it whenever they return. If a loop of your own stops early, it has to perform the step that [`Transfer::flush`] returns. If you
//!   have set `TCP_CORK` yourself, the crate neither clears it nor flushes. [`Output`] describes the streams on which less is promised.
//! - **If you shut the socket down for writing and read until the peer closes, no byte reported as sent is lost.** That includes kTLS, MPTCP
//!   and SCTP. [`Output::Layered`] names the exceptions on kTLS. On FreeBSD the bytes of a file that cannot be read are an exception too
//!   (`docs/platforms.md`).
//! - **One [`Transfer::poll_send`] moves at most its budget**, however fast the reader is.
//! - **Nothing is copied through user space** unless you lend a buffer (an argument, `&mut [u8]`). If the buffer is empty and the kernel
//!   refuses sendfile, the call fails with the kernel's error.
//! - **A count of 0 sends nothing of the file.** "To the end" is [`Count::ToEnd`].
//! - **If the file is shorter than the count**, the call fails with [`Error::Truncated`] and does not send the trailers.
//! - No function panics, allocates, or makes a system call that is not listed here.
//!
//! The limits of the flush promise concern TCP with Nagle's algorithm on. In four cases a short segment goes out early, and the end of the
//! response waits for the acknowledgement of that segment:
//!
//! - if the response is queued behind unsent bytes of an earlier response (pipelining);
//! - if an earlier short segment is acknowledged just between the calls for the headers and for the file;
//! - if the segments are smaller than 496 bytes, because the peer asked for that;
//! - if `net.core.max_skb_frags` is lowered, or the user has more pipes than `fs.pipe-user-pages-soft` allows (about 1000).
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
//! | … if a call to a socket sends less than it was asked to | and `pread64`, `fcntl`, `ppoll` | |
//! | … with [`SfFlags::NODISKIO`] | and `preadv2` | 4.14; on an older kernel, or if a filter refuses the call, the flag is reported as ignored |
//! | … with [`SfFlags::USER_READAHEAD`] or [`SfFlags::NOCACHE`] | and `fadvise64` | 2.6 |
//! | [`sendfile_all`], [`sendfile_hdtr_all`], [`Transfer::send_all`], [`Transfer::poll_send`], [`Transfer::perform`], [`FlushOnDrop::poll_send`], [`FlushOnDrop::perform`] | `getsockopt`, `setsockopt`, `sendmsg`, `writev`, `sendfile` | 2.6.33 |
//! | … all these, and `sendfile_hdtr`, if there is a buffer (`sendfile_all` and `sendfile_hdtr` take none), the count is [`Count::ToEnd`], or the file ends or seems to end before the count | and `pread64` | |
//! | … all these, and `sendfile_hdtr`, to kTLS or SCTP | and `statx` | 4.11; kTLS itself came with 4.13 |
//! | … if `pread64` or `statx` is needed at the file's position (`None`, `Transfer::from_position`, Linux only) | and `lseek` | |
//! | [`Output::of`] | `getsockopt` | 2.6.32 |
//! | [`FlushOnDrop`], dropped | `getsockopt`, `setsockopt` | 2.2 |
//! | [`StreamCopy`] | `splice`, `read`, `writev`, `ppoll`, `getsockopt`, `setsockopt`, `fcntl`, `ioctl`, `statx` | 2.6.17; without splice it copies |
//! | `PipeCopy` | the same, `pipe2` and `close` | 2.6.27 |
//! | [`ignore_sigpipe`] | `rt_sigaction` | 2.2 |
//! | [`SigpipeGuard`] | `rt_sigprocmask`, `rt_sigpending`, `rt_sigtimedwait` | 2.2 |
//! | [`fd::OwnedFd`] without `std`, dropped | `close` | any |
//! | the other functions of [`Transfer`], and everything else | none | |
//!
//! [`sendfile_hdtr`] has no buffer, so it never copies the file. If a filter refuses `setsockopt`, the flush promise does not hold.
//!
//! A transfer uses `sendmsg` on sockets and `writev` on everything else. [`StreamCopy`] always uses `writev`. aarch64 came with Linux 3.7 and
//! riscv64 with 4.15. On 32-bit processors the crate makes the calls that take 64-bit numbers: `sendfile64`, `_llseek`, `fcntl64`,
//! `fadvise64_64` (`arm_fadvise64_64` on arm). On riscv32, `ppoll_time64` and `rt_sigtimedwait_time64` take the place of `ppoll` and
//! `rt_sigtimedwait`. On i686 and s390x, `getsockopt`, `setsockopt` and `sendmsg` are calls of their own only since Linux 4.3. The crate does
//! not use `socketcall`.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | none (default) | all functions; [`fd`] has descriptor types of its own, with std's names |
//! | `std` | std's `AsFd`, `BorrowedFd`, `OwnedFd` in their place; [`Errno`] and [`Error`] convert to `std::io::Error` |
//! | `macos-raw-syscalls` | on macOS the trap instead of libSystem. The vendor does not support that: numbers and registers may change with any release. No effect on other systems |
//! | `rustix` | without `std`, descriptors of the `rustix` crate are accepted as they are, and its `OwnedFd` converts to [`fd::OwnedFd`] and back; [`Errno`] converts to and from rustix's. Linux only |
//! | `syscalls` | [`Errno`] converts to and from that of the `syscalls` crate. Linux only |
//!
//! Features are additive, with two exceptions. First, `std` replaces the crate's [`fd::AsFd`] by std's. If your crate implements both traits
//! for one type, the two implementations then conflict. Enable `std` in that crate, and implement only std's trait. Second, with `std` on,
//! rustix's descriptors are accepted only if rustix has its own `std` (its default).
//!
//! # Systems
//!
//! - Linux and FreeBSD on x86_64, aarch64 and riscv64; macOS on x86_64 and aarch64.
//! - Linux also on every other processor for which Rust's `asm!` is stable, which `arch/README.md` lists; Android on its
//!   processors.
//! - On anything else the crate does not compile.
//!
//! On FreeBSD the functions set `TCP_NOPUSH` in place of `TCP_CORK`, on macOS `TCP_NODELAY`. On neither system do they use `splice`, `statx`,
//! `preadv2`, `fadvise64` or `TCP_ULP`. On FreeBSD they also use `ioctl` (`FIONSPACE`).
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
