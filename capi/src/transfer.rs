//! A send that can stop anywhere and go on from there.

use core::ffi::{c_int, c_void};

use bare::fd::BorrowedFd;
use bare::{Errno, Error};

use crate::raw::{self, Lists, Marked, SfHdtr, buffer, fd, lists};

/// The size of `struct bare_transfer`, for languages that cannot ask for it. Its alignment is that of a uint64_t.
pub const BARE_TRANSFER_SIZE: usize = 160;

/// A send of headers, a range of a file and trailers, that can stop anywhere and go on from there. It is plain data, on the stack or
/// in the struct of a connection: nothing has to be freed. It holds neither descriptors nor pointers; pass the same to each call.
#[repr(C)]
pub struct Transfer {
    opaque: [u64; 20],
}

type Inner = Marked<bare::Transfer>;
const _: () = assert!(size_of::<Transfer>() == BARE_TRANSFER_SIZE);
const _: () = assert!(size_of::<Inner>() <= size_of::<Transfer>() && align_of::<Inner>() <= align_of::<Transfer>());
const MARK: u64 = u64::from_ne_bytes(*b"transfer");

/// Bytes sent.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Progress {
    /// Of the headers.
    pub headers: u64,
    /// Of the file.
    pub file: u64,
    /// Of the trailers.
    pub trailers: u64,
}

/// Makes a transfer of the headers, then `count` bytes of the file from `offset` on (BARE_TO_END: to its end), then the trailers. Only the
/// lengths of the lists are stored. A count of 0 sends nothing of the file.
///
/// Returns 0, or a negative error number.
///
/// # Safety
///
/// `transfer` is null or the caller's. `hdtr` is null or points to a `struct sf_hdtr`, whose lists are as long as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bare_transfer_init(
    transfer: *mut Transfer,
    offset: i64,
    count: u64,
    hdtr: *const SfHdtr,
) -> c_int {
    let made = || {
        let offset = u64::try_from(offset).map_err(|_| Errno::EINVAL)?;
        // SAFETY: the caller's.
        let (headers, trailers) = unsafe { lists(hdtr)? };
        bare::Transfer::new(offset, raw::count(count), headers, trailers)
    };
    // SAFETY: the caller's; the size was compared above.
    raw::result(made().and_then(|made| unsafe { Inner::put(transfer.cast(), MARK, made) }))
}

/// The same from the position of the file on, which advances (Linux).
///
/// # Safety
///
/// As for `bare_transfer_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bare_transfer_from_position(
    transfer: *mut Transfer,
    count: u64,
    hdtr: *const SfHdtr,
) -> c_int {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let made = || {
        // SAFETY: the caller's.
        let (headers, trailers) = unsafe { lists(hdtr)? };
        bare::Transfer::from_position(raw::count(count), headers, trailers)
    };
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let made = || {
        let _ = (count, hdtr);
        Err::<bare::Transfer, Error>(Errno::EINVAL.into())
    };
    // SAFETY: the caller's; the size was compared above.
    raw::result(made().and_then(|made| unsafe { Inner::put(transfer.cast(), MARK, made) }))
}

/// # Safety
///
/// `transfer` is null or the caller's.
unsafe fn change(transfer: *mut Transfer, change: impl FnOnce(bare::Transfer) -> bare::Transfer) -> c_int {
    // SAFETY: the caller's.
    raw::result(unsafe { Inner::at_mut(transfer.cast(), MARK) }.map(|transfer| *transfer = change(transfer.clone())))
}

/// Limits each bare_transfer_poll_send to so many bytes, 2 MiB unless told otherwise.
///
/// # Safety
///
/// `transfer` is null or the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bare_transfer_set_budget(transfer: *mut Transfer, bytes: usize) -> c_int {
    // SAFETY: the caller's.
    unsafe { change(transfer, |transfer| transfer.with_budget(bytes)) }
}

/// Sets the largest body that is copied through a lent buffer for one write with its headers, 8 KiB unless told otherwise; 0 is for never.
///
/// # Safety
///
/// `transfer` is null or the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bare_transfer_set_small(transfer: *mut Transfer, bytes: usize) -> c_int {
    // SAFETY: the caller's.
    unsafe { change(transfer, |transfer| transfer.with_small(bytes)) }
}

/// Has all of the file copied through the lent buffer: a later write to the file does not change what was sent, as it can with sendfile.
///
/// # Safety
///
/// `transfer` is null or the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bare_transfer_set_copying(transfer: *mut Transfer) -> c_int {
    // SAFETY: the caller's.
    unsafe { change(transfer, bare::Transfer::copying) }
}

