//! What C has, and what is made of it.

use core::ffi::{c_int, c_void};

use bare::fd::BorrowedFd;
use bare::{Count, Errno, Error, IoSlice, Result, Status};

use crate::{BARE_DONE, BARE_IN_EMPTY, BARE_OUT_FULL, BARE_TO_END, BARE_YIELDED};

/// `struct iovec`.
#[repr(C)]
pub struct Iovec {
    base: *mut c_void,
    len: usize,
}

/// `struct sf_hdtr` of FreeBSD's sendfile(2).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SfHdtr {
    headers: *mut Iovec,
    hdr_cnt: c_int,
    trailers: *mut Iovec,
    trl_cnt: c_int,
}

/// Headers and trailers.
pub(crate) type Lists<'a> = (&'a [IoSlice<'a>], &'a [IoSlice<'a>]);

/// A descriptor by its number.
pub(crate) fn fd(number: c_int) -> Result<BorrowedFd<'static>> {
    // Such as what open(2) returned when it failed: before headers are sent to the other one.
    if number < 0 {
        return Err(Errno::EBADF);
    }
    // SAFETY: it is not −1. Whether it is open, and whose it is, C cannot promise: the crate hands the number to the kernel, which
    // says `EBADF`, and keeps no memory that depends on it.
    Ok(unsafe { BorrowedFd::borrow_raw(number) })
}

/// The lists of an `sf_hdtr`.
///
/// # Safety
///
/// `hdtr` is null, or points to an `sf_hdtr`. Its lists are null or have as many `struct iovec` as it says, which stay during `'a`.
/// Where those point is the kernel's matter, unless a buffer is lent.
pub(crate) unsafe fn lists<'a>(hdtr: *const SfHdtr) -> Result<Lists<'a>> {
    if hdtr.is_null() {
        return Ok((&[], &[]));
    }
    // SAFETY: the caller's.
    let hdtr = unsafe { hdtr.read_unaligned() };
    // SAFETY: the caller's.
    unsafe { Ok((list(hdtr.headers, hdtr.hdr_cnt)?, list(hdtr.trailers, hdtr.trl_cnt)?)) }
}

/// # Safety
///
/// As for [`lists`].
unsafe fn list<'a>(list: *const Iovec, count: c_int) -> Result<&'a [IoSlice<'a>]> {
    if list.is_null() {
        return Ok(&[]);
    }
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?;
    if !list.is_aligned() {
        return Err(Errno::EFAULT);
    }
    // SAFETY: there are so many, aligned, says the caller.
    let slices = unsafe { IoSlice::from_raw_parts(list.cast(), count) };
    // As writev(2) does. On 32-bit processors one call of the crate could take such a length.
    if slices.iter().any(|slice| isize::try_from(slice.len()).is_err()) {
        return Err(Errno::EINVAL);
    }
    Ok(slices)
}

/// A lent buffer; none if it is null and has no bytes.
///
/// # Safety
///
/// `buffer` has `size` bytes that nobody else uses during `'a`.
pub(crate) unsafe fn buffer<'a>(buffer: *mut c_void, size: usize) -> Result<&'a mut [u8]> {
    if size == 0 {
        return Ok(&mut []);
    }
    if buffer.is_null() || size > isize::MAX as usize {
        return Err(Errno::EFAULT);
    }
    // SAFETY: the caller's.
    Ok(unsafe { core::slice::from_raw_parts_mut(buffer.cast(), size) })
}

pub(crate) fn count(count: u64) -> Count {
    if count == BARE_TO_END { Count::ToEnd } else { Count::Bytes(count) }
}

/// The negative number of an error.
pub(crate) fn negative(error: impl Into<Error>) -> c_int {
    -error.into().raw_os_error()
}

pub(crate) fn result(result: Result<(), Error>) -> c_int {
    result.map_or_else(negative, |()| 0)
}

pub(crate) fn status(status: Result<Status, Error>) -> c_int {
    match status {
        Ok(Status::Done) => BARE_DONE,
        Ok(Status::Yielded) => BARE_YIELDED,
        Ok(Status::OutFull) => BARE_OUT_FULL,
        Ok(Status::InEmpty) => BARE_IN_EMPTY,
        Err(error) => negative(error),
    }
}

/// What stands in one of C's opaque structures. The mark tells one that was initialised from one that was not.
#[repr(C)]
pub(crate) struct Marked<T> {
    mark: u64,
    value: T,
}

impl<T> Marked<T> {
    /// # Safety
    ///
    /// `place` is null, or has room for it that nobody else uses meanwhile.
    pub(crate) unsafe fn put(place: *mut c_void, mark: u64, value: T) -> Result<(), Error> {
        let place = place.cast::<Self>();
        if place.is_null() || !place.is_aligned() {
            return Err(Errno::EFAULT.into());
        }
        // SAFETY: the caller's, and it is aligned.
        unsafe { place.write(Self { mark, value }) };
        Ok(())
    }

    /// `EFAULT` for a null pointer, `EINVAL` where nothing was put.
    ///
    /// # Safety
    ///
    /// `place` is null, or has room for it. Behind the mark there is what was put there.
    unsafe fn check(place: *const c_void, mark: u64) -> Result<*const Self, Error> {
        let place = place.cast::<Self>();
        if place.is_null() || !place.is_aligned() {
            return Err(Errno::EFAULT.into());
        }
        // SAFETY: it is aligned, and C's memory is there, says the caller.
        match unsafe { (&raw const (*place).mark).read() } == mark {
            true => Ok(place),
            false => Err(Errno::EINVAL.into()),
        }
    }

    /// # Safety
    ///
    /// As for [`check`](Self::check), and nobody changes it during `'a`.
    pub(crate) unsafe fn at<'a>(place: *const c_void, mark: u64) -> Result<&'a T, Error> {
        // SAFETY: the caller's. The mark stands before a value that `put` has written.
        unsafe { Ok(&(*Self::check(place, mark)?).value) }
    }

    /// # Safety
    ///
    /// As for [`check`](Self::check), and nobody else uses it during `'a`.
    pub(crate) unsafe fn at_mut<'a>(place: *mut c_void, mark: u64) -> Result<&'a mut T, Error> {
        // SAFETY: the caller's. The mark stands before a value that `put` has written.
        unsafe { Ok(&mut (*Self::check(place, mark)?.cast_mut()).value) }
    }

    /// Takes it out.
    ///
    /// # Safety
    ///
    /// As for [`at_mut`](Self::at_mut).
    pub(crate) unsafe fn take(place: *mut c_void, mark: u64) -> Result<T, Error> {
        // SAFETY: the caller's. Without the mark it is taken only once.
        let value = unsafe { core::ptr::read(Self::at_mut(place, mark)?) };
        // SAFETY: the mark was found there.
        unsafe { (&raw mut (*place.cast::<Self>()).mark).write(0) };
        Ok(value)
    }
}
