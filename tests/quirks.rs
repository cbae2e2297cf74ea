//! The results of sendfile, read, write and splice on every kind of file, on the kernel that runs: the two tables behind the rules of
//! the fallback (E of docs/semantics.md). The tables are printed. On a kernel with a recorded table (tests/quirks/MAJOR.MINOR.txt) a
//! cell that differs is a failure; on any other kernel there is nothing to compare with, and the test says so.
//!
//! QUIRKS_RECORD=PATH writes the tables to PATH, to be recorded: put the file in tests/quirks and its name in [`RECORDED`].
//! tests/kernel leaves those of its machines in target/kernel/NAME.quirks.
//!
//! A row that cannot be had (no root to mount, no mkfs, no such file) is left out of the comparison, and named.
#![cfg(target_os = "linux")]

mod common;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bare_sendfile::{Count, Errno, SigpipeGuard, StreamCopy, Transfer, sendfile};
use common::streams::{signalfd, stream, timerfd, unix};
use common::{fd, fd_of_std, memfd, mount_no_device, mounts_of_its_own, pattern, pipe, say, tcp};
use rustix::fs::MemfdFlags;

/// The recorded tables by kernel.
const RECORDED: &[(&str, &str)] = &[
    ("5.10", include_str!("quirks/5.10.txt")),
    ("6.1", include_str!("quirks/6.1.txt")),
    ("6.12", include_str!("quirks/6.12.txt")),
    ("6.18", include_str!("quirks/6.18.txt")),
];

/// Table, row and column to what the kernel said: `ok` (bytes moved), `0`, or the error.
type Cells = BTreeMap<(&'static str, String, &'static str), String>;

/// The system calls, as columns; @0 is with an offset.
const INPUT_COLUMNS: [&str; 8] = ["socket", "socket@0", "file", "pipe", "pipe@0", "splice", "pread", "read"];
const OUTPUT_COLUMNS: [&str; 3] = ["sendfile", "write", "splice"];

