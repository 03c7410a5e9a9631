//! Attributes (RFC 8489 section 14): type, length, value and padding, and the attributes that a receiver ignores.
//!
//! Does not know the values.

use std::fmt;

/// The type of an attribute. Unknown types are ordinary values.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeType(pub u16);

impl AttributeType {
    /// RFC 8489 section 14.1.
    pub const MAPPED_ADDRESS: Self = Self(0x0001);
    /// RFC 8489 section 14.3.
    pub const USERNAME: Self = Self(0x0006);
    /// RFC 8489 section 14.5.
    pub const MESSAGE_INTEGRITY: Self = Self(0x0008);
    /// RFC 8489 section 14.8.
    pub const ERROR_CODE: Self = Self(0x0009);
    /// RFC 8489 section 14.13.
    pub const UNKNOWN_ATTRIBUTES: Self = Self(0x000a);
    /// RFC 8489 section 14.9.
    pub const REALM: Self = Self(0x0014);
    /// RFC 8489 section 14.10.
    pub const NONCE: Self = Self(0x0015);
    /// RFC 8489 section 14.6.
    pub const MESSAGE_INTEGRITY_SHA256: Self = Self(0x001c);
    /// RFC 8489 section 14.2.
    pub const XOR_MAPPED_ADDRESS: Self = Self(0x0020);
    /// RFC 8445 section 7.1.1.
    pub const PRIORITY: Self = Self(0x0024);
    /// RFC 8445 section 7.1.2.
    pub const USE_CANDIDATE: Self = Self(0x0025);
    /// RFC 8489 section 14.16.
    pub const ALTERNATE_DOMAIN: Self = Self(0x8003);
    /// RFC 8489 section 14.14.
    pub const SOFTWARE: Self = Self(0x8022);
    /// RFC 8489 section 14.15.
    pub const ALTERNATE_SERVER: Self = Self(0x8023);
    /// RFC 8489 section 14.7.
    pub const FINGERPRINT: Self = Self(0x8028);
    /// RFC 8445 section 7.1.3.
    pub const ICE_CONTROLLED: Self = Self(0x8029);
    /// RFC 8445 section 7.1.3.
    pub const ICE_CONTROLLING: Self = Self(0x802a);
    /// The nomination counter of libwebrtc's renomination, a `u32`. The type is not registered with IANA.
    pub const GOOG_NOMINATION: Self = Self(0xc001);
    /// The network id and network cost of libwebrtc, two `u16`. The type is not registered with IANA.
    pub const GOOG_NETWORK_INFO: Self = Self(0xc057);

    /// Returns whether a receiver that does not know this type must reject the request (RFC 8489 section 14): the types
    /// up to 0x7fff.
    #[must_use]
    pub const fn is_comprehension_required(self) -> bool {
        self.0 < 0x8000
    }
}

impl fmt::Debug for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AttributeType({:#06x})", self.0)
    }
}

impl fmt::Display for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}

/// One attribute. The value is borrowed from the datagram, without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// The type.
    pub attribute_type: AttributeType,
    /// The value, at most 65,528 bytes.
    pub value: &'a [u8],
}

/// The attributes that a receiver processes, in wire order, duplicates included.
///
/// Leaves out the attributes behind MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256, except FINGERPRINT and a
/// MESSAGE-INTEGRITY-SHA256 behind MESSAGE-INTEGRITY (RFC 8489 sections 14.5 and 14.6).
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    rest: &'a [u8],
    scope: Scope,
}

impl<'a> Attributes<'a> {
    /// `body` must consist of complete attributes; [`Message::decode`](crate::Message::decode) has checked that.
    pub(crate) const fn new(body: &'a [u8]) -> Self {
        Self { rest: body, scope: Scope::Open }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        loop {
            let (attribute, rest) = split_first(self.rest)?;
            self.rest = rest;
            if self.scope.admit(attribute.attribute_type) {
                return Some(attribute);
            }
        }
    }
}

impl std::iter::FusedIterator for Attributes<'_> {}

/// The attributes that a receiver still processes at this position.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope {
    Open,
    AfterIntegrity,
    AfterIntegritySha256,
}

impl Scope {
    /// Returns whether the next attribute is processed. An integrity attribute narrows the scope of its successors.
    pub(crate) fn admit(&mut self, next: AttributeType) -> bool {
        match (*self, next) {
            (Self::Open, AttributeType::MESSAGE_INTEGRITY) => *self = Self::AfterIntegrity,
            (Self::Open | Self::AfterIntegrity, AttributeType::MESSAGE_INTEGRITY_SHA256) => {
                *self = Self::AfterIntegritySha256;
            }
            (Self::Open, _) | (_, AttributeType::FINGERPRINT) => {}
            (Self::AfterIntegrity | Self::AfterIntegritySha256, _) => return false,
        }
        true
    }
}

/// Returns the first attribute and the bytes behind its padding; `None` at the end or if the attribute exceeds `bytes`.
pub(crate) fn split_first(bytes: &[u8]) -> Option<(Attribute<'_>, &[u8])> {
    let (&[type_high, type_low, length_high, length_low], after_header) = bytes.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes([length_high, length_low]));
    let (padded, rest) = after_header.split_at_checked(length.next_multiple_of(4))?;
    let value = padded.get(..length)?;
    let attribute_type = AttributeType(u16::from_be_bytes([type_high, type_low]));
    Some((Attribute { attribute_type, value }, rest))
}
