//! The program `examples/send`: bytes, stderr and exit status.
#![cfg(target_os = "linux")]

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, LazyLock, Mutex, mpsc};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::net::{AddressFamily, SocketType};
use rustix::pty::OpenptFlags;
use rustix::termios::Action;
use tempfile::TempDir;

mod common;
use common::faults::{answering, filter, seccompiler};
use common::{HANGS, calls, not_checked, pattern};

/// The program's command line, under the runner of this test if it has one. Built anew each time: it is a package of its own, and an
/// old program proves nothing.
static SEND: LazyLock<Vec<String>> = LazyLock::new(|| {
    let exe = env::current_exe().unwrap();
    let mut above = exe.ancestors().skip(2); // TARGET_DIR[/TRIPLE]/PROFILE/deps/EXE
    let name = |path: Option<&Path>| path.unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    let profile = name(above.next());
    let cpu = if env::consts::ARCH == "x86" { "i" } else { env::consts::ARCH };
    let triple = Some(name(above.next())).filter(|name| name.starts_with(cpu) && name.contains("-linux-"));

    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--message-format", "json"]);
    cargo.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/examples/send/Cargo.toml")]);
    cargo.args(["--target-dir", concat!(env!("CARGO_TARGET_TMPDIR"), "/send")]);
    cargo.args(["--profile", if profile == "debug" { "dev" } else { &profile }]);
    cargo.args(triple.iter().flat_map(|triple| ["--target", triple]));
    let built = cargo.stderr(Stdio::inherit()).output().unwrap();
    assert!(built.status.success(), "{cargo:?}: {}", built.status);
    let messages = String::from_utf8(built.stdout).unwrap();
    let (_, path) = messages.split_once("\"executable\":\"").expect("cargo names the example");
    let (path, _) = path.split_once('"').unwrap();

    let runner = triple.and_then(|triple| {
        env::var(format!("CARGO_TARGET_{}_RUNNER", triple.to_uppercase().replace(['-', '.'], "_"))).ok()
    });
    runner.iter().flat_map(|runner| runner.split_whitespace()).chain([path]).map(String::from).collect()
});

/// What a program left behind.
struct Ran {
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: String,
}

impl Ran {
    /// All was sent: the one line on stderr begins so.
    #[track_caller]
    fn sent(&self, summary: &str) {
        assert!(self.stderr.starts_with(&format!("sent {summary}; ")), "{}", self.stderr);
        assert!(self.stderr.ends_with("B/s\n") && self.stderr.lines().count() == 1, "{}", self.stderr);
        assert_eq!(self.status.code(), Some(0));
    }

    /// The same, and it was so much of the file.
    #[track_caller]
    fn sent_file(&self, bytes: usize) {
        self.sent(&by_sendfile(bytes));
    }

    /// It failed before anything could be sent, with this one line.
    #[track_caller]
    fn refused(&self, message: &str) {
        assert_eq!((&*self.stderr, self.status.code()), (&*format!("send: {message}\n"), Some(1)));
    }

    /// It failed on the way: what was sent, then the reason.
    #[track_caller]
    fn stopped(&self, summary: &str, message: &str) {
        let (first, second) = self.stderr.split_once('\n').unwrap();
        assert!(first.starts_with(&format!("sent {summary}; ")), "{first}");
        assert_eq!((second, self.status.code()), (&*format!("send: {message}\n"), Some(1)));
    }

    /// The arguments are wrong.
    #[track_caller]
    fn misused(&self, message: &str) {
        let expected = format!("send: {message}\nUsage: send [OPTIONS] SRC DST; --help tells more\n");
        assert_eq!((&*self.stderr, self.status.code()), (&*expected, Some(2)));
    }
}

/// The summary of so much of the file and nothing else.
fn by_sendfile(bytes: usize) -> String {
    format!("{bytes} bytes: headers 0 written, file {bytes} by sendfile and 0 copied, trailers 0 written")
}

/// The program with these arguments.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(&SEND[0]);
    command.args(&SEND[1..]).args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn send(args: &[&str]) -> Ran {
    run(command(args))
}

/// The program started by a shell that does `before` first: redirections, limits.
fn send_after(before: &str, args: &[&str]) -> Ran {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{before}; exec \"$@\""), "sh"]).args(&*SEND).args(args);
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    run(shell)
}

/// A shell that runs `script`, with `zero` as its $0, in a namespace of its own: as root, or as root of a user namespace. `None` if
/// `probe` fails in both.
fn unshare(namespace: &str, probe: &str, script: &str, zero: &str) -> Option<Command> {
    let shell = |user: &[&str], script: &str| {
        let mut shell = Command::new("unshare");
        shell.args(user).args([namespace, "sh", "-c", script, zero]);
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        shell
    };
    let mut users = [&[][..], &["--user", "--map-root-user"]].into_iter();
    let user = users.find(|user| shell(user, probe).output().is_ok_and(|probe| probe.status.success()))?;
    Some(shell(user, script))
}

fn run(mut command: Command) -> Ran {
    let mut child = command.spawn().unwrap();
    drop(command); // and with it the parent's copies of the descriptors that it was given
    let stdout = child.stdout.take().map(read_all);
    let stderr = child.stderr.take().map(read_all);
    let status = wait(&mut child);
    let bytes = |thread: Option<JoinHandle<Vec<u8>>>| thread.map_or(Vec::new(), |thread| thread.join().unwrap());
    Ran { status, stdout: bytes(stdout), stderr: String::from_utf8(bytes(stderr)).unwrap() }
}

fn read_all(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // A terminal whose other side is closed ends with EIO.
        let _ = from.read_to_end(&mut bytes);
        bytes
    })
}

/// Waits for the program to end, which it does at once unless it hangs.
fn wait(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() > Duration::from_secs(120) {
            child.kill().unwrap();
            panic!("it hangs");
        }
        sleep(Duration::from_millis(2));
    }
}

/// Waits until the condition holds. Otherwise it fails with what there is instead.
#[track_caller]
fn eventually(mut condition: impl FnMut() -> bool, instead: impl Fn() -> String) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < HANGS, "{}", instead());
        sleep(Duration::from_millis(2)); // between two looks
    }
}

/// A folder with a file `source` of so many bytes of the pattern.
struct Folder {
    dir: TempDir,
    source: String,
    bytes: Vec<u8>,
}

impl Folder {
    fn new(len: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("source");
        let bytes = pattern(len);
        fs::write(&source, &bytes).unwrap();
        Self { source: source.to_str().unwrap().into(), dir, bytes }
    }

    /// So many zeros, in a hole.
    fn sparse(len: u64) -> Self {
        let folder = Self::new(0);
        File::options().write(true).open(&folder.source).unwrap().set_len(len).unwrap();
        folder
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().into()
    }
}

/// A peer that reads to the end.
fn peer() -> (String, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("tcp:{}", listener.local_addr().unwrap());
    (target, thread::spawn(move || read_all(listener.accept().unwrap().0).join().unwrap()))
}

