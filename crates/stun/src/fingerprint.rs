//! FINGERPRINT (RFC 8489 section 14.7): a CRC-32 that distinguishes STUN from other protocols. It is no protection.

/// The CRC is XORed with this value, so that an application's own CRC-32 at the same place does not match.
const XOR: u32 = 0x5354_554e;

/// The length of the attribute with its header.
pub(crate) const ATTRIBUTE_LEN: u16 = 8;

/// Returns the value. `covered` is the message before the attribute; its length field already includes the attribute.
pub(crate) fn compute(covered: &[u8]) -> u32 {
    crc32fast::hash(covered) ^ XOR
}
