//! The second form on real files, sockets and pipes: C10 to C14, C19 and C20 of docs/semantics.md, and what D says of
//! stopping and going on. What the kernel holds back and in how many segments it sends is in tests/segments.rs.
#![cfg(target_os = "linux")]

mod common;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::net::{Shutdown, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;
use std::thread;
use std::time::Duration;

use bare_sendfile::{Count, Errno, Error, IoSlice, Mechanisms, Progress, SfFlags, Step, Transfer};
use common::faults::interrupt_until_finished;
use common::sent::{Sent, sendfile_hdtr};
use common::streams::unix;
use common::{
    contents, fd, file, in_child, in_child_of, memfd, mount_no_device, mounts_of_its_own, narrow_tcp, not_checked,
    pattern, pipe, position, receive, set_nonblocking, tcp, wait_writable,
};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

const EAGAIN: Result<(), Error> = Err(Error::Errno(Errno::EAGAIN));

fn progress(headers: usize, file: usize, trailers: usize) -> Progress {
    Progress { headers: headers as u64, file: file as u64, trailers: trailers as u64 }
}

/// Each kind of output, and where its bytes come out.
fn outputs() -> Vec<(&'static str, File, File)> {
    let mut outputs = streams();
    let written = tempfile::NamedTempFile::new().unwrap();
    let reading = written.reopen().unwrap();
    outputs.push(("a regular file", written.into_file(), reading));
    outputs
}

/// Those that can be full.
fn streams() -> Vec<(&'static str, File, File)> {
    let ((tcp, tcp_end), (unix, unix_end), (pipe, pipe_end)) = (narrow_tcp(), unix(libc::SOCK_STREAM), pipe());
    vec![
        ("TCP", OwnedFd::from(tcp).into(), OwnedFd::from(tcp_end).into()),
        ("a unix stream", unix, unix_end),
        ("a pipe", pipe, pipe_end),
    ]
}

/// All that comes out until the end of the stream.
fn rest(out: File, mut end: File) -> Vec<u8> {
    drop(out);
    let mut rest = Vec::new();
    end.read_to_end(&mut rest).unwrap();
    rest
}

fn slices<'a>(list: &[&'a [u8]]) -> Vec<IoSlice<'a>> {
    list.iter().map(|bytes| IoSlice::new(bytes)).collect()
}