#[test]
fn to_a_new_file() {
    let folder = Folder::new(3_000_000);
    let target = folder.path("target");
    let ran = send(&[&folder.source, &target]);
    ran.sent_file(3_000_000);
    assert!(ran.stdout.is_empty());
    assert!(fs::read(target).unwrap() == folder.bytes);
}

#[test]
fn a_new_file_has_the_permissions_of_the_source_that_the_umask_leaves() {
    let folder = Folder::new(1);
    for (umask, source, mode) in [
        ("022", 0o644, 0o644),
        ("022", 0o666, 0o644),
        ("027", 0o755, 0o750),
        ("000", 0o600, 0o600),
        ("000", 0o444, 0o444),
        ("000", 0o6755, 0o755),
    ] {
        fs::set_permissions(&folder.source, fs::Permissions::from_mode(source)).unwrap();
        let target = folder.path(&format!("{umask} {source:o}"));
        let ran = send_after(&format!("umask {umask}"), &[&folder.source, &target]);
        assert!(ran.status.success(), "{}", ran.stderr);
        assert_eq!(fs::metadata(target).unwrap().permissions().mode() & 0o7777, mode);
    }
    // Who may use a device is not who may read what came from it.
    let target = folder.path("zeros");
    assert!(send_after("umask 022", &["--fallback", "--count", "10", "/dev/zero", &target]).status.success());
    assert_eq!(fs::metadata(target).unwrap().permissions().mode() & 0o7777, 0o644);
}

#[test]
fn an_existing_file_is_overwritten_and_stays_itself() {
    let folder = Folder::new(100);
    let target = folder.path("target");
    fs::write(&target, [b'x'; 500]).unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).unwrap();
    let before = fs::metadata(&target).unwrap();
    assert!(send(&[&folder.source, &target]).status.success());
    let after = fs::metadata(&target).unwrap();
    assert_eq!((before.ino(), before.mode()), (after.ino(), after.mode()));
    assert_eq!(fs::read(target).unwrap(), folder.bytes);
}

/// In a folder like /tmp the kernel refuses O_CREAT for a file of somebody else (`fs.protected_regular`), even to root. Here it is refused
/// for every file that is there.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn an_existing_file_is_not_opened_to_be_created() {
    let folder = Folder::new(100);
    let target = folder.path("target");
    fs::write(&target, "").unwrap();
    LazyLock::force(&SEND); // cargo creates files as it likes
    let answer = |call: &calls::Call| {
        let flags = call.arguments[2] as libc::c_int & (libc::O_CREAT | libc::O_EXCL);
        (flags == libc::O_CREAT).then_some(-i64::from(libc::EACCES))
    };
    let (ran, _) = calls::seen(&[libc::SYS_openat], answer, || send(&[&folder.source, &target]));
    ran.sent_file(100);
    assert_eq!(fs::read(target).unwrap(), folder.bytes);
}

#[test]
fn a_link_to_nothing_gets_its_file() {
    let folder = Folder::new(100);
    let (link, target) = (folder.path("link"), folder.path("target"));
    symlink(&target, &link).unwrap();
    fs::set_permissions(&folder.source, fs::Permissions::from_mode(0o600)).unwrap();
    send(&[&folder.source, &link]).sent_file(100);
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::read(target).unwrap(), folder.bytes);
}

#[test]
fn an_old_file_is_cut_to_what_was_sent() {
    let folder = Folder::new(100);
    let empty = folder.path("empty");
    fs::write(&empty, "").unwrap();
    let target = folder.path("target");
    let sent_over = |args: &[&str], code: i32, expected: &[u8]| {
        fs::write(&target, [b'x'; 500]).unwrap();
        assert_eq!(send(&[args, &[&target]].concat()).status.code(), Some(code));
        assert!(fs::read(&target).unwrap() == expected, "{args:?}");
    };
    sent_over(&[&empty], 0, b"");
    sent_over(&["--header", "a", &empty], 0, b"a");
    sent_over(&["--count", "100000", &folder.source], 1, &folder.bytes);
    // sendfile refuses it. Nothing was sent, and nothing is lost; or the header was.
    let refused = format!("/proc/{}/cmdline", std::os::unix::process::parent_id());
    sent_over(&[&refused], 1, &[b'x'; 500]);
    sent_over(&["--header", "a", &refused], 1, b"a");
}

#[test]
fn to_the_standard_output() {
    let folder = Folder::new(300_000); // more than a pipe holds
    let ran = send(&[&folder.source, "-"]);
    ran.sent_file(300_000);
    assert!(ran.stdout == folder.bytes);
}

#[test]
fn to_a_tcp_peer_with_headers_and_trailers_in_their_order() {
    let folder = Folder::new(200_000);
    let (target, received) = peer();
    let texts = ["--header", "one ", "--trailer", "three ", "--header=two\n", "--trailer", "", "--trailer=four"];
    let ran = send(&[&texts[..], &[&folder.source, &target]].concat());
    ran.sent("200018 bytes: headers 8 written, file 200000 by sendfile and 0 copied, trailers 10 written");
    assert!(received.join().unwrap() == [b"one two\n", &folder.bytes[..], b"three four"].concat());
}

#[test]
fn offset_and_count() {
    let folder = Folder::new(1000);
    for (offset, count, range) in
        [("0", "1000", 0..1000), ("10", "20", 10..30), ("999", "1", 999..1000), ("1000", "0", 0..0)]
    {
        let ran = send(&["--offset", offset, "--count", count, &folder.source, "-"]);
        ran.sent_file(range.len());
        assert_eq!(ran.stdout, folder.bytes[range]);
    }
    let ran = send(&["--offset", "990", &folder.source, "-"]);
    ran.sent_file(10);
    assert_eq!(ran.stdout, folder.bytes[990..]);
    send(&["--offset", "1000", &folder.source, "-"]).sent_file(0);
}

#[test]
fn a_count_of_0_sends_nothing_of_the_file() {
    let folder = Folder::new(1000);
    let ran = send(&["--count", "0", "--header", "a", "--trailer", "b", &folder.source, "-"]);
    ran.sent("2 bytes: headers 1 written, file 0 by sendfile and 0 copied, trailers 1 written");
    assert_eq!(ran.stdout, b"ab");
}

#[test]
fn a_count_beyond_the_end_says_what_is_missing() {
    let folder = Folder::new(55);
    let ran = send(&["--count", "100", "--trailer", "never", &folder.source, "-"]);
    ran.stopped(&by_sendfile(55), &format!("{}: the file ended 45 bytes before the count", folder.source));
    assert_eq!(ran.stdout, folder.bytes);
}

