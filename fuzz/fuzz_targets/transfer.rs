//! The transfer against the model of the simulation: the input is a case and a script.
#![no_main]

#[path = "../../tests/simulation/case.rs"]
mod case;
#[allow(dead_code)] // the simulation uses the rest
#[path = "../../tests/simulation/model.rs"]
mod model;
#[path = "../../tests/simulation/queue.rs"]
mod queue;
#[path = "../../tests/simulation/script.rs"]
mod script;
#[path = "../../tests/streams/model.rs"]
mod streams;

use bare_sendfile as machine;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    script::run(bytes);
});
