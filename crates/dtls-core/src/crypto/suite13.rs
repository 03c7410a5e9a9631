//! The cipher suites of DTLS 1.3: an AEAD, the cipher that hides sequence numbers, and a hash.

use crate::crypto::backend::{aead, digest, hmac};
use crate::crypto::suite::CipherSuite;

/// What a suite of DTLS 1.3 stands for (RFC 8446 appendix B.4, RFC 9147 section 4.2.3).
pub(crate) struct Suite13 {
    pub(crate) suite: CipherSuite,
    pub(crate) name: &'static str,
    pub(crate) aead: &'static aead::Algorithm,
    /// Makes the mask over sequence numbers.
    pub(crate) numbers: &'static aead::quic::Algorithm,
    /// Hash of the transcript.
    pub(crate) hash: &'static digest::Algorithm,
    /// The same hash in the key schedule.
    pub(crate) hmac: hmac::Algorithm,
}

impl CipherSuite {
    /// RFC 8446.
    pub const AES_128_GCM_SHA256: Self = Self(0x1301);
    /// RFC 8446.
    pub const AES_256_GCM_SHA384: Self = Self(0x1302);
    /// RFC 8446.
    pub const CHACHA20_POLY1305_SHA256: Self = Self(0x1303);

    /// `None` for a suite that is none of DTLS 1.3, or not implemented.
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
    },
    Suite13 {
        suite: CipherSuite::AES_256_GCM_SHA384,
        name: "AES_256_GCM_SHA384",
        aead: &aead::AES_256_GCM,
        numbers: &aead::quic::AES_256,
        hash: &digest::SHA384,
        hmac: hmac::HMAC_SHA384,
    },
    Suite13 {
        suite: CipherSuite::CHACHA20_POLY1305_SHA256,
        name: "CHACHA20_POLY1305_SHA256",
        aead: &aead::CHACHA20_POLY1305,
        numbers: &aead::quic::CHACHA20,
        hash: &digest::SHA256,
        hmac: hmac::HMAC_SHA256,
    },
];
