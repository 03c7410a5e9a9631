//! Packs the messages of a flight into datagrams (RFC 6347 section 4.2.3, RFC 9147 section 5.5).
//!
//! Messages of one epoch share a record, records share a datagram, and long messages are fragmented. Does not know
//! acknowledgements: it reports which record has which fragment.
//!
//! The flight decides whether plaintext messages share a record, see [`PlaintextRecords`].

use crate::handshake::HEADER_LEN;
use crate::outbox::Outbox;
use crate::record::epoch::Epoch;
use crate::record::layer::{OpenRecord, RecordLayer};
use crate::record::sequence::KeyExhausted;
use crate::record::{ContentType, MAX_CONTENT_LEN, RecordNumber};
use std::ops::Range;

/// A fragment smaller than this is not worth its headers and goes into the next datagram.
const MIN_FRAGMENT: usize = 32;

/// The arrangement of the plaintext messages of a flight in records.
///
/// They share a record if the flight is new and is not fragmented. In a retransmitted flight each message has its own
/// record: a connected server may look only at the beginning of each record for the message that makes it retransmit
/// its final flight (dimpl does, for a ClientKeyExchange). A fragmented flight has the same fragments each time,
/// because a peer may not support overlapping fragments.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PlaintextRecords {
    Shared,
    OnePerMessage,
}

/// Datagrams being filled.
pub(super) struct Packer<'a> {
    mtu: usize,
    records: &'a mut RecordLayer,
    outbox: &'a mut Outbox,
    /// The record that the next fragment may share.
    open: Option<OpenRecord>,
    plaintext: PlaintextRecords,
}

impl<'a> Packer<'a> {
    pub(super) fn new(
        mtu: usize,
        plaintext: PlaintextRecords,
        records: &'a mut RecordLayer,
        outbox: &'a mut Outbox,
    ) -> Self {
        // A datagram is no longer than the maximum record, so no record is too long.
        Self { mtu: mtu.min(MAX_CONTENT_LEN), records, outbox, open: None, plaintext }
    }

    pub(super) fn change_cipher_spec(&mut self) -> Result<(), KeyExhausted> {
        self.seal()?;
        if self.outbox.open_len() + self.records.overhead(Epoch::Plaintext) + 1 > self.mtu {
            self.outbox.finish_datagram();
        }
        let out = self.outbox.datagram();
        self.records.write(Epoch::Plaintext, ContentType::ChangeCipherSpec, &[1], out)?;
        Ok(())
    }

