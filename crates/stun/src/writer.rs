//! The encoder: appends a message to the caller's buffer.
//!
//! Until [`MessageWriter::finish`] the length field has an invalid value, so an unfinished message cannot be decoded.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use crate::{
    AttributeType, Error, ErrorCode, ExtraAttribute, HEADER_LEN, IntegrityKey, MAGIC_COOKIE, MessageType,
    TransactionId, address, error_code, fingerprint, integrity,
};

/// Appends one message to a buffer: the attributes in the order of the calls, then MESSAGE-INTEGRITY and FINGERPRINT.
///
/// Allocates only if the buffer has to grow. A failed call does not change the message.
#[must_use = "a message without `finish` has an impossible length"]
pub struct MessageWriter<'b> {
    buffer: &'b mut Vec<u8>,
    /// The offset of the message in `buffer`.
    start: usize,
    /// The length of the attributes so far: a multiple of 4, at most `BODY_LIMIT`.
    body_len: u16,
    transaction_id: TransactionId,
}

impl<'b> MessageWriter<'b> {
    /// Begins a message behind the present content of `buffer`.
    pub fn new(buffer: &'b mut Vec<u8>, message_type: MessageType, transaction_id: TransactionId) -> Self {
        let start = buffer.len();
        buffer.extend_from_slice(&message_type.to_wire().to_be_bytes());
        buffer.extend_from_slice(&UNFINISHED.to_be_bytes());
        buffer.extend_from_slice(&MAGIC_COOKIE.to_be_bytes());
        buffer.extend_from_slice(transaction_id.as_bytes());
        Self { buffer, start, body_len: 0, transaction_id }
    }

    /// Appends any attribute. `value` is in wire form without padding.
    ///
    /// # Errors
    /// [`TooLong`](Error::TooLong) where the message would grow over 65,532 bytes behind the header, MESSAGE-INTEGRITY
    /// and FINGERPRINT included. [`Reserved`](Error::Reserved) for the attributes that `finish` writes.
    pub fn attribute(&mut self, attribute_type: AttributeType, value: &[u8]) -> Result<&mut Self, Error> {
        self.append(attribute_type, value.len(), |out| out.extend_from_slice(value))
    }

    /// USERNAME (RFC 8489 section 14.3).
    ///
    /// # Errors
    /// [`TooLong`](Error::TooLong) from 509 bytes on.
    pub fn username(&mut self, username: &str) -> Result<&mut Self, Error> {
        if username.len() >= USERNAME_LIMIT {
            return Err(Error::TooLong(AttributeType::USERNAME));
        }
        self.attribute(AttributeType::USERNAME, username.as_bytes())
    }

    /// SOFTWARE (RFC 8489 section 14.14).
    ///
    /// # Errors
    /// [`TooLong`](Error::TooLong) from 128 characters on.
    pub fn software(&mut self, software: &str) -> Result<&mut Self, Error> {
        if software.chars().count() >= TEXT_LIMIT_CHARS {
            return Err(Error::TooLong(AttributeType::SOFTWARE));
        }
        self.attribute(AttributeType::SOFTWARE, software.as_bytes())
    }

    /// XOR-MAPPED-ADDRESS (RFC 8489 section 14.2).
    ///
    /// # Errors
    /// As [`attribute`](Self::attribute).
    pub fn xor_mapped_address(&mut self, address: SocketAddr) -> Result<&mut Self, Error> {
        let masked = address::xor(address, self.transaction_id);
        let [port_high, port_low] = masked.port().to_be_bytes();
        let (family, len) = match masked.ip() {
            IpAddr::V4(_) => (address::IPV4, 8),
            IpAddr::V6(_) => (address::IPV6, 20),
        };
        self.append(AttributeType::XOR_MAPPED_ADDRESS, len, |out| {
            out.extend_from_slice(&[0, family, port_high, port_low]);
            match masked.ip() {
                IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
                IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
            }
        })
    }

