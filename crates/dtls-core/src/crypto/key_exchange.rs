//! The key exchange of DTLS 1.3 (RFC 8446 section 4.2.8): the client's offer, and the server's response.
//!
//! Elliptic curves, or X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem section 4), whose share and secret are those of
//! ML-KEM followed by those of X25519. Knows shares as bytes. Does not know extensions.

use crate::crypto::backend::agreement;
use crate::crypto::backend::rand::SystemRandom;
use crate::crypto::group::{KeyShare, NamedGroup};
use crate::crypto::ml_kem::{self, DecapsulationKey};
use crate::crypto::shared_secret::SharedSecret;
use crate::failure::{Failure, Incompatible, Misbehaved};

/// The shares of one ClientHello. The server's selection consumes the whole offer: no private key serves two exchanges,
/// although X25519 is in two shares.
pub(crate) enum Offer {
    /// One elliptic curve.
    Curve(KeyShare),
    /// X25519MLKEM768 only.
    Hybrid(HybridShare),
    /// X25519MLKEM768, and its X25519 part as a separate share: a server with either needs no retry
    /// (draft-ietf-tls-hybrid-design section 3.2 allows the same key in both).
    HybridOrX25519(HybridShare),
}

impl Offer {
    /// Returns shares of the first group, which is the most preferred one, and of X25519 if that is free.
    pub(crate) fn generate(groups: &[NamedGroup], random: &SystemRandom) -> Result<Self, Failure> {
        let first = groups.first().copied().ok_or(Incompatible::Group)?;
        Ok(match Self::of(first, random)? {
            Self::Hybrid(share) if groups.contains(&NamedGroup::X25519) => Self::HybridOrX25519(share),
            alone => alone,
        })
    }

    /// Returns a share of one group, for a retry.
    pub(crate) fn of(group: NamedGroup, random: &SystemRandom) -> Result<Self, Failure> {
        Ok(match group {
            NamedGroup::X25519MLKEM768 => Self::Hybrid(HybridShare::generate(random)?),
            curve => Self::Curve(KeyShare::generate(curve, random)?),
        })
    }

    /// Returns the shares in order of preference.
    pub(crate) fn shares(&self) -> impl Iterator<Item = (NamedGroup, &[u8])> {
        let (first, second) = match self {
            Self::Curve(share) => ((share.group(), share.public()), None),
            Self::Hybrid(share) => (share.entry(), None),
            Self::HybridOrX25519(share) => (share.entry(), Some((NamedGroup::X25519, share.x25519.public()))),
        };
        std::iter::once(first).chain(second)
    }

    pub(crate) fn has(&self, group: NamedGroup) -> bool {
        self.shares().any(|(shared, _)| shared == group)
    }

    /// Returns the shared secret of the group that the server selected.
    pub(crate) fn agree(self, group: NamedGroup, theirs: &[u8]) -> Result<SharedSecret, Failure> {
        match self {
            Self::Curve(share) if share.group() == group => share.agree(theirs),
            Self::HybridOrX25519(share) if group == NamedGroup::X25519 => share.x25519.agree(theirs),
            Self::Hybrid(share) | Self::HybridOrX25519(share) if group == NamedGroup::X25519MLKEM768 => {
                share.agree(theirs)
            }
            _ => Err(Misbehaved::SelectedUnoffered.into()),
        }
    }
}

/// The client's side of X25519MLKEM768.
pub(crate) struct HybridShare {
    ml_kem: DecapsulationKey,
    x25519: KeyShare,
    /// The encapsulation key, then the coordinate.
    public: Vec<u8>,
}

impl HybridShare {
    fn generate(random: &SystemRandom) -> Result<Self, Failure> {
        let (ml_kem, encapsulation_key) = DecapsulationKey::generate(random)?;
        let x25519 = KeyShare::generate(NamedGroup::X25519, random)?;
        let public = [&encapsulation_key, x25519.public()].concat();
        Ok(Self { ml_kem, x25519, public })
    }

    fn entry(&self) -> (NamedGroup, &[u8]) {
        (NamedGroup::X25519MLKEM768, &self.public)
    }

    fn agree(self, theirs: &[u8]) -> Result<SharedSecret, Failure> {
        let (ciphertext, coordinate) = theirs.split_first_chunk().ok_or(Misbehaved::InvalidKeyShare)?;
        let secret = self.ml_kem.decapsulate(ciphertext);
        self.x25519.agree_after(secret.as_ref(), coordinate)
    }
}

/// The server's side: the share to send, and the secret.
pub(crate) struct Response {
    share: ServerShare,
    secret: SharedSecret,
}

enum ServerShare {
    Curve(agreement::PublicKey),
    /// The ciphertext, then the coordinate.
    Hybrid(Vec<u8>),
}

impl Response {
    /// Returns an error if the client's share is invalid for the group.
    pub(crate) fn to(group: NamedGroup, theirs: &[u8], random: &SystemRandom) -> Result<Self, Failure> {
        if group != NamedGroup::X25519MLKEM768 {
            let ours = KeyShare::generate(group, random)?;
            let share = ServerShare::Curve(ours.public_key());
            return Ok(Self { share, secret: ours.agree(theirs)? });
        }
        let (encapsulation_key, coordinate) =
            theirs.split_first_chunk().ok_or(Misbehaved::InvalidKeyShare)?;
        let (ciphertext, secret) = ml_kem::encapsulate(encapsulation_key, random)?;
        let ours = KeyShare::generate(NamedGroup::X25519, random)?;
        let share = ServerShare::Hybrid([&ciphertext, ours.public()].concat());
        Ok(Self { share, secret: ours.agree_after(secret.as_ref(), coordinate)? })
    }

