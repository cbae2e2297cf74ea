//! A trap that does not reach Linux: syscall user dispatch sends SIGSYS instead, and the handler answers in the signal frame
//! what the model of the other kernel says.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;
use std::slice;
use std::sync::Once;
use std::sync::atomic::{AtomicU8, Ordering};

use bare_sendfile::Errno;

use crate::common::{linux, not_checked};
use crate::model::Kernel;
use crate::{OS, Os};

const PR_SET_SYSCALL_USER_DISPATCH: c_int = 59;
const PR_SYS_DISPATCH_ON: c_int = 1;
const ALLOW: u8 = 0;
const BLOCK: u8 = 1;

/// What the stub gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) number: i64,
    pub(crate) flags: i64,
}

thread_local! {
    static SELECTOR: AtomicU8 = const { AtomicU8::new(ALLOW) };
    static KERNEL: Cell<*mut Kernel> = const { Cell::new(null_mut()) };
    static SEEN: Cell<Option<Seen>> = const { Cell::new(None) };
}

/// Whether the kernel can send the signal. The caller, a test that ends here if it cannot, is named.
#[track_caller]
pub(crate) fn possible() -> bool {
    let possible = linux() >= (5, 11);
    if !possible {
        not_checked("syscall user dispatch is in Linux 5.11 and later");
    }
    possible
}

/// Runs `call`, which makes at most one system call, on `kernel`.
pub(crate) fn on<T>(kernel: &mut Kernel, call: impl FnOnce() -> T) -> (T, Option<Seen>) {
    static HANDLER: Once = Once::new();
    HANDLER.call_once(|| {
        // SAFETY: all zeros is a valid sigaction.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
        // SAFETY: the handler has the type that SA_SIGINFO asks for.
        assert_eq!(unsafe { libc::sigaction(libc::SIGSYS, &action, null_mut()) }, 0);
    });
    KERNEL.set(kernel);
    SEEN.set(None);
    SELECTOR.with(|selector| {
        // SAFETY: the selector lives as long as the thread.
        let on = unsafe { libc::prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0, selector.as_ptr()) };
        assert_eq!(on, 0, "{}", std::io::Error::last_os_error());
        selector.store(BLOCK, Ordering::SeqCst);
        let result = call();
        selector.store(ALLOW, Ordering::SeqCst);
        (result, SEEN.get())
    })
}

/// The bytes of a list of slices.
unsafe fn gathered(list: *const libc::iovec, len: usize) -> Vec<u8> {
    if list.is_null() {
        return Vec::new();
    }
    assert_ne!(len, 0, "EINVAL on macOS: a list that is not null, of no slices");
    // SAFETY: the stub gave `len` slices of its caller's.
    let list = unsafe { slice::from_raw_parts(list, len) };
    // SAFETY: as above, of each.
    list.iter()
        .flat_map(|slice| unsafe { slice::from_raw_parts(slice.iov_base.cast::<u8>(), slice.iov_len) })
        .copied()
        .collect()
}

/// `struct sf_hdtr`.
#[repr(C)]
struct SfHdtr {
    headers: *const libc::iovec,
    headers_len: c_int,
    trailers: *const libc::iovec,
    trailers_len: c_int,
}

/// The other kernel's sendfile, from the third argument on.
///
/// # Safety
///
/// The pointers are to what that kernel expects there.
unsafe fn sendfile(a2: i64, a3: i64, a4: i64, a5: i64) -> Option<Errno> {
    // SAFETY: `on` holds it while the call lasts.
    let kernel = unsafe { &mut *KERNEL.get() };

    let hdtr = a4 as *const SfHdtr;
    let (headers, trailers) = if hdtr.is_null() {
        (Vec::new(), Vec::new())
    } else {
        // SAFETY: the stub gave a structure of its caller's.
        let hdtr = unsafe { &*hdtr };
        // SAFETY: as above.
        unsafe {
            (gathered(hdtr.headers, hdtr.headers_len as usize), gathered(hdtr.trailers, hdtr.trailers_len as usize))
        }
    };
    // FreeBSD gets the count by value and writes what it sent to another place; macOS does both in one.
    let sent = (if OS == Os::FreeBsd { a5 } else { a3 }) as *mut i64;
    // SAFETY: the stub gave a variable of its caller's.
    let nbytes = if OS == Os::FreeBsd { a3 } else { unsafe { *sent } };
    assert!(a2.checked_add(nbytes).is_some(), "FreeBSD's kernel adds them: {a2} {nbytes}");
    let (moved, errno) = kernel.sendfile(a2 as usize, nbytes as usize, &headers, &trailers);
    // SAFETY: as above.
    unsafe { *sent = moved as i64 };
    errno
}

