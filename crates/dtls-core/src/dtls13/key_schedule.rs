//! The keys of DTLS 1.3 (RFC 8446 section 7, with the labels of RFC 9147 section 5.9).
//!
//! ```text
//! shared secret -> HandshakeSecrets -> ApplicationSecrets -> TrafficSecret::next ...
//! ```

use crate::config::DtlsRole;
use crate::crypto::aead::RecordKey;
use crate::crypto::backend::digest::{self, Digest};
use crate::crypto::backend::{aead, hmac};
use crate::crypto::shared_secret::SharedSecret;
use crate::crypto::suite13::Suite13;
use crate::failure::{Failure, Misbehaved};
use crate::record::epoch_key::EpochKey;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The output length of SHA-384, the longest hash of a suite.
const MAX_HASH_LEN: usize = 48;
/// AES-256 and ChaCha20.
const MAX_KEY_LEN: usize = 32;

/// Proof that both sides have the same transcript.
pub(crate) struct FinishedVerified(());

/// A secret with the length of the suite's hash.
pub(crate) struct Secret {
    suite: &'static Suite13,
    bytes: Zeroizing<[u8; MAX_HASH_LEN]>,
}

impl Secret {
    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.suite.hash.output_len()).unwrap_or_default()
    }

    /// HKDF-Extract (RFC 5869 section 2.2).
    fn extract(suite: &'static Suite13, salt: &hmac::Key, input: &[u8]) -> Self {
        let mut bytes = Zeroizing::new([0; MAX_HASH_LEN]);
        let extracted = hmac::sign(salt, input);
        bytes.iter_mut().zip(extracted.as_ref()).for_each(|(slot, byte)| *slot = *byte);
        Self { suite, bytes }
    }

    fn hmac_key(&self) -> hmac::Key {
        hmac::Key::new(self.suite.hmac, self.bytes())
    }

    /// Returns the key for expanding labels.
    fn expander(&self) -> Expander {
        Expander { suite: self.suite, key: self.hmac_key() }
    }

    /// Returns the bytes for the key log.
    pub(crate) fn expose(&self) -> &[u8] {
        self.bytes()
    }
}

/// A secret as the key of an HMAC. Building it costs as much as a label, and most secrets have several labels.
struct Expander {
    suite: &'static Suite13,
    key: hmac::Key,
}

impl Expander {
    /// HKDF-Expand-Label (RFC 8446 section 7.1). The output is at most 255 hash lengths; the rest stays zero.
    fn label(&self, label: &str, context: &[u8], out: &mut [u8]) {
        let [length_high, length_low] = u16::try_from(out.len()).unwrap_or(u16::MAX).to_be_bytes();
        let label_len = u8::try_from("dtls13".len() + label.len()).unwrap_or(u8::MAX);
        let context_len = u8::try_from(context.len()).unwrap_or(u8::MAX);
        let mut previous: Option<hmac::Tag> = None;
        for (counter, chunk) in (1..=u8::MAX).zip(out.chunks_mut(self.suite.hash.output_len())) {
            let mut block = hmac::Context::with_key(&self.key);
            if let Some(previous) = &previous {
                block.update(previous.as_ref());
            }
            block.update(&[length_high, length_low, label_len, b'd', b't', b'l', b's', b'1', b'3']);
            block.update(label.as_bytes());
            match context {
                [] => block.update(&[0, counter]),
                _ => [&[context_len], context, &[counter]].iter().for_each(|part| block.update(part)),
            }
            let block = block.sign();
            chunk.iter_mut().zip(block.as_ref()).for_each(|(slot, byte)| *slot = *byte);
            previous = Some(block);
        }
    }

    /// Derive-Secret with a finished transcript hash.
    fn derive(&self, label: &str, transcript: &[u8]) -> Secret {
        let mut bytes = Zeroizing::new([0; MAX_HASH_LEN]);
        let len = self.suite.hash.output_len();
        self.label(label, transcript, bytes.get_mut(..len).unwrap_or_default());
        Secret { suite: self.suite, bytes }
    }

