//! The public key of the peer's certificate, and verification of its signatures.
//!
//! Does not check other parts of a certificate: names, dates and extensions.

use crate::crypto::backend::signature;
use crate::crypto::sign::SignatureScheme;
use crate::crypto::suite::KeyKind;
use crate::failure::{Failure, Incompatible, Misbehaved};
use std::ops::RangeInclusive;
use x509_parser::asn1_rs::{Any, Class, Tag};
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_PKCS1_RSAENCRYPTION, OID_SIG_ED25519, Oid,
};
use x509_parser::prelude::{FromDer as _, SubjectPublicKeyInfo};
use x509_parser::public_key::PublicKey;

/// Proof that the peer holds the private key of its certificate: it signed this handshake.
pub(crate) struct SignatureVerified(());

/// The verifiable schemes in the order of the offer, the most common of WebRTC first. The last three are for handshake
/// signatures of DTLS 1.2 only.
pub(crate) const VERIFIABLE: [SignatureScheme; 9] = [
    SignatureScheme::ECDSA_SECP256R1_SHA256,
    SignatureScheme::ED25519,
    SignatureScheme::ECDSA_SECP384R1_SHA384,
    SignatureScheme::RSA_PSS_RSAE_SHA256,
    SignatureScheme::RSA_PSS_RSAE_SHA384,
    SignatureScheme::RSA_PSS_RSAE_SHA512,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
];

/// Returns the offer for DTLS 1.3 only. There PKCS#1 v1.5 is for certificate signatures only (RFC 8446 section 4.2.3),
/// and so offered only if chains are verified.
pub(crate) fn verifiable_in_dtls13(verifies_chains: bool) -> &'static [SignatureScheme] {
    match VERIFIABLE.split_last_chunk::<3>() {
        Some((handshakes, _)) if !verifies_chains => handshakes,
        _ => &VERIFIABLE,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    EcdsaP256,
    EcdsaP384,
    Ed25519,
    Rsa,
}

/// A public key for verification.
#[derive(Debug)]
pub(crate) struct PeerKey {
    algorithm: Algorithm,
    /// The `subjectPublicKey` of the certificate.
    public: Vec<u8>,
}

impl PeerKey {
    pub(crate) fn from_certificate(der: &[u8]) -> Result<Self, Failure> {
        let info = subject_public_key_info(der).ok_or(Misbehaved::UnreadableCertificate)?;
        let algorithm = algorithm(&info).ok_or(Incompatible::CertificateKey)?;
        Ok(Self { algorithm, public: info.subject_public_key.data.to_vec() })
    }

    pub(crate) fn public(&self) -> &[u8] {
        &self.public
    }

    pub(crate) const fn kind(&self) -> KeyKind {
        match self.algorithm {
            Algorithm::EcdsaP256 | Algorithm::EcdsaP384 | Algorithm::Ed25519 => KeyKind::Ecdsa,
            Algorithm::Rsa => KeyKind::Rsa,
        }
    }

    /// Verifies a signature of DTLS 1.2, where an ECDSA scheme defines a hash and the key defines the curve (RFC 8422
    /// section 5.1.1 and RFC 8446 section 4.2.3).
    pub(crate) fn verify(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        signed: &[u8],
    ) -> Result<SignatureVerified, Failure> {
        let algorithm = self.verification(scheme).ok_or(Misbehaved::SignatureSchemeUnoffered)?;
        signature::UnparsedPublicKey::new(algorithm, &self.public)
            .verify(message, signed)
            .map_err(|_| Misbehaved::BadSignature)?;
        Ok(SignatureVerified(()))
    }

    /// Verifies a signature of DTLS 1.3, where a scheme defines hash and curve, and PKCS#1 v1.5 is forbidden (RFC 8446
    /// section 4.2.3).
    pub(crate) fn verify_dtls13(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        signed: &[u8],
    ) -> Result<SignatureVerified, Failure> {
        let other_curve = matches!(
            (self.algorithm, scheme),
            (Algorithm::EcdsaP256, SignatureScheme::ECDSA_SECP384R1_SHA384)
                | (Algorithm::EcdsaP384, SignatureScheme::ECDSA_SECP256R1_SHA256)
        );
        if other_curve || !scheme.is_dtls13() {
            return Err(Misbehaved::SignatureSchemeUnoffered.into());
        }
        self.verify(scheme, message, signed)
    }

