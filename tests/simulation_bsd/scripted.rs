// The scripts of tests/simulation.rs for a module that includes system.rs, and `OS`, the kernel that answers them.

#[path = "../simulation/case.rs"]
#[allow(dead_code)] // the kernels have a part of the outputs
pub(crate) mod case;
#[path = "../simulation/explorer.rs"]
#[allow(dead_code)] // one family of scripts is enough for what must go wrong
pub(crate) mod explorer;
#[path = "model.rs"]
pub(crate) mod model;
use model::options;

/// What the scripts are made of.
mod machine {
    pub(crate) use super::errno::Errno;
    pub(crate) use super::iovec::IoSlice;
    pub(crate) use super::transfer::{Count, Error, Output, Step};
}
