//! The routing keys of a datagram, without checksum, HMAC or state.

use stun::{Class, Message, Method};

use crate::discard::Discard;

/// The routing key of a STUN datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peek<'a> {
    /// A request for the agent with this ufrag.
    Request {
        /// The receiver's part of the USERNAME.
        local_ufrag: &'a str,
        /// The transaction id; the response has the same one.
        transaction_id: [u8; 12],
    },
    /// A success or error response for the sender of this transaction.
    Response {
        /// The transaction id.
        transaction_id: [u8; 12],
    },
    /// An indication: a keepalive.
    Indication,
}

/// Reads the routing key of a datagram. Nothing is authenticated yet.
///
/// # Errors
/// [`Discard::NotStun`], [`Discard::Malformed`] or [`Discard::NotBinding`].
pub fn peek(payload: &[u8]) -> Result<Peek<'_>, Discard> {
    if !stun::is_stun(payload) {
        return Err(Discard::NotStun);
    }
    let message = Message::decode(payload).map_err(|_| Discard::Malformed)?;
    let message_type = message.message_type();
    let transaction_id = *message.transaction_id().as_bytes();
    if message_type.method != Method::BINDING {
        return Err(Discard::NotBinding);
    }
    match message_type.class {
        Class::Request => {
            let (local_ufrag, _) = split_username(&message)?;
            Ok(Peek::Request { local_ufrag, transaction_id })
        }
        Class::Success | Class::Error => Ok(Peek::Response { transaction_id }),
        Class::Indication => Ok(Peek::Indication),
    }
}

/// USERNAME is `receiver:sender` (RFC 8445 section 7.2.2).
pub(crate) fn split_username<'a>(message: &Message<'a>) -> Result<(&'a str, &'a str), Discard> {
    let username = message.username().map_err(|_| Discard::Malformed)?;
    username.and_then(|username| username.split_once(':')).ok_or(Discard::Malformed)
}