    /// Returns the algorithm for a scheme with this key; `None` if it does not fit or was not offered.
    fn verification(&self, scheme: SignatureScheme) -> Option<&'static dyn signature::VerificationAlgorithm> {
        Some(match (self.algorithm, scheme) {
            (Algorithm::EcdsaP256, SignatureScheme::ECDSA_SECP256R1_SHA256) => {
                &signature::ECDSA_P256_SHA256_ASN1
            }
            (Algorithm::EcdsaP256, SignatureScheme::ECDSA_SECP384R1_SHA384) => {
                &signature::ECDSA_P256_SHA384_ASN1
            }
            (Algorithm::EcdsaP384, SignatureScheme::ECDSA_SECP256R1_SHA256) => {
                &signature::ECDSA_P384_SHA256_ASN1
            }
            (Algorithm::EcdsaP384, SignatureScheme::ECDSA_SECP384R1_SHA384) => {
                &signature::ECDSA_P384_SHA384_ASN1
            }
            (Algorithm::Ed25519, SignatureScheme::ED25519) => &signature::ED25519,
            (Algorithm::Rsa, SignatureScheme::RSA_PSS_RSAE_SHA256) => &signature::RSA_PSS_2048_8192_SHA256,
            (Algorithm::Rsa, SignatureScheme::RSA_PSS_RSAE_SHA384) => &signature::RSA_PSS_2048_8192_SHA384,
            (Algorithm::Rsa, SignatureScheme::RSA_PSS_RSAE_SHA512) => &signature::RSA_PSS_2048_8192_SHA512,
            (Algorithm::Rsa, SignatureScheme::RSA_PKCS1_SHA256) => &signature::RSA_PKCS1_2048_8192_SHA256,
            (Algorithm::Rsa, SignatureScheme::RSA_PKCS1_SHA384) => &signature::RSA_PKCS1_2048_8192_SHA384,
            (Algorithm::Rsa, SignatureScheme::RSA_PKCS1_SHA512) => &signature::RSA_PKCS1_2048_8192_SHA512,
            _ => return None,
        })
    }
}

/// Returns the public key of a certificate of any version (RFC 5280 section 4.1).
fn subject_public_key_info(der: &[u8]) -> Option<SubjectPublicKeyInfo<'_>> {
    /// serialNumber, signature, issuer, validity, subject.
    const BEFORE_KEY: usize = 5;
    let mut rest = sequence(sequence(der)?)?;
    // A certificate of version 1 has no version field.
    let (after_version, first) = Any::from_der(rest).ok()?;
    if first.class() == Class::ContextSpecific {
        rest = after_version;
    }
    for _field in 0..BEFORE_KEY {
        (rest, _) = Any::from_der(rest).ok()?;
    }
    SubjectPublicKeyInfo::from_der(rest).map(|(_, info)| info).ok()
}

/// Returns the content of a SEQUENCE.
fn sequence(der: &[u8]) -> Option<&[u8]> {
    let (_, any) = Any::from_der(der).ok()?;
    (any.tag() == Tag::Sequence).then_some(any.data)
}

fn algorithm(info: &SubjectPublicKeyInfo<'_>) -> Option<Algorithm> {
    let is = |oid: &Oid<'_>| info.algorithm.algorithm == *oid;
    if is(&OID_KEY_TYPE_EC_PUBLIC_KEY) {
        let curve = info.algorithm.parameters.as_ref()?.as_oid().ok()?;
        return if curve == OID_EC_P256 {
            Some(Algorithm::EcdsaP256)
        } else if curve == OID_NIST_EC_P384 {
            Some(Algorithm::EcdsaP384)
        } else {
            None
        };
    }
    if is(&OID_SIG_ED25519) {
        return Some(Algorithm::Ed25519);
    }
    // The RSA keys that the backends verify.
    let suits = |parsed| matches!(parsed, Ok(PublicKey::RSA(key)) if RSA_BITS.contains(&key.key_size()));
    (is(&OID_PKCS1_RSAENCRYPTION) && suits(info.parsed())).then_some(Algorithm::Rsa)
}

