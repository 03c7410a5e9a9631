//! libFuzzer's entry to `fuzz::sdp_attributes`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::sdp_attributes(data));