#[test]
fn an_offset_past_the_end_is_an_error_and_costs_nothing() {
    let folder = Folder::new(55);
    let target = folder.path("target");
    fs::write(&target, "kept").unwrap();
    let past = |offset: &str, path: &str, tail: &str| {
        let ran = send(&["--offset", offset, path, &target]);
        ran.refused(&format!("offset {offset} is past the end of {path}{tail}"));
    };
    past("100", &folder.source, " (55 bytes)");
    past("56", &folder.source, " (55 bytes)");
    past("9223372036854775807", &folder.source, " (55 bytes)"); // i64::MAX
    // Its length is 0 by stat(2).
    past("1000000", "/proc/version", "");
    let empty = folder.path("empty");
    fs::write(&empty, "").unwrap();
    past("1", &empty, "");
    for offset in ["9223372036854775808", "18446744073709551615"] {
        send(&["--offset", offset, &folder.source, &target])
            .refused(&format!("offset {offset} is above the kernel's largest offset, 9223372036854775807"));
    }
    assert_eq!(fs::read(&target).unwrap(), b"kept");

    let ran = send(&["--offset", "6", "/proc/version", "-"]);
    assert_eq!((ran.status.code(), ran.stdout), (Some(0), fs::read("/proc/version").unwrap()[6..].to_vec()));
}

#[test]
fn a_source_that_cannot_be_read_costs_nothing() {
    let folder = Folder::new(0);
    let target = folder.path("target");
    fs::write(&target, "kept").unwrap();
    let missing = folder.path("missing");
    send(&[&missing, &target]).refused(&format!("{missing}: No such file or directory (ENOENT, os error 2)"));
    let directory = folder.dir.path().to_str().unwrap();
    send(&[directory, &target]).refused(&format!("{directory}: Is a directory (EISDIR, os error 21)"));
    let fifo = folder.path("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    // Nobody writes to it: opening it would wait.
    for args in [&[&*fifo, &target][..], &["--fallback", &fifo, &target]] {
        send(args).refused(&format!("{fifo}: SRC must be a file that can be read at an offset"));
    }
    assert_eq!(fs::read(&target).unwrap(), b"kept");

    let new = folder.path("new");
    assert_eq!(send(&[&missing, &new]).status.code(), Some(1));
    assert!(!fs::exists(new).unwrap());
}

#[test]
fn a_target_that_cannot_be_written_is_named() {
    let folder = Folder::new(10);
    let directory = folder.dir.path().to_str().unwrap();
    send(&[&folder.source, directory]).refused(&format!("{directory}: Is a directory (EISDIR, os error 21)"));
    let nowhere = folder.path("missing/target");
    send(&[&folder.source, &nowhere]).refused(&format!("{nowhere}: No such file or directory (ENOENT, os error 2)"));
}

#[test]
fn a_file_is_not_sent_to_itself() {
    let folder = Folder::new(1000);
    let (hard, soft) = (folder.path("hard"), folder.path("soft"));
    fs::hard_link(&folder.source, &hard).unwrap();
    symlink(&folder.source, &soft).unwrap();
    for target in [&folder.source, &hard, &soft] {
        send(&[&folder.source, target]).refused(&format!("{} and {target} are the same file", folder.source));
    }
    let append = File::options().append(true).open(&folder.source).unwrap();
    let mut endless = command(&["--fallback", &folder.source, "-"]);
    endless.stdout(append);
    run(endless).refused(&format!("{} and standard output are the same file", folder.source));
    assert!(fs::read(&folder.source).unwrap() == folder.bytes);
}

#[test]
fn nothing_is_copied_without_consent() {
    // The command line of whoever started this test: a file without page cache.
    let source = format!("/proc/{}/cmdline", std::os::unix::process::parent_id());
    let bytes = fs::read(&source).unwrap();
    let ran = send(&[&source, "-"]);
    ran.stopped(
        &by_sendfile(0),
        &format!(
            "sendfile refused to send {source} to standard output: Invalid argument (EINVAL, os error 22); \
             --fallback copies through a buffer instead"
        ),
    );
    assert!(ran.stdout.is_empty());

    let ran = send(&["--fallback", &source, "-"]);
    let len = bytes.len();
    ran.sent(&format!(
        "{len} bytes: headers 0 written, file 0 by sendfile and {len} copied (sendfile refused: EINVAL), trailers 0 written"
    ));
    assert_eq!(ran.stdout, bytes);
}

#[test]
fn the_fallback_leaves_to_sendfile_what_it_serves() {
    let folder = Folder::new(100);
    // A small file with a header and a trailer, which the library would gather in the buffer.
    send(&["--fallback", "--header", "a", "--trailer", "b", "--count", "100", &folder.source, "-"])
        .sent("102 bytes: headers 1 written, file 100 by sendfile and 0 copied, trailers 1 written");
}

#[test]
fn output_opened_for_appending() {
    let folder = Folder::new(100_000); // several of the program's buffers
    let target = folder.path("target");
    fs::write(&target, "before").unwrap();
    let append = |args: &[&str]| {
        let mut command = command(args);
        command.stdout(File::options().append(true).open(&target).unwrap());
        run(command)
    };
    let ran = append(&[&folder.source, "-"]);
    assert!(ran.stderr.ends_with("--fallback copies through a buffer instead\n"), "{}", ran.stderr);
    assert_eq!((ran.status.code(), fs::read(&target).unwrap()), (Some(1), b"before".to_vec()));

    append(&["--fallback", &folder.source, "-"]).sent(
        "100000 bytes: headers 0 written, file 0 by sendfile and 100000 copied (sendfile refused: EINVAL), \
         trailers 0 written",
    );
    assert!(fs::read(&target).unwrap() == [b"before", &folder.bytes[..]].concat());
}

#[test]
fn dev_full() {
    let folder = Folder::new(100);
    let nothing = "0 bytes: headers 0 written, file 0 by sendfile and 0 copied";
    send(&["--fallback", &folder.source, "/dev/full"]).stopped(
        &format!("{nothing} (sendfile refused: EINVAL), trailers 0 written"),
        &format!("copy of {} to /dev/full: No space left on device (ENOSPC, os error 28)", folder.source),
    );
    send(&["--header", "a", &folder.source, "/dev/full"])
        .stopped(&format!("{nothing}, trailers 0 written"), "/dev/full: No space left on device (ENOSPC, os error 28)");
    // sendfile itself says EINVAL, and a copy would do no better.
    send(&[&folder.source, "/dev/full"]).stopped(
        &format!("{nothing}, trailers 0 written"),
        &format!("sendfile of {} to /dev/full: No space left on device (ENOSPC, os error 28)", folder.source),
    );
}

#[test]
fn a_disk_that_is_full_in_the_middle() {
    let folder = Folder::new(3_000_000);
    let mount = folder.path("mount");
    fs::create_dir(&mount).unwrap();
    let mounted = "mount -t tmpfs -o size=1m tmpfs \"$0\"";
    let script = format!("{mounted} && cd \"$0\" && \"$@\"; status=$?; cat target; exit $status");
    // Where a mount of one's own is not allowed, the limit below remains.
    if let Some(mut full) = unshare("--mount", mounted, &script, &mount) {
        full.args(&*SEND).args([&folder.source, "target"]);
        let ran = run(full);
        ran.stopped(
            &by_sendfile(1 << 20),
            &format!(
                "sendfile of {} to target: No space left on device (ENOSPC, os error 28); target is incomplete",
                folder.source
            ),
        );
        assert!(ran.stdout == folder.bytes[..1 << 20]);
    }

    // The unit of ulimit -f is 512 bytes in some shells, 1024 in others.
    let target = folder.path("target");
    let ran = send_after("ulimit -f 1024", &[&folder.source, &target]);
    let sent = fs::read(&target).unwrap();
    ran.stopped(
        &by_sendfile(sent.len()),
        &format!(
            "sendfile of {} to {target}: File too large (EFBIG, os error 27); {target} is incomplete",
            folder.source
        ),
    );
    assert!([512 << 10, 1024 << 10].contains(&sent.len()) && sent == folder.bytes[..sent.len()]);
}

#[test]
fn a_reader_that_is_gone() {
    let folder = Folder::new(100);
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    drop(reader);
    let mut command = command(&[&folder.source, "-"]);
    command.stdout(writer);
    run(command).stopped(
        &by_sendfile(0),
        &format!("sendfile of {} to standard output: Broken pipe (EPIPE, os error 32)", folder.source),
    );
}

#[test]
fn a_peer_that_closes_in_the_middle() {
    let folder = Folder::sparse(1 << 30);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("tcp:{}", listener.local_addr().unwrap());
    let closing = thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        peer.read_exact(&mut [0; 1000]).unwrap(); // and more comes, which is never read: closing resets
    });
    let ran = send(&[&folder.source, &target]);
    closing.join().unwrap();
    let (summary, message) = ran.stderr.split_once('\n').unwrap();
    assert!(summary.starts_with("sent "), "{summary}");
    let reasons = ["Connection reset by peer (ECONNRESET, os error 104)", "Broken pipe (EPIPE, os error 32)"];
    let expected = reasons.map(|reason| format!("send: sendfile of {} to {target}: {reason}\n", folder.source));
    assert!(expected.iter().any(|expected| expected == message), "{message}");
    assert_eq!(ran.status.code(), Some(1));
}

