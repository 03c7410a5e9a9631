//! A flight: messages that are sent together and retransmitted until the peer responds (RFC 6347 section 4.2.4).
//!
//! Kept as plaintext, so that each transmission has its own sequence numbers. In DTLS 1.3 the flight knows which record
//! carried which fragment, so that only unacknowledged fragments are retransmitted (RFC 9147 section 7.2). Knows no
//! time except that of the last transmission.

use crate::handshake::HEADER_LEN;
use crate::handshake::packer::{Packer, PlaintextRecords};
use crate::handshake::ranges::RangeSet;
use crate::outbox::Outbox;
use crate::record::RecordNumber;
use crate::record::epoch::Epoch;
use crate::record::layer::RecordLayer;
use crate::record::sequence::KeyExhausted;
use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

/// The maximum number of fragments that can still be acknowledged. A post-quantum flight with a long chain takes a
/// dozen records; the oldest transmissions are dropped first.
const MAX_TRACKED: usize = 128;

/// The maximum number of messages of a flight.
const MESSAGES: usize = 6;

/// One part of a flight.
enum Part {
    /// A handshake message of this length, including its header.
    Message {
        epoch: Epoch,
        len: usize,
        /// The acknowledged ranges of its body.
        acknowledged: RangeSet,
    },
    ChangeCipherSpec,
}

/// The fragment of a message in a record. A record with several fragments has several of these.
struct Sent {
    number: RecordNumber,
    part: usize,
    piece: Range<usize>,
    /// Whether the record is assumed to be in flight.
    in_flight: bool,
}

/// The messages of a flight, and the state of their delivery.
#[derive(Default)]
pub(crate) struct Flight {
    bytes: Vec<u8>,
    parts: Vec<Part>,
    /// Oldest first. Empty in DTLS 1.2, which has no acknowledgements.
    sent: VecDeque<Sent>,
    transmissions: u32,
    sent_at: Option<Instant>,
    /// The flight was made after all messages of the peer below this sequence number. If one of them is retransmitted,
    /// the peer has not received this flight.
    answers_below: u16,
}

impl Flight {
    /// Returns a flight with room for a certificate, in one allocation.
    pub(crate) fn with_room() -> Self {
        Self {
            bytes: Vec::with_capacity(1024),
            parts: Vec::with_capacity(MESSAGES),
            sent: VecDeque::with_capacity(MESSAGES),
            ..Self::default()
        }
    }