    /// Returns the keys of a traffic secret's epoch. Never `None` for a supported suite.
    fn epoch_key(&self) -> Option<EpochKey> {
        let suite = self.suite;
        let mut key = Zeroizing::new([0; MAX_KEY_LEN]);
        let mut iv = [0; aead::NONCE_LEN];
        let key = key.get_mut(..suite.aead.key_len())?;
        self.label("key", &[], key);
        self.label("iv", &[], &mut iv);
        let record = RecordKey::implicit(suite.aead, key, iv)?;
        self.label("sn", &[], key);
        Some(EpochKey { record, numbers: aead::quic::HeaderProtectionKey::new(suite.numbers, key).ok()? })
    }
}

/// The traffic secret of one direction in one epoch.
pub(crate) struct TrafficSecret(Secret);

impl TrafficSecret {
    /// Never `None` for a supported suite.
    pub(crate) fn key(&self) -> Option<EpochKey> {
        self.0.expander().epoch_key()
    }

    /// The secret after a KeyUpdate (RFC 8446 section 7.2).
    pub(crate) fn next(&self) -> Self {
        Self(self.0.expander().derive("traffic upd", &[]))
    }

    /// Returns the keys of one side of the handshake. Never `None` for a supported suite.
    pub(crate) fn handshake_keys(&self) -> Option<(EpochKey, FinishedKey)> {
        let expander = self.0.expander();
        Some((expander.epoch_key()?, FinishedKey(expander.derive("finished", &[]))))
    }

    pub(crate) fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

/// The keys of the Finished of both sides.
pub(crate) struct FinishedKeys {
    pub(crate) ours: FinishedKey,
    pub(crate) theirs: FinishedKey,
}

/// The key of the Finished of one side (RFC 8446 section 4.4.4).
pub(crate) struct FinishedKey(Secret);

impl FinishedKey {
    /// Returns the content of the Finished.
    pub(crate) fn verify_data(&self, transcript: &Digest) -> hmac::Tag {
        hmac::sign(&self.0.hmac_key(), transcript.as_ref())
    }

    pub(crate) fn verify_finished(
        &self,
        transcript: &Digest,
        received: &[u8],
    ) -> Result<FinishedVerified, Failure> {
        if bool::from(self.verify_data(transcript).as_ref().ct_eq(received)) {
            Ok(FinishedVerified(()))
        } else {
            Err(Misbehaved::BadFinished.into())
        }
    }
}

/// Both directions of an epoch, from the point of view of one side.
pub(crate) struct Directions {
    pub(crate) client: TrafficSecret,
    pub(crate) server: TrafficSecret,
}

impl Directions {
    pub(crate) const fn write(&self, role: DtlsRole) -> &TrafficSecret {
        match role {
            DtlsRole::Client => &self.client,
            DtlsRole::Server => &self.server,
        }
    }

    pub(crate) const fn read(&self, role: DtlsRole) -> &TrafficSecret {
        match role {
            DtlsRole::Client => &self.server,
            DtlsRole::Server => &self.client,
        }
    }