#[test]
#[cfg_attr(qemu_user, ignore = "qemu-user answers for some files itself, and for the rest it is the host's kernel")]
fn e1_e2_the_tables_are_as_recorded() {
    // In a thread of its own, with mounts of its own if that is allowed.
    let cells = thread::spawn(measure).join().unwrap();
    let (major, minor) = common::linux();
    let kernel = format!("{major}.{minor}");
    let table = print(&kernel, &cells);
    say(&table);
    if let Ok(path) = std::env::var("QUIRKS_RECORD") {
        std::fs::write(path, &table).unwrap();
    }
    for row in ["memfd", "/proc/self/limits", "pipe", "unix", "TCP", "eventfd"] {
        assert!(cells.contains_key(&("in", row.to_owned(), "read")), "{row} can be had everywhere");
    }
    let Some((_, recorded)) = RECORDED.iter().find(|(name, _)| *name == kernel) else {
        return say(&format!("not recorded: kernel {kernel}"));
    };
    let recorded = parse(recorded);
    for (cell, value) in cells.iter().filter(|(cell, _)| !recorded.contains_key(cell)) {
        say(&format!("not recorded: {cell:?} {value}"));
    }
    for (table, row, column) in recorded.keys().filter(|cell| !cells.contains_key(cell)) {
        if [INPUT_COLUMNS[0], OUTPUT_COLUMNS[0]].contains(column) {
            say(&format!("not to be had here: {table} {row}"));
        }
    }
    let differences = differences(&recorded, &cells);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The cells that are in both and not the same, with both values. What is only in one is no difference: kernels of one version
/// have not the same file systems on every processor.
fn differences(recorded: &Cells, cells: &Cells) -> Vec<String> {
    let values = cells.iter().filter_map(|(cell, value)| Some((cell, recorded.get(cell)?, value)));
    let different = values.filter(|(_, before, value)| before != value);
    different.map(|(cell, before, value)| format!("{cell:?}: recorded {before}, now {value}")).collect()
}

#[test]
fn a_cell_that_differs_is_a_failure_and_a_row_that_is_missing_is_not() {
    let recorded = parse(
        "# Linux\nin     socket\nmemfd  ok ok ok ok ok ok ok ok\nout    sendfile\nmemfd  ok ok ok\nfuse   ok ok ok\n",
    );
    let row = |name: &str, value: &str| (("out", name.to_owned(), "write"), value.to_owned());
    assert_eq!(recorded.len(), 8 + 3 + 3);
    assert_eq!(differences(&recorded, &recorded), [""; 0]);
    assert_eq!(differences(&recorded, &[row("memfd", "ok"), row("ext4", "EIO")].into()), [""; 0]);
    let different = [r#"("out", "memfd", "write"): recorded ok, now EIO"#];
    assert_eq!(differences(&recorded, &[row("memfd", "EIO"), row("fuse", "ok")].into()), different);
}

/// Whether what was sent is the file's own page, or was copied from it: `send` passes 6 bytes of the file on, the file is written
/// to, and then the receiver looks.
fn pages(send: impl FnOnce(&File) -> File) -> &'static str {
    let source = common::file(b"before");
    let mut end = send(&source);
    std::os::unix::fs::FileExt::write_all_at(&source, b"after!", 0).unwrap();
    let mut received = [0; 6];
    io::Read::read_exact(&mut end, &mut received).unwrap();
    match &received {
        b"after!" => "shared",
        b"before" => "copied",
        other => panic!("neither: {other:?}"),
    }
}

/// A kernel on which one of them is copied would make the warnings of the documentation wrong: they say what is measured here.
#[test]
fn b5_which_calls_share_the_pages_of_the_file() {
    let spliced = |source: &File| {
        let (out, end) = pipe();
        let flags = rustix::pipe::SpliceFlags::empty();
        assert_eq!(rustix::pipe::splice(fd_of_std(source), Some(&mut 0), &out, None, 6, flags), Ok(6));
        end
    };
    let mut found = vec![("splice to a pipe".to_owned(), pages(spliced))];
    for name in ["pipe", "unix", "TCP"] {
        let sent = |send: &dyn Fn(&File, &File)| {
            pages(|source| {
                let (out, end) = stream(name);
                send(&out, source);
                end
            })
        };
        let kind = sent(&|out, source| assert_eq!(sendfile(fd(out), fd(source), Some(&mut 0), 6), Ok(6)));
        found.push((format!("sendfile to {name}"), kind));
        // What was spliced into a pipe stays what it is when it is spliced on.
        let kind = sent(&|out, source| {
            StreamCopy::new(Count::Bytes(6), []).send_all(fd(out), fd(&spliced(source))).unwrap();
        });
        found.push((format!("StreamCopy to {name}"), kind));
        let kind = sent(&|out, source| {
            let mut transfer = Transfer::new(0, Count::Bytes(6), &[], &[]).unwrap().copying();
            transfer.send_all(fd(out), fd(source), &[], &[], &mut [0; 6]).unwrap();
        });
        found.push((format!("copying to {name}"), kind));
    }
    for (what, kind) in &found {
        say(&format!("pages: {what}: {kind}"));
    }
    let wanted = |what: &str| match what {
        // It goes through another pipe there, and is written to this one.
        "sendfile to pipe" if common::linux() < (5, 12) => "copied",
        _ if what.starts_with("copying") => "copied",
        _ => "shared",
    };
    let different: Vec<_> = found.iter().filter(|(what, kind)| *kind != wanted(what)).collect();
    assert!(different.is_empty(), "the documentation says otherwise: {different:?}");
    assert_eq!(found.len(), 10);
}

fn columns(table: &str) -> &'static [&'static str] {
    if table == "in" { &INPUT_COLUMNS } else { &OUTPUT_COLUMNS }
}