fn send(
    out: &impl AsRawFd,
    source: &File,
    offset: u64,
    count: impl Into<Count>,
    headers: &[IoSlice<'_>],
    trailers: &[IoSlice<'_>],
) -> Sent {
    sendfile_hdtr(fd(out), fd(source), offset, count, headers, trailers, SfFlags::empty())
}

/// All was sent, by sendfile.
fn assert_sent(sent: &Sent, expected: Progress, context: &str) {
    assert_eq!((sent.outcome, sent.progress), (Ok(()), expected), "{context}");
    assert_eq!(sent.total(), expected.headers + expected.file + expected.trailers);
    assert_eq!(sent.mechanisms, Mechanisms { sendfile: expected.file, ..Mechanisms::default() }, "{context}");
}

/// Drives a transfer until it stops, with the flush that is owed then.
fn drive(
    transfer: &mut Transfer,
    out: &impl AsRawFd,
    source: &File,
    headers: &[IoSlice<'_>],
    trailers: &[IoSlice<'_>],
) -> Result<(), Error> {
    let outcome = loop {
        match transfer.next_step(headers, trailers, 0)? {
            Step::Done => break Ok(()),
            step => {
                if let Err(error) = transfer.perform(&step, fd(out), fd(source), &mut []) {
                    break Err(error);
                }
            }
        }
    };
    if let Some(step) = transfer.flush() {
        transfer.perform(&step, fd(out), fd(source), &mut []).unwrap();
    }
    outcome
}

#[test]
fn c10_headers_then_file_then_trailers_and_a_report_per_section() {
    let bytes = pattern(10_000);
    let source = file(&bytes);
    for (name, out, end) in outputs() {
        let sent =
            send(&out, &source, 7, 3000, &slices(&[b"one", b"", b"two"]), &slices(&[b"", b"three", b"four", b""]));
        assert_sent(&sent, progress(6, 3000, 9), name);
        assert_eq!(rest(out, end), [b"onetwo", &bytes[7..3007], b"threefour"].concat(), "{name}");
        assert_eq!(position(&source), 0, "C11: the position is neither used nor changed");
    }
}

#[test]
fn c10_without_headers_or_trailers() {
    let source = file(b"file");
    for (name, out, end) in outputs() {
        let (headers, trailers) = (slices(&[b"headers"]), slices(&[b"trailers"]));
        assert_sent(&send(&out, &source, 0, 4, &[], &[]), progress(0, 4, 0), name);
        assert_sent(&send(&out, &source, 0, 4, &headers, &[]), progress(7, 4, 0), name);
        assert_sent(&send(&out, &source, 0, 4, &[], &trailers), progress(0, 4, 8), name);
        assert_eq!(rest(out, end), b"fileheadersfilefiletrailers", "{name}");
    }
}

#[test]
fn c10_a_file_of_several_steps() {
    let bytes = pattern(5_000_001); // two and a half times the most that one step sends
    let source = file(&bytes);
    for (name, out, mut end) in outputs() {
        let reader = thread::spawn(move || {
            let mut received = Vec::new();
            if name != "a regular file" {
                end.read_to_end(&mut received).unwrap();
            }
            (received, end)
        });
        for count in [Count::Bytes(5_000_000), Count::ToEnd] {
            let sent = send(&out, &source, 1, count, &slices(&[b"headers"]), &slices(&[b"trailers"]));
            assert_sent(&sent, progress(7, 5_000_000, 8), name);
        }
        drop(out);
        let (mut received, mut end) = reader.join().unwrap();
        end.read_to_end(&mut received).unwrap();
        let once = [b"headers", &bytes[1..], b"trailers"].concat();
        assert!(received == [&once[..], &once].concat(), "{name}");
    }
}

#[test]
fn c11_a_count_of_0_sends_nothing_of_the_file() {
    let source = file(b"secret");
    let directory = File::open(".").unwrap(); // nor looks at it
    for source in [&source, &directory] {
        for (name, out, end) in outputs() {
            assert_sent(&send(&out, source, 0, 0, &[], &[]), progress(0, 0, 0), name);
            let sent = send(&out, source, 3, 0, &slices(&[b"headers"]), &slices(&[b"trailers"]));
            assert_sent(&sent, progress(7, 0, 8), name);
            assert_eq!(rest(out, end), b"headerstrailers", "{name}");
        }
    }
}

#[test]
fn c11_to_the_end_is_until_nothing_comes() {
    let version = std::fs::read("/proc/version").unwrap();
    let proc_version = File::open("/proc/version").unwrap();
    assert_eq!(proc_version.metadata().unwrap().len(), 0, "fstat lies");
    let source = file(b"0123456789");
    let empty = file(b"");
    for (name, out, end) in outputs() {
        let mut expected = Vec::new();
        for (source, offset, bytes) in [
            (&source, 0, &b"0123456789"[..]),
            (&source, 7, b"789"),
            (&source, 10, b""),
            (&source, 1000, b""),
            (&empty, 0, b""),
            (&empty, 1, b""),
            (&proc_version, 0, &version),
            (&proc_version, 6, &version[6..]),
        ] {
            let sent = send(&out, source, offset, Count::ToEnd, &slices(&[b"<"]), &slices(&[b">"]));
            assert_sent(&sent, progress(1, bytes.len(), 1), name);
            expected.extend([b"<", bytes, b">"].concat());
        }
        assert_eq!(rest(out, end), expected, "{name}");
    }
}

#[test]
fn c12_empty_lists_and_empty_slices_send_nothing() {
    let source = file(b"file");
    let empty = vec![IoSlice::new(&[]); 3000];
    let byte = [&empty[..], &slices(&[b"!"]), &empty].concat();
    for (name, out, end) in outputs() {
        for list in [&[][..], &empty[..1], &empty] {
            assert_sent(&send(&out, &source, 0, 0, list, list), progress(0, 0, 0), name);
            assert_sent(&send(&out, &source, 0, 4, list, list), progress(0, 4, 0), name);
            assert_sent(&send(&out, &source, 4, Count::ToEnd, list, list), progress(0, 0, 0), name);
        }
        assert_sent(&send(&out, &source, 0, 4, &byte, &byte), progress(1, 4, 1), name);
        assert_eq!(rest(out, end), b"filefilefile!file!", "{name}");
    }
}

#[test]
fn c13_more_slices_than_one_call_takes() {
    let bytes = pattern(3 * 5000);
    let source = file(b"file");
    for (name, out, mut end) in outputs() {
        for n in [1023, 1024, 1025, 2048, 2049, 5000] {
            // Of lengths 3, 2 and 4, so that a batch that is cut wrong shows.
            let list: Vec<_> = bytes[..n / 3 * 9]
                .chunks(9)
                .flat_map(|nine| [IoSlice::new(&nine[..3]), IoSlice::new(&nine[3..5]), IoSlice::new(&nine[5..])])
                .chain(vec![IoSlice::new(b"x"); n % 3])
                .collect();
            assert_eq!(list.len(), n);
            let expected: Vec<u8> = list.iter().flat_map(|slice| slice.to_vec()).collect();
            let sent = send(&out, &source, 0, 4, &list, &list);
            assert_sent(&sent, progress(expected.len(), 4, expected.len()), name);
            let received = receive(&mut end, 2 * expected.len() + 4); // they fit the smallest buffer
            assert!(received == [&expected[..], b"file", &expected].concat(), "{name}, {n} slices");
        }
        assert_eq!(rest(out, end), b"", "{name}");
    }
}

#[test]
fn c19_no_byte_of_the_file_before_the_last_of_32_mib_of_headers() {
    let bytes = pattern(32 << 20);
    let (first, second) = bytes.split_at(20 << 20);
    let source = file(b"file");
    for (name, out, end) in streams() {
        set_nonblocking(&out);
        let sent = send(&out, &source, 0, 4, &slices(&[first, second]), &slices(&[b"trailers"]));
        let headers = sent.progress.headers as usize;
        assert_eq!((sent.outcome, sent.progress), (EAGAIN, progress(headers, 0, 0)), "{name}");
        assert!(0 < headers && headers < 20 << 20, "{name}: {headers}");
        assert!(rest(out, end) == bytes[..headers], "{name}");
    }
}

/// D1: after EAGAIN exactly the rest follows, wherever it stopped.
#[test]
fn c19_d1_resuming_sends_exactly_the_suffix() {
    let bytes = pattern(900_000);
    let (headers, file_and_trailers) = bytes.split_at(300_001);
    let (body, trailers) = file_and_trailers.split_at(299_999);
    let source = file(&[b"skipped", body, b"not asked for"].concat());
    let headers = slices(&[&headers[..1], &headers[1..100_000], &[], &headers[100_000..]]);
    let trailers = slices(&[&trailers[..150_000], &trailers[150_000..]]);
    for cap in [10_000, 1 << 20] {
        for (name, out, mut end) in streams() {
            set_nonblocking(&out);
            let mut transfer = Transfer::new(7, body.len() as u64, &headers, &trailers).unwrap().with_cap(cap);
            let mut received = Vec::new();
            let mut stopped = [0; 3]; // times in each section
            while let Err(error) = drive(&mut transfer, &out, &source, &headers, &trailers) {
                assert_eq!(error, Errno::EAGAIN, "{name}");
                let sent = transfer.progress();
                match sent {
                    Progress { headers, file: 0, trailers: 0 } if headers < 300_001 => stopped[0] += 1,
                    Progress { headers: 300_001, file, trailers: 0 } if file < 299_999 => stopped[1] += 1,
                    Progress { headers: 300_001, file: 299_999, .. } => stopped[2] += 1,
                    _ => panic!("{name}: out of order: {sent:?}"),
                }
                if (received.len() as u64) < sent.total() {
                    let mut some = vec![0; 30_000];
                    let n = end.read(&mut some).unwrap();
                    received.extend_from_slice(&some[..n]);
                } else {
                    wait_writable(&out);
                }
            }
            assert!(stopped.iter().all(|&times| times > 0), "{name}: {stopped:?}");
            assert_eq!(transfer.progress(), progress(300_001, 299_999, 300_000), "{name}");
            received.extend(rest(out, end));
            assert!(received == bytes, "{name}");
        }
    }
}

#[test]
fn c20_other_sockets_are_refused_before_any_byte() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.connect(receiver.local_addr().unwrap()).unwrap();
    let udp = (OwnedFd::from(udp).into(), OwnedFd::from(receiver).into());
    let source = file(b"file");
    for ((out, mut end), kind) in [
        (udp, libc::SOCK_DGRAM),
        (unix(libc::SOCK_DGRAM), libc::SOCK_DGRAM),
        (unix(libc::SOCK_SEQPACKET), libc::SOCK_SEQPACKET),
    ] {
        for (headers, count, trailers) in [
            (&[][..], Count::Bytes(4), &[][..]),
            (&[IoSlice::new(b"headers")], Count::Bytes(4), &[IoSlice::new(b"trailers")]),
            (&[IoSlice::new(b"headers")], Count::Bytes(0), &[]),
            (&[IoSlice::new(b"")], Count::ToEnd, &[IoSlice::new(b"")]),
            (&[], Count::Bytes(0), &[]),
        ] {
            let sent = send(&out, &source, 0, count, headers, trailers);
            assert_eq!((sent.outcome, sent.total()), (Err(Error::NotAStream(kind as u32)), 0));
            assert_eq!(sent.outcome.unwrap_err().errno(), Errno::EINVAL);
            set_nonblocking(&end);
            let came = end.read(&mut [0; 10]);
            assert_eq!(came.unwrap_err().kind(), io::ErrorKind::WouldBlock, "C12: not even an empty one");
        }
    }
}

#[test]
fn d4_a_file_that_ends_before_the_count_is_truncated_and_the_trailers_are_withheld() {
    let source = file(b"0123456789");
    let empty = file(b"");
    for (name, out, end) in outputs() {
        for (source, offset, count, bytes) in [
            (&source, 0, 11, 10),
            (&source, 8, 1000, 2),
            (&source, 0, u64::MAX, 10),
            (&source, 20, 1, 0),
            (&empty, 0, 1, 0),
        ] {
            let sent = send(&out, source, offset, count, &slices(&[b"<"]), &slices(&[b">"]));
            let owed = count - bytes as u64;
            let outcome = Err(Error::Truncated { owed });
            assert_eq!((sent.outcome, sent.progress), (outcome, progress(1, bytes, 0)), "{name}");
        }
        assert_eq!(rest(out, end), b"<0123456789<89<0123456789<<", "{name}");
    }
}

#[test]
fn d4_a_file_that_shrinks_and_grows_again() {
    let bytes = pattern(1000);
    let (headers, trailers) = (slices(&[b"headers"]), slices(&[b"trailers"]));
    for (name, out, end) in outputs() {
        let mut source = file(&bytes);
        let mut transfer = Transfer::new(0, 1000, &headers, &trailers).unwrap().with_cap(300);
        while transfer.progress().file == 0 {
            let step = transfer.next_step(&headers, &trailers, 0).unwrap();
            transfer.perform(&step, fd(&out), fd(&source), &mut []).unwrap();
        }
        source.set_len(400).unwrap();
        for _ in 0..2 {
            let outcome = drive(&mut transfer, &out, &source, &headers, &trailers);
            assert_eq!((outcome, transfer.progress()), (Err(Error::Truncated { owed: 600 }), progress(7, 400, 0)));
        }
        source.seek(io::SeekFrom::End(0)).unwrap();
        source.write_all(&bytes[400..]).unwrap();
        assert_eq!(drive(&mut transfer, &out, &source, &headers, &trailers), Ok(()));
        assert!(rest(out, end) == [b"headers", &bytes[..], b"trailers"].concat(), "{name}");
    }
}

#[test]
fn d1_from_the_position_on_which_advances() {
    let bytes = pattern(1000);
    let mut source = file(&bytes);
    let (headers, trailers) = (slices(&[b"headers"]), slices(&[b"trailers"]));
    for (name, out, end) in outputs() {
        source.seek(io::SeekFrom::Start(100)).unwrap();
        let mut transfer = Transfer::from_position(500, &headers, &trailers).unwrap().with_cap(150);
        assert_eq!(drive(&mut transfer, &out, &source, &headers, &trailers), Ok(()));
        assert_eq!((transfer.progress(), position(&source)), (progress(7, 500, 8), 600), "{name}");
        let mut transfer = Transfer::from_position(Count::ToEnd, &[], &[]).unwrap().with_cap(150);
        assert_eq!(drive(&mut transfer, &out, &source, &[], &[]), Ok(()));
        assert_eq!((transfer.progress(), position(&source)), (progress(0, 400, 0), 1000), "{name}");
        assert!(rest(out, end) == [b"headers", &bytes[100..600], b"trailers", &bytes[600..]].concat(), "{name}");
    }
}

#[test]
fn d2_o_append_refuses_the_file_and_keeps_the_headers() {
    let source = file(b"file");
    let written = tempfile::NamedTempFile::new().unwrap();
    let out = OpenOptions::new().append(true).open(written.path()).unwrap();
    let sent = send(&out, &source, 0, 4, &slices(&[b"headers"]), &slices(&[b"trailers"]));
    assert_eq!((sent.outcome, sent.progress), (Err(Errno::EINVAL.into()), progress(7, 0, 0)));
    assert_eq!(std::fs::read(written.path()).unwrap(), b"headers");
}

#[test]
fn d2_a_reader_that_goes_keeps_the_progress() {
    for (name, out, mut end) in streams() {
        let source = memfd(1 << 20);
        let thread =
            thread::spawn(move || send(&out, &source, 0, 1 << 20, &slices(&[b"headers"]), &slices(&[b"trailers"])));
        // A first byte of the file has come. It is more than fits, so the sender cannot be done.
        receive(&mut end, 8);
        drop(end);
        let sent = thread.join().unwrap();
        let file = sent.progress.file as usize;
        assert_eq!(sent.progress, progress(7, file, 0), "{name}");
        assert!(0 < file && file < 1 << 20, "{name}: {file}");
        let Err(Error::Errno(errno)) = sent.outcome else { panic!("{name}: {:?}", sent.outcome) };
        assert!([Errno::EPIPE, Errno::ECONNRESET].contains(&errno), "{name}: {errno}");
    }
}

#[test]
fn d2_a_file_that_may_not_grow_keeps_the_progress() {
    const SIZE: usize = 64 << 10; // whole pages of every size
    let bytes = pattern(1 << 20);
    let source = file(&bytes);
    let mut out = File::from(memfd_create("test", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap());
    out.set_len(SIZE as u64).unwrap();
    fcntl_add_seals(&out, SealFlags::GROW).unwrap();
    let sent = send(&out, &source, 0, 1 << 20, &slices(&[b"headers"]), &slices(&[b"trailers"]));
    // Where tmpfs has large folios, it refuses a call whose first folio does not fit, and nothing is written.
    let file = sent.progress.file as usize;
    assert!(file == SIZE - 7 || file == 0, "{file}");
    assert_eq!((sent.outcome, sent.progress), (Err(Errno::EPERM.into()), progress(7, file, 0)));
    out.rewind().unwrap();
    assert!(receive(&mut out, SIZE) == [b"headers", &bytes[..file], &[0; SIZE][7 + file..]].concat());
}

#[test]
fn d2_a_full_disk_keeps_the_progress() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let sent = send(&full, &file(b"file"), 0, 4, &slices(&[b"headers"]), &[]);
    assert_eq!((sent.outcome, sent.total()), (Err(Errno::ENOSPC.into()), 0));

    const SIZE: usize = 64 << 10;
    const NO_MOUNTS: u8 = 99;
    let bytes = pattern(1 << 20);
    let source = file(&bytes);
    let body = || {
        // Only this thread sees it. For root, or root of a user namespace.
        let disk = mounts_of_its_own().and_then(|()| mount_no_device("tmpfs", std::env::temp_dir(), "size=64k"));
        if disk.is_err() {
            return NO_MOUNTS;
        }
        let out = file(b"");
        let sent = send(&out, &source, 0, 1 << 20, &slices(&[b"headers"]), &slices(&[b"trailers"]));
        assert_eq!((sent.outcome, sent.progress), (Err(Errno::ENOSPC.into()), progress(7, SIZE - 7, 0)));
        assert!(contents(&out) == [b"headers", &bytes[..SIZE - 7]].concat());
        0
    };
    let mut status = in_child(body);
    // Who is not root can be root of a user namespace.
    let (unshare, user) = ("unshare", ["--user", "--map-root-user"]);
    let allowed = || Command::new(unshare).args(user).arg("true").output().is_ok_and(|probe| probe.status.success());
    if status.code() == Some(NO_MOUNTS.into()) && allowed() {
        status = in_child_of(&[unshare, user[0], user[1]], body);
    }
    if status.code() == Some(NO_MOUNTS.into()) {
        return not_checked("not allowed to mount: only /dev/full was tried");
    }
    assert_eq!(status.code(), Some(0), "{status}");
}

#[test]
fn d3_a_blocking_socket_with_so_sndtimeo_is_eagain() {
    let headers = vec![1; 8 << 20];
    let source = memfd(8 << 20);
    for (headers, trailers) in [(slices(&[&headers]), slices(&[b"trailers"])), (slices(&[b"headers"]), Vec::new())] {
        let (sender, mut receiver) = narrow_tcp();
        sender.set_write_timeout(Some(Duration::from_millis(10))).unwrap();
        let sent = send(&sender, &source, 0, 8 << 20, &headers, &trailers);
        assert_eq!((sent.outcome, sent.progress.trailers), (EAGAIN, 0));
        assert!(sent.progress.headers > 0);
        assert_eq!(sent.progress.file > 0, headers[0].len() == 7);
        drop(sender);
        assert_eq!(receiver.read_to_end(&mut Vec::new()).unwrap() as u64, sent.total());
    }
}

/// D2: a signal in a blocking send, first among the headers, then in the file.
#[test]
fn d2_a_signal_stops_a_blocking_send_and_keeps_the_progress() {
    let bytes = pattern(8 << 20);
    for headers in [8 << 20, 100] {
        for (name, out, mut end) in streams() {
            let (headers, body) = (bytes[..headers].to_vec(), bytes.clone());
            let thread = thread::spawn(move || {
                let sent = send(&out, &file(&body), 0, 8 << 20, &slices(&[&headers]), &slices(&[b"trailers"]));
                drop(out);
                (sent, headers)
            });
            let first = receive(&mut end, 1); // so that something is sent before the first signal
            let (sent, headers) = interrupt_until_finished(thread);
            let [in_headers, in_file] = [sent.progress.headers as usize, sent.progress.file as usize];
            assert_eq!((sent.outcome, sent.progress.trailers), (Err(Errno::EINTR.into()), 0), "{name}");
            assert!(in_headers > 0 && (in_file == 0 || in_headers == headers.len()), "{name}: {:?}", sent.progress);
            let mut received = first;
            end.read_to_end(&mut received).unwrap();
            assert!(received == [&headers[..in_headers], &bytes[..in_file]].concat(), "{name}");
        }
    }
}

#[test]
fn d1_a_transfer_goes_on_after_eintr() {
    let bytes = pattern(3_000_000);
    for (name, out, mut end) in streams() {
        let all = bytes.clone();
        let (interrupted, first_interrupt) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let source = file(&all[1_000_000..2_000_000]);
            let (headers, trailers) = (slices(&[&all[..1_000_000]]), slices(&[&all[2_000_000..]]));
            let mut transfer = Transfer::new(0, 1_000_000, &headers, &trailers).unwrap();
            loop {
                match drive(&mut transfer, &out, &source, &headers, &trailers) {
                    Err(Error::Errno(Errno::EINTR)) => interrupted.send(transfer.progress()).unwrap_or(()),
                    outcome => return (outcome, transfer.progress()),
                }
            }
        });
        // Nothing is read before a signal has stopped the transfer once: it is blocked until then.
        let reader = thread::spawn(move || {
            let stopped = first_interrupt.recv().unwrap();
            let mut received = Vec::new();
            end.read_to_end(&mut received).unwrap();
            (stopped, received)
        });
        assert_eq!(interrupt_until_finished(thread), (Ok(()), progress(1_000_000, 1_000_000, 1_000_000)), "{name}");
        let (stopped, received) = reader.join().unwrap();
        assert!(stopped.headers < 1_000_000, "{name}: {stopped:?}");
        assert!(received == bytes, "{name}");
    }
}

#[test]
fn nothing_goes_out_behind_the_end_of_the_stream() {
    let (sender, mut receiver) = tcp();
    sender.shutdown(Shutdown::Write).unwrap();
    let sent = send(&sender, &file(b"file"), 0, 4, &slices(&[b"headers"]), &[]);
    assert_eq!((sent.outcome, sent.total()), (Err(Errno::EPIPE.into()), 0));
    assert_eq!(receiver.read(&mut [0; 10]).unwrap(), 0);
}

/// A list from C that points nowhere: the kernel alone looks there.
#[test]
fn slices_that_point_nowhere_are_efault() {
    #[repr(C)]
    struct Iovec(usize, usize);
    let source = memfd(100);
    for (name, output, _end) in outputs() {
        for list in [[Iovec(8, 5), Iovec(8, 5)], [Iovec(0, 5), Iovec(0, 0)]] {
            // SAFETY: it is a list of two. Where they point is left to the kernel, as no buffer is lent.
            let slices = unsafe { IoSlice::from_raw_parts(list.as_ptr().cast(), list.len()) };
            let sent = sendfile_hdtr(fd(&output), fd(&source), 0, 10_u64, slices, &[], SfFlags::empty());
            assert_eq!((sent.outcome, sent.total()), (Err(Error::Errno(Errno::EFAULT)), 0), "{name}");
            let sent = sendfile_hdtr(fd(&output), fd(&source), 0, 10_u64, &[], slices, SfFlags::empty());
            assert_eq!((sent.outcome, sent.total()), (Err(Error::Errno(Errno::EFAULT)), 10), "{name}");
        }
    }
}