/// A listener whose connections take few bytes that nobody reads.
fn narrow_listener() -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::sockopt::set_socket_recv_buffer_size(&listener, 4096).unwrap();
    (format!("tcp:{}", listener.local_addr().unwrap()), listener)
}

/// What waits in a full socket leaves by itself. To be flushed, it would be uncorked and corked again each time.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn a_full_socket_is_not_flushed() {
    let folder = Folder::sparse(16 << 20);
    LazyLock::force(&SEND); // whose build asks for options as well
    let (target, listener) = narrow_listener();
    let received = thread::spawn(move || read_all(listener.accept().unwrap().0).join().unwrap().len());
    let mut corks = 0;
    let answer = |call: &calls::Call| {
        corks += i32::from(call.arguments[1..3] == [libc::IPPROTO_TCP, libc::TCP_CORK].map(|number| number as u64));
        None
    };
    let args = ["--header", "a", "--trailer", "b", &folder.source, &target];
    let (ran, _) = calls::seen(&[libc::SYS_setsockopt], answer, || send(&args));
    ran.sent("16777218 bytes: headers 1 written, file 16777216 by sendfile and 0 copied, trailers 1 written");
    assert_eq!(received.join().unwrap(), 16_777_218);
    assert!(corks <= 2, "{corks}");
}

#[test]
fn a_peer_that_has_said_something_gets_what_was_sent() {
    let folder = Folder::new(200_000);
    for (count, more) in [(None, "and more"), (Some("200001"), "")] {
        let (target, listener) = narrow_listener();
        let received = thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            peer.write_all(b"a greeting").unwrap();
            // Time for the program to end, which it must not use.
            sleep(Duration::from_millis(300));
            peer.write_all(more.as_bytes()).unwrap();
            let mut bytes = Vec::new();
            peer.read_to_end(&mut bytes).unwrap();
            peer.write_all(b"thanks").unwrap();
            bytes
        });
        let mut command = command(&[&folder.source, &target]);
        match count {
            None => run(command).sent_file(200_000),
            Some(count) => {
                command.args(["--count", count]);
                let missing = format!("{}: the file ended 1 bytes before the count", folder.source);
                run(command).stopped(&by_sendfile(200_000), &missing);
            }
        }
        assert!(received.join().unwrap() == folder.bytes);
    }
}

/// Whether the program has given all to the kernel, the end as well, and the peer has not taken it: in the system's table its socket
/// waits for an answer to the end. (It is in FIN_WAIT1; if the peer has ended as well, in CLOSING or LAST_ACK.)
fn has_ended(peer: &TcpStream) -> bool {
    let [local, remote] = [peer.peer_addr(), peer.local_addr()].map(|end| format!(":{:04X}", end.unwrap().port()));
    fs::read_to_string("/proc/net/tcp").unwrap().lines().any(|row| {
        let words: Vec<_> = row.split_whitespace().collect();
        matches!(words[..], [_, from, to, "04" | "0B" | "09", ..] if from.ends_with(&local) && to.ends_with(&remote))
    })
}

#[test]
fn a_peer_that_closes_before_it_has_all() {
    let folder = Folder::new(60_000); // few enough to wait in the kernel, too many for the peer's buffer
    for ends_first in [false, true] {
        let (target, listener) = narrow_listener();
        let closing = thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            if ends_first {
                peer.shutdown(Shutdown::Write).unwrap();
            }
            peer.read_exact(&mut [0; 100]).unwrap();
            eventually(|| has_ended(&peer), || "it has not ended".into());
        });
        let ran = send(&[&folder.source, &target]);
        closing.join().unwrap();
        ran.stopped(&by_sendfile(60_000), &format!("{target}: Connection reset by peer (ECONNRESET, os error 104)"));
    }
}

#[test]
fn a_peer_that_never_closes() {
    let folder = Folder::new(1000);
    // One that has not even accepted.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("tcp:{}", listener.local_addr().unwrap());
    send(&[&folder.source, &target]).sent_file(1000);
    let (mut peer, _) = listener.accept().unwrap();
    let mut bytes = Vec::new();
    peer.read_to_end(&mut bytes).unwrap();
    assert!(bytes == folder.bytes);

    // One that sends without an end.
    let sending = thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        while peer.write_all(&[0; 100_000]).is_ok() {}
        let mut bytes = Vec::new();
        let _ = peer.read_to_end(&mut bytes);
        bytes
    });
    send(&[&folder.source, &target]).sent_file(1000);
    assert!(sending.join().unwrap() == folder.bytes);
}

