//! A row of the record from any bytes: one that passes its check is written as it was read.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| hookctl::fuzzing::record_row(bytes));