/// The tables as text, and as they are recorded.
fn print(kernel: &str, cells: &Cells) -> String {
    let mut text = format!("# Linux {kernel} {}\n", std::env::consts::ARCH);
    for table in ["in", "out"] {
        let mut line = |name: &str, values: &mut dyn Iterator<Item = &str>| {
            let values: Vec<_> = values.map(|value| format!("{value:<15}")).collect();
            text += format!("{name:<31} {}", values.join(" ")).trim_end();
            text += "\n";
        };
        line(table, &mut columns(table).iter().copied());
        let mut rows: Vec<_> = cells.keys().filter(|cell| cell.0 == table).map(|cell| &cell.1).collect();
        rows.dedup();
        for row in rows {
            let value = |column: &&'static str| cells[&(table, row.clone(), *column)].as_str();
            line(row, &mut columns(table).iter().map(value));
        }
    }
    text
}

fn parse(text: &str) -> Cells {
    let mut cells = Cells::new();
    let mut table = "";
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (row, values) = line.split_once(' ').unwrap();
        match ["in", "out"].into_iter().find(|name| *name == row) {
            Some(name) => table = name,
            None => {
                for (column, value) in columns(table).iter().zip(values.split_whitespace()) {
                    cells.insert((table, row.to_owned(), column), value.to_owned());
                }
            }
        }
    }
    cells
}

/// An opened file, with what has to stay open beside it.
struct Opened {
    file: File,
    _others: Vec<File>,
    /// What can be read, if that is certain.
    contents: Option<Vec<u8>>,
}

impl From<File> for Opened {
    fn from(file: File) -> Self {
        Self { file, _others: Vec::new(), contents: None }
    }
}

impl Opened {
    fn with(file: impl Into<OwnedFd>, other: impl Into<OwnedFd>) -> io::Result<Self> {
        Ok(Self { file: file.into().into(), _others: vec![other.into().into()], contents: None })
    }
}

/// What a call returned, as a cell, after a comparison of what it moved with what it should have.
fn cell(result: Result<usize, i32>) -> String {
    match result {
        Ok(0) => "0".to_owned(),
        Ok(_) => "ok".to_owned(),
        Err(number) => {
            let errno = Errno::from_raw_os_error(number).unwrap();
            errno.name().map_or(format!("E{number}"), str::to_owned)
        }
    }
}

fn raw(result: Result<usize, Errno>) -> Result<usize, i32> {
    result.map_err(Errno::raw_os_error)
}

fn std_raw<T>(result: Result<T, rustix::io::Errno>) -> Result<T, i32> {
    result.map_err(rustix::io::Errno::raw_os_error)
}

/// The table's rows are added to `cells`, except those that cannot be had.
struct Tables {
    cells: Cells,
}

impl Tables {
    fn input(&mut self, name: &str, open: impl Fn() -> io::Result<Opened>) {
        const COUNT: usize = 256;
        for (column, name_of_column) in INPUT_COLUMNS.into_iter().enumerate() {
            // A new one for every call: most of them change with being read.
            let input = match open() {
                Ok(input) => input,
                Err(error) => return say(&format!("not to be had here: in {name}: {error}")),
            };
            let from = fd(&input.file);
            let mut moved = [0; COUNT];
            let result = match column {
                0..=4 => {
                    let (out, mut end): (File, File) = match column {
                        0 | 1 => stream("unix"),
                        2 => {
                            let out = memfd(0);
                            let again = File::open(format!("/proc/self/fd/{}", out.as_raw_fd())).unwrap();
                            (out, again)
                        }
                        _ => pipe(),
                    };
                    let mut zero = 0;
                    let offset = if [1, 4].contains(&column) { Some(&mut zero) } else { None };
                    let result = raw(sendfile(fd(&out), from, offset, COUNT));
                    if let Ok(n) = result {
                        io::Read::read_exact(&mut end, &mut moved[..n]).unwrap();
                    }
                    result
                }
                5 => {
                    let (out, mut end) = pipe();
                    let flags = rustix::pipe::SpliceFlags::empty();
                    let result = std_raw(rustix::pipe::splice(fd_of_std(&input.file), None, &out, None, COUNT, flags));
                    if let Ok(n) = result {
                        io::Read::read_exact(&mut end, &mut moved[..n]).unwrap();
                    }
                    result
                }
                6 => std_raw(rustix::io::pread(fd_of_std(&input.file), &mut moved[..], 0)),
                _ => std_raw(rustix::io::read(fd_of_std(&input.file), &mut moved[..])),
            };
            if let (Ok(n), Some(contents)) = (result, &input.contents) {
                assert_eq!(moved[..n], contents[..n], "{name} {name_of_column}");
            }
            self.cells.insert(("in", name.to_owned(), name_of_column), cell(result));
        }
    }

