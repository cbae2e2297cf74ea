//! Sending without SIGPIPE.

use core::ffi::c_int;

use crate::raw::{self, Marked};

/// Keeps SIGPIPE from the calling thread between bare_sigpipe_guard_hold and bare_sigpipe_guard_release: EPIPE comes alone. It is for
/// libraries; a program ignores the signal once.
#[repr(C)]
pub struct SigpipeGuard {
    opaque: [u64; 2],
}

type Inner = Marked<bare::SigpipeGuard>;
const _: () =
    assert!(size_of::<Inner>() <= size_of::<SigpipeGuard>() && align_of::<Inner>() <= align_of::<SigpipeGuard>());
const MARK: u64 = u64::from_ne_bytes(*b"sigpipe.");

/// Blocks SIGPIPE in the calling thread. Several guards of a thread are released in the reverse order.
///
/// Returns 0, or a negative error number.
///
/// # Safety
///
/// `guard` is null or the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bare_sigpipe_guard_hold(guard: *mut SigpipeGuard) -> c_int {
    let made = bare::SigpipeGuard::new().map_err(bare::Error::from);
    // SAFETY: the caller's; the size was compared above.
    raw::result(made.and_then(|made| unsafe { Inner::put(guard.cast(), MARK, made) }))
}

/// Takes out a SIGPIPE that was raised meanwhile, and puts the mask back, in the same thread.
///
/// Returns 0, or a negative error number: -EINVAL if it is not held.
///
/// # Safety
///
/// `guard` is null or the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bare_sigpipe_guard_release(guard: *mut SigpipeGuard) -> c_int {
    // SAFETY: the caller's. Dropping it releases it.
    raw::result(unsafe { Inner::take(guard.cast(), MARK) }.map(drop))
}