    /// Frees the room that a flight which is kept for long does not need.
    pub(crate) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.parts.shrink_to_fit();
        self.sent.shrink_to_fit();
    }

    /// Drops the old flight, because the peer has responded, and begins a new one.
    pub(crate) fn begin(&mut self) {
        self.bytes.clear();
        self.parts.clear();
        self.sent.clear();
        self.transmissions = 0;
        self.sent_at = None;
    }

    /// Appends a whole message with its header, and copies the length into the fragment length at the end of the
    /// header. Returns the message.
    pub(crate) fn push_message(&mut self, epoch: Epoch, write: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let message = self.bytes.get_mut(start..).unwrap_or_default();
        if let Some([_, a, b, c, _, _, _, _, _, x, y, z]) = message.first_chunk_mut::<HEADER_LEN>() {
            (*a, *b, *c) = (*x, *y, *z);
        }
        self.parts.push(Part::Message { epoch, len: message.len(), acknowledged: RangeSet::None });
        message
    }

    pub(crate) fn push_change_cipher_spec(&mut self) {
        self.parts.push(Part::ChangeCipherSpec);
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Returns whether the flight was not sent yet.
    pub(crate) fn is_new(&self) -> bool {
        self.transmissions == 0 && !self.parts.is_empty()
    }

    pub(crate) const fn transmissions(&self) -> u32 {
        self.transmissions
    }

    pub(crate) const fn answers(&mut self, below: u16) {
        self.answers_below = below;
    }

    /// Returns whether a peer that sends this message has not received the flight.
    pub(crate) const fn was_missed_by(&self, sequence: u16) -> bool {
        sequence < self.answers_below
    }

    /// Returns whether the last transmission is long enough ago that an attacker gains nothing by causing another.
    pub(crate) fn may_retransmit(&self, now: Instant, rto: Duration) -> bool {
        self.sent_at.is_some_and(|sent_at| now.saturating_duration_since(sent_at) >= rto)
    }

    /// Handles an ACK of these records. Returns whether it acknowledged anything new.
    ///
    /// A record that was sent before an acknowledged one and did not arrive is lost. If there is none, the peer waited
    /// for the rest of the flight, and the rest is lost. Otherwise the ACK reports a gap while the rest is still in
    /// flight.
    pub(crate) fn acknowledge(&mut self, numbers: impl Iterator<Item = RecordNumber>) -> bool {
        let mut is_news = false;
        // The number of oldest records that were sent before the newest acknowledged one.
        let mut before_newest = 0;
        for number in numbers {
            while let Some(at) = self.sent.iter().position(|sent| sent.number == number) {
                let Some(Sent { part, piece, .. }) = self.sent.remove(at) else { break };
                before_newest = if at < before_newest { before_newest - 1 } else { at };
                if let Some(Part::Message { acknowledged, .. }) = self.parts.get_mut(part) {
                    is_news |= acknowledged.add(piece);
                }
            }
        }
        if is_news {
            let has_gap = self.sent.iter().take(before_newest).any(|sent| !self.has_arrived(sent));
            let lost = if has_gap { before_newest } else { self.sent.len() };
            self.sent.iter_mut().take(lost).for_each(|sent| sent.in_flight = false);
        }
        is_news
    }

    /// Returns whether another record has delivered the same fragment.
    fn has_arrived(&self, sent: &Sent) -> bool {
        match self.parts.get(sent.part) {
            Some(Part::Message { acknowledged, .. }) => acknowledged.cover(&sent.piece),
            Some(Part::ChangeCipherSpec) | None => true,
        }
    }

    /// Returns whether a fragment is neither acknowledged nor in flight.
    pub(crate) fn has_lost(&self) -> bool {
        self.parts.iter().enumerate().any(|(index, part)| match part {
            Part::Message { len, acknowledged, .. } => {
                let known = known(acknowledged, &self.sent, index);
                known.gaps(len.saturating_sub(HEADER_LEN)).next().is_some()
            }
            Part::ChangeCipherSpec => false,
        })
    }

    /// Marks everything that is in flight as lost.
    pub(crate) fn mark_all_lost(&mut self) {
        self.sent.iter_mut().for_each(|sent| sent.in_flight = false);
    }

    /// Returns whether every message is acknowledged.
    pub(crate) fn is_acknowledged(&self) -> bool {
        !self.parts.is_empty()
            && self.parts.iter().all(|part| match part {
                Part::Message { len, acknowledged, .. } => {
                    acknowledged.is_complete(len.saturating_sub(HEADER_LEN))
                }
                Part::ChangeCipherSpec => true,
            })
    }

    /// Protects the flight, or its fragments that are neither acknowledged nor in flight, in datagrams of at most `mtu`
    /// bytes.
    pub(crate) fn transmit(
        &mut self,
        now: Instant,
        mtu: usize,
        records: &mut RecordLayer,
        outbox: &mut Outbox,
    ) -> Result<(), KeyExhausted> {
        let mut packer = Packer::new(mtu, self.plaintext_records(mtu, records), records, outbox);
        let mut rest: &[u8] = &self.bytes;
        for (index, part) in self.parts.iter().enumerate() {
            match part {
                Part::ChangeCipherSpec => packer.change_cipher_spec()?,
                Part::Message { epoch, len, acknowledged } => {
                    let Some((message, after)) = rest.split_at_checked(*len) else { break };
                    rest = after;
                    let known = known(acknowledged, &self.sent, index);
                    for gap in known.gaps(len.saturating_sub(HEADER_LEN)) {
                        packer.message(*epoch, message, gap, |number, piece| {
                            if *epoch != Epoch::Protected {
                                if self.sent.len() >= MAX_TRACKED {
                                    self.sent.pop_front();
                                }
                                self.sent.push_back(Sent { number, part: index, piece, in_flight: true });
                            }
                        })?;
                    }
                }
            }
        }
        packer.finish()?;
        self.sent_at = Some(now);
        Ok(())
    }

    /// Records a later transmission time of a blocked part.
    pub(crate) const fn note_sent(&mut self, now: Instant) {
        self.sent_at = Some(now);
    }

    /// Plaintext comes first in a flight, so it is fragmented if it alone does not fit a datagram.
    fn plaintext_records(&self, mtu: usize, records: &RecordLayer) -> PlaintextRecords {
        let plaintext = self.parts.iter().filter_map(|part| match part {
            Part::Message { epoch: Epoch::Plaintext, len, .. } => Some(*len),
            Part::Message { .. } | Part::ChangeCipherSpec => None,
        });
        if self.transmissions == 0 && plaintext.sum::<usize>() + records.overhead(Epoch::Plaintext) <= mtu {
            PlaintextRecords::Shared
        } else {
            PlaintextRecords::OnePerMessage
        }
    }

    /// Protects the unacknowledged part for piggybacking. This is not a transmission: neither the timeout nor the
    /// response to a retransmission of the peer depends on it.
    pub(crate) fn copy(
        &mut self,
        mtu: usize,
        records: &mut RecordLayer,
        copies: &mut Outbox,
    ) -> Result<(), KeyExhausted> {
        let Some(sent_at) = self.sent_at else { return Ok(()) };
        self.mark_all_lost();
        self.transmit(sent_at, mtu, records, copies)
    }

    /// Counts a transmission of everything that is not acknowledged. It lengthens the timeout and shortens the
    /// datagrams; a retransmission after an ACK does not.
    pub(crate) const fn count_transmission(&mut self) {
        self.transmissions = self.transmissions.saturating_add(1);
    }
}

