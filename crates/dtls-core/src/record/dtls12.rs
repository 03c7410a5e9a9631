//! Record protection in place: DTLS 1.2 here (RFC 5246 section 6.2.3.3, RFC 6347 section 4.1.2), DTLS 1.3 in `dtls13`.
//!
//! Knows epochs. Does not know the meaning of the content.

use crate::crypto::aead::{EXPLICIT_NONCE_LEN, MAX_TAG_LEN, RecordKey};
use crate::crypto::suite::NonceForm;
use crate::discard::Discard;
use crate::message::version::ProtocolVersion;
use crate::record::dtls13::{self, Epochs, HANDSHAKE_EPOCH, Opened};
use crate::record::replay::ReplayWindow;
use crate::record::sequence::{KeyExhausted, Sequence};
use crate::record::unified::{self, UnifiedHeader};
use crate::record::{
    ContentType, HEADER_LEN, MAX_CONTENT_LEN, MAX_RECORD_OVERHEAD, RecordHeader, RecordNumber,
};

//= rfc6347-4.1-epoch-reuse
/// The epochs of both versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Epoch {
    /// Epoch 0.
    Plaintext,
    /// Epoch 1 of DTLS 1.2.
    Protected,
    /// Epoch 2 of DTLS 1.3.
    Handshake,
    /// Epoch 3 and above of DTLS 1.3.
    Application(u16),
}

impl Epoch {
    /// Returns the epoch of a record with the header of DTLS 1.2.
    pub(crate) const fn from_number(number: u16) -> Option<Self> {
        match number {
            0 => Some(Self::Plaintext),
            1 => Some(Self::Protected),
            _ => None,
        }
    }

    pub(crate) const fn number(self) -> u16 {
        match self {
            Self::Plaintext => 0,
            Self::Protected => 1,
            Self::Handshake => HANDSHAKE_EPOCH,
            Self::Application(number) => number,
        }
    }
}

/// The keys of epoch 1, with their sequence numbers and replay window.
struct Keys {
    write: RecordKey,
    write_sequence: Sequence,
    read: RecordKey,
    replay: ReplayWindow,
}

/// A record at the end of a buffer whose content is being appended. Its number is taken, even if it is never protected.
#[must_use]
pub(crate) struct OpenRecord {
    epoch: Epoch,
    content_type: ContentType,
    sequence: u64,
    /// The offset of the record in the buffer.
    start: usize,
}

impl OpenRecord {
    pub(crate) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(crate) const fn number(&self) -> RecordNumber {
        RecordNumber { epoch: self.epoch.number(), sequence: self.sequence }
    }

    const fn header(&self) -> RecordHeader {
        RecordHeader::new(self.content_type, self.number())
    }
}

/// The record layer of an association, both directions.
#[derive(Default)]
pub(crate) struct RecordLayer {
    plaintext_sequence: Sequence,
    keys: Option<Box<Keys>>,
    epochs: Option<Box<Epochs>>,
}

impl RecordLayer {
    /// Plaintext records begin with this sequence number, because the gate has sent the ones before.
    pub(crate) fn continued(sequence: u64) -> Self {
        Self { plaintext_sequence: Sequence::from(sequence), ..Self::default() }
    }

    /// Installs the keys of epoch 1.
    pub(crate) fn install(&mut self, write: RecordKey, read: RecordKey) {
        self.keys = Some(Box::new(Keys {
            write,
            write_sequence: Sequence::default(),
            read,
            replay: ReplayWindow::default(),
        }));
    }

    /// Sets the sequence number of epoch 1, as if that many records had been protected.
    #[cfg(test)]
    pub(crate) fn skip_to_writing(&mut self, sequence: u64) {
        if let Some(keys) = &mut self.keys {
            keys.write_sequence = Sequence::from(sequence);
        }
    }

    /// Drops all keys.
    pub(crate) fn forget_keys(&mut self) {
        self.keys = None;
        self.epochs = None;
    }

    /// Returns the epochs of DTLS 1.3; there is none before its first key.
    pub(crate) fn epochs(&mut self) -> &mut Epochs {
        self.epochs.get_or_insert_default()
    }

    /// Returns whether a record of DTLS 1.3 with these low bits of its epoch can be deprotected.
    pub(crate) fn can_read(&self, epoch_bits: u8) -> bool {
        self.epochs.as_ref().is_some_and(|epochs| epochs.can_read(epoch_bits))
    }