    /// ERROR-CODE with a reason phrase for people (RFC 8489 section 14.8).
    ///
    /// # Errors
    /// [`TooLong`](Error::TooLong) where the phrase has 128 characters or more.
    pub fn error_code(&mut self, code: ErrorCode, reason: &str) -> Result<&mut Self, Error> {
        if reason.chars().count() >= TEXT_LIMIT_CHARS {
            return Err(Error::TooLong(AttributeType::ERROR_CODE));
        }
        self.append(AttributeType::ERROR_CODE, 4 + reason.len(), |out| {
            out.extend_from_slice(&error_code::encode(code));
            out.extend_from_slice(reason.as_bytes());
        })
    }

    /// UNKNOWN-ATTRIBUTES, which belongs to a 420 (RFC 8489 section 14.13).
    ///
    /// # Errors
    /// As [`attribute`](Self::attribute).
    pub fn unknown_attributes(&mut self, unknown: &[AttributeType]) -> Result<&mut Self, Error> {
        self.append(AttributeType::UNKNOWN_ATTRIBUTES, 2 * unknown.len(), |out| {
            out.extend(unknown.iter().flat_map(|unknown| unknown.0.to_be_bytes()));
        })
    }

    /// PRIORITY (RFC 8445 section 7.1.1).
    ///
    /// # Errors
    /// As [`attribute`](Self::attribute).
    pub fn priority(&mut self, priority: u32) -> Result<&mut Self, Error> {
        self.attribute(AttributeType::PRIORITY, &priority.to_be_bytes())
    }

    /// USE-CANDIDATE (RFC 8445 section 7.1.2).
    ///
    /// # Errors
    /// As [`attribute`](Self::attribute).
    pub fn use_candidate(&mut self) -> Result<&mut Self, Error> {
        self.attribute(AttributeType::USE_CANDIDATE, &[])
    }

    /// ICE-CONTROLLING with the tie-breaker (RFC 8445 section 7.1.3).
    ///
    /// # Errors
    /// As [`attribute`](Self::attribute).
    pub fn ice_controlling(&mut self, tie_breaker: u64) -> Result<&mut Self, Error> {
        self.attribute(AttributeType::ICE_CONTROLLING, &tie_breaker.to_be_bytes())
    }

    /// ICE-CONTROLLED with the tie-breaker (RFC 8445 section 7.1.3).
    ///
    /// # Errors
    /// As [`attribute`](Self::attribute).
    pub fn ice_controlled(&mut self, tie_breaker: u64) -> Result<&mut Self, Error> {
        self.attribute(AttributeType::ICE_CONTROLLED, &tie_breaker.to_be_bytes())
    }

    /// Appends an attribute that the application supplied, such as one of a policy that refuses a check.
    ///
    /// # Errors
    /// As [`attribute`](Self::attribute).
    pub fn extra(&mut self, extra: &ExtraAttribute) -> Result<&mut Self, Error> {
        self.attribute(extra.attribute_type(), extra.value())
    }