#[test]
fn a_peer_that_is_not_there() {
    let folder = Folder::new(1);
    // Bound, so that nobody else gets the port, and never listening.
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
    let target = format!("tcp:{}", SocketAddr::try_from(rustix::net::getsockname(&socket).unwrap()).unwrap());
    send(&[&folder.source, &target]).refused(&format!("{target}: Connection refused (ECONNREFUSED, os error 111)"));

    // A label of a name has 63 characters at most, so no server is asked.
    let target = format!("tcp:{}:80", "a".repeat(64));
    let ran = send(&[&folder.source, &target]);
    assert!(
        ran.stderr.starts_with(&format!("send: {target}: failed to lookup address information: ")),
        "{}",
        ran.stderr
    );
    assert_eq!((ran.status.code(), ran.stderr.lines().count()), (Some(1), 1));

    let target = "tcp:[::1]:0"; // well-formed, and no port to connect to
    assert_eq!(send(&[&folder.source, target]).status.code(), Some(1));
}

#[test]
fn a_standard_output_that_is_nonblocking_and_full() {
    let folder = Folder::new(1_000_000);
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    rustix::fs::fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    let mut command = command(&[&folder.source, "-", "--header", "a", "--trailer", "b"]);
    command.stdout(writer);
    let mut reader = File::from(reader);
    let slow = thread::spawn(move || {
        let mut bytes = Vec::new();
        // Only when the pipe is full, or the writer gone.
        while {
            sleep(Duration::from_millis(5));
            (&mut reader).take(60_000).read_to_end(&mut bytes).unwrap() > 0
        } {}
        bytes
    });
    run(command).sent("1000002 bytes: headers 1 written, file 1000000 by sendfile and 0 copied, trailers 1 written");
    assert!(slow.join().unwrap() == [b"a", &folder.bytes[..], b"b"].concat());
}

#[test]
fn arguments_that_are_wrong() {
    send(&[]).misused("SRC and DST are needed");
    send(&["a"]).misused("SRC and DST are needed");
    send(&["a", "b", "c"]).misused("unexpected argument \"c\"");
    send(&["--unknown", "a", "b"]).misused("invalid option '--unknown'");
    send(&["-x"]).misused("invalid option '-x'");
    send(&["a", "b", "--count"]).misused("missing argument for option '--count'");
    for option in ["--offset", "--count"] {
        for value in ["-1", "", "1k", "18446744073709551616"] {
            send(&[option, value, "a", "b"])
                .misused(&format!("{option}: {value:?} is not a number of bytes from 0 to 18446744073709551615"));
        }
    }
    send(&["-", "b"]).misused("SRC cannot be -: what is sent is a file");
    for target in ["tcp:", "tcp:localhost", "tcp:localhost:", "tcp:localhost:x", "tcp:localhost:65536", "tcp::80"] {
        send(&["a", target]).misused(&format!("{target}: not of the form tcp:HOST:PORT, with a PORT up to 65535"));
    }
    let folder = Folder::new(1);
    let mut command = command(&[&folder.source]);
    command.current_dir(folder.dir.path()).arg(OsString::from_vec(b"tcp:\xff:80".into()));
    run(command).misused("tcp:\u{fffd}:80: not of the form tcp:HOST:PORT, with a PORT up to 65535");
    assert_eq!(fs::read_dir(folder.dir.path()).unwrap().count(), 1);
}

#[test]
fn a_name_does_not_drive_the_terminal() {
    let folder = Folder::new(1);
    let missing = "No such file or directory (ENOENT, os error 2)";
    send(&["\x1b[31m\u{9b}2J\n'", "b"]).refused(&format!("\\u{{1b}}[31m\\u{{9b}}2J\\n': {missing}"));
    send(&[&folder.source, "\t/b"]).refused(&format!("\\t/b: {missing}"));
    send(&["--\x1b", "a", "b"]).misused("invalid option '--\\u{1b}'");
    // Nor is it overlooked.
    send(&["", "b"]).refused(&format!("'': {missing}"));
    send(&[&folder.source, ""]).refused(&format!("'': {missing}"));
}

#[test]
fn help_and_version() {
    let help = send(&["--help"]);
    assert_eq!((help.status.code(), &*help.stderr), (Some(0), ""));
    let text = String::from_utf8(help.stdout).unwrap();
    for word in ["SRC DST", "tcp:HOST:PORT", "--offset", "--count", "--header", "--trailer", "--fallback", "--version"]
    {
        assert!(text.contains(word), "{word}");
    }
    let version = send(&["--version"]);
    assert_eq!((version.status.code(), &*version.stderr), (Some(0), ""));
    assert_eq!(version.stdout, concat!("send ", env!("CARGO_PKG_VERSION"), "\n").as_bytes());

    let ran = send_after("exec >/dev/full", &["--help"]);
    ran.refused("standard output: No space left on device (ENOSPC, os error 28)");
}

#[test]
fn a_standard_error_that_is_closed_or_full_changes_nothing() {
    let folder = Folder::new(100);
    let target = folder.path("target");
    for before in ["exec 2>&-", "exec 2>/dev/full", "exec >&-", "exec >&- 2>&-"] {
        fs::write(&target, "").unwrap();
        assert_eq!(send_after(before, &[&folder.source, &target]).status.code(), Some(0), "{before}");
        assert_eq!(fs::read(&target).unwrap(), folder.bytes);
        assert_eq!(send_after(before, &[&target, &target]).status.code(), Some(1), "{before}");
        assert_eq!(send_after(before, &["--unknown"]).status.code(), Some(2), "{before}");
    }
}

#[test]
fn a_standard_output_that_is_closed_takes_nothing() {
    let folder = Folder::new(100);
    let closed = "standard output: Bad file descriptor (EBADF, os error 9)";
    for before in ["exec >&-", "exec <&- >&-"] {
        send_after(before, &[&folder.source, "-"]).refused(closed);
        send_after(before, &["--help"]).refused(closed);
    }
    // What stands in its place while the program runs is only what nobody asked for.
    send_after("exec >/dev/null", &[&folder.source, "-"]).sent_file(100);
    send_after("exec 1<>/dev/null", &[&folder.source, "-"]).sent_file(100);
}

/// What std opens in the place of a descriptor that was closed would give nothing, and take all.
#[test]
fn a_standard_descriptor_that_is_closed_is_no_file() {
    let folder = Folder::new(100);
    let target = folder.path("target");
    fs::write(&target, "kept").unwrap();
    let closed = "No such device or address (ENXIO, os error 6)";
    for (before, names) in [
        ("exec <&-", ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"]),
        ("exec >&-", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]),
        ("exec <&- >&-", ["/dev/stdin", "/dev/fd/0", "/dev/fd/1"]),
    ] {
        for name in names {
            send_after(before, &["--fallback", name, &target]).refused(&format!("{name}: {closed}"));
            send_after(before, &[&folder.source, name]).refused(&format!("{name}: {closed}"));
        }
    }
    for name in ["/dev/stderr", "/dev/fd/2"] {
        for args in [["--fallback", name, &target], ["--fallback", &folder.source, name]] {
            assert_eq!(send_after("exec 2>&-", &args).status.code(), Some(1), "{args:?}");
        }
    }
    assert_eq!(fs::read(&target).unwrap(), b"kept");

    // The device itself is what somebody asked for.
    send_after("exec <&- >&-", &["--fallback", &folder.source, "/dev/null"]).sent_file(100);
}

