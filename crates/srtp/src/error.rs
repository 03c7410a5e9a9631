//! Why a command was refused and why a received packet was dropped.

/// Why a packet was not sealed. The buffer and the context are as they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Error {
    /// Not RTP (or RTCP) of version 2, or a header whose lengths do not agree with the packet.
    #[error("not an RTP or RTCP packet of version 2")]
    Malformed,
    /// The protected packet would be longer than [`MAX_PACKET_LEN`](crate::MAX_PACKET_LEN).
    #[error("longer than a UDP datagram can carry")]
    TooLarge,
    /// The index was sealed before, or is older than the window that remembers. Send the bytes that were
    /// sealed the first time.
    #[error("this sequence number was sealed before, or is too old to know")]
    IndexReused,
    /// As many packets as one master key may protect: 2^48 of RTP, 2^31 of RTCP (RFC 3711 section 9.2). A new
    /// DTLS association is needed.
    #[error("the master key has protected as many packets as it may")]
    KeyExhausted,
    /// One SSRC more than [`Options::max_streams`](crate::Options::max_streams), or one retired more than
    /// [`Options::max_retired`](crate::Options::max_retired).
    #[error("more SSRCs than the context is meant for")]
    TooManyStreams,
    /// The SSRC was retired. Its old indexes are forgotten, so it cannot be used again under this key.
    #[error("the SSRC was retired")]
    RetiredSsrc,
}

/// Why a received packet was dropped. The context is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum Discard {
    /// Not RTP (or RTCP) of version 2, too short for its own header and the tag, or too long for a datagram.
    #[error("not an SRTP or SRTCP packet")]
    Malformed,
    /// The tag does not match: forged, damaged, or protected under another key.
    #[error("not authentic")]
    Unauthenticated,
    /// A packet with this index was accepted before (RFC 3711 section 3.3.2).
    #[error("replayed")]
    Replayed,
    /// Older than the window that remembers what was accepted.
    #[error("too old to know whether it is a replay")]
    TooOld,
    /// From an SSRC that is new, when there are [`Options::max_streams`](crate::Options::max_streams) already.
    #[error("more SSRCs than the context is meant for")]
    TooManyStreams,
    /// From an SSRC that was retired.
    #[error("the SSRC was retired")]
    RetiredSsrc,
    /// SRTCP with the E bit unset; it was not authenticated either.
    #[error("SRTCP that is not encrypted")]
    NotEncrypted,
    /// As many packets as one master key may protect: 2^48 of RTP, 2^31 of RTCP (RFC 3711 section 9.2).
    #[error("the master key has protected as many packets as it may")]
    KeyExhausted,
}

impl Discard {
    /// Every reason, in the order in which statistics list them.
    pub const ALL: [Self; 8] = [
        Self::Malformed,
        Self::Unauthenticated,
        Self::Replayed,
        Self::TooOld,
        Self::TooManyStreams,
        Self::RetiredSsrc,
        Self::NotEncrypted,
        Self::KeyExhausted,
    ];
}
