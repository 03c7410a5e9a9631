//! ML-KEM-768 (FIPS 203) by libcrux: the post-quantum part of X25519MLKEM768.
//!
//! Knows keys and ciphertexts. Does not know groups or X25519.

use crate::crypto::backend::rand::{SecureRandom, SystemRandom};
use crate::failure::{Failure, Misbehaved, Operation};
use libcrux_ml_kem::mlkem768::{self, MlKem768Ciphertext, MlKem768PrivateKey, MlKem768PublicKey};
use std::ops::IndexMut;
use zeroize::{Zeroize, Zeroizing};

/// `d || z` of FIPS 203 section 7.1.
const SEED_LEN: usize = 64;
/// `m` of FIPS 203 section 7.2.
const RANDOMNESS_LEN: usize = 32;

/// The length of an encapsulation key on the wire.
pub(crate) const ENCAPSULATION_KEY_LEN: usize = 1184;
/// The length of a ciphertext on the wire.
pub(crate) const CIPHERTEXT_LEN: usize = 1088;

/// The shared secret.
pub(crate) type Secret = Zeroizing<[u8; 32]>;

/// The private key of one exchange, zeroized on drop. This crate cannot zeroize what libcrux leaves on the stack.
pub(crate) struct DecapsulationKey(Box<MlKem768PrivateKey>);

impl Drop for DecapsulationKey {
    fn drop(&mut self) {
        self.0.index_mut(0..).zeroize();
    }
}

impl DecapsulationKey {
    /// Returns a new key, and the encapsulation key to send.
    pub(crate) fn generate(random: &SystemRandom) -> Result<(Self, [u8; ENCAPSULATION_KEY_LEN]), Failure> {
        Ok(Self::from_seed(&*fresh::<SEED_LEN>(random)?))
    }

    fn from_seed(seed: &[u8; SEED_LEN]) -> (Self, [u8; ENCAPSULATION_KEY_LEN]) {
        let (private, public) = mlkem768::generate_key_pair(*seed).into_parts();
        (Self(Box::new(private)), public.into())
    }

    /// A ciphertext for another key gives a pseudo-random secret (FIPS 203 section 7.3).
    pub(crate) fn decapsulate(&self, ciphertext: &[u8; CIPHERTEXT_LEN]) -> Secret {
        Zeroizing::new(mlkem768::decapsulate(&self.0, &MlKem768Ciphertext::from(ciphertext)))
    }
}

/// Encapsulates a new secret for the owner of a key. A key with a coefficient above the modulus is refused (FIPS 203
/// section 7.2).
pub(crate) fn encapsulate(
    key: &[u8; ENCAPSULATION_KEY_LEN],
    random: &SystemRandom,
) -> Result<([u8; CIPHERTEXT_LEN], Secret), Failure> {
    encapsulate_with(key, &*fresh::<RANDOMNESS_LEN>(random)?)
}

fn encapsulate_with(
    key: &[u8; ENCAPSULATION_KEY_LEN],
    randomness: &[u8; RANDOMNESS_LEN],
) -> Result<([u8; CIPHERTEXT_LEN], Secret), Failure> {
    let key = MlKem768PublicKey::from(key);
    if !mlkem768::validate_public_key(&key) {
        return Err(Misbehaved::InvalidKeyShare.into());
    }
    let (ciphertext, secret) = mlkem768::encapsulate(&key, *randomness);
    Ok((ciphertext.into(), Zeroizing::new(secret)))
}

fn fresh<const LEN: usize>(random: &SystemRandom) -> Result<Zeroizing<[u8; LEN]>, Failure> {
    let mut bytes = Zeroizing::new([0; LEN]);
    random.fill(bytes.as_mut()).map_err(|_| Failure::Crypto(Operation::Random))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One named value of the vector.
    fn vector<const LEN: usize>(name: &str) -> [u8; LEN] {
        let lines = include_str!("ml_kem_768.txt").lines().skip_while(|line| *line != name).skip(1);
        let hex: String = lines.take_while(|line| line.starts_with(' ')).map(str::trim).collect();
        let (pairs, _) = hex.as_bytes().as_chunks::<2>();
        let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        pairs.iter().map(byte).collect::<Vec<_>>().try_into().unwrap()
    }

    #[test]
    fn keys_ciphertexts_and_secrets_match_boringssl() {
        let seed = vector("seed");
        let (key, public) = DecapsulationKey::from_seed(&seed);
        assert_eq!(public, vector("encapsulation_key"));
        let (ciphertext, secret) = encapsulate_with(&public, seed.first_chunk().unwrap()).unwrap();
        assert_eq!(ciphertext, vector("ciphertext"));
        assert_eq!(*secret, vector("shared_secret"));
        assert_eq!(*key.decapsulate(&ciphertext), vector("shared_secret"));
    }

    #[test]
    fn fresh_keys_differ_and_agree() {
        let random = SystemRandom::new();
        let (ours, our_public) = DecapsulationKey::generate(&random).unwrap();
        let (_, another_public) = DecapsulationKey::generate(&random).unwrap();
        assert_ne!(our_public, another_public);
        let (ciphertext, secret) = encapsulate(&our_public, &random).unwrap();
        assert_eq!(ours.decapsulate(&ciphertext), secret);
        let (another, _) = encapsulate(&our_public, &random).unwrap();
        assert_ne!(ciphertext, another);
    }

    #[test]
    fn coefficient_as_large_as_the_modulus_is_refused() {
        // The first coefficient: twelve bits, the lowest first.
        let with_first = |number: u16| {
            let mut key = vector::<ENCAPSULATION_KEY_LEN>("encapsulation_key");
            let [low, high] = number.to_le_bytes();
            key[0] = low;
            key[1] = key[1] & 0xf0 | high;
            encapsulate(&key, &SystemRandom::new()).err()
        };
        assert_eq!(with_first(3328), None);
        for number in [3329, 3330, 4095] {
            assert_eq!(with_first(number), Some(Failure::Peer(Misbehaved::InvalidKeyShare)), "{number}");
        }
    }

    #[test]
    fn ciphertext_for_another_key_gives_another_secret() {
        let (key, _) = DecapsulationKey::from_seed(&vector("seed"));
        let mut ciphertext = vector::<CIPHERTEXT_LEN>("ciphertext");
        ciphertext[7] ^= 1;
        assert_ne!(*key.decapsulate(&ciphertext), vector("shared_secret"));
    }
}
