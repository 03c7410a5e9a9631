//! Attributes that an application adds to an error response, as validated values.
//!
//! Encodes SOFTWARE, ALTERNATE-SERVER, ALTERNATE-DOMAIN, raw bytes, and REALM and NONCE of plain ASCII text. Other text
//! of REALM and NONCE goes to `rich`.

use std::net::{IpAddr, SocketAddr};

use crate::{AttributeType, Error, address, writer::TEXT_LIMIT_CHARS};

/// One attribute of an error response that a policy adds next to ERROR-CODE.
///
/// ```
/// use stun::{AttributeType, ExtraAttribute};
///
/// let software = ExtraAttribute::software("relay-7")?;
/// let shard = ExtraAttribute::opaque(AttributeType(0xc0de), b"eu-west")?;
/// # assert_eq!(software.value(), b"relay-7");
/// # assert_eq!(shard.attribute_type(), AttributeType(0xc0de));
/// # Ok::<(), stun::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraAttribute {
    attribute_type: AttributeType,
    value: Box<[u8]>,
}

impl ExtraAttribute {
    /// SOFTWARE: a description of the agent (RFC 8489 section 14.14).
    ///
    /// # Errors
    /// [`TooLong`](Error::TooLong) from 128 characters on.
    pub fn software(text: &str) -> Result<Self, Error> {
        check_length(AttributeType::SOFTWARE, text)?;
        Ok(Self { attribute_type: AttributeType::SOFTWARE, value: text.as_bytes().into() })
    }

    /// REALM, without quotes (RFC 8489 section 14.9).
    ///
    /// # Errors
    /// [`TooLong`](Error::TooLong) from 128 characters on, [`Malformed`](Error::Malformed) where the text is not in
    /// the OpaqueString profile or cannot stand between quotes. Printable ASCII is accepted, except quotes and
    /// backslashes. The feature `rich` adds quoted pairs, and removes surrounding quotes and white space.
    pub fn realm(text: &str) -> Result<Self, Error> {
        Self::quoted(AttributeType::REALM, text)
    }

    /// NONCE, without quotes (RFC 8489 section 14.10).
    ///
    /// # Errors
    /// [`TooLong`](Error::TooLong) from 128 characters on, [`Malformed`](Error::Malformed) where the text cannot
    /// stand between quotes. Printable ASCII is accepted, except quotes and backslashes. The feature `rich` adds quoted
    /// pairs, and removes surrounding quotes and white space.
    pub fn nonce(text: &str) -> Result<Self, Error> {
        Self::quoted(AttributeType::NONCE, text)
    }

    /// ALTERNATE-SERVER, which belongs to a 300 (RFC 8489 section 14.15).
    #[must_use]
    pub fn alternate_server(address: SocketAddr) -> Self {
        let [high, low] = address.port().to_be_bytes();
        let value = match address.ip() {
            IpAddr::V4(ip) => [&[0, address::IPV4, high, low], &ip.octets()[..]].concat(),
            IpAddr::V6(ip) => [&[0, address::IPV6, high, low], &ip.octets()[..]].concat(),
        };
        Self { attribute_type: AttributeType::ALTERNATE_SERVER, value: value.into() }
    }

    /// ALTERNATE-DOMAIN: the DNS name in the certificate of the alternate server (RFC 8489 section 14.16).
    ///
    /// # Errors
    /// [`TooLong`](Error::TooLong) from 256 characters on, [`Malformed`](Error::Malformed) where it is not a host name
    /// of RFC 1123: labels of 1 to 63 letters, digits and inner hyphens, separated by dots.
    pub fn alternate_domain(name: &str) -> Result<Self, Error> {
        let attribute_type = AttributeType::ALTERNATE_DOMAIN;
        if name.len() > MAX_DOMAIN_LEN {
            return Err(Error::TooLong(attribute_type));
        }
        if !name.split('.').all(is_label) {
            return Err(Error::Malformed(attribute_type));
        }
        Ok(Self { attribute_type, value: name.as_bytes().into() })
    }

    /// Any other attribute with its value in wire form: at most 763 bytes, the length that RFC 8489 requires a receiver
    /// to accept.
    ///
    /// # Errors
    /// [`TooLong`](Error::TooLong). [`Reserved`](Error::Reserved) for an attribute that the response already has or
    /// gets from its transaction: MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256, FINGERPRINT, ERROR-CODE,
    /// UNKNOWN-ATTRIBUTES, XOR-MAPPED-ADDRESS.
    pub fn opaque(attribute_type: AttributeType, value: &[u8]) -> Result<Self, Error> {
        match attribute_type {
            AttributeType::MESSAGE_INTEGRITY
            | AttributeType::MESSAGE_INTEGRITY_SHA256
            | AttributeType::FINGERPRINT
            | AttributeType::ERROR_CODE
            | AttributeType::UNKNOWN_ATTRIBUTES
            | AttributeType::XOR_MAPPED_ADDRESS => Err(Error::Reserved(attribute_type)),
            _ if value.len() > MAX_VALUE_LEN => Err(Error::TooLong(attribute_type)),
            _ => Ok(Self { attribute_type, value: value.into() }),
        }
    }

    /// Returns the type.
    #[must_use]
    pub const fn attribute_type(&self) -> AttributeType {
        self.attribute_type
    }

    /// Returns the value without padding.
    #[must_use]
    pub const fn value(&self) -> &[u8] {
        &self.value
    }

    /// Builds REALM or NONCE. Plain text is its own wire form.
    fn quoted(attribute_type: AttributeType, text: &str) -> Result<Self, Error> {
        check_length(attribute_type, text)?;
        if is_plain(text) {
            return Ok(Self { attribute_type, value: text.as_bytes().into() });
        }
        #[cfg(feature = "rich")]
        return Self::opaque(attribute_type, &crate::rich::encode(attribute_type, text)?);
        #[cfg(not(feature = "rich"))]
        Err(Error::Malformed(attribute_type))
    }
}

fn check_length(attribute_type: AttributeType, text: &str) -> Result<(), Error> {
    if text.chars().count() < TEXT_LIMIT_CHARS { Ok(()) } else { Err(Error::TooLong(attribute_type)) }
}

/// Returns whether the text is ASCII `qdtext` (RFC 3261 section 25.1) that the OpaqueString profile does not change.
fn is_plain(text: &str) -> bool {
    let is_qdtext = |byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    !text.is_empty() && text.bytes().all(is_qdtext) && text.trim().len() == text.len()
}

/// RFC 1123 section 2.1.
fn is_label(label: &str) -> bool {
    let is_letter_digit_hyphen = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=63).contains(&label.len())
        && label.bytes().all(is_letter_digit_hyphen)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// The maximum length of a value that RFC 8489 requires a receiver to accept.
const MAX_VALUE_LEN: usize = 763;

/// RFC 8489 section 14.16.
const MAX_DOMAIN_LEN: usize = 255;
