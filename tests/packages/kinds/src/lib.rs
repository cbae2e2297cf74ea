//! Checks the files that examples/init unpacked from the initramfs that the script `archive` of this package writes.
#![cfg(test)]

use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

fn path(name: &str) -> PathBuf {
    Path::new("/kinds").join(name)
}

/// Of the name itself, wherever it leads.
fn metadata(name: &str) -> Metadata {
    fs::symlink_metadata(path(name)).unwrap()
}

/// Mode, owner and group.
#[track_caller]
fn is(name: &str, mode: u32, owner: (u32, u32)) {
    let found = metadata(name);
    assert_eq!((found.mode() & 0o7777, found.uid(), found.gid()), (mode, owner.0, owner.1), "{name}");
}

#[track_caller]
fn holds(name: &str, content: &str) {
    assert!(metadata(name).is_file(), "{name}");
    assert_eq!(fs::read_to_string(path(name)).unwrap(), content, "{name}");
}

#[track_caller]
fn leads(name: &str, target: &str) {
    assert_eq!(fs::read_link(path(name)).unwrap(), Path::new(target), "{name}");
}

#[test]
fn files() {
    holds("file", "file\n");
    is("file", 0o600, (1000, 1001));
    holds("empty", "");
    is("empty", 0o444, (0, 0));
    holds("setuid", "#!");
    is("setuid", 0o6755, (7, 8));
    holds("open", "open");
    is("open", 0o666, (0, 0));
}

#[test]
fn folders() {
    is("", 0o2750, (12, 34));
    is("folder", 0o1777, (9, 10));
    holds("folder/inner", "inner");
    is("folder/inner", 0o604, (0, 0));
}

#[test]
fn times() {
    for (name, time) in [("", 1_000_000), ("file", 86_400), ("relative", 2_000_000), ("folder", 3_000_000)] {
        assert_eq!(metadata(name).mtime(), time, "{name}");
    }
}

#[test]
fn links() {
    leads("relative", "file");
    is("relative", 0o777, (5, 6));
    leads("absolute", "/kinds/file");
    leads("dangling", "nowhere");
    leads("loop", "loop");
    leads("to_folder", "folder");
    leads("long", &"x/".repeat(2000));
}

#[test]
fn one_file_of_three_names() {
    let first = metadata("first");
    assert_eq!(first.nlink(), 3);
    for name in ["second", "third"] {
        assert_eq!(metadata(name).ino(), first.ino());
    }
    holds("first", "three names");
    is("first", 0o640, (0, 0));
}

#[test]
fn nodes() {
    let zero = metadata("zero");
    assert!(zero.file_type().is_char_device());
    assert_eq!(zero.rdev(), 1 << 8 | 5);
    is("zero", 0o666, (0, 3));
    let block = metadata("block");
    assert!(block.file_type().is_block_device());
    assert_eq!(block.rdev(), 7 << 8 | 200);
    is("block", 0o660, (0, 6));
    assert!(metadata("fifo").file_type().is_fifo());
    is("fifo", 0o622, (0, 0));
    assert!(metadata("socket").file_type().is_socket());
    is("socket", 0o755, (1, 2));
}

#[test]
fn nothing_else_is_there() {
    assert_eq!(fs::read_dir("/kinds").unwrap().count(), 18);
    let root: Vec<_> = fs::read_dir("/").unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!root.iter().any(|name| name.to_string_lossy().starts_with(".init")), "{root:?}");
    // On a disk it is the disk's.
    assert!([0o1777, 0o755].contains(&(fs::metadata("/tmp").unwrap().mode() & 0o7777)));
    assert_eq!(fs::metadata("/").unwrap().mode() & 0o7777, 0o755);
}
