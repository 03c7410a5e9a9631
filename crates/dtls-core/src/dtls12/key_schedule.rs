//! The keys of DTLS 1.2: PRF (RFC 5246 section 5), extended master secret (RFC 7627), key block, Finished and
//! exporter (RFC 5705).

use crate::config::DtlsRole;
use crate::crypto::aead::RecordKey;
use crate::crypto::backend::digest::Digest;
use crate::crypto::backend::hmac;
use crate::crypto::shared_secret::SharedSecret;
use crate::dtls12::Selected;
use crate::failure::{Failure, Misbehaved};
use crate::key_log::KeyLogLine;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// RFC 5246 section 7.4.9.
pub(crate) const VERIFY_DATA_LEN: usize = 12;
const MASTER_SECRET_LEN: usize = 48;
/// Two keys of 32 bytes and two fixed parts of 12: the maximum over all suites.
const MAX_KEY_BLOCK_LEN: usize = 2 * (32 + 12);

/// Proof that both sides have the same transcript.
pub(crate) struct FinishedVerified(());

/// The master secret as the key of the PRF, with the randoms of its handshake.
pub(crate) struct MasterSecret {
    key: hmac::Key,
    selected: Selected,
}

/// The record keys from the point of view of one side.
pub(crate) struct RecordKeys {
    pub(crate) write: RecordKey,
    pub(crate) read: RecordKey,
}

impl MasterSecret {
    /// RFC 7627 section 4: the secret covers the handshake up to the ClientKeyExchange.
    ///
    /// Also returns the line for the key log.
    pub(crate) fn derive(
        selected: Selected,
        premaster: &SharedSecret,
        session_hash: &Digest,
    ) -> (Self, impl FnOnce() -> KeyLogLine + use<>) {
        let algorithm = selected.suite.prf;
        let mut secret = Zeroizing::new([0; MASTER_SECRET_LEN]);
        let premaster = hmac::Key::new(algorithm, premaster.as_bytes());
        prf(&premaster, "extended master secret", &[session_hash.as_ref()], &mut *secret);
        let key = hmac::Key::new(algorithm, &*secret);
        let line = move || KeyLogLine::new("CLIENT_RANDOM", selected.client_random, &*secret);
        (Self { key, selected }, line)
    }

    pub(crate) const fn selected(&self) -> &Selected {
        &self.selected
    }

    /// RFC 5246 section 6.3. Never `None` for a supported suite.
    pub(crate) fn record_keys(&self, role: DtlsRole) -> Option<RecordKeys> {
        let Selected { client_random, server_random, suite, .. } = &self.selected;
        let (key_len, fixed_len) = (suite.aead.key_len(), RecordKey::fixed_len(suite.nonce));
        let mut block = Zeroizing::new([0; MAX_KEY_BLOCK_LEN]);
        let block = block.get_mut(..2 * (key_len + fixed_len))?;
        prf(&self.key, "key expansion", &[server_random, client_random], block);

        let (client_key, rest) = block.split_at_checked(key_len)?;
        let (server_key, rest) = rest.split_at_checked(key_len)?;
        let (client_fixed, server_fixed) = rest.split_at_checked(fixed_len)?;
        let client = RecordKey::new(suite, client_key, client_fixed)?;
        let server = RecordKey::new(suite, server_key, server_fixed)?;
        Some(match role {
            DtlsRole::Client => RecordKeys { write: client, read: server },
            DtlsRole::Server => RecordKeys { write: server, read: client },
        })
    }

    /// Returns the content of the Finished of `sender`.
    pub(crate) fn verify_data(&self, sender: DtlsRole, transcript: &Digest) -> [u8; VERIFY_DATA_LEN] {
        let label = match sender {
            DtlsRole::Client => "client finished",
            DtlsRole::Server => "server finished",
        };
        let mut data = [0; VERIFY_DATA_LEN];
        prf(&self.key, label, &[transcript.as_ref()], &mut data);
        data
    }

