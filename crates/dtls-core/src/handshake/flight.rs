//! A flight: the messages that are sent together, and sent again until the peer answers (RFC 6347 section 4.2.4).
//!
//! Kept as plaintext, so that each transmission is sealed under sequence numbers of its own. In DTLS 1.3 it knows
//! which record carried what, so that only what was not acknowledged is sent again (RFC 9147 section 7.2). Knows no
//! time beyond when it was sent last.

use crate::handshake::HEADER_LEN;
use crate::handshake::packer::{Packer, PlaintextRecords};
use crate::handshake::pieces::Pieces;
use crate::outbox::Outbox;
use crate::record::RecordNumber;
use crate::record::protect::{Epoch, RecordLayer};
use crate::record::sequence::KeyExhausted;
use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

/// Pieces that can still be acknowledged. The post-quantum flight with a long chain takes a dozen records; older
/// transmissions are forgotten first.
const MAX_TRACKED: usize = 128;

/// The most that a flight has, but for the pieces of a large one.
const MESSAGES: usize = 6;

/// One part of a flight.
enum Part {
    /// A handshake message of this length, header included.
    Message {
        epoch: Epoch,
        len: usize,
        /// What of its body was acknowledged.
        acknowledged: Pieces,
    },
    ChangeCipherSpec,
}

/// Which record carried a piece of which message. A record with several pieces has as many of these.
struct Sent {
    number: RecordNumber,
    part: usize,
    piece: Range<usize>,
    /// Whether it is believed to be still on its way.
    in_flight: bool,
}

/// The messages of a flight and what is known of their way.
#[derive(Default)]
pub(crate) struct Flight {
    bytes: Vec<u8>,
    parts: Vec<Part>,
    /// Oldest first. Nothing asks for it in DTLS 1.2, which has no acknowledgements.
    sent: VecDeque<Sent>,
    transmissions: u32,
    sent_at: Option<Instant>,
    /// The peer's messages below this sequence were known when the flight was made: when one of them comes
    /// again, the peer has not seen this flight.
    answers_below: u16,
}

impl Flight {
    /// Room for a flight with a certificate, taken at once.
    pub(crate) fn with_room() -> Self {
        Self {
            bytes: Vec::with_capacity(1024),
            parts: Vec::with_capacity(MESSAGES),
            sent: VecDeque::with_capacity(MESSAGES),
            ..Self::default()
        }
    }

