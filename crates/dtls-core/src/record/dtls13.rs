//! Protection of DTLS 1.3 records (RFC 9147 section 4): the open epochs, protection and deprotection in place.
//!
//! Does not know messages, and does not decide when an epoch begins or ends.

use crate::crypto::aead::MAX_TAG_LEN;
use crate::discard::Discard;
use crate::record::epoch_key::EpochKey;
use crate::record::replay::ReplayWindow;
use crate::record::sequence::{KeyExhausted, Sequence};
use crate::record::unified::{HEADER_LEN, UnifiedHeader, reconstruct};
use crate::record::{ContentType, MAX_CONTENT_LEN, RecordNumber, split_header};

/// The overhead of a record: header, inner content type and tag.
pub(crate) const OVERHEAD: usize = HEADER_LEN + 1 + MAX_TAG_LEN;

/// The key usage limits (RFC 9147 section 4.5.3, RFC 8446 section 5.5).
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyLimits {
    /// After this many protected records a KeyUpdate is due.
    pub(crate) update_after: u64,
    /// After this many protected records the association ends, because no KeyUpdate was acknowledged. Only the closing
    /// alert is protected after them.
    pub(crate) end_after: u64,
    /// After this many authentication failures of the newest key the peer is asked for a KeyUpdate; a former key is
    /// dropped.
    pub(crate) authentication_failures: u64,
}

impl Default for KeyLimits {
    /// Below 2^24.5 records of full size with AES-GCM, and half of the 2^36 authentication failures that
    /// ChaCha20-Poly1305 and AES-GCM allow.
    fn default() -> Self {
        Self { update_after: 1 << 23, end_after: 1 << 24, authentication_failures: 1 << 35 }
    }
}

struct Writing {
    epoch: u16,
    key: EpochKey,
    sequence: Sequence,
}

struct Reading {
    epoch: u16,
    key: EpochKey,
    replay: ReplayWindow,
    /// Authentication failures since the last request for a new key.
    authentication_failures: u64,
}

/// The epochs of both directions: at most two each, and more only during a KeyUpdate.
#[derive(Default)]
pub(crate) struct Epochs {
    writing: Vec<Writing>,
    reading: Vec<Reading>,
    pub(crate) limits: KeyLimits,
}

/// An authenticated record.
pub(crate) struct Opened<'a> {
    pub(crate) number: RecordNumber,
    pub(crate) content_type: ContentType,
    pub(crate) content: &'a [u8],
}

impl Epochs {
    pub(crate) fn begin_writing(&mut self, epoch: u16, key: EpochKey) {
        make_room(&mut self.writing);
        self.writing.push(Writing { epoch, key, sequence: Sequence::default() });
    }

    pub(crate) fn begin_reading(&mut self, epoch: u16, key: EpochKey) {
        make_room(&mut self.reading);
        self.reading.push(Reading {
            epoch,
            key,
            replay: ReplayWindow::default(),
            authentication_failures: 0,
        });
    }

    /// Drops the write keys below this epoch.
    pub(crate) fn end_writing_below(&mut self, epoch: u16) {
        self.writing.retain(|writing| writing.epoch >= epoch);
        self.writing.shrink_to_fit();
    }

    /// Drops the read keys below this epoch.
    pub(crate) fn end_reading_below(&mut self, epoch: u16) {
        self.reading.retain(|reading| reading.epoch >= epoch);
        self.reading.shrink_to_fit();
    }

    /// Returns whether an epoch with these low bits can be read.
    pub(crate) fn can_read(&self, epoch_bits: u8) -> bool {
        self.reading.iter().any(|reading| lowest_bits(reading.epoch) == epoch_bits)
    }

    /// Returns the newest epoch of the peer.
    pub(crate) fn newest_reading(&self) -> Option<u16> {
        self.reading.last().map(|reading| reading.epoch)
    }

    /// Returns whether the newest key has protected so many records that it should be replaced.
    pub(crate) fn is_near_limit(&self) -> bool {
        self.writing.last().is_some_and(|writing| writing.sequence.used() >= self.limits.update_after)
    }

    /// Returns whether the newest key must not protect more records.
    pub(crate) fn is_at_limit(&self) -> bool {
        self.writing.last().is_some_and(|writing| writing.sequence.used() >= self.limits.end_after)
    }

    /// Returns whether a record of the peer's newest epoch has arrived, so that another epoch may follow.
    pub(crate) fn newest_is_received(&self) -> bool {
        self.reading.last().is_some_and(|reading| reading.replay.next() > 0)
    }

