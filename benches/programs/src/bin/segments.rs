//! `segments [ROUNDS [WAY]]`: how many TCP segments a response takes, and how long until its last byte is there, by hand and by this
//! crate, with Nagle's algorithm on and off. One line each: case, way, TCP_NODELAY, the most segments, microseconds: the median
//! and the 99th percentile.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use bare_sendfile::{Count, IoSlice, SfFlags, sendfile, sendfile_hdtr};

/// What is sent: head, file, trailer; `asked` is what the file was thought to have.
struct Case {
    name: &'static str,
    head: usize,
    file: usize,
    asked: u64,
    trailer: usize,
}

const CASES: &[Case] = &[
    Case { name: "head + file", head: 200, file: 500, asked: 500, trailer: 0 },
    Case { name: "head + file + trailer", head: 200, file: 500, asked: 500, trailer: 100 },
    Case { name: "head + empty file", head: 200, file: 0, asked: 0, trailer: 0 },
    Case { name: "head + truncated file", head: 200, file: 300, asked: 500, trailer: 0 },
    Case { name: "head + vanished file", head: 200, file: 0, asked: 500, trailer: 0 },
];

type Way = fn(&TcpStream, &File, &Case);

/// The ways of sending it.
const WAYS: &[(&str, Way)] = &[
    ("one write", |mut socket, _, case| socket.write_all(&vec![b'x'; case.head + case.file + case.trailer]).unwrap()),
    ("by hand", |mut socket, file, case| {
        socket.write_all(&vec![b'x'; case.head]).unwrap();
        send(socket, file, case.asked);
        if case.trailer > 0 {
            socket.write_all(&vec![b'x'; case.trailer]).unwrap();
        }
    }),
    ("MSG_MORE", |mut socket, file, case| {
        more(socket, &vec![b'x'; case.head]);
        send(socket, file, case.asked);
        if case.trailer > 0 {
            socket.write_all(&vec![b'x'; case.trailer]).unwrap();
        }
    }),
    ("TCP_CORK", |mut socket, file, case| {
        option(socket, libc::TCP_CORK, 1);
        socket.write_all(&vec![b'x'; case.head]).unwrap();
        send(socket, file, case.asked);
        if case.trailer > 0 {
            socket.write_all(&vec![b'x'; case.trailer]).unwrap();
        }
        option(socket, libc::TCP_CORK, 0);
    }),
    ("bare-sendfile", |socket, file, case| {
        let (head, trailer) = (vec![b'x'; case.head], vec![b'x'; case.trailer]);
        let (head, trailer) = ([IoSlice::new(&head)], [IoSlice::new(&trailer)]);
        let sent = sendfile_hdtr(socket, file, 0, Count::Bytes(case.asked), &head, &trailer, SfFlags::empty());
        let (sent, _) = sent.into_parts(); // a file may be shorter than asked for
        assert_eq!(sent.progress.total(), (case.head + case.file + case.trailer) as u64);
    }),
];

fn send(socket: &TcpStream, file: &File, mut left: u64) {
    let mut offset = 0;
    while left > 0 {
        match sendfile(socket, file, Some(&mut offset), left as usize).unwrap() {
            0 => return,
            sent => left -= sent as u64,
        }
    }
}

fn more(socket: &TcpStream, bytes: &[u8]) {
    // SAFETY: the kernel reads so many bytes.
    let sent = unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), libc::MSG_MORE) };
    assert_eq!(sent, bytes.len() as isize);
}

fn option(socket: &TcpStream, name: i32, value: i32) {
    // SAFETY: the kernel reads an int.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            name,
            (&raw const value).cast(),
            size_of::<i32>() as u32,
        )
    };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Segments with data that the socket has sent.
fn segments(socket: &TcpStream) -> u32 {
    // SAFETY: all zeros are a tcp_info.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut len = size_of_val(&info) as u32;
    // SAFETY: the kernel writes at most `len` bytes to `info`.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut info).cast(), &mut len)
    };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    info.tcpi_data_segs_out - info.tcpi_total_retrans
}

/// Segments, and the time until the last byte was read, of one response on a new connection.
fn measure(case: &Case, way: fn(&TcpStream, &File, &Case), nodelay: bool) -> (u32, Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut client = listener.accept().unwrap().0;
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    server.set_nodelay(nodelay).unwrap();
    let path = std::env::temp_dir().join(format!("segments-{}", std::process::id()));
    File::create(&path).unwrap().write_all(&vec![b'x'; case.file]).unwrap();
    let file = File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    // Out of the first segments, which the receiver acknowledges at once whatever comes.
    for _ in 0..20 {
        (&server).write_all(b"x").unwrap();
        client.read_exact(&mut [0]).unwrap();
        client.write_all(b"x").unwrap();
        (&server).read_exact(&mut [0]).unwrap();
    }
    let mut received = vec![0; case.head + case.file + case.trailer];
    let before = segments(&server);
    let start = Instant::now();
    way(&server, &file, case);
    client.read_exact(&mut received).unwrap();
    (segments(&server) - before, start.elapsed())
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let rounds: usize = arguments.next().map_or(15, |word| word.parse().expect("ROUNDS is a number"));
    let only = arguments.next();
    for case in CASES {
        for nodelay in [false, true] {
            for (name, way) in WAYS.iter().filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name)) {
                let mut measured: Vec<_> = (0..rounds).map(|_| measure(case, *way, nodelay)).collect();
                measured.sort_by_key(|(_, time)| *time);
                let most = measured.iter().map(|(segments, _)| *segments).max().unwrap();
                let percentile = |percent: usize| measured[(rounds * percent).div_ceil(100) - 1].1.as_micros();
                println!("{}\t{name}\t{nodelay}\t{most}\t{}\t{}", case.name, percentile(50), percentile(99));
            }
        }
    }
}
