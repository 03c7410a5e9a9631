//! A candidate: a transport address of ours or of the peer (RFC 8445 section 5.1).
//!
//! Knows the announced address and its base. Does not know pairs or checks.

pub(crate) mod line;
pub(crate) mod priority;

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use thiserror::Error;

use crate::credentials::is_ice_chars;
use crate::path::{is_reachable, normalise};

/// The type of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CandidateKind {
    /// An address of an interface, or the public address of a 1:1 NAT in front of it.
    Host,
    /// Learnt from the source address of a check.
    PeerReflexive,
    /// Learnt from a STUN server.
    ServerReflexive,
    /// Allocated on a TURN server.
    Relayed,
}

impl CandidateKind {
    /// The `typ` token of RFC 8839.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::PeerReflexive => "prflx",
            Self::ServerReflexive => "srflx",
            Self::Relayed => "relay",
        }
    }

    pub(crate) fn from_token(token: &str) -> Option<Self> {
        [Self::Host, Self::PeerReflexive, Self::ServerReflexive, Self::Relayed]
            .into_iter()
            .find(|kind| kind.token() == token)
    }
}

impl fmt::Display for CandidateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.token())
    }
}

/// Candidates with equal foundations are likely to succeed or fail together (RFC 8445 section 5.1.1.3). A foundation
/// has 1 to 32 ice-chars.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Foundation {
    bytes: [u8; 32],
    length: u8,
}

impl Foundation {
    /// Returns the foundation as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// Equal for candidates of one type with one base address; different candidates collide with negligible
    /// probability.
    fn compute(kind: CandidateKind, base: SocketAddr) -> Self {
        // FNV-1a suffices to distinguish the few candidates of one agent.
        let text = format!("{kind} {}", base.ip());
        let hash = text
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        Self::from_number(hash)
    }

    pub(crate) fn from_number(number: u32) -> Self {
        number.to_string().parse().unwrap_or(Self { bytes: [b'0'; 32], length: 1 })
    }
}

impl FromStr for Foundation {
    type Err = InvalidCandidate;

    fn from_str(text: &str) -> Result<Self, InvalidCandidate> {
        let length = u8::try_from(text.len()).map_err(|_| InvalidCandidate::Foundation)?;
        let mut bytes = [0; 32];
        let Some(room) = bytes.get_mut(..text.len()) else {
            return Err(InvalidCandidate::Foundation);
        };
        if text.is_empty() || !is_ice_chars(text) {
            return Err(InvalidCandidate::Foundation);
        }
        room.copy_from_slice(text.as_bytes());
        Ok(Self { bytes, length })
    }
}

impl fmt::Display for Foundation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Foundation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Foundation({self})")
    }
}

/// A transport address at which one side may be reachable.
///
/// `address` is announced to the other side. `base` is the address of the local socket: datagrams are matched with it
/// and sent from it. The two differ behind a 1:1 NAT, in a container, and for reflexive candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Candidate {
    kind: CandidateKind,
    address: SocketAddr,
    base: SocketAddr,
    related: Option<SocketAddr>,
    priority: u32,
    foundation: Foundation,
}

impl Candidate {
    /// Returns a host candidate whose announced address is the address of its socket. See [`Self::with_base`].
    ///
    /// # Errors
    /// [`InvalidCandidate`] when no packet can reach the address: unspecified, multicast or port 0.
    pub fn host(address: SocketAddr) -> Result<Self, InvalidCandidate> {
        Self::new(CandidateKind::Host, address, address)
    }

    /// Returns a candidate with the address that a STUN server reported for `base`.
    ///
    /// # Errors
    /// As [`Self::host`], and when the families differ.
    pub fn server_reflexive(address: SocketAddr, base: SocketAddr) -> Result<Self, InvalidCandidate> {
        Ok(Self::new(CandidateKind::ServerReflexive, address, base)?.with_related(base))
    }

    /// Returns a candidate on a TURN server. `base` is the value of [`Path::local`](crate::Path) in its datagrams:
    /// usually the relayed address itself, unless the TURN client presents them otherwise.
    ///
    /// # Errors
    /// As [`Self::host`], and when the families differ.
    pub fn relayed(address: SocketAddr, base: SocketAddr) -> Result<Self, InvalidCandidate> {
        Ok(Self::new(CandidateKind::Relayed, address, base)?.with_related(base))
    }

    /// Returns the candidate with the same announced address, on a socket with another address: 1:1 NAT, container.
    ///
    /// # Errors
    /// As [`Self::host`], and when the families differ.
    pub fn with_base(self, base: SocketAddr) -> Result<Self, InvalidCandidate> {
        let base = normalise(base);
        check_base(self.address, base)?;
        Ok(Self { base, foundation: Foundation::compute(self.kind, base), ..self })
    }

