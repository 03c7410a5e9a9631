//! libFuzzer's entry to `fuzz::dtls_misbehaving_peer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::dtls_misbehaving_peer(data));
