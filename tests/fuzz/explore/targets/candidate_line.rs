//! libFuzzer's entry to `fuzz::candidate_line`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::candidate_line(data));
