//! What was counted: packets, and every input that was dropped, by its reason.

use std::time::Duration;

/// Why an input was dropped. Dropping is all that happens: no input can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Discard {
    /// A datagram without bytes.
    Empty,
    /// A first byte that belongs to no protocol spoken here (RFC 7983 section 7).
    UnknownClass,
    /// Neither STUN nor from a path on which the peer was authenticated.
    UnknownPath,
    /// Media or data before there are keys for it, or after the transport was closed.
    NotReady,
    /// More early DTLS datagrams than are kept until the remote parameters are known.
    EarlyBufferFull,
    /// A late duplicate of a hello of an earlier association.
    StaleHello,
    /// Application data beyond [`Config::max_queued_data`](crate::Config::max_queued_data).
    DataQueueFull,
    /// ICE dropped it.
    Ice(ice_agent::Discard),
    /// DTLS dropped it.
    Dtls(dtls_core::Discard),
    /// SRTP dropped it.
    Srtp(srtp::Discard),
}

/// A snapshot of a transport's counters; all of them count from its creation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Datagrams given to `handle_input`, and their bytes.
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
    /// How many inputs were dropped for this reason.
    #[must_use]
    pub fn discarded(&self, reason: Discard) -> u64 {
        self.discarded.get(reason)
    }

    /// Every reason that occurred, in the order of first occurrence.
    pub fn discards(&self) -> impl Iterator<Item = (Discard, u64)> + '_ {
        self.discarded.iter()
    }

    pub(crate) fn discard(&mut self, reason: Discard) {
        tracing::trace!(?reason, "discarded");
        self.discarded.add(reason, 1);
    }

    /// Adds what the layer below counted by itself.
    pub(crate) fn absorb(&mut self, reason: Discard, times: u64) {
        self.discarded.add(reason, times);
    }
}

/// Packets and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Count {
    pub(crate) fn add(&mut self, bytes: usize) {
        self.packets = self.packets.saturating_add(1);
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}

/// As many rows as there are reasons, so a peer cannot make it grow.
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
    fn each_reason_is_counted_by_itself() {
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
