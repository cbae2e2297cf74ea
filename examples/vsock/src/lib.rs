//! A file from a microVM to its host, by sendfile over `AF_VSOCK`: no network, no address but a port, in the guest neither driver nor daemon
//! of one's own.
//!
//! On the host somebody listens. Under QEMU (`-device vhost-vsock-pci,guest-cid=3`) that is a vsock socket of the host, as
//! `socat -u VSOCK-LISTEN:1234 -` has it. Firecracker and Cloud Hypervisor have a Unix socket in its place: for port 1234 the path of their
//! vsock device with `_1234` behind it. In the guest all are the same.

use std::fs::File;
use std::io;
use std::net::Shutdown;
use std::time::Duration;

use bare_sendfile::{Count, IoSlice, sendfile_hdtr_all};
use vsock::VsockStream;

/// Sends all of a file to a port, behind a line with its length, by which the other end knows whether it has all. Returns
/// the number of the file's bytes once the other end has closed the connection. The host's `cid` is [`vsock::VMADDR_CID_HOST`].
///
/// # Errors
///
/// Those of the kernel: `ENODEV` and the like where there is no host, `ECONNRESET` if nobody listens; `TimedOut` or `WouldBlock` if the other end
/// does nothing for a minute; that of a file that is shortened meanwhile.
pub fn send(file: &File, cid: u32, port: u32) -> io::Result<u64> {
    let mut socket = VsockStream::connect_with_cid_port(cid, port)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let len = file.metadata()?.len();
    let head = format!("{len}\n");
    let sent =
        sendfile_hdtr_all(&socket, file, Some(0), Count::Bytes(len), &[IoSlice::new(head.as_bytes())], &[], &mut []);
    sent.bytes()?;
    // What the kernel has taken is on its way. The other end has it all when it closes its side.
    socket.shutdown(Shutdown::Write)?;
    io::copy(&mut socket, &mut io::sink())?;
    Ok(len)
}

const PATIENCE: Duration = Duration::from_secs(60);