    /// Deprotects a record with a unified header in place. If it does not authenticate, its bytes are overwritten.
    pub(crate) fn open_unified<'a>(
        &mut self,
        header: UnifiedHeader,
        record: &'a mut [u8],
    ) -> Result<Opened<'a>, Discard> {
        self.epochs.as_mut().ok_or(Discard::UnknownEpoch)?.open(header, record)
    }

    /// Counts an authentication failure of a record of DTLS 1.3, see [`Epochs::on_authentication_failure`].
    pub(crate) fn on_authentication_failure(&mut self, epoch_bits: Option<u8>) -> bool {
        self.epochs.as_mut().is_some_and(|epochs| epochs.on_authentication_failure(epoch_bits))
    }

    /// Returns whether records of epoch 1 can be deprotected.
    pub(crate) const fn can_open(&self) -> bool {
        self.keys.is_some()
    }

    /// Returns whether the newest write key of either version is near its limit.
    pub(crate) fn is_near_limit(&self) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.write_sequence.is_near_limit())
            || self.epochs.as_ref().is_some_and(|epochs| epochs.is_near_limit())
    }

    /// Returns the overhead of a record of this epoch, in bytes.
    pub(crate) fn overhead(&self, epoch: Epoch) -> usize {
        match (epoch, &self.keys) {
            (Epoch::Plaintext, _) => HEADER_LEN,
            (Epoch::Protected, Some(keys)) => HEADER_LEN + keys.write.overhead(),
            (Epoch::Protected, None) => MAX_RECORD_OVERHEAD,
            (Epoch::Handshake | Epoch::Application(_), _) => dtls13::OVERHEAD,
        }
    }

    /// Returns the number of bytes that protection appends to the content of a record of this epoch.
    pub(crate) fn trailer(&self, epoch: Epoch) -> usize {
        match (epoch, &self.keys) {
            (Epoch::Plaintext, _) => 0,
            (Epoch::Protected, Some(keys)) => keys.write.tag_len(),
            (Epoch::Protected, None) => MAX_TAG_LEN,
            (Epoch::Handshake | Epoch::Application(_), _) => dtls13::OVERHEAD - unified::HEADER_LEN,
        }
    }

    /// Appends one record.
    #[inline]
    pub(crate) fn write(
        &mut self,
        epoch: Epoch,
        content_type: ContentType,
        content: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<RecordNumber, KeyExhausted> {
        let record = self.begin(epoch, content_type, out)?;
        out.extend_from_slice(content);
        self.seal(&record, out)?;
        Ok(record.number())
    }

    /// Appends everything before a record's content, which is appended next.
    #[inline]
    pub(crate) fn begin(
        &mut self,
        epoch: Epoch,
        content_type: ContentType,
        out: &mut Vec<u8>,
    ) -> Result<OpenRecord, KeyExhausted> {
        let start = out.len();
        let sequence = self.write_header(epoch, content_type, out)?;
        Ok(OpenRecord { epoch, content_type, sequence, start })
    }

    /// Takes a sequence number.
    fn write_header(
        &mut self,
        epoch: Epoch,
        content_type: ContentType,
        out: &mut Vec<u8>,
    ) -> Result<u64, KeyExhausted> {
        match epoch {
            Epoch::Plaintext => {
                let sequence = self.plaintext_sequence.next()?;
                RecordHeader::new(content_type, RecordNumber { epoch: 0, sequence }).write(0, out);
                Ok(sequence)
            }
            Epoch::Protected => self.keys.as_mut().ok_or(KeyExhausted)?.write_header(content_type, out),
            Epoch::Handshake | Epoch::Application(_) => {
                self.epochs.as_mut().ok_or(KeyExhausted)?.write_header(epoch.number(), out)
            }
        }
    }

    /// Protects a record whose content was appended since it was begun.
    pub(crate) fn seal(&mut self, record: &OpenRecord, out: &mut Vec<u8>) -> Result<(), KeyExhausted> {
        match record.epoch {
            Epoch::Plaintext => {
                let (header, content) = split_header(out, record.start)?;
                RecordHeader::set_length(header, u16::try_from(content.len()).map_err(|_| KeyExhausted)?);
                Ok(())
            }
            Epoch::Protected => self.keys.as_ref().ok_or(KeyExhausted)?.seal(record, out),
            Epoch::Handshake | Epoch::Application(_) => {
                let epochs = self.epochs.as_ref().ok_or(KeyExhausted)?;
                epochs.seal(record.number(), record.content_type, record.start, out)
            }
        }
    }

    /// Deprotects the content of a record of epoch 1 in place. If it does not authenticate, its bytes are overwritten.
    pub(crate) fn open<'a>(
        &mut self,
        header: &RecordHeader,
        content: &'a mut [u8],
    ) -> Result<&'a [u8], Discard> {
        self.keys.as_mut().ok_or(Discard::UnknownEpoch)?.open(header, content)
    }
}

