//! The cipher suites of DTLS 1.3: an AEAD, the cipher of record number encryption, and a hash.

use crate::crypto::backend::{aead, digest, hmac};
use crate::crypto::suite::CipherSuite;
use std::sync::LazyLock;

/// The parameters of a suite of DTLS 1.3 (RFC 8446 appendix B.4, RFC 9147 section 4.2.3).
pub(crate) struct Suite13 {
    pub(crate) suite: CipherSuite,
    pub(crate) name: &'static str,
    pub(crate) aead: &'static aead::Algorithm,
    /// Computes the mask of the sequence number.
    pub(crate) numbers: &'static aead::quic::Algorithm,
    /// The hash of the transcript.
    pub(crate) hash: &'static digest::Algorithm,
    /// The same hash for the key schedule.
    pub(crate) hmac: hmac::Algorithm,
    /// The hash of an empty input.
    pub(crate) empty_hash: &'static [u8],
    /// The salt of the handshake secret without a pre-shared key (RFC 8446 section 7.1): constant, and computed once.
    pub(crate) handshake_salt: LazyLock<hmac::Key>,
}

impl CipherSuite {
    /// RFC 8446.
    pub const AES_128_GCM_SHA256: Self = Self(0x1301);
    /// RFC 8446.
    pub const AES_256_GCM_SHA384: Self = Self(0x1302);
    /// RFC 8446.
    pub const CHACHA20_POLY1305_SHA256: Self = Self(0x1303);

    /// Returns `None` for a suite that is unsupported or not one of DTLS 1.3.
    pub(crate) fn dtls13(self) -> Option<&'static Suite13> {
        SUITES.iter().find(|suite| suite.suite == self)
    }
}

static SUITES: [Suite13; 3] = [
    Suite13 {
        suite: CipherSuite::AES_128_GCM_SHA256,
        name: "AES_128_GCM_SHA256",
        aead: &aead::AES_128_GCM,
        numbers: &aead::quic::AES_128,
        hash: &digest::SHA256,
        hmac: hmac::HMAC_SHA256,
        empty_hash: &EMPTY_SHA256,
        handshake_salt: LazyLock::new(|| hmac::Key::new(hmac::HMAC_SHA256, &SALT_SHA256)),
    },
    Suite13 {
        suite: CipherSuite::AES_256_GCM_SHA384,
        name: "AES_256_GCM_SHA384",
        aead: &aead::AES_256_GCM,
        numbers: &aead::quic::AES_256,
        hash: &digest::SHA384,
        hmac: hmac::HMAC_SHA384,
        empty_hash: &EMPTY_SHA384,
        handshake_salt: LazyLock::new(|| hmac::Key::new(hmac::HMAC_SHA384, &SALT_SHA384)),
    },
    Suite13 {
        suite: CipherSuite::CHACHA20_POLY1305_SHA256,
        name: "CHACHA20_POLY1305_SHA256",
        aead: &aead::CHACHA20_POLY1305,
        numbers: &aead::quic::CHACHA20,
        hash: &digest::SHA256,
        hmac: hmac::HMAC_SHA256,
        empty_hash: &EMPTY_SHA256,
        handshake_salt: LazyLock::new(|| hmac::Key::new(hmac::HMAC_SHA256, &SALT_SHA256)),
    },
];

// A test of the key schedule computes these values.
const EMPTY_SHA256: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
    0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];
const EMPTY_SHA384: [u8; 48] = [
    0x38, 0xb0, 0x60, 0xa7, 0x51, 0xac, 0x96, 0x38, 0x4c, 0xd9, 0x32, 0x7e, 0xb1, 0xb1, 0xe3, 0x6a, 0x21,
    0xfd, 0xb7, 0x11, 0x14, 0xbe, 0x07, 0x43, 0x4c, 0x0c, 0xc7, 0xbf, 0x63, 0xf6, 0xe1, 0xda, 0x27, 0x4e,
    0xde, 0xbf, 0xe7, 0x6f, 0x65, 0xfb, 0xd5, 0x1a, 0xd2, 0xf1, 0x48, 0x98, 0xb9, 0x5b,
];
const SALT_SHA256: [u8; 32] = [
    0xb1, 0x7b, 0xce, 0x94, 0x51, 0xee, 0x8b, 0xc6, 0xe8, 0xae, 0xbc, 0x0a, 0xa9, 0xe9, 0x82, 0x95, 0x67,
    0x7a, 0x4a, 0x6a, 0x91, 0xf7, 0x84, 0x40, 0x83, 0x31, 0x46, 0xe4, 0x65, 0xf2, 0xff, 0x95,
];
const SALT_SHA384: [u8; 48] = [
    0x27, 0x00, 0x86, 0x05, 0xd3, 0x39, 0x6f, 0x88, 0x44, 0x19, 0x75, 0x65, 0xca, 0xec, 0xc5, 0x92, 0xb3,
    0xe5, 0x8f, 0x2e, 0xae, 0x55, 0xf8, 0x41, 0xb5, 0x77, 0xcf, 0xbc, 0xab, 0xb4, 0x7e, 0x22, 0x1f, 0x67,
    0x4e, 0xd3, 0xa6, 0x8a, 0xa8, 0x93, 0x43, 0x9c, 0xf5, 0x57, 0xf1, 0x11, 0xc0, 0xfc,
];
