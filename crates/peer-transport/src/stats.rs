//! Counters: packets, and every dropped input by its reason.

use std::time::Duration;

/// Why an input was dropped. Dropping is the only consequence: inputs never fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Discard {
    /// A datagram without bytes.
    Empty,
    /// The first byte belongs to no supported protocol (RFC 7983 section 7).
    UnknownClass,
    /// Not STUN, and from a path on which the peer was never authenticated.
    UnknownPath,
    /// Media or data before its keys exist, or after the transport was closed.
    NotReady,
    /// More early DTLS datagrams than the buffer stores before the remote parameters are known.
    EarlyBufferFull,
    /// A late duplicate of an earlier association's hello.
    StaleHello,
    /// Application data beyond [`Config::max_queued_data`](crate::Config::max_queued_data).
    DataQueueFull,
    /// Dropped by ICE.
    Ice(ice_agent::Discard),
    /// Dropped by DTLS.
    Dtls(dtls_core::Discard),
    /// Dropped by SRTP.
    Srtp(srtp::Discard),
}

/// A snapshot of a transport's counters, counted from its creation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Datagrams passed to `handle_input`.
    pub received: Count,
    /// RTP packets that authenticated.
    pub rtp_received: Count,
    /// Compound RTCP packets that authenticated.
    pub rtcp_received: Count,
    /// RTP packets protected for sending.
    pub rtp_sent: Count,
    /// Compound RTCP packets protected for sending.
    pub rtcp_sent: Count,
    /// Round-trip time of the selected pair, when known.
    pub round_trip_time: Option<Duration>,
    discarded: Discarded,
}

impl Stats {
    /// Returns how many inputs were dropped for this reason.
    #[must_use]
    pub fn discarded(&self, reason: Discard) -> u64 {
        self.discarded.get(reason)
    }

    /// Returns every reason that occurred, in the order of first occurrence.
    pub fn discards(&self) -> impl Iterator<Item = (Discard, u64)> + '_ {
        self.discarded.iter()
    }

    pub(crate) fn discard(&mut self, reason: Discard) {
        tracing::trace!(?reason, "discarded");
        self.discarded.add(reason, 1);
    }

    /// Adds a count of the lower layer.
    pub(crate) fn absorb(&mut self, reason: Discard, times: u64) {
        self.discarded.add(reason, times);
    }
}

/// A number of packets and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Count {
    /// The number of packets.
    pub packets: u64,
    /// The sum of their bytes.
    pub bytes: u64,
}

impl Count {
    pub(crate) fn add(&mut self, bytes: usize) {
        self.packets = self.packets.saturating_add(1);
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}

/// The table of counts. Its length is limited by the number of reasons, so a peer cannot make it grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Discarded(Vec<(Discard, u64)>);

impl Discarded {
    pub(crate) fn get(&self, reason: Discard) -> u64 {
        self.0.iter().find(|(known, _)| *known == reason).map_or(0, |(_, times)| *times)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Discard, u64)> + '_ {
        self.0.iter().copied()
    }

    pub(crate) fn add(&mut self, reason: Discard, times: u64) {
        if times == 0 {
            return;
        }
        match self.0.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, total)) => *total = total.saturating_add(times),
            None => self.0.push((reason, times)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Discard, Stats};

    #[test]
    fn each_discard_reason_is_counted_separately() {
        let mut stats = Stats::default();
        stats.discard(Discard::Empty);
        stats.discard(Discard::UnknownPath);
        stats.discard(Discard::Empty);
        assert_eq!(stats.discarded(Discard::Empty), 2);
        assert_eq!(stats.discarded(Discard::UnknownPath), 1);
        assert_eq!(stats.discarded(Discard::NotReady), 0);
        assert_eq!(stats.discards().count(), 2);
    }
}
