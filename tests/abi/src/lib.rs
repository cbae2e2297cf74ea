//! Functions that make system calls while the processor's registers are full: `emulate.py` runs them on an emulated
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
