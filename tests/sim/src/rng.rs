//! SplitMix64: a small generator whose stream is part of this crate.
//!
//! A seed in a bug report must give the same run for years, so the stream must not depend on the version of a library.
//! Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).

use std::time::Duration;

/// A stream of pseudo-random numbers for the simulation. It must not be used for secrets.
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
}

impl Rng {
    /// The stream of `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A stream of its own for `label`, independent of how far this one has been read.
    #[must_use]
    pub fn labelled(seed: u64, label: &str) -> Self {
        let mut rng = Self::new(seed ^ fnv1a(label));
        // The first output mixes seed and label, beyond their exclusive or.
        Self::new(rng.next_u64())
    }

    /// The next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..limit`; 0 where `limit` is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        let product = u128::from(self.next_u64()) * u128::from(limit);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// An index into something of length `len`; 0 where it is empty.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(u64::try_from(len).unwrap_or(u64::MAX))).unwrap_or(0)
    }

    /// True with probability `p`; values outside 0..=1 act like the nearest limit.
    pub fn chance(&mut self, p: f64) -> bool {
        const STEPS: f64 = 4_294_967_296.0;
        let draw = u32::try_from(self.next_u64() >> 32).unwrap_or(u32::MAX);
        f64::from(draw) / STEPS < p
    }

    /// A duration in `0..=limit`, to the nanosecond.
    pub fn up_to(&mut self, limit: Duration) -> Duration {
        let nanos = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.below(nanos.saturating_add(1)))
    }

    /// `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        std::iter::repeat_with(|| self.next_u64().to_le_bytes()).flatten().take(len).collect()
    }

    /// 32 bytes, the size of most seeds.
    pub fn seed32(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        for chunk in seed.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.next_u64().to_le_bytes());
        }
        seed
    }

    /// One of `choices`, each as likely as the others; `None` where there are none.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        choices.get(self.index(choices.len()))
    }
}

fn fnv1a(label: &str) -> u64 {
    label.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        // The first outputs of SplitMix64 for seed 1234567, as in the reference implementation's test.
        let mut rng = Rng::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| rng.next_u64()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn chances_occur_with_their_probability() {
        let mut rng = Rng::new(1);
        for (p, low, high) in
            [(0.0, 0, 0), (0.1, 9_700, 10_300), (0.3, 29_500, 30_500), (1.0, 100_000, 100_000)]
        {
            let hits = (0..100_000).filter(|_| rng.chance(p)).count();
            assert!((low..=high).contains(&hits), "{hits} hits at {p}");
        }
    }

    #[test]
    fn a_labelled_stream_differs_by_seed_and_by_label() {
        let streams =
            [(1, "a"), (1, "b"), (2, "a")].map(|(seed, label)| Rng::labelled(seed, label).next_u64());
        assert_ne!(streams[0], streams[1]);
        assert_ne!(streams[0], streams[2]);
        assert_eq!(streams[0], Rng::labelled(1, "a").next_u64());
    }

    #[test]
    fn numbers_below_a_limit_reach_both_ends_and_never_the_limit() {
        let mut rng = Rng::new(3);
        let drawn: Vec<u64> = (0..1000).map(|_| rng.below(4)).collect();
        assert!((0..4).all(|n| drawn.contains(&n)) && drawn.iter().all(|&n| n < 4));
        assert_eq!(rng.below(0), 0);
    }
}
