//! The reasons for discarding an input. A discard is not an error: it is counted, and the connection continues.

/// The reason for discarding a datagram, a record or a message; counted by [`crate::Stats::discarded`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Discard {
    /// The first byte is not a DTLS content type, or the version is not one of DTLS.
    NotDtls,
    /// The datagram ends inside a record, or a record inside a handshake header.
    Truncated,
    /// A record of an epoch that cannot exist on this connection.
    UnknownEpoch,
    /// A record that failed authentication, or whose content does not fit its type.
    BadRecord,
    /// The record's sequence number was seen before.
    Replayed,
    /// The record is older than the replay window.
    TooOld,
    /// A handshake message that cannot be decoded.
    Malformed,
    /// A well-formed message that this state does not expect.
    UnexpectedMessage,
    /// A handshake message of a flight that was handled already; it may cause a retransmission of our flight.
    RetransmittedMessage,
    /// A handshake message above [`crate::Limits::handshake_message`], or more messages than
    /// [`crate::Limits::reassembly`] allows.
    ReassemblyFull,
    /// A fragment that contradicts an earlier one of the same message. The later one is kept, so that a forged fragment
    /// cannot block the message.
    ContradictingFragment,
    /// The protected records that arrived before their keys exceed [`crate::Limits::early_records`].
    EarlyRecordsFull,
    /// Application data beyond [`crate::Limits::received_data`].
    ReceivedDataFull,
    /// An unauthenticated alert. During the handshake a fatal one is kept as the pending alert.
    PlaintextAlert,
    /// An unauthenticated acknowledgement. It may cause a retransmission of our flight, but never suppresses one.
    PlaintextAck,
    /// Unauthenticated application data.
    PlaintextData,
    /// A ClientHello with another random, after the client was authenticated; or one that would replace an attempt that
    /// replaced another less than one RTO ago.
    FreshClientHello,
    /// The peer retransmits its last flight after ours was released.
    FlightReleased,
    /// Input after the connection failed.
    Closed,
    /// Input after a close_notify of either side.
    AfterClose,
    /// In the client's role, input before [`crate::Connection::start`].
    NotStarted,
    /// At the gate: a fragmented ClientHello with an unacceptable cookie. A fragment of another sender may be in it, so
    /// the client gets no response.
    CookieMismatch,
    /// At the gate: the response would have been longer than the ClientHello.
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
        Self::RetransmittedMessage,
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
