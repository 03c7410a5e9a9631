//! Hashing that peers cannot aim at: paths and username fragments come from the network, and an
//! endpoint whose buckets an attacker can fill is no longer O(1).
//!
//! The key comes from the endpoint's seed and not from the operating system, so that no layer
//! below the driver asks for entropy. Nothing ever iterates over a map that is hashed with it.

use std::hash::{BuildHasher, DefaultHasher, Hasher};

use ice_agent::Seed;

/// Starts every hash from a secret state.
#[derive(Clone)]
pub(super) struct Keyed([u64; 2]);

impl Keyed {
    pub(super) fn from_seed(seed: &Seed) -> Self {
        let mut key = [[0; 8]; 2];
        seed.fill(0, key.as_flattened_mut());
        Self(key.map(u64::from_be_bytes))
    }
}

impl BuildHasher for Keyed {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        let [high, low] = self.0;
        hasher.write_u64(high);
        hasher.write_u64(low);
        hasher
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::Keyed;

    #[test]
    fn another_key_scatters_the_same_values_differently() {
        let (one, two) = (Keyed([1, 2]), Keyed([1, 3]));
        let low_bits = |keyed: &Keyed| (0..64).map(|n| keyed.hash_one(n) % 64).collect::<Vec<_>>();
        assert_eq!(low_bits(&one), low_bits(&one.clone()));
        assert_ne!(low_bits(&one), low_bits(&two));
    }
}
