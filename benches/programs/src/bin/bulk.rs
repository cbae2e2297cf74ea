//! `bulk BYTES TIMES OUTPUT...`: a file of so many bytes, so many times, to each OUTPUT (TCP, "Unix socket", pipe, file) in several
//! ways. One line each: output, way, nanoseconds of the sending thread on a CPU, nanoseconds until all is sent, system calls of
//! its loop. benches/bulk_python.py is another way, and prints the same.
//!
//! OUTPUT can be "slow TCP" as well: nonblocking, to a reader that rests, by ways that wait. "TCP from a pipe" and "TCP from a socket"
//! have no file but a stream that is always full, and ways for that. There the ways take turns with each file.

use std::env::args;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use bare_sendfile::{Count, Output, PipeCopy, Status, Step, StreamCopy, Transfer};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::SpliceFlags;

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
    ("read, write 64 KiB", |out, file, len| {
        file.rewind().unwrap();
        copy(out, file, len, 64 << 10)
    }),
    ("read, write 1 MiB", |out, file, len| {
        file.rewind().unwrap();
        copy(out, file, len, 1 << 20)
    }),
];

/// The way that is for sockets alone.
const FOR_SOCKETS: &str = "Transfer::with_output";

const SLOW: &str = "slow TCP";

/// Ways to a nonblocking output that is often full.
const WAITING_WAYS: &[(&str, Way)] = &[
    ("bare loop", |out, file, len| {
        let (mut offset, mut calls) = (0, 0);
        while (offset as usize) < len {
            let count = CHUNK.min(len - offset as usize);
            // SAFETY: the offset is borrowed mutably.
            let sent = unsafe { libc::sendfile(out.as_raw_fd(), file.as_raw_fd(), &mut offset, count) };
            if sent < 0 {
                assert_eq!(io::Error::last_os_error().kind(), io::ErrorKind::WouldBlock);
                wait(out);
            }
            calls += 1;
        }
        calls
    }),
    ("Transfer::poll_send", |out, file, len| {
        let mut transfer = Transfer::new(0, len as u64, &[], &[]).unwrap();
        loop {
            match transfer.poll_send(out, &*file, &[], &[], &mut []).unwrap() {
                Status::Done => return 0,
                Status::Yielded => {}
                Status::OutFull | Status::InEmpty => wait(out),
            }
        }
    }),
];

const FROM_PIPE: &str = "TCP from a pipe";
const FROM_SOCKET: &str = "TCP from a socket";

const PIPE_WAYS: &[(&str, Way)] = &[
    ("bare loop", |out, pipe, len| {
        let (mut left, mut calls) = (len, 0);
        while left > 0 {
            left -= splice(&*pipe, out, left);
            calls += 1;
        }
        calls
    }),
    ("StreamCopy", |out, pipe, len| {
        StreamCopy::new(Count::Bytes(len as u64), []).send_all(out, &*pipe).unwrap();
        0
    }),
    ("read, write 64 KiB", |out, stream, len| copy(out, stream, len, 64 << 10)),
];

const SOCKET_WAYS: &[(&str, Way)] = &[
    ("bare loop", |out, socket, len| {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let (mut left, mut calls) = (len, 0);
        while left > 0 {
            let mut inside = splice(&*socket, &writer, left);
            left -= inside;
            calls += 1;
            while inside > 0 {
                inside -= splice(&reader, out, inside);
                calls += 1;
            }
        }
        calls
    }),
    ("PipeCopy", |out, socket, len| {
        PipeCopy::new(Count::Bytes(len as u64)).unwrap().send_all(out, &*socket).unwrap();
        0
    }),
    ("read, write 64 KiB", |out, stream, len| copy(out, stream, len, 64 << 10)),
];

fn splice(from: impl AsFd, to: impl AsFd, len: usize) -> usize {
    let moved = rustix::pipe::splice(from, None, to, None, len.min(CHUNK), SpliceFlags::MOVE).unwrap();
    assert!(moved > 0, "the stream has ended");
    moved
}