    /// Gives back what a flight that is kept for long does not need.
    pub(crate) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.parts.shrink_to_fit();
        self.sent.shrink_to_fit();
    }

    /// Drops the old flight, which the peer has answered, and begins a new one.
    pub(crate) fn begin(&mut self) {
        self.bytes.clear();
        self.parts.clear();
        self.sent.clear();
        self.transmissions = 0;
        self.sent_at = None;
    }

    /// Appends a whole message with its header, and patches the message length, which is the fragment length
    /// that stands at the header's end. Returns the message.
    pub(crate) fn push_message(&mut self, epoch: Epoch, write: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let message = self.bytes.get_mut(start..).unwrap_or_default();
        if let Some([_, a, b, c, _, _, _, _, _, x, y, z]) = message.first_chunk_mut::<HEADER_LEN>() {
            (*a, *b, *c) = (*x, *y, *z);
        }
        self.parts.push(Part::Message { epoch, len: message.len(), acknowledged: Pieces::None });
        message
    }

    pub(crate) fn push_change_cipher_spec(&mut self) {
        self.parts.push(Part::ChangeCipherSpec);
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Whether it was made and not sent yet.
    pub(crate) fn is_new(&self) -> bool {
        self.transmissions == 0 && !self.parts.is_empty()
    }

    pub(crate) const fn transmissions(&self) -> u32 {
        self.transmissions
    }

    pub(crate) const fn answers(&mut self, below: u16) {
        self.answers_below = below;
    }

    /// Whether a peer that sends this message has missed the flight.
    pub(crate) const fn was_missed_by(&self, sequence: u16) -> bool {
        sequence < self.answers_below
    }

    /// Whether the last transmission is long enough ago that a forger gains nothing by asking for another.
    pub(crate) fn may_repeat(&self, now: Instant, rto: Duration) -> bool {
        self.sent_at.is_some_and(|sent_at| now.saturating_duration_since(sent_at) >= rto)
    }

    /// These records arrived. Whether that was news.
    ///
    /// A record that was sent before one of them and did not arrive is lost. If there is none, then the peer
    /// waited for the rest of the flight in vain, and the rest is lost; else it tells of a gap while the rest is
    /// still on its way.
    pub(crate) fn acknowledge(&mut self, numbers: impl Iterator<Item = RecordNumber>) -> bool {
        let mut is_news = false;
        // How many of the oldest records were sent before the newest that arrived.
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

    /// Whether another record has brought the same.
    fn has_arrived(&self, sent: &Sent) -> bool {
        match self.parts.get(sent.part) {
            Some(Part::Message { acknowledged, .. }) => acknowledged.cover(&sent.piece),
            Some(Part::ChangeCipherSpec) | None => true,
        }
    }

    /// Whether something is neither acknowledged nor on its way.
    pub(crate) fn has_lost(&self) -> bool {
        self.parts.iter().enumerate().any(|(index, part)| match part {
            Part::Message { len, acknowledged, .. } => {
                let known = known(acknowledged, &self.sent, index);
                known.gaps(len.saturating_sub(HEADER_LEN)).next().is_some()
            }
            Part::ChangeCipherSpec => false,
        })
    }

    /// Believes that nothing of it is on its way any more.
    pub(crate) fn give_up_waiting(&mut self) {
        self.sent.iter_mut().for_each(|sent| sent.in_flight = false);
    }

    /// Whether every message arrived.
    pub(crate) fn is_acknowledged(&self) -> bool {
        !self.parts.is_empty()
            && self.parts.iter().all(|part| match part {
                Part::Message { len, acknowledged, .. } => {
                    acknowledged.are_whole(len.saturating_sub(HEADER_LEN))
                }
                Part::ChangeCipherSpec => true,
            })
    }

    /// Seals the flight, or what of it is neither acknowledged nor on its way, into datagrams of at most `mtu` bytes.
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

    /// Something of it left later than it was written.
    pub(crate) const fn note_sent(&mut self, now: Instant) {
        self.sent_at = Some(now);
    }

    /// Plaintext comes first in a flight, so it is cut where it alone does not fit a datagram.
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

    /// Seals whatever was not acknowledged for another carrier. A copy is no transmission: neither the timeout nor the
    /// answer to a peer that repeats itself waits for it.
    pub(crate) fn copy(
        &mut self,
        mtu: usize,
        records: &mut RecordLayer,
        copies: &mut Outbox,
    ) -> Result<(), KeyExhausted> {
        let Some(sent_at) = self.sent_at else { return Ok(()) };
        self.give_up_waiting();
        self.transmit(sent_at, mtu, records, copies)
    }

    /// All of it was sent that is not known to have arrived. This lengthens the timeout and shortens the datagrams; what
    /// an ACK has shown to be lost does not.
    pub(crate) const fn count_transmission(&mut self) {
        self.transmissions = self.transmissions.saturating_add(1);
    }
}

/// What of a message was acknowledged or is on its way.
fn known(acknowledged: &Pieces, sent: &VecDeque<Sent>, part: usize) -> Pieces {
    let mut known = acknowledged.clone();
    for sent in sent.iter().filter(|sent| sent.in_flight && sent.part == part) {
        known.add(sent.piece.clone());
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A flight of messages with these lengths, each filled with its number from 1 on.
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

    /// Sends it in datagrams of 256 bytes, and tells which messages were among them.
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

    /// Sends what is left of it in datagrams of this size: the record numbers, each with what it carries.
    fn cut(flight: &mut Flight, records: &mut RecordLayer, mtu: usize) -> Vec<(u64, usize, Range<usize>)> {
        let (before, mut outbox) = (flight.sent.len(), Outbox::default());
        flight.give_up_waiting();
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
    fn what_was_not_acknowledged_is_cut_again_for_smaller_datagrams() {
        let (mut flight, mut records) = (flight(&[250, 250, 250]), RecordLayer::default());
        let first = cut(&mut flight, &mut records, 400);
        let halves = [(0, 0, 0..250), (1, 1, 0..100), (2, 1, 100..250), (3, 2, 0..200), (4, 2, 200..250)];
        assert_eq!(first, halves);
        // The second of three datagrams arrives.
        assert!(acknowledge(&mut flight, &[2, 3]));
        let second = cut(&mut flight, &mut records, 256);
        assert_eq!(second, [(5, 0, 0..231), (6, 0, 231..250), (7, 1, 0..100), (8, 2, 200..250)]);
        // Then whatever comes first, of the large datagrams and of the small ones.
        assert!(acknowledge(&mut flight, &[0, 1, 8]));
        assert!(flight.is_acknowledged());
        assert_eq!(cut(&mut flight, &mut records, 256), []);
    }

    #[test]
    fn what_is_remembered_of_transmissions_is_bounded_and_the_oldest_is_forgotten() {
        let (mut flight, mut records) = (flight(&[200; 5]), RecordLayer::default());
        for _ in 0..100 {
            cut(&mut flight, &mut records, 256);
        }
        assert_eq!(flight.sent.len(), MAX_TRACKED);
        assert!(!acknowledge(&mut flight, &[0, 1, 2, 3, 4]), "they are sent again at worst");
        assert!(acknowledge(&mut flight, &[495, 496, 497, 498, 499]));
        assert!(flight.is_acknowledged());
    }

    //= rfc9147-7.2-any-ack
    //= rfc9147-7.2-omitted
    #[test]
    fn only_what_was_not_acknowledged_is_sent_again() {
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
    fn a_record_that_arrived_brought_every_message_that_was_in_it() {
        let (mut flight, mut records) = (flight(&[40, 100, 50]), RecordLayer::default());
        assert_eq!(sent(&mut flight, &mut records), [1, 2, 3]);
        assert!(acknowledge(&mut flight, &[0]));
        assert!(flight.is_acknowledged(), "it was one record");
        assert_eq!(sent(&mut flight, &mut records), []);
    }

    #[test]
    fn a_flight_that_is_repeated_or_cut_has_each_message_in_a_record_of_its_own() {
        for (lengths, is_repeated) in [([40, 100, 50], true), ([40, 100, 200], false)] {
            let (mut flight, mut records) = (flight(&lengths), RecordLayer::default());
            if is_repeated {
                sent(&mut flight, &mut records);
                flight.count_transmission();
                flight.give_up_waiting();
            }
            let first = u64::from(is_repeated);
            assert_eq!(sent(&mut flight, &mut records), [1, 2, 3]);
            assert!(acknowledge(&mut flight, &[first, first + 2, first + 3]));
            flight.give_up_waiting();
            assert_eq!(sent(&mut flight, &mut records), [2], "repeated: {is_repeated}");
        }
    }

    #[test]
    fn an_ack_has_only_the_gap_sent_again_while_the_rest_is_on_its_way() {
        let (mut flight, mut records) = (flight(&[200; 5]), RecordLayer::default());
        let asks = |flight: &mut Flight, numbers: &[u64]| acknowledge(flight, numbers) && flight.has_lost();
        assert_eq!(sent(&mut flight, &mut records), [1, 2, 3, 4, 5]);
        // The first is lost; the second arrives, then the others, each acknowledged by itself.
        assert!(asks(&mut flight, &[1]));
        assert_eq!(sent(&mut flight, &mut records), [1]);
        assert!(!asks(&mut flight, &[1, 2]));
        assert!(!asks(&mut flight, &[1, 2, 3]));
        // The repeated one arrives. Nothing tells of a gap any more, so the last is lost as well.
        assert!(asks(&mut flight, &[1, 2, 3, 5]));
        assert_eq!(sent(&mut flight, &mut records), [5]);
        assert!(!asks(&mut flight, &[6]));
        assert!(flight.is_acknowledged());
    }
}
