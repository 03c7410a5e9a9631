//! libFuzzer's entry to `fuzz::peer_transport`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::peer_transport(data));
