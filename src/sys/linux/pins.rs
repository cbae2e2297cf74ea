//! Compares this processor's numbers, structures and constants with `linux-raw-sys` and `libc`, at compile time.
//! tests/packages/no_libc compiles it for every processor.

use core::mem::{offset_of, size_of};

use linux_raw_sys::{general, ioctl, net};

use super::*;

/// The number here, and the name in the other crate.
macro_rules! numbers {
    ($($(#[$cfg:meta])? $ours:ident $theirs:ident)*) => {
        const _: () = { $($(#[$cfg])? assert!(nr::$ours == general::$theirs as usize, stringify!($ours));)* };
    };
}

numbers! {
    CLOSE __NR_close
    GETSOCKOPT __NR_getsockopt
    IOCTL __NR_ioctl
    PIPE2 __NR_pipe2
    PREAD64 __NR_pread64
    PREADV2 __NR_preadv2
    READ __NR_read
    RT_SIGACTION __NR_rt_sigaction
    RT_SIGPENDING __NR_rt_sigpending
    RT_SIGPROCMASK __NR_rt_sigprocmask
    SENDMSG __NR_sendmsg
    SETSOCKOPT __NR_setsockopt
    SPLICE __NR_splice
    STATX __NR_statx
    WRITEV __NR_writev
    #[cfg(target_pointer_width = "64")]
    FCNTL __NR_fcntl
    #[cfg(target_pointer_width = "32")]
    FCNTL __NR_fcntl64
    #[cfg(not(target_arch = "riscv32"))]
    PPOLL __NR_ppoll
    #[cfg(target_arch = "riscv32")]
    PPOLL __NR_ppoll_time64
    #[cfg(not(target_arch = "riscv32"))]
    RT_SIGTIMEDWAIT __NR_rt_sigtimedwait
    #[cfg(target_arch = "riscv32")]
    RT_SIGTIMEDWAIT __NR_rt_sigtimedwait_time64
}

#[cfg(target_pointer_width = "64")]
numbers! {
    FADVISE64 __NR_fadvise64
    LSEEK __NR_lseek
    SENDFILE __NR_sendfile
}

#[cfg(target_pointer_width = "32")]
numbers! {
    #[cfg(target_arch = "arm")]
    FADVISE64 __NR_arm_fadvise64_64
    #[cfg(not(target_arch = "arm"))]
    FADVISE64 __NR_fadvise64_64
    #[cfg(target_arch = "riscv32")]
    LSEEK __NR_llseek
    #[cfg(not(target_arch = "riscv32"))]
    LSEEK __NR__llseek
    SENDFILE __NR_sendfile64
}

const _: () = {
    assert!(size_of::<MsgHdr>() == size_of::<net::msghdr>());
    assert!(offset_of!(MsgHdr, name_len) == offset_of!(net::msghdr, msg_namelen));
    assert!(offset_of!(MsgHdr, iov) == offset_of!(net::msghdr, msg_iov));
    assert!(offset_of!(MsgHdr, iov_len) == offset_of!(net::msghdr, msg_iovlen));
    assert!(offset_of!(MsgHdr, control) == offset_of!(net::msghdr, msg_control));
    assert!(offset_of!(MsgHdr, control_len) == offset_of!(net::msghdr, msg_controllen));
    assert!(offset_of!(MsgHdr, flags) == offset_of!(net::msghdr, msg_flags));
    assert!(size_of::<PollFd>() == size_of::<general::pollfd>());
    assert!(offset_of!(PollFd, events) == offset_of!(general::pollfd, events));
    assert!(offset_of!(PollFd, revents) == offset_of!(general::pollfd, revents));
    assert!(size_of::<IoSlice<'_>>() == size_of::<general::iovec>());
    assert!(size_of::<SigSet>() == size_of::<general::kernel_sigset_t>());

    assert!(FIONREAD == ioctl::FIONREAD as usize);
    assert!(F_GETPIPE_SZ == general::F_GETPIPE_SZ as c_int && O_CLOEXEC == general::O_CLOEXEC as c_int);
    assert!(F_GETFL == general::F_GETFL as c_int && O_NONBLOCK == general::O_NONBLOCK as usize);
    assert!(POLLIN == general::POLLIN as i16 && POLLOUT == general::POLLOUT as i16);
    assert!(POLLHUP == general::POLLHUP as i16 && POLLRDHUP == general::POLLRDHUP as i16);
    assert!(SOL_SOCKET == net::SOL_SOCKET as c_int && SO_TYPE == net::SO_TYPE as c_int);
    assert!(SO_PROTOCOL == net::SO_PROTOCOL as c_int && TCP_CORK == net::TCP_CORK as c_int);
    // That of the kernel's `struct timeval` of two words.
    assert!(SO_SNDTIMEO == net::SO_SNDTIMEO_OLD as c_int);
    assert!(TCP_NODELAY == net::TCP_NODELAY as c_int && TCP_ULP == net::TCP_ULP as c_int);
    assert!(Advice::WillNeed as u32 == general::POSIX_FADV_WILLNEED);
    // linux-raw-sys has all processors' number on s390x.
    assert!(Advice::DontNeed as i32 == libc::POSIX_FADV_DONTNEED);
    assert!(SIG_BLOCK == general::SIG_BLOCK as c_int && SIG_UNBLOCK == general::SIG_UNBLOCK as c_int);
    assert!(RWF_NOWAIT == general::RWF_NOWAIT as c_int && SEEK_CUR == general::SEEK_CUR as c_int);
    assert!(MSG_NOSIGNAL == libc::MSG_NOSIGNAL && MSG_MORE == libc::MSG_MORE);
    assert!(SPLICE_F_NONBLOCK == libc::SPLICE_F_NONBLOCK as isize);
};

/// The kernel's words of a set. The first word has the first signals.
#[repr(C)]
union Words {
    set: SigSet,
    words: [core::ffi::c_ulong; size_of::<SigSet>() / size_of::<core::ffi::c_ulong>()],
}
// SAFETY: both are numbers of any bits.
const _: () = assert!(unsafe { Words { set: SIGPIPE }.words[0] } == 1 << (general::SIGPIPE - 1));

/// The handler comes first, wherever the rest is.
const _: () = {
    assert!(offset_of!(general::kernel_sigaction, sa_handler_kernel) == 0 && offset_of!(SigAction, handler) == 0);
    assert!(size_of::<SigAction>() >= size_of::<general::kernel_sigaction>());
    assert!(SIG_IGN == libc::SIG_IGN && 1 << (SIGPIPE_NUMBER - 1) == 1 << (general::SIGPIPE - 1));
};

/// `libc` has only a part of Android's errors, and `linux-raw-sys` has a wrong one on powerpc.
#[cfg(not(target_os = "android"))]
use libc as errors;
#[cfg(target_os = "android")]
use linux_raw_sys::errno as errors;

/// Each entry of the table of errors.
macro_rules! errnos {
    ($($(#[$cfg:meta])? $name:ident = $number:literal, $text:literal;)*) => {
        const _: () = { $($(#[$cfg])? assert!($number == super::errors::$name, stringify!($name));)* };
    };
}

/// The other names, on either side. (`libc` does not know all of Android's.)
macro_rules! same_errnos {
    ($($(#[$cfg:meta])? $name:ident = $of:ident;)*) => {
        #[cfg(not(target_os = "android"))]
        const _: () = { $($(#[$cfg])? assert!(super::errors::$name == super::errors::$of, stringify!($name));)* };
    };
}

#[path = "errno.rs"]
#[allow(clippy::duplicate_mod, unused_imports)] // the table is there to be read once more, by other macros
mod errno_table;
