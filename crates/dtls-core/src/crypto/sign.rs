//! Signature schemes, and signing with our own key.

use crate::crypto::backend::signature::KeyPair as _;
use crate::crypto::backend::{self, rand, signature};
use crate::crypto::suite::KeyKind;
use crate::failure::{Failure, Operation};
use std::fmt;

/// A signature algorithm by its registered number (RFC 8446 section 4.2.3). Unknown values are ordinary values.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SignatureScheme(pub u16);

impl SignatureScheme {
    /// In DTLS 1.2: ECDSA with SHA-256 on any curve.
    pub const ECDSA_SECP256R1_SHA256: Self = Self(0x0403);
    /// In DTLS 1.2: ECDSA with SHA-384 on any curve.
    pub const ECDSA_SECP384R1_SHA384: Self = Self(0x0503);
    /// EdDSA on Curve25519 (RFC 8422).
    pub const ED25519: Self = Self(0x0807);
    /// RSASSA-PSS with SHA-256 and an rsaEncryption key.
    pub const RSA_PSS_RSAE_SHA256: Self = Self(0x0804);
    /// RSASSA-PSS with SHA-384 and an rsaEncryption key.
    pub const RSA_PSS_RSAE_SHA384: Self = Self(0x0805);
    /// RSASSA-PSS with SHA-512 and an rsaEncryption key.
    pub const RSA_PSS_RSAE_SHA512: Self = Self(0x0806);
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    pub const RSA_PKCS1_SHA256: Self = Self(0x0401);
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    pub const RSA_PKCS1_SHA384: Self = Self(0x0501);
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    pub const RSA_PKCS1_SHA512: Self = Self(0x0601);
}

impl SignatureScheme {
    /// Returns whether a CertificateVerify of DTLS 1.3 may use it.
    pub(crate) const fn is_dtls13(self) -> bool {
        !matches!(self, Self::RSA_PKCS1_SHA256 | Self::RSA_PKCS1_SHA384 | Self::RSA_PKCS1_SHA512)
    }
}

impl fmt::Debug for SignatureScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ECDSA_SECP256R1_SHA256 => f.write_str("ecdsa_secp256r1_sha256"),
            Self::ECDSA_SECP384R1_SHA384 => f.write_str("ecdsa_secp384r1_sha384"),
            Self::ED25519 => f.write_str("ed25519"),
            Self::RSA_PSS_RSAE_SHA256 => f.write_str("rsa_pss_rsae_sha256"),
            Self::RSA_PSS_RSAE_SHA384 => f.write_str("rsa_pss_rsae_sha384"),
            Self::RSA_PSS_RSAE_SHA512 => f.write_str("rsa_pss_rsae_sha512"),
            Self::RSA_PKCS1_SHA256 => f.write_str("rsa_pkcs1_sha256"),
            Self::RSA_PKCS1_SHA384 => f.write_str("rsa_pkcs1_sha384"),
            Self::RSA_PKCS1_SHA512 => f.write_str("rsa_pkcs1_sha512"),
            Self(number) => write!(f, "SignatureScheme({number:#06x})"),
        }
    }
}

/// Our private key, parsed once.
pub(crate) enum SigningKey {
    EcdsaP256(signature::EcdsaKeyPair),
    EcdsaP384(signature::EcdsaKeyPair),
    Ed25519(signature::Ed25519KeyPair),
    Rsa(signature::RsaKeyPair),
}

impl SigningKey {
    /// Returns `None` if it is not PKCS#8 of a supported kind.
    pub(crate) fn from_pkcs8(der: &[u8], random: &rand::SystemRandom) -> Option<Self> {
        let ecdsa = |algorithm| backend::ecdsa_key_pair(algorithm, der, random);
        ecdsa(&signature::ECDSA_P256_SHA256_ASN1_SIGNING)
            .map(Self::EcdsaP256)
            .or_else(|| ecdsa(&signature::ECDSA_P384_SHA384_ASN1_SIGNING).map(Self::EcdsaP384))
            .or_else(|| signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok().map(Self::Ed25519))
            .or_else(|| signature::RsaKeyPair::from_pkcs8(der).ok().map(Self::Rsa))
    }

