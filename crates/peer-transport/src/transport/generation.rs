//! Generations of a transport: the signalled parameters of each, and the restart that opens the next one.
//!
//! At most one generation is sending, one handshaking, one draining. Does not know packets.

use std::collections::VecDeque;
use std::time::Instant;

use dtls_core::{Certificate, DtlsRole, HashAlgorithm};
use ice_agent::{Generation, Path};

use super::association::{Established, Handshaking};
use super::expiry::Expiry;
use super::verdict::{SignalledParameters, SignalledSide};
use crate::config::Role;
use crate::error::Failure;
use crate::parameters::{Parameters, Setup, TlsId};

/// The local DTLS parameters of a generation.
#[derive(Clone, Debug)]
pub(super) struct LocalDtls {
    pub(super) certificates: Vec<Certificate>,
    pub(super) expiry: Option<Expiry>,
    /// The role that the application requested.
    pub(super) requested_role: Role,
    /// The `setup` value of the local description.
    pub(super) setup: Setup,
    /// Omitted from an answer if the offer had none (RFC 8842 section 5.3).
    pub(super) tls_id: Option<TlsId>,
}

impl LocalDtls {
    pub(super) fn signalled(&self, role: DtlsRole) -> SignalledSide {
        SignalledSide {
            tls_id: self.tls_id.clone(),
            fingerprints: self
                .certificates
                .iter()
                .map(|certificate| certificate.fingerprint(HashAlgorithm::Sha256))
                .collect(),
            role,
        }
    }
}

/// The signalled parameters of both sides for a generation.
#[derive(Clone, Debug)]
pub(super) struct Signalling {
    pub(super) local: LocalDtls,
    pub(super) remote: Option<Parameters>,
}

/// The association that sends, or the initial handshake.
pub(super) enum Current {
    /// No association: before the first handshake, after a close, or after a failure.
    Absent,
    /// The initial handshake.
    Handshaking(Box<Handshaking>),
    /// Carries media and data.
    Established(Box<Established>),
}

impl Current {
    pub(super) const fn established(&self) -> Option<&Established> {
        match self {
            Self::Established(association) => Some(association),
            Self::Absent | Self::Handshaking(_) => None,
        }
    }

    pub(super) const fn established_mut(&mut self) -> Option<&mut Established> {
        match self {
            Self::Established(association) => Some(association),
            Self::Absent | Self::Handshaking(_) => None,
        }
    }
}

/// The next generation in progress, and the state that a rollback restores.
pub(super) struct Restart {
    pub(super) generation: Generation,
    /// Restored by a rollback or a failed restart.
    pub(super) rollback: RollbackState,
    pub(super) state: RestartState,
}

/// The state that a rolled back or failed restart returns to.
#[derive(Clone, Debug)]
pub(super) struct RollbackState {
    /// The signalled parameters of the previous generation.
    pub(super) signalling: Signalling,
    pub(super) fallback: Fallback,
}

/// The remainder of the previous generation after a rollback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fallback {
    /// The previous generation, connected or connecting.
    PreviousGeneration,
    /// Nothing: either side closed it.
    Closed,
    /// Nothing usable: it failed.
    Failed(Failure),
}

/// The progress of a restart.
pub(super) enum RestartState {
    /// Offered by the local side. Waits for the peer's parameters, without a local deadline.
    Offered,
    /// Signalling retains the association. Waits for the new pair only.
    Retained {
        /// The parameters now signalled for the association.
        signalled: Box<SignalledParameters>,
        /// When the wait for a pair fails.
        deadline: Instant,
    },
    /// A fresh handshake is in progress, while the previous association carries media.
    Handshaking(Box<Attempt>),
    /// The fresh handshake is complete, but the peer may have missed the final flight. Sending moves when the
    /// peer's traffic confirms that it has not.
    Unconfirmed(Box<Established>),
}

/// A fresh handshake beside an established association.
pub(super) struct Attempt {
    pub(super) handshaking: Handshaking,
    pub(super) decision: Decision,
    /// When the attempt ends.
    pub(super) deadline: Instant,
}

/// The decision about the previous association while a fresh handshake is attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Signalling announced a fresh handshake, so silence proves nothing.
    Fresh,
    /// Undecided: silence of the required length will decide.
    Open,
    /// The silence has lasted, but too few ClientHellos were sent.
    OpenAfterSilence,
    /// The association is retained. The attempt can still complete until its deadline.
    Retained,
}

/// The previous association, which only reads packets that are still in flight.
pub(super) struct Draining {
    pub(super) association: Established,
    /// When it is erased. The first traffic of the next association brings it forward.
    pub(super) until: Instant,
}

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
