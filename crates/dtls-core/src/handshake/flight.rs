//! A flight: the messages that are sent together, and sent again until the peer answers (RFC 6347 section 4.2.4).
//!
//! Kept as plaintext, so that each transmission is sealed under sequence numbers of its own. In DTLS 1.3 it knows
//! which record carried what, so that only what was not acknowledged is sent again (RFC 9147 section 7.2). Knows no
//! time beyond when it was sent last.

use crate::handshake::HEADER_LEN;
use crate::outbox::Outbox;
use crate::record::protect::{Epoch, RecordLayer};
use crate::record::sequence::KeyExhausted;
use crate::record::{ContentType, RecordNumber};
use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

/// A fragment smaller than this is not worth its headers; it waits for the next datagram.
const MIN_FRAGMENT: usize = 32;
/// Records that can still be acknowledged. The post-quantum flight with a long chain takes a dozen; older
/// transmissions are forgotten first.
const MAX_TRACKED: usize = 128;

/// One part of a flight.
enum Part {
    /// A handshake message of this length, header included.
    Message {
        epoch: Epoch,
        len: usize,
        /// What of its body was acknowledged: sorted, disjoint, not touching.
        acknowledged: Vec<Range<usize>>,
    },
    ChangeCipherSpec,
}

/// Which record carried a piece of which message.
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
    /// Oldest first. Empty in DTLS 1.2, which has no acknowledgements.
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
        Self { bytes: Vec::with_capacity(1024), parts: Vec::with_capacity(6), ..Self::default() }
    }

    /// Gives back what a flight that is kept for long does not need.
    pub(crate) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.parts.shrink_to_fit();
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
        self.parts.push(Part::Message { epoch, len: message.len(), acknowledged: Vec::new() });
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
                    is_news |= merge(acknowledged, piece);
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
            Some(Part::Message { acknowledged, .. }) => covers(acknowledged, &sent.piece),
            Some(Part::ChangeCipherSpec) | None => true,
        }
    }

    /// Whether something is neither acknowledged nor on its way.
    pub(crate) fn has_lost(&self) -> bool {
        self.parts.iter().enumerate().any(|(index, part)| match part {
            Part::Message { len, acknowledged, .. } => {
                let known = known(acknowledged, &self.sent, index);
                !gaps(&known, len.saturating_sub(HEADER_LEN)).is_empty()
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
                    acknowledged.first().is_some_and(|piece| piece.len() + HEADER_LEN == *len)
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
        let mut rest: &[u8] = &self.bytes;
        for (index, part) in self.parts.iter().enumerate() {
            match part {
                Part::ChangeCipherSpec => {
                    if outbox.open_len() + records.overhead(Epoch::Plaintext) + 1 > mtu {
                        outbox.finish_datagram();
                    }
                    let out = outbox.datagram();
                    records.write(Epoch::Plaintext, ContentType::ChangeCipherSpec, [&[1], &[]], out)?;
                }
                Part::Message { epoch, len, acknowledged } => {
                    let Some((message, after)) = rest.split_at_checked(*len) else { break };
                    rest = after;
                    let known = known(acknowledged, &self.sent, index);
                    for gap in gaps(&known, len.saturating_sub(HEADER_LEN)) {
                        write_fragments(message, gap, *epoch, mtu, records, outbox, |number, piece| {
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
        outbox.finish_datagram();
        self.sent_at = Some(now);
        Ok(())
    }

    /// Something of it left later than it was written.
    pub(crate) const fn note_sent(&mut self, now: Instant) {
        self.sent_at = Some(now);
    }

    /// A transmission that nothing but time has caused: such ones lengthen the timeout and shorten the datagrams.
    pub(crate) const fn count_transmission(&mut self) {
        self.transmissions = self.transmissions.saturating_add(1);
    }
}

/// Adds a piece to sorted, disjoint pieces. Whether it brought something.
fn merge(pieces: &mut Vec<Range<usize>>, piece: Range<usize>) -> bool {
    if covers(pieces, &piece) {
        return false;
    }
    let mut merged = piece;
    pieces.retain(|known| {
        let apart = known.end < merged.start || merged.end < known.start;
        if !apart {
            merged = merged.start.min(known.start)..merged.end.max(known.end);
        }
        apart
    });
    pieces.push(merged);
    pieces.sort_unstable_by_key(|known| known.start);
    true
}

fn covers(pieces: &[Range<usize>], piece: &Range<usize>) -> bool {
    pieces.iter().any(|known| known.start <= piece.start && piece.end <= known.end)
}

/// What of a message was acknowledged or is on its way.
fn known(acknowledged: &[Range<usize>], sent: &VecDeque<Sent>, part: usize) -> Vec<Range<usize>> {
    let mut known = acknowledged.to_vec();
    for sent in sent.iter().filter(|sent| sent.in_flight && sent.part == part) {
        merge(&mut known, sent.piece.clone());
    }
    known
}

/// What the pieces leave of a body of this length. A body without bytes is one empty gap until it is there.
fn gaps(pieces: &[Range<usize>], len: usize) -> Vec<Range<usize>> {
    if pieces.is_empty() {
        return std::iter::once(0..len).collect();
    }
    let starts = std::iter::once(0).chain(pieces.iter().map(|piece| piece.end));
    let ends = pieces.iter().map(|piece| piece.start).chain(std::iter::once(len));
    starts.zip(ends).map(|(start, end)| start..end).filter(|gap| !gap.is_empty()).collect()
}

/// Cuts a part of a message so that it fills the datagrams that are there, and tells which record has which
/// piece.
fn write_fragments(
    message: &[u8],
    part: Range<usize>,
    epoch: Epoch,
    mtu: usize,
    records: &mut RecordLayer,
    outbox: &mut Outbox,
    mut note: impl FnMut(RecordNumber, Range<usize>),
) -> Result<(), KeyExhausted> {
    let Some((header, body)) = message.split_first_chunk::<HEADER_LEN>() else { return Ok(()) };
    let [kind_length_sequence @ .., _, _, _, _, _, _] = *header;
    let mut offset: usize = part.start;
    let mut rest = body.get(part).unwrap_or_default();
    loop {
        let headers = records.overhead(epoch) + HEADER_LEN;
        let room = mtu.saturating_sub(outbox.open_len() + headers);
        if outbox.open_len() > 0 && room < rest.len().min(MIN_FRAGMENT) {
            outbox.finish_datagram();
            continue;
        }
        let (piece, after) = rest.split_at_checked(room).unwrap_or((rest, &[]));
        let mut fragment_header = [0; HEADER_LEN];
        let numbers = [u24(offset), u24(piece.len())];
        let bytes = kind_length_sequence.iter().chain(numbers.as_flattened());
        fragment_header.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = *byte);
        let out = outbox.datagram();
        let number = records.write(epoch, ContentType::Handshake, [&fragment_header, piece], out)?;
        note(number, offset..offset + piece.len());
        offset += piece.len();
        rest = after;
        if rest.is_empty() {
            return Ok(());
        }
    }
}

/// No message of ours comes near 2^24 bytes.
fn u24(number: usize) -> [u8; 3] {
    let [_, bytes @ ..] = u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledged_pieces_merge_and_leave_gaps() {
        let mut pieces = Vec::new();
        assert!(merge(&mut pieces, 10..20));
        assert!(merge(&mut pieces, 30..40));
        assert!(!merge(&mut pieces, 12..18));
        assert_eq!(gaps(&pieces, 50), [0..10, 20..30, 40..50]);
        assert!(merge(&mut pieces, 20..30));
        assert_eq!(pieces, [Range { start: 10, end: 40 }]);
        assert!(merge(&mut pieces, 0..10));
        assert_eq!(gaps(&pieces, 40), []);
        assert_eq!(gaps(&[], 0), [Range { start: 0, end: 0 }]);
    }

    //= rfc9147-7.2-any-ack
    //= rfc9147-7.2-omitted
    #[test]
    fn only_what_was_not_acknowledged_is_sent_again() {
        let (mut flight, mut records, mut outbox) =
            (Flight::default(), RecordLayer::default(), Outbox::default());
        for byte in [1, 2] {
            flight.push_message(Epoch::Plaintext, |bytes| {
                bytes.extend([byte, 0, 0, 0, 0, byte, 0, 0, 0, 0, 0, 100]);
                bytes.extend([byte; 100]);
            });
        }
        let now = Instant::now();
        let mut sent = |flight: &mut Flight| {
            flight.transmit(now, 256, &mut records, &mut outbox).unwrap();
            flight.count_transmission();
            let mut all = Vec::new();
            while outbox.poll(&mut all).is_some() {}
            all
        };
        let first = sent(&mut flight);
        let has = |bytes: &[u8], byte: u8| bytes.windows(50).any(|window| window == [byte; 50]);
        assert!(has(&first, 1) && has(&first, 2));
        let number = |sequence| RecordNumber { epoch: 0, sequence };
        assert!(flight.acknowledge([number(0)].into_iter()));
        assert!(!flight.acknowledge([number(0), number(77)].into_iter()));
        assert!(!flight.is_acknowledged());
        let second = sent(&mut flight);
        assert!(!has(&second, 1) && has(&second, 2));
        assert!(flight.acknowledge([number(1), number(2), number(3)].into_iter()));
        assert!(flight.is_acknowledged());
        assert_eq!(sent(&mut flight), []);
    }

    #[test]
    fn an_ack_has_only_the_gap_sent_again_while_the_rest_is_on_its_way() {
        let (mut flight, mut records, mut outbox) =
            (Flight::default(), RecordLayer::default(), Outbox::default());
        for byte in 1..=5 {
            flight.push_message(Epoch::Plaintext, |bytes| {
                bytes.extend([byte, 0, 0, 0, 0, byte, 0, 0, 0, 0, 0, 200]);
                bytes.extend([byte; 200]);
            });
        }
        let now = Instant::now();
        let mut sent = |flight: &mut Flight| {
            flight.transmit(now, 256, &mut records, &mut outbox).unwrap();
            let mut all = Vec::new();
            while outbox.poll(&mut all).is_some() {}
            let has = |byte: &u8| all.windows(50).any(|window| window == [*byte; 50]);
            (1..=5).filter(has).collect::<Vec<u8>>()
        };
        let acknowledge = |flight: &mut Flight, numbers: &[u64]| {
            let numbers = numbers.iter().map(|&sequence| RecordNumber { epoch: 0, sequence });
            flight.acknowledge(numbers) && flight.has_lost()
        };
        assert_eq!(sent(&mut flight), [1, 2, 3, 4, 5]);
        // The first is lost; the second arrives, then the others, each acknowledged by itself.
        assert!(acknowledge(&mut flight, &[1]));
        assert_eq!(sent(&mut flight), [1]);
        assert!(!acknowledge(&mut flight, &[1, 2]));
        assert!(!acknowledge(&mut flight, &[1, 2, 3]));
        // The repeated one arrives. Nothing tells of a gap any more, so the last is lost as well.
        assert!(acknowledge(&mut flight, &[1, 2, 3, 5]));
        assert_eq!(sent(&mut flight), [5]);
        assert!(!acknowledge(&mut flight, &[6]));
        assert!(flight.is_acknowledged());
    }
}