    /// Returns the public key in the form of a certificate's `subjectPublicKey`.
    pub(crate) fn public(&self) -> &[u8] {
        match self {
            Self::EcdsaP256(pair) | Self::EcdsaP384(pair) => pair.public_key().as_ref(),
            Self::Ed25519(pair) => pair.public_key().as_ref(),
            Self::Rsa(pair) => pair.public_key().as_ref(),
        }
    }

    /// RFC 8422 section 5.10: for cipher suites Ed25519 counts as an ECDSA key.
    pub(crate) const fn kind(&self) -> KeyKind {
        match self {
            Self::EcdsaP256(_) | Self::EcdsaP384(_) | Self::Ed25519(_) => KeyKind::Ecdsa,
            Self::Rsa(_) => KeyKind::Rsa,
        }
    }

    /// Returns the signature schemes of this key, the most preferred first.
    pub(crate) const fn schemes(&self) -> &'static [SignatureScheme] {
        match self {
            Self::EcdsaP256(_) => &[SignatureScheme::ECDSA_SECP256R1_SHA256],
            Self::EcdsaP384(_) => &[SignatureScheme::ECDSA_SECP384R1_SHA384],
            Self::Ed25519(_) => &[SignatureScheme::ED25519],
            Self::Rsa(_) => &[
                SignatureScheme::RSA_PSS_RSAE_SHA256,
                SignatureScheme::RSA_PSS_RSAE_SHA384,
                SignatureScheme::RSA_PSS_RSAE_SHA512,
                SignatureScheme::RSA_PKCS1_SHA256,
                SignatureScheme::RSA_PKCS1_SHA384,
                SignatureScheme::RSA_PKCS1_SHA512,
            ],
        }
    }

    /// `scheme` must be one of [`Self::schemes`].
    pub(crate) fn sign(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        random: &rand::SystemRandom,
    ) -> Result<Signed, Failure> {
        let failed = Failure::Crypto(Operation::Sign);
        match self {
            Self::EcdsaP256(pair) | Self::EcdsaP384(pair) => {
                Ok(Signed::Curve(pair.sign(random, message).map_err(|_| failed)?))
            }
            Self::Ed25519(pair) => Ok(Signed::Curve(pair.sign(message))),
            Self::Rsa(pair) => {
                let padding: &dyn signature::RsaEncoding = match scheme {
                    SignatureScheme::RSA_PSS_RSAE_SHA256 => &signature::RSA_PSS_SHA256,
                    SignatureScheme::RSA_PSS_RSAE_SHA384 => &signature::RSA_PSS_SHA384,
                    SignatureScheme::RSA_PSS_RSAE_SHA512 => &signature::RSA_PSS_SHA512,
                    SignatureScheme::RSA_PKCS1_SHA256 => &signature::RSA_PKCS1_SHA256,
                    SignatureScheme::RSA_PKCS1_SHA384 => &signature::RSA_PKCS1_SHA384,
                    SignatureScheme::RSA_PKCS1_SHA512 => &signature::RSA_PKCS1_SHA512,
                    _ => return Err(failed),
                };
                let mut signed = vec![0; backend::rsa_signature_len(pair)];
                pair.sign(padding, random, message, &mut signed).map_err(|_| failed)?;
                Ok(Signed::Rsa(signed))
            }
        }
    }
}

/// A signature.
pub(crate) enum Signed {
    Curve(signature::Signature),
    Rsa(Vec<u8>),
}

impl std::ops::Deref for Signed {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Curve(signature) => signature.as_ref(),
            Self::Rsa(signature) => signature,
        }
    }
}
