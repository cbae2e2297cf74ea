//! Calls every public function without libc, std or an allocator, and copies standard input to standard output with them.
//!
//! `black_box` hides from the compiler what is passed, so that nothing is computed beforehand and left out of the program.
//! What formats (`Display`, `Debug`) is not called. Whoever adds a function to the crate adds it here.
#![no_std]
#![no_main]

use core::hint::black_box;

use bare_sendfile::fd::BorrowedFd;
use bare_sendfile::{
    Count, Error, FlushOnDrop, IoSlice, Moved, Output, PipeCopy, SfFlags, SigpipeGuard, Status, Step, StreamCopy,
    Transfer, available, ignore_sigpipe, sendfile, sendfile_all, sendfile_hdtr, sendfile_hdtr_all, sendfile_raw,
};

type Part = fn(BorrowedFd<'_>, BorrowedFd<'_>) -> Result<(), Error>;

/// Pointers in data: where a position-independent program is loaded, they are nothing until it is relocated.
static PARTS: [Part; 5] = [first_form, second_form, steps, drivers, stream];

start::main!(main);

/// The status to exit with.
fn main(start: start::Start) -> u8 {
    let arguments = start.arguments.count();
    // SAFETY: both are open, and nobody closes them.
    let (input, output) = unsafe { (BorrowedFd::borrow_raw(0), BorrowedFd::borrow_raw(1)) };
    if available().is_err() {
        return 2;
    }
    let copied = black_box(&PARTS).iter().try_for_each(|part| part(output, input)).map_err(describe);
    #[cfg(any(feature = "panic", feature = "format", feature = "libc"))]
    fault::plant(arguments);
    match copied {
        Ok(()) => black_box(arguments) as u8 - 1,
        Err(length) => length as u8,
    }
}

/// The first bytes by position, the others by offset.
fn first_form(output: BorrowedFd<'_>, input: BorrowedFd<'_>) -> Result<(), Error> {
    let mut offset = sendfile(output, input, None, black_box(5))? as u64;
    // SAFETY: the offset is this function's.
    unsafe { sendfile_raw(black_box(1), black_box(0), &raw mut offset, black_box(5))? };
    while sendfile(output, input, Some(&mut offset), black_box(1 << 20))? > 0 {}
    Ok(())
}

/// The file between a header and a trailer.
fn second_form(output: BorrowedFd<'_>, input: BorrowedFd<'_>) -> Result<(), Error> {
    let headers = black_box([IoSlice::new(b"<"), IoSlice::from(b"".as_slice())]);
    black_box((headers[0].len(), headers[1].is_empty(), headers[0].part(black_box(1), 1)));
    let trailers = black_box([IoSlice::new(b">")]);
    // SAFETY: it is a list of `struct iovec`, which is borrowed, and so are its bytes.
    let trailers = unsafe { IoSlice::from_raw_parts(trailers.as_ptr().cast(), trailers.len()) };
    let flags = SfFlags::empty().with_readahead(black_box(1)).unwrap_or(SfFlags::NOCACHE);
    let sent = sendfile_hdtr(output, input, black_box(0), black_box(Count::ToEnd), &headers, trailers, flags);
    let (report, outcome) = sent.into_parts();
    black_box((report.progress.total(), report.flags.honoured.readahead(), report.mechanisms));
    outcome
}

/// The file again, as a copy through a buffer, by steps.
fn steps(output: BorrowedFd<'_>, input: BorrowedFd<'_>) -> Result<(), Error> {
    let mut buffer = [0; 4096];
    let mut transfer = Transfer::new(black_box(0), black_box(Count::ToEnd), &[], &[])?
        .with_cap(black_box(1000))
        .with_small(black_box(0))
        .copying();
    if black_box(false) {
        transfer = Transfer::from_position(black_box(1_u64), &[], &[])?.with_output(Output::Tcp);
    }
    loop {
        match transfer.next_step(&[], &[], buffer.len())? {
            Step::Done => break,
            Step::Identify => transfer.identified(Output::of(output))?,
            // By calls of one's own.
            Step::Write { slices, .. } => {
                black_box(slices.as_slice());
                transfer.complete(black_box(Moved { bytes: 1, error: None }))?;
            }
            step => black_box(transfer.perform(&step, output, input, &mut buffer))?,
        }
    }
    if let Some(step) = transfer.flush().or(transfer.flush_full()) {
        black_box(&step);
    }
    black_box((transfer.flush_owed(), transfer.output(), transfer.progress().total(), transfer.mechanisms()));
    Ok(())
}

