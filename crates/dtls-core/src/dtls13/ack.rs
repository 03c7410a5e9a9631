//! ACK (RFC 9147 section 7): the received records of the peer's flight.

use crate::codec::{Malformed, Reader};
use crate::end::End;
use crate::failure::Misbehaved;
use crate::handshake::flight::Flight;
use crate::link::Link;
use crate::record::epoch::Epoch;
use crate::record::epoch::FIRST_APPLICATION_EPOCH;
use crate::record::{ContentType, RecordNumber};
use crate::timer::Timer;

/// The maximum number of records in an ACK: a flight with a post-quantum share and a long chain takes a dozen. Older
/// records are dropped first, and at worst the peer retransmits them.
const MAX_NUMBERS: usize = 32;
/// An epoch and a sequence number of 64 bits each.
const NUMBER_LEN: usize = 16;
/// The length field in front of the numbers.
const LENGTH_LEN: usize = 2;

/// The records to acknowledge.
#[derive(Default)]
pub(crate) struct Received {
    numbers: Vec<RecordNumber>,
    /// Whether a record was added since the last ACK.
    ack_pending: bool,
    /// The number of ACKs since a record was added.
    times_sent: u32,
}

impl Received {
    pub(crate) fn note(&mut self, number: RecordNumber) {
        if self.numbers.contains(&number) {
            return;
        }
        if self.numbers.len() >= MAX_NUMBERS {
            self.numbers.remove(0);
        }
        self.numbers.push(number);
        self.ack_pending = true;
        self.times_sent = 0;
    }

    /// Returns whether an ACK would be new to the peer: input of other senders must not cause ACKs.
    pub(crate) const fn ack_pending(&self) -> bool {
        self.ack_pending
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// Marks the ACK as sent. The numbers stay, so that a later ACK covers them if this one is lost.
    const fn mark_sent(&mut self) {
        self.ack_pending = false;
        self.times_sent = self.times_sent.saturating_add(1);
    }

    /// Returns how often the same ACK was sent.
    pub(crate) const fn times_sent(&self) -> u32 {
        self.times_sent
    }

    /// Makes the next ACK contain everything again.
    pub(crate) const fn mark_unsent(&mut self) {
        self.ack_pending = !self.numbers.is_empty();
    }

    /// Clears the records: the peer's next flight begins, or our flight acknowledges this one.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Sends an ACK in a datagram of its own. Returns whether blocked datagrams leave with it.
    pub(crate) fn send(&mut self, epoch: Epoch, link: &mut Link) -> bool {
        let room = link.config.mtu.saturating_sub(link.records.overhead(epoch));
        let out = link.outbox.datagram();
        let sealed = link.records.begin(epoch, ContentType::Ack, out).and_then(|record| {
            self.write(room, out);
            link.records.seal(&record, out)
        });
        self.mark_sent();
        if sealed.is_err() {
            link.outbox.abandon_datagram();
            return false;
        }
        link.finish_datagram()
    }

    /// Appends the content of the ACK in increasing order, at most `room` bytes; the newest records have precedence.
    fn write(&self, room: usize, out: &mut Vec<u8>) {
        let count = self.numbers.len().min(room.saturating_sub(LENGTH_LEN) / NUMBER_LEN);
        out.extend_from_slice(&u16::try_from(count * NUMBER_LEN).unwrap_or(0).to_be_bytes());
        let start = out.len();
        for number in self.numbers.iter().rev().take(count) {
            out.extend_from_slice(&u64::from(number.epoch).to_be_bytes());
            out.extend_from_slice(&number.sequence.to_be_bytes());
        }
        // In network byte order the bytes sort like the numbers.
        let (written, _) = out.get_mut(start..).unwrap_or_default().as_chunks_mut::<NUMBER_LEN>();
        written.sort_unstable();
    }
}

/// Handles a protected ACK of a flight of ours. Returns whether the whole flight is acknowledged now.
pub(crate) fn on_ack(epoch: u16, content: &[u8], flight: &mut Flight, link: &mut Link) -> Result<bool, End> {
    let numbers = decode(content).map_err(|_| Misbehaved::Malformed)?;
    // Both sides use the epochs of the handshake together; later epochs are numbered per direction.
    if epoch < FIRST_APPLICATION_EPOCH && numbers.clone().any(|number| number.epoch > epoch) {
        return Err(Misbehaved::ImpossibleAck.into());
    }
    // The peer received no record that it could name, and waits (RFC 9147 section 7.1).
    if numbers.clone().next().is_none() && flight.may_retransmit(link.now, link.rto) {
        link.retransmit(flight)?;
        return Ok(false);
    }
    let is_news = flight.acknowledge(numbers);
    if flight.is_acknowledged() {
        link.timers.stop(Timer::Retransmit);
        return Ok(true);
    }
    if is_news && flight.has_lost() {
        link.retransmit_lost(flight)?;
    }
    Ok(false)
}

/// Returns whether an unauthenticated ACK is well-formed and names plaintext records only.
pub(crate) fn is_plaintext(content: &[u8]) -> bool {
    decode(content).is_ok_and(|mut numbers| numbers.all(|number| number.epoch == 0))
}

/// Decodes the numbers of an ACK. An epoch above the maximum counts as the maximum.
pub(crate) fn decode(content: &[u8]) -> Result<impl Iterator<Item = RecordNumber> + Clone + '_, Malformed> {
    let mut reader = Reader::new(content);
    let (numbers, odd) = reader.vector16()?.as_chunks::<NUMBER_LEN>();
    reader.finish()?;
    if !odd.is_empty() {
        return Err(Malformed);
    }
    Ok(numbers.iter().filter_map(|bytes| {
        let mut reader = Reader::new(bytes);
        let epoch = u64::from_be_bytes(reader.array().ok()?);
        let sequence = u64::from_be_bytes(reader.array().ok()?);
        Some(RecordNumber { epoch: u16::try_from(epoch).unwrap_or(u16::MAX), sequence })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn number(epoch: u16, sequence: u64) -> RecordNumber {
        RecordNumber { epoch, sequence }
    }

    fn encoded(received: &Received, room: usize) -> Vec<u8> {
        let mut content = Vec::new();
        received.write(room, &mut content);
        content
    }

    #[test]
    fn numbers_decode_in_increasing_order() {
        let mut received = Received::default();
        for noted in [number(2, 5), number(0, 9), number(2, 1), number(2, 5)] {
            received.note(noted);
        }
        let content = encoded(&received, 1200);
        assert_eq!(content.len(), 2 + 3 * 16);
        assert!(decode(&content).unwrap().eq([number(0, 9), number(2, 1), number(2, 5)]));
        assert!(decode(&content[..content.len() - 1]).is_err());
        assert!(decode(&[0, 1, 0]).is_err());
    }

    #[test]
    fn list_is_bounded() {
        let mut received = Received::default();
        (0..1000).for_each(|sequence| received.note(number(2, sequence)));
        assert_eq!(decode(&encoded(&received, 1200)).unwrap().count(), MAX_NUMBERS);
    }

    #[test]
    fn newest_records_have_precedence() {
        let mut received = Received::default();
        (0..20).for_each(|sequence| received.note(number(2, sequence)));
        for (room, first) in [(2 + 3 * 16, 17), (2 + 3 * 16 - 1, 18), (2, 20), (0, 20)] {
            let content = encoded(&received, room);
            assert!(decode(&content).unwrap().eq((first..20).map(|sequence| number(2, sequence))), "{room}");
        }
    }
}
