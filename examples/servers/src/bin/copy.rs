//! A whole file into another, as an installer does it: to the end, through a small buffer where sendfile is refused (procfs),
//! and in place only when the file system has all of it.
//!
//! TO is a new name, or a regular file that is replaced, with its owner and permissions kept. A new file has the permissions of
//! FROM that the umask leaves. Everything else is refused, and stays as it is: links, devices, FIFOs, FROM itself, a file with an access
//! control list. A signal that ends it leaves TO as it was, and a file `.tmp…` beside it.

use std::env::args_os;
use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;
use std::process::ExitCode;

use bare_sendfile::{Count, sendfile_hdtr_all};
use rustix::fs::{Access, access, fremovexattr, getxattr};
use rustix::io::Errno;
use tempfile::Builder;

/// The bits that chmod(1) calls rwx. Those above them mean something else in a copy.
const PERMISSIONS: u32 = 0o777;

/// The access control list of a file. Where there is one, the group's bits of the mode are what it grants at most, to anybody.
const LIST: &str = "system.posix_acl_access";

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    // Asked before it is opened: opening a FIFO waits for a writer.
    regular(from, &fs::metadata(from)?)?;
    let source = File::open(from)?;
    let metadata = source.metadata()?;
    let old = replaceable(to, &metadata)?;

    // A name of its own that nobody can guess, beside TO, since only within a file system can it be renamed.
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mode = if old.is_some() { 0o600 } else { metadata.mode() & PERMISSIONS };
    let part = Builder::new().permissions(Permissions::from_mode(mode)).tempfile_in(folder)?;
    // From here on `name` removes it, unless it becomes TO.
    let (target, name) = part.into_parts();
    sendfile_hdtr_all(&target, &source, Some(0), Count::ToEnd, &[], &[], &mut [0; 4096]).bytes()?;
    if let Some(old) = &old {
        let new = target.metadata()?;
        if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
            fchown(&target, Some(old.uid()), Some(old.gid()))?;
        }
        // The folder may have given it a list, of people whom the old file does not know. The permissions would grant them something.
        match fremovexattr(&target, LIST) {
            Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => {}
            Err(errno) => return Err(errno.into()),
        }
        target.set_permissions(Permissions::from_mode(old.mode() & PERMISSIONS))?;
    }
    // A disk that is full or broken may say so only now.
    target.sync_all()?;
    servers::close(target)?;
    match old {
        Some(_) => name.persist(to)?,
        // A file that has come meanwhile is not replaced.
        None => name.persist_noclobber(to)?,
    }
    Ok(())
}

/// Returns what `to` is now, if there is such a file. Fails where the copy must not take its place.
fn replaceable(to: &Path, source: &Metadata) -> io::Result<Option<Metadata>> {
    let old = match fs::symlink_metadata(to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        old => old?,
    };
    regular(to, &old)?;
    if (old.dev(), old.ino()) == (source.dev(), source.ino()) {
        return Err(io::Error::other("they are the same file"));
    }
    // Renaming asks only for the permissions of the folder.
    access(to, Access::WRITE_OK)?;
    // Without it, the owner's group would have what the mode only allows the list to grant.
    match getxattr(to, LIST, &mut [0; 0]) {
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(Some(old)),
        Ok(_) => Err(io::Error::other("it has an access control list, which would be lost")),
        Err(errno) => Err(errno.into()),
    }
}

fn regular(path: &Path, metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() { Ok(()) } else { Err(io::Error::other(format!("{} is no regular file", path.display()))) }
}

fn main() -> ExitCode {
    let arguments: Vec<_> = args_os().skip(1).collect();
    let [from, to] = &arguments[..] else {
        servers::report("usage: copy FROM TO");
        return ExitCode::from(2);
    };
    if let Err(error) = copy(from.as_ref(), to.as_ref()) {
        servers::report(format_args!("{} to {}: {error}", from.display(), to.display()));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
