//! Attributes that an application adds to an error response, as validated values.
//!
//! `stun-rs` validates and encodes text, because it implements the string profiles of RFC 8489. It handles the
//! application's input only, never data from the network.

use std::net::{IpAddr, SocketAddr};

use stun_rs::{
    MessageClass, MessageEncoder, StunAttribute, StunError, StunMessageBuilder,
    attributes::stun::{Nonce, Realm, Software},
    methods,
};

use crate::{AttributeType, Error, Message, address, writer::TEXT_LIMIT_CHARS};

/// One attribute of an error response that a policy adds next to ERROR-CODE.
///
/// ```
/// use stun::{AttributeType, rich::ExtraAttribute};
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
        Self::text(AttributeType::SOFTWARE, text, Software::new)
    }

    /// REALM, without quotes (RFC 8489 section 14.9).
    ///
    /// # Errors
    /// [`TooLong`](Error::TooLong) from 128 characters on, [`Malformed`](Error::Malformed) where the text is not in
    /// the OpaqueString profile or cannot stand between quotes.
    pub fn realm(text: &str) -> Result<Self, Error> {
        Self::text(AttributeType::REALM, text, Realm::new)
    }

    /// NONCE, without quotes (RFC 8489 section 14.10).
    ///
    /// # Errors
    /// [`TooLong`](Error::TooLong) from 128 characters on, [`Malformed`](Error::Malformed) where the text cannot
    /// stand between quotes.
    pub fn nonce(text: &str) -> Result<Self, Error> {
        Self::text(AttributeType::NONCE, text, Nonce::new)
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

    /// Validates and encodes with `stun-rs`, and takes the value out of the resulting message.
    fn text<'t, T: Into<StunAttribute>>(
        attribute_type: AttributeType,
        text: &'t str,
        rich: impl FnOnce(&'t str) -> Result<T, StunError>,
    ) -> Result<Self, Error> {
        if text.chars().count() >= TEXT_LIMIT_CHARS {
            return Err(Error::TooLong(attribute_type));
        }
        let malformed = Error::Malformed(attribute_type);
        let message = StunMessageBuilder::new(methods::BINDING, MessageClass::Indication)
            .with_transaction_id([0; 12].into())
            .with_attribute(rich(text).map_err(|_| malformed)?)
            .build();
        let mut buffer = [0; 1024];
        let len = MessageEncoder::default().encode(&mut buffer, &message).map_err(|_| malformed)?;
        let message = Message::decode(buffer.get(..len).ok_or(malformed)?)?;
        Self::opaque(attribute_type, message.attribute(attribute_type).ok_or(malformed)?)
    }
}

/// The maximum length of text that RFC 8489 requires a receiver to accept.
const MAX_VALUE_LEN: usize = 763;
