//! Protection of DTLS 1.3 records (RFC 9147 section 4): which epochs are open, and sealing and opening in place.
//!
//! Knows no message. Knows nothing about when an epoch begins or ends beyond what it is told.

use crate::crypto::aead::MAX_TAG_LEN;
use crate::discard::Discard;
use crate::dtls13::key_schedule::EpochKey;
use crate::record::protect::split_header;
use crate::record::replay::ReplayWindow;
use crate::record::sequence::{KeyExhausted, Sequence};
use crate::record::unified::{HEADER_LEN, UnifiedHeader, reconstruct};
use crate::record::{ContentType, MAX_CONTENT_LEN, RecordNumber};

/// RFC 9147 section 6.1.
pub(crate) const HANDSHAKE_EPOCH: u16 = 2;
/// RFC 9147 section 6.1; each KeyUpdate adds one.
pub(crate) const FIRST_APPLICATION_EPOCH: u16 = 3;

/// What a record adds to its content: header, inner content type and tag.
pub(crate) const OVERHEAD: usize = HEADER_LEN + 1 + MAX_TAG_LEN;

/// What wears a key out (RFC 9147 section 4.5.3, RFC 8446 section 5.5).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wear {
    /// So many sealed records ask for a KeyUpdate.
    pub(crate) update_after: u64,
    /// So many sealed records end the association, because no KeyUpdate was acknowledged. Nothing but the alert that
    /// says so is sealed after them.
    pub(crate) end_after: u64,
    /// So many forgeries under the newest key ask for a KeyUpdate of the peer, and under a former one end it.
    pub(crate) forgeries: u64,
}

impl Default for Wear {
    /// Below 2^24.5 records of full size under AES-GCM, and half of the 2^36 forgeries that ChaCha20-Poly1305 and
    /// AES-GCM bear.
    fn default() -> Self {
        Self { update_after: 1 << 23, end_after: 1 << 24, forgeries: 1 << 35 }
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
    /// Records that failed to authenticate, since the peer was asked for a new key.
    forgeries: u64,
}

/// The epochs of both directions, two of each at most but during a KeyUpdate.
#[derive(Default)]
pub(crate) struct Epochs {
    writing: Vec<Writing>,
    reading: Vec<Reading>,
    pub(crate) wear: Wear,
}

/// A record that authenticated.
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
        self.reading.push(Reading { epoch, key, replay: ReplayWindow::default(), forgeries: 0 });
    }

    /// Forgets what writes below this epoch.
    pub(crate) fn end_writing_below(&mut self, epoch: u16) {
        self.writing.retain(|writing| writing.epoch >= epoch);
        self.writing.shrink_to_fit();
    }

    /// Forgets what reads below this epoch.
    pub(crate) fn end_reading_below(&mut self, epoch: u16) {
        self.reading.retain(|reading| reading.epoch >= epoch);
        self.reading.shrink_to_fit();
    }

    /// Whether an epoch with these lowest bits can be read.
    pub(crate) fn can_read(&self, epoch_bits: u8) -> bool {
        self.reading.iter().any(|reading| lowest_bits(reading.epoch) == epoch_bits)
    }

    /// The newest epoch of the peer.
    pub(crate) fn newest_reading(&self) -> Option<u16> {
        self.reading.last().map(|reading| reading.epoch)
    }

    /// Whether the newest key has sealed so much that it should be replaced.
    pub(crate) fn is_worn(&self) -> bool {
        self.writing.last().is_some_and(|writing| writing.sequence.used() >= self.wear.update_after)
    }

    /// Whether the newest key must not seal any more.
    pub(crate) fn is_spent(&self) -> bool {
        self.writing.last().is_some_and(|writing| writing.sequence.used() >= self.wear.end_after)
    }

    /// Whether the newest epoch of the peer was heard, so that another one may follow it.
    pub(crate) fn newest_is_heard(&self) -> bool {
        self.reading.last().is_some_and(|reading| reading.replay.next() > 0)
    }

    /// A record of an epoch with these lowest bits failed to authenticate; where they are not known, it counts against
    /// each key. Whether it is time to ask the peer for a new one. A former key is dropped instead (RFC 9147 section
    /// 4.5.3).
    pub(crate) fn note_forgery(&mut self, epoch_bits: Option<u8>) -> bool {
        let is_meant = |epoch| epoch_bits.is_none_or(|bits| bits == lowest_bits(epoch));
        for reading in self.reading.iter_mut().filter(|reading| is_meant(reading.epoch)) {
            reading.forgeries = reading.forgeries.saturating_add(1);
        }
        let (newest, limit) = (self.newest_reading(), self.wear.forgeries);
        self.reading.retain(|reading| reading.forgeries < limit || Some(reading.epoch) == newest);
        self.reading.last().is_some_and(|newest| newest.forgeries >= limit)
    }

    /// The peer was asked for a new key.
    pub(crate) fn forget_forgeries(&mut self) {
        if let Some(newest) = self.reading.last_mut() {
            newest.forgeries = 0;
        }
    }

    /// Appends the header of a record whose content is to follow, and takes its sequence number.
    pub(crate) fn write_header(&mut self, epoch: u16, out: &mut Vec<u8>) -> Result<u64, KeyExhausted> {
        let writing = self.writing.iter_mut().find(|writing| writing.epoch == epoch);
        let sequence = &mut writing.ok_or(KeyExhausted)?.sequence;
        if sequence.used() > self.wear.end_after {
            return Err(KeyExhausted);
        }
        let sequence = sequence.next()?;
        UnifiedHeader::write(epoch, sequence, 0, out);
        Ok(sequence)
    }

    /// Seals the record that begins at `start` and ends with the buffer.
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

    /// Opens a record in place. Its bytes are destroyed where it does not authenticate.
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

