//! What the prebuilt `core` refers to: it was compiled for programs that unwind, which one with `panic = "abort"` does not.

#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// Of a landing pad, in a build that is not optimised.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    crate::exit(134)
}

/// Those atomic operations of aarch64 that `core` calls by name ask by it whether the processor has better instructions. Of nothing
/// known they make do with the old ones.
#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
extern "C" fn getauxval(_: usize) -> usize {
    0
}

/// The tables for unwinding of 32-bit ARM name them.
#[cfg(target_arch = "arm")]
#[unsafe(no_mangle)]
extern "C" fn __aeabi_unwind_cpp_pr0() {}

/// As above.
#[cfg(target_arch = "arm")]
#[unsafe(no_mangle)]
extern "C" fn __aeabi_unwind_cpp_pr1() {}
