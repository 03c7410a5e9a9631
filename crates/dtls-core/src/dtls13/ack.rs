//! ACK (RFC 9147 section 7): which records of the peer's flight arrived.

use crate::codec::{Malformed, Reader};
use crate::record::RecordNumber;

/// Records that are acknowledged at once: the flight with a post-quantum share and a long chain takes a dozen.
/// Older ones are forgotten first, and repeated by the peer at worst.
const MAX_NUMBERS: usize = 32;
/// An epoch and a sequence number of 64 bits each.
const NUMBER_LEN: usize = 16;
/// In front of the numbers.
const LENGTH_LEN: usize = 2;

/// The records to acknowledge.
#[derive(Default)]
pub(crate) struct Received {
    numbers: Vec<RecordNumber>,
    /// Whether something was noted since the last ACK.
    has_news: bool,
    /// ACKs since something was noted.
    times_told: u32,
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
        self.has_news = true;
        self.times_told = 0;
    }

    /// Whether an ACK would tell something: nobody else's datagram makes us repeat one.
    pub(crate) const fn has_news(&self) -> bool {
        self.has_news
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// An ACK leaves. The numbers stay, so that a later one covers them again, in case this one is lost.
    pub(crate) const fn told(&mut self) {
        self.has_news = false;
        self.times_told = self.times_told.saturating_add(1);
    }

    /// How often the same was told.
    pub(crate) const fn times_told(&self) -> u32 {
        self.times_told
    }

    /// What was told is to be told once more.
    pub(crate) const fn tell_again(&mut self) {
        self.has_news = !self.numbers.is_empty();
    }

    /// The peer's next flight begins, or ours answers this one.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Appends the content of the record, in increasing order and of at most `room` bytes: the newest are told first.
    pub(crate) fn write(&self, room: usize, out: &mut Vec<u8>) {
        let told = self.numbers.len().min(room.saturating_sub(LENGTH_LEN) / NUMBER_LEN);
        out.extend_from_slice(&u16::try_from(told * NUMBER_LEN).unwrap_or(0).to_be_bytes());
        let start = out.len();
        for number in self.numbers.iter().rev().take(told) {
            out.extend_from_slice(&u64::from(number.epoch).to_be_bytes());
            out.extend_from_slice(&number.sequence.to_be_bytes());
        }
        // In the byte order of the network they sort as the numbers do.
        let (written, _) = out.get_mut(start..).unwrap_or_default().as_chunks_mut::<NUMBER_LEN>();
        written.sort_unstable();
    }
}

/// The numbers in an ACK of the peer. Epochs that we never reach are taken for the last one.
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
    fn numbers_are_read_as_they_were_noted_in_increasing_order() {
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
    fn the_list_is_bounded() {
        let mut received = Received::default();
        (0..1000).for_each(|sequence| received.note(number(2, sequence)));
        assert_eq!(decode(&encoded(&received, 1200)).unwrap().count(), MAX_NUMBERS);
    }

    #[test]
    fn where_there_is_little_room_the_newest_are_told() {
        let mut received = Received::default();
        (0..20).for_each(|sequence| received.note(number(2, sequence)));
        for (room, first) in [(2 + 3 * 16, 17), (2 + 3 * 16 - 1, 18), (2, 20), (0, 20)] {
            let content = encoded(&received, room);
            assert!(decode(&content).unwrap().eq((first..20).map(|sequence| number(2, sequence))), "{room}");
        }
    }
}
