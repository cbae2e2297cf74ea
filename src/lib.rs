//! Python's `os.sendfile`, both forms, straight to the kernel: no libc, no std, no allocation.
//!
//! - [`sendfile`]`(out, in, offset, count)` is the first form: one call, one system call, the arguments as they are.
//! - [`sendfile_hdtr`]`(out, in, offset, count, headers, trailers, flags)` is the second: headers, file and trailers. FreeBSD and
//!   macOS have it in the kernel. Linux has not; there it is made of the calls that there are.
//!
//! Bytes go from a file to a socket, pipe or other file inside the kernel, without passing through the program.
//!
//! # Before you use it
//!
//! **The pages are shared, not copied.** The kernel sends the file's own pages of the page cache. A later write to the file can change
//! what the receiver gets, even after the call has returned, on TCP even after the send queue is empty. Send files that
//! are replaced and not rewritten, or take a snapshot: [`Transfer::copying`]. Linux 5.10 to 6.18 do so (`tests/quirks.rs` measures it), but
//! for a pipe before 5.12. It is no promise: a later kernel may copy instead, which is slower and changes nothing else.
//!
//! **SIGPIPE.** When nobody reads any more, the kernel raises SIGPIPE beside `EPIPE`, and sendfile has no flag against it. Rust's
//! std ignores the signal; a program without std is ended by it. There call [`ignore_sigpipe`] once, or, in a library, hold a [`SigpipeGuard`].
//!
//! **Sent is not received.** A byte counts as sent when the kernel has taken it. If a TCP socket is closed while incoming bytes are unread,
//! the kernel resets the connection and drops what it has not sent yet. Shut the socket down for writing and read to the end first.
//!
//! # Which function
//!
//! | you have | use |
//! |---|---|
//! | one call to make, and a loop of your own | [`sendfile`] |
//! | a blocking output, and all of a file to send (what `write_all` is to `write`) | [`sendfile_all`] |
//! | Python's or FreeBSD's second form, with its flags and its stop at `EINTR` | [`sendfile_hdtr`] |
//! | the same with headers and trailers, or a buffer to fall back on | [`sendfile_hdtr_all`] |
//! | a blocking output, and a transfer that goes on later | a [`Transfer`] and [`Transfer::send_all`] |
//! | a nonblocking output and an event loop | a [`Transfer`] with each connection, and [`Transfer::poll_send`] |
//! | an async runtime | the same between two waits of the runtime |
//! | a progress bar, rate limits | a [`Transfer`] and its [`Step`]s; [`Transfer::perform`] does one |
//! | io_uring | the same, with the calls made by the ring; report each result to [`Transfer::complete`] |
//! | a task that can be dropped at any point | [`FlushOnDrop`] |
//! | input that cannot be read twice: a pipe, a socket, a terminal, `/proc/kmsg` | [`StreamCopy`] |
//! | a socket to copy to a socket, without a buffer | `PipeCopy` (Linux alone) |
//!
//! # The layers
//!
//! ```text
//!                your program
//! ────────────────────────────────────────────────────────────────────────────────────
//! stream         input that cannot be read twice: StreamCopy, PipeCopy
//! drive          performs a transfer's steps on real files: sendfile_all, sendfile_hdtr, send_all, poll_send
//! sendfile       the first form, the second of the kernels that have it, SIGPIPE
//! transfer       what to do next, without doing it: headers, file, trailers; resume, fallback, flush
//! sys            the system: numbers, C structures, the convention of errors
//! vocabulary     Errno, descriptors, IoSlice, flags
//! arch           the trap: the only files with asm!
//! ────────────────────────────────────────────────────────────────────────────────────
//!                the kernel
//! ```
//!
//! Each layer uses only those below it. A [`Transfer`] is a state machine that performs no I/O: it says what to do, and is told what
//! happened. It holds neither slices nor descriptors, so it lives wherever a connection does.
//!
//! # What is promised
//!
//! - **No byte is lost, doubled or reordered**, and an error takes nothing back: every answer has the bytes of each section.
//! - **The flush promise: no byte waits** in the kernel for longer than after one plain write of the same bytes. A driver
//!   keeps it on every way out; a loop of your own calls [`Transfer::flush`] when it stops early. A `TCP_CORK` that the caller set is
//!   left alone, and nothing is flushed under it. [`Output`] names the streams on which less can be promised.
//! - **A byte that counts as sent survives an orderly shutdown and close**, on kTLS, MPTCP and SCTP too. [`Output::Layered`] has the one
//!   exception, of kTLS before Linux 6.5.
//! - **[`Transfer::poll_send`] returns** after a budget of bytes, whatever the speed of the reader.
//! - **Nothing is copied through user space** unless a buffer is lent. Without one a refusal is the error.
//! - **A count of 0 sends nothing of the file**; "to the end" is [`Count::ToEnd`]. A file that is shorter than the count is
//!   [`Error::Truncated`], and its trailers are withheld.
//! - No function panics, allocates, or makes a system call that is not listed here.
//!
//! The flush promise has two more limits, both on TCP with Nagle's algorithm on. A response that is queued behind unsent bytes of an earlier one
//! (pipelining) can leave a short segment whose end waits for an acknowledgement. So can one on a system where
//! `net.core.max_skb_frags` is lowered.
//!
//! # System calls and kernels
//!
//! For seccomp filters: what each function can call, and the oldest Linux on which it works.
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
//! | … the last two, from the position of the file (`None`, `Transfer::from_position`, Linux alone) | and `lseek` | |
//! | [`Output::of`] | `getsockopt` | 2.6.32 |
//! | [`FlushOnDrop`], dropped | `getsockopt`, `setsockopt` | 2.2 |
//! | [`StreamCopy`] | `splice`, `read`, `writev`, `ppoll`, `getsockopt`, `setsockopt`, `fcntl`, `ioctl` | 2.6.17; without splice it copies |
//! | `PipeCopy` | the same, `pipe2` and `close` | 2.6.27 |
//! | [`ignore_sigpipe`] | `rt_sigaction` | 2.2 |
//! | [`SigpipeGuard`] | `rt_sigprocmask`, `rt_sigpending`, `rt_sigtimedwait` | 2.2 |
//! | [`fd::OwnedFd`] without `std`, dropped | `close` | any |
//! | [`Transfer`] otherwise, and all else | none | |
//!
//! "All of these" includes [`sendfile_hdtr`], which lends no buffer. A filter that refuses `setsockopt` takes the flush promise away.
//!
//! `sendmsg` is for sockets, `writev` for everything else. aarch64 came with Linux 3.7 and riscv64 with 4.15. On 32 bits the calls are
//! those for 64-bit numbers: `sendfile64`, `_llseek`, `fcntl64`, `fadvise64_64` (`arm_fadvise64_64` on arm). On i686 and s390x, `getsockopt`, `setsockopt` and
//! `sendmsg` have numbers since Linux 4.3.
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | none (default) | everything; [`fd`] has descriptor types of std's names |
//! | `std` | std's `AsFd`, `BorrowedFd`, `OwnedFd` in their place; [`Errno`] and [`Error`] turn into `std::io::Error` |
//! | `macos-raw-syscalls` | on macOS the trap instead of libSystem. The vendor does not support that: numbers and registers may change with any release. Without effect elsewhere |
//! | `rustix` | without `std`, the descriptors of the `rustix` crate are lent as they are, and its `OwnedFd` turns into [`fd::OwnedFd`] and back; [`Errno`] to and from that of `rustix`. Without effect elsewhere than on Linux |
//! | `syscalls` | [`Errno`] to and from that of the `syscalls` crate. Without effect elsewhere than on Linux |
//!
//! They are additive, with two exceptions. A crate that implements both std's `AsFd` and [`fd::AsFd`] for a type has to enable `std`, with
//! which they are one. And where `std` is on, descriptors of rustix are lent if rustix has its own `std` (its default). Supported are Linux and FreeBSD on x86_64, aarch64 and riscv64, and macOS on x86_64 and aarch64; Linux also on
//! the other processors of Rust's stable `asm!`, which `arch/README.md` lists, Android on those that it has. On anything else the crate does not compile. `docs/platforms.md` has a table of every argument and outcome on each system. On FreeBSD and macOS
//! the functions make the same calls, with `TCP_NOPUSH` or `TCP_NODELAY` for `TCP_CORK`. `splice`, `statx` and `TCP_ULP` are not used there.
//!
//! # In the repository
//!
//! - `docs/semantics.md`: the numbered requirements, with the tests that cover each.
//! - `docs/platforms.md`: the differences between systems.
//! - `docs/embedding.md`: the parts that a program without libc has to bring, and the flags of the linker.
//! - `arch/README.md`: the registers.
//! - `examples/`: a command that sends a file, and servers for each way of waiting.
#![no_std]

#[cfg(any(test, feature = "std"))]
extern crate std;

// The system is judged where it is chosen, src/sys/mod.rs, and so is the processor, arch/*/mod.rs.
#[cfg(all(target_pointer_width = "32", any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!(
    "bare-sendfile does not support x32 and the ILP32 variants of aarch64: many kernels refuse their system calls"
);

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
mod transfer;
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

/// Compiles and runs the code in the README.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
struct Readme;
