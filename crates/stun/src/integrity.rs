//! MESSAGE-INTEGRITY (RFC 8489 section 14.5): HMAC-SHA1 keys, and the proof that a message matches a key.
//!
//! Does not know which key belongs to which user. MESSAGE-INTEGRITY-SHA256 is recognised and ignored, because browsers
//! do not use it for ICE.

use std::{fmt, ops::Deref};

use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{Error, Message};

/// The length of the attribute with its header.
pub(crate) const ATTRIBUTE_LEN: u16 = 24;

/// The output length of HMAC-SHA1.
pub(crate) const MAC_LEN: usize = 20;

/// A key for MESSAGE-INTEGRITY. Both HMAC pads are hashed once, so a MAC costs one SHA-1 block more than the message.
///
/// Does not contain the password. The state is zeroized on drop, and `Debug` does not show it.
#[derive(Clone)]
pub struct IntegrityKey(Hmac<Sha1>);

impl IntegrityKey {
    /// Returns the key of the short-term credential mechanism, which ICE uses: the password itself (RFC 8489 section
    /// 9.1.1).
    ///
    /// The password is not processed. ICE passwords are ASCII (RFC 8839 section 5.4); the caller applies the
    /// OpaqueString profile to others.
    #[must_use]
    pub fn short_term(password: impl AsRef<[u8]>) -> Self {
        Self::from_bytes(password.as_ref())
    }

    /// Returns the key from bytes of any length. In the long-term credential mechanism the key is the MD5 digest of
    /// `username ":" realm ":" password` (RFC 8489 section 9.2.2).
    #[must_use]
    pub fn from_bytes(key: &[u8]) -> Self {
        // The key block of RFC 2104 section 2. A block of the exact size cannot be rejected.
        let mut block = Zeroizing::new([0; BLOCK_LEN]);
        if let Some(start) = block.get_mut(..key.len()) {
            start.copy_from_slice(key);
        } else if let Some((start, _)) = block.split_first_chunk_mut::<MAC_LEN>() {
            *start = Sha1::digest(key).into();
        }
        Self(Hmac::new((&*block).into()))
    }

    /// Returns the MAC of a message that consists of `parts`. Its length field must be adjusted already.
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> [u8; MAC_LEN] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for IntegrityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IntegrityKey(..)")
    }
}

/// A message whose MESSAGE-INTEGRITY matches the key.
///
/// Only [`Message::verify`] builds one, so a function with this parameter gets authenticated messages only. The proof
/// covers the attributes that [`Message::attributes`] yields before MESSAGE-INTEGRITY, which are those of the typed
/// readers. It does not cover the source address.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'a>(Message<'a>);

impl<'a> Verified<'a> {
    /// Returns the message, with the lifetime of the datagram.
    #[must_use]
    pub const fn message(&self) -> Message<'a> {
        self.0
    }
}

impl<'a> Deref for Verified<'a> {
    type Target = Message<'a>;

    fn deref(&self) -> &Message<'a> {
        &self.0
    }
}

/// Compares in constant time. No other function builds a [`Verified`].
pub(crate) fn verify<'a>(message: Message<'a>, key: &IntegrityKey) -> Result<Verified<'a>, Error> {
    let protected = message.protected().ok_or(Error::IntegrityMissing)?;
    let expected = key.mac(&[&protected.header, protected.body]);
    if bool::from(expected.ct_eq(protected.mac)) {
        Ok(Verified(message))
    } else {
        Err(Error::IntegrityMismatch)
    }
}

/// The block length of SHA-1.
const BLOCK_LEN: usize = 64;
