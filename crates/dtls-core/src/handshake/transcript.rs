//! The transcript of the handshake, for the Finished, the signatures and the session hash.

use crate::crypto::backend::digest;
use crate::handshake::{HEADER_LEN, Message};

/// Type and length.
const TLS_HEADER_LEN: usize = 4;

/// The header fields of a message that are part of the transcript.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    /// All fields, as if the message had not been fragmented (RFC 6347 section 4.2.6).
    #[default]
    Dtls12,
    /// Type and length, as in TLS (RFC 9147 section 5.2).
    Dtls13,
}

/// The messages in the order of their sequence numbers. The transcript begins in the form of DTLS 1.2, because a
/// ClientHello may offer both versions.
///
/// The bytes are kept because a client's CertificateVerify of DTLS 1.2 may sign them with another hash.
#[derive(Default)]
pub(crate) struct Transcript {
    form: Form,
    bytes: Vec<u8>,
    /// The running hash, and the length of `bytes` that it covers; created when the suite is known.
    running: Option<(digest::Context, usize)>,
}

impl Transcript {
    /// Returns a transcript with room for a handshake with small certificates, in one allocation.
    pub(crate) fn with_room() -> Self {
        Self { bytes: Vec::with_capacity(2048), ..Self::default() }
    }

    /// Adds a message of ours, including its header.
    pub(crate) fn push(&mut self, message: &[u8]) {
        match (self.form, message.split_at_checked(TLS_HEADER_LEN), message.get(HEADER_LEN..)) {
            (Form::Dtls13, Some((tls_header, _)), Some(body)) => {
                self.bytes.extend_from_slice(tls_header);
                self.bytes.extend_from_slice(body);
            }
            _ => self.bytes.extend_from_slice(message),
        }
    }

    /// Adds a message of the peer.
    pub(crate) fn receive(&mut self, message: &Message<'_>) {
        let length = u32::try_from(message.body.len()).unwrap_or(u32::MAX).to_be_bytes();
        let [_, length @ ..] = length;
        self.bytes.push(message.kind.0);
        self.bytes.extend_from_slice(&length);
        if self.form == Form::Dtls12 {
            self.bytes.extend_from_slice(&message.sequence.to_be_bytes());
            self.bytes.extend_from_slice(&[0; 3]);
            self.bytes.extend_from_slice(&length);
        }
        self.bytes.extend_from_slice(message.body);
    }

    /// Clears the transcript: a HelloVerifyRequest and the messages before it do not count (RFC 6347 section 4.2.1).
    pub(crate) fn restart(&mut self) {
        self.bytes.clear();
        self.running = None;
    }

    /// Converts the transcript to the form of DTLS 1.3, which the hellos have selected.
    pub(crate) fn become_dtls13(&mut self) {
        if self.form == Form::Dtls13 {
            return;
        }
        self.form = Form::Dtls13;
        self.running = None;
        let mut at = 0;
        while let Some(&[_, a, b, c, ..]) = self.bytes.get(at..).and_then(<[u8]>::first_chunk::<HEADER_LEN>) {
            let len = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
            self.bytes.drain(at + TLS_HEADER_LEN..at + HEADER_LEN);
            at = len.saturating_add(at + TLS_HEADER_LEN);
        }
    }

    /// Replaces the messages before a HelloRetryRequest by their hash (RFC 8446 section 4.4.1).
    pub(crate) fn fold(&mut self, algorithm: &'static digest::Algorithm) {
        let hash = digest::digest(algorithm, &self.bytes);
        self.begin_with_hash(hash.as_ref());
    }

    /// Begins with the hash of a first ClientHello, in the form of DTLS 1.3.
    pub(crate) fn begin_with_hash(&mut self, hash: &[u8]) {
        /// `message_hash`
        const MESSAGE_HASH: u8 = 254;
        let len = u8::try_from(hash.len()).unwrap_or(u8::MAX);
        self.form = Form::Dtls13;
        self.running = None;
        self.bytes.clear();
        self.bytes.extend_from_slice(&[MESSAGE_HASH, 0, 0, len]);
        self.bytes.extend_from_slice(hash);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the hash of all messages so far. The algorithm must be the same each time.
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
    fn dtls13_transcript_has_type_and_length_only() {
        let message = |body| Message { kind: HandshakeType(1), sequence: 3, body, protected: false };
        let own = b"\x02\0\0\x02\0\x07\0\0\0\0\0\x02xy";
        let mut early = Transcript::default();
        early.become_dtls13();
        let mut late = Transcript::default();
        for transcript in [&mut early, &mut late] {
            transcript.receive(&message(b"abc"));
            transcript.push(own);
        }
        late.become_dtls13();
        assert_eq!(early.bytes(), b"\x01\0\0\x03abc\x02\0\0\x02xy");
        assert_eq!(late.bytes(), early.bytes());
    }

    #[test]
    fn intermediate_hash_does_not_change_the_transcript() {
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
