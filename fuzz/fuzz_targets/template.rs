#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| hookctl::fuzzing::template(text));