const RSA_BITS: RangeInclusive<usize> = 2048..=8192;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::backend::rand::SystemRandom;
    use crate::crypto::sign::SigningKey;
    use rustls_pki_types::pem::PemObject as _;
    use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

    const UNOFFERED: Option<Failure> = Some(Failure::Peer(Misbehaved::SignatureSchemeUnoffered));

    fn certificate(pem: &str) -> Result<PeerKey, Failure> {
        PeerKey::from_certificate(&CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
    }

    /// One key of each kind that can sign.
    fn keys() -> Vec<(SigningKey, PeerKey)> {
        let random = SystemRandom::new();
        let curves = [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519];
        let generated = curves.map(|algorithm| {
            let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let made = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
            let signing = SigningKey::from_pkcs8(&key.serialize_der(), &random).unwrap();
            (signing, PeerKey::from_certificate(made.der()).unwrap())
        });
        let pem = include_str!("../../tests/dtls/rsa.pem");
        let rsa = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).unwrap();
        let rsa = SigningKey::from_pkcs8(rsa.secret_pkcs8_der(), &random).unwrap();
        generated.into_iter().chain([(rsa, certificate(pem).unwrap())]).collect()
    }

    #[test]
    fn own_signatures_verify_for_their_content_only() {
        let random = SystemRandom::new();
        let mut schemes = Vec::new();
        for (ours, theirs) in keys() {
            assert_eq!(ours.public(), theirs.public());
            for &scheme in ours.schemes() {
                let signed = ours.sign(scheme, b"handshake", &random).unwrap();
                assert!(theirs.verify(scheme, b"handshake", &signed).is_ok(), "{scheme:?}");
                let bad = theirs.verify(scheme, b"another", &signed).err();
                assert_eq!(bad, Some(Failure::Peer(Misbehaved::BadSignature)), "{scheme:?}");
                // PKCS#1 v1.5 signs no handshake of DTLS 1.3.
                let in_1_3 = theirs.verify_dtls13(scheme, b"handshake", &signed).err();
                assert_eq!(in_1_3, UNOFFERED.filter(|_| !scheme.is_dtls13()), "{scheme:?}");
                schemes.push(scheme);
            }
            for scheme in VERIFIABLE.into_iter().filter(|scheme| !ours.schemes().contains(scheme)) {
                assert_eq!(theirs.verify_dtls13(scheme, b"handshake", b"signature").err(), UNOFFERED);
            }
        }
        schemes.sort_by_key(|scheme| scheme.0);
        let mut all = VERIFIABLE;
        all.sort_by_key(|scheme| scheme.0);
        assert_eq!(schemes, all, "each scheme was tried");
    }

    #[test]
    fn dtls12_allows_any_hash_with_any_curve() {
        // The signature of "handshake" by `openssl dgst -sha384` with a P-256 key.
        let signed = b"\x30\x46\x02\x21\x00\x98\x00\x7f\x39\xf8\x04\x5d\xa8\xa9\x1c\x07\x18\x7a\xee\x40\xbb\
            \x85\xc6\x5d\xf8\x49\x05\xd9\xa5\x85\xe9\x49\x21\xe9\xf9\xfc\x86\x02\x21\x00\xd8\x8a\xa8\xdc\x6f\
            \x42\x23\xfb\xa1\x8f\xee\x7d\xf9\x06\xcc\x4e\xbe\x8f\x36\xb5\x24\xde\x69\x7f\xf4\x4b\x57\xdf\x20\
            \x2f\xd4\xbc";
        let theirs = certificate(include_str!("../../tests/dtls/version_1.pem")).unwrap();
        let scheme = SignatureScheme::ECDSA_SECP384R1_SHA384;
        assert!(theirs.verify(scheme, b"handshake", signed).is_ok());
        assert_eq!(theirs.verify_dtls13(scheme, b"handshake", signed).err(), UNOFFERED);
    }

    #[test]
    fn unsupported_keys_are_refused() {
        let unsupported = Some(Failure::NoOverlap(Incompatible::CertificateKey));
        assert_eq!(certificate(include_str!("../../tests/dtls/p521.pem")).err(), unsupported);
        assert_eq!(certificate(include_str!("../../tests/dtls/rsa1024.pem")).err(), unsupported);
        let version_1 = certificate(include_str!("../../tests/dtls/version_1.pem")).unwrap();
        assert_eq!(version_1.algorithm, Algorithm::EcdsaP256);
        let whole = CertificateDer::from_pem_slice(include_bytes!("../../tests/dtls/version_1.pem")).unwrap();
        let unreadable = Some(Failure::Peer(Misbehaved::UnreadableCertificate));
        for len in 0..whole.len() {
            assert_eq!(PeerKey::from_certificate(&whole[..len]).err(), unreadable, "{len}");
        }
    }
}