/// What a driver is called with.
type Call<'a> = (&'a mut bare::Transfer, BorrowedFd<'a>, BorrowedFd<'a>, Lists<'a>, &'a mut [u8]);

/// # Safety
///
/// As for `bare_transfer_send_all`.
unsafe fn call<'a>(
    transfer: *mut Transfer,
    out_fd: c_int,
    in_fd: c_int,
    hdtr: *const SfHdtr,
    lent: *mut c_void,
    size: usize,
) -> Result<Call<'a>, Error> {
    // SAFETY: the caller's.
    unsafe { Ok((Inner::at_mut(transfer.cast(), MARK)?, fd(out_fd)?, fd(in_fd)?, lists(hdtr)?, buffer(lent, size)?)) }
}

/// Sends until all is sent or an error stops it, and goes on after EINTR: for blocking outputs. It returns at EAGAIN, so that SO_SNDTIMEO
/// works. Call it again to go on.
///
/// A lent `buffer` permits copying through it: of files that sendfile(2) refuses, and of small bodies. With a `size` of 0 (and a null
/// pointer) nothing is copied.
///
/// Returns 0, or a negative error number: -EIO if the file ended before the count (the trailers are withheld then). What was sent is in
/// bare_transfer_progress.
///
/// # Safety
///
/// `transfer` is null or the caller's. `hdtr` is null or points to a `struct sf_hdtr`, whose lists are as long as it says. `buffer` has
/// `size` bytes of the caller's, which are not those of the headers or trailers; where it is lent, they have to be there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bare_transfer_send_all(
    transfer: *mut Transfer,
    out_fd: c_int,
    in_fd: c_int,
    hdtr: *const SfHdtr,
    buffer: *mut c_void,
    size: usize,
) -> c_int {
    // SAFETY: the caller's.
    let call = unsafe { call(transfer, out_fd, in_fd, hdtr, buffer, size) };
    raw::result(call.and_then(|(transfer, out_fd, in_fd, (headers, trailers), buffer)| {
        transfer.send_all(out_fd, in_fd, headers, trailers, buffer)
    }))
}

/// Sends until all is sent, the budget is used up, or it would block: for nonblocking outputs and an event loop. The arguments are those of
/// bare_transfer_send_all.
///
/// Returns BARE_DONE, BARE_YIELDED, BARE_OUT_FULL or BARE_IN_EMPTY, or a negative error number.
///
/// # Safety
///
/// As for `bare_transfer_send_all`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bare_transfer_poll_send(
    transfer: *mut Transfer,
    out_fd: c_int,
    in_fd: c_int,
    hdtr: *const SfHdtr,
    buffer: *mut c_void,
    size: usize,
) -> c_int {
    // SAFETY: the caller's.
    let call = unsafe { call(transfer, out_fd, in_fd, hdtr, buffer, size) };
    raw::status(call.and_then(|(transfer, out_fd, in_fd, (headers, trailers), buffer)| {
        transfer.poll_send(out_fd, in_fd, headers, trailers, buffer)
    }))
}

/// Sends what the kernel still holds back in the hope of more, when a transfer is given up after BARE_OUT_FULL. Otherwise the drivers do it
/// themselves.
///
/// Returns 0, or a negative error number.
///
/// # Safety
///
/// `transfer` is null or the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bare_transfer_flush(transfer: *mut Transfer, out_fd: c_int) -> c_int {
    // SAFETY: the caller's.
    let transfer = unsafe { Inner::at_mut(transfer.cast(), MARK) };
    raw::result(transfer.and_then(|transfer| {
        let out_fd = fd(out_fd)?;
        match transfer.flush() {
            Some(step) => transfer.perform(&step, out_fd, out_fd, &mut []),
            None => Ok(()),
        }
    }))
}

/// Returns the bytes sent until now; none for a struct that is not initialised.
///
/// # Safety
///
/// `transfer` is null or the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bare_transfer_progress(transfer: *const Transfer) -> Progress {
    // SAFETY: the caller's; nothing is written.
    match unsafe { Inner::at(transfer.cast(), MARK) } {
        Ok(transfer) => {
            let bare::Progress { headers, file, trailers } = transfer.progress();
            Progress { headers, file, trailers }
        }
        Err(_) => Progress::default(),
    }
}
