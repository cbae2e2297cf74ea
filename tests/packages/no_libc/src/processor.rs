//! What depends on the processor, for tests/tools/processors.py: numbers, 64-bit arguments, structures, byte order. Standard input is a
//! file of more than 4 GiB or a pipe, standard output a TCP socket or a pipe. The exit status is the error's number.
#![no_std]
#![no_main]

use core::fmt::{self, Write};
use core::hint::black_box;

use bare_sendfile::fd::BorrowedFd;
use bare_sendfile::{
    Count, Errno, Error, IoSlice, Output, PipeCopy, SfFlags, SigpipeGuard, StreamCopy, Transfer, available, sendfile,
    sendfile_hdtr,
};

/// Where the bytes are.
const FAR: u64 = (4 << 30) + 4096;
const BUFFER: usize = 1000;

start::main!(main);

/// The status to exit with.
fn main(_: start::Start) -> u8 {
    let outcome = available().map_err(Error::Errno).and_then(|()| {
        // Without it the program would be ended by the signal, and not by itself.
        let _guard = SigpipeGuard::new()?;
        all()
    });
    // What the guard did is undone: the signal is neither blocked nor pending.
    let mut text = Text([0; 64], 0);
    let before = SigpipeGuard::new().is_ok_and(|guard| write!(text, "{guard:?}").is_ok());
    // Byte by byte: as vectors, in the other byte order of aarch64, compiler and emulator do not agree about them.
    let mut same = b"SigpipeGuard { blocked: false, pending: false,".iter().zip(&text.0);
    if !before || !same.all(|(wanted, found)| black_box(*wanted) == black_box(*found)) {
        return 254;
    }
    match outcome {
        Ok(()) => 0,
        Err(Error::Errno(errno)) => errno.raw_os_error() as u8,
        Err(_) => 255,
    }
}

/// The beginning of a text.
struct Text([u8; 64], usize);

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if let Some(place) = self.0.get_mut(self.1) {
                *place = byte;
                self.1 += 1;
            }
        }
        Ok(())
    }
}

fn all() -> Result<(), Error> {
    // SAFETY: both are open, and nobody closes them.
    let (input, output) = unsafe { (BorrowedFd::borrow_raw(0), BorrowedFd::borrow_raw(1)) };
    // SAFETY: nobody has opened it, which the kernel is to say.
    let nobody = unsafe { BorrowedFd::borrow_raw(77) };
    if sendfile(output, nobody, None, 1) != Err(Errno::EBADF) {
        return Err(Error::Errno(Errno::EBADMSG));
    }

    // The first form.
    let mut offset = FAR;
    match sendfile(output, input, Some(&mut offset), 500) {
        Ok(500) if offset == FAR + 500 => {}
        Ok(_) => return Err(Error::Errno(Errno::EOVERFLOW)),
        Err(Errno::ESPIPE) => return streams(input, output),
        Err(errno) => return Err(Error::Errno(errno)),
    }

    // The second form: sendmsg or writev, options, fadvise, preadv2.
    let (headers, trailers) = ([IoSlice::new(b"<"), IoSlice::new(b"head>")], [IoSlice::new(b"<tail>")]);
    let flags = SfFlags::NODISKIO | SfFlags::NOCACHE | SfFlags::USER_READAHEAD;
    let flags = flags.with_readahead(1).unwrap_or(flags);
    let sent = sendfile_hdtr(output, input, FAR, 3000_u64, &headers, &trailers, flags);
    let (report, outcome) = sent.into_parts();
    outcome?;
    let done = |flag| if report.flags.approximated.contains(flag) { b"+" } else { b"-" };

    // pread64, and the kind of the output.
    let mut buffer = [0; BUFFER];
    let kind: &[u8] = match Output::of(output)? {
        Output::Tcp => b"tcp",
        Output::NotSocket => b"other",
        _ => b"?",
    };
    let found = [
        IoSlice::new(kind),
        IoSlice::new(done(SfFlags::NODISKIO)),
        IoSlice::new(done(SfFlags::NOCACHE)),
        IoSlice::new(done(SfFlags::USER_READAHEAD)),
    ];
    let mut transfer = Transfer::new(FAR, 3000_u64, &found, &[])?.copying();
    transfer.send_all(output, input, &found, &[], &mut buffer)?;

    // lseek, there and back: at first by sendfile, then as a copy. The caller has set the position.
    let mut transfer = Transfer::from_position(700_u64, &[], &[])?;
    transfer.send_all(output, input, &[], &[], &mut [])?;
    let mut transfer = Transfer::from_position(Count::ToEnd, &[], &[])?.copying();
    transfer.send_all(output, input, &[], &[], &mut buffer)
}

/// pipe2 and splice; then the rest, from a socket to a socket by read and writev.
fn streams(input: BorrowedFd<'_>, output: BorrowedFd<'_>) -> Result<(), Error> {
    PipeCopy::new(Count::Bytes(5000))?.send_all(output, input)?;
    StreamCopy::new(Count::ToEnd, [0; BUFFER]).send_all(output, input)
}
