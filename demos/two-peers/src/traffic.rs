//! Synthetic RTP and RTCP, and the record of it: the packets sent and received with each key, and whether they arrived
//! intact.
//!
//! Knows packets. Does not know transports or time.

use std::collections::{BTreeMap, HashSet};

/// The packets that one side sends and receives.
#[derive(Debug)]
pub(crate) struct Traffic {
    ssrc: u32,
    next: u64,
    pub(crate) sent: Record,
    pub(crate) received: Record,
    seen: HashSet<u64>,
    /// Duplicates, and packets with a wrong content.
    pub(crate) damaged: u64,
}

/// The packets of each association, in the order of the associations.
#[derive(Debug, Default)]
pub(crate) struct Record {
    rows: BTreeMap<u32, Row>,
}

/// The packets of one association.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) rtp: u64,
    pub(crate) rtcp: u64,
}

impl Record {
    pub(crate) fn of(&self, association: u32) -> Row {
        self.rows.get(&association).copied().unwrap_or_default()
    }

    pub(crate) fn associations(&self) -> impl Iterator<Item = u32> + '_ {
        self.rows.keys().copied()
    }

    pub(crate) fn total(&self) -> Row {
        self.rows
            .values()
            .fold(Row::default(), |sum, row| Row { rtp: sum.rtp + row.rtp, rtcp: sum.rtcp + row.rtcp })
    }

    pub(crate) fn row(&mut self, association: u32) -> &mut Row {
        self.rows.entry(association).or_default()
    }
}

impl Traffic {
    pub(crate) fn new(ssrc: u32) -> Self {
        Self {
            ssrc,
            next: 0,
            sent: Record::default(),
            received: Record::default(),
            seen: HashSet::new(),
            damaged: 0,
        }
    }

    /// Returns the next RTP packet, header and payload. It counts as sent after [`Self::sent_rtp`].
    pub(crate) fn next_rtp(&self) -> ([u8; HEADER_LEN], [u8; PAYLOAD_LEN]) {
        let [.., high, low] = self.next.to_be_bytes();
        let [.., t3, t2, t1, t0] = (self.next * TIMESTAMP_STEP).to_be_bytes();
        let [s3, s2, s1, s0] = self.ssrc.to_be_bytes();
        let header = [VERSION_2, PAYLOAD_TYPE, high, low, t3, t2, t1, t0, s3, s2, s1, s0];
        (header, payload(self.next))
    }

    pub(crate) fn sent_rtp(&mut self, association: u32) {
        self.next += 1;
        self.sent.row(association).rtp += 1;
    }

    /// Returns a sender report (RFC 3550 section 6.4.1) with the packets so far.
    pub(crate) fn sender_report(&self) -> [u8; REPORT_LEN] {
        const SENDER_REPORT: u8 = 200;
        const WORDS_LESS_ONE: u8 = 6;
        let mut report = [0; REPORT_LEN];
        let [.., n3, n2, n1, n0] = self.next.to_be_bytes();
        let [s3, s2, s1, s0] = self.ssrc.to_be_bytes();
        let start = [VERSION_2, SENDER_REPORT, 0, WORDS_LESS_ONE, s3, s2, s1, s0];
        for (byte, value) in report.iter_mut().zip(start) {
            *byte = value;
        }
        // The packet count is behind the NTP and the RTP timestamp.
        for (byte, value) in report.iter_mut().skip(20).zip([n3, n2, n1, n0]) {
            *byte = value;
        }
        report
    }

    pub(crate) fn sent_rtcp(&mut self, association: u32) {
        self.sent.row(association).rtcp += 1;
    }

    /// Records a decrypted packet of the other side.
    pub(crate) fn received_rtp(&mut self, association: u32, received: &[u8]) {
        self.received.row(association).rtp += 1;
        let index = received.first_chunk().map(|index| u64::from_be_bytes(*index));
        let whole = index.is_some_and(|index| received == payload(index) && self.seen.insert(index));
        if !whole {
            self.damaged += 1;
        }
    }

    pub(crate) fn received_rtcp(&mut self, association: u32, compound: &[u8]) {
        self.received.row(association).rtcp += 1;
        if compound.len() != REPORT_LEN {
            self.damaged += 1;
        }
    }
}

/// Packets per second and side: about 8 Mbit/s of video.
pub(crate) const RATE: u32 = 1000;

const VERSION_2: u8 = 0b1000_0000;
const PAYLOAD_TYPE: u8 = 96;
const TIMESTAMP_STEP: u64 = 90;
const HEADER_LEN: usize = 12;
const PAYLOAD_LEN: usize = 1000;
const REPORT_LEN: usize = 28;

/// Each byte of a packet derives from its index, so that a wrong byte is detected.
fn payload(index: u64) -> [u8; PAYLOAD_LEN] {
    let mut bytes = [0; PAYLOAD_LEN];
    let mut word = index;
    for chunk in bytes.chunks_exact_mut(8) {
        chunk.copy_from_slice(&word.to_be_bytes());
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packet_counts_once_as_intact() {
        let mut traffic = Traffic::new(1);
        let (_, mut payload) = traffic.next_rtp();
        traffic.received_rtp(1, &payload);
        assert_eq!(traffic.damaged, 0);
        traffic.received_rtp(1, &payload);
        assert_eq!(traffic.damaged, 1, "twice");
        payload[999] ^= 1;
        traffic.received_rtp(2, &payload);
        assert_eq!(traffic.damaged, 2, "changed");
        assert_eq!(traffic.received.total().rtp, 3);
        assert_eq!(traffic.received.of(1).rtp, 2);
    }
}
