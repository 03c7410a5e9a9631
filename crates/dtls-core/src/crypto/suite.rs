//! Cipher suites: their ids and parameters.

use crate::crypto::backend::{aead, digest, hmac};
use std::fmt;

/// A cipher suite by its registered number. Unknown values are ordinary values.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CipherSuite(pub u16);

impl CipherSuite {
    /// RFC 5289.
    pub const ECDHE_ECDSA_AES128_GCM_SHA256: Self = Self(0xc02b);
    /// RFC 5289.
    pub const ECDHE_ECDSA_AES256_GCM_SHA384: Self = Self(0xc02c);
    /// RFC 5289.
    pub const ECDHE_RSA_AES128_GCM_SHA256: Self = Self(0xc02f);
    /// RFC 5289.
    pub const ECDHE_RSA_AES256_GCM_SHA384: Self = Self(0xc030);
    /// RFC 7905.
    pub const ECDHE_RSA_CHACHA20_POLY1305_SHA256: Self = Self(0xcca8);
    /// RFC 7905.
    pub const ECDHE_ECDSA_CHACHA20_POLY1305_SHA256: Self = Self(0xcca9);

    /// RFC 6655: a pre-shared key, without certificates.
    pub const PSK_AES128_CCM_8: Self = Self(0xc0a8);

    /// RFC 5746 section 3.3: not a suite, but a signal for secure renegotiation.
    pub(crate) const EMPTY_RENEGOTIATION_INFO_SCSV: Self = Self(0x00ff);

    /// The supported suites, in the order of [`crate::Config::default`]. A connection uses those that fit
    /// [`crate::Authentication`] and [`crate::Versions`].
    pub const SUPPORTED: [Self; 10] = [
        Self::AES_128_GCM_SHA256,
        Self::AES_256_GCM_SHA384,
        Self::CHACHA20_POLY1305_SHA256,
        Self::ECDHE_ECDSA_AES128_GCM_SHA256,
        Self::ECDHE_RSA_AES128_GCM_SHA256,
        Self::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256,
        Self::ECDHE_RSA_CHACHA20_POLY1305_SHA256,
        Self::ECDHE_ECDSA_AES256_GCM_SHA384,
        Self::ECDHE_RSA_AES256_GCM_SHA384,
        Self::PSK_AES128_CCM_8,
    ];

    /// Returns `None` for a suite that is unsupported or not one of DTLS 1.2.
    pub(crate) fn parameters(self) -> Option<&'static SuiteParameters> {
        PARAMETERS.iter().find(|parameters| parameters.suite == self)
    }
}

impl fmt::Debug for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.parameters().map(|parameters| parameters.name);
        match name.or_else(|| self.dtls13().map(|suite| suite.name)) {
            Some(name) => f.write_str(name),
            None => write!(f, "CipherSuite({:#06x})", self.0),
        }
    }
}

/// The kind of key that authenticates the server (RFC 8422 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Ecdsa,
    Rsa,
}

/// The key exchange and the authentication of a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyExchange {
    /// An ephemeral exchange, signed with a certificate key of this kind.
    Ecdhe(KeyKind),
    /// A pre-shared key.
    Psk,
}

//= rfc6347-4.1.2.2-rc4
/// An AEAD algorithm.
#[derive(Clone, Copy)]
pub(crate) enum Aead {
    Backend(&'static aead::Algorithm),
    /// `AEAD_AES_128_CCM_8` (RFC 6655 section 3), which the backend does not implement.
    Aes128Ccm8,
}

impl Aead {
    pub(crate) fn key_len(self) -> usize {
        match self {
            Self::Backend(algorithm) => algorithm.key_len(),
            Self::Aes128Ccm8 => 16,
        }
    }
}

/// The construction of a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NonceForm {
    /// Four fixed bytes, then eight bytes from the record (RFC 5288 section 3).
    Explicit,
    /// Twelve fixed bytes, XORed with the record number (RFC 7905 section 2).
    Implicit,
}