/// Waits until the output has room.
fn wait(out: &File) {
    poll(&mut [PollFd::new(out, PollFlags::OUT)], None).unwrap();
}

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

fn copy(mut out: &File, input: &mut File, len: usize, buffer: usize) -> usize {
    let (mut buffer, mut copied, mut calls) = (vec![0; buffer], 0, 0);
    while copied < len {
        let most = buffer.len().min(len - copied);
        let read = input.read(&mut buffer[..most]).unwrap();
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

/// A connection over loopback: sender, receiver.
fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (sender, listener.accept().unwrap().0)
}

/// An output, and who reads it away: exactly so many bytes.
fn output(name: &str, len: usize, cpu: usize) -> (File, Option<thread::JoinHandle<()>>) {
    let (out, end): (OwnedFd, OwnedFd) = match name {
        "TCP" | SLOW | FROM_PIPE | FROM_SOCKET => {
            let (sender, receiver) = tcp();
            sender.set_nonblocking(name == SLOW).unwrap();
            (sender.into(), receiver.into())
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
    let rest = (name == SLOW).then_some(Duration::from_micros(300));
    let reader = thread::spawn(move || {
        pin(cpu);
        let (mut end, mut buffer, mut left) = (File::from(end), vec![0; 1 << 20], len);
        while left > 0 {
            left -= end.read(&mut buffer).unwrap();
            if let Some(rest) = rest {
                thread::sleep(rest); // this is what makes the reader slow
            }
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

/// A file by each way and then the next, on a connection each. What is told is the median of a file, so many times.
fn take_turns(name: &str, ways: &[(&str, Way)], input: &mut File, len: usize, times: usize, last: usize) {
    let outputs: Vec<_> = ways.iter().map(|_| output(name, len * (times + 1), last)).collect();
    let mut measured = vec![(vec![], vec![], vec![]); outputs.len()];
    // The first turn pays for all that is still cold; it is not told.
    for turn in 0..=times {
        for i in 0..outputs.len() {
            let way = (turn + i) % outputs.len(); // each is the first as often
            let (start, before) = (Instant::now(), cpu());
            let calls = ways[way].1(&outputs[way].0, input, len);
            if turn > 0 {
                let (used, wall, all) = &mut measured[way];
                used.push(cpu() - before);
                wall.push(start.elapsed().as_nanos() as u64);
                all.push(calls as u64);
            }
        }
    }
    let whole = |mut each: Vec<u64>| {
        each.sort_unstable();
        each[each.len() / 2] * times as u64
    };
    for (((way, _), (_, reader)), (used, wall, calls)) in ways.iter().zip(outputs).zip(measured) {
        reader.unwrap().join().unwrap();
        println!("{name}\t{way}\t{}\t{}\t{}", whole(used), whole(wall), whole(calls));
    }
}

/// A stream that somebody on that CPU fills for as long as it is open.
fn stream(name: &str, cpu: usize) -> File {
    let (input, mut feeder): (File, File) = match name {
        FROM_PIPE => {
            let (reader, writer) = rustix::pipe::pipe().unwrap();
            (File::from(reader), File::from(writer))
        }
        _ => {
            let (writer, reader) = tcp();
            (OwnedFd::from(reader).into(), OwnedFd::from(writer).into())
        }
    };
    thread::spawn(move || {
        pin(cpu);
        while feeder.write_all(&[7; 64 << 10]).is_ok() {}
    });
    input
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
        let in_turn = match &*name {
            SLOW => Some(WAITING_WAYS),
            FROM_PIPE => Some(PIPE_WAYS),
            FROM_SOCKET => Some(SOCKET_WAYS),
            _ => None,
        };
        if let Some(ways) = in_turn {
            let mut stream = (name != SLOW).then(|| stream(&name, last));
            take_turns(&name, ways, stream.as_mut().unwrap_or(&mut file), len, times, last);
            continue;
        }
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
