//! The reasons why bytes are not a valid message, and why an attribute cannot be written.
//!
//! Values without text. The layer above counts them and decides what follows.

use crate::AttributeType;

/// An error in a message, in the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Shorter than a header, not a STUN message type, or without the magic cookie (RFC 8489 section 5).
    #[error("not a STUN message")]
    NotStun,
    /// The length field is not a multiple of 4 or disagrees with the datagram (RFC 8489 section 5).
    #[error("the length field disagrees with the datagram")]
    LengthMismatch,
    /// An attribute claims more bytes than the message has (RFC 8489 section 14).
    #[error("an attribute exceeds the message")]
    AttributeOverrun,
    /// Something follows FINGERPRINT (RFC 8489 section 14.7).
    #[error("FINGERPRINT is not the last attribute")]
    FingerprintNotLast,
    /// The value of this attribute has a wrong form.
    #[error("the value of attribute {0} is malformed")]
    Malformed(AttributeType),
    /// There is no FINGERPRINT to check.
    #[error("no FINGERPRINT")]
    FingerprintMissing,
    /// FINGERPRINT is not the CRC-32 of the message.
    #[error("FINGERPRINT does not match")]
    FingerprintMismatch,
    /// There is no MESSAGE-INTEGRITY to verify.
    #[error("no MESSAGE-INTEGRITY")]
    IntegrityMissing,
    /// MESSAGE-INTEGRITY does not match this key and these bytes.
    #[error("MESSAGE-INTEGRITY does not match")]
    IntegrityMismatch,
    /// With this attribute, the attribute or the message would exceed its maximum length.
    #[error("attribute {0} is too long")]
    TooLong(AttributeType),
    /// The caller may not write this attribute: [`MessageWriter::finish`](crate::MessageWriter::finish) or the layer
    /// that builds the response writes it.
    #[error("attribute {0} cannot be written by the caller")]
    Reserved(AttributeType),
}
