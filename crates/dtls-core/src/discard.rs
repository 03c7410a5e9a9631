//! Why an input was dropped. Dropping is never an error: the reason is counted and the connection goes on.

/// Why a datagram, a record or a message was dropped; counted by [`crate::Stats::discarded`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Discard {
    /// The first byte is no DTLS content type, or the version is none of DTLS.
    NotDtls,
    /// The datagram ends inside a record, or a record inside a handshake header.
    Truncated,
    /// A record of an epoch that does not exist here, now or ever.
    UnknownEpoch,
    /// A record that failed authentication, or whose content cannot be what its type says.
    BadRecord,
    /// The record's sequence number was seen before.
    Replayed,
    /// The record is older than the replay window.
    TooOld,
    /// A handshake message that cannot be decoded.
    Malformed,
    /// A well-formed message that nothing waits for in this state.
    UnexpectedMessage,
    /// A handshake message of a flight that was handled already; it may trigger our own flight again.
    RepeatedMessage,
    /// A handshake message above [`crate::Limits::handshake_message`], or more of them than
    /// [`crate::Limits::reassembly`] holds.
    ReassemblyFull,
    /// A fragment that disagrees with an earlier one of the same message. The later one is kept, so that a
    /// forged fragment cannot block the message for ever.
    ContradictingFragment,
    /// Protected records that came before their keys exceed [`crate::Limits::early_records`].
    EarlyRecordsFull,
    /// Application data beyond [`crate::Limits::received_data`].
    ReceivedDataFull,
    /// An alert that nobody authenticated. A fatal one is remembered as a hint while the handshake runs.
    PlaintextAlert,
    /// An acknowledgement that nobody authenticated. It may have our flight sent again, never held back.
    PlaintextAck,
    /// Application data that nobody authenticated.
    PlaintextData,
    /// A ClientHello with a random of its own, once the client is authenticated; or one that would replace an
    /// attempt which replaced another less than one retransmission timeout ago.
    FreshClientHello,
    /// The peer repeats its last flight after ours was released.
    FlightReleased,
    /// Everything that arrives after the connection failed.
    Closed,
    /// Everything that arrives after a close_notify of either side.
    AfterClose,
    /// Nothing is handled before [`crate::Connection::start`] in the client's role.
    NotStarted,
    /// At the gate: a ClientHello in pieces, with a cookie, that is not acceptable. Somebody else's piece may be in it,
    /// so nobody is told.
    CookieMismatch,
    /// At the gate: the answer would have been longer than what asked for it.
    Amplification,
}

impl Discard {
    /// Every reason once, for tables and statistics.
    pub const ALL: [Self; 23] = [
        Self::NotDtls,
        Self::Truncated,
        Self::UnknownEpoch,
        Self::BadRecord,
        Self::Replayed,
        Self::TooOld,
        Self::Malformed,
        Self::UnexpectedMessage,
        Self::RepeatedMessage,
        Self::ReassemblyFull,
        Self::ContradictingFragment,
        Self::EarlyRecordsFull,
        Self::ReceivedDataFull,
        Self::PlaintextAlert,
        Self::PlaintextAck,
        Self::PlaintextData,
        Self::FreshClientHello,
        Self::FlightReleased,
        Self::Closed,
        Self::AfterClose,
        Self::NotStarted,
        Self::CookieMismatch,
        Self::Amplification,
    ];
}
