//! The reasons for discarding an input, and the counts.

use std::fmt;

/// The reason for discarding a datagram. [`Stats::discarded`](crate::Stats::discarded) counts each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Discard {
    /// The first bytes are not those of STUN.
    NotStun,
    /// Malformed STUN: lengths, attributes, a USERNAME without a colon.
    Malformed,
    /// Longer than [`Config::max_datagram`](crate::Config::max_datagram).
    TooLong,
    /// A STUN method other than Binding, or an indication, which ICE only uses as a keepalive.
    NotBinding,
    /// FINGERPRINT is missing or wrong.
    FingerprintMismatch,
    /// The ufrag of the request is unknown to this agent.
    UnknownUfrag,
    /// The response matches no pending transaction.
    UnknownTransaction,
    /// MESSAGE-INTEGRITY is missing.
    IntegrityMissing,
    /// MESSAGE-INTEGRITY does not match the password.
    IntegrityMismatch,
    /// An authenticated response on another path than that of its request.
    WrongAddress,
    /// The local address is the base of no local candidate.
    UnknownBase,
    /// An authenticated success response without a readable XOR-MAPPED-ADDRESS.
    NoMappedAddress,
    /// The queue of outgoing messages is full, so the request stays unanswered.
    RateLimited,
    /// The request needs one more pair, early check or candidate than the limit allows.
    PairLimit,
    /// No packet can be sent to the source address.
    Filtered,
    /// The request is for a generation that has ended.
    EndedGeneration,
    /// Consent on this path, or of this generation, was revoked or has expired.
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
        Self::EndedGeneration,
        Self::Revoked,
        Self::Closed,
    ];
}

impl fmt::Display for Discard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
