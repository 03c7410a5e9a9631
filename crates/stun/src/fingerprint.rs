//! FINGERPRINT (RFC 8489 section 14.7): a CRC-32 that tells STUN from other protocols, and protects nothing.

/// What the CRC is combined with, so that a CRC-32 of an application's own does not pass for it.
const XOR: u32 = 0x5354_554e;

/// A FINGERPRINT attribute with its header.
pub(crate) const ATTRIBUTE_LEN: u16 = 8;

/// The value for a message of which `covered` is everything before the attribute. The length field counts it already.
pub(crate) fn compute(covered: &[u8]) -> u32 {
    crc32fast::hash(covered) ^ XOR
}
