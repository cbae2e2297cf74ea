//! FreeBSD's kernel, and the constants that src/sys has there.

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
#[path = "../../src/cork/freebsd.rs"]
mod cork;
#[path = "model.rs"]
pub(crate) mod model;
#[path = "../../src/transfer.rs"]
#[allow(dead_code, unreachable_pub)]
mod transfer;

mod sys {
    pub(crate) const MAX_RW_COUNT: usize = 0x7fff_f000;
    pub(crate) const IOV_MAX: usize = 1024;
    pub(crate) const SOCK_STREAM: usize = 1;
    pub(crate) const HAS_MSG_MORE: bool = false;
    pub(crate) const NATIVE_HDTR: bool = true;
    pub(crate) const CORKS_FILES: bool = false;
    pub(crate) use super::model::options::*;
}

/// Which kernel it is.
const OS: crate::Os = crate::Os::FreeBsd;
