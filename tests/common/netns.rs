//! Two network namespaces with a wire between them that takes its time. All of it goes with the last descriptor: the namespaces, the
//! wire, and what was set up in them.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::time::Duration;

use super::in_a_thread;

/// The two ends, of which `10.9.0.1` is the sender's and `10.9.0.2` the receiver's.
pub struct Wire {
    sender: File,
    receiver: File,
}

pub const SENDER: [u8; 4] = [10, 9, 0, 1];
pub const RECEIVER: [u8; 4] = [10, 9, 0, 2];

// Of linux/if_link.h, linux/veth.h, linux/pkt_sched.h, and what libc has under other names or not for each target.
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const NETEM_LATENCY64: u16 = 10;
const TC_H_ROOT: u32 = !0;
/// A new thing, which must not be there, and an answer.
const CREATE: u16 = (libc::NLM_F_REQUEST | libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;

impl Wire {
    /// A wire on which each packet takes `delay`, in both directions. Without delay it needs no netem.
    ///
    /// # Errors
    ///
    /// Those of a user who may not make namespaces, and of a kernel without veth or netem.
    pub fn new(delay: Duration) -> io::Result<Self> {
        let (sender, receiver) = (namespace()?, namespace()?);
        // The first interface that a namespace gets after its loopback.
        let (loopback, wire) = (1, 2);
        within(&sender, || {
            let route = Route::open()?;
            let mut peer = Message::default();
            peer.put(&[0; 16]); // struct ifinfomsg
            peer.attribute(libc::IFLA_IFNAME, b"wire\0");
            peer.attribute(libc::IFLA_NET_NS_FD, &receiver.as_raw_fd().to_ne_bytes());
            peer.attribute(libc::IFLA_ADDRESS, &[2, 0, 0, 9, 0, 2]);
            let mut data = Message::default();
            data.attribute(VETH_INFO_PEER, &peer.0);
            let mut kind = Message::default();
            kind.attribute(IFLA_INFO_KIND, b"veth");
            kind.attribute(IFLA_INFO_DATA, &data.0);
            let mut link = Message::default();
            link.put(&[0; 16]);
            link.attribute(libc::IFLA_IFNAME, b"wire\0");
            link.attribute(libc::IFLA_LINKINFO, &kind.0);
            route.ask(libc::RTM_NEWLINK, CREATE, &link)
        })?;
        for (end, address) in [(&sender, SENDER), (&receiver, RECEIVER)] {
            within(end, || {
                let route = Route::open()?;
                let wire = index("wire").unwrap_or(wire);
                let mut message = Message::default();
                message.put(&[libc::AF_INET as u8, 24, 0, 0]); // struct ifaddrmsg
                message.put(&wire.to_ne_bytes());
                message.attribute(libc::IFA_LOCAL, &address);
                route.ask(libc::RTM_NEWADDR, CREATE, &message)?;
                for index in [loopback, wire] {
                    let mut message = Message::default();
                    message.put(&[0; 4]); // struct ifinfomsg
                    message.put(&index.to_ne_bytes());
                    message.put(&(libc::IFF_UP as u32).to_ne_bytes());
                    message.put(&(libc::IFF_UP as u32).to_ne_bytes());
                    route.ask(libc::RTM_NEWLINK, (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16, &message)?;
                }
                if delay.is_zero() {
                    return Ok(());
                }
                let mut options = Message::default();
                options.put(&[0; 4]); // struct tc_netem_qopt: latency, limit, loss, gap, duplicate, jitter
                options.put(&10_000_u32.to_ne_bytes());
                options.put(&[0; 16]);
                options.attribute(NETEM_LATENCY64, &(delay.as_nanos() as i64).to_ne_bytes());
                let mut queue = Message::default();
                queue.put(&[0; 4]); // struct tcmsg
                queue.put(&wire.to_ne_bytes());
                queue.put(&0_u32.to_ne_bytes());
                queue.put(&TC_H_ROOT.to_ne_bytes());
                queue.put(&[0; 4]);
                queue.attribute(libc::TCA_KIND, b"netem\0");
                queue.attribute(libc::TCA_OPTIONS, &options.0);
                route.ask(libc::RTM_NEWQDISC, CREATE, &queue)
            })?;
        }
        Ok(Self { sender, receiver })
    }

    /// What `make` makes, on the sender's side: sockets stay where they were made.
    pub fn at_sender<T: Send>(&self, make: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        within(&self.sender, make)
    }

    /// What `make` makes, on the receiver's side.
    pub fn at_receiver<T: Send>(&self, make: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        within(&self.receiver, make)
    }
}

/// A new network namespace.
fn namespace() -> io::Result<File> {
    // A thread of its own, which leaves its namespace with this one.
    in_a_thread(|| {
        // SAFETY: the call touches no memory.
        checked(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
        File::open("/proc/thread-self/ns/net")
    })
}

/// Calls it in a thread that is in the namespace.
fn within<T: Send>(namespace: &File, call: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    let fd = namespace.as_raw_fd();
    in_a_thread(|| {
        // SAFETY: the call touches no memory.
        checked(unsafe { libc::setns(fd, libc::CLONE_NEWNET) })?;
        call()
    })
}

/// The number of an interface of this thread's namespace.
fn index(name: &str) -> io::Result<u32> {
    let name = std::ffi::CString::new(name).unwrap();
    // SAFETY: it is a C string.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Bytes of a message, whose parts begin at multiples of four.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.0.extend_from_slice(&(4 + value.len() as u16).to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.put(value);
    }
}

/// rtnetlink, in the namespace of the thread that opens it.
struct Route(File);

impl Route {
    fn open() -> io::Result<Self> {
        // SAFETY: the call touches no memory.
        let fd = checked(unsafe {
            libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE)
        })?;
        // SAFETY: the kernel has just made it, and nobody else knows it.
        Ok(Self(unsafe { File::from_raw_fd(fd) }))
    }

    /// Asks for something, and waits for the answer.
    fn ask(&self, kind: u16, flags: u16, message: &Message) -> io::Result<()> {
        use std::io::{Read, Write};

        let mut whole = Message::default();
        whole.put(&(16 + message.0.len() as u32).to_ne_bytes());
        whole.0.extend_from_slice(&kind.to_ne_bytes());
        whole.0.extend_from_slice(&flags.to_ne_bytes());
        whole.put(&[0; 8]); // the number of the message, and the sender's
        whole.put(&message.0);
        (&self.0).write_all(&whole.0)?;
        // struct nlmsghdr, and struct nlmsgerr, which begins with the error.
        let mut answer = [0; 4096];
        let len = (&self.0).read(&mut answer)?;
        assert!(len >= 20 && answer[4..6] == (libc::NLMSG_ERROR as u16).to_ne_bytes(), "{:?}", &answer[..len]);
        match i32::from_ne_bytes(answer[16..20].try_into().unwrap()) {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(-error)),
        }
    }
}
