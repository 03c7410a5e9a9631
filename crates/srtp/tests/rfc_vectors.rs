//! Published packets: RFC 7714 sections 16 and 17, and the reference packets of libsrtp's tests.
//!
//! The unit tests of the cipher check the vectors of authentication without encryption (16.1.3, 16.1.4, 16.2.3, 16.2.4,
//! 17.3, 17.4), because contexts neither send nor accept such packets, and the keystream of RFC 3711 appendix B.2.
#![expect(clippy::expect_used, reason = "fixtures fail like the test itself")]

use srtp::{Discard, Inbound, Options, Outbound, RtpHeader};
use srtp_keys::{AesGcmKeys, MasterKey, Profile, SessionKeys, TransformKeys};
use zeroize::Zeroizing;

#[test]
fn rtp_with_aes_128_gcm_matches_rfc_7714_section_16_1() {
    let sealed = "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5
                  0d294e6f 42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce";
    rtp_both_ways(&rfc_7714_keys_128(), RFC_7714_RTP, sealed);
}

#[test]
fn rtp_with_aes_256_gcm_matches_rfc_7714_section_16_2() {
    let sealed = "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238
                  9a58e2f3 b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13";
    rtp_both_ways(&rfc_7714_keys_256(), RFC_7714_RTP, sealed);
}

#[test]
fn rtcp_with_aes_128_gcm_matches_rfc_7714_section_17_1() {
    let sealed = "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d
                  c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4";
    rtcp_both_ways(&rfc_7714_keys_128(), RFC_7714_RTCP, sealed, 0x5d4);
}

#[test]
fn rtcp_with_aes_256_gcm_matches_rfc_7714_section_17_2() {
    let sealed = "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50
                  a2eaa5c1 110555be 8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4";
    rtcp_both_ways(&rfc_7714_keys_256(), RFC_7714_RTCP, sealed, 0x5d4);
}

#[test]
fn unencrypted_rtcp_of_rfc_7714_is_discarded() {
    let tag_128 = "841dd968 3dd78ec9 2ae58790 125f62b3 000005d4";
    let tag_256 = "91db4afb feee5a97 8fab4393 ed2615fe 000005d4";
    for (keys, tag) in [(rfc_7714_keys_128(), tag_128), (rfc_7714_keys_256(), tag_256)] {
        let mut packet = [hex(RFC_7714_RTCP), hex(tag)].concat();
        let mut inbound = Inbound::with_session_keys(&keys, &Options::default());
        assert_eq!(inbound.unprotect_rtcp(&mut packet), Err(Discard::NotEncrypted));
    }
}

#[test]
fn aes_cm_agrees_with_libsrtp() {
    let keys = libsrtp_keys(Profile::Aes128CmSha1_80, LIBSRTP_AES_CM_KEY, LIBSRTP_AES_CM_SALT);
    let rtp = "800f1234 decafbad cafebabe 4e55dc4c e79978d8 8ca4d215 949d2402 b78d6acc 99ea179b 8dbb";
    rtp_both_ways(&keys, LIBSRTP_RTP, rtp);
    let rtcp = "81c8000b cafebabe 7128035b e487b9bd bef89041 f977a5a8 80000001 993e08cd 54d6c123 0798";
    rtcp_both_ways(&keys, LIBSRTP_RTCP, rtcp, 1);
}

// The same packet with a truncated tag, which is the start of the longer one. RTCP keeps the longer one.
#[test]
fn short_profile_truncates_the_tag_of_rtp_only() {
    let keys = libsrtp_keys(Profile::Aes128CmSha1_32, LIBSRTP_AES_CM_KEY, LIBSRTP_AES_CM_SALT);
    let rtp = "800f1234 decafbad cafebabe 4e55dc4c e79978d8 8ca4d215 949d2402 b78d6acc";
    rtp_both_ways(&keys, LIBSRTP_RTP, rtp);
    let rtcp = "81c8000b cafebabe 7128035b e487b9bd bef89041 f977a5a8 80000001 993e08cd 54d6c123 0798";
    rtcp_both_ways(&keys, LIBSRTP_RTCP, rtcp, 1);
}

// Also proves the key derivation from a salt of 12 bytes, for which the RFCs have no example.
#[test]
fn aes_gcm_agrees_with_libsrtp() {
    let keys =
        libsrtp_keys(Profile::AeadAes128Gcm, "000102030405060708090a0b0c0d0e0f", "a0a1a2a3a4a5a6a7a8a9aaab");
    let rtp = "800f1234 decafbad cafebabe c5002ede 04cfdd2e b91159e0 880aa06e
               d2976826 f796b201 df3131a1 27e8a392";
    rtp_both_ways(&keys, LIBSRTP_RTP, rtp);
    let rtcp = "81c8000b cafebabe c98b8b5d f0392a55 852b6c21 ac8e7025
                c52c6fbe a2b3b446 ea31123b a88ce61e 80000001";
    rtcp_both_ways(&keys, LIBSRTP_RTCP, rtcp, 1);
}

