//! Pre-shared keys (RFC 4279): a key and its identity.

use std::fmt;
use zeroize::Zeroizing;

/// A pre-shared key with its identity.
#[derive(Clone, PartialEq, Eq)]
pub struct Psk {
    identity: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl Psk {
    /// A client sends the identity in plaintext. A server returns the key for a requested identity, and the identity in
    /// this value is ignored.
    ///
    /// # Errors
    /// [`InvalidPsk`]; both lengths go up to 2^16-1 bytes (RFC 4279 section 2).
    pub fn new(identity: &[u8], key: &[u8]) -> Result<Self, InvalidPsk> {
        if key.is_empty() {
            return Err(InvalidPsk::EmptyKey);
        }
        if identity.len().max(key.len()) > usize::from(u16::MAX) {
            return Err(InvalidPsk::TooLong);
        }
        Ok(Self { identity: identity.to_vec(), key: Zeroizing::new(key.to_vec()) })
    }

    /// Returns the identity, which is not secret.
    #[must_use]
    pub fn identity(&self) -> &[u8] {
        &self.identity
    }

    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }
}

impl fmt::Debug for Psk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Psk")
            .field("identity", &self.identity.escape_ascii().to_string())
            .finish_non_exhaustive()
    }
}

/// The reason why a pre-shared key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPsk {
    /// An empty key protects nothing.
    #[error("the key is empty")]
    EmptyKey,
    /// The identity or the key is longer than 2^16-1 bytes.
    #[error("the identity or the key is longer than 65535 bytes")]
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_identity_only() {
        let shown = format!("{:?}", Psk::new(b"sensor-7", b"secret").unwrap());
        assert!(shown.contains("sensor-7") && !shown.contains("secret"));
    }

    #[test]
    fn psk_that_cannot_be_sent_is_refused() {
        assert_eq!(Psk::new(b"me", b"").err(), Some(InvalidPsk::EmptyKey));
        assert_eq!(Psk::new(&vec![0; 65_536], b"key").err(), Some(InvalidPsk::TooLong));
        assert!(Psk::new(b"", b"key").is_ok());
    }
}
