//! libFuzzer's entry to `fuzz::dtls_cookie_gate`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::dtls_cookie_gate(data));
