//! The record layer of one association: it protects and deprotects the records of every epoch of both versions.
//!
//! Chooses the keys by the epoch; `dtls12` and `dtls13` have the protection. Does not know the meaning of the content.

use crate::crypto::aead::{MAX_TAG_LEN, RecordKey};
use crate::discard::Discard;
use crate::record::dtls12::Keys;
use crate::record::dtls13::{self, Epochs, Opened};
use crate::record::epoch::Epoch;
use crate::record::sequence::{KeyExhausted, Sequence};
use crate::record::unified::{self, UnifiedHeader};
use crate::record::{ContentType, HEADER_LEN, MAX_RECORD_OVERHEAD, RecordHeader, RecordNumber, split_header};

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
        self.keys = Some(Box::new(Keys::new(write, read)));
    }

    /// Sets the sequence number of epoch 1, as if that many records had been protected.
    #[cfg(test)]
    pub(crate) fn skip_to_writing(&mut self, sequence: u64) {
        if let Some(keys) = &mut self.keys {
            keys.skip_to_writing(sequence);
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
        self.keys.as_ref().is_some_and(|keys| keys.is_near_limit())
            || self.epochs.as_ref().is_some_and(|epochs| epochs.is_near_limit())
    }

    /// Returns the overhead of a record of this epoch, in bytes.
    pub(crate) fn overhead(&self, epoch: Epoch) -> usize {
        match (epoch, &self.keys) {
            (Epoch::Plaintext, _) => HEADER_LEN,
            (Epoch::Protected, Some(keys)) => keys.overhead(),
            (Epoch::Protected, None) => MAX_RECORD_OVERHEAD,
            (Epoch::Handshake | Epoch::Application(_), _) => dtls13::OVERHEAD,
        }
    }

    /// Returns the number of bytes that protection appends to the content of a record of this epoch.
    pub(crate) fn trailer(&self, epoch: Epoch) -> usize {
        match (epoch, &self.keys) {
            (Epoch::Plaintext, _) => 0,
            (Epoch::Protected, Some(keys)) => keys.trailer(),
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
            Epoch::Protected => {
                let keys = self.keys.as_ref().ok_or(KeyExhausted)?;
                keys.seal(&record.header(), record.start, out)
            }
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
