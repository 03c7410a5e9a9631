//! Recognises hellos of associations that have ended.

use std::collections::VecDeque;

/// The randoms of the peer's hellos in ended associations, so that a late duplicate does not start a new
/// handshake.
#[derive(Default)]
pub(super) struct StaleHellos(VecDeque<[u8; 32]>);

impl StaleHellos {
    /// A datagram that is late by more than eight restarts is not expected.
    const MAX: usize = 8;

    pub(super) fn note(&mut self, random: Option<[u8; 32]>) {
        let Some(random) = random else { return };
        if self.0.len() == Self::MAX {
            self.0.pop_front();
        }
        self.0.push_back(random);
    }

    pub(super) fn contains(&self, random: &[u8; 32]) -> bool {
        self.0.contains(random)
    }
}
