//! Compares the numbers, structures and constants with `libc` and `sc`, at compile time. So `cargo check` for the other system is the test
//! (`tests/steps/bsd`).

use core::mem::offset_of;

use super::*;

/// Each entry of the table of errors.
macro_rules! errnos {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        const _: () = { $(assert!($number == libc::$name, stringify!($name));)* };
    };
}

/// The other names, on either side.
#[allow(unused_macros)] // macOS has none
macro_rules! same_errnos {
    ($($name:ident = $of:ident;)*) => {
        const _: () = { $(assert!(libc::$name == libc::$of, stringify!($name));)* };
    };
}

#[cfg_attr(target_os = "freebsd", path = "../freebsd/errno.rs")]
#[cfg_attr(target_os = "macos", path = "../macos/errno.rs")]
#[allow(clippy::duplicate_mod, unused_imports)] // the table is there to be read once more, by another macro
mod errno_table;

const _: () = {
    assert!(SOCK_STREAM == libc::SOCK_STREAM as usize);
    assert!(SOL_SOCKET == libc::SOL_SOCKET && SO_TYPE == libc::SO_TYPE);
    assert!(SOL_TCP == libc::IPPROTO_TCP && TCP_NODELAY == libc::TCP_NODELAY);
    assert!(MSG_NOSIGNAL == libc::MSG_NOSIGNAL);
    assert!(SEEK_CUR == libc::SEEK_CUR);
    assert!(SIG_BLOCK == libc::SIG_BLOCK && SIG_UNBLOCK == libc::SIG_UNBLOCK);
    assert!(SIGPIPE == 1 << (libc::SIGPIPE - 1));
    assert!(SIGPIPE_NUMBER == libc::SIGPIPE && SIG_IGN == libc::SIG_IGN);
    assert!(offset_of!(SigAction, handler) == offset_of!(libc::sigaction, sa_sigaction));
    assert!(size_of::<SigAction>() >= size_of::<libc::sigaction>());
    assert!(size_of::<SigSetT>() == size_of::<libc::sigset_t>());
};

#[cfg(target_os = "freebsd")]
const _: () = {
    use crate::flags::SfFlags;
    assert!(SfFlags::NODISKIO.bits() == libc::SF_NODISKIO as u32);
    assert!(SfFlags::MNOWAIT.bits() == libc::SF_MNOWAIT as u32);
    assert!(SfFlags::SYNC.bits() == libc::SF_SYNC as u32);
    assert!(SfFlags::USER_READAHEAD.bits() == libc::SF_USER_READAHEAD as u32);
    assert!(SfFlags::NOCACHE.bits() == libc::SF_NOCACHE as u32);
};

/// Fields here, fields of libc's structure.
macro_rules! same_layout {
    ($ours:ident, $theirs:ident: $($our_field:ident $their_field:ident)*) => {
        const _: () = {
            assert!(size_of::<$ours>() == size_of::<libc::$theirs>());
            $(assert!(offset_of!($ours, $our_field) == offset_of!(libc::$theirs, $their_field));)*
        };
    };
}

same_layout! { MsgHdr, msghdr:
    name msg_name
    name_len msg_namelen
    iov msg_iov
    iov_len msg_iovlen
    control msg_control
    control_len msg_controllen
    flags msg_flags
}

same_layout! { SfHdtr, sf_hdtr:
    headers headers
    headers_len hdr_cnt
    trailers trailers
    trailers_len trl_cnt
}

const _: () = assert!(size_of::<IoSlice<'_>>() == size_of::<libc::iovec>());
