//! libFuzzer's entry to `fuzz::endpoint`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::endpoint(data));
