//! Each public function of the crate as a function of its own, for benches/stack.py, which reads the assembly and says how
//! much stack each can use. It misses a function that is not here.
#![no_std]

use core::hint::black_box;

use bare_sendfile::fd::{BorrowedFd, OwnedFd};
use bare_sendfile::{Output, 
    Count, Errno, Error, FlushOnDrop, IoSlice, Mechanisms, Progress, Result, Sent, SfFlags, SigpipeGuard, Slices,
    Status, Step, StreamCopy, Transfer,
};

type Fd<'a> = BorrowedFd<'a>;
type Parts<'a> = &'a [IoSlice<'a>];

/// `"name": (arguments) -> result = expression;`
macro_rules! functions {
    ($($name:literal: ($($argument:ident: $kind:ty),* $(,)?) $(-> $result:ty)? = $body:expr;)*) => {$(
        const _: () = {
            #[unsafe(export_name = $name)]
            fn function($($argument: $kind),*) $(-> $result)? {
                $body
            }
        };
    )*};
}

/// Not of the crate: 1000 bytes, and 2000 in a function that it calls, so that it is seen whether both are found.
#[unsafe(export_name = "control")]
fn control() {
    black_box([0_u8; 1000]);
    more();
    black_box(());
}

#[inline(never)]
fn more() {
    black_box([0_u8; 2000]);
}

functions! {
    "sendfile": (out: Fd<'_>, input: Fd<'_>, offset: Option<&mut u64>, count: usize) -> Result<usize> =
        bare_sendfile::sendfile(out, input, offset, count);
    "available": () -> Result<()> = bare_sendfile::available();
    "sendfile_hdtr": (
        out: Fd<'_>, input: Fd<'_>, offset: u64, count: Count, head: Parts<'_>, tail: Parts<'_>, flags: SfFlags,
    ) -> Sent =
        bare_sendfile::sendfile_hdtr(out, input, offset, count, head, tail, flags);
    "send_file": (
        out: Fd<'_>, input: Fd<'_>, offset: u64, count: Count, head: Parts<'_>, tail: Parts<'_>, buffer: &mut [u8],
    ) -> Sent =
        bare_sendfile::send_file(out, input, offset, count, head, tail, buffer);
    "send_all": (
        transfer: &mut Transfer, out: Fd<'_>, input: Fd<'_>, head: Parts<'_>, tail: Parts<'_>, buffer: &mut [u8],
    ) -> Result<(), Error> =
        bare_sendfile::send_all(transfer, out, input, head, tail, buffer);
    "poll_send": (
        transfer: &mut Transfer, out: Fd<'_>, input: Fd<'_>, head: Parts<'_>, tail: Parts<'_>, buffer: &mut [u8],
    ) -> Result<Status, Error> =
        bare_sendfile::poll_send(transfer, out, input, head, tail, buffer);
    "perform": (step: &Step<'_>, out: Fd<'_>, input: Fd<'_>, buffer: &mut [u8]) -> Result<usize> =
        bare_sendfile::perform(step, out, input, buffer);

    "Transfer::new": (offset: u64, count: Count, head: Parts<'_>, tail: Parts<'_>) -> Result<Transfer, Error> =
        Transfer::new(offset, count, head, tail);
    "Transfer::from_position": (count: Count, head: Parts<'_>, tail: Parts<'_>) -> Result<Transfer, Error> =
        Transfer::from_position(count, head, tail);
    "Transfer::with_cap": (transfer: Transfer, bytes: usize) -> Transfer = transfer.with_cap(bytes);
    "Transfer::with_small": (transfer: Transfer, bytes: usize) -> Transfer = transfer.with_small(bytes);
    "Transfer::copying": (transfer: Transfer) -> Transfer = transfer.copying();
    "Transfer::for_stream_socket": (transfer: Transfer) -> Transfer = transfer.with_output(Output::Tcp);
    "Transfer::progress": (transfer: &Transfer) -> Progress = transfer.progress();
    "Transfer::mechanisms": (transfer: &Transfer) -> Mechanisms = transfer.mechanisms();
    "Transfer::flush_owed": (transfer: &Transfer) -> bool = transfer.flush_owed();
    "Transfer::flush": (transfer: &mut Transfer) -> Option<Step<'static>> = transfer.flush();
    "Transfer::next_step": (
        transfer: &mut Transfer, head: Parts<'static>, tail: Parts<'static>, buffer: usize,
    ) -> Result<Step<'static>, Error> =
        transfer.next_step(head, tail, buffer);
    "Transfer::perform": (
        transfer: &mut Transfer, step: &Step<'_>, out: Fd<'_>, input: Fd<'_>, buffer: &mut [u8],
    ) -> Result<(), Error> =
        transfer.perform(step, out, input, buffer);
    "Transfer::complete": (
        transfer: &mut Transfer, result: Result<usize>,
    ) -> Result<(), Error> = transfer.complete(result);
    "Transfer::complete_with_error": (transfer: &mut Transfer, moved: usize, errno: Errno) -> Result<(), Error> =
        transfer.complete(Moved { bytes: moved, error: Some(errno) });

    "FlushOnDrop::new": (
        transfer: Transfer, out: Fd<'static>,
    ) -> FlushOnDrop<Fd<'static>> = FlushOnDrop::new(transfer, out);
    "FlushOnDrop::out_fd": (guard: &FlushOnDrop<Fd<'static>>) -> i32 = {
        use bare_sendfile::fd::AsRawFd;
        guard.out_fd().as_raw_fd()
    };
    "FlushOnDrop::drop": (guard: FlushOnDrop<Fd<'_>>) = drop(guard);
    "SigpipeGuard::new": () -> Result<SigpipeGuard> = SigpipeGuard::new();
    "SigpipeGuard::drop": (guard: SigpipeGuard) = drop(guard);
    "OwnedFd::drop": (fd: OwnedFd) = drop(fd);
    "BorrowedFd::borrow_raw": (fd: i32) -> Fd<'static> =
        // SAFETY: nobody calls this.
        unsafe { Fd::borrow_raw(fd) };

    "StreamCopy::new": (
        count: Count, buffer: &'static mut [u8],
    ) -> StreamCopy<'static> = StreamCopy::new(count, buffer);
    "StreamCopy::sent": (stream: &StreamCopy<'_>) -> u64 = stream.sent();
    "StreamCopy::spliced": (stream: &StreamCopy<'_>) -> u64 = stream.spliced();
    "StreamCopy::remainder": (stream: &'static StreamCopy<'static>) -> &'static [u8] = stream.remainder();
    "StreamCopy::send_all": (
        stream: &mut StreamCopy<'_>, out: Fd<'_>, input: Fd<'_>,
    ) -> Result<(), Error> = stream.send_all(out, input);
    "StreamCopy::poll_send": (stream: &mut StreamCopy<'_>, out: Fd<'_>, input: Fd<'_>) -> Result<Status, Error> =
        stream.poll_send(out, input);

    "Errno::from_raw_os_error": (number: i32) -> Option<Errno> = Errno::from_raw_os_error(number);
    "Errno::raw_os_error": (errno: Errno) -> i32 = errno.raw_os_error();
    "Errno::name": (errno: Errno) -> Option<&'static str> = errno.name();
    "Errno::description": (errno: Errno) -> &'static str = errno.description();
    "Error::errno": (error: Error) -> Option<Errno> = error.errno();
    "Progress::total": (progress: &Progress) -> u64 = progress.total();
    "Sent::total": (sent: &Sent) -> u64 = sent.total();
    "IoSlice::new": (bytes: &'static [u8]) -> IoSlice<'static> = IoSlice::new(bytes);
    "IoSlice::as_slice": (slice: &IoSlice<'static>) -> &'static [u8] = slice.as_slice();
    "Slices::as_slice": (slices: &'static Slices<'static>) -> Parts<'static> = slices.as_slice();
    "SfFlags::with_readahead": (flags: SfFlags, pages: u16) -> Option<SfFlags> = flags.with_readahead(pages);
    "SfFlags::readahead": (flags: SfFlags) -> u16 = flags.readahead();
}

/// Required of every program.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
