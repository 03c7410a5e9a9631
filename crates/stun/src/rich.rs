//! Attributes that an application adds to a response, as values that are easy to make and impossible to misuse.
//!
//! Text is validated and encoded by `stun-rs`, which knows the string profiles of RFC 8489. It sees what the
//! application wrote and never what the network sent.

use std::net::{IpAddr, SocketAddr};

use stun_rs::{
    MessageClass, MessageEncoder, StunAttribute, StunMessageBuilder,
    attributes::stun::{Nonce, Realm, Software},
    methods,
};

use crate::{AttributeType, Error, Message, address};

/// One attribute for an error response: what a policy that refuses a check may say beside ERROR-CODE.
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
    /// SOFTWARE: a description for people, fewer than 128 characters (RFC 8489 section 14.14).
    ///
    /// # Errors
    /// [`Malformed`](Error::Malformed) where it is longer or not in the OpaqueString profile.
    pub fn software(text: &str) -> Result<Self, Error> {
        Self::encode(AttributeType::SOFTWARE, Software::new(text))
    }

    /// REALM, without quotes, fewer than 128 characters (RFC 8489 section 14.9).
    ///
    /// # Errors
    /// [`Malformed`](Error::Malformed) where it is longer or not in the OpaqueString profile.
    pub fn realm(text: &str) -> Result<Self, Error> {
        Self::encode(AttributeType::REALM, Realm::new(text))
    }

    /// NONCE, without quotes, fewer than 128 characters (RFC 8489 section 14.10).
    ///
    /// # Errors
    /// [`Malformed`](Error::Malformed) where it is longer or not a quoted string's content.
    pub fn nonce(text: &str) -> Result<Self, Error> {
        Self::encode(AttributeType::NONCE, Nonce::new(text))
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

    /// Any other attribute, its value as it goes to the wire: at most 763 bytes, the longest that RFC 8489 asks a
    /// receiver to take.
    ///
    /// # Errors
    /// [`TooLong`](Error::TooLong). [`Reserved`](Error::Reserved) for what the response has already or gets from its
    /// transaction: MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256, FINGERPRINT, ERROR-CODE, UNKNOWN-ATTRIBUTES,
    /// XOR-MAPPED-ADDRESS.
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

    /// Its type.
    #[must_use]
    pub const fn attribute_type(&self) -> AttributeType {
        self.attribute_type
    }

    /// Its value, without padding.
    #[must_use]
    pub const fn value(&self) -> &[u8] {
        &self.value
    }

    /// Takes the value out of a message that `stun-rs` made around it.
    fn encode<E>(
        attribute_type: AttributeType,
        rich: Result<impl Into<StunAttribute>, E>,
    ) -> Result<Self, Error> {
        let malformed = Error::Malformed(attribute_type);
        let rich = rich.map_err(|_| malformed)?;
        let message = StunMessageBuilder::new(methods::BINDING, MessageClass::Indication)
            .with_transaction_id([0; 12].into())
            .with_attribute(rich)
            .build();
        let mut buffer = [0; 1024];
        let len = MessageEncoder::default().encode(&mut buffer, &message).map_err(|_| malformed)?;
        let message = Message::decode(buffer.get(..len).ok_or(malformed)?)?;
        Self::opaque(attribute_type, message.attribute(attribute_type).ok_or(malformed)?)
    }
}

const MAX_VALUE_LEN: usize = 763;