    /// Counts an authentication failure of an epoch with these low bits; without them it counts for each key. Returns
    /// whether to ask the peer for a new key. A former key is dropped at its limit instead (RFC 9147 section 4.5.3).
    pub(crate) fn on_authentication_failure(&mut self, epoch_bits: Option<u8>) -> bool {
        let is_meant = |epoch| epoch_bits.is_none_or(|bits| bits == lowest_bits(epoch));
        for reading in self.reading.iter_mut().filter(|reading| is_meant(reading.epoch)) {
            reading.authentication_failures = reading.authentication_failures.saturating_add(1);
        }
        let (newest, limit) = (self.newest_reading(), self.limits.authentication_failures);
        self.reading
            .retain(|reading| reading.authentication_failures < limit || Some(reading.epoch) == newest);
        self.reading.last().is_some_and(|newest| newest.authentication_failures >= limit)
    }

    /// Resets the count after the peer was asked for a new key.
    pub(crate) fn reset_authentication_failures(&mut self) {
        if let Some(newest) = self.reading.last_mut() {
            newest.authentication_failures = 0;
        }
    }

    /// Appends the header of a record whose content follows, and takes its sequence number.
    pub(crate) fn write_header(&mut self, epoch: u16, out: &mut Vec<u8>) -> Result<u64, KeyExhausted> {
        let writing = self.writing.iter_mut().find(|writing| writing.epoch == epoch);
        let sequence = &mut writing.ok_or(KeyExhausted)?.sequence;
        if sequence.used() > self.limits.end_after {
            return Err(KeyExhausted);
        }
        let sequence = sequence.next()?;
        UnifiedHeader::write(epoch, sequence, 0, out);
        Ok(sequence)
    }

    /// Protects the record that begins at `start` and ends with the buffer.
    pub(crate) fn seal(
        &self,
        RecordNumber { epoch, sequence }: RecordNumber,
        content_type: ContentType,
        start: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), KeyExhausted> {
        let writing = self.writing.iter().find(|writing| writing.epoch == epoch);
        let Writing { key, .. } = writing.ok_or(KeyExhausted)?;
        out.push(content_type.number());
        let (header, content) = split_header(out, start)?;
        let length = u16::try_from(content.len() + MAX_TAG_LEN).map_err(|_| KeyExhausted)?;
        UnifiedHeader::set_length(header, length);
        let tag = key.record.seal(sequence.to_be_bytes(), header, content).ok_or(KeyExhausted)?;
        out.extend_from_slice(tag.as_ref());
        let (header, sealed) = split_header::<HEADER_LEN>(out, start)?;
        hide_number(key, header, 2, sealed).ok_or(KeyExhausted)?;
        Ok(())
    }

    /// Deprotects a record in place. If it does not authenticate, its bytes are overwritten.
    pub(crate) fn open<'a>(
        &mut self,
        header: UnifiedHeader,
        record: &'a mut [u8],
    ) -> Result<Opened<'a>, Discard> {
        // The most recent epoch with these bits (RFC 9147 section 4.2.2).
        let matching = |reading: &&mut Reading| lowest_bits(reading.epoch) == header.epoch_bits;
        let reading = self.reading.iter_mut().rev().find(matching).ok_or(Discard::UnknownEpoch)?;
        let (clear, sealed) = record.split_at_mut_checked(header.len).ok_or(Discard::Truncated)?;
        let truncated =
            hide_number(&reading.key, clear, header.number_len, sealed).ok_or(Discard::BadRecord)?;
        let sequence = reconstruct(truncated, header.number_len, reading.replay.next());
        reading.replay.check(sequence)?;
        let opened =
            reading.key.record.open(sequence.to_be_bytes(), clear, sealed).ok_or(Discard::BadRecord)?;
        reading.replay.accept(sequence);
        let number = RecordNumber { epoch: reading.epoch, sequence };
        let (content_type, content) = inner(opened).ok_or(Discard::BadRecord)?;
        Ok(Opened { number, content_type, content })
    }
}

/// A key is large, and the default growth of a vector would leave room for four. The handshake key is followed by an
/// application key, so room for both is allocated at once and no key is moved.
fn make_room<T>(epochs: &mut Vec<T>) {
    epochs.reserve_exact(if epochs.is_empty() { 2 } else { 1 });
}

const fn lowest_bits(epoch: u16) -> u8 {
    let [_, low] = epoch.to_be_bytes();
    low & 0b11
}

