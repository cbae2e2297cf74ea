//! The kernel's error numbers.

use core::fmt;
use core::num::NonZeroIsize;

/// An error number of the target's kernel.
///
/// Unknown numbers are values like any other, because a kernel may be newer than this crate. The range is 1 to 4095, which is all that a
/// Linux system call can return.
///
/// The value is the kernel's negative number in one word, with a niche at zero. So a `Result<usize, Errno>` is returned in two registers,
/// and `Option<Errno>` is one word.
///
/// ```
/// use bare_sendfile::Errno;
/// assert_eq!(Errno::EPIPE.raw_os_error(), 32);
/// assert_eq!(Errno::EPIPE.name(), Some("EPIPE"));
/// assert_eq!(Errno::EPIPE.to_string(), "Broken pipe (EPIPE, os error 32)");
/// assert_eq!(Errno::from_raw_os_error(0), None);
/// ```
///
/// # References
/// - [errno(3)](https://man7.org/linux/man-pages/man3/errno.3.html)
/// - [Linux include/uapi/asm-generic/errno.h](https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/include/uapi/asm-generic/errno.h)
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Errno(NonZeroIsize);

/// The result of a system call.
pub type Result<T, E = Errno> = core::result::Result<T, E>;

impl Errno {
    /// The largest error number.
    pub const MAX: i32 = 4095;

    /// Returns the error with this (positive) number, or `None` unless it is in 1..=4095.
    pub const fn from_raw_os_error(number: i32) -> Option<Self> {
        // As unsigned, a negative number is too large. `NonZeroIsize` refuses 0.
        if number as u32 > Self::MAX as u32 {
            return None;
        }
        match NonZeroIsize::new(-(number as isize)) {
            Some(negative) => Some(Self(negative)),
            None => None,
        }
    }

    /// Returns the (positive) number, as in errno(3) and `std::io::Error::raw_os_error`.
    pub const fn raw_os_error(self) -> i32 {
        -(self.0.get() as i32)
    }

    /// For the constants: a number out of range does not compile.
    pub(crate) const fn known(number: i32) -> Self {
        match Self::from_raw_os_error(number) {
            Some(errno) => errno,
            None => panic!("an error number is in 1..=4095"),
        }
    }

    /// Reads the result register of a system call: −4095..=−1 is an error, anything else a value.
    #[inline(always)]
    pub(crate) const fn check(word: isize) -> Result<usize> {
        // In this order the compiler sees that the second test cannot fail, and leaves it out.
        if word as usize > -(Self::MAX as isize + 1) as usize {
            if let Some(negative) = NonZeroIsize::new(word) {
                return Err(Self(negative));
            }
        }
        Ok(word as usize)
    }

    /// Returns the symbolic name, or `None` for a number that this crate does not know.
    pub const fn name(self) -> Option<&'static str> {
        match Self::table(self.raw_os_error()) {
            Some((name, _)) => Some(name),
            None => None,
        }
    }

    /// Returns the text of strerror(3), or "Unknown error" for a number that this crate does not know.
    pub const fn description(self) -> &'static str {
        match Self::table(self.raw_os_error()) {
            Some((_, description)) => description,
            None => "Unknown error",
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} ({name}, os error {})", self.description(), self.raw_os_error()),
            None => write!(f, "Unknown error (os error {})", self.raw_os_error()),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Errno({})", self.raw_os_error()),
        }
    }
}

impl core::error::Error for Errno {}

#[cfg(feature = "std")]
impl From<Errno> for std::io::Error {
    fn from(errno: Errno) -> Self {
        Self::from_raw_os_error(errno.raw_os_error())
    }
}

#[cfg(all(feature = "syscalls", any(target_os = "linux", target_os = "android")))]
impl From<Errno> for syscalls::Errno {
    fn from(errno: Errno) -> Self {
        Self::new(errno.raw_os_error())
    }
}

/// Fails for a number outside 1..=4095, and returns it.
#[cfg(all(feature = "syscalls", any(target_os = "linux", target_os = "android")))]
impl TryFrom<syscalls::Errno> for Errno {
    type Error = syscalls::Errno;

    fn try_from(errno: syscalls::Errno) -> core::result::Result<Self, syscalls::Errno> {
        Self::from_raw_os_error(errno.into_raw()).ok_or(errno)
    }
}

/// Numbers that are the same on every system. The others are in `src/sys/*/errno.rs`.
impl Errno {
    /// The same as [`EAGAIN`](Self::EAGAIN).
    pub const EWOULDBLOCK: Self = Self::EAGAIN;
}

/// Makes the constants and the table from one list, so that they cannot disagree: for the system's numbers.
macro_rules! errnos {
    ($($(#[$cfg:meta])? $name:ident = $number:literal, $description:literal;)*) => {
        /// The numbers of this target.
        impl Errno {
            $(
                $(#[$cfg])?
                #[doc = $description]
                pub const $name: Self = Self::known($number);
            )*

            /// Returns name and description.
            pub(crate) const fn table(number: i32) -> Option<(&'static str, &'static str)> {
                match number {
                    $($(#[$cfg])? $number => Some((stringify!($name), $description)),)*
                    _ => None,
                }
            }
        }
    };
}

/// Makes constants for other names of the same numbers.
#[allow(unused_macros)] // macOS has none
macro_rules! same_errnos {
    ($($(#[$cfg:meta])? $name:ident = $of:ident;)*) => {
        /// Other names of the same numbers.
        impl Errno {
            $(
                $(#[$cfg])?
                #[doc = concat!("The same as [`", stringify!($of), "`](Self::", stringify!($of), ").")]
                pub const $name: Self = Self::$of;
            )*
        }
    };
}

#[cfg(test)]
mod tests {
    use super::Errno;

    #[test]
    fn a8_errors_are_exactly_minus_4095_to_minus_1() {
        for number in 1..=4095 {
            assert_eq!(Errno::check(-number), Err(Errno::from_raw_os_error(number as i32).unwrap()));
        }
        for count in [0, 1, 4095, 4096, isize::MAX, isize::MIN, isize::MIN + 1, -4097, -4096] {
            assert_eq!(Errno::check(count), Ok(count as usize));
        }
    }
}
