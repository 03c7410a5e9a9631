//! The bounds of a context.

/// Bounds of an [`Outbound`](crate::Outbound) or [`Inbound`](crate::Inbound) context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many packets behind the newest one of its SSRC a packet may be, in sequence numbers; on the sending
    /// side too, where a forwarder seals packets as they come in.
    ///
    /// Rounded up to a power of two and kept between 64 (RFC 3711 section 3.3.2) and 16,384 (half of what
    /// lets the rollover counter be estimated). The default of 1,024 is a second of video at 10 Mbit/s, longer
    /// than a retransmission on a bad path takes; it costs 128 bytes for each SSRC.
    pub replay_window: u16,
    /// How many SSRCs may be live at once, for RTP and for RTCP each. The default is 512: a few (media, RTX,
    /// FEC, simulcast layers) for each of a hundred participants. A peer that holds the keys can make an
    /// inbound context grow to this and no further.
    pub max_streams: usize,
    /// How many SSRCs may be retired in the life of the context. They are remembered, because a forgotten SSRC
    /// could be replayed (inbound) or sealed twice (outbound). The default is 16,384, at some 8 bytes each.
    pub max_retired: usize,
}

impl Options {
    /// The window as it is used, in packets.
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
    fn the_window_is_a_power_of_two_between_its_bounds() {
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
