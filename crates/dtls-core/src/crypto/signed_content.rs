//! What a signature covers, where it is put together for that alone: short, so that no allocation is needed.
//!
//! Knows lengths, and nothing of what the parts mean.

use crate::failure::{Failure, Operation};

/// Two randoms and the longest parameters of a ServerKeyExchange that can be decoded. The content of a CertificateVerify
/// of DTLS 1.3 is shorter.
const MAX_LEN: usize = 2 * 32 + 4 + 255;

/// Some parts, one after the other.
pub(crate) struct SignedContent {
    bytes: [u8; MAX_LEN],
    len: usize,
}

impl SignedContent {
    /// Fails where the parts are longer than all that we sign, rather than that one is left out.
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
    fn the_parts_follow_each_other_and_none_is_cut() {
        let longest = [7; MAX_LEN - 3];
        let content = SignedContent::of(&[b"abc", b"", &longest]).unwrap();
        assert_eq!(content.as_ref(), [b"abc", &longest[..]].concat());
        assert!(SignedContent::of(&[b"abcd", &longest]).is_err());
    }
}
