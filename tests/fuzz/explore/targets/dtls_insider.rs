//! libFuzzer's entry to `fuzz::dtls_insider`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::dtls_insider(data));
