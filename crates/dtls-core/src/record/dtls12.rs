//! Protection of DTLS 1.2 records in place (RFC 5246 section 6.2.3.3, RFC 6347 section 4.1.2).
//!
//! Knows the keys of epoch 1. Does not know the meaning of the content.

use crate::crypto::aead::{EXPLICIT_NONCE_LEN, RecordKey};
use crate::crypto::suite::NonceForm;
use crate::discard::Discard;
use crate::message::version::ProtocolVersion;
use crate::record::epoch::Epoch;
use crate::record::replay::ReplayWindow;
use crate::record::sequence::{KeyExhausted, Sequence};
use crate::record::{ContentType, HEADER_LEN, MAX_CONTENT_LEN, RecordHeader, RecordNumber, split_header};

/// The keys of epoch 1, with their sequence numbers and replay window.
pub(super) struct Keys {
    write: RecordKey,
    write_sequence: Sequence,
    read: RecordKey,
    replay: ReplayWindow,
}

impl Keys {
    pub(super) fn new(write: RecordKey, read: RecordKey) -> Self {
        Self { write, write_sequence: Sequence::default(), read, replay: ReplayWindow::default() }
    }

    /// Continues as if this number of records had been protected.
    #[cfg(test)]
    pub(super) const fn skip_to_writing(&mut self, sequence: u64) {
        self.write_sequence = Sequence::from(sequence);
    }

    /// Returns whether the write key is near its limit.
    #[inline]
    pub(super) const fn is_near_limit(&self) -> bool {
        self.write_sequence.is_near_limit()
    }

    /// Returns the overhead of a record, in bytes.
    #[inline]
    pub(super) fn overhead(&self) -> usize {
        HEADER_LEN + self.write.overhead()
    }

    /// Returns the number of bytes that protection appends to the content of a record.
    #[inline]
    pub(super) fn trailer(&self) -> usize {
        self.write.tag_len()
    }

    /// Takes a sequence number and appends everything before the content.
    pub(super) fn write_header(
        &mut self,
        content_type: ContentType,
        out: &mut Vec<u8>,
    ) -> Result<u64, KeyExhausted> {
        let sequence = self.write_sequence.next()?;
        let number = RecordNumber { epoch: Epoch::Protected.number(), sequence };
        RecordHeader::new(content_type, number).write(0, out);
        if self.write.form() == NonceForm::Explicit {
            out.extend_from_slice(&number.to_bytes());
        }
        Ok(sequence)
    }

    /// Protects the record that ends with the buffer.
    pub(super) fn seal(
        &self,
        header: &RecordHeader,
        start: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), KeyExhausted> {
        let (written, body) = split_header(out, start)?;
        let length = u16::try_from(body.len() + self.write.tag_len()).map_err(|_| KeyExhausted)?;
        RecordHeader::set_length(written, length);
        let content = match self.write.form() {
            NonceForm::Explicit => body.get_mut(EXPLICIT_NONCE_LEN..).ok_or(KeyExhausted)?,
            NonceForm::Implicit => body,
        };
        let aad = additional_data(header, content.len());
        let tag = self.write.seal(header.number.to_bytes(), &aad, content).ok_or(KeyExhausted)?;
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Deprotects the content of a record in place. If it does not authenticate, its bytes are overwritten.
    pub(super) fn open<'a>(
        &mut self,
        header: &RecordHeader,
        content: &'a mut [u8],
    ) -> Result<&'a [u8], Discard> {
        let RecordHeader { number, version, .. } = *header;
        if version != ProtocolVersion::DTLS12 {
            return Err(Discard::BadRecord);
        }
        self.replay.check(number.sequence)?;
        let (nonce, sealed) = match self.read.form() {
            NonceForm::Explicit => {
                let (nonce, sealed) = content.split_first_chunk_mut().ok_or(Discard::BadRecord)?;
                let nonce: &mut [u8; EXPLICIT_NONCE_LEN] = nonce;
                (*nonce, sealed)
            }
            NonceForm::Implicit => (number.to_bytes(), content),
        };
        let len = sealed.len().checked_sub(self.read.tag_len()).ok_or(Discard::BadRecord)?;
        if len > MAX_CONTENT_LEN {
            return Err(Discard::BadRecord);
        }
        let aad = additional_data(header, len);
        let opened = self.read.open(nonce, &aad, sealed).ok_or(Discard::BadRecord)?;
        self.replay.accept(number.sequence);
        Ok(opened)
    }
}

/// RFC 5246 section 6.2.3.3: number, type, version and length of the content, thirteen bytes.
fn additional_data(header: &RecordHeader, len: usize) -> [u8; 13] {
    let [n0, n1, n2, n3, n4, n5, n6, n7] = header.number.to_bytes();
    let [v0, v1] = header.version.0.to_be_bytes();
    // No record is longer than this.
    let [l0, l1] = u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes();
    [n0, n1, n2, n3, n4, n5, n6, n7, header.content_type.number(), v0, v1, l0, l1]
}
