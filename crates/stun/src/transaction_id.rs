//! The 96 bits that match a response to its request (RFC 8489 section 5).

use std::fmt;

/// A transaction id: 96 bits that an off-path attacker must not be able to guess.
///
/// A pending id prevents an off-path attacker from answering in the peer's place, so `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId([u8; 12]);

impl TransactionId {
    /// Returns the 12 bytes as in the header.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 12] {
        &self.0
    }
}

impl From<[u8; 12]> for TransactionId {
    /// The caller draws the bytes from a cryptographic generator (RFC 8489 section 5).
    fn from(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TransactionId(..)")
    }
}
