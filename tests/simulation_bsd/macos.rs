//! macOS's kernel, and the constants that src/sys has there.

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
#[path = "../simulation/case.rs"]
#[allow(dead_code)] // the kernels have a part of the outputs
mod case;
#[path = "../../src/sys/macos/cork.rs"]
mod cork;
#[path = "../simulation/explorer.rs"]
pub(crate) mod explorer;
#[path = "model.rs"]
pub(crate) mod model;
#[path = "../../src/transfer/mod.rs"]
#[allow(dead_code, unreachable_pub)] // the scripts use a part
mod transfer;

// As src/sys has them, for the cork.
use errno::Result;
use fd::BorrowedFd;

/// What the scripts are made of.
mod machine {
    pub(crate) use super::errno::Errno;
    pub(crate) use super::iovec::IoSlice;
    pub(crate) use super::transfer::{Count, Error, Output, Step};
}

mod sys {
    pub(crate) const MAX_RW_COUNT: usize = 0x7fff_f000;
    pub(crate) const IOV_MAX: usize = 1024;
    pub(crate) const HAS_MSG_MORE: bool = false;
    pub(crate) const NATIVE_HDTR: bool = false;
    pub(crate) const CORKS_SMALL_STEPS: bool = false;
    pub(crate) const CORKS_FILES: bool = true;
    pub(crate) use super::model::options::*;
}

/// Which kernel it is.
const OS: crate::Os = crate::Os::MacOs;