/// A key is large: room for four, as vectors take it, would stay empty. The handshake's key is followed by one of the
/// application, and room for both is made at once, so that none is moved.
fn make_room<T>(epochs: &mut Vec<T>) {
    epochs.reserve_exact(if epochs.is_empty() { 2 } else { 1 });
}

const fn lowest_bits(epoch: u16) -> u8 {
    let [_, low] = epoch.to_be_bytes();
    low & 0b11
}

/// Encrypts or decrypts the number in a header, which is the same (RFC 9147 section 4.2.3), and tells what stands there
/// then.
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

    /// What a peer may write: any number of bits of the sequence number, with or without a length.
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
    fn a_key_is_replaced_and_ends_below_what_its_cipher_bears() {
        let Wear { update_after, end_after, forgeries } = Wear::default();
        assert_eq!((update_after, forgeries), (1 << 23, 1 << 35));
        // RFC 9147 section 4.5.3: 2^24.5 records of full size, and 2^36 forgeries, under AES-GCM.
        assert!(update_after < end_after && u128::from(end_after).pow(2) < 1 << 49);
        assert!(forgeries < 1 << 36);

        let secret = traffic_secret(CipherSuite::AES_128_GCM_SHA256.dtls13().unwrap());
        let mut epochs = Epochs { wear: Wear { end_after: 10, ..Wear::default() }, ..Epochs::default() };
        epochs.begin_writing(FIRST_APPLICATION_EPOCH, secret.key().unwrap());
        let sealed =
            (0..100).filter(|_| epochs.write_header(FIRST_APPLICATION_EPOCH, &mut Vec::new()).is_ok());
        assert_eq!(sealed.count(), 10 + 1, "the last one for the alert");
    }

    //= rfc9147-4.5.1-counter-zero
    #[test]
    fn short_numbers_missing_lengths_and_padding_are_opened_and_nothing_forged_is() {
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
    fn epoch_bits_mean_the_latest_epoch_that_has_them() {
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
    fn a_record_is_opened_once_and_a_forgery_moves_nothing() {
        let secret = traffic_secret(CipherSuite::AES_128_GCM_SHA256.dtls13().unwrap());
        let mut epochs = Epochs::default();
        epochs.begin_reading(FIRST_APPLICATION_EPOCH, secret.key().unwrap());
        let key = secret.key().unwrap();
        let mut open = |mut record: Vec<u8>| {
            let header = UnifiedHeader::read(&record).unwrap();
            epochs.open(header, &mut record).map(|opened| opened.number.sequence)
        };
        // Far ahead, so that a window which followed it would leave the next ones behind.
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
    fn the_mask_finds_sixteen_bytes_in_the_shortest_record_that_is_sent_and_takes_no_less() {
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
    fn a_record_without_a_content_type_is_no_record() {
        assert!(inner(&[0; 20]).is_none());
        assert!(inner(&[]).is_none());
        assert!(matches!(inner(&[1, 2, 23, 0]), Some((ContentType::ApplicationData, [1, 2]))));
    }
}