/// Protects `plain` into `sealed` and unprotects it.
#[track_caller]
fn rtp_both_ways(keys: &SessionKeys, plain: &str, sealed: &str) {
    let (plain, sealed) = (hex(plain), hex(sealed));
    let mut packet = plain.clone();
    let len = Outbound::with_session_keys(keys, &Options::default())
        .protect_rtp_in_place(&mut packet, 0)
        .expect("the packet can be protected");
    assert_eq!(printed(&packet), printed(&sealed));
    assert_eq!(len, sealed.len());

    let header = RtpHeader::parse(&packet).expect("an RTP header");
    let payload = Inbound::with_session_keys(keys, &Options::default())
        .unprotect_rtp(&header, &mut packet)
        .expect("an authentic packet");
    assert_eq!(payload.start, header.len());
    assert_eq!(printed(packet.get(..payload.end).unwrap_or_default()), printed(&plain));
}

/// Protects `plain` as the packet with this index, and unprotects it.
#[track_caller]
fn rtcp_both_ways(keys: &SessionKeys, plain: &str, sealed: &str, index: u32) {
    let (plain, sealed) = (hex(plain), hex(sealed));
    let mut outbound = Outbound::with_session_keys(keys, &Options::default());
    for _ in 0..index {
        outbound.protect_rtcp(&plain, &mut Vec::new()).expect("the packet can be protected");
    }
    let mut packet = plain.clone();
    let len = outbound.protect_rtcp_in_place(&mut packet, 0).expect("the packet can be protected");
    assert_eq!(printed(&packet), printed(&sealed));
    assert_eq!(len, sealed.len());

    let compound = Inbound::with_session_keys(keys, &Options::default())
        .unprotect_rtcp(&mut packet)
        .expect("an authentic packet");
    assert_eq!(compound.start, 0);
    assert_eq!(printed(packet.get(compound).unwrap_or_default()), printed(&plain));
}

/// "Gallia est omnis divisa in partes tres", behind a header with a sequence number in the upper half.
const RFC_7714_RTP: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973
                            20646976 69736120 696e2070 61727465 73207472 6573";
const RFC_7714_RTCP: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
                             deadbeef deadbeef deadbeef deadbeef deadbeef";
const LIBSRTP_RTP: &str = "800f1234 decafbad cafebabe abababab abababab abababab abababab";
const LIBSRTP_RTCP: &str = "81c8000b cafebabe abababab abababab abababab abababab";
const LIBSRTP_AES_CM_KEY: &str = "e1f97a0d3e018be0d64fa32c06de4139";
const LIBSRTP_AES_CM_SALT: &str = "0ec675ad498afeebb6960b3aabe6";

fn rfc_7714_keys_128() -> SessionKeys {
    let keys = || TransformKeys::AesGcm128(rfc_7714_transform());
    SessionKeys::new(Profile::AeadAes128Gcm, keys(), keys()).expect("keys of the profile")
}

fn rfc_7714_keys_256() -> SessionKeys {
    let keys = || TransformKeys::AesGcm256(rfc_7714_transform());
    SessionKeys::new(Profile::AeadAes256Gcm, keys(), keys()).expect("keys of the profile")
}

/// The key counts up from 0; the salt is the start of "Quid pro quo", and all of it.
fn rfc_7714_transform<const N: usize>() -> AesGcmKeys<N> {
    AesGcmKeys {
        encryption: Zeroizing::new(std::array::from_fn(|i| {
            u8::try_from(i).expect("a key of 32 bytes at most")
        })),
        salt: Zeroizing::new(*b"Quid pro quo"),
    }
}

fn libsrtp_keys(profile: Profile, key: &str, salt: &str) -> SessionKeys {
    MasterKey::new(profile, &hex(key), &hex(salt)).expect("a key of the profile").session_keys()
}

fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> =
        digits.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16).expect("a digit")).collect();
    digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | *digit)).map(to_byte).collect()
}

fn to_byte(value: u32) -> u8 {
    u8::try_from(value).expect("two digits")
}

/// The form that a failing comparison prints.
fn printed(bytes: &[u8]) -> String {
    let words: Vec<String> = bytes.chunks(4).map(|word| format!("{word:02x?}")).collect();
    words.join(" ")
}
