//! The peer's public key, read out of its certificate, and signatures made with its private half.
//!
//! Reads nothing else out of a certificate: names, dates and extensions are not judged here.

use crate::crypto::backend::signature;
use crate::crypto::sign::SignatureScheme;
use crate::crypto::suite::KeyKind;
use crate::failure::{Failure, Incompatible, Misbehaved};
use x509_parser::asn1_rs::{Any, Class, Tag};
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_PKCS1_RSAENCRYPTION, OID_SIG_ED25519, Oid,
};
use x509_parser::prelude::{FromDer as _, SubjectPublicKeyInfo};

/// Proof that the peer holds the private key of its certificate: it signed this handshake.
pub(crate) struct SignatureVerified(());

/// What we verify, offered in this order: what WebRTC endpoints have first. The last three sign handshakes of DTLS 1.2
/// alone.
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

/// What we name where DTLS 1.3 alone is spoken. There PKCS#1 v1.5 signs certificates and nothing else (RFC 8446 section
/// 4.2.3), which matters to those who judge chains.
pub(crate) fn verifiable_in_dtls13(judges_chains: bool) -> &'static [SignatureScheme] {
    match VERIFIABLE.split_last_chunk::<3>() {
        Some((handshakes, _)) if !judges_chains => handshakes,
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

/// A public key that can be verified against.
#[derive(Debug)]
pub(crate) struct PeerKey {
    algorithm: Algorithm,
    /// `subjectPublicKey` of the certificate.
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

    /// Verifies a signature of DTLS 1.2, where an ECDSA scheme names a hash and leaves the curve to the key
    /// (RFC 8422 section 5.1.1 and RFC 8446 section 4.2.3).
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

    /// Verifies a signature of DTLS 1.3, where a scheme names hash and curve, and PKCS#1 v1.5 is over
    /// (RFC 8446 section 4.2.3).
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

/// The public key of a certificate of any version (RFC 5280 section 4.1).
fn subject_public_key_info(der: &[u8]) -> Option<SubjectPublicKeyInfo<'_>> {
    /// serialNumber, signature, issuer, validity, subject.
    const BEFORE_KEY: usize = 5;
    let mut rest = sequence(sequence(der)?)?;
    // Version 1 is the absence of a version.
    let (after_version, first) = Any::from_der(rest).ok()?;
    if first.class() == Class::ContextSpecific {
        rest = after_version;
    }
    for _field in 0..BEFORE_KEY {
        (rest, _) = Any::from_der(rest).ok()?;
    }
    SubjectPublicKeyInfo::from_der(rest).map(|(_, info)| info).ok()
}

/// What a SEQUENCE holds.
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
    is(&OID_PKCS1_RSAENCRYPTION).then_some(Algorithm::Rsa)
}
