//! Key exchange groups, and the exchange with elliptic curves: share and shared secret.

use crate::crypto::backend::{self, agreement, rand};
use crate::crypto::shared_secret::SharedSecret;
use crate::failure::{Failure, Misbehaved, Operation};
use std::fmt;

/// A key exchange group by its registered number. Unknown values are ordinary values.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct NamedGroup(pub u16);

impl NamedGroup {
    /// P-256 (RFC 8422).
    pub const SECP256R1: Self = Self(23);
    /// P-384 (RFC 8422).
    pub const SECP384R1: Self = Self(24);
    /// X25519 (RFC 8422).
    pub const X25519: Self = Self(29);
    /// ML-KEM-768 combined with X25519 (draft-ietf-tls-ecdhe-mlkem). It is secure while one of the two is, so recorded
    /// traffic stays confidential even if a quantum computer exists later. DTLS 1.3 only.
    pub const X25519MLKEM768: Self = Self(0x11ec);

    /// The supported groups, in the order of [`crate::Config::default`].
    pub const SUPPORTED: [Self; 4] = [Self::X25519MLKEM768, Self::X25519, Self::SECP256R1, Self::SECP384R1];

    /// Returns whether DTLS 1.2 can negotiate the group. In DTLS 1.2 a server's response to a share has no place.
    pub(crate) fn is_of_dtls12(self) -> bool {
        self != Self::X25519MLKEM768
    }

    fn algorithm(self) -> Option<&'static agreement::Algorithm> {
        match self {
            Self::X25519 => Some(&agreement::X25519),
            Self::SECP256R1 => Some(&agreement::ECDH_P256),
            Self::SECP384R1 => Some(&agreement::ECDH_P384),
            _ => None,
        }
    }
}

impl fmt::Debug for NamedGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::SECP256R1 => f.write_str("secp256r1"),
            Self::SECP384R1 => f.write_str("secp384r1"),
            Self::X25519 => f.write_str("x25519"),
            Self::X25519MLKEM768 => f.write_str("X25519MLKEM768"),
            Self(number) => write!(f, "NamedGroup({number})"),
        }
    }
}

/// Our side of a key exchange with an elliptic curve: used once, by value.
pub(crate) struct KeyShare {
    group: NamedGroup,
    private: agreement::EphemeralPrivateKey,
    public: agreement::PublicKey,
}

impl KeyShare {
    pub(crate) fn generate(group: NamedGroup, random: &rand::SystemRandom) -> Result<Self, Failure> {
        let failed = Failure::Crypto(Operation::KeyExchange);
        let algorithm = group.algorithm().ok_or(failed)?;
        let private = agreement::EphemeralPrivateKey::generate(algorithm, random).map_err(|_| failed)?;
        let public = private.compute_public_key().map_err(|_| failed)?;
        Ok(Self { group, private, public })
    }

    pub(crate) const fn group(&self) -> NamedGroup {
        self.group
    }

    /// Returns the share to send: an uncompressed point or a coordinate, as the group requires.
    pub(crate) fn public(&self) -> &[u8] {
        self.public.as_ref()
    }

    pub(crate) fn public_key(&self) -> agreement::PublicKey {
        self.public.clone()
    }

    /// Returns the shared secret, or an error if the peer's share is not a valid point of the group.
    pub(crate) fn agree(self, peer: &[u8]) -> Result<SharedSecret, Failure> {
        self.agree_after(&[], peer)
    }

    /// Returns the shared secret behind the result of another key exchange.
    pub(crate) fn agree_after(self, first: &[u8], peer: &[u8]) -> Result<SharedSecret, Failure> {
        let peer = agreement::UnparsedPublicKey::new(self.private.algorithm(), peer);
        backend::agree(self.private, &peer, |second| SharedSecret::agreed(first, second))
            .ok_or(Failure::Peer(Misbehaved::InvalidKeyShare))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_shares_of_a_group_agree() {
        let random = rand::SystemRandom::new();
        for group in NamedGroup::SUPPORTED.into_iter().filter(|group| group.is_of_dtls12()) {
            let ours = KeyShare::generate(group, &random).unwrap();
            let theirs = KeyShare::generate(group, &random).unwrap();
            let (our_public, their_public) = (ours.public().to_vec(), theirs.public().to_vec());
            let secret = ours.agree(&their_public).unwrap();
            assert_eq!(secret.as_bytes(), theirs.agree(&our_public).unwrap().as_bytes(), "{group:?}");
        }
    }

    #[test]
    fn invalid_share_is_refused() {
        let random = rand::SystemRandom::new();
        for (group, share) in [
            (NamedGroup::SECP256R1, vec![4; 65]),
            (NamedGroup::SECP256R1, vec![]),
            (NamedGroup::SECP384R1, vec![4; 97]),
            // RFC 7748 section 6.1: an all-zero result is an error.
            (NamedGroup::X25519, vec![0; 32]),
            (NamedGroup::X25519, vec![9; 31]),
        ] {
            let ours = KeyShare::generate(group, &random).unwrap();
            assert_eq!(
                ours.agree(&share).err(),
                Some(Failure::Peer(Misbehaved::InvalidKeyShare)),
                "{group:?}"
            );
        }
    }
}