    pub(crate) fn verify_finished(
        &self,
        sender: DtlsRole,
        transcript: &Digest,
        received: &[u8],
    ) -> Result<FinishedVerified, Failure> {
        let expected = self.verify_data(sender, transcript);
        if bool::from(expected.ct_eq(received)) {
            Ok(FinishedVerified(()))
        } else {
            Err(Misbehaved::BadFinished.into())
        }
    }

    /// RFC 5705 section 4. Returns `None` if the context is longer than 2^16-1 bytes.
    pub(crate) fn export(&self, label: &str, context: Option<&[u8]>, out: &mut [u8]) -> Option<()> {
        let Selected { client_random, server_random, .. } = &self.selected;
        match context {
            None => prf(&self.key, label, &[client_random, server_random], out),
            Some(context) => {
                let length = u16::try_from(context.len()).ok()?.to_be_bytes();
                prf(&self.key, label, &[client_random, server_random, &length, context], out);
            }
        }
        Some(())
    }
}

/// Labels of the protocol itself. An export with one of them would return the keys of the connection (RFC 5705 section
/// 4).
pub(crate) const RESERVED_LABELS: [&str; 5] =
    ["client finished", "server finished", "master secret", "extended master secret", "key expansion"];

/// RFC 5246 section 5: `PRF(secret, label, seed) = P_hash(secret, label + seed)`.
fn prf(secret: &hmac::Key, label: &str, seed: &[&[u8]], out: &mut [u8]) {
    let chain = |a: Option<&hmac::Tag>, with_seed: bool| {
        let mut context = hmac::Context::with_key(secret);
        if let Some(a) = a {
            context.update(a.as_ref());
        }
        if with_seed {
            context.update(label.as_bytes());
            for part in seed {
                context.update(part);
            }
        }
        context.sign()
    };
    let mut a = chain(None, true);
    let mut chunks = out.chunks_mut(a.as_ref().len()).peekable();
    while let Some(chunk) = chunks.next() {
        let block = chain(Some(&a), true);
        chunk.iter_mut().zip(block.as_ref()).for_each(|(slot, byte)| *slot = *byte);
        if chunks.peek().is_some() {
            a = chain(Some(&a), false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: String = text.split_whitespace().collect();
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
    }

    fn check(algorithm: hmac::Algorithm, secret: &str, seed: &str, expected: &str) {
        let expected = hex(expected);
        let mut out = vec![0; expected.len()];
        prf(&hmac::Key::new(algorithm, &hex(secret)), "test label", &[&hex(seed)], &mut out);
        assert_eq!(out, expected);
    }

    /// "Test vectors for TLS 1.2 PRF", IETF TLS working group list, 2009-03-24
    /// (https://mailarchive.ietf.org/arch/msg/tls/fzVCzk-z3FShgGJ6DOXqM1ydxms/).
    #[test]
    fn prf_matches_the_published_vectors_for_sha256() {
        check(
            hmac::HMAC_SHA256,
            "9bbe436ba940f017b17652849a71db35",
            "a0ba9f936cda311827a6f796ffd5198c",
            "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af
             0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701
             87347b66",
        );
    }

    #[test]
    fn prf_matches_the_published_vectors_for_sha384() {
        check(
            hmac::HMAC_SHA384,
            "b80b733d6ceefcdc71566ea48e5567df",
            "cd665cf6a8447dd6ff8b27555edb7465",
            "7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe34f82b1233c9146a0
             e534cb400fed2700884f9dc236f80edd8bfa961144c9e8d792eca722a7b32fc3d416d473ebc2c5fd4abfdad05d918425
             9b5bf8cd4d90fa0d31e2dec479e4f1a26066f2eea9a69236a3e52655c9e9aee691c8f3a26854308d5eaa3be85e0990703
             d73e56f",
        );
    }
}
