//! Stores the fragments of a ClientHello that arrives before it can be answered.
//!
//! Knows randoms and limits. Does not know generations.

use std::collections::VecDeque;

use ice_agent::Path;

/// ClientHello datagrams that arrived before they could be used: before the peer's parameters, or before the
/// first usable pair. All are fragments of the newest ClientHello.
#[derive(Default)]
pub(super) struct EarlyHello {
    random: Option<[u8; 32]>,
    datagrams: VecDeque<(Path, Vec<u8>)>,
    bytes: usize,
}

impl EarlyHello {
    /// A post-quantum ClientHello takes two datagrams, and each may be duplicated.
    const MAX_DATAGRAMS: usize = 4;
    /// Smaller than four datagrams of a usual MTU; no ClientHello needs more.
    const MAX_BYTES: usize = 4096;

    /// Prepares for a fragment with this random. Returns how many fragments of an older ClientHello, from an
    /// abandoned attempt, were dropped for it.
    pub(super) fn begin_hello(&mut self, random: Option<[u8; 32]>) -> u64 {
        if random.is_none() || random == self.random {
            return 0;
        }
        let known = self.random.is_some();
        self.random = random;
        if known { self.clear() } else { 0 }
    }

    /// Stores a copy; returns `false` at the limit.
    pub(super) fn push(&mut self, path: Path, datagram: &[u8]) -> bool {
        if self.datagrams.len() >= Self::MAX_DATAGRAMS || self.bytes + datagram.len() > Self::MAX_BYTES {
            return false;
        }
        self.bytes += datagram.len();
        self.datagrams.push_back((path, datagram.to_vec()));
        true
    }

    /// Returns the stored datagrams for processing.
    pub(super) fn take(&mut self) -> VecDeque<(Path, Vec<u8>)> {
        std::mem::take(self).datagrams
    }

    /// Drops the stored datagrams and returns their number.
    pub(super) fn clear(&mut self) -> u64 {
        self.bytes = 0;
        u64::try_from(self.datagrams.drain(..).count()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::{EarlyHello, Path};

    fn path() -> Path {
        Path::udp("192.0.2.1:1".parse().unwrap(), "192.0.2.2:2".parse().unwrap())
    }

    #[test]
    fn fifth_early_datagram_is_dropped() {
        let mut early = EarlyHello::default();
        for _ in 0..4 {
            assert!(early.push(path(), &[22; 100]));
        }
        assert!(!early.push(path(), &[22; 100]));
        assert_eq!(early.take().len(), 4);
        assert!(early.push(path(), &[22; 100]));
    }

    #[test]
    fn early_datagrams_are_limited_to_4_kib() {
        let mut early = EarlyHello::default();
        assert!(early.push(path(), &[22; 4000]));
        assert!(early.push(path(), &[22; 96]));
        assert!(!early.push(path(), &[22]));
    }

    #[test]
    fn newer_hello_replaces_older() {
        let mut early = EarlyHello::default();
        assert_eq!(early.begin_hello(Some([1; 32])), 0);
        assert!(early.push(path(), &[22; 100]));
        assert_eq!(early.begin_hello(None), 0);
        assert!(early.push(path(), &[22; 100]));
        assert_eq!(early.begin_hello(Some([1; 32])), 0);
        assert_eq!(early.begin_hello(Some([2; 32])), 2);
        assert!(early.push(path(), &[22; 4096]));
    }
}
