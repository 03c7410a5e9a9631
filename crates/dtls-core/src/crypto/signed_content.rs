//! The input of a signature, built without an allocation because it is short.
//!
//! Knows lengths. Does not know the meaning of the parts.

use crate::failure::{Failure, Operation};

/// Two randoms and the maximum parameters of a ServerKeyExchange. The content of a CertificateVerify of DTLS 1.3 is
/// shorter.
const MAX_LEN: usize = 2 * 32 + 4 + 255;

/// The concatenated parts.
pub(crate) struct SignedContent {
    bytes: [u8; MAX_LEN],
    len: usize,
}

impl SignedContent {
    /// Concatenates the parts. Returns an error instead of truncating them.
    pub(crate) fn of(parts: &[&[u8]]) -> Result<Self, Failure> {
        let mut content = Self { bytes: [0; MAX_LEN], len: 0 };
        for part in parts {
            let end = content.len.saturating_add(part.len());
            let slot = content.bytes.get_mut(content.len..end).ok_or(Failure::Crypto(Operation::Sign))?;
            slot.copy_from_slice(part);
            content.len = end;
        }
        Ok(content)
    }
}

impl AsRef<[u8]> for SignedContent {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_concatenated_and_never_truncated() {
        let longest = [7; MAX_LEN - 3];
        let content = SignedContent::of(&[b"abc", b"", &longest]).unwrap();
        assert_eq!(content.as_ref(), [b"abc", &longest[..]].concat());
        assert!(SignedContent::of(&[b"abcd", &longest]).is_err());
    }
}
