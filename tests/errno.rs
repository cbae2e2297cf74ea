//! Every error number: against libc's constants, strerror's words, and the types it converts to.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;

use bare_sendfile::Errno;

/// Name, constant here, constant of libc.
macro_rules! errnos {
    ($($name:ident)*) => { [$((stringify!($name), Errno::$name, libc::$name),)*] };
}

/// By number, from 1 on. Linux gives 41 and 58 no name of their own.
const ERRNOS: [(&str, Errno, i32); 131] = errnos! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST
    EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM
    ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG
    EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO EBADRQC EBADSLT EBFONT ENOSTR ENODATA ETIME ENOSR ENONET ENOPKG
    EREMOTE ENOLINK EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD EREMCHG ELIBACC
    ELIBBAD ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE
    ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL
    ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT
    ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL EISNAM EREMOTEIO EDQUOT
    ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD ENOTRECOVERABLE ERFKILL
    EHWPOISON
};

fn number(raw: i32) -> Errno {
    Errno::from_raw_os_error(raw).unwrap()
}

#[test]
fn every_constant_is_libcs() {
    for (name, errno, libc) in ERRNOS {
        assert_eq!((name, errno.raw_os_error()), (name, libc));
        assert_eq!((errno, errno.name()), (number(libc), Some(name)));
    }
}

#[test]
fn every_number_up_to_133_is_listed_once() {
    let numbers: BTreeSet<i32> = ERRNOS.iter().map(|&(.., libc)| libc).collect();
    assert!(numbers.into_iter().eq((1..=133).filter(|number| ![41, 58].contains(number))));
}

/// In the C locale, in which a program starts. std asks strerror, and glibc puts the number behind "Unknown error".
#[test]
#[cfg(target_env = "gnu")]
fn every_description_is_strerrors() {
    // It has no words for powerpc's EDEADLOCK.
    for raw in (1..=4095).filter(|&raw| number(raw).name() != Some("EDEADLOCK")) {
        let errno = number(raw);
        let unknown = if errno.name().is_none() { format!(" {raw}") } else { String::new() };
        let theirs = std::io::Error::from_raw_os_error(raw).to_string();
        assert_eq!(format!("{}{unknown} (os error {raw})", errno.description()), theirs);
    }
}

#[test]
fn unknown_numbers_are_values() {
    // 58 is EDEADLOCK on powerpc.
    let known = |raw| ERRNOS.iter().any(|&(.., libc)| libc == raw) || raw == libc::EDEADLOCK;
    for raw in (1..=4095).filter(|&raw| !known(raw)) {
        let errno = number(raw);
        assert_eq!(errno.raw_os_error(), raw);
        assert_eq!((errno.name(), errno.description()), (None, "Unknown error"));
        assert_eq!(errno.to_string(), format!("Unknown error (os error {raw})"));
        assert_eq!(format!("{errno:?}"), format!("Errno({raw})"));
    }
    assert_ne!(number(134), number(135));
}

#[test]
fn the_range_is_1_to_4095() {
    assert_eq!(Errno::MAX, 4095);
    for raw in 1..=4095 {
        assert_eq!(number(raw).raw_os_error(), raw);
    }
    for raw in [0, -1, -11, -4095, 4096, 4097, i32::MIN, i32::MAX] {
        assert_eq!(Errno::from_raw_os_error(raw), None, "{raw}");
    }
}

#[test]
fn display_and_debug() {
    assert_eq!(Errno::EPIPE.to_string(), "Broken pipe (EPIPE, os error 32)");
    for (name, errno, libc) in ERRNOS {
        assert_eq!(errno.to_string(), format!("{} ({name}, os error {libc})", errno.description()));
        assert_eq!(format!("{errno:?}"), name);
    }
    let error: &dyn std::error::Error = &Errno::EPIPE;
    assert!(error.source().is_none());
}

#[test]
fn other_names_are_the_same_values() {
    assert_eq!((Errno::EWOULDBLOCK, Errno::EWOULDBLOCK.name()), (Errno::EAGAIN, Some("EAGAIN")));
    // powerpc has a number of its own.
    let deadlock =
        if cfg!(target_arch = "powerpc64") { (number(58), "EDEADLOCK") } else { (Errno::EDEADLK, "EDEADLK") };
    assert_eq!((Errno::EDEADLOCK, Errno::EDEADLOCK.name()), (deadlock.0, Some(deadlock.1)));
    assert_eq!((Errno::ENOTSUP, Errno::ENOTSUP.name()), (Errno::EOPNOTSUPP, Some("EOPNOTSUPP")));
}

#[test]
#[cfg(feature = "std")]
fn into_std() {
    for raw in 1..=4095 {
        assert_eq!(std::io::Error::from(number(raw)).raw_os_error(), Some(raw));
    }
    assert_eq!(std::io::Error::from(Errno::EAGAIN).kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
#[cfg(feature = "syscalls")]
fn into_syscalls_and_back() {
    for raw in 1..=4095 {
        let theirs = syscalls::Errno::from(number(raw));
        assert_eq!((theirs.into_raw(), Errno::try_from(theirs)), (raw, Ok(number(raw))));
    }
    for (name, errno, _) in ERRNOS {
        let theirs = syscalls::Errno::from(errno);
        assert_eq!((name, theirs.name()), (name, Some(name)));
    }
    for raw in [0, -1, 4096, i32::MIN, i32::MAX] {
        let theirs = syscalls::Errno::new(raw);
        assert_eq!(Errno::try_from(theirs), Err(theirs));
    }
}
