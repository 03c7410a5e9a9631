//! The reasons why a packet was not protected, and why a received packet was discarded.

/// The reason why a packet was not protected. The buffer and the context are unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not RTP (or RTCP) of version 2, or a header whose lengths contradict the packet.
    #[error("not an RTP or RTCP packet of version 2")]
    Malformed,
    /// The protected packet would be longer than [`MAX_PACKET_LEN`](crate::MAX_PACKET_LEN).
    #[error("longer than a UDP datagram can carry")]
    TooLarge,
    /// The index was used before, or is older than the replay window. To retransmit, send the packet that was protected
    /// the first time.
    #[error("this sequence number was used before, or is older than the replay window")]
    IndexReused,
    /// The master key has protected its maximum number of packets: 2^48 of RTP, 2^31 of RTCP (RFC 3711 section 9.2). A
    /// new DTLS association is needed.
    #[error("the master key has protected its maximum number of packets")]
    KeyExhausted,
    /// One SSRC more than [`Options::max_streams`](crate::Options::max_streams), or one retired SSRC more than
    /// [`Options::max_retired`](crate::Options::max_retired).
    #[error("more SSRCs than the limit of the context")]
    TooManyStreams,
    /// The SSRC was retired. Its indexes are no longer known, so it cannot be used again with this key.
    #[error("the SSRC was retired")]
    RetiredSsrc,
}

/// The reason why a received packet was discarded. The context is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum Discard {
    /// Not RTP (or RTCP) of version 2, too short for its own header and the tag, or too long for a datagram.
    #[error("not an SRTP or SRTCP packet")]
    Malformed,
    /// The tag does not match: the packet was forged or damaged, or protected with another key.
    #[error("not authentic")]
    Unauthenticated,
    /// A packet with this index was accepted before (RFC 3711 section 3.3.2).
    #[error("replayed")]
    Replayed,
    /// Older than the replay window.
    #[error("older than the replay window")]
    TooOld,
    /// From a new SSRC, although there are [`Options::max_streams`](crate::Options::max_streams) already.
    #[error("more SSRCs than the limit of the context")]
    TooManyStreams,
    /// From an SSRC that was retired.
    #[error("the SSRC was retired")]
    RetiredSsrc,
    /// SRTCP without the E bit. It was not authenticated.
    #[error("SRTCP that is not encrypted")]
    NotEncrypted,
    /// The master key has accepted its maximum number of packets: 2^48 of RTP, 2^31 of RTCP (RFC 3711 section 9.2).
    #[error("the master key has protected its maximum number of packets")]
    KeyExhausted,
}

impl Discard {
    /// Every reason, in the order of the statistics.
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