/// The file five times.
fn drivers(output: BorrowedFd<'_>, input: BorrowedFd<'_>) -> Result<(), Error> {
    let mut buffer = [0; 4096];
    ignore_sigpipe()?;
    let _guard = SigpipeGuard::new()?;
    let to_end = black_box(Count::ToEnd);
    let sent = sendfile_all(output, input, black_box(Some(0)), to_end).bytes()?;
    black_box(
        sendfile_hdtr_all(output, input, black_box(Some(0)), to_end, &[], &[], &mut buffer).bytes_first()? - sent,
    );
    let mut transfer = Transfer::new(black_box(0), to_end, &[], &[])?;
    transfer.send_all(output, input, &[], &[], &mut buffer)?;
    let mut transfer = Transfer::new(black_box(0), to_end, &[], &[])?.with_budget(black_box(1000));
    while transfer.poll_send(output, input, &[], &[], &mut buffer)? != Status::Done {}
    let mut transfer = FlushOnDrop::new(Transfer::new(black_box(0), to_end, &[], &[])?, output);
    let step = transfer.next_step(&[], &[], 0)?;
    transfer.perform(&step, input, &mut [])?;
    while transfer.poll_send(input, &[], &[], &mut buffer)? != Status::Done {}
    black_box(transfer.out_fd());
    Ok(())
}

/// What follows the position, as of an input that cannot seek.
fn stream(output: BorrowedFd<'_>, input: BorrowedFd<'_>) -> Result<(), Error> {
    let mut buffer = [0; 1000];
    let mut stream = StreamCopy::new(Count::from_usize(black_box(10)), &mut buffer).with_budget(black_box(4));
    while stream.poll_send(output, input)? != Status::Done {}
    black_box((stream.sent(), stream.spliced(), stream.remainder()));
    let mut pipe = PipeCopy::new(Count::from(black_box(0)..10))?.with_budget(black_box(4));
    while pipe.poll_send(output, input)? != Status::Done {}
    black_box((pipe.sent(), pipe.remainder(), pipe.read_remainder(&mut buffer)?));
    PipeCopy::new(black_box(Count::Bytes(10)))?.send_all(output, input)?;
    StreamCopy::new(black_box(Count::ToEnd), &mut buffer).send_all(output, input)
}

/// Something of every part of an error that is not formatting.
fn describe(error: Error) -> usize {
    let errno = error.errno();
    errno.name().map_or(0, str::len) + errno.description().len() + error.raw_os_error() as usize
}

/// What must be noticed.
#[cfg(any(feature = "panic", feature = "format", feature = "libc"))]
mod fault {
    use core::hint::black_box;

    pub fn plant(arguments: usize) {
        #[cfg(feature = "panic")]
        black_box([1, 2, 3][black_box(arguments)]);
        #[cfg(feature = "format")]
        {
            struct Nowhere;
            impl core::fmt::Write for Nowhere {
                fn write_str(&mut self, text: &str) -> core::fmt::Result {
                    black_box(text);
                    Ok(())
                }
            }
            let _ = core::fmt::Write::write_fmt(&mut Nowhere, format_args!("{arguments}"));
        }
        #[cfg(feature = "libc")]
        {
            // None that the compiler knows and does itself.
            unsafe extern "C" {
                safe fn getppid() -> i32;
            }
            black_box((arguments, getppid()));
        }
    }
}