    pub(crate) fn share(&self) -> &[u8] {
        match &self.share {
            ServerShare::Curve(public) => public.as_ref(),
            ServerShare::Hybrid(both) => both,
        }
    }

    pub(crate) const fn secret(&self) -> &SharedSecret {
        &self.secret
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: NamedGroup = NamedGroup::X25519MLKEM768;
    const REFUSED: Option<Failure> = Some(Failure::Peer(Misbehaved::InvalidKeyShare));

    fn share(offer: &Offer, group: NamedGroup) -> Vec<u8> {
        offer.shares().find(|(shared, _)| *shared == group).unwrap().1.to_vec()
    }

    #[test]
    fn every_share_of_an_offer_gives_a_secret() {
        let random = SystemRandom::new();
        for (group, offered, answered, agreed) in [
            (HYBRID, 1216, 1120, 64),
            (NamedGroup::X25519, 32, 32, 32),
            (NamedGroup::SECP256R1, 65, 65, 32),
            (NamedGroup::SECP384R1, 97, 97, 48),
        ] {
            let offer = Offer::of(group, &random).unwrap();
            let ours = share(&offer, group);
            let response = Response::to(group, &ours, &random).unwrap();
            let secret = offer.agree(group, response.share()).unwrap();
            assert_eq!(secret.as_bytes(), response.secret().as_bytes(), "{group:?}");
            let lengths = (ours.len(), response.share().len(), secret.as_bytes().len());
            assert_eq!(lengths, (offered, answered, agreed), "{group:?}");
        }
    }

    #[test]
    fn hybrid_share_ends_with_the_x25519_share() {
        let random = SystemRandom::new();
        let offer = || Offer::generate(&NamedGroup::SUPPORTED, &random).unwrap();
        let shared: Vec<_> = offer().shares().map(|(group, _)| group).collect();
        assert_eq!(shared, [HYBRID, NamedGroup::X25519]);
        for group in shared {
            let offer = offer();
            assert!(share(&offer, HYBRID).ends_with(&share(&offer, NamedGroup::X25519)));
            let response = Response::to(group, &share(&offer, group), &random).unwrap();
            let secret = offer.agree(group, response.share()).unwrap();
            assert_eq!(secret.as_bytes(), response.secret().as_bytes(), "{group:?}");
        }
    }

    #[test]
    fn only_configured_groups_are_shared() {
        let random = SystemRandom::new();
        let shared = |groups: &[NamedGroup]| {
            let offer = Offer::generate(groups, &random).unwrap();
            offer.shares().map(|(group, _)| group).collect::<Vec<_>>()
        };
        assert_eq!(shared(&[HYBRID]), [HYBRID]);
        assert_eq!(shared(&[HYBRID, NamedGroup::SECP256R1]), [HYBRID]);
        assert_eq!(shared(&[NamedGroup::X25519, HYBRID]), [NamedGroup::X25519]);
        assert_eq!(shared(&[NamedGroup::SECP384R1, HYBRID, NamedGroup::X25519]), [NamedGroup::SECP384R1]);
    }

    #[test]
    fn group_without_share_is_refused() {
        let random = SystemRandom::new();
        for (offered, chosen, len) in [
            (&[HYBRID, NamedGroup::X25519][..], NamedGroup::SECP256R1, 65),
            (&[HYBRID], NamedGroup::X25519, 32),
            (&[NamedGroup::X25519], HYBRID, 1120),
        ] {
            let failure = Offer::generate(offered, &random).unwrap().agree(chosen, &vec![4; len]).err();
            assert_eq!(failure, Some(Failure::Peer(Misbehaved::SelectedUnoffered)), "{chosen:?}");
        }
    }

    #[test]
    fn hybrid_share_of_wrong_length_is_refused() {
        let random = SystemRandom::new();
        let offer = || Offer::of(HYBRID, &random).unwrap();
        let ours = share(&offer(), HYBRID);
        let theirs = Response::to(HYBRID, &ours, &random).unwrap().share().to_vec();
        for len in [0, 1, 32, 1183, 1184, 1215] {
            assert_eq!(Response::to(HYBRID, &ours[..len], &random).err(), REFUSED, "{len}");
        }
        for len in [0, 1, 32, 1087, 1088, 1119] {
            assert_eq!(offer().agree(HYBRID, &theirs[..len]).err(), REFUSED, "{len}");
        }
        assert_eq!(Response::to(HYBRID, &[&ours[..], &[0]].concat(), &random).err(), REFUSED);
        assert_eq!(offer().agree(HYBRID, &[&theirs[..], &[0]].concat()).err(), REFUSED);
    }

    #[test]
    fn both_parts_of_a_hybrid_share_must_be_valid() {
        let random = SystemRandom::new();
        let offer = Offer::of(HYBRID, &random).unwrap();
        let ours = share(&offer, HYBRID);
        // A number of the encapsulation key above the modulus (FIPS 203 section 7.2).
        let mut overflowing = ours.clone();
        overflowing[..2].fill(0xff);
        assert_eq!(Response::to(HYBRID, &overflowing, &random).err(), REFUSED);
        // An all-zero result of X25519 (RFC 7748 section 6.1).
        let mut low_order = ours.clone();
        low_order[1184..].fill(0);
        assert_eq!(Response::to(HYBRID, &low_order, &random).err(), REFUSED);
        let mut theirs = Response::to(HYBRID, &ours, &random).unwrap().share().to_vec();
        theirs[1088..].fill(0);
        assert_eq!(offer.agree(HYBRID, &theirs).err(), REFUSED);
    }
}