    /// Returns the candidate with another `raddr`/`rport`, which serves diagnostics only.
    #[must_use]
    pub fn with_related(self, related: SocketAddr) -> Self {
        Self { related: Some(normalise(related)), ..self }
    }

    /// Returns the candidate with another priority, 1 to 2^31 - 1 (RFC 8839 section 5.1).
    ///
    /// # Errors
    /// [`InvalidCandidate::Priority`] outside of that range.
    pub fn with_priority(self, priority: u32) -> Result<Self, InvalidCandidate> {
        if priority == 0 || priority > MAX_PRIORITY {
            return Err(InvalidCandidate::Priority);
        }
        Ok(Self { priority, ..self })
    }

    /// Returns the type.
    #[must_use]
    pub const fn kind(&self) -> CandidateKind {
        self.kind
    }

    /// Returns the announced address.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address of the socket; for a remote candidate the same as [`Self::address`].
    #[must_use]
    pub const fn base(&self) -> SocketAddr {
        self.base
    }

    /// Returns `raddr` and `rport`, if known.
    #[must_use]
    pub const fn related(&self) -> Option<SocketAddr> {
        self.related
    }

    /// Returns the priority (RFC 8445 section 5.1.2).
    #[must_use]
    pub const fn priority(&self) -> u32 {
        self.priority
    }

    /// Returns the foundation (RFC 8445 section 5.1.1.3).
    #[must_use]
    pub const fn foundation(&self) -> Foundation {
        self.foundation
    }

    fn new(kind: CandidateKind, address: SocketAddr, base: SocketAddr) -> Result<Self, InvalidCandidate> {
        let (address, base) = (normalise(address), normalise(base));
        if !is_reachable(address) {
            return Err(InvalidCandidate::Address);
        }
        check_base(address, base)?;
        let priority = priority::candidate(kind, priority::local_preference(address, 0));
        let foundation = Foundation::compute(kind, base);
        Ok(Self { kind, address, base, related: None, priority, foundation })
    }

    /// Returns a candidate of a remote description. The base of a remote candidate is unknown.
    pub(crate) fn announced(
        kind: CandidateKind,
        address: SocketAddr,
        priority: u32,
        foundation: Foundation,
        related: Option<SocketAddr>,
    ) -> Result<Self, InvalidCandidate> {
        let candidate = Self::new(kind, address, address)?.with_priority(priority)?;
        Ok(Self { foundation, related: related.map(normalise), ..candidate })
    }

    /// Returns a candidate learnt from a check: a remote one from the source address, a local one from a mapped
    /// address.
    pub(crate) fn peer_reflexive(
        address: SocketAddr,
        base: SocketAddr,
        priority: u32,
        foundation: Foundation,
    ) -> Self {
        let kind = CandidateKind::PeerReflexive;
        Self { kind, address, base, related: Some(base), priority, foundation }
    }

    /// Returns the candidate with a local preference slightly lower than those of the `index` earlier ones.
    pub(crate) fn with_index(self, index: u16) -> Self {
        let default = priority::candidate(self.kind, priority::local_preference(self.address, 0));
        if self.priority != default {
            return self;
        }
        let preference = priority::local_preference(self.address, index);
        Self { priority: priority::candidate(self.kind, preference), ..self }
    }
}

/// RFC 8839 section 5.1.
const MAX_PRIORITY: u32 = 0x7fff_ffff;

fn check_base(address: SocketAddr, base: SocketAddr) -> Result<(), InvalidCandidate> {
    if !is_reachable(base) {
        return Err(InvalidCandidate::Base);
    }
    if address.is_ipv4() != base.is_ipv4() {
        return Err(InvalidCandidate::Family);
    }
    Ok(())
}

/// The reason why a candidate is not usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidCandidate {
    /// Unspecified, multicast, broadcast, or port 0.
    #[error("no packet can reach the announced address")]
    Address,
    /// Unspecified, multicast, broadcast, or port 0.
    #[error("no packet can leave from the base")]
    Base,
    /// Address and base belong to different families.
    #[error("address and base belong to different address families")]
    Family,
    /// Priorities run from 1 to 2^31 - 1.
    #[error("the priority is not between 1 and 2^31 - 1")]
    Priority,
    /// Foundations are 1 to 32 ice-chars.
    #[error("the foundation is not 1 to 32 letters, digits, + and /")]
    Foundation,
}
