//! The record layer (RFC 6347 section 4.1): headers, and protection by epoch.

pub(crate) mod dtls12;
pub(crate) mod dtls13;
pub(crate) mod epoch;
pub(crate) mod epoch_key;
pub(crate) mod layer;
pub(crate) mod replay;
pub(crate) mod sequence;
pub(crate) mod unified;

use crate::crypto::aead::{EXPLICIT_NONCE_LEN, MAX_TAG_LEN};
use crate::discard::Discard;
use crate::message::version::ProtocolVersion;
use sequence::KeyExhausted;

/// Content type, version, epoch, sequence number and length.
pub(crate) const HEADER_LEN: usize = 13;
/// The maximum overhead of a record over all suites.
pub(crate) const MAX_RECORD_OVERHEAD: usize = HEADER_LEN + EXPLICIT_NONCE_LEN + MAX_TAG_LEN;
/// RFC 6347 section 4.1: the content of a record has at most 2^14 bytes.
pub(crate) const MAX_CONTENT_LEN: usize = 1 << 14;

/// RFC 5246 section 6.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentType {
    ChangeCipherSpec,
    Alert,
    Handshake,
    ApplicationData,
    /// DTLS 1.3 (RFC 9147 section 7).
    Ack,
}

impl ContentType {
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::ChangeCipherSpec => 20,
            Self::Alert => 21,
            Self::Handshake => 22,
            Self::ApplicationData => 23,
            Self::Ack => 26,
        }
    }

    pub(crate) const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            20 => Self::ChangeCipherSpec,
            21 => Self::Alert,
            22 => Self::Handshake,
            23 => Self::ApplicationData,
            26 => Self::Ack,
            _ => return None,
        })
    }
}

/// Epoch and sequence number as on the wire: unique for every record of a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordNumber {
    pub(crate) epoch: u16,
    /// 48 bits.
    pub(crate) sequence: u64,
}

impl RecordNumber {
    pub(crate) fn to_bytes(self) -> [u8; 8] {
        (u64::from(self.epoch) << 48 | self.sequence).to_be_bytes()
    }
}

/// The header of a record without its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    pub(crate) content_type: ContentType,
    pub(crate) version: ProtocolVersion,
    pub(crate) number: RecordNumber,
}

impl RecordHeader {
    /// Returns the header that we write: plaintext records of DTLS 1.3 also have the version of DTLS 1.2.
    pub(crate) const fn new(content_type: ContentType, number: RecordNumber) -> Self {
        Self { content_type, version: ProtocolVersion::DTLS12, number }
    }

    pub(crate) fn write(&self, length: u16, out: &mut Vec<u8>) {
        let [v0, v1] = self.version.0.to_be_bytes();
        let [n0, n1, n2, n3, n4, n5, n6, n7] = self.number.to_bytes();
        let [l0, l1] = length.to_be_bytes();
        out.extend_from_slice(&[self.content_type.number(), v0, v1, n0, n1, n2, n3, n4, n5, n6, n7, l0, l1]);
    }

    /// Patches the length into a header that was written before the content.
    pub(crate) fn set_length(header: &mut [u8; HEADER_LEN], length: u16) {
        let [.., high, low] = header;
        [*high, *low] = length.to_be_bytes();
    }

    /// Decodes a header and its length field.
    fn read(bytes: &[u8]) -> Result<(Self, usize), Discard> {
        let first = bytes.first().ok_or(Discard::Truncated)?;
        let content_type = ContentType::from_number(*first).ok_or(Discard::NotDtls)?;
        let header: &[u8; HEADER_LEN] = bytes.first_chunk().ok_or(Discard::Truncated)?;
        let [_, v0, v1, e0, e1, s0, s1, s2, s3, s4, s5, l0, l1] = *header;
        // The version is ignored in unprotected records (RFC 9147 section 4).
        let version = ProtocolVersion(u16::from_be_bytes([v0, v1]));
        let epoch = u16::from_be_bytes([e0, e1]);
        let sequence = u64::from_be_bytes([0, 0, s0, s1, s2, s3, s4, s5]);
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        Ok((Self { content_type, version, number: RecordNumber { epoch, sequence } }, length))
    }
}

/// One record of a datagram: its header, and its content as it arrived.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    pub(crate) header: RecordHeader,
    pub(crate) content: &'a mut [u8],
}

impl<'a> Record<'a> {
    /// Splits off the first record. After an error the rest of the datagram cannot be parsed either.
    pub(crate) fn split_first(datagram: &'a mut [u8]) -> Result<(Self, &'a mut [u8]), Discard> {
        let (header, length) = RecordHeader::read(datagram)?;
        let (_, rest) = datagram.split_at_mut_checked(HEADER_LEN).ok_or(Discard::Truncated)?;
        let (content, rest) = rest.split_at_mut_checked(length).ok_or(Discard::Truncated)?;
        Ok((Self { header, content }, rest))
    }
}

/// Returns header and content of the first record, for inspection.
pub(crate) fn first_record(datagram: &[u8]) -> Result<(RecordHeader, &[u8]), Discard> {
    let (header, length) = RecordHeader::read(datagram)?;
    let content = datagram.get(HEADER_LEN..).and_then(|rest| rest.get(..length));
    Ok((header, content.ok_or(Discard::Truncated)?))
}

/// Returns the header of the record at `start`, and the rest of the record, which ends with the buffer.
fn split_header<const N: usize>(
    out: &mut [u8],
    start: usize,
) -> Result<(&mut [u8; N], &mut [u8]), KeyExhausted> {
    out.get_mut(start..).and_then(<[u8]>::split_first_chunk_mut).ok_or(KeyExhausted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALERT: [u8; 15] = [21, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 9, 0, 2, 1, 0];

    #[test]
    fn header_decodes_as_written() {
        let mut bytes = ALERT;
        let (record, rest) = Record::split_first(&mut bytes).unwrap();
        assert!(rest.is_empty());
        assert_eq!(record.header.number, RecordNumber { epoch: 1, sequence: 9 });
        assert_eq!(record.content, [1, 0]);
        let mut written = Vec::new();
        record.header.write(2, &mut written);
        assert_eq!(written, ALERT[..HEADER_LEN]);
    }

    #[test]
    fn every_truncation_has_its_reason() {
        for len in 0..ALERT.len() {
            let mut bytes = ALERT;
            assert_eq!(Record::split_first(&mut bytes[..len]).err(), Some(Discard::Truncated), "{len}");
        }
    }

    #[test]
    fn other_types_are_not_dtls() {
        for value in (0..=255).filter(|value| ![20, 21, 22, 23, 26].contains(value)) {
            let mut bytes = ALERT;
            bytes[0] = value;
            assert_eq!(Record::split_first(&mut bytes).err(), Some(Discard::NotDtls), "{value}");
        }
    }

    //= rfc9147-4-legacy-version-ignored
    #[test]
    fn version_of_a_record_is_ignored() {
        for version in [[0xfe, 0xff], [0xfe, 0xfc], [3, 3], [0, 0]] {
            let mut bytes = ALERT;
            bytes[1..3].copy_from_slice(&version);
            assert!(Record::split_first(&mut bytes).is_ok(), "{version:?}");
        }
    }
}
