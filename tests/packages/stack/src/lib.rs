//! Each public function of the crate as a function of its own, for benches/stack.py, which reads the assembly and says how
//! much stack each can use. It misses a function that is not here.
#![no_std]

use core::ffi::c_void;
use core::hint::black_box;

use bare_sendfile::fd::{BorrowedFd, OwnedFd};
use bare_sendfile::{
    Count, Errno, Error, FlushOnDrop, IoSlice, Mechanisms, Moved, Output, PipeCopy, Progress, Report, Result, Sent,
    SfFlags, SigpipeGuard, Slices, Status, Step, StreamCopy, Transfer,
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
    "sendfile_raw": (out: i32, input: i32, offset: *mut u64, count: usize) -> Result<usize> =
        // SAFETY: it is never called.
        unsafe { bare_sendfile::sendfile_raw(out, input, offset, count) };
    "available": () -> Result<()> = bare_sendfile::available();
    "sendfile_hdtr": (
        out: Fd<'_>, input: Fd<'_>, offset: u64, count: Count, head: Parts<'_>, tail: Parts<'_>, flags: SfFlags,
    ) -> Sent =
        bare_sendfile::sendfile_hdtr(out, input, offset, count, head, tail, flags);
    "sendfile_all": (out: Fd<'_>, input: Fd<'_>, offset: Option<u64>, count: Count) -> Sent =
        bare_sendfile::sendfile_all(out, input, offset, count);
    "sendfile_hdtr_all": (
        out: Fd<'_>, input: Fd<'_>, offset: Option<u64>, count: Count, head: Parts<'_>, tail: Parts<'_>, buffer: &mut [u8],
    ) -> Sent =
        bare_sendfile::sendfile_hdtr_all(out, input, offset, count, head, tail, buffer);

    "Count::from_usize": (bytes: usize) -> Count = Count::from_usize(bytes);
    "Output::of": (out: Fd<'_>) -> Result<Output> = Output::of(out);
    "Transfer::new": (offset: u64, count: Count, head: Parts<'_>, tail: Parts<'_>) -> Result<Transfer, Error> =
        Transfer::new(offset, count, head, tail);
    "Transfer::from_position": (count: Count, head: Parts<'_>, tail: Parts<'_>) -> Result<Transfer, Error> =
        Transfer::from_position(count, head, tail);
    "Transfer::with_cap": (transfer: Transfer, bytes: usize) -> Transfer = transfer.with_cap(bytes);
    "Transfer::with_small": (transfer: Transfer, bytes: usize) -> Transfer = transfer.with_small(bytes);
    "Transfer::with_budget": (transfer: Transfer, bytes: usize) -> Transfer = transfer.with_budget(bytes);
    "Transfer::copying": (transfer: Transfer) -> Transfer = transfer.copying();
    "Transfer::with_output": (transfer: Transfer, output: Output) -> Transfer = transfer.with_output(output);
    "Transfer::output": (transfer: &Transfer) -> Option<Output> = transfer.output();
    "Transfer::progress": (transfer: &Transfer) -> Progress = transfer.progress();
    "Transfer::mechanisms": (transfer: &Transfer) -> Mechanisms = transfer.mechanisms();
    "Transfer::flush_owed": (transfer: &Transfer) -> bool = transfer.flush_owed();
    "Transfer::flush": (transfer: &mut Transfer) -> Option<Step<'static>> = transfer.flush();
    "Transfer::flush_full": (transfer: &mut Transfer) -> Option<Step<'static>> = transfer.flush_full();
    "Transfer::next_step": (
        transfer: &mut Transfer, head: Parts<'static>, tail: Parts<'static>, buffer: usize,
    ) -> Result<Step<'static>, Error> =
        transfer.next_step(head, tail, buffer);
    "Transfer::perform": (
        transfer: &mut Transfer, step: &Step<'_>, out: Fd<'_>, input: Fd<'_>, buffer: &mut [u8],
    ) -> Result<(), Error> =
        transfer.perform(step, out, input, buffer);
    "Transfer::complete": (transfer: &mut Transfer, result: Moved) -> Result<(), Error> = transfer.complete(result);
    "Transfer::identified": (transfer: &mut Transfer, output: Result<Output>) -> Result<(), Error> =
        transfer.identified(output);
    "Transfer::send_all": (
        transfer: &mut Transfer, out: Fd<'_>, input: Fd<'_>, head: Parts<'_>, tail: Parts<'_>, buffer: &mut [u8],
    ) -> Result<(), Error> =
        transfer.send_all(out, input, head, tail, buffer);
    "Transfer::poll_send": (
        transfer: &mut Transfer, out: Fd<'_>, input: Fd<'_>, head: Parts<'_>, tail: Parts<'_>, buffer: &mut [u8],
    ) -> Result<Status, Error> =
        transfer.poll_send(out, input, head, tail, buffer);

    "FlushOnDrop::new": (
        transfer: Transfer, out: Fd<'static>,
    ) -> FlushOnDrop<Fd<'static>> = FlushOnDrop::new(transfer, out);
    "FlushOnDrop::out_fd": (guard: &FlushOnDrop<Fd<'static>>) -> i32 = {
        use bare_sendfile::fd::AsRawFd;
        guard.out_fd().as_raw_fd()
    };
    "FlushOnDrop::perform": (
        guard: &mut FlushOnDrop<Fd<'_>>, step: &Step<'_>, input: Fd<'_>, buffer: &mut [u8],
    ) -> Result<(), Error> =
        guard.perform(step, input, buffer);
    "FlushOnDrop::poll_send": (
        guard: &mut FlushOnDrop<Fd<'_>>, input: Fd<'_>, head: Parts<'_>, tail: Parts<'_>, buffer: &mut [u8],
    ) -> Result<Status, Error> =
        guard.poll_send(input, head, tail, buffer);
    "FlushOnDrop::drop": (guard: FlushOnDrop<Fd<'_>>) = drop(guard);
    "ignore_sigpipe": () -> Result<()> = bare_sendfile::ignore_sigpipe();
    "SigpipeGuard::new": () -> Result<SigpipeGuard> = SigpipeGuard::new();
    "SigpipeGuard::drop": (guard: SigpipeGuard) = drop(guard);
    "OwnedFd::drop": (fd: OwnedFd) = drop(fd);
    "BorrowedFd::borrow_raw": (fd: i32) -> Fd<'static> =
        // SAFETY: nobody calls this.
        unsafe { Fd::borrow_raw(fd) };

    "StreamCopy::new": (
        count: Count, buffer: &'static mut [u8],
    ) -> StreamCopy<&'static mut [u8]> = StreamCopy::new(count, buffer);
    "StreamCopy::with_budget": (
        stream: StreamCopy<&'static mut [u8]>, bytes: usize,
    ) -> StreamCopy<&'static mut [u8]> = stream.with_budget(bytes);
    "StreamCopy::sent": (stream: &StreamCopy<&mut [u8]>) -> u64 = stream.sent();
    "StreamCopy::spliced": (stream: &StreamCopy<&mut [u8]>) -> u64 = stream.spliced();
    "StreamCopy::remainder": (stream: &'static StreamCopy<&'static mut [u8]>) -> &'static [u8] = stream.remainder();
    "StreamCopy::send_all": (
        stream: &mut StreamCopy<&mut [u8]>, out: Fd<'_>, input: Fd<'_>,
    ) -> Result<(), Error> = stream.send_all(out, input);
    "StreamCopy::poll_send": (stream: &mut StreamCopy<&mut [u8]>, out: Fd<'_>, input: Fd<'_>) -> Result<Status, Error> =
        stream.poll_send(out, input);

    "PipeCopy::new": (count: Count) -> Result<PipeCopy> = PipeCopy::new(count);
    "PipeCopy::with_budget": (copy: PipeCopy, bytes: usize) -> PipeCopy = copy.with_budget(bytes);
    "PipeCopy::sent": (copy: &PipeCopy) -> u64 = copy.sent();
    "PipeCopy::remainder": (copy: &PipeCopy) -> u64 = copy.remainder();
    "PipeCopy::read_remainder": (copy: &mut PipeCopy, buffer: &mut [u8]) -> Result<usize> = copy.read_remainder(buffer);
    "PipeCopy::send_all": (copy: &mut PipeCopy, out: Fd<'_>, input: Fd<'_>) -> Result<(), Error> =
        copy.send_all(out, input);
    "PipeCopy::poll_send": (copy: &mut PipeCopy, out: Fd<'_>, input: Fd<'_>) -> Result<Status, Error> =
        copy.poll_send(out, input);

    "Errno::from_raw_os_error": (number: i32) -> Option<Errno> = Errno::from_raw_os_error(number);
    "Errno::raw_os_error": (errno: Errno) -> i32 = errno.raw_os_error();
    "Errno::name": (errno: Errno) -> Option<&'static str> = errno.name();
    "Errno::description": (errno: Errno) -> &'static str = errno.description();
    "Error::errno": (error: Error) -> Errno = error.errno();
    "Error::raw_os_error": (error: Error) -> i32 = error.raw_os_error();
    "Progress::total": (progress: &Progress) -> u64 = progress.total();
    "Sent::bytes": (sent: Sent) -> Result<u64, Error> = sent.bytes();
    "Sent::bytes_first": (sent: Sent) -> Result<u64, Error> = sent.bytes_first();
    "Sent::into_parts": (sent: Sent) -> (Report, Result<(), Error>) = sent.into_parts();
    "IoSlice::new": (bytes: &'static [u8]) -> IoSlice<'static> = IoSlice::new(bytes);
    "IoSlice::from_raw_parts": (list: *const c_void, len: usize) -> Parts<'static> =
        // SAFETY: nobody calls this.
        unsafe { IoSlice::from_raw_parts(list, len) };
    "IoSlice::len": (slice: &IoSlice<'static>) -> usize = slice.len();
    "IoSlice::is_empty": (slice: &IoSlice<'static>) -> bool = slice.is_empty();
    "IoSlice::part": (slice: IoSlice<'static>, start: usize, most: usize) -> IoSlice<'static> = slice.part(start, most);
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
