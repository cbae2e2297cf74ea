// The machine as src/ compiles it for a system. A module includes this file beside the system's `cork`, its constants and the `options`
// of its kernel.

pub(crate) mod errno {
    pub(crate) use bare_sendfile::{Errno, Result};
}
pub(crate) mod iovec {
    pub(crate) use bare_sendfile::IoSlice;
}
pub(crate) mod fd {
    /// The one socket.
    #[derive(Clone, Copy)]
    pub(crate) struct BorrowedFd<'a>(pub(crate) std::marker::PhantomData<&'a ()>);
}
#[path = "../../src/transfer/mod.rs"]
#[allow(dead_code, unreachable_pub)] // a part of it is used
pub(crate) mod transfer;

// As src/sys has them, for the cork.
#[allow(unused_imports)] // macOS's cork fails with no error of its own
use errno::{Errno, Result};
use fd::BorrowedFd;

mod sys {
    pub(crate) const MAX_RW_COUNT: usize = 0x7fff_f000;
    pub(crate) const IOV_MAX: usize = 1024;
    pub(crate) const HAS_MSG_MORE: bool = false;
    pub(crate) const CORKS_SMALL_STEPS: bool = false;
    pub(crate) use super::{CORKS_FILES, NATIVE_HDTR, options::*};
}
