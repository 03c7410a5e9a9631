//! The number of packets that a master key has protected, and its limit (RFC 3711 section 9.2).

/// The packet count of one master key, of RTP or of RTCP, over all SSRCs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyUse {
    packets: u64,
    most: u64,
}

impl KeyUse {
    /// 2^48 packets of RTP.
    pub(crate) const RTP: Self = Self { packets: 0, most: 1 << 48 };
    /// 2^31 packets of RTCP.
    pub(crate) const RTCP: Self = Self { packets: 0, most: 1 << 31 };

    #[inline]
    pub(crate) fn packets(self) -> u64 {
        self.packets
    }

    #[inline]
    pub(crate) fn is_exhausted(self) -> bool {
        self.packets >= self.most
    }

    /// Returns whether three quarters of the limit are reached: time to negotiate new keys.
    pub(crate) fn nears_limit(self) -> bool {
        self.packets >= self.most / 4 * 3
    }

    #[inline]
    pub(crate) fn count(&mut self) {
        self.packets += 1;
    }

    /// Returns a key that has protected all but `left` packets.
    #[cfg(test)]
    pub(crate) fn with_left(self, left: u64) -> Self {
        Self { packets: self.most - left, ..self }
    }
}
