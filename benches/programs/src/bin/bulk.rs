//! `bulk BYTES TIMES OUTPUT...`: a file of so many bytes, so many times, to each OUTPUT (TCP, "Unix socket", pipe, file) in several
//! ways. One line each: output, way, nanoseconds of the sending thread on a CPU, nanoseconds until all is sent, system calls of
//! its loop. benches/bulk_python.py is another way, and prints the same.

use std::env::args;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Instant;

use bare_sendfile::{Output, Step, Transfer, perform};

/// Sends all of the file from its start; the number of its system calls, where they are counted.
type Way = fn(&File, &mut File, usize) -> usize;

const CHUNK: usize = 2 << 20;

const WAYS: &[(&str, Way)] = &[
    ("bare loop", |out, file, len| {
        let (mut offset, mut calls) = (0, 0);
        while (offset as usize) < len {
            let count = CHUNK.min(len - offset as usize);
            // SAFETY: the offset is borrowed mutably.
            let sent = unsafe { libc::sendfile(out.as_raw_fd(), file.as_raw_fd(), &mut offset, count) };
            assert!(sent > 0, "{}", io::Error::last_os_error());
            calls += 1;
        }
        calls
    }),
    ("first form", |out, file, len| {
        let (mut offset, mut calls) = (0, 0);
        while (offset as usize) < len {
            let count = CHUNK.min(len - offset as usize);
            assert!(bare_sendfile::sendfile(out, &*file, Some(&mut offset), count).unwrap() > 0);
            calls += 1;
        }
        calls
    }),
    ("Transfer", |out, file, len| drive(Transfer::new(0, len as u64, &[], &[]).unwrap(), out, file)),
    (FOR_SOCKETS, |out, file, len| {
        drive(Transfer::new(0, len as u64, &[], &[]).unwrap().with_output(Output::Tcp), out, file)
    }),
    ("rustix in a loop", |out, file, len| {
        let (mut offset, mut calls) = (0, 0);
        while (offset as usize) < len {
            let count = CHUNK.min(len - offset as usize);
            assert!(rustix::fs::sendfile(out, &*file, Some(&mut offset), count).unwrap() > 0);
            calls += 1;
        }
        calls
    }),
    ("io::copy", |mut out, file, len| {
        file.rewind().unwrap();
        assert_eq!(io::copy(file, &mut out).unwrap(), len as u64);
        0
    }),
    ("read, write 64 KiB", |out, file, len| copy(out, file, len, 64 << 10)),
    ("read, write 1 MiB", |out, file, len| copy(out, file, len, 1 << 20)),
];

/// The way that is for sockets alone.
const FOR_SOCKETS: &str = "Transfer::for_stream_socket";

fn drive(mut transfer: Transfer, out: &File, file: &File) -> usize {
    let mut calls = 0;
    loop {
        match transfer.next_step(&[], &[], 0).unwrap() {
            Step::Done => return calls,
            step => transfer.perform(&step, out, file, &mut []).unwrap(),
        }
        calls += 1;
    }
}

fn copy(mut out: &File, file: &mut File, len: usize, buffer: usize) -> usize {
    file.rewind().unwrap();
    let (mut buffer, mut copied, mut calls) = (vec![0; buffer], 0, 0);
    while copied < len {
        let read = file.read(&mut buffer).unwrap();
        out.write_all(&buffer[..read]).unwrap();
        copied += read;
        calls += 2; // at least
    }
    calls
}

/// Time of this thread on a CPU, in nanoseconds.
fn cpu() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes a timespec.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) }, 0);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Puts this thread on a CPU: the sender on the first and the reader on the last, or they would share one every now and then.
fn pin(cpu: usize) {
    // SAFETY: all zeros is an empty set, which is read and of the size that is said.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set)
    };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// An output, and who reads it away: exactly so many bytes.
fn output(name: &str, len: usize, cpu: usize) -> (File, Option<thread::JoinHandle<()>>) {
    let (out, end): (OwnedFd, OwnedFd) = match name {
        "TCP" => {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (sender.into(), listener.accept().unwrap().0.into())
        }
        "Unix socket" => {
            let (sender, receiver) = UnixStream::pair().unwrap();
            (sender.into(), receiver.into())
        }
        "pipe" => {
            let (reader, writer) = rustix::pipe::pipe().unwrap();
            (writer, reader)
        }
        _ => return (temporary(), None),
    };
    let reader = thread::spawn(move || {
        pin(cpu);
        let (mut end, mut buffer, mut left) = (File::from(end), vec![0; 1 << 20], len);
        while left > 0 {
            left -= end.read(&mut buffer).unwrap();
        }
    });
    (out.into(), Some(reader))
}

fn temporary() -> File {
    let path = std::env::temp_dir().join(format!("bulk-{}", std::process::id()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    file
}

fn main() {
    let last = thread::available_parallelism().unwrap().get() - 1;
    pin(0);
    let mut arguments = args().skip(1);
    let mut number = || arguments.next().and_then(|word| word.parse().ok()).expect("bulk BYTES TIMES OUTPUT...");
    let (len, times): (usize, usize) = (number(), number());
    let mut file = temporary();
    file.set_len(len as u64).unwrap();
    // Into the page cache.
    io::copy(&mut file, &mut io::sink()).unwrap();
    for name in arguments {
        // The first one once more, for whoever is first pays for all that is still cold; it is not told.
        for (i, (way, send)) in WAYS[..1].iter().chain(WAYS).enumerate() {
            if *way == FOR_SOCKETS && !["TCP", "Unix socket"].contains(&&*name) {
                continue;
            }
            let (mut out, reader) = output(&name, len * times, last);
            let (start, before, mut calls) = (Instant::now(), cpu(), 0);
            for _ in 0..times {
                if reader.is_none() {
                    out.rewind().unwrap();
                }
                calls += send(&out, &mut file, len);
            }
            let (used, wall) = (cpu() - before, start.elapsed().as_nanos());
            if let Some(reader) = reader {
                reader.join().unwrap();
            }
            if i > 0 {
                println!("{name}\t{way}\t{used}\t{wall}\t{calls}");
            }
        }
    }
}