    fn output(&mut self, name: &str, open: impl Fn() -> io::Result<Opened>) {
        let bytes = *b"0123456789abcdef";
        for column in OUTPUT_COLUMNS {
            let out = match open() {
                Ok(out) => out,
                Err(error) => return say(&format!("not to be had here: out {name}: {error}")),
            };
            let to = fd_of_std(&out.file);
            let guard = SigpipeGuard::new().unwrap();
            let result = match column {
                "sendfile" => {
                    let input = common::file(&bytes);
                    raw(sendfile(fd(&out.file), fd(&input), Some(&mut 0), bytes.len()))
                }
                "write" => std_raw(rustix::io::write(to, &bytes)),
                _ => {
                    let (mut feeder, input) = pipe();
                    feeder.write_all(&bytes).unwrap();
                    let flags = rustix::pipe::SpliceFlags::empty();
                    std_raw(rustix::pipe::splice(&input, None, to, None, bytes.len(), flags))
                }
            };
            let mut value = cell(result);
            if sigpipe_is_pending() {
                value += "+SIGPIPE";
            }
            drop(guard);
            self.cells.insert(("out", name.to_owned(), column), value);
        }
    }

    /// A file of a file system, as input and as output.
    fn directory(&mut self, name: &str, directory: &Path, read_only: bool) {
        let path = directory.join("file");
        if !read_only {
            if let Err(error) = std::fs::write(&path, pattern(10_000)) {
                return say(&format!("not to be had here: {name}: {error}"));
            }
        }
        self.input(name, || {
            Ok(Opened { file: File::open(&path)?, _others: Vec::new(), contents: Some(pattern(10_000)) })
        });
        self.input(&format!("{name}:directory"), || Ok(File::open(directory)?.into()));
        if !read_only {
            self.output(name, || Ok(File::create(directory.join("out"))?.into()));
            self.output(&format!("{name}:O_APPEND"), || {
                Ok(OpenOptions::new().create(true).append(true).open(directory.join("out"))?.into())
            });
        }
    }
}

fn sigpipe_is_pending() -> bool {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: sigpending fills the set, which sigismember reads.
    unsafe {
        assert_eq!(libc::sigpending(set.as_mut_ptr()), 0);
        libc::sigismember(set.as_ptr(), libc::SIGPIPE) == 1
    }
}

fn measure() -> Cells {
    let mut tables = Tables { cells: Cells::new() };
    let scratch = tempfile::tempdir().unwrap();
    inputs(&mut tables, scratch.path());
    outputs(&mut tables);
    file_systems(&mut tables, scratch.path());
    tables.cells
}

