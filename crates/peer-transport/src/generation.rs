//! Generations of a transport: what was signalled for one, and the restart that brings the next.
//!
//! At most one generation is sending, one handshaking, one draining. Knows nothing of packets.

use std::collections::VecDeque;
use std::time::Instant;

use dtls_core::{Certificate, HashAlgorithm};
use ice_agent::{Generation, Path};

use crate::association::{DtlsRole, Established, Handshaking};
use crate::config::Role;
use crate::error::Failure;
use crate::expiry::Expiry;
use crate::parameters::{Parameters, Setup, TlsId};
use crate::verdict::{Ends, Signalled};

/// Our side of the DTLS parameters of a generation.
#[derive(Clone, Debug)]
pub(crate) struct LocalDtls {
    pub(crate) certificates: Vec<Certificate>,
    pub(crate) expiry: Option<Expiry>,
    /// The role that the application asked for.
    pub(crate) wish: Role,
    /// What our description says about it.
    pub(crate) setup: Setup,
    /// Omitted from an answer to an offer that had none (RFC 8842 section 5.3).
    pub(crate) tls_id: Option<TlsId>,
}

impl LocalDtls {
    pub(crate) fn signalled(&self, role: DtlsRole) -> Signalled {
        Signalled {
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

/// What both sides have said about a generation.
#[derive(Clone, Debug)]
pub(crate) struct Signalling {
    pub(crate) local: LocalDtls,
    pub(crate) remote: Option<Parameters>,
}

/// The association that sends, or the first one on its way.
pub(crate) enum Current {
    /// Nothing to send with: before the first handshake, after a close, after a failure.
    Absent,
    /// The first handshake.
    Handshaking(Box<Handshaking>),
    /// It carries media and data.
    Established(Box<Established>),
}

impl Current {
    pub(crate) const fn established(&self) -> Option<&Established> {
        match self {
            Self::Established(association) => Some(association),
            Self::Absent | Self::Handshaking(_) => None,
        }
    }

    pub(crate) const fn established_mut(&mut self) -> Option<&mut Established> {
        match self {
            Self::Established(association) => Some(association),
            Self::Absent | Self::Handshaking(_) => None,
        }
    }
}

/// The next generation on its way, and what to go back to.
pub(crate) struct Restart {
    pub(crate) generation: Generation,
    /// For an abandoned or a failed restart.
    pub(crate) before: Before,
    pub(crate) stage: Stage,
}

/// What a restart that comes to nothing goes back to.
#[derive(Clone, Debug)]
pub(crate) struct Before {
    /// What was signalled for the generation before.
    pub(crate) signalling: Signalling,
    pub(crate) otherwise: Otherwise,
}

/// What there is without the restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Otherwise {
    /// The generation before, at work or on its way.
    Call,
    /// Nothing: it was closed, by either side.
    Closed,
    /// Nothing that works.
    Failed(Failure),
}

/// How far a restart has come.
pub(crate) enum Stage {
    /// We offered it; the peer's parameters are awaited, without a deadline of ours.
    Offered,
    /// Signalling says that the association stays; only the new pair is awaited.
    Retained {
        /// What is signalled about it now.
        ends: Box<Ends>,
        /// When the wait for a pair is over.
        deadline: Instant,
    },
    /// A fresh handshake is under way, while the association before goes on.
    Handshaking(Box<Attempt>),
    /// The fresh handshake is complete, but the peer may miss our last flight: sending moves with the
    /// first proof that it does not.
    Moving(Box<Established>),
}

/// A fresh handshake beside a living association.
pub(crate) struct Attempt {
    pub(crate) handshaking: Handshaking,
    pub(crate) judgement: Judgement,
    /// When it is given up.
    pub(crate) deadline: Instant,
}

/// What is known about the association before while a fresh handshake is attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// Signalling promised the fresh handshake, so silence proves nothing.
    Fresh,
    /// Silence will decide, once it has lasted.
    Open,
    /// It has lasted, but the peer was not asked often enough yet.
    OpenInSilence,
    /// It was judged retained. The attempt stays receptive until its deadline.
    Retained,
}

/// The association before, which only reads what is still on its way.
pub(crate) struct Draining {
    pub(crate) association: Established,
    /// When it is erased. Brought forward by the first traffic of the association after it.
    pub(crate) until: Instant,
}

/// ClientHellos that came before we could use them: ahead of the peer's parameters, or ahead of the
/// first pair of ours that works. All of them are pieces of the newest one.
#[derive(Default)]
pub(crate) struct EarlyHello {
    random: Option<[u8; 32]>,
    held: VecDeque<(Path, Vec<u8>)>,
    bytes: usize,
}

impl EarlyHello {
    /// A post-quantum ClientHello takes two datagrams, and each may come twice.
    const MAX_DATAGRAMS: usize = 4;
    /// Four datagrams of a usual MTU do not fit, and no ClientHello needs them to.
    const MAX_BYTES: usize = 4096;

    /// A piece with this random begins or continues a ClientHello; how many pieces of another one, from
    /// an attempt that the peer has given up, are dropped for it.
    pub(crate) fn expect(&mut self, random: Option<[u8; 32]>) -> u64 {
        if random.is_none() || random == self.random {
            return 0;
        }
        let known = self.random.is_some();
        self.random = random;
        if known { self.drop_all() } else { 0 }
    }

    /// Keeps a copy; `false` when the bound is reached.
    pub(crate) fn hold(&mut self, path: Path, datagram: &[u8]) -> bool {
        if self.held.len() >= Self::MAX_DATAGRAMS || self.bytes + datagram.len() > Self::MAX_BYTES {
            return false;
        }
        self.bytes += datagram.len();
        self.held.push_back((path, datagram.to_vec()));
        true
    }

    /// What is held, to be used now.
    pub(crate) fn take(&mut self) -> VecDeque<(Path, Vec<u8>)> {
        std::mem::take(self).held
    }

    /// How many datagrams were held in vain.
    pub(crate) fn drop_all(&mut self) -> u64 {
        self.bytes = 0;
        u64::try_from(self.held.drain(..).count()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::{EarlyHello, Path};

    fn path() -> Path {
        Path::udp("192.0.2.1:1".parse().unwrap(), "192.0.2.2:2".parse().unwrap())
    }

    #[test]
    fn the_fourth_early_datagram_is_held_and_the_fifth_is_not() {
        let mut early = EarlyHello::default();
        for _ in 0..4 {
            assert!(early.hold(path(), &[22; 100]));
        }
        assert!(!early.hold(path(), &[22; 100]));
        assert_eq!(early.take().len(), 4);
        assert!(early.hold(path(), &[22; 100]));
    }

    #[test]
    fn four_kilobytes_are_held_and_one_byte_more_is_not() {
        let mut early = EarlyHello::default();
        assert!(early.hold(path(), &[22; 4000]));
        assert!(early.hold(path(), &[22; 96]));
        assert!(!early.hold(path(), &[22]));
    }

    #[test]
    fn a_newer_hello_takes_the_place_of_an_older_one() {
        let mut early = EarlyHello::default();
        assert_eq!(early.expect(Some([1; 32])), 0);
        assert!(early.hold(path(), &[22; 100]));
        assert_eq!(early.expect(None), 0);
        assert!(early.hold(path(), &[22; 100]));
        assert_eq!(early.expect(Some([1; 32])), 0);
        assert_eq!(early.expect(Some([2; 32])), 2);
        assert!(early.hold(path(), &[22; 4096]));
    }
}
