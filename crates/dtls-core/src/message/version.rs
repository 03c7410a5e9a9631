//! Protocol versions on the wire: the ones' complement of the TLS version (RFC 6347 section 4.1).

use std::fmt;

/// A protocol version on the wire. Unknown values are ordinary values.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProtocolVersion(pub u16);

impl ProtocolVersion {
    /// Never negotiated; the record version of a first ClientHello.
    pub const DTLS10: Self = Self(0xfeff);
    /// RFC 6347.
    pub const DTLS12: Self = Self(0xfefd);
    /// RFC 9147.
    pub const DTLS13: Self = Self(0xfefc);
}

impl fmt::Debug for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::DTLS10 => f.write_str("DTLS 1.0"),
            Self::DTLS12 => f.write_str("DTLS 1.2"),
            Self::DTLS13 => f.write_str("DTLS 1.3"),
            Self(number) => write!(f, "ProtocolVersion({number:#06x})"),
        }
    }
}
