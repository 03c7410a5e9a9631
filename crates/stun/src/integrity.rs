//! MESSAGE-INTEGRITY (RFC 8489 section 14.5): HMAC-SHA1 keys, and the proof that a message was made with one.
//!
//! Does not know which key belongs to which user. MESSAGE-INTEGRITY-SHA256 is recognised and skipped: ICE as browsers
//! speak it has no use for it.

use std::{fmt, ops::Deref};

use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{Error, Message};

/// A MESSAGE-INTEGRITY attribute with its header.
pub(crate) const ATTRIBUTE_LEN: u16 = 24;

/// The output of HMAC-SHA1.
pub(crate) const MAC_LEN: usize = 20;

/// A key for MESSAGE-INTEGRITY, with both HMAC pads already hashed, so that a short message costs no more SHA-1
/// blocks than it has itself plus one.
///
/// Holds no password. The state is wiped on drop, and `Debug` shows nothing of it.
#[derive(Clone)]
pub struct IntegrityKey(Hmac<Sha1>);

impl IntegrityKey {
    /// The key of the short-term credential mechanism, which is ICE's: the password itself (RFC 8489 section 9.1.1).
    ///
    /// The password is taken as it is. ICE passwords are ASCII by grammar (RFC 8839 section 5.4); others have been
    /// through the OpaqueString profile before.
    #[must_use]
    pub fn short_term(password: impl AsRef<[u8]>) -> Self {
        Self::from_bytes(password.as_ref())
    }

    /// The key as bytes of any length. For the long-term mechanism these are the MD5 digest of
    /// `username ":" realm ":" password` (RFC 8489 section 9.2.2).
    #[must_use]
    pub fn from_bytes(key: &[u8]) -> Self {
        // The key block of RFC 2104 section 2, formed here because a block of the right size cannot be refused.
        let mut block = Zeroizing::new([0; BLOCK_LEN]);
        if let Some(start) = block.get_mut(..key.len()) {
            start.copy_from_slice(key);
        } else if let Some((start, _)) = block.split_first_chunk_mut::<MAC_LEN>() {
            *start = Sha1::digest(key).into();
        }
        Self(Hmac::new((&*block).into()))
    }

    /// The MAC of a message that is `parts` in a row, with its length field already adjusted.
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

/// A message whose MESSAGE-INTEGRITY was made with the key that it was verified with.
///
/// Only [`Message::verify`] builds one, so a function that takes it cannot be called with anything else. The proof
/// covers every attribute that [`Message::attributes`] yields before MESSAGE-INTEGRITY, and those are the ones that
/// the typed readers see; it does not cover the source address.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'a>(Message<'a>);

impl<'a> Verified<'a> {
    /// The message, with the lifetime of the datagram.
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

/// Compares in constant time; the only place that makes a [`Verified`].
pub(crate) fn verify<'a>(message: Message<'a>, key: &IntegrityKey) -> Result<Verified<'a>, Error> {
    let protected = message.protected().ok_or(Error::IntegrityMissing)?;
    let expected = key.mac(&[&protected.header, protected.body]);
    if bool::from(expected.ct_eq(protected.mac)) {
        Ok(Verified(message))
    } else {
        Err(Error::IntegrityMismatch)
    }
}

/// The block of SHA-1.
const BLOCK_LEN: usize = 64;
