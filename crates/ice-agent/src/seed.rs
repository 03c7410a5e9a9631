//! The only source of randomness: a seed of 32 bytes, expanded by HMAC-SHA256.
//!
//! Does not know an entropy source. The caller takes the seed from the operating system or, in a simulation, from a
//! printed number.

use std::fmt;

use ring::hmac;
use zeroize::Zeroizing;

/// Thirty-two secret bytes. All randomness of an agent derives from them: transaction ids, ufrag, password, tie-breaker
/// and consent jitter.
///
/// The same seed with the same inputs gives the same outputs. Outside of simulations every agent needs its own seed
/// from a cryptographic generator, because the seed reveals every password and transaction id.
#[derive(Clone)]
pub struct Seed(Zeroizing<[u8; 32]>);

impl Seed {
    /// Returns a seed of 32 bytes of entropy.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns an independent seed for stream `number`. One stream reveals nothing about another.
    #[must_use]
    pub fn derive(&self, number: u64) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        self.expand(Purpose::Derive, number, bytes.as_mut());
        Self(bytes)
    }

    /// Fills `out` with the pseudo-random bytes of `label`; the same label gives the same bytes.
    pub fn fill(&self, label: u64, out: &mut [u8]) {
        self.expand(Purpose::Fill, label, out);
    }

    fn expand(&self, purpose: Purpose, label: u64, out: &mut [u8]) {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.as_ref());
        for (counter, chunk) in (0_u64..).zip(out.chunks_mut(32)) {
            copy_block(&key, purpose, label, counter, chunk);
        }
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(redacted)")
    }
}

/// Separates the outputs for different purposes.
#[derive(Clone, Copy)]
enum Purpose {
    Derive,
    Fill,
    Generator,
}

impl Purpose {
    const fn tag(self) -> u8 {
        match self {
            Self::Derive => 1,
            Self::Fill => 2,
            Self::Generator => 3,
        }
    }
}

/// Writes one HMAC block, or the beginning of it, to `chunk`.
fn copy_block(key: &hmac::Key, purpose: Purpose, label: u64, counter: u64, chunk: &mut [u8]) {
    let mut context = hmac::Context::with_key(key);
    context.update(&[purpose.tag()]);
    context.update(&label.to_be_bytes());
    context.update(&counter.to_be_bytes());
    for (to, from) in chunk.iter_mut().zip(context.sign().as_ref()) {
        *to = *from;
    }
}

/// The generator of an agent: HMAC-SHA256 of a counter, keyed by the seed.
pub(crate) struct Generator {
    key: hmac::Key,
    counter: u64,
}

impl Generator {
    pub(crate) fn new(seed: Seed) -> Self {
        let Seed(bytes) = seed;
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, bytes.as_ref()), counter: 0 }
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        for chunk in out.chunks_mut(32) {
            copy_block(&self.key, Purpose::Generator, 0, self.counter, chunk);
            self.counter = self.counter.wrapping_add(1);
        }
        out
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_output_and_streams_differ() {
        let seed = Seed::new([7; 32]);
        let mut one = Generator::new(seed.clone());
        let mut two = Generator::new(seed.clone());
        assert_eq!(one.bytes::<40>(), two.bytes::<40>());
        assert_ne!(one.u64(), one.u64());
        let [mut a, mut b, mut c] = [[0_u8; 33]; 3];
        seed.derive(1).fill(0, &mut a);
        seed.derive(2).fill(0, &mut b);
        seed.fill(1, &mut c);
        assert!(a != b && b != c && a != c);
    }

    #[test]
    fn debug_does_not_show_the_seed() {
        assert_eq!(format!("{:?}", Seed::new([0xaa; 32])), "Seed(redacted)");
    }
}
