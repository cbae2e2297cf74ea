//! The names of the crate `seccompiler`, which is empty on big-endian processors, for tests that do not run there.

use std::collections::BTreeMap;

pub type BackendError = &'static str;
pub type BpfProgram = ();
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

pub enum SeccompAction {
    Allow,
    Errno(u32),
    KillProcess,
    Trap,
}

pub enum SeccompCmpArgLen {
    Dword,
    Qword,
}

pub enum SeccompCmpOp {
    Eq,
    Gt,
    Ne,
}

pub struct SeccompCondition;

impl SeccompCondition {
    pub fn new(_: u8, _: SeccompCmpArgLen, _: SeccompCmpOp, _: u64) -> Result<Self, BackendError> {
        Err(NONE)
    }
}

#[derive(Clone)]
pub struct SeccompRule;

impl SeccompRule {
    pub fn new(_: Vec<SeccompCondition>) -> Result<Self, BackendError> {
        Err(NONE)
    }
}

pub struct SeccompFilter;

impl SeccompFilter {
    pub fn new(_: Rules, _: SeccompAction, _: SeccompAction, _: TargetArch) -> Result<Self, BackendError> {
        Err(NONE)
    }
}

impl TryFrom<SeccompFilter> for BpfProgram {
    type Error = BackendError;

    fn try_from(_: SeccompFilter) -> Result<Self, BackendError> {
        Err(NONE)
    }
}

pub struct TargetArch;

impl TryFrom<&str> for TargetArch {
    type Error = BackendError;

    fn try_from(_: &str) -> Result<Self, BackendError> {
        Err(NONE)
    }
}

pub fn apply_filter(_: &BpfProgram) -> Result<(), BackendError> {
    Err(NONE)
}

const NONE: BackendError = "no seccompiler for this processor";
