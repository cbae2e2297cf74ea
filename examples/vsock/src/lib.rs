//! Sends a file from a microVM to its host, by sendfile over `AF_VSOCK`. That needs no network, and in the guest no daemon.
//!
//! A program of the host listens. Under QEMU (`-device vhost-vsock-pci,guest-cid=3`) it listens on a vsock socket, as
//! `socat -u VSOCK-LISTEN:1234 -` does. With Firecracker and Cloud Hypervisor it listens on a Unix socket. For port 1234 that is the path of
//! their vsock device followed by `_1234`. In the guest there is no difference.

use std::fs::{self, File};
use std::io::{self, Read};
use std::net::Shutdown;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use bare_sendfile::{Count, IoSlice, sendfile_hdtr_all};
use vsock::VsockStream;

/// Opens a file whose length can be announced. A file of /proc states a length of 0 and has content.
///
/// # Errors
///
/// The kernel's, and `InvalidInput` for any other kind of file. A FIFO is not opened, as that would wait for a writer.
pub fn open(path: &Path) -> io::Result<File> {
    let refused = || io::Error::new(io::ErrorKind::InvalidInput, "no regular file with a length");
    if !fs::metadata(path)?.is_file() {
        return Err(refused());
    }
    let file = File::open(path)?;
    let made = file.metadata()?.len() == 0 && file.read_at(&mut [0], 0)? > 0;
    if made { Err(refused()) } else { Ok(file) }
}

/// Sends a line with the length of the file, and the file, to a port. By the length the other end knows whether it has all. Returns the number
/// of the file's bytes once the other end has closed the connection. The host's `cid` is [`vsock::VMADDR_CID_HOST`].
///
/// # Errors
///
/// - the kernel's: `ENODEV` and others if there is no host, `ECONNRESET` if nobody listens;
/// - `TimedOut` or `WouldBlock` if the other end does nothing for a minute;
/// - `UnexpectedEof` if the file becomes shorter, `InvalidData` if the other end answers.
pub fn send(file: &File, cid: u32, port: u32) -> io::Result<u64> {
    let socket = VsockStream::connect_with_cid_port(cid, port)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let len = file.metadata()?.len();
    let head = format!("{len}\n");
    let sent =
        sendfile_hdtr_all(&socket, file, Some(0), Count::Bytes(len), &[IoSlice::new(head.as_bytes())], &[], &mut []);
    sent.bytes()?;
    // The other end has all bytes when it closes its side. An answer is an error, as an endless one would hold this program for ever.
    socket.shutdown(Shutdown::Write)?;
    // A wait with a time limit fails with EINTR after a stop (SIGSTOP, SIGCONT), handler or not; `read_to_end` waits on (signal(7)).
    match socket.take(1).read_to_end(&mut Vec::new())? {
        0 => Ok(len),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "the other end answers")),
    }
}

const PATIENCE: Duration = Duration::from_secs(60);