    /// Ends the message with MESSAGE-INTEGRITY, if there is a key, and FINGERPRINT. Returns the length of the message,
    /// which is at the end of the buffer.
    #[expect(
        clippy::must_use_candidate,
        reason = "the message is in the buffer; its length is optional information"
    )]
    pub fn finish(mut self, key: Option<&IntegrityKey>) -> usize {
        self.seal(key);
        self.body_len += fingerprint::ATTRIBUTE_LEN;
        self.set_length(self.body_len);
        let crc = fingerprint::compute(self.message());
        self.put(
            AttributeType::FINGERPRINT,
            fingerprint::ATTRIBUTE_LEN - ATTRIBUTE_HEADER_LEN,
            &crc.to_be_bytes(),
        );
        self.message().len()
    }

    /// Ends the message without FINGERPRINT, for usages of STUN other than ICE. Otherwise like
    /// [`finish`](Self::finish).
    #[expect(
        clippy::must_use_candidate,
        reason = "the message is in the buffer; its length is optional information"
    )]
    pub fn finish_without_fingerprint(mut self, key: Option<&IntegrityKey>) -> usize {
        self.seal(key);
        self.message().len()
    }

    /// Sets the length field, and appends MESSAGE-INTEGRITY if there is a key.
    fn seal(&mut self, key: Option<&IntegrityKey>) {
        let Some(key) = key else { return self.set_length(self.body_len) };
        self.body_len += integrity::ATTRIBUTE_LEN;
        self.set_length(self.body_len);
        let mac = key.mac(&[self.message()]);
        self.put(AttributeType::MESSAGE_INTEGRITY, integrity::ATTRIBUTE_LEN - ATTRIBUTE_HEADER_LEN, &mac);
    }

    /// Appends an attribute of `len` bytes, written by `write`, if it fits.
    fn append(
        &mut self,
        attribute_type: AttributeType,
        len: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<&mut Self, Error> {
        if matches!(
            attribute_type,
            AttributeType::MESSAGE_INTEGRITY
                | AttributeType::MESSAGE_INTEGRITY_SHA256
                | AttributeType::FINGERPRINT
        ) {
            return Err(Error::Reserved(attribute_type));
        }
        let too_long = Error::TooLong(attribute_type);
        let len = u16::try_from(len).ok().filter(|len| *len <= BODY_LIMIT).ok_or(too_long)?;
        let body_len = len
            .next_multiple_of(4)
            .checked_add(ATTRIBUTE_HEADER_LEN)
            .and_then(|grown| grown.checked_add(self.body_len))
            .filter(|body_len| *body_len <= BODY_LIMIT)
            .ok_or(too_long)?;
        self.buffer.extend_from_slice(&attribute_type.0.to_be_bytes());
        self.buffer.extend_from_slice(&len.to_be_bytes());
        write(self.buffer);
        // The sender sets padding to zero (RFC 8489 section 14).
        self.buffer.resize(self.start + HEADER_LEN + usize::from(body_len), 0);
        self.body_len = body_len;
        Ok(self)
    }

    /// Appends an attribute without padding. `BODY_LIMIT` reserves the space for it.
    fn put(&mut self, attribute_type: AttributeType, len: u16, value: &[u8]) {
        self.buffer.extend_from_slice(&attribute_type.0.to_be_bytes());
        self.buffer.extend_from_slice(&len.to_be_bytes());
        self.buffer.extend_from_slice(value);
    }

    fn set_length(&mut self, length: u16) {
        if let Some([_, _, high, low]) = self.buffer.get_mut(self.start..).and_then(<[u8]>::first_chunk_mut) {
            [*high, *low] = length.to_be_bytes();
        }
    }

    /// Returns the part of the message that is written so far.
    fn message(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }
}

impl fmt::Debug for MessageWriter<'_> {
    /// Shows neither bytes nor transaction id, because the transaction will be pending.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageWriter").field("body_len", &self.body_len).finish_non_exhaustive()
    }
}

/// The length of an attribute's type and length fields.
const ATTRIBUTE_HEADER_LEN: u16 = 4;

/// The maximum length of the caller's attributes: the greatest multiple of 4 of a length field, less the attributes
/// that `finish` writes.
const BODY_LIMIT: u16 = (u16::MAX - 3) - integrity::ATTRIBUTE_LEN - fingerprint::ATTRIBUTE_LEN;

/// Not a multiple of 4, so every receiver rejects it.
const UNFINISHED: u16 = u16::MAX;

/// RFC 8489 section 14.3: a sender uses fewer bytes than this.
const USERNAME_LIMIT: usize = 509;

/// RFC 8489 sections 14.8 to 14.10 and 14.14: fewer characters than this.
pub(crate) const TEXT_LIMIT_CHARS: usize = 128;
