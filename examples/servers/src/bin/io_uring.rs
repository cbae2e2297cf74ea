//! io_uring: the head goes out as a `sendmsg` of the ring, and the ring waits for the socket to become writable; the file
//! is sent in between, for io_uring has no sendfile. One connection after another.

use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::process::exit;

use bare_sendfile::{Errno, Error, IoSlice, Step, Transfer};
use io_uring::{IoUring, opcode, squeue, types};
use servers::PATIENCE;

/// Submits one operation and waits for its result, for [`PATIENCE`] at most: then it fails with `TimedOut`.
fn complete(ring: &mut IoUring, operation: squeue::Entry) -> io::Result<Result<usize, Errno>> {
    let patience = types::Timespec::from(PATIENCE);
    let operation = operation.flags(squeue::Flags::IO_LINK).user_data(1);
    let timeout = opcode::LinkTimeout::new(&patience).build().user_data(2);
    // SAFETY: what the operations point to lives until this function returns, and by then both have completed.
    unsafe { ring.submission().push_multiple(&[operation, timeout]) }.map_err(io::Error::other)?;
    let (mut result, mut completed) = (0, 0);
    while completed < 2 {
        // A signal ends the wait, but not the operation.
        match ring.submit_and_wait(1) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                // What the kernel may have taken points into this function, so there is no way back.
                servers::report(error);
                exit(1);
            }
            _ => {}
        }
        for completion in ring.completion() {
            completed += 1;
            if completion.user_data() == 1 {
                result = completion.result();
            }
        }
    }
    match Errno::from_raw_os_error(-result) {
        // By the timeout.
        Some(Errno::ECANCELED) => Err(io::ErrorKind::TimedOut.into()),
        Some(errno) => Ok(Err(errno)),
        None => Ok(Ok(result as usize)),
    }
}

fn serve(ring: &mut IoUring, socket: &TcpStream, file: &File) -> io::Result<()> {
    let len = file.metadata()?.len();
    let head = servers::head(len);
    let headers = [IoSlice::new(head.as_bytes())];
    let mut transfer = Transfer::new(0, len, &headers, &[])?;
    let fd = types::Fd(socket.as_raw_fd());
    loop {
        let step = transfer.next_step(&headers, &[], 0)?;
        let outcome = match step {
            Step::Done => break,
            Step::Write { slices, more, .. } => {
                // SAFETY: a message header of zeros is a valid one, without name, slices and control data.
                let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
                message.msg_iov = slices.as_slice().as_ptr().cast_mut().cast();
                message.msg_iovlen = slices.as_slice().len();
                let flags = libc::MSG_NOSIGNAL | if more { libc::MSG_MORE } else { 0 };
                transfer.complete(complete(ring, opcode::SendMsg::new(fd, &message).flags(flags as u32).build())?)
            }
            step => transfer.perform(&step, socket, file, &mut []),
        };
        match outcome {
            Ok(()) | Err(Error::Errno(Errno::EINTR)) => {}
            Err(Error::Errno(Errno::EAGAIN)) => {
                if let Some(step) = transfer.flush_full() {
                    transfer.perform(&step, socket, file, &mut [])?;
                }
                complete(ring, opcode::PollAdd::new(fd, libc::POLLOUT as u32).build())?.map_err(io::Error::from)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    socket.set_nonblocking(false)?;
    servers::finish(socket)
}

fn main() -> io::Result<()> {
    let (file, connections) = servers::arguments();
    let listener = servers::listen()?;
    let mut ring = IoUring::new(2)?;
    for _ in 0..connections {
        let socket = servers::accept(&listener)?;
        socket.set_nonblocking(true)?;
        if let Err(error) = serve(&mut ring, &socket, &file) {
            servers::report(error);
        }
    }
    Ok(())
}
