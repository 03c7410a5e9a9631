//! The unified header of protected DTLS 1.3 records (RFC 9147 section 4): `001CSLEE`, then a sequence number of 8 or 16
//! bits and, usually, a length.
//!
//! Knows the form. The number is still encrypted here, and only the two low bits of the epoch are known.

use crate::codec::Reader;
use crate::discard::Discard;

/// The first three bits of the first byte.
const FIXED: u8 = 0b0010_0000;
const FIXED_MASK: u8 = 0b1110_0000;
const CONNECTION_ID: u8 = 0b0001_0000;
const LONG_NUMBER: u8 = 0b0000_1000;
const WITH_LENGTH: u8 = 0b0000_0100;
const EPOCH: u8 = 0b0000_0011;

/// The length of the headers that we write: a 16-bit number and a length.
pub(crate) const HEADER_LEN: usize = 5;

/// Returns whether a record with this first byte has a unified header.
pub(crate) const fn is_unified(first: u8) -> bool {
    first & FIXED_MASK == FIXED
}

/// The layout of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnifiedHeader {
    /// The two low bits of the epoch.
    pub(crate) epoch_bits: u8,
    /// The length of the number, one or two bytes.
    pub(crate) number_len: usize,
    /// The length of the whole header.
    pub(crate) len: usize,
    /// The number of bytes of the record behind the header.
    pub(crate) body_len: usize,
}

impl UnifiedHeader {
    /// Decodes the header of the first record. Connection ids are never negotiated, so none is expected.
    pub(crate) fn read(datagram: &[u8]) -> Result<Self, Discard> {
        let mut reader = Reader::new(datagram);
        let truncated = |_| Discard::Truncated;
        let first = reader.u8().map_err(truncated)?;
        if !is_unified(first) || first & CONNECTION_ID != 0 {
            return Err(Discard::NotDtls);
        }
        let number_len = if first & LONG_NUMBER == 0 { 1 } else { 2 };
        reader.take(number_len).map_err(truncated)?;
        let body_len = if first & WITH_LENGTH == 0 {
            reader.rest().len()
        } else {
            let body_len = usize::from(reader.u16().map_err(truncated)?);
            reader.take(body_len).map_err(truncated)?;
            body_len
        };
        let length_len = if first & WITH_LENGTH == 0 { 0 } else { 2 };
        Ok(Self { epoch_bits: first & EPOCH, number_len, len: 1 + number_len + length_len, body_len })
    }

    /// Appends a header whose number is not encrypted yet.
    pub(crate) fn write(epoch: u16, sequence: u64, length: u16, out: &mut Vec<u8>) {
        let [.., epoch_bits] = epoch.to_be_bytes();
        let [.., high, low] = sequence.to_be_bytes();
        out.extend_from_slice(&[FIXED | LONG_NUMBER | WITH_LENGTH | (epoch_bits & EPOCH), high, low]);
        out.extend_from_slice(&length.to_be_bytes());
    }

    /// Patches the length into a header that was written before the content.
    pub(crate) fn set_length(header: &mut [u8; HEADER_LEN], length: u16) {
        let [_, _, _, high, low] = header;
        [*high, *low] = length.to_be_bytes();
    }
}

/// Returns the full number closest to `expected` whose low bits are `truncated` (RFC 9147 section 4.2.2).
pub(crate) fn reconstruct(truncated: u16, number_len: usize, expected: u64) -> u64 {
    let span: u64 = if number_len == 1 { 1 << 8 } else { 1 << 16 };
    let candidate = (expected & !(span - 1)) | u64::from(truncated);
    if candidate + span / 2 < expected {
        candidate + span
    } else if candidate > expected + span / 2 {
        candidate.checked_sub(span).unwrap_or(candidate)
    } else {
        candidate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= rfc9147-4-length-omitted
    #[test]
    fn header_decodes_as_written() {
        let mut record = Vec::new();
        UnifiedHeader::write(3, 0x0001_0203, 4, &mut record);
        assert_eq!(record, [0b0010_1111, 2, 3, 0, 4]);
        record.extend([9; 5]);
        let header = UnifiedHeader { epoch_bits: 3, number_len: 2, len: HEADER_LEN, body_len: 4 };
        assert_eq!(UnifiedHeader::read(&record), Ok(header));
    }

    #[test]
    fn short_numbers_and_missing_lengths_decode() {
        let header = UnifiedHeader { epoch_bits: 2, number_len: 1, len: 2, body_len: 3 };
        assert_eq!(UnifiedHeader::read(&[0b0010_0010, 7, 1, 2, 3]), Ok(header));
        let header = UnifiedHeader { epoch_bits: 0, number_len: 1, len: 4, body_len: 1 };
        assert_eq!(UnifiedHeader::read(&[0b0010_0100, 7, 0, 1, 8, 9]), Ok(header));
    }

    //= rfc9147-9.1-cid-rejected
    #[test]
    fn connection_ids_and_truncated_records_are_rejected() {
        assert_eq!(UnifiedHeader::read(&[0b0011_1100, 0, 0, 0, 0]), Err(Discard::NotDtls));
        assert_eq!(UnifiedHeader::read(&[22]), Err(Discard::NotDtls));
        for cut in [&[][..], &[0b0010_1100], &[0b0010_1100, 0, 0, 0], &[0b0010_1100, 0, 0, 0, 2, 1]] {
            assert_eq!(UnifiedHeader::read(cut), Err(Discard::Truncated), "{cut:?}");
        }
    }

    //= rfc9147-4.2.2-closest
    #[test]
    fn numbers_are_reconstructed_closest_to_the_expected() {
        assert_eq!(reconstruct(0, 2, 0), 0);
        assert_eq!(reconstruct(0xffff, 2, 0x1_0000), 0xffff);
        assert_eq!(reconstruct(0, 2, 0xffff), 0x1_0000);
        assert_eq!(reconstruct(5, 1, 250), 261);
        assert_eq!(reconstruct(250, 1, 261), 250);
        assert_eq!(reconstruct(200, 1, 3), 200);
    }
}
