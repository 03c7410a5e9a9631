//! libFuzzer's entry to `fuzz::stun_message`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::stun_message(data));
