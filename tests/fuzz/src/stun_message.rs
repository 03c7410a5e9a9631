//! `stun::Message` from any bytes.
//!
//! The input is decoded as a datagram, and as the attributes of a message with a valid header, with and without a valid
//! MESSAGE-INTEGRITY and FINGERPRINT after them. Every accessor of a decoded message works; the message, written again,
//! is the same; and where `stun-rs` decodes it too, both agree.

use stun::{AttributeType, Error, IntegrityKey, Message, MessageType, MessageWriter, TransactionId};
use stun_rs::{
    MessageDecoder,
    attributes::{ice, stun as rich},
};

/// The module documentation describes the input and the checks.
pub fn stun_message(data: &[u8]) {
    let key = IntegrityKey::short_term("VOkJxbRl1RmTxUk/WvJxBt");
    check(data, &key);

    let mut attributes = data.to_vec();
    attributes.truncate(4096);
    attributes.resize(attributes.len().next_multiple_of(4), 0);
    let datagram = with_header(&attributes);
    check(&datagram, &key);
    if let Ok(message) = Message::decode(&datagram) {
        check(&signed(&message, &key), &key);
    }
}

fn with_header(attributes: &[u8]) -> Vec<u8> {
    let mut datagram = vec![0x00, 0x01];
    datagram.extend(u16::try_from(attributes.len()).expect("bounded above").to_be_bytes());
    datagram.extend([0x21, 0x12, 0xa4, 0x42]);
    datagram.extend([7; 12]);
    datagram.extend(attributes);
    datagram
}

/// A message that verifies, with the attributes that a caller of the writer may write.
fn signed(message: &Message<'_>, key: &IntegrityKey) -> Vec<u8> {
    let mut datagram = Vec::new();
    let id = TransactionId::from([7; 12]);
    let mut writer = MessageWriter::new(&mut datagram, MessageType::BINDING_REQUEST, id);
    for attribute in message.attributes() {
        match writer.attribute(attribute.attribute_type, attribute.value) {
            Ok(_) | Err(Error::Reserved(_)) => {}
            Err(error) => panic!("{error} in {message:?}"),
        }
    }
    let len = writer.finish(Some(key));
    assert_eq!(len, datagram.len());
    let message = Message::decode(&datagram).expect("what we write decodes");
    message.check_fingerprint().expect("what we write has its fingerprint");
    message.verify(key).expect("what we write verifies");
    datagram
}

fn check(datagram: &[u8], key: &IntegrityKey) {
    let Ok(message) = Message::decode(datagram) else { return };
    assert!(stun::is_stun(datagram));
    let mut end = 20;
    for attribute in message.attributes() {
        end += 4 + attribute.value.len().next_multiple_of(4);
        // A lookup finds the first attribute of its type.
        assert!(message.attribute(attribute.attribute_type).is_some());
    }
    assert!(end <= datagram.len());
    let _ = message.software();
    let _ = message.unknown_attributes().map(|types| types.map(Iterator::count));
    let unknown = message.unknown_required(&[AttributeType::USERNAME, AttributeType::PRIORITY]);
    assert!(unknown.into_iter().all(AttributeType::is_comprehension_required));
    let _ = format!("{message:?}");
    let sealed = message.check_fingerprint().is_ok() && message.verify(key).is_ok();
    agree(datagram, &message);
    if sealed && datagram.len() > 40 {
        no_flip_passes(datagram, key);
    }
}

/// A bit of the input decides which one flips.
fn no_flip_passes(datagram: &[u8], key: &IntegrityKey) {
    let mut flipped = datagram.to_vec();
    let at = datagram.iter().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    flipped[at / 8 % datagram.len()] ^= 1 << (at % 8);
    if let Ok(message) = Message::decode(&flipped) {
        assert!(message.check_fingerprint().is_err() || message.verify(key).is_err());
    }
}

/// Compares the fields that both we and `stun-rs` read.
fn agree(datagram: &[u8], message: &Message<'_>) {
    let Ok((theirs, len)) = MessageDecoder::default().decode(datagram) else { return };
    assert_eq!(len, datagram.len());
    assert_eq!(theirs.transaction_id().as_bytes(), message.transaction_id().as_bytes());
    // stun-rs normalises other text when it reads; we return the sent bytes.
    if let Ok(username) = message.username()
        && username.is_none_or(str::is_ascii)
    {
        assert_eq!(username, theirs.get::<rich::UserName>().map(|a| a.expect_user_name().as_str()));
    }
    if let Ok(priority) = message.priority() {
        assert_eq!(priority, theirs.get::<ice::Priority>().map(|a| a.expect_priority().as_u32()));
    }
    if let Ok(tie_breaker) = message.ice_controlling() {
        let theirs = theirs.get::<ice::IceControlling>();
        assert_eq!(tie_breaker, theirs.map(|a| a.expect_ice_controlling().as_u64()));
    }
    if let Ok(address) = message.xor_mapped_address() {
        let theirs = theirs.get::<rich::XorMappedAddress>();
        assert_eq!(address, theirs.map(|a| *a.expect_xor_mapped_address().socket_address()));
    }
    if let Ok(error) = message.error_code() {
        let theirs = theirs.get::<rich::ErrorCode>().map(|a| a.expect_error_code().error_code());
        assert_eq!(error.map(|(code, _)| code.number()), theirs.map(stun_rs::ErrorCode::error_code));
    }
    assert_eq!(message.use_candidate(), theirs.get::<ice::UseCandidate>().is_some());
}
