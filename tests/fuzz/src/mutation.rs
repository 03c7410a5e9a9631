//! Seeded mutations for the replay in `cargo test`: simpler than those of libFuzzer, and the same in every run.

/// A generator that is the same everywhere (SplitMix64).
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The generator of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which is not zero.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.bits() % limit as u64).expect("below a usize")
    }

    fn byte(&mut self) -> u8 {
        self.bits().to_be_bytes()[0]
    }
}

/// `bytes` with one to four mutations.
#[must_use]
pub fn mutated(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=rng.below(4) {
        if bytes.is_empty() {
            bytes.push(rng.byte());
        }
        let at = rng.below(bytes.len());
        match rng.below(8) {
            0 => bytes[at] ^= 1 << rng.below(8),
            1 => bytes[at] = rng.byte(),
            2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][rng.below(5)],
            3 => bytes[at] = bytes[at].wrapping_add(1),
            4 => bytes.truncate(at),
            5 => bytes.insert(at, rng.byte()),
            6 => {
                let end = (at + 1 + rng.below(16)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let end = (at + 1 + rng.below(16)).min(bytes.len());
                let repeated = bytes[at..end].to_vec();
                let to = rng.below(bytes.len());
                bytes.splice(to..to, repeated);
            }
        }
    }
    bytes
}
