//! The shared secret of a key exchange: the premaster secret.

use crate::psk::Psk;
use zeroize::Zeroizing;

/// X25519MLKEM768. P-384 alone yields 48 bytes.
const MAX_AGREED_LEN: usize = 64;

/// The input of the key schedule.
pub(crate) enum SharedSecret {
    /// The first bytes of the array, in this number.
    Agreed(Zeroizing<[u8; MAX_AGREED_LEN]>, usize),
    PreShared(Zeroizing<Vec<u8>>),
}

impl SharedSecret {
    /// Concatenates the results of two key exchanges. The first is empty if there is only one.
    pub(crate) fn agreed(first: &[u8], second: &[u8]) -> Self {
        let mut secret = Zeroizing::new([0; MAX_AGREED_LEN]);
        secret.iter_mut().zip(first.iter().chain(second)).for_each(|(slot, byte)| *slot = *byte);
        Self::Agreed(secret, first.len() + second.len())
    }

    /// RFC 4279 section 2: as many zeros as the key has bytes, then the key, each with its length.
    pub(crate) fn pre_shared(psk: &Psk) -> Self {
        let key = psk.key();
        let length = u16::try_from(key.len()).unwrap_or(u16::MAX).to_be_bytes();
        // Allocated at its full size, so that no copy of the key stays in memory.
        let mut secret = Zeroizing::new(Vec::with_capacity(2 * (length.len() + key.len())));
        secret.extend_from_slice(&length);
        secret.resize(length.len() + key.len(), 0);
        secret.extend_from_slice(&length);
        secret.extend_from_slice(key);
        Self::PreShared(secret)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Agreed(bytes, len) => bytes.get(..*len).unwrap_or_default(),
            Self::PreShared(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn psk_premaster_secret_begins_with_zeros() {
        let secret = SharedSecret::pre_shared(&Psk::new(b"me", &[7, 8, 9]).unwrap());
        assert_eq!(secret.as_bytes(), [0, 3, 0, 0, 0, 0, 3, 7, 8, 9]);
    }
}
