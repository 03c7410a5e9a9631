//! The cryptographic backend: ring, or aws-lc-rs with the same interface. Only this file selects it.
//!
//! Independent of the backend: AES-CCM, ML-KEM, and generating and verifying certificates.

#[cfg(feature = "aws-lc-rs")]
pub(crate) use self::by_aws_lc_rs::*;
#[cfg(not(feature = "aws-lc-rs"))]
pub(crate) use self::by_ring::*;

#[cfg(not(feature = "aws-lc-rs"))]
mod by_ring {
    pub(crate) use ring::{aead, agreement, digest, hmac, rand, signature};

    /// Returns `None` if the peer's share is invalid.
    pub(crate) fn agree<R>(
        private: agreement::EphemeralPrivateKey,
        peer: &agreement::UnparsedPublicKey<&[u8]>,
        take: impl FnOnce(&[u8]) -> R,
    ) -> Option<R> {
        agreement::agree_ephemeral(private, peer, take).ok()
    }

    pub(crate) fn ecdsa_key_pair(
        algorithm: &'static signature::EcdsaSigningAlgorithm,
        pkcs8: &[u8],
        random: &rand::SystemRandom,
    ) -> Option<signature::EcdsaKeyPair> {
        signature::EcdsaKeyPair::from_pkcs8(algorithm, pkcs8, random).ok()
    }

    pub(crate) fn rsa_signature_len(pair: &signature::RsaKeyPair) -> usize {
        pair.public().modulus_len()
    }
}

#[cfg(feature = "aws-lc-rs")]
mod by_aws_lc_rs {
    pub(crate) use aws_lc_rs::{aead, agreement, digest, hmac, rand, signature};

    /// Returns `None` if the peer's share is invalid.
    pub(crate) fn agree<R>(
        private: agreement::EphemeralPrivateKey,
        peer: &agreement::UnparsedPublicKey<&[u8]>,
        take: impl FnOnce(&[u8]) -> R,
    ) -> Option<R> {
        agreement::agree_ephemeral(private, peer, (), |secret| Ok(take(secret))).ok()
    }

    pub(crate) fn ecdsa_key_pair(
        algorithm: &'static signature::EcdsaSigningAlgorithm,
        pkcs8: &[u8],
        _random: &rand::SystemRandom,
    ) -> Option<signature::EcdsaKeyPair> {
        signature::EcdsaKeyPair::from_pkcs8(algorithm, pkcs8).ok()
    }

    pub(crate) fn rsa_signature_len(pair: &signature::RsaKeyPair) -> usize {
        pair.public_modulus_len()
    }
}
