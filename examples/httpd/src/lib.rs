//! The part of the server that does no I/O: from the bytes of a request to the bytes of a response's head.
#![no_std]
#![forbid(unsafe_code)]

pub mod conditions;
pub mod content_type;
pub mod date;
pub mod head;
pub mod kept;
pub mod path;
pub mod range;
pub mod request;
pub mod status;