/// The parameters of a suite.
pub(crate) struct SuiteParameters {
    pub(crate) suite: CipherSuite,
    pub(crate) name: &'static str,
    pub(crate) key_exchange: KeyExchange,
    pub(crate) aead: Aead,
    pub(crate) nonce: NonceForm,
    /// The hash of the transcript.
    pub(crate) hash: &'static digest::Algorithm,
    /// The same hash for the PRF.
    pub(crate) prf: hmac::Algorithm,
}

static PARAMETERS: [SuiteParameters; 7] = [
    SuiteParameters {
        suite: CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256,
        name: "ECDHE_ECDSA_AES128_GCM_SHA256",
        key_exchange: KeyExchange::Ecdhe(KeyKind::Ecdsa),
        aead: Aead::Backend(&aead::AES_128_GCM),
        nonce: NonceForm::Explicit,
        hash: &digest::SHA256,
        prf: hmac::HMAC_SHA256,
    },
    SuiteParameters {
        suite: CipherSuite::ECDHE_ECDSA_AES256_GCM_SHA384,
        name: "ECDHE_ECDSA_AES256_GCM_SHA384",
        key_exchange: KeyExchange::Ecdhe(KeyKind::Ecdsa),
        aead: Aead::Backend(&aead::AES_256_GCM),
        nonce: NonceForm::Explicit,
        hash: &digest::SHA384,
        prf: hmac::HMAC_SHA384,
    },
    SuiteParameters {
        suite: CipherSuite::ECDHE_RSA_AES128_GCM_SHA256,
        name: "ECDHE_RSA_AES128_GCM_SHA256",
        key_exchange: KeyExchange::Ecdhe(KeyKind::Rsa),
        aead: Aead::Backend(&aead::AES_128_GCM),
        nonce: NonceForm::Explicit,
        hash: &digest::SHA256,
        prf: hmac::HMAC_SHA256,
    },
    SuiteParameters {
        suite: CipherSuite::ECDHE_RSA_AES256_GCM_SHA384,
        name: "ECDHE_RSA_AES256_GCM_SHA384",
        key_exchange: KeyExchange::Ecdhe(KeyKind::Rsa),
        aead: Aead::Backend(&aead::AES_256_GCM),
        nonce: NonceForm::Explicit,
        hash: &digest::SHA384,
        prf: hmac::HMAC_SHA384,
    },
    SuiteParameters {
        suite: CipherSuite::ECDHE_RSA_CHACHA20_POLY1305_SHA256,
        name: "ECDHE_RSA_CHACHA20_POLY1305_SHA256",
        key_exchange: KeyExchange::Ecdhe(KeyKind::Rsa),
        aead: Aead::Backend(&aead::CHACHA20_POLY1305),
        nonce: NonceForm::Implicit,
        hash: &digest::SHA256,
        prf: hmac::HMAC_SHA256,
    },
    SuiteParameters {
        suite: CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256,
        name: "ECDHE_ECDSA_CHACHA20_POLY1305_SHA256",
        key_exchange: KeyExchange::Ecdhe(KeyKind::Ecdsa),
        aead: Aead::Backend(&aead::CHACHA20_POLY1305),
        nonce: NonceForm::Implicit,
        hash: &digest::SHA256,
        prf: hmac::HMAC_SHA256,
    },
    SuiteParameters {
        suite: CipherSuite::PSK_AES128_CCM_8,
        name: "PSK_AES128_CCM_8",
        key_exchange: KeyExchange::Psk,
        aead: Aead::Aes128Ccm8,
        nonce: NonceForm::Explicit,
        hash: &digest::SHA256,
        prf: hmac::HMAC_SHA256,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_supported_suite_has_parameters() {
        for suite in CipherSuite::SUPPORTED {
            let dtls12 = suite.parameters().map(|parameters| parameters.suite);
            assert_eq!(dtls12.or(suite.dtls13().map(|parameters| parameters.suite)), Some(suite));
        }
    }

    #[test]
    fn unknown_suite_keeps_its_number() {
        assert_eq!(format!("{:?}", CipherSuite(0x1305)), "CipherSuite(0x1305)");
    }
}
