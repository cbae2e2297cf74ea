//! Input that cannot be read twice.

use core::ffi::{c_int, c_void};

use bare::Errno;

use crate::raw::{self, Marked, fd};

/// The size of `struct bare_stream_copy`, for languages that cannot ask for it. Its alignment is that of a uint64_t.
pub const BARE_STREAM_COPY_SIZE: usize = 192;

/// A copy from an input that cannot seek (a pipe, a socket), by splice(2) if one of the two is a pipe, else through a buffer. Bytes that
/// were read and not yet written are in that buffer, which belongs to the copy until it is done.
#[repr(C)]
pub struct StreamCopy {
    opaque: [u64; 24],
}

/// The caller's buffer, by its place.
struct Buffer {
    start: *mut u8,
    size: usize,
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        if self.size == 0 {
            return &[];
        }
        // SAFETY: `bare_stream_copy_init` was given it for the life of the copy.
        unsafe { core::slice::from_raw_parts(self.start, self.size) }
    }
}

impl AsMut<[u8]> for Buffer {
    fn as_mut(&mut self) -> &mut [u8] {
        if self.size == 0 {
            return &mut [];
        }
        // SAFETY: `bare_stream_copy_init` was given it for the life of the copy.
        unsafe { core::slice::from_raw_parts_mut(self.start, self.size) }
    }
}

type Inner = Marked<bare::StreamCopy<Buffer>>;
const _: () = assert!(size_of::<StreamCopy>() == BARE_STREAM_COPY_SIZE);
const _: () = assert!(size_of::<Inner>() <= size_of::<StreamCopy>() && align_of::<Inner>() <= align_of::<StreamCopy>());
const MARK: u64 = u64::from_ne_bytes(*b"streamcp");

/// Makes a copy of `count` bytes, or BARE_TO_END, through `buffer` if splice(2) does not work. With a `size` of 0 nothing is copied
/// through it, and splice's refusal is the error.
///
/// Returns 0, or a negative error number.
///
/// # Safety
///
/// `copy` is null or the caller's. `buffer` has `size` bytes, which nobody else uses as long as the copy is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bare_stream_copy_init(
    copy: *mut StreamCopy,
    count: u64,
    buffer: *mut c_void,
    size: usize,
) -> c_int {
    if size > 0 && (buffer.is_null() || size > isize::MAX as usize) {
        return raw::negative(Errno::EFAULT);
    }
    let made = bare::StreamCopy::new(raw::count(count), Buffer { start: buffer.cast(), size });
    // SAFETY: the caller's; the size was compared above.
    raw::result(unsafe { Inner::put(copy.cast(), MARK, made) })
}

/// Limits each bare_stream_copy_poll_send to so many bytes, 2 MiB unless told otherwise.
///
/// # Safety
///
/// `copy` is null or the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bare_stream_copy_set_budget(copy: *mut StreamCopy, bytes: usize) -> c_int {
    // SAFETY: the caller's; what is taken out is put back.
    raw::result(unsafe {
        Inner::take(copy.cast(), MARK).and_then(|made| Inner::put(copy.cast(), MARK, made.with_budget(bytes)))
    })
}

/// Copies until the count is reached or the input ends: for blocking descriptors. Call it again to go on after an error.
///
/// Returns 0, or a negative error number: -EIO if the input ended before the count.
///
/// # Safety
///
/// `copy` is null or the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bare_stream_copy_send_all(copy: *mut StreamCopy, out_fd: c_int, in_fd: c_int) -> c_int {
    // SAFETY: the caller's.
    let copy = unsafe { Inner::at_mut(copy.cast(), MARK) };
    raw::result(copy.and_then(|copy| copy.send_all(fd(out_fd)?, fd(in_fd)?)))
}

/// Copies until the count is reached, the input ends, the budget is used up, or it would block. Both descriptors have to be nonblocking.
///
/// Returns BARE_DONE, BARE_YIELDED, BARE_OUT_FULL or BARE_IN_EMPTY, or a negative error number.
///
/// # Safety
///
/// `copy` is null or the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bare_stream_copy_poll_send(copy: *mut StreamCopy, out_fd: c_int, in_fd: c_int) -> c_int {
    // SAFETY: the caller's.
    let copy = unsafe { Inner::at_mut(copy.cast(), MARK) };
    raw::status(copy.and_then(|copy| copy.poll_send(fd(out_fd)?, fd(in_fd)?)))
}

/// Returns the bytes written until now; none for a struct that is not initialised.
///
/// # Safety
///
/// `copy` is null or the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bare_stream_copy_sent(copy: *const StreamCopy) -> u64 {
    // SAFETY: the caller's; nothing is written.
    unsafe { Inner::at(copy.cast(), MARK) }.map_or(0, |copy| copy.sent())
}

/// Returns the bytes that were read and not yet written, and sets `size` to their number. They are in the copy's buffer or in the struct itself.
///
/// # Safety
///
/// `copy` is null or the caller's, and so is `size`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bare_stream_copy_remainder(copy: *const StreamCopy, size: *mut usize) -> *const c_void {
    // SAFETY: the caller's; nothing is written.
    let bytes = unsafe { Inner::at(copy.cast(), MARK) }.map_or(&[][..], |copy| copy.remainder());
    if !size.is_null() {
        // SAFETY: the caller's.
        unsafe { size.write_unaligned(bytes.len()) };
    }
    bytes.as_ptr().cast()
}
