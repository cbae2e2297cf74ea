//! A file to this machine itself, which is what the kernel has in a hypervisor's place: where it has `vsock_loopback`.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::thread::JoinHandleExt;
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use vsock::{VMADDR_CID_LOCAL, VsockListener, VsockStream};
use vsock_file::{open, send};

/// Any that is free.
const VMADDR_PORT_ANY: u32 = u32::MAX;

fn listen() -> Option<VsockListener> {
    VsockListener::bind_with_cid_port(VMADDR_CID_LOCAL, VMADDR_PORT_ANY)
        .inspect_err(|error| {
            // Past the harness, so that it is counted as what it is.
            let reason = format!("not checked: examples/vsock: this kernel has no vsock to itself: {error}\n");
            io::stdout().write_all(reason.as_bytes()).unwrap();
        })
        .ok()
}

/// A thread that sends, and the other end of its connection.
fn sending_an_empty_file() -> Option<(JoinHandle<io::Result<u64>>, VsockStream)> {
    let listener = listen()?;
    let port = listener.local_addr().unwrap().port();
    let sending = thread::spawn(move || send(&tempfile::tempfile().unwrap(), VMADDR_CID_LOCAL, port));
    Some((sending, listener.accept().unwrap().0))
}

#[test]
fn the_file_arrives_behind_its_length() {
    let Some(listener) = listen() else { return };
    let port = listener.local_addr().unwrap().port();
    for len in [0, 1, 500, 100_001, 5 << 20] {
        let file = tempfile::NamedTempFile::new().unwrap();
        let content: Vec<u8> = (0..len).map(|i| (i % 251) as u8 ^ (i / 251) as u8).collect();
        fs::write(&file, &content).unwrap();
        let file = file.reopen().unwrap();
        let sending = thread::spawn(move || send(&file, VMADDR_CID_LOCAL, port));
        let mut received = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut received).unwrap();
        assert_eq!(sending.join().unwrap().unwrap(), len as u64);
        assert!(
            received == [format!("{len}\n").as_bytes(), &content].concat(),
            "{len} bytes, {} received",
            received.len()
        );
    }
    drop(listener);
    let error = send(&tempfile::tempfile().unwrap(), VMADDR_CID_LOCAL, port).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "nobody listens: {error}");
}

#[test]
fn what_has_no_length_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR).unwrap();
    for path in [Path::new("/proc/self/limits"), Path::new("/dev/zero"), folder.path(), &fifo] {
        assert_eq!(open(path).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{}", path.display());
    }
    assert!(open(tempfile::NamedTempFile::new().unwrap().path()).is_ok(), "an empty file has a length");
}

/// A stop (SIGSTOP, SIGCONT) interrupts a wait in the same way, without a handler.
#[test]
fn signals_change_nothing() {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: the handler does nothing.
    unsafe { libc::signal(libc::SIGUSR1, nothing as extern "C" fn(libc::c_int) as libc::sighandler_t) };
    let Some((sending, mut other)) = sending_an_empty_file() else { return };
    let mut received = Vec::new();
    other.read_to_end(&mut received).unwrap();
    assert_eq!(received, b"0\n");
    // From now on it waits for the end of the connection.
    for _ in 0..50 {
        // SAFETY: the thread was not joined, and so it is known.
        unsafe { libc::pthread_kill(sending.as_pthread_t(), libc::SIGUSR1) };
        thread::sleep(Duration::from_millis(2)); // between two signals, which only then are two waits
    }
    drop(other);
    assert_eq!(sending.join().unwrap().unwrap(), 0);
}

#[test]
fn an_endless_answer_holds_nobody() {
    let Some((sending, mut other)) = sending_an_empty_file() else { return };
    while other.write_all(&[0; 4096]).is_ok() {}
    assert_eq!(sending.join().unwrap().unwrap_err().kind(), io::ErrorKind::InvalidData);
}
