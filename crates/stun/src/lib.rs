//! STUN messages (RFC 8489): decoding and encoding, integrity, fingerprint, retransmission schedule.
//!
//! Knows the wire format and the attributes that ICE uses (RFC 8445). Does not know sockets, pending transactions or
//! candidates, and knows time only as the arithmetic of [`Retransmit`].
//!
//! Decoding borrows from the datagram and does not allocate. A hostile datagram costs one pass over its bytes. The
//! caller runs the checks one by one, the cheapest first:
//!
//! 1. [`is_stun`]: the magic cookie, which distinguishes STUN from other protocols on the socket (RFC 7983).
//! 2. [`Message::decode`]: the structure.
//! 3. Lookups of the caller: the transaction id, the ufrag in [`Message::username`].
//! 4. [`Message::check_fingerprint`]: a CRC-32.
//! 5. [`Message::verify`]: an HMAC-SHA1. Only this function builds a [`Verified`].
//!
//! Encoding appends to the caller's buffer.
//!
//! ```
//! use stun::{IntegrityKey, Message, MessageType, MessageWriter, TransactionId, Verified};
//!
//! let key = IntegrityKey::short_term("VOkJxbRl1RmTxUk/WvJxBt");
//!
//! // A connectivity check of a controlling agent that nominates.
//! let mut datagram = Vec::new();
//! let mut writer = MessageWriter::new(&mut datagram, MessageType::BINDING_REQUEST, TransactionId::from([7; 12]));
//! writer.username("evtj:h6vY")?.priority(0x6e00_01ff)?.ice_controlling(0x932f_f9b1_5126_3b36)?.use_candidate()?;
//! let len = writer.finish(Some(&key));
//! assert_eq!(len, datagram.len());
//!
//! // The other side.
//! let message = Message::decode(&datagram)?;
//! assert_eq!(message.message_type(), MessageType::BINDING_REQUEST);
//! assert_eq!(message.username()?, Some("evtj:h6vY"));
//! message.check_fingerprint()?;
//! let check: Verified<'_> = message.verify(&key)?;
//! assert!(check.use_candidate());
//! assert_eq!(check.priority()?, Some(0x6e00_01ff));
//! # Ok::<(), stun::Error>(())
//! ```

mod address;
mod attribute;
mod error;
mod error_code;
mod extra_attribute;
mod fingerprint;
mod integrity;
mod message;
mod message_type;
mod retransmit;
#[cfg(feature = "rich")]
mod rich;
mod transaction_id;
mod writer;

pub use attribute::{Attribute, AttributeType, Attributes};
pub use error::Error;
pub use error_code::ErrorCode;
pub use extra_attribute::ExtraAttribute;
pub use integrity::{IntegrityKey, Verified};
pub use message::{HEADER_LEN, MAGIC_COOKIE, Message, is_stun};
pub use message_type::{Class, MessageType, Method};
pub use retransmit::{Due, Retransmit, Schedule};
pub use transaction_id::TransactionId;
pub use writer::MessageWriter;

const _: () = {
    const fn assert_send_and_sync<T: Send + Sync>() {}
    assert_send_and_sync::<Message<'_>>();
    assert_send_and_sync::<Verified<'_>>();
    assert_send_and_sync::<IntegrityKey>();
    assert_send_and_sync::<MessageWriter<'_>>();
    assert_send_and_sync::<Retransmit>();
    assert_send_and_sync::<ExtraAttribute>();
};
