//! `copy` loses nothing: what it replaces, what stands beside it, who owns it and who may read it.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, XattrFlags, getxattr, mknodat, setxattr};
use rustix::io::Errno;
use rustix::process::geteuid;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use tempfile::TempDir;

/// A folder with a file `from` of three bytes.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::write(folder.path("from"), "new").unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The command, with the folder as its current one.
    fn command(&self, from: &str, to: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_copy"));
        command.args([from, to]).current_dir(self.0.path());
        command
    }

    #[track_caller]
    fn copies(&self, from: &str, to: &str) {
        let output = run(self.command(from, to));
        assert_eq!((text(&output.stderr), output.status.code()), (String::new(), Some(0)));
        assert_eq!(fs::read(self.path(to)).unwrap(), fs::read(self.path(from)).unwrap());
    }

    /// It fails with this reason, and makes no file.
    #[track_caller]
    fn refuses(&self, from: &str, to: &str, reason: &str) {
        let before = self.names();
        refused(&run(self.command(from, to)), from, to, reason);
        assert_eq!(self.names(), before);
    }

    fn mode(&self, name: &str) -> u32 {
        fs::symlink_metadata(self.path(name)).unwrap().mode() & 0o7777
    }

    fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), Permissions::from_mode(mode)).unwrap();
    }
}

#[track_caller]
fn refused(output: &Output, from: &str, to: &str, reason: &str) {
    assert_eq!(text(&output.stderr), format!("{from} to {to}: {reason}\n"));
    assert_eq!((output.status.code(), &*output.stdout), (Some(1), &b""[..]));
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Fails if the program hangs.
#[track_caller]
fn run(mut command: Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("it hangs");
        }
        thread::sleep(Duration::from_millis(2)); // between two looks, for a minute
    }
    child.wait_with_output().unwrap()
}

/// As the shell has it when `before` was run: redirections, limits, the umask.
fn after(before: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{before}; exec \"$0\" \"$@\"")]).arg(command.get_program()).args(command.get_args());
    shell.current_dir(command.get_current_dir().unwrap());
    shell
}

#[test]
fn what_sendfile_serves_and_what_it_refuses() {
    let folder = Folder::new();
    // The second refuses sendfile and has no size.
    for source in [env!("CARGO_BIN_EXE_copy"), "/proc/self/cmdline"] {
        let output = run(folder.command(source, "to"));
        assert_eq!((text(&output.stderr), output.status.code()), (String::new(), Some(0)));
        let copied = fs::read(folder.path("to")).unwrap();
        assert_eq!(output.stdout, b"");
        if source.starts_with("/proc") {
            assert_eq!(copied.split(|&byte| byte == 0).nth(1), Some(source.as_bytes()));
        } else {
            assert_eq!(copied, fs::read(source).unwrap());
        }
    }
    assert_eq!(folder.names(), ["from", "to"]);
    folder.refuses("/nonexistent", "to", "No such file or directory (os error 2)");
    folder.refuses("from", "", "No such file or directory (os error 2)");
    let output = Command::new(env!("CARGO_BIN_EXE_copy")).arg("from").output().unwrap();
    assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("usage: copy FROM TO\n", Some(2)));
}

