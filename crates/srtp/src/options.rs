//! The limits of a context.

/// The limits of an [`Outbound`](crate::Outbound) or [`Inbound`](crate::Inbound) context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The maximum distance of a packet behind the newest one of its SSRC, in sequence numbers. It also applies to
    /// sending, because a forwarder protects packets in the order of arrival.
    ///
    /// Rounded up to a power of two within 64 (RFC 3711 section 3.3.2) and 16,384 (half of the range in which the
    /// rollover counter can be estimated). The default of 1,024 is a second of video at 10 Mbit/s, longer than a
    /// retransmission on a bad path takes. It costs 128 bytes per SSRC.
    pub replay_window: u16,
    /// The maximum number of live SSRCs, for RTP and RTCP each. The default is 512: a few (media, RTX, FEC, simulcast
    /// layers) for each of a hundred participants. A peer with the keys can grow an inbound context to this limit.
    pub max_streams: usize,
    /// The maximum number of SSRCs that are retired during the life of the context. They are kept, because an unknown
    /// SSRC could be replayed (inbound) or reuse indexes (outbound). The default is 16,384, with about 8 bytes each.
    pub max_retired: usize,
}

impl Options {
    /// Returns the effective window, in packets.
    pub(crate) fn window(&self) -> u16 {
        self.replay_window.clamp(MIN_WINDOW, MAX_WINDOW).next_power_of_two()
    }
}

const MIN_WINDOW: u16 = 64;
const MAX_WINDOW: u16 = 16_384;

impl Default for Options {
    fn default() -> Self {
        Self { replay_window: 1_024, max_streams: 512, max_retired: 16_384 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_is_a_power_of_two_within_its_limits() {
        for (asked, used) in [
            (0, 64),
            (64, 64),
            (65, 128),
            (1_000, 1_024),
            (1_024, 1_024),
            (16_384, 16_384),
            (u16::MAX, 16_384),
        ] {
            assert_eq!(Options { replay_window: asked, ..Options::default() }.window(), used, "{asked}");
        }
    }
}