/// A file that cannot become shorter is overwritten, and then the rest of it stays.
#[test]
fn an_old_file_that_cannot_be_cut_is_incomplete() {
    use rustix::fs::{MemfdFlags, SealFlags};

    let folder = Folder::new(100);
    let memory = rustix::fs::memfd_create("old", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    rustix::io::write(&memory, &[b'x'; 500]).unwrap();
    rustix::fs::fcntl_add_seals(&memory, SealFlags::SHRINK).unwrap();
    let target = format!("/proc/{}/fd/{}", std::process::id(), memory.as_raw_fd());
    let refused = "Operation not permitted (EPERM, os error 1)";
    send(&[&folder.source, &target])
        .stopped(&by_sendfile(100), &format!("{target}: {refused}; {target} is incomplete"));
    // Nothing of it is lost.
    let empty = folder.path("empty");
    fs::write(&empty, "").unwrap();
    send(&[&empty, &target]).stopped(&by_sendfile(0), &format!("{target}: {refused}"));
}

/// Where no thread can be started, nobody waits for signals, and nobody draws.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn no_threads() {
    let folder = Folder::new(100);
    let target = folder.path("target");
    let refusing = |mut command: Command| {
        let filter = answering(&[libc::SYS_clone, libc::SYS_clone3], libc::EAGAIN);
        // SAFETY: the closure makes two system calls and allocates nothing.
        unsafe { command.pre_exec(move || seccompiler::apply_filter(&filter).map_err(std::io::Error::other)) };
        command
    };
    run(refusing(command(&[&folder.source, &target]))).sent_file(100);
    assert_eq!(fs::read(target).unwrap(), folder.bytes);

    // A signal still ends it, and so it does with a progress bar.
    fs::write(&folder.source, pattern(3_000_000)).unwrap();
    let (mut child, _peer, seen, _) = on_a_terminal(|target| refusing(command(&[&folder.source, target])), 0);
    seen.wait(|picture| picture.contains(" of 2.86 MiB"));
    kill(child.id(), libc::SIGINT);
    assert_eq!(wait(&mut child).signal(), Some(libc::SIGINT));
}

/// Where one thread can be started, it waits for signals, and the main thread draws.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn one_thread() {
    // More than the kernel takes from the program: while that only waits until the peer has all, nobody draws.
    let folder = Folder::sparse(64 << 20);
    LazyLock::force(&SEND); // not where threads are refused
    let mut threads = 0;
    let answer = |call: &calls::Call| match call.number {
        libc::SYS_clone3 => Some(-i64::from(libc::ENOSYS)), // the C library then takes clone, whose flags are an argument
        _ if call.arguments[0] & libc::CLONE_THREAD as u64 == 0 => None,
        _ => {
            threads += 1;
            // One here reads the terminal.
            (threads > 2).then_some(-i64::from(libc::EAGAIN))
        }
    };
    let (text, _) = calls::seen(&[libc::SYS_clone, libc::SYS_clone3], answer, || {
        let (mut child, mut peer, seen, _) = on_a_terminal(|target| command(&[&folder.source, target]), 0);
        peer.read_exact(&mut [0; 1 << 20]).unwrap();
        seen.wait(|picture| arrived(picture, "64.00").starts_with("1.0"));
        kill(child.id(), libc::SIGTERM);
        assert_eq!(wait(&mut child).signal(), Some(libc::SIGTERM));
        seen.all()
    });
    assert_eq!(threads, 3);
    assert!(text.contains("send: ended by signal 15 after "), "{text:?}");
}

/// Nobody can close DST without this error. The loader has one file open at a time, descriptor 3; then that is SRC.
fn failing_to_close(errno: i32) -> seccompiler::BpfProgram {
    use seccompiler::{SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule};

    let above = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Gt, 3).unwrap();
    let rules = [(libc::SYS_close, vec![SeccompRule::new(vec![above]).unwrap()])];
    filter(rules, SeccompAction::Errno(errno as u32), SeccompAction::Allow)
}

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn what_a_file_system_says_when_it_closes() {
    let folder = Folder::new(100);
    let target = folder.path("target");
    let sent = by_sendfile(100);
    let quota = "Disk quota exceeded (EDQUOT, os error 122)";
    let refusing = |args: &[&str]| {
        let filter = failing_to_close(libc::EDQUOT);
        let mut command = command(args);
        // SAFETY: the closure makes three system calls and allocates nothing. Nobody else sets the descriptors of the child.
        unsafe {
            command.pre_exec(move || {
                // What this process itself has inherited would take the numbers.
                libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
                seccompiler::apply_filter(&filter).map_err(std::io::Error::other)
            })
        };
        run(command)
    };
    for _ in ["new", "old"] {
        refusing(&[&folder.source, &target]).stopped(&sent, &format!("{target}: {quota}; {target} is incomplete"));
    }
    refusing(&[&folder.source, "-"]).stopped(&sent, &format!("standard output: {quota}"));
}

fn kill(id: u32, signal: i32) {
    // SAFETY: it touches no memory of this process.
    assert_eq!(unsafe { libc::kill(id as i32, signal) }, 0);
}

#[test]
fn a_signal_says_what_is_incomplete() {
    let folder = Folder::new(3_000_000);
    let fifo = folder.path("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let (tcp, listener) = narrow_listener();
    for (target, signal) in [(&fifo, libc::SIGINT), (&tcp, libc::SIGTERM), (&fifo, libc::SIGHUP)] {
        let mut command = command(&[&folder.source, target]);
        let mut child = command.spawn().unwrap();
        // Nobody reads more than this, so that it waits.
        let mut reader: Box<dyn Read> =
            if target == &fifo { Box::new(File::open(&fifo).unwrap()) } else { Box::new(listener.accept().unwrap().0) };
        reader.read_exact(&mut [0; 100]).unwrap();
        kill(child.id(), signal);
        let status = wait(&mut child);
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let (before, after) = said.split_once(" bytes; ").unwrap();
        assert_eq!(after, format!("{target} is incomplete\n"));
        assert!(before.starts_with(&format!("send: ended by signal {} after ", signal)), "{said}");
        assert_eq!(status.signal(), Some(signal));
        // What the kernel has of it still comes.
        reader.read_to_end(&mut Vec::new()).ok();
    }

    // Who ignores a signal still does.
    let received = thread::spawn(move || {
        let mut peer = listener.accept().unwrap().0;
        peer.read_exact(&mut [0; 100]).unwrap();
        peer
    });
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]).args(&*SEND).args([&folder.source, &tcp]);
    let mut child = shell.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut peer = received.join().unwrap();
    kill(child.id(), libc::SIGHUP);
    let mut rest = Vec::new();
    peer.read_to_end(&mut rest).unwrap();
    assert_eq!((wait(&mut child).code(), rest.len()), (Some(0), 3_000_000 - 100));
}