fn inputs(tables: &mut Tables, scratch: &Path) {
    for path in [
        "/proc/version",
        "/proc/sys/kernel/osrelease",
        "/proc/self/limits",
        "/proc/self/maps",
        "/proc/self/cmdline",
        "/proc/self/environ",
        "/proc/self/status",
        "/proc/self/mountinfo",
        "/proc/config.gz",
        "/sys/devices/system/cpu/online",
        "/sys/kernel/notes",
        "/dev/zero",
        "/dev/urandom",
        "/dev/null",
    ] {
        tables.input(path, || Ok(File::open(path)?.into()));
    }
    tables.input("memfd", || {
        let file = memfd(0);
        rustix::io::pwrite(&file, &pattern(10_000), 0)?;
        Ok(Opened { file, _others: Vec::new(), contents: Some(pattern(10_000)) })
    });
    tables.input("memfd:hugetlb", || {
        let file = File::from(rustix::fs::memfd_create("huge", MemfdFlags::CLOEXEC | MemfdFlags::HUGETLB)?);
        file.set_len(2 << 20)?;
        Ok(Opened { file, _others: Vec::new(), contents: Some(vec![0; 2 << 20]) })
    });
    for name in ["pipe", "unix", "TCP", "tty", "ptmx"] {
        tables.input(name, || {
            let (mut feeder, input) = stream(name);
            feeder.write_all(&[1; 100])?;
            Opened::with(input, feeder)
        });
    }
    let eventfd = || rustix::event::eventfd(1, rustix::event::EventfdFlags::CLOEXEC);
    tables.input("eventfd", || Ok(File::from(eventfd()?).into()));
    tables.input("timerfd", || Ok(timerfd()?.into()));
    tables.input("signalfd", || Ok(signalfd()?.into()));
    tables.input("inotify", || {
        use rustix::fs::inotify;
        let input = inotify::init(inotify::CreateFlags::CLOEXEC)?;
        inotify::add_watch(&input, scratch, inotify::WatchFlags::CREATE)?;
        let path = scratch.join("new");
        File::create(&path)?;
        std::fs::remove_file(path)?;
        Ok(File::from(input).into())
    });
    let file = scratch.join("input");
    std::fs::write(&file, pattern(1000)).unwrap();
    tables.input("O_PATH", || Ok(open_path(&file)?.into()));
    tables.input("O_WRONLY", || Ok(OpenOptions::new().write(true).open(&file)?.into()));
    // Detached: mounted nowhere.
    tables.input("cgroup2", || {
        use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};
        let context = rustix::mount::fsopen("cgroup2", FsOpenFlags::FSOPEN_CLOEXEC)?;
        rustix::mount::fsconfig_create(&context)?;
        let root = rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
        let file = rustix::fs::openat(&root, "cgroup.procs", flags, rustix::fs::Mode::empty())?;
        Ok(File::from(file).into())
    });
}

fn outputs(tables: &mut Tables) {
    let sealed = |seal| {
        let file = File::from(rustix::fs::memfd_create("sealed", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
        rustix::fs::fcntl_add_seals(&file, seal)?;
        io::Result::Ok(Opened::from(file))
    };
    tables.output("memfd", || Ok(memfd(0).into()));
    tables.output("memfd:F_SEAL_WRITE", || sealed(rustix::fs::SealFlags::WRITE));
    tables.output("memfd:F_SEAL_GROW", || sealed(rustix::fs::SealFlags::GROW));
    for path in ["/dev/null", "/dev/zero", "/dev/full", "/proc/thread-self/comm", "/proc/thread-self/oom_score_adj"] {
        tables.output(path, || Ok(OpenOptions::new().write(true).open(path)?.into()));
    }
    // `stream` has the name of the end to read from.
    for (name, open) in [("pipe", "pipe"), ("unix", "unix"), ("TCP", "TCP"), ("tty", "ptmx"), ("ptmx", "tty")] {
        tables.output(name, || {
            let (out, end) = stream(open);
            Opened::with(out, end)
        });
    }
    tables.output("pipe:no-reader", || Ok(pipe().0.into()));
    tables.output("unix:closed", || Ok(stream("unix").0.into()));
    for (name, kind) in [("unix:datagram", libc::SOCK_DGRAM), ("unix:seqpacket", libc::SOCK_SEQPACKET)] {
        tables.output(name, || {
            let (out, end) = unix(kind);
            Opened::with(out, end)
        });
    }
    tables.output("UDP", || {
        let (out, end) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
        out.connect(end.local_addr()?)?;
        Opened::with(out, end)
    });
    tables.output("TCP:shut", || {
        let (out, end) = tcp();
        out.shutdown(std::net::Shutdown::Write)?;
        Opened::with(out, end)
    });
    tables.output("TCP:unconnected", || {
        let (inet, stream) = (rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM);
        Ok(File::from(rustix::net::socket(inet, stream, None)?).into())
    });
    tables.output("TCP:listening", || Ok(File::from(OwnedFd::from(TcpListener::bind("127.0.0.1:0")?)).into()));
    tables.output("eventfd", || {
        let eventfd = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC)?;
        Ok(File::from(eventfd).into())
    });
    tables.output("O_RDONLY", || Ok(File::open("/dev/null")?.into()));
    tables.output("O_PATH", || Ok(open_path(Path::new("/dev/null"))?.into()));
}

/// Opened with `O_PATH`, which std takes for an access mode where the C library is musl, and leaves out.
fn open_path(path: &Path) -> std::io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};
    Ok(open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?.into())
}

