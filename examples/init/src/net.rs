//! The loopback interface, and a server for one request.

use core::ffi::CStr;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use bare_sendfile::{Count, IoSlice, sendfile_hdtr_all};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SocketType, accept, bind, connect, getsockname, listen, recv, socket};
use syscalls::{Sysno, syscall};

use crate::console::{During, Failure, say};
use crate::process::{fork, reap};
use crate::tree::open;

const HEADER: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n";

/// `struct ifreq` of the kernel, as far as flags go.
#[repr(C)]
struct InterfaceFlags {
    name: [u8; 16],
    flags: i16,
    rest: [u8; 22],
}

const SIOCGIFFLAGS: usize = 0x8913;
const SIOCSIFFLAGS: usize = 0x8914;
const IFF_UP: i16 = 1;

/// `ip link set lo up`
pub fn loopback_up() -> Result<(), Failure> {
    let mut lo = InterfaceFlags { name: *b"lo\0\0\0\0\0\0\0\0\0\0\0\0\0\0", flags: 0, rest: [0; 22] };
    let socket = socket(AddressFamily::INET, SocketType::DGRAM, None).during("a socket for lo")?;
    // SAFETY: both calls take a `struct ifreq`; the first writes the flags, the second only reads.
    unsafe { syscall!(Sysno::ioctl, socket.as_raw_fd(), SIOCGIFFLAGS, &raw mut lo) }.during("ask for lo")?;
    lo.flags |= IFF_UP;
    // SAFETY: as above.
    unsafe { syscall!(Sysno::ioctl, socket.as_raw_fd(), SIOCSIFFLAGS, &raw mut lo) }.during("set lo up")?;
    Ok(())
}

/// Serves one file to a child, which compares what it gets with the file.
pub fn serve(name: &'static CStr) -> Result<(), Failure> {
    let listener = socket(AddressFamily::INET, SocketType::STREAM, None).during("a socket to listen")?;
    bind(&listener, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).during("bind")?;
    listen(&listener, 1).during("listen")?;
    // A client that does not come is an error, not a boot that never ends.
    set_socket_timeout(&listener, Timeout::Recv, Some(Duration::from_secs(30))).during("set a timeout")?;
    let address = getsockname(&listener).and_then(SocketAddrV4::try_from).during("getsockname")?;

    let client = fork(|| match compare(address, name) {
        Ok(()) => 0,
        Err(failure) => {
            say(format_args!("init: the client: {failure}"));
            1
        }
    })?;
    let connection = accept(&listener).during("accept")?;
    let file = open(name, "open the file to serve")?;
    let sent = sendfile_hdtr_all(&connection, &file, Some(0), Count::ToEnd, &[IoSlice::new(HEADER)], &[], &mut []);
    let (report, outcome) = sent.into_parts();
    outcome.during("serve")?;
    drop(connection);
    if reap(client)?.exit_status() != Some(0) {
        return Err(Failure::wrong("serve", "the client got something else"));
    }
    let progress = report.progress;
    say(format_args!("init: served {} bytes of header and {} of the file", progress.headers, progress.file));
    Ok(())
}

/// The client.
fn compare(address: SocketAddrV4, name: &CStr) -> Result<(), Failure> {
    let connection = socket(AddressFamily::INET, SocketType::STREAM, None).during("a socket")?;
    connect(&connection, &address).during("connect")?;
    let (mut found, mut expected) = ([0; 1024], [0; 1024]);
    read(&connection, &mut found[..HEADER.len()])?;
    if found[..HEADER.len()] != *HEADER {
        return Err(Failure::wrong("compare", "another header"));
    }
    let file = open(name, "open the file to compare")?;
    loop {
        let want = rustix::io::read(&file, &mut expected).during("read the file")?;
        if read(&connection, &mut found[..want])? != want || found[..want] != expected[..want] {
            return Err(Failure::wrong("compare", "other bytes than the file's"));
        }
        if want == 0 {
            // The file ends here, and so does the connection.
            return match read(&connection, &mut found[..1])? {
                0 => Ok(()),
                _ => Err(Failure::wrong("compare", "more bytes than the file has")),
            };
        }
    }
}

/// Fills the buffer, if the connection does not end before.
fn read(connection: &OwnedFd, buffer: &mut [u8]) -> Result<usize, Failure> {
    let mut have = 0;
    while have < buffer.len() {
        match recv(connection, &mut buffer[have..], RecvFlags::empty()).during("recv")?.1 {
            0 => break,
            n => have += n,
        }
    }
    Ok(have)
}