/// A new DST is there before its first byte is.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user has no seccomp")]
fn a_signal_says_that_a_new_file_is_incomplete() {
    let folder = Folder::new(100);
    LazyLock::force(&SEND); // building it asks for the lengths of many files
    let target = folder.path("target");
    let (tell, told) = mpsc::channel();
    let answer = |_: &calls::Call| {
        if Path::new(&target).exists() {
            kill(told.recv().unwrap(), libc::SIGTERM);
            told.recv().unwrap(); // it has ended
        }
        None
    };
    let (said, _) = calls::seen(&[libc::SYS_statx], answer, || {
        let mut child = command(&[&folder.source, &target]).spawn().unwrap();
        tell.send(child.id()).unwrap();
        assert_eq!(wait(&mut child).signal(), Some(libc::SIGTERM));
        tell.send(0).unwrap();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said
    });
    assert_eq!(said, format!("send: ended by signal 15 after 0 bytes; {target} is incomplete\n"));
}

/// To the first process of a container the kernel delivers no signal whose action is the default one.
#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user waits there for the signal that is to end it")]
fn a_signal_ends_the_first_process_of_a_container() {
    // The shell itself stays outside. Its first child is that process.
    let Some(mut shell) = unshare("--pid", "true", "\"$@\" & echo $!; wait $!", "sh") else {
        return not_checked("nobody here may make a PID namespace");
    };
    let folder = Folder::new(3_000_000);
    let (target, listener) = narrow_listener();
    let mut shell = shell.args(&*SEND).args([&folder.source, &target]).spawn().unwrap();
    let mut peer = listener.accept().unwrap().0;
    peer.read_exact(&mut [0; 100]).unwrap();
    let mut id = String::new();
    BufReader::new(shell.stdout.take().unwrap()).read_line(&mut id).unwrap();
    kill(id.trim().parse().unwrap(), libc::SIGTERM);
    let mut stderr = BufReader::new(shell.stderr.take().unwrap());
    let mut said = String::new();
    stderr.read_line(&mut said).unwrap();
    assert!(said.starts_with("send: ended by signal 15 after "), "{said}");
    assert!(said.ends_with(&format!(" bytes; {target} is incomplete\n")), "{said}");
    // It does not go on when it could.
    peer.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(wait(&mut shell).code(), Some(128 + libc::SIGTERM));
    stderr.read_line(&mut said).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
}

/// A terminal: what its user sees, and the program's end of it.
fn terminal() -> (File, OwnedFd) {
    let screen = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    rustix::pty::grantpt(&screen).unwrap();
    rustix::pty::unlockpt(&screen).unwrap();
    let path = rustix::pty::ptsname(&screen, Vec::new()).unwrap();
    let end = rustix::fs::open(path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    (File::from(screen), end)
}

/// The program on a terminal of so many columns (0 if it does not know), connected to a narrow peer: both, what is seen, and DST.
fn on_a_terminal(command: impl FnOnce(&str) -> Command, columns: u16) -> (Child, TcpStream, Seen, String) {
    let (screen, end) = terminal();
    let size = rustix::termios::Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&end, size).unwrap();
    let seen = Seen::of(screen);
    let (target, listener) = narrow_listener();
    let child = command(&target).env("TERM", "xterm").stderr(end).spawn().unwrap();
    (child, listener.accept().unwrap().0, seen, target)
}

/// What is seen on a terminal.
struct Seen {
    text: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

impl Seen {
    fn of(mut screen: File) -> Self {
        let text = Arc::<Mutex<String>>::default();
        let to = text.clone();
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            // A terminal whose other side is closed ends with EIO.
            while let Ok(count @ 1..) = screen.read(&mut buffer) {
                to.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        });
        Self { text, reader }
    }

    /// So far.
    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// All, when the program has ended.
    fn all(self) -> String {
        self.reader.join().unwrap();
        self.text.lock().unwrap().clone()
    }

    /// The pictures of the progress bar.
    fn pictures(&self) -> Vec<String> {
        self.text().split(['\r', '\n']).filter(|line| line.contains(" MiB")).map(String::from).collect()
    }

    /// Waits until there is a picture of which this is true.
    #[track_caller]
    fn wait(&self, condition: impl Fn(&str) -> bool) {
        eventually(|| self.pictures().iter().any(|picture| condition(picture)), || format!("{:?}", self.text()));
    }
}

/// The MiB that have arrived in a picture of a bar of so many.
fn arrived<'a>(picture: &'a str, of: &str) -> &'a str {
    let (arrived, _) = picture.split_once(&format!(" MiB of {of} MiB")).unwrap_or_default();
    arrived.trim_start_matches("\x1b[2K")
}

#[test]
fn a_progress_bar_on_a_terminal() {
    let folder = Folder::new(5 << 20);
    let start = Instant::now();
    let (mut child, mut peer, seen, _) = on_a_terminal(|target| command(&[&folder.source, target, "--header", "a"]), 0);
    let mut bytes = vec![0; 1 << 20];
    peer.read_exact(&mut bytes).unwrap();
    // What has arrived, not what waits in the kernel.
    seen.wait(|picture| arrived(picture, "5.00").starts_with("1.0"));
    // For two seconds nobody knows how long the rest takes. The first picture is drawn before the first byte, however slow the machine is.
    let mut early = seen.pictures();
    if start.elapsed() >= Duration::from_secs(2) {
        early.truncate(1);
    }
    assert!(early.iter().all(|picture| !picture.contains("left") && !picture.contains("/s")), "{early:?}");
    // The peer reads no more for now. The picture goes on.
    seen.wait(|picture| picture.contains("/s, ") && picture.contains(" left"));
    let rate = |picture: &str| picture.split_once("/s, ").map(|(start, _)| start.to_owned());
    let first = seen.pictures().iter().rev().find_map(|picture| rate(picture)).unwrap();
    seen.wait(|picture| rate(picture).is_some_and(|rate| rate != first));
    peer.read_to_end(&mut bytes).unwrap();
    assert_eq!(wait(&mut child).code(), Some(0));
    assert!(bytes == [b"a", &folder.bytes[..]].concat());

    // It is wiped out, and one line remains.
    let text = seen.all();
    let (_, last) = text.rsplit_once("\r\x1b[2K").unwrap();
    assert!(last.starts_with("sent 5242881 bytes: headers 1 written, file 5242880 by sendfile"), "{last:?}");
    assert!(last.ends_with("B/s\r\n") && !last.contains('\x1b'), "{last:?}");
}