    pub(crate) fn into_write_and_read(self, role: DtlsRole) -> (TrafficSecret, TrafficSecret) {
        match role {
            DtlsRole::Client => (self.client, self.server),
            DtlsRole::Server => (self.server, self.client),
        }
    }
}

/// The secrets of the rest of the handshake.
pub(crate) struct HandshakeSecrets {
    pub(crate) traffic: Directions,
    pub(crate) master_salt: MasterSalt,
}

impl HandshakeSecrets {
    /// `transcript` covers ClientHello to ServerHello.
    pub(crate) fn derive(suite: &'static Suite13, shared: &SharedSecret, transcript: &Digest) -> Self {
        let handshake = Secret::extract(suite, &suite.handshake_salt, shared.as_bytes()).expander();
        let traffic = |label| TrafficSecret(handshake.derive(label, transcript.as_ref()));
        Self {
            traffic: Directions { client: traffic("c hs traffic"), server: traffic("s hs traffic") },
            master_salt: MasterSalt(handshake.derive("derived", suite.empty_hash)),
        }
    }
}

/// The salt of the master secret.
pub(crate) struct MasterSalt(Secret);

impl MasterSalt {
    /// `transcript` covers ClientHello to the server's Finished.
    pub(crate) fn application(&self, transcript: &Digest) -> ApplicationSecrets {
        let suite = self.0.suite;
        let zeros = [0; MAX_HASH_LEN];
        let zeros = zeros.get(..suite.hash.output_len()).unwrap_or_default();
        let master = Secret::extract(suite, &self.0.hmac_key(), zeros).expander();
        let derive = |label| master.derive(label, transcript.as_ref());
        ApplicationSecrets {
            traffic: Directions {
                client: TrafficSecret(derive("c ap traffic")),
                server: TrafficSecret(derive("s ap traffic")),
            },
            exporter: Exporter(derive("exp master")),
        }
    }
}

/// The secrets after the handshake.
pub(crate) struct ApplicationSecrets {
    pub(crate) traffic: Directions,
    pub(crate) exporter: Exporter,
}

/// Exports keying material (RFC 8446 section 7.5).
pub(crate) struct Exporter(Secret);

impl Exporter {
    /// A missing context is an empty one. Returns `None` for more bytes than 255 hash lengths.
    pub(crate) fn export(&self, label: &str, context: Option<&[u8]>, out: &mut [u8]) -> Option<()> {
        let suite = self.0.suite;
        if out.len() > 255 * suite.hash.output_len() || label.len() > 255 - "dtls13".len() {
            return None;
        }
        let secret = self.0.expander().derive(label, suite.empty_hash).expander();
        match context {
            None | Some([]) => secret.label("exporter", suite.empty_hash, out),
            Some(context) => {
                secret.label("exporter", digest::digest(suite.hash, context).as_ref(), out);
            }
        }
        Some(())
    }

    pub(crate) fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::crypto::suite::CipherSuite;

    //= rfc9147-5.9-label
    #[test]
    fn labels_begin_with_dtls13_without_space() {
        // RFC 5869 section 2.3 with a hand-written HkdfLabel of RFC 8446 section 7.1.
        let suite = CipherSuite::AES_128_GCM_SHA256.dtls13().unwrap();
        let secret = any_secret(suite);
        let info = [&[0, 40, 8][..], b"dtls13sn", &[3], b"abc"].concat();
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.bytes());
        let first = hmac::sign(&key, &[&info[..], &[1]].concat());
        let second = hmac::sign(&key, &[first.as_ref(), &info, &[2]].concat());
        let expected = [first.as_ref(), &second.as_ref()[..8]].concat();
        let mut expanded = [0; 40];
        secret.expander().label("sn", b"abc", &mut expanded);
        assert_eq!(expanded[..], expected);
    }

    fn any_secret(suite: &'static Suite13) -> Secret {
        Secret::extract(suite, &hmac::Key::new(suite.hmac, b"salt"), b"input")
    }

    /// A fixed secret for test keys.
    pub(crate) fn traffic_secret(suite: &'static Suite13) -> TrafficSecret {
        TrafficSecret(any_secret(suite))
    }

    /// RFC 8446 section 7.1: the early secret and the salt of the handshake secret, without a pre-shared key.
    #[test]
    fn precomputed_salt_matches_the_key_schedule() {
        for suite in CipherSuite::SUPPORTED.into_iter().filter_map(CipherSuite::dtls13) {
            assert_eq!(suite.empty_hash, digest::digest(suite.hash, &[]).as_ref());
            let zeros = vec![0; suite.hash.output_len()];
            let early = Secret::extract(suite, &hmac::Key::new(suite.hmac, &zeros), &zeros);
            let salt = early.expander().derive("derived", suite.empty_hash).hmac_key();
            let extracted = |salt| Secret::extract(suite, salt, b"input");
            assert_eq!(extracted(&suite.handshake_salt).bytes(), extracted(&salt).bytes());
        }
    }
}
