//! Functions that make system calls while the processor's registers are full: `machine.py` runs them on an emulated
//! processor against a kernel that preserves nothing but what it has promised to.
#![no_std]

#[macro_use]
mod around;
mod calls;
mod stubs;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// The prebuilt `core` was compiled for unwinding and refers to it, but nothing unwinds.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// What the compiler calls to copy memory, where no C library is linked. Volatile, so that it is not taken for a call of itself.
///
/// # Safety
///
/// As of C's function.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    for i in 0..len {
        // SAFETY: the caller's.
        unsafe { to.add(i).write_volatile(from.add(i).read_volatile()) };
    }
    to
}

/// The same to fill it.
///
/// # Safety
///
/// As of C's function.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
    for i in 0..len {
        // SAFETY: the caller's.
        unsafe { to.add(i).write_volatile(byte as u8) };
    }
    to
}