/// Encrypts or decrypts the number in a header, which is the same operation (RFC 9147 section 4.2.3). Returns the
/// resulting number.
fn hide_number(key: &EpochKey, header: &mut [u8], number_len: usize, sealed: &[u8]) -> Option<u16> {
    let [first, second, ..] = key.numbers.new_mask(sealed.get(..16)?).ok()?;
    match header {
        [_, low, ..] if number_len == 1 => {
            *low ^= first;
            Some(u16::from(*low))
        }
        [_, high, low, ..] => {
            let number = u16::from_be_bytes([*high, *low]) ^ u16::from_be_bytes([first, second]);
            [*high, *low] = number.to_be_bytes();
            Some(number)
        }
        _ => None,
    }
}

/// DTLSInnerPlaintext: the content, its type, and any number of zeros.
fn inner(opened: &[u8]) -> Option<(ContentType, &[u8])> {
    let end = opened.iter().rposition(|byte| *byte != 0)?;
    let (content, rest) = opened.split_at_checked(end)?;
    if content.len() > MAX_CONTENT_LEN {
        return None;
    }
    Some((ContentType::from_number(*rest.first()?)?, content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::suite::CipherSuite;
    use crate::dtls13::key_schedule::tests::traffic_secret;
    use crate::record::epoch::FIRST_APPLICATION_EPOCH;

    /// A record of a peer: any number of bits of the sequence number, with or without a length.
    fn seal(key: &EpochKey, sequence: u64, long_number: bool, with_length: bool, text: &[u8]) -> Vec<u8> {
        let [.., high, low] = sequence.to_be_bytes();
        let mut header = vec![0b0010_0011 | u8::from(long_number) << 3 | u8::from(with_length) << 2];
        if long_number {
            header.push(high);
        }
        header.push(low);
        let mut sealed = [text, &[ContentType::ApplicationData.number(), 0, 0, 0]].concat();
        if with_length {
            let len = u16::try_from(sealed.len() + MAX_TAG_LEN).unwrap();
            header.extend(len.to_be_bytes());
        }
        let tag = key.record.seal(sequence.to_be_bytes(), &header, &mut sealed).unwrap();
        sealed.extend(tag.as_ref());
        hide_number(key, &mut header, if long_number { 2 } else { 1 }, &sealed).unwrap();
        header.extend(sealed);
        header
    }

    //= rfc9147-4.2.1-rekey-or-abandon
    #[test]
    fn key_limits_are_below_those_of_the_cipher() {
        let KeyLimits { update_after, end_after, authentication_failures } = KeyLimits::default();
        assert_eq!((update_after, authentication_failures), (1 << 23, 1 << 35));
        // RFC 9147 section 4.5.3: 2^24.5 records of full size, and 2^36 authentication failures, with AES-GCM.
        assert!(update_after < end_after && u128::from(end_after).pow(2) < 1 << 49);
        assert!(authentication_failures < 1 << 36);

        let secret = traffic_secret(CipherSuite::AES_128_GCM_SHA256.dtls13().unwrap());
        let mut epochs =
            Epochs { limits: KeyLimits { end_after: 10, ..KeyLimits::default() }, ..Epochs::default() };
        epochs.begin_writing(FIRST_APPLICATION_EPOCH, secret.key().unwrap());
        let sealed =
            (0..100).filter(|_| epochs.write_header(FIRST_APPLICATION_EPOCH, &mut Vec::new()).is_ok());
        assert_eq!(sealed.count(), 10 + 1, "one more for the alert");
    }

    //= rfc9147-4.5.1-counter-zero
    #[test]
    fn all_record_forms_are_accepted_and_forged_ones_are_not() {
        for suite in [
            CipherSuite::AES_128_GCM_SHA256,
            CipherSuite::AES_256_GCM_SHA384,
            CipherSuite::CHACHA20_POLY1305_SHA256,
        ] {
            let secret = traffic_secret(suite.dtls13().unwrap());
            let mut epochs = Epochs::default();
            epochs.begin_reading(FIRST_APPLICATION_EPOCH, secret.key().unwrap());
            let key = secret.key().unwrap();
            for sequence in 0..1000 {
                let record = seal(&key, sequence, sequence % 3 == 0, sequence % 2 == 0, b"text");
                let header = UnifiedHeader::read(&record).unwrap();
                assert_eq!(header.len + header.body_len, record.len());
                let at = usize::try_from(sequence).unwrap() % record.len();
                let mut forged = record.clone();
                forged[at] ^= 0b1000_0001;
                let read = UnifiedHeader::read(&forged).ok().filter(|header| header.len < forged.len());
                if let Some(header) = read {
                    assert!(epochs.open(header, &mut forged).is_err(), "byte {at}");
                }
                let mut record = record;
                let opened = epochs.open(header, &mut record).unwrap();
                assert_eq!(opened.number, RecordNumber { epoch: FIRST_APPLICATION_EPOCH, sequence });
                assert_eq!(
                    (opened.content_type, opened.content),
                    (ContentType::ApplicationData, &b"text"[..])
                );
            }
        }
    }

    //= rfc9147-4.2.2-recent-epoch
    #[test]
    fn epoch_bits_select_the_latest_matching_epoch() {
        let secret = traffic_secret(CipherSuite::AES_128_GCM_SHA256.dtls13().unwrap());
        let mut epochs = Epochs::default();
        epochs.begin_reading(FIRST_APPLICATION_EPOCH, secret.key().unwrap());
        epochs.begin_reading(FIRST_APPLICATION_EPOCH + 4, secret.next().key().unwrap());
        let mut record = seal(&secret.next().key().unwrap(), 0, true, true, b"text");
        let header = UnifiedHeader::read(&record).unwrap();
        assert_eq!(epochs.open(header, &mut record).unwrap().number.epoch, FIRST_APPLICATION_EPOCH + 4);
    }

    //= rfc9147-4.5.1-no-duplicate
    //= rfc9147-4.5.1-window
    #[test]
    fn forged_record_does_not_move_the_replay_window() {
        let secret = traffic_secret(CipherSuite::AES_128_GCM_SHA256.dtls13().unwrap());
        let mut epochs = Epochs::default();
        epochs.begin_reading(FIRST_APPLICATION_EPOCH, secret.key().unwrap());
        let key = secret.key().unwrap();
        let mut open = |mut record: Vec<u8>| {
            let header = UnifiedHeader::read(&record).unwrap();
            epochs.open(header, &mut record).map(|opened| opened.number.sequence)
        };
        // So far ahead that a moved window would exclude the next records.
        let mut forged = seal(&key, 9000, true, true, b"text");
        *forged.last_mut().unwrap() ^= 1;
        assert_eq!(open(forged), Err(Discard::BadRecord));
        for sequence in [0, 2, 1] {
            let record = seal(&key, sequence, true, true, b"text");
            assert_eq!(open(record.clone()), Ok(sequence));
            assert_eq!(open(record), Err(Discard::Replayed));
        }
    }

    //= rfc9147-4.2.3-short-rejected
    //= rfc9147-4.2.3-padded
    #[test]
    fn number_mask_needs_sixteen_bytes() {
        for suite in [
            CipherSuite::AES_128_GCM_SHA256,
            CipherSuite::AES_256_GCM_SHA384,
            CipherSuite::CHACHA20_POLY1305_SHA256,
        ] {
            let secret = traffic_secret(suite.dtls13().unwrap());
            let mut epochs = Epochs::default();
            epochs.begin_writing(FIRST_APPLICATION_EPOCH, secret.key().unwrap());
            epochs.begin_reading(FIRST_APPLICATION_EPOCH, secret.key().unwrap());
            let mut record = Vec::new();
            let sequence = epochs.write_header(FIRST_APPLICATION_EPOCH, &mut record).unwrap();
            let number = RecordNumber { epoch: FIRST_APPLICATION_EPOCH, sequence };
            epochs.seal(number, ContentType::ApplicationData, 0, &mut record).unwrap();
            assert!(record.len() - HEADER_LEN >= 16, "{suite:?}");
            let header = UnifiedHeader::read(&record).unwrap();
            assert!(epochs.open(header, &mut record).is_ok());
            for body_len in 0..16 {
                let mut short = vec![0b0010_1011, 0, 1];
                short.resize(3 + body_len, 7);
                let header = UnifiedHeader::read(&short).unwrap();
                assert_eq!(epochs.open(header, &mut short).err(), Some(Discard::BadRecord), "{body_len}");
            }
        }
    }

    #[test]
    fn record_without_content_type_is_rejected() {
        assert!(inner(&[0; 20]).is_none());
        assert!(inner(&[]).is_none());
        assert!(matches!(inner(&[1, 2, 23, 0]), Some((ContentType::ApplicationData, [1, 2]))));
    }
}
