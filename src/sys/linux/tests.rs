//! The numbers, structures and constants against other crates', and tests that need a bad pointer.

use std::fs::File;
use std::io::{Read, pipe};
use std::os::fd::AsRawFd;
use std::str::FromStr;
use std::vec::Vec;

use super::*;

/// Name, number here.
macro_rules! numbers {
    ($($(#[$cfg:meta])? $name:ident)*) => {
        [$($(#[$cfg])? (stringify!($name), nr::$name),)*]
    };
}

const NUMBERS: &[(&str, usize)] = &numbers! {
    #[cfg(not(feature = "std"))]
    CLOSE
    FADVISE64
    FCNTL
    GETSOCKOPT
    IOCTL
    LSEEK
    PIPE2
    PPOLL
    PREAD64
    PREADV2
    READ
    RT_SIGACTION
    RT_SIGPENDING
    RT_SIGPROCMASK
    RT_SIGTIMEDWAIT
    SENDFILE
    SENDMSG
    SETSOCKOPT
    SPLICE
    STATX
    WRITEV
};

/// The call of 64-bit numbers, where there are two.
fn full_name(name: &str) -> &str {
    match name {
        "FADVISE64" if cfg!(target_arch = "arm") => "arm_fadvise64_64",
        "FADVISE64" if cfg!(target_pointer_width = "32") => "fadvise64_64",
        "FCNTL" if cfg!(target_pointer_width = "32") => "fcntl64",
        "LSEEK" if cfg!(target_pointer_width = "32") => "_llseek",
        "SENDFILE" if cfg!(target_pointer_width = "32") => "sendfile64",
        name => name,
    }
}

#[test]
fn a1_numbers_are_those_of_syscalls() {
    for &(name, ours) in NUMBERS {
        let syscalls = syscalls::Sysno::from_str(&full_name(name).to_ascii_lowercase()).unwrap();
        assert_eq!((name, ours), (name, syscalls.id() as usize));
    }
}

/// `sc` has more than tables on these.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
#[test]
fn a1_numbers_are_those_of_sc() {
    macro_rules! numbers {
        ($($name:ident)*) => { $(assert_eq!((stringify!($name), nr::$name), (stringify!($name), sc::nr::$name));)* };
    }
    numbers! {
        FADVISE64 FCNTL GETSOCKOPT IOCTL LSEEK PIPE2 PPOLL PREAD64 PREADV2 READ RT_SIGACTION RT_SIGPENDING
        RT_SIGPROCMASK RT_SIGTIMEDWAIT SENDFILE SENDMSG SETSOCKOPT SPLICE STATX WRITEV
    }
    #[cfg(not(feature = "std"))]
    assert_eq!(nr::CLOSE, sc::nr::CLOSE);
}

#[test]
fn constants_are_those_of_libc() {
    assert_eq!(IOV_MAX, libc::UIO_MAXIOV as usize);
    assert_eq!(SOCK_STREAM, libc::SOCK_STREAM as usize);
    assert_eq!((SOL_SOCKET, SO_TYPE), (libc::SOL_SOCKET, libc::SO_TYPE));
    assert_eq!((SOL_TCP, TCP_NODELAY, TCP_CORK), (libc::IPPROTO_TCP, libc::TCP_NODELAY, libc::TCP_CORK));
    assert_eq!((SO_PROTOCOL, TCP_ULP), (libc::SO_PROTOCOL, libc::TCP_ULP));
    assert_eq!(IPPROTO_MPTCP, libc::IPPROTO_MPTCP as usize);
    assert_eq!((MSG_NOSIGNAL, MSG_MORE), (libc::MSG_NOSIGNAL, libc::MSG_MORE));
    assert_eq!((RWF_NOWAIT, SEEK_CUR), (libc::RWF_NOWAIT, libc::SEEK_CUR));
    assert_eq!(Advice::WillNeed as c_int, libc::POSIX_FADV_WILLNEED);
    assert_eq!(Advice::DontNeed as c_int, libc::POSIX_FADV_DONTNEED);
    assert_eq!((SIG_BLOCK, SIG_UNBLOCK), (libc::SIG_BLOCK, libc::SIG_UNBLOCK));
    assert_eq!((POLLIN, POLLOUT, POLLHUP, POLLRDHUP), (libc::POLLIN, libc::POLLOUT, libc::POLLHUP, libc::POLLRDHUP));
    assert_eq!(
        (FIONREAD as libc::Ioctl, F_GETPIPE_SZ, O_CLOEXEC),
        (libc::FIONREAD, libc::F_GETPIPE_SZ, libc::O_CLOEXEC)
    );
    assert_eq!(SPLICE_F_NONBLOCK, libc::SPLICE_F_NONBLOCK as isize);
    assert_eq!(SIGPIPE, 1 << (libc::SIGPIPE - 1));
    assert_eq!((SIGPIPE_NUMBER, SIG_IGN), (libc::SIGPIPE as isize, libc::SIG_IGN));
}

#[test]
fn msghdr_is_laid_out_as_libcs() {
    macro_rules! offsets {
        ($($ours:ident $theirs:ident)*) => {
            $(assert_eq!(core::mem::offset_of!(MsgHdr, $ours), core::mem::offset_of!(libc::msghdr, $theirs));)*
        };
    }
    offsets! {
        name msg_name
        name_len msg_namelen
        iov msg_iov
        iov_len msg_iovlen
        control msg_control
        control_len msg_controllen
        flags msg_flags
    }
    assert_eq!(size_of::<MsgHdr>(), size_of::<libc::msghdr>());
}

#[test]
fn pollfd_is_laid_out_as_libcs() {
    assert_eq!(size_of::<PollFd>(), size_of::<libc::pollfd>());
    assert_eq!(core::mem::offset_of!(PollFd, fd), core::mem::offset_of!(libc::pollfd, fd));
    assert_eq!(core::mem::offset_of!(PollFd, events), core::mem::offset_of!(libc::pollfd, events));
    assert_eq!(core::mem::offset_of!(PollFd, revents), core::mem::offset_of!(libc::pollfd, revents));
}

/// Sends ten bytes to a pipe with any pointer as the offset. Returns the kernel's result, and the bytes that arrived.
fn with_offset_at(pointer: *mut ()) -> (isize, Vec<u8>) {
    let source = File::open("/proc/version").unwrap();
    let (mut reader, writer) = pipe().unwrap();
    // SAFETY: the kernel checks the pointer. Memory that is writable there belongs to the caller.
    let word = unsafe { arch::syscall4_int2(nr::SENDFILE, writer.as_raw_fd(), source.as_raw_fd(), pointer, word(10)) };
    drop(writer);
    let mut sent = Vec::new();
    reader.read_to_end(&mut sent).unwrap();
    (word, sent)
}

#[test]
fn a6_bad_offset_pointer_is_efault() {
    let efault = -libc::EFAULT as isize;
    assert_eq!(with_offset_at(word(8)), (efault, Vec::new()));
    let mut offset = 3_u64;
    let (word, sent) = with_offset_at((&raw mut offset).cast());
    assert_eq!((word, sent.len(), offset), (10, 10, 13), "a good one");
}

/// The reason for `&mut`: with read-only memory, the bytes are sent and the count is lost.
#[test]
fn a6_read_only_offset_fails_after_the_data_went_out() {
    // SAFETY: a new mapping, at a place that the kernel chooses.
    let page = unsafe { libc::mmap(null_mut(), 1, libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0) };
    assert_ne!(page, libc::MAP_FAILED);
    let (word, sent) = with_offset_at(page.cast());
    assert_eq!((word, sent.len()), (-libc::EFAULT as isize, 10));
}