/// A file system that is unmounted, and its server ended, on drop.
struct Mounted {
    at: PathBuf,
    server: Option<Child>,
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.at, rustix::mount::UnmountFlags::empty());
        if let Some(server) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// Runs a program to its end; what it said if it failed.
fn run(program: &str, arguments: &[&str]) -> io::Result<()> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()))),
    }
}

/// The file system of the temporary directory, and all that can be mounted.
fn file_systems(tables: &mut Tables, scratch: &Path) {
    let here = rustix::fs::statfs(scratch).unwrap().f_type as u64;
    let name = match here {
        0xef53 => "ext4",
        0x0102_1994 => "tmpfs",
        0x8584_58f6 => "ramfs",
        0x794c_7630 => "overlay",
        0x5846_5342 => "xfs",
        0x9123_683e => "btrfs",
        _ => "unknown",
    };
    let directory = scratch.join("here");
    std::fs::create_dir(&directory).unwrap();
    tables.directory(name, &directory, false);
    if let Err(error) = mounts_of_its_own() {
        return say(&format!("no other file systems: {error}"));
    }
    for name in ["tmpfs", "ramfs", "overlay", "ext4", "xfs", "btrfs", "squashfs", "fuse"] {
        match mount(name, scratch) {
            Ok(mounted) => tables.directory(name, &mounted.at, name == "squashfs"),
            Err(error) => say(&format!("not to be had here: {name}: {error}")),
        }
    }
}

fn mount(name: &str, scratch: &Path) -> io::Result<Mounted> {
    let path = |what: &str| scratch.join(format!("{name}.{what}")).to_str().unwrap().to_owned();
    let (at, image, source) = (path("mounted"), path("image"), path("source"));
    std::fs::create_dir(&at)?;
    let image_of = |bytes| File::create(&image)?.set_len(bytes);
    let mut server = None;
    match name {
        "tmpfs" | "ramfs" => mount_no_device(name, &at, "")?,
        "overlay" => {
            let (lower, upper, work) = (path("lower"), path("upper"), path("work"));
            for directory in [&lower, &upper, &work] {
                std::fs::create_dir(directory)?;
            }
            mount_no_device(name, &at, &format!("lowerdir={lower},upperdir={upper},workdir={work}"))?;
        }
        "squashfs" => {
            std::fs::create_dir(&source)?;
            std::fs::write(Path::new(&source).join("file"), pattern(10_000))?;
            run("mksquashfs", &[&source, &image, "-quiet", "-no-progress"])?;
            run("mount", &["-t", name, "-o", "loop,ro", &image, &at])?;
        }
        "fuse" => {
            image_of(8 << 20)?;
            run("mkfs.ext4", &["-q", "-O", "^has_journal", &image])?;
            let before = rustix::fs::stat(&at)?.st_dev;
            server = Some(Command::new("fuse2fs").args(["-f", &image, &at]).stderr(Stdio::null()).spawn()?);
            let start = Instant::now();
            while rustix::fs::stat(&at)?.st_dev == before {
                if start.elapsed() > Duration::from_secs(10) {
                    drop(Mounted { at: at.into(), server });
                    return Err(io::Error::other("fuse2fs does not mount"));
                }
                thread::sleep(Duration::from_millis(5)); // between two looks, for ten seconds
            }
        }
        _ => {
            // The smallest that their mkfs accept; the image is sparse.
            image_of(if name == "ext4" { 8 << 20 } else { 300 << 20 })?;
            run(&format!("mkfs.{name}"), &["-q", &image])?;
            run("mount", &["-t", name, "-o", "loop", &image, &at])?;
        }
    }
    Ok(Mounted { at: at.into(), server })
}
