//! The C interface of bare-sendfile. The header, `include/bare_sendfile.h`, is made of these comments.
//!
//! A C program vouches for nothing: descriptors are numbers, and pointers can be wrong. What the kernel looks at goes to it as it is.
//! No reference is made to memory that nobody has checked, but for the structures and lent buffers that the functions name.
#![no_std]

mod raw;
mod sendfile;
mod sigpipe;
mod stream_copy;
mod transfer;

pub use raw::{Iovec, SfHdtr};
pub use sendfile::{bare_sendfile, bare_sendfile_available, bare_sendfile_hdtr};
pub use sigpipe::{SigpipeGuard, bare_sigpipe_guard_hold, bare_sigpipe_guard_release};
pub use stream_copy::{
    BARE_STREAM_COPY_SIZE, StreamCopy, bare_stream_copy_init, bare_stream_copy_poll_send, bare_stream_copy_remainder,
    bare_stream_copy_send_all, bare_stream_copy_sent, bare_stream_copy_set_budget,
};
pub use transfer::{
    BARE_TRANSFER_SIZE, Progress, Transfer, bare_transfer_flush, bare_transfer_from_position, bare_transfer_init,
    bare_transfer_poll_send, bare_transfer_progress, bare_transfer_send_all, bare_transfer_set_budget,
    bare_transfer_set_copying, bare_transfer_set_small,
};

use core::ffi::c_int;

/// As the count of a transfer or copy: to the end.
pub const BARE_TO_END: u64 = u64::MAX;

/// All is sent.
pub const BARE_DONE: c_int = 0;
/// The budget is used up. Call again at once, or after the other connections: the output may still be writable, and
/// edge-triggered epoll does not report that again.
pub const BARE_YIELDED: c_int = 1;
/// Call again when the output is writable.
pub const BARE_OUT_FULL: c_int = 2;
/// Call again when the input is readable.
pub const BARE_IN_EMPTY: c_int = 3;

/// Required of every program without std. Nothing here panics in a release build, and the linker drops it: tests/steps/capi looks.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