/// Returns the ranges of a message that are acknowledged or in flight.
fn known(acknowledged: &RangeSet, sent: &VecDeque<Sent>, part: usize) -> RangeSet {
    let mut known = acknowledged.clone();
    for sent in sent.iter().filter(|sent| sent.in_flight && sent.part == part) {
        known.add(sent.piece.clone());
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a flight of messages with these lengths, each filled with its number from 1.
    fn flight(lengths: &[u8]) -> Flight {
        let mut flight = Flight::default();
        for (byte, &len) in (1..).zip(lengths) {
            flight.push_message(Epoch::Plaintext, |bytes| {
                bytes.extend([byte, 0, 0, 0, 0, byte, 0, 0, 0, 0, 0, len]);
                bytes.extend(vec![byte; usize::from(len)]);
            });
        }
        flight
    }

    /// Sends the flight in datagrams of 256 bytes, and returns the messages in them.
    fn sent(flight: &mut Flight, records: &mut RecordLayer) -> Vec<u8> {
        let mut outbox = Outbox::default();
        flight.transmit(Instant::now(), 256, records, &mut outbox).unwrap();
        let mut all = Vec::new();
        while outbox.poll(&mut all).is_some() {}
        (1..=9).filter(|byte| all.windows(40).any(|window| window == [*byte; 40])).collect()
    }

    fn acknowledge(flight: &mut Flight, numbers: &[u64]) -> bool {
        flight.acknowledge(numbers.iter().map(|&sequence| RecordNumber { epoch: 0, sequence }))
    }

    /// Sends the rest of the flight in datagrams of this size, and returns the content of each record number.
    fn cut(flight: &mut Flight, records: &mut RecordLayer, mtu: usize) -> Vec<(u64, usize, Range<usize>)> {
        let (before, mut outbox) = (flight.sent.len(), Outbox::default());
        flight.mark_all_lost();
        flight.transmit(Instant::now(), mtu, records, &mut outbox).unwrap();
        let mut datagram = Vec::new();
        while outbox.poll(&mut datagram).is_some() {
            assert!(datagram.len() <= mtu);
            datagram.clear();
        }
        let new = flight.sent.iter().skip(before);
        new.map(|sent| (sent.number.sequence, sent.part, sent.piece.clone())).collect()
    }

    #[test]
    fn unacknowledged_part_is_fragmented_for_smaller_datagrams() {
        let (mut flight, mut records) = (flight(&[250, 250, 250]), RecordLayer::default());
        let first = cut(&mut flight, &mut records, 400);
        let halves = [(0, 0, 0..250), (1, 1, 0..100), (2, 1, 100..250), (3, 2, 0..200), (4, 2, 200..250)];
        assert_eq!(first, halves);
        // The second of three datagrams arrives.
        assert!(acknowledge(&mut flight, &[2, 3]));
        let second = cut(&mut flight, &mut records, 256);
        assert_eq!(second, [(5, 0, 0..231), (6, 0, 231..250), (7, 1, 0..100), (8, 2, 200..250)]);
        // Then the first of the large and of the small datagrams.
        assert!(acknowledge(&mut flight, &[0, 1, 8]));
        assert!(flight.is_acknowledged());
        assert_eq!(cut(&mut flight, &mut records, 256), []);
    }

    #[test]
    fn tracked_transmissions_are_bounded() {
        let (mut flight, mut records) = (flight(&[200; 5]), RecordLayer::default());
        for _ in 0..100 {
            cut(&mut flight, &mut records, 256);
        }
        assert_eq!(flight.sent.len(), MAX_TRACKED);
        assert!(!acknowledge(&mut flight, &[0, 1, 2, 3, 4]), "they are retransmitted");
        assert!(acknowledge(&mut flight, &[495, 496, 497, 498, 499]));
        assert!(flight.is_acknowledged());
    }

    //= rfc9147-7.2-any-ack
    //= rfc9147-7.2-omitted
    #[test]
    fn only_unacknowledged_messages_are_retransmitted() {
        let (mut flight, mut records) = (flight(&[200, 200]), RecordLayer::default());
        assert_eq!(sent(&mut flight, &mut records), [1, 2]);
        assert!(acknowledge(&mut flight, &[0]));
        assert!(!acknowledge(&mut flight, &[0, 77]));
        assert!(!flight.is_acknowledged());
        assert_eq!(sent(&mut flight, &mut records), [2]);
        assert!(acknowledge(&mut flight, &[1, 2]));
        assert!(flight.is_acknowledged());
        assert_eq!(sent(&mut flight, &mut records), []);
    }

    #[test]
    fn acknowledged_record_delivers_all_its_messages() {
        let (mut flight, mut records) = (flight(&[40, 100, 50]), RecordLayer::default());
        assert_eq!(sent(&mut flight, &mut records), [1, 2, 3]);
        assert!(acknowledge(&mut flight, &[0]));
        assert!(flight.is_acknowledged(), "it was one record");
        assert_eq!(sent(&mut flight, &mut records), []);
    }

    #[test]
    fn retransmitted_flight_has_one_message_per_record() {
        for (lengths, is_repeated) in [([40, 100, 50], true), ([40, 100, 200], false)] {
            let (mut flight, mut records) = (flight(&lengths), RecordLayer::default());
            if is_repeated {
                sent(&mut flight, &mut records);
                flight.count_transmission();
                flight.mark_all_lost();
            }
            let first = u64::from(is_repeated);
            assert_eq!(sent(&mut flight, &mut records), [1, 2, 3]);
            assert!(acknowledge(&mut flight, &[first, first + 2, first + 3]));
            flight.mark_all_lost();
            assert_eq!(sent(&mut flight, &mut records), [2], "repeated: {is_repeated}");
        }
    }

    #[test]
    fn ack_retransmits_only_the_gap() {
        let (mut flight, mut records) = (flight(&[200; 5]), RecordLayer::default());
        let asks = |flight: &mut Flight, numbers: &[u64]| acknowledge(flight, numbers) && flight.has_lost();
        assert_eq!(sent(&mut flight, &mut records), [1, 2, 3, 4, 5]);
        // The first is lost; the second arrives, then the others, each acknowledged separately.
        assert!(asks(&mut flight, &[1]));
        assert_eq!(sent(&mut flight, &mut records), [1]);
        assert!(!asks(&mut flight, &[1, 2]));
        assert!(!asks(&mut flight, &[1, 2, 3]));
        // The retransmission arrives. No ACK reports a gap any more, so the last record is lost too.
        assert!(asks(&mut flight, &[1, 2, 3, 5]));
        assert_eq!(sent(&mut flight, &mut records), [5]);
        assert!(!asks(&mut flight, &[6]));
        assert!(flight.is_acknowledged());
    }
}