/// FreeBSD's ioctl(2) with `FIONSPACE`, and its getsockopt(2) with `SO_ERROR`.
///
/// # Safety
///
/// The pointers are to what that kernel expects there.
unsafe fn about_the_socket(number: i64, [socket, a1, a2, a3, a4]: [i64; 5]) -> Option<Errno> {
    // SAFETY: `on` holds it while the call lasts.
    let kernel = unsafe { &mut *KERNEL.get() };
    assert_eq!(socket, 8);
    let (answer, place) = if number == IOCTL {
        assert_eq!(a1, 0x4004_6676, "FIONSPACE");
        (kernel.space, a2)
    } else {
        // SAFETY: the stub gave a variable of its caller's.
        assert_eq!((a1, a2, unsafe { *(a4 as *const u32) }), (0xffff, 0x1007, 4), "SO_ERROR");
        (std::mem::take(&mut kernel.kept), a3)
    };
    // SAFETY: as above.
    unsafe { *(place as *mut i32) = answer };
    None
}

/// What the policy says, which comes before the call.
fn refused() -> Option<Errno> {
    // SAFETY: `on` holds it while the call lasts.
    unsafe { (*KERNEL.get()).refused }
}

const IOCTL: i64 = 54;
const GETSOCKOPT: i64 = 118;

/// Does what the other kernel does with the registers. It runs in the thread that made the call, at the trap.
extern "C" fn handler(_: c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
    SELECTOR.with(|selector| selector.store(ALLOW, Ordering::SeqCst));
    // SAFETY: the kernel gives a ucontext_t, which is this handler's to change.
    let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let register = |name: c_int| registers[name as usize];
    let [a0, a1, a2, a3, a4, a5] =
        [libc::REG_RDI, libc::REG_RSI, libc::REG_RDX, libc::REG_R10, libc::REG_R8, libc::REG_R9].map(register);
    // SAFETY: the stub's stack; behind the place of a return address.
    let a6 = unsafe { *((register(libc::REG_RSP) as *const i64).add(1)) };
    let (number, flags) = (register(libc::REG_RAX), if OS == Os::FreeBsd { a6 } else { a5 });
    SEEN.set(Some(Seen { number, flags }));
    let errno = if (a0 as i32, a1 as i32) == (-1, -1) {
        Some(Errno::EBADF)
    } else if OS == Os::FreeBsd && matches!(number, IOCTL | GETSOCKOPT) {
        // SAFETY: the stub gave what its caller gave.
        unsafe { about_the_socket(number, [a0, a1, a2, a3, a4]) }
    } else if let Some(errno) = refused() {
        Some(errno)
    } else {
        assert_eq!((a0, a1), (7, 8), "the file, then the socket");
        // SAFETY: the stub gave what its caller gave.
        unsafe { sendfile(a2, a3, a4, a5) }
    };

    registers[libc::REG_RAX as usize] = errno.map_or(0, |errno| errno.raw_os_error().into());
    let carry = &mut registers[libc::REG_EFL as usize];
    *carry = *carry & !1 | i64::from(errno.is_some());
    for name in [libc::REG_RDX, libc::REG_R8, libc::REG_R9, libc::REG_R10] {
        registers[name as usize] = 0;
    }
    for name in [libc::REG_RCX, libc::REG_R11] {
        registers[name as usize] = 0x5555_5555;
    }
}
