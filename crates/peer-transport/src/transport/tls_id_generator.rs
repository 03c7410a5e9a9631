//! Generates the local tls-ids; none of them occurs twice.

use ice_agent::Seed;

use crate::parameters::TlsId;

/// Derives tls-ids from the seed.
pub(super) struct TlsIdGenerator {
    seed: Seed,
    generated: u64,
}

impl TlsIdGenerator {
    pub(super) const fn new(seed: Seed) -> Self {
        Self { seed, generated: 0 }
    }

    pub(super) fn generate(&mut self) -> TlsId {
        let mut random = [0; TlsId::RANDOM_BYTES];
        self.seed.fill(self.generated, &mut random);
        self.generated = self.generated.wrapping_add(1);
        TlsId::from_random(random)
    }
}
