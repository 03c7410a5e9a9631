//! The fixture: two identities that every stack uses, and the settings of a comparison.
//!
//! Every stack also lists P-256 among its groups, because BoringSSL otherwise refuses a certificate on that curve.

use std::fmt;

use ring::digest::{SHA256, digest};

/// The only version that is configured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Dtls12,
    Dtls13,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dtls12 => "DTLS 1.2",
            Self::Dtls13 => "DTLS 1.3",
        })
    }
}

/// The group that both sides prefer.
#[derive(Clone, Copy)]
pub(super) enum Preferred {
    X25519,
    X25519MlKem768,
}

/// The configuration of both sides, apart from the identities.
#[derive(Clone, Copy)]
pub(super) struct Setting {
    pub(super) version: Version,
    pub(super) preferred: Preferred,
    pub(super) mtu: u16,
}

impl Setting {
    pub(super) const fn handshake(version: Version) -> Self {
        Self { version, preferred: Preferred::X25519, mtu: 1_200 }
    }

    /// The default of browsers.
    pub(super) const fn hybrid_handshake() -> Self {
        Self { version: Version::Dtls13, preferred: Preferred::X25519MlKem768, mtu: 1_200 }
    }

    /// The data and its overhead fit into one datagram.
    pub(super) const fn record(version: Version) -> Self {
        Self { version, preferred: Preferred::X25519, mtu: 1_400 }
    }
}

/// A self-signed ECDSA P-256 certificate and its key.
pub(super) struct Identity {
    pub(super) certificate: Vec<u8>,
    /// PKCS#8.
    pub(super) key: Vec<u8>,
}

impl Identity {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "WebRTC");
        let certificate = params.self_signed(&key).expect("a certificate").der().to_vec();
        Self { certificate, key: key.serialize_der() }
    }

    pub(super) fn fingerprint(&self) -> [u8; 32] {
        fingerprint(&self.certificate)
    }
}

/// SHA-256, as signalling carries it.
pub(super) fn fingerprint(certificate: &[u8]) -> [u8; 32] {
    digest(&SHA256, certificate).as_ref().try_into().expect("32 bytes")
}

pub(super) struct Fixture {
    pub(super) client: Identity,
    pub(super) server: Identity,
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self { client: Identity::new(), server: Identity::new() }
    }
}

/// RFC 5764 section 4.2: two keys and two salts of AEAD_AES_128_GCM.
pub(super) const KEYING_MATERIAL_LEN: usize = 2 * (16 + 12);
pub(super) const SRTP_LABEL: &str = "EXTRACTOR-dtls_srtp";
