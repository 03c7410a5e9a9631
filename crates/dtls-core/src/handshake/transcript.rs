//! Every handshake message so far, as the Finished, the signatures and the session hash cover it.

use crate::crypto::backend::digest;
use crate::handshake::Message;

/// The messages in the order of their sequence, with their headers as if they had not been cut
/// (RFC 6347 section 4.2.6).
///
/// The bytes are kept because a client's CertificateVerify signs them with a hash of its own.
#[derive(Default)]
pub(crate) struct Transcript {
    bytes: Vec<u8>,
    /// Hashes what it has seen of `bytes`; made when the suite is known.
    running: Option<(digest::Context, usize)>,
}

impl Transcript {
    /// Room for a handshake with small certificates, taken at once.
    pub(crate) fn with_room() -> Self {
        Self { bytes: Vec::with_capacity(2048), running: None }
    }

    /// A message of ours, header included.
    pub(crate) fn push(&mut self, message: &[u8]) {
        self.bytes.extend_from_slice(message);
    }

    /// A message of the peer.
    pub(crate) fn receive(&mut self, message: &Message<'_>) {
        let length = u32::try_from(message.body.len()).unwrap_or(u32::MAX).to_be_bytes();
        let [_, length @ ..] = length;
        self.bytes.push(message.kind.0);
        self.bytes.extend_from_slice(&length);
        self.bytes.extend_from_slice(&message.sequence.to_be_bytes());
        self.bytes.extend_from_slice(&[0; 3]);
        self.bytes.extend_from_slice(&length);
        self.bytes.extend_from_slice(message.body);
    }

    /// Forgets everything: a HelloVerifyRequest and what came before it do not count (RFC 6347 section 4.2.1).
    pub(crate) fn restart(&mut self) {
        self.bytes.clear();
        self.running = None;
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The hash of everything so far. The algorithm must be the same each time.
    pub(crate) fn hash(&mut self, algorithm: &'static digest::Algorithm) -> digest::Digest {
        let (context, seen) = self.running.get_or_insert_with(|| (digest::Context::new(algorithm), 0));
        context.update(self.bytes.get(*seen..).unwrap_or_default());
        *seen = self.bytes.len();
        context.clone().finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::HandshakeType;

    #[test]
    fn hashing_in_between_changes_nothing() {
        let message = |body| Message { kind: HandshakeType(11), sequence: 3, body, protected: false };
        let mut transcript = Transcript::default();
        transcript.receive(&message(b"abc"));
        let first = transcript.hash(&digest::SHA256);
        assert_eq!(first.as_ref(), digest::digest(&digest::SHA256, transcript.bytes()).as_ref());
        transcript.push(b"more");
        assert_eq!(transcript.bytes(), b"\x0b\0\0\x03\0\x03\0\0\0\0\0\x03abcmore");
        let second = transcript.hash(&digest::SHA256);
        assert_eq!(second.as_ref(), digest::digest(&digest::SHA256, transcript.bytes()).as_ref());
    }
}