    /// Writes this part of a message's body in as many fragments as necessary, and reports the record of each.
    pub(super) fn message(
        &mut self,
        epoch: Epoch,
        message: &[u8],
        part: Range<usize>,
        mut note: impl FnMut(RecordNumber, Range<usize>),
    ) -> Result<(), KeyExhausted> {
        let Some((header, body)) = message.split_first_chunk::<HEADER_LEN>() else { return Ok(()) };
        let [kind_length_sequence @ .., _, _, _, _, _, _] = header;
        let stands_alone = epoch == Epoch::Plaintext && self.plaintext == PlaintextRecords::OnePerMessage;
        if self.open.as_ref().is_some_and(|record| stands_alone || record.epoch() != epoch) {
            self.seal()?;
        }
        let mut offset = part.start;
        let mut rest = body.get(part).unwrap_or_default();
        loop {
            let room = self.room(epoch);
            if self.outbox.open_len() > 0 && room < rest.len().min(MIN_FRAGMENT) {
                self.finish_datagram()?;
                continue;
            }
            let (piece, after) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            let out = self.outbox.datagram();
            let record = match &mut self.open {
                Some(record) => record,
                none => none.insert(self.records.begin(epoch, ContentType::Handshake, out)?),
            };
            note(record.number(), offset..offset + piece.len());
            out.extend_from_slice(kind_length_sequence);
            out.extend_from_slice([u24(offset), u24(piece.len())].as_flattened());
            out.extend_from_slice(piece);
            offset += piece.len();
            rest = after;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// Ends the last datagram.
    pub(super) fn finish(mut self) -> Result<(), KeyExhausted> {
        self.finish_datagram()
    }

    /// Returns how many bytes of a body the current datagram still takes.
    fn room(&self, epoch: Epoch) -> usize {
        let added = match self.open {
            Some(_) => self.records.trailer(epoch),
            None => self.records.overhead(epoch),
        };
        self.mtu.saturating_sub(self.outbox.open_len() + added + HEADER_LEN)
    }

    fn finish_datagram(&mut self) -> Result<(), KeyExhausted> {
        self.seal()?;
        self.outbox.finish_datagram();
        Ok(())
    }

    fn seal(&mut self) -> Result<(), KeyExhausted> {
        match self.open.take() {
            Some(record) => self.records.seal(&record, self.outbox.datagram()),
            None => Ok(()),
        }
    }
}

/// No message of ours is nearly 2^24 bytes long.
fn u24(number: usize) -> [u8; 3] {
    let [_, bytes @ ..] = u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Reader;
    use crate::handshake::Fragment;
    use crate::record::Record;

    fn message(sequence: u8, len: u8) -> Vec<u8> {
        let header = [11, 0, 0, len, 0, sequence, 0, 0, 0, 0, 0, len];
        [&header[..], &vec![sequence; usize::from(len)]].concat()
    }

    /// Message sequence number and range of every fragment.
    type Content = Vec<(u16, Range<usize>)>;

    /// The content of each record of each datagram.
    fn packed(mtu: usize, lengths: &[u8]) -> Vec<Vec<Content>> {
        packed_as(PlaintextRecords::Shared, mtu, lengths)
    }

    fn packed_as(plaintext: PlaintextRecords, mtu: usize, lengths: &[u8]) -> Vec<Vec<Content>> {
        let (mut records, mut outbox) = (RecordLayer::default(), Outbox::default());
        let mut packer = Packer::new(mtu, plaintext, &mut records, &mut outbox);
        let mut noted = Vec::new();
        for (sequence, &len) in (0..).zip(lengths) {
            let whole = 0..usize::from(len);
            let note = |number: RecordNumber, piece| noted.push((number.sequence, sequence, piece));
            packer.message(Epoch::Plaintext, &message(sequence, len), whole, note).unwrap();
        }
        packer.finish().unwrap();
        let mut datagrams = Vec::new();
        let mut bytes = Vec::new();
        while outbox.poll(&mut bytes).is_some() {
            assert!(bytes.len() <= mtu);
            let (mut rest, mut found) = (&mut bytes[..], Vec::new());
            while !rest.is_empty() {
                let (record, after) = Record::split_first(rest).unwrap();
                let mut reader = Reader::new(record.content);
                let mut fragments = Vec::new();
                while !reader.is_empty() {
                    let Fragment { sequence, offset, body, .. } = Fragment::decode(&mut reader).unwrap();
                    let (noted_number, noted_sequence, piece) = noted.remove(0);
                    assert_eq!(
                        noted_number, record.header.number.sequence,
                        "each fragment is reported with its record"
                    );
                    assert_eq!((u16::from(noted_sequence), piece), (sequence, offset..offset + body.len()));
                    fragments.push((sequence, offset..offset + body.len()));
                }
                found.push(fragments);
                rest = after;
            }
            datagrams.push(found);
            bytes.clear();
        }
        assert!(noted.is_empty());
        datagrams
    }

    #[test]
    fn messages_of_one_epoch_share_a_record() {
        assert_eq!(packed(1200, &[100, 200, 0]), [vec![vec![(0, 0..100), (1, 0..200), (2, 0..0)]]]);
    }

    #[test]
    fn plaintext_messages_may_have_records_of_their_own() {
        let records = vec![vec![(0, 0..100)], vec![(1, 0..200)], vec![(2, 0..0)]];
        assert_eq!(packed_as(PlaintextRecords::OnePerMessage, 1200, &[100, 200, 0]), [records]);
    }

    #[test]
    fn long_messages_are_fragmented_into_full_datagrams() {
        // A record header takes 13 bytes, and a fragment header 12.
        let first = vec![(0, 0..100), (1, 0..256 - 13 - 12 - 100 - 12)];
        assert_eq!(packed(256, &[100, 200]), [vec![first], vec![vec![(1, 119..200)]]]);
    }

    #[test]
    fn tiny_fragment_waits_for_the_next_datagram() {
        let beside = |room: usize| 256 - 13 - 12 - 12 - room;
        let lengths = |room| [u8::try_from(beside(room)).unwrap(), 100];
        assert_eq!(packed(256, &lengths(31)), [vec![vec![(0, 0..beside(31))]], vec![vec![(1, 0..100)]]]);
        let cut = vec![(0, 0..beside(32)), (1, 0..32)];
        assert_eq!(packed(256, &lengths(32)), [vec![cut], vec![vec![(1, 32..100)]]]);
    }
}