/// Another thread draws the progress bar there. No signal ends the program behind the back of the one that says so.
#[test]
fn a_signal_on_a_terminal_says_what_is_incomplete() {
    let folder = Folder::new(3_000_000);
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        let (mut child, mut peer, seen, target) = on_a_terminal(|target| command(&[&folder.source, target]), 0);
        peer.read_exact(&mut [0; 100]).unwrap();
        kill(child.id(), signal);
        assert_eq!(wait(&mut child).signal(), Some(signal));
        let seen = seen.all();
        // The bar is wiped out before.
        let (_, said) = seen.rsplit_once("\r\x1b[2K").unwrap();
        assert!(said.starts_with(&format!("send: ended by signal {signal} after ")), "{seen:?}");
        assert!(said.ends_with(&format!(" bytes; {target} is incomplete\r\n")), "{seen:?}");
    }
}

/// Whether it has closed its connection, and waits.
fn has_disconnected(id: u32) -> bool {
    let is_socket = |link: PathBuf| link.to_str().unwrap().starts_with("socket:");
    let mut descriptors = fs::read_dir(format!("/proc/{id}/fd")).unwrap();
    let connected = descriptors.any(|entry| fs::read_link(entry.unwrap().path()).is_ok_and(is_socket));
    !connected && fs::read_to_string(format!("/proc/{id}/stat")).unwrap().contains(") S ")
}

/// Ctrl-S keeps the bar from being drawn. It keeps neither the bytes from being sent nor the program from being ended.
#[test]
fn a_terminal_that_stands_still() {
    let folder = Folder::new(3_000_000);
    for all in [false, true] {
        let (mut child, mut peer, seen, _) = on_a_terminal(|target| command(&[&folder.source, target]), 0);
        peer.read_exact(&mut [0; 100]).unwrap(); // by then there is a picture
        let id = child.id();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let terminal = rustix::fs::open(format!("/proc/{id}/fd/2"), flags, Mode::empty()).unwrap();
        rustix::termios::tcflow(&terminal, Action::OOff).unwrap();
        drop(terminal);
        if all {
            peer.set_read_timeout(Some(HANGS)).unwrap();
            let mut bytes = Vec::new();
            peer.read_to_end(&mut bytes).unwrap();
            assert!(bytes == folder.bytes[100..]);
            // It waits for the terminal. Nothing is incomplete.
            eventually(|| has_disconnected(id), || "it does not wait".into());
            kill(id, libc::SIGTERM);
        } else {
            // The first signal waits for the terminal, to say what is incomplete, and the second one for nothing.
            let mut ended = || {
                kill(id, libc::SIGTERM);
                child.try_wait().unwrap().is_some()
            };
            eventually(&mut ended, || "it goes on".into());
        }
        assert_eq!(wait(&mut child).signal(), Some(libc::SIGTERM));
        let text = seen.all();
        assert!(!text.contains("send: ") && !text.contains("sent "), "{text:?}");
    }
}

#[test]
fn a_progress_bar_fits_the_terminal() {
    let folder = Folder::new(2 << 20);
    let fits = |columns: u16| {
        let (mut child, mut peer, seen, _) = on_a_terminal(|target| command(&[&folder.source, target]), columns);
        peer.read_exact(&mut [0; 1 << 20]).unwrap();
        // Until there are estimates, which make it longest.
        if columns >= 74 {
            seen.wait(|picture| picture.contains(" left"));
        } else {
            // They are left out here, so there is no picture to wait for. If this is too short, the bar is merely shorter.
            sleep(Duration::from_millis(2500));
        }
        peer.read_to_end(&mut Vec::new()).unwrap();
        assert_eq!(wait(&mut child).code(), Some(0));
        let seen = seen.all();
        let bar = seen[..seen.find("sent ").unwrap()].replace("\x1b[2K", "");
        for picture in bar.split('\r') {
            assert!(!picture.contains(['\x1b', '\n']), "{columns}: {bar:?}");
            assert!(picture.chars().count() <= usize::from(columns), "{columns}: {picture:?}");
        }
        assert!(columns >= 74 || !bar.contains(" left"), "{columns}: {bar:?}");
    };
    thread::scope(|scope| {
        for columns in [1, 2, 10, 25, 40, 74, 75, 200] {
            scope.spawn(move || fits(columns));
        }
    });
}

#[test]
fn no_progress_bar_on_the_terminal_that_gets_the_bytes() {
    let folder = Folder::new(0);
    fs::write(&folder.source, "text\n").unwrap();
    let (screen, end) = terminal();
    let name = rustix::termios::ttyname(&end, Vec::new()).unwrap().into_string().unwrap();
    let mut command = command(&["--fallback", &folder.source, &name]);
    command.env("TERM", "xterm").stderr(end);
    assert_eq!(run(command).status.code(), Some(0));
    let seen = String::from_utf8(read_all(screen).join().unwrap()).unwrap();
    assert!(seen.starts_with("text\r\nsent 5 bytes: ") && !seen.contains('\x1b'), "{seen:?}");
}

#[test]
fn a_terminal_above_two_gib() {
    let folder = Folder::new(0);
    let mut source = File::options().write(true).open(&folder.source).unwrap();
    source.seek(SeekFrom::Start(3 << 30)).unwrap(); // sparse
    source.write_all(b"text\n").unwrap();
    let (screen, end) = terminal();
    let name = rustix::termios::ttyname(&end, Vec::new()).unwrap().into_string().unwrap();
    let offset = (3_u64 << 30).to_string();
    let ran = send(&["--offset", &offset, &folder.source, &name]);
    // Kernels before 6.5 or so refuse terminals in another way.
    assert!(ran.stderr.ends_with("; --fallback copies through a buffer instead\n"), "{}", ran.stderr);
    assert_eq!(ran.status.code(), Some(1));
    assert_eq!(send(&["--fallback", "--offset", &offset, &folder.source, &name]).status.code(), Some(0));
    drop(end);
    assert_eq!(read_all(screen).join().unwrap(), b"text\r\n");
}

#[test]
fn no_progress_bar_among_the_bytes() {
    let folder = Folder::new(0);
    fs::write(&folder.source, "text\n").unwrap();
    let (screen, end) = terminal();
    let mut command = command(&[&folder.source, "-"]);
    command.env("TERM", "xterm").stdout(end.as_fd().try_clone_to_owned().unwrap()).stderr(end);
    assert_eq!(run(command).status.code(), Some(0));
    let seen = String::from_utf8(read_all(screen).join().unwrap()).unwrap();
    assert!(seen.starts_with("text\r\nsent 5 bytes: "), "{seen:?}");
    assert!(!seen.contains('\x1b'), "{seen:?}");
}

#[test]
fn a_path_may_look_like_anything() {
    let folder = Folder::new(10);
    let send_in = |target: &str| {
        let mut command = command(&["source", target]);
        command.current_dir(folder.dir.path());
        let ran = run(command);
        assert_eq!(ran.status.code(), Some(0), "{}", ran.stderr);
    };
    for name in ["-", "tcp:a:1", "-x", "\u{1f980}"] {
        send_in(&format!("./{name}"));
        assert_eq!(fs::read(folder.dir.path().join(name)).unwrap(), folder.bytes);
    }
}
