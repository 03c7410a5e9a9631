//! libFuzzer's entry to `fuzz::dtls_messages`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::dtls_messages(data));