impl Keys {
    fn write_header(&mut self, content_type: ContentType, out: &mut Vec<u8>) -> Result<u64, KeyExhausted> {
        let sequence = self.write_sequence.next()?;
        let number = RecordNumber { epoch: Epoch::Protected.number(), sequence };
        RecordHeader::new(content_type, number).write(0, out);
        if self.write.form() == NonceForm::Explicit {
            out.extend_from_slice(&number.to_bytes());
        }
        Ok(sequence)
    }

    /// Protects the record that ends with the buffer.
    fn seal(&self, record: &OpenRecord, out: &mut Vec<u8>) -> Result<(), KeyExhausted> {
        let (header, body) = split_header(out, record.start)?;
        let length = u16::try_from(body.len() + self.write.tag_len()).map_err(|_| KeyExhausted)?;
        RecordHeader::set_length(header, length);
        let content = match self.write.form() {
            NonceForm::Explicit => body.get_mut(EXPLICIT_NONCE_LEN..).ok_or(KeyExhausted)?,
            NonceForm::Implicit => body,
        };
        let aad = additional_data(&record.header(), content.len());
        let tag = self.write.seal(record.number().to_bytes(), &aad, content).ok_or(KeyExhausted)?;
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }

    fn open<'a>(&mut self, header: &RecordHeader, content: &'a mut [u8]) -> Result<&'a [u8], Discard> {
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

/// Returns the header of the record at `start`, and the rest of the record, which ends with the buffer.
pub(super) fn split_header<const N: usize>(
    out: &mut [u8],
    start: usize,
) -> Result<(&mut [u8; N], &mut [u8]), KeyExhausted> {
    out.get_mut(start..).and_then(<[u8]>::split_first_chunk_mut).ok_or(KeyExhausted)
}

/// RFC 5246 section 6.2.3.3: number, type, version and length of the content, thirteen bytes.
fn additional_data(header: &RecordHeader, len: usize) -> [u8; 13] {
    let [n0, n1, n2, n3, n4, n5, n6, n7] = header.number.to_bytes();
    let [v0, v1] = header.version.0.to_be_bytes();
    // No record is longer than this.
    let [l0, l1] = u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes();
    [n0, n1, n2, n3, n4, n5, n6, n7, header.content_type.number(), v0, v1, l0, l1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::suite::CipherSuite;
    use crate::record::Record;

    fn pair(suite: CipherSuite) -> [RecordLayer; 2] {
        let parameters = suite.parameters().unwrap();
        let fixed = vec![7; RecordKey::fixed_len(parameters.nonce)];
        let key = |byte| RecordKey::new(parameters, &vec![byte; parameters.aead.key_len()], &fixed).unwrap();
        let mut layers = [RecordLayer::default(), RecordLayer::default()];
        layers[0].install(key(1), key(2));
        layers[1].install(key(2), key(1));
        layers
    }

    fn sealed(layer: &mut RecordLayer, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        layer.write(Epoch::Protected, ContentType::ApplicationData, text, &mut out).unwrap();
        assert_eq!(out.len(), text.len() + layer.overhead(Epoch::Protected));
        out
    }

    fn open(layer: &mut RecordLayer, mut datagram: Vec<u8>) -> Result<Vec<u8>, Discard> {
        let (Record { header, content }, _) = Record::split_first(&mut datagram)?;
        layer.open(&header, content).map(<[u8]>::to_vec)
    }

    //= rfc6347-4.1.2.6-bad-mac
    #[test]
    fn each_suite_rejects_changed_records() {
        let dtls12 = |suite: &CipherSuite| suite.parameters().is_some();
        for suite in CipherSuite::SUPPORTED.into_iter().filter(dtls12) {
            let [mut ours, mut theirs] = pair(suite);
            let datagram = sealed(&mut ours, b"hello!");
            for at in 0..datagram.len() {
                let mut forged = datagram.clone();
                forged[at] ^= 1;
                assert!(open(&mut theirs, forged).is_err(), "{suite:?}: byte {at} changed");
            }
            assert_eq!(open(&mut theirs, datagram.clone()), Ok(b"hello!".to_vec()), "{suite:?}");
            assert_eq!(open(&mut theirs, datagram), Err(Discard::Replayed), "{suite:?}");
        }
    }

    //= rfc6347-4.1.2.6-bad-mac
    #[test]
    fn forged_record_does_not_move_the_replay_window() {
        let [mut ours, mut theirs] = pair(CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256);
        let honest = sealed(&mut ours, b"1!");
        let mut forged = honest.clone();
        forged[5] = 0xff;
        assert_eq!(open(&mut theirs, forged), Err(Discard::BadRecord));
        assert_eq!(open(&mut theirs, honest), Ok(b"1!".to_vec()));
    }
}
