//! REALM and NONCE that are not plain ASCII text: `stun-rs` validates and encodes them.
//!
//! Handles the application's input only, never data from the network.

use stun_rs::{
    MessageClass, MessageEncoder, StunAttribute, StunError, StunMessageBuilder,
    attributes::stun::{Nonce, Realm},
    methods,
};

use crate::{AttributeType, Error, Message};

/// Returns the value of REALM or NONCE with this text.
pub(crate) fn encode(attribute_type: AttributeType, text: &str) -> Result<Vec<u8>, Error> {
    let attribute: Result<StunAttribute, StunError> = match attribute_type {
        AttributeType::REALM => Realm::new(text).map(Into::into),
        _ => Nonce::new(text).map(Into::into),
    };
    let malformed = Error::Malformed(attribute_type);
    let message = StunMessageBuilder::new(methods::BINDING, MessageClass::Indication)
        .with_transaction_id([0; 12].into())
        .with_attribute(attribute.map_err(|_| malformed)?)
        .build();
    // Enough for the header and one text of 127 characters.
    let mut buffer = [0; 1024];
    let len = MessageEncoder::default().encode(&mut buffer, &message).map_err(|_| malformed)?;
    let message = Message::decode(buffer.get(..len).ok_or(malformed)?)?;
    message.attribute(attribute_type).map(<[u8]>::to_vec).ok_or(malformed)
}
