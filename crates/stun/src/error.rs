//! Why bytes are not the message that was asked for, and why an attribute cannot be written.
//!
//! Small facts without text; who counts them decides what they mean.

use crate::AttributeType;

/// What is wrong with a message, in the order in which the tests find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Error {
    /// Shorter than a header, not a STUN message type, or without the magic cookie (RFC 8489 section 5).
    #[error("not a STUN message")]
    NotStun,
    /// The length field is not a multiple of 4 or disagrees with the datagram (RFC 8489 section 5).
    #[error("the length field disagrees with the datagram")]
    LengthMismatch,
    /// An attribute claims more bytes than the message has (RFC 8489 section 14).
    #[error("an attribute runs over the end of the message")]
    AttributeOverrun,
    /// Something follows FINGERPRINT (RFC 8489 section 14.7).
    #[error("FINGERPRINT is not the last attribute")]
    FingerprintNotLast,
    /// The value of this attribute does not have its form.
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
    /// MESSAGE-INTEGRITY was not made with this key over these bytes.
    #[error("MESSAGE-INTEGRITY does not match")]
    IntegrityMismatch,
    /// This attribute would make itself or the message longer than its limit.
    #[error("attribute {0} is too long")]
    TooLong(AttributeType),
    /// This attribute is not the caller's to write: [`MessageWriter::finish`](crate::MessageWriter::finish) or the
    /// layer that builds the response writes it.
    #[error("attribute {0} is not the caller's to write")]
    Reserved(AttributeType),
}
