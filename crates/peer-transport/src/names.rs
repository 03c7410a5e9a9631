//! Names that a transport makes up: told to the peer, and never twice the same.

use ice_agent::Seed;

use crate::parameters::TlsId;

/// Draws them from the seed.
pub(crate) struct Names {
    seed: Seed,
    minted: u64,
}

impl Names {
    pub(crate) const fn new(seed: Seed) -> Self {
        Self { seed, minted: 0 }
    }

    pub(crate) fn tls_id(&mut self) -> TlsId {
        let mut random = [0; TlsId::RANDOM_BYTES];
        self.seed.fill(self.minted, &mut random);
        self.minted = self.minted.wrapping_add(1);
        TlsId::from_random(random)
    }
}
