//! Why an input was dropped, and how often.

use std::fmt;

/// Why a datagram was dropped. Each drop counts in [`Stats::discarded`](crate::Stats::discarded).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Discard {
    /// The first bytes are not those of STUN.
    NotStun,
    /// STUN, but broken: lengths, attributes, a USERNAME without colon.
    Malformed,
    /// Longer than [`Config::max_datagram`](crate::Config::max_datagram).
    TooLong,
    /// A STUN method other than Binding, or an indication, which ICE only uses as a keepalive.
    NotBinding,
    /// FINGERPRINT is missing or wrong.
    FingerprintMismatch,
    /// The request is for no generation of this agent.
    UnknownUfrag,
    /// The response answers nothing that is still awaited.
    UnknownTransaction,
    /// MESSAGE-INTEGRITY is missing.
    IntegrityMissing,
    /// MESSAGE-INTEGRITY does not match the password.
    IntegrityMismatch,
    /// An authenticated response on another path than its request.
    WrongAddress,
    /// The local address is the base of no local candidate.
    UnknownBase,
    /// An authenticated success response without a readable XOR-MAPPED-ADDRESS.
    NoMappedAddress,
    /// The queue of outgoing messages is full, so the request stays unanswered.
    RateLimited,
    /// The request would need one more pair, early check or candidate than the bound allows.
    PairLimit,
    /// The source is an address that no packet can be sent to.
    Filtered,
    /// The request is for a generation that has been retired.
    RetiredGeneration,
    /// Consent on this path, or of this generation, has ended.
    Revoked,
    /// The agent is closed.
    Closed,
}

impl Discard {
    /// Every reason, in the order of the checks.
    pub const ALL: [Self; 18] = [
        Self::NotStun,
        Self::Malformed,
        Self::TooLong,
        Self::NotBinding,
        Self::FingerprintMismatch,
        Self::UnknownUfrag,
        Self::UnknownTransaction,
        Self::IntegrityMissing,
        Self::IntegrityMismatch,
        Self::WrongAddress,
        Self::UnknownBase,
        Self::NoMappedAddress,
        Self::RateLimited,
        Self::PairLimit,
        Self::Filtered,
        Self::RetiredGeneration,
        Self::Revoked,
        Self::Closed,
    ];
}

impl fmt::Display for Discard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
