//! What `CStr` calls. It is not beside the other functions in memory/, because a function of a crate with `no_builtins` is never
//! inlined, and compilers make no call of strlen out of a loop in a function of this name.

use core::ffi::c_char;

#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(string: *const c_char) -> usize {
    let mut len = 0;
    // SAFETY: the caller's string ends with a zero byte, at which this stops.
    while unsafe { *string.add(len) } != 0 {
        len += 1;
    }
    len
}
