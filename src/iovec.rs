//! Slices of bytes in the kernel's own layout.

use core::ffi::c_void;
use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;

/// The kernel's `struct iovec`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Iovec {
    base: *const c_void,
    len: usize,
}

/// A slice of bytes to be written, with the layout of the kernel's `struct iovec`, so that a list goes to the kernel as it is. The layout is
/// promised: size, alignment and both fields are those of C's `struct iovec`, so each can be cast to the other.
///
/// The type is the same with and without the feature `std`. With it, `IoSlice::from_std` converts a list of std's slices at no cost.
///
/// ```
/// use bare_sendfile::IoSlice;
/// const NEWLINE: IoSlice<'static> = IoSlice::new(b"\r\n");
/// assert_eq!(&*NEWLINE, b"\r\n");
/// ```
///
/// The slice borrows its bytes:
///
/// ```compile_fail,E0515
/// use bare_sendfile::IoSlice;
/// fn escape() -> IoSlice<'static> {
///     let bytes = [1, 2, 3];
///     IoSlice::new(&bytes)
/// }
/// ```
///
/// # References
/// - [iovec(3type)](https://man7.org/linux/man-pages/man3/iovec.3type.html)
/// - [`std::io::IoSlice`](https://doc.rust-lang.org/std/io/struct.IoSlice.html)
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct IoSlice<'a> {
    iovec: Iovec,
    bytes: PhantomData<&'a [u8]>,
}

// SAFETY: it is a `&[u8]` in another layout, and `&[u8]` is Send.
unsafe impl Send for IoSlice<'_> {}
// SAFETY: it is a `&[u8]` in another layout, and `&[u8]` is Sync.
unsafe impl Sync for IoSlice<'_> {}

impl<'a> IoSlice<'a> {
    /// Returns a slice of these bytes.
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { iovec: Iovec { base: bytes.as_ptr().cast(), len: bytes.len() }, bytes: PhantomData }
    }

    /// Returns the number of bytes, without reading them.
    #[inline]
    pub const fn len(&self) -> usize {
        self.iovec.len
    }

    /// Whether the slice has no bytes.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.iovec.len == 0
    }

    /// Returns the bytes from `start` on, at most `most` of them, without reading them.
    ///
    /// ```
    /// use bare_sendfile::IoSlice;
    /// assert_eq!(&*IoSlice::new(b"trailer").part(2, 4), b"aile");
    /// assert!(IoSlice::new(b"trailer").part(8, 1).is_empty());
    /// ```
    #[inline]
    pub const fn part(self, start: usize, most: usize) -> Self {
        let start = if start < self.iovec.len { start } else { self.iovec.len };
        let left = self.iovec.len - start;
        let len = if left < most { left } else { most };
        // Wrapping, because a pointer from C may be anything.
        Self { iovec: Iovec { base: self.iovec.base.wrapping_byte_add(start), len }, bytes: PhantomData }
    }

    /// Returns the bytes, for as long as they are borrowed.
    #[inline]
    pub const fn as_slice(&self) -> &'a [u8] {
        // An empty slice from C may be null.
        if self.iovec.base.is_null() {
            return &[];
        }
        // SAFETY: pointer and length were taken from a `&'a [u8]` (in `new`, or by std in `from_std`) and never changed, or the
        // caller of `from_raw_parts` vouched for them.
        unsafe { core::slice::from_raw_parts(self.iovec.base.cast(), self.iovec.len) }
    }

    /// Returns C's array of `len` `struct iovec` as a list of this type. Nothing is copied.
    ///
    /// The layout is that of the kernel's `struct iovec`: a pointer to the first byte, then the number of bytes (`size_t`).
    ///
    /// # Safety
    ///
    /// - `list` points to an aligned array of `len` of them, which nobody changes during `'s`. It may be null if `len` is 0.
    /// - Each element points to as many bytes as its length, at most `isize::MAX`, which nobody changes during `'a`. Its pointer may be null
    ///   if its length is 0.
    ///
    /// If the list is only sent, with no buffer lent, only the kernel reads the bytes. Then a wrong pointer in an element is not undefined
    /// behaviour: the call fails with `EFAULT`.
    ///
    /// ```
    /// use bare_sendfile::IoSlice;
    /// #[repr(C)]
    /// struct Iovec {
    ///     base: *const u8,
    ///     len: usize,
    /// }
    /// let list = [Iovec { base: b"200 OK\r\n".as_ptr(), len: 8 }, Iovec { base: core::ptr::null(), len: 0 }];
    /// // SAFETY: it is a list of two, the bytes are static, and nobody changes either.
    /// let slices = unsafe { IoSlice::from_raw_parts(list.as_ptr().cast(), list.len()) };
    /// assert_eq!((&*slices[0], &*slices[1]), (&b"200 OK\r\n"[..], &b""[..]));
    /// ```
    ///
    /// # References
    /// - [iovec(3type)](https://man7.org/linux/man-pages/man3/iovec.3type.html)
    #[inline]
    pub const unsafe fn from_raw_parts<'s>(list: *const c_void, len: usize) -> &'s [Self]
    where
        'a: 's,
    {
        if len == 0 {
            return &[];
        }
        // SAFETY: the caller vouches for the list, and this type is transparent over `struct iovec`.
        unsafe { core::slice::from_raw_parts(list.cast(), len) }
    }

    /// Returns std's list as a list of this type. Nothing is copied.
    #[cfg(feature = "std")]
    #[inline]
    pub fn from_std<'s>(slices: &'s [std::io::IoSlice<'a>]) -> &'s [Self] {
        // SAFETY: std guarantees that its `IoSlice` "is guaranteed to be ABI compatible with the iovec type on Unix
        // platforms"; ours is transparent over the same structure, and both stand for a `&'a [u8]`.
        unsafe { core::slice::from_raw_parts(slices.as_ptr().cast(), slices.len()) }
    }
}

impl Deref for IoSlice<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl<'a> From<&'a [u8]> for IoSlice<'a> {
    #[inline]
    fn from(bytes: &'a [u8]) -> Self {
        Self::new(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for IoSlice<'a> {
    #[inline]
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::new(bytes)
    }
}

impl<'a> From<&'a str> for IoSlice<'a> {
    #[inline]
    fn from(text: &'a str) -> Self {
        Self::new(text.as_bytes())
    }
}

impl fmt::Debug for IoSlice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_slice(), f)
    }
}