#[test]
fn files_with_names_of_temporary_files_are_left_alone() {
    let folder = Folder::new();
    fs::write(folder.path("to.part"), "precious").unwrap();
    folder.copies("from", "to");
    assert_eq!(fs::read(folder.path("to.part")).unwrap(), b"precious");
    folder.copies("to.part", "to");
    assert_eq!(fs::read(folder.path("to.part")).unwrap(), b"precious");

    fs::remove_file(folder.path("to.part")).unwrap();
    symlink("from", folder.path("to.part")).unwrap();
    mknodat(CWD, folder.path("from.part"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    fs::write(folder.path("other"), "other").unwrap();
    folder.copies("other", "to");
    folder.copies("other", "from");
    assert_eq!(folder.names(), ["from", "from.part", "other", "to", "to.part"]);
    assert_eq!(fs::read_link(folder.path("to.part")).unwrap(), Path::new("from"));
}

#[test]
fn a_file_is_not_copied_to_itself() {
    let folder = Folder::new();
    fs::hard_link(folder.path("from"), folder.path("hard")).unwrap();
    symlink("from", folder.path("soft")).unwrap();
    folder.refuses("from", "from", "they are the same file");
    folder.refuses("from", "./from", "they are the same file");
    folder.refuses("from", "hard", "they are the same file");
    folder.refuses("hard", "from", "they are the same file");
    folder.refuses("soft", "from", "they are the same file");
    folder.refuses("from", "soft", "soft is no regular file");
    assert_eq!(fs::read(folder.path("from")).unwrap(), b"new");
    assert_eq!(fs::metadata(folder.path("from")).unwrap().nlink(), 2);
}

#[test]
fn only_a_regular_file_is_replaced() {
    let folder = Folder::new();
    fs::write(folder.path("elsewhere"), "old").unwrap();
    symlink("elsewhere", folder.path("link")).unwrap();
    symlink("nowhere", folder.path("dangling")).unwrap();
    fs::create_dir(folder.path("folder")).unwrap();
    // Nobody reads it: opening it would wait.
    mknodat(CWD, folder.path("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    for to in ["link", "dangling", "folder", "fifo", "/dev/null", "/dev/full"] {
        folder.refuses("from", to, &format!("{to} is no regular file"));
    }
    folder.refuses("from", "folder/", "folder/ is no regular file");
    folder.refuses("from", "missing/", "Not a directory (os error 20)");
    let nowhere = run(folder.command("from", "missing/to"));
    let reason = "from to missing/to: No such file or directory (os error 2)";
    assert!(text(&nowhere.stderr).starts_with(reason), "{}", text(&nowhere.stderr));
    for from in ["fifo", "folder", "/dev/zero"] {
        folder.refuses(from, "elsewhere", &format!("{from} is no regular file"));
    }
    assert_eq!(fs::read(folder.path("elsewhere")).unwrap(), b"old");
    assert!(fs::symlink_metadata(folder.path("fifo")).unwrap().file_type().is_fifo());
    assert!(fs::symlink_metadata("/dev/null").unwrap().file_type().is_char_device());
    folder.copies("link", "elsewhere2");
}

#[test]
fn permissions() {
    let folder = Folder::new();
    // A new file has those of the old one that the umask leaves, and no bits that mean something else.
    for (umask, from, to) in [
        ("022", 0o600, 0o600),
        ("022", 0o755, 0o755),
        ("022", 0o666, 0o644),
        ("077", 0o755, 0o700),
        ("000", 0o6777, 0o777),
    ] {
        folder.set_mode("from", from);
        let output = run(after(&format!("umask {umask}"), &folder.command("from", "to")));
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert_eq!(folder.mode("to"), to, "{umask} {from:o}");
        fs::remove_file(folder.path("to")).unwrap();
    }
    // One that is replaced keeps its own.
    folder.set_mode("from", 0o644);
    for mode in [0o600, 0o755, 0o666] {
        fs::write(folder.path("to"), "old").unwrap();
        folder.set_mode("to", mode);
        let output = run(after("umask 077", &folder.command("from", "to")));
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert_eq!((folder.mode("to"), fs::read(folder.path("to")).unwrap()), (mode, b"new".to_vec()));
    }
    // And its owner, which only root could take from it.
    if geteuid().is_root() {
        chown(folder.path("to"), Some(1234), Some(5678)).unwrap();
        folder.copies("from", "to");
        let to = fs::metadata(folder.path("to")).unwrap();
        assert_eq!((to.uid(), to.gid(), folder.mode("to")), (1234, 5678, 0o666));
    } else {
        // Root may write to any file.
        folder.set_mode("to", 0o444);
        folder.refuses("from", "to", "Permission denied (os error 13)");
    }
}

/// Gives a file or a folder an access control list by which user 1234 may read and write. Returns whether the file system has such lists.
fn grant(path: &Path, list: &str) -> bool {
    // struct posix_acl_xattr_header, and entries of a tag, permissions and an id: the owner, a user, the group, the mask, and others.
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions) in [(1_u16, 6_u16), (2, 6), (4, 0), (16, 6), (32, 0)] {
        bytes.extend([tag.to_le_bytes(), permissions.to_le_bytes()].concat());
        bytes.extend(if tag == 2 { 1234 } else { u32::MAX }.to_le_bytes());
    }
    match setxattr(path, list, &bytes, XattrFlags::empty()) {
        Err(Errno::OPNOTSUPP) => {
            // Past the harness, so that it is counted as what it is.
            io::stdout().write_all(b"not checked: examples/servers: no access control lists here\n").unwrap();
            false
        }
        granted => granted.map(|()| true).unwrap(),
    }
}

#[test]
fn nobody_gets_access_by_a_list() {
    let folder = Folder::new();
    fs::write(folder.path("to"), "old").unwrap();
    if !grant(&folder.path("to"), "system.posix_acl_access") {
        return;
    }
    // The group has nothing, and these bits are the mask.
    assert_eq!(folder.mode("to"), 0o660);
    folder.refuses("from", "to", "it has an access control list, which would be lost");
    assert_eq!(fs::read(folder.path("to")).unwrap(), b"old");

    // What is made in the folder from now on has such a list, and what was there has none.
    fs::write(folder.path("other"), "old").unwrap();
    folder.set_mode("other", 0o660);
    assert!(grant(folder.0.path(), "system.posix_acl_default"));
    folder.copies("from", "other");
    assert_eq!(folder.mode("other"), 0o660);
    let list = getxattr(folder.path("other"), "system.posix_acl_access", &mut [0; 0]);
    assert_eq!(list, Err(Errno::NODATA), "somebody else may read it");
}

/// This system call fails with this error, `close` only of the target: the loader has one file open at a time, the program two.
fn refusing(call: i64, errno: i32) -> BpfProgram {
    let rules = if call == libc::SYS_close {
        vec![
            SeccompRule::new(vec![SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Gt, 3).unwrap()])
                .unwrap(),
        ]
    } else {
        vec![]
    };
    let action = SeccompAction::Errno(errno as u32);
    let arch = std::env::consts::ARCH.try_into().unwrap();
    SeccompFilter::new(BTreeMap::from([(call, rules)]), SeccompAction::Allow, action, arch).unwrap().try_into().unwrap()
}

#[test]
fn what_a_disk_says_in_the_end() {
    for (call, errno) in [(libc::SYS_close, libc::EDQUOT), (libc::SYS_fsync, libc::EIO)] {
        let folder = Folder::new();
        fs::write(folder.path("to"), "old").unwrap();
        for to in ["to", "missing"] {
            let filter = refusing(call, errno);
            let mut command = folder.command("from", to);
            // SAFETY: the closure makes three system calls and allocates nothing. Nobody else sets the descriptors of the child.
            unsafe {
                command.pre_exec(move || {
                    // What this process itself has inherited would take the numbers.
                    libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
                    seccompiler::apply_filter(&filter).map_err(io::Error::other)
                })
            };
            refused(&run(command), "from", to, &io::Error::from_raw_os_error(errno).to_string());
        }
        assert_eq!(folder.names(), ["from", "to"]);
        assert_eq!(fs::read(folder.path("to")).unwrap(), b"old");
    }
}

#[test]
fn a_disk_that_is_full() {
    let folder = Folder::new();
    File::options().write(true).open(folder.path("from")).unwrap().set_len(4 << 20).unwrap();
    fs::write(folder.path("to"), "old").unwrap();
    for to in ["to", "missing"] {
        let output = run(after("trap '' XFSZ; ulimit -f 1024", &folder.command("from", to)));
        refused(&output, "from", to, "File too large (os error 27)");
    }
    assert_eq!(folder.names(), ["from", "to"]);
    assert_eq!(fs::read(folder.path("to")).unwrap(), b"old");
}

#[test]
fn standard_streams_that_are_closed_or_full_change_nothing() {
    let folder = Folder::new();
    for before in ["exec >/dev/full", "exec >&-", "exec <&- >&- 2>&-"] {
        let to = before.replace(['/', '<', '>'], "");
        let output = run(after(before, &folder.command("from", &to)));
        assert_eq!((text(&output.stderr), output.status.code()), (String::new(), Some(0)));
        assert_eq!(fs::read(folder.path(&to)).unwrap(), b"new");
    }
    let output = run(after("exec 2>/dev/full", &folder.command("missing", "to")));
    assert_eq!(output.status.code(), Some(1));
}
