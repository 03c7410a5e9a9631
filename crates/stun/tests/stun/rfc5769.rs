//! The test vectors of RFC 5769.

use std::net::SocketAddr;

use stun::{AttributeType, IntegrityKey, Message, MessageType, MessageWriter, TransactionId};

use crate::vectors;

const ID: [u8; 12] = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

#[test]
fn sample_request_decodes_as_in_the_rfc() {
    let datagram = vectors::request();
    let message = Message::decode(&datagram).unwrap();
    assert_eq!(message.message_type(), MessageType::BINDING_REQUEST);
    assert_eq!(message.transaction_id(), TransactionId::from(ID));
    assert_eq!(message.username(), Ok(Some("evtj:h6vY")));
    message.check_fingerprint().unwrap();
    let verified = message.verify(&IntegrityKey::short_term(vectors::PASSWORD)).unwrap();
    assert_eq!(verified.software(), Ok(Some("STUN test client")));
    assert_eq!(verified.priority(), Ok(Some(0x6e00_01ff)));
    assert_eq!(verified.ice_controlled(), Ok(Some(0x932f_f9b1_5126_3b36)));
    assert_eq!(verified.ice_controlling(), Ok(None));
    assert!(!verified.use_candidate());
    let types: Vec<_> = verified.attributes().map(|attribute| attribute.attribute_type).collect();
    assert_eq!(
        types,
        [
            AttributeType::SOFTWARE,
            AttributeType::PRIORITY,
            AttributeType::ICE_CONTROLLED,
            AttributeType::USERNAME,
            AttributeType::MESSAGE_INTEGRITY,
            AttributeType::FINGERPRINT
        ]
    );
}

#[test]
fn sample_responses_decode_as_in_the_rfc() {
    for (datagram, address) in [
        (vectors::ipv4_response(), "192.0.2.1:32853"),
        (vectors::ipv6_response(), "[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
    ] {
        let message = Message::decode(&datagram).unwrap();
        assert_eq!(message.message_type(), MessageType::BINDING_SUCCESS);
        assert_eq!(message.transaction_id(), TransactionId::from(ID));
        message.check_fingerprint().unwrap();
        let verified = message.verify(&IntegrityKey::short_term(vectors::PASSWORD)).unwrap();
        assert_eq!(verified.software(), Ok(Some("test vector")));
        assert_eq!(verified.xor_mapped_address(), Ok(Some(address.parse::<SocketAddr>().unwrap())));
    }
}

#[test]
fn long_term_request_verifies_with_digest_as_key() {
    let username = "\u{30de}\u{30c8}\u{30ea}\u{30c3}\u{30af}\u{30b9}";
    let algorithm = stun_rs::Algorithm::from(stun_rs::AlgorithmId::MD5);
    let key = stun_rs::HMACKey::new_long_term(username, "example.org", "TheMatrIX", algorithm).unwrap();
    let key = IntegrityKey::from_bytes(key.as_bytes());

    let datagram = vectors::long_term_request();
    let verified = Message::decode(&datagram).unwrap().verify(&key).unwrap();
    assert_eq!(verified.username(), Ok(Some(username)));
    assert_eq!(verified.attribute(AttributeType::REALM), Some("example.org".as_bytes()));
    assert_eq!(verified.check_fingerprint(), Err(stun::Error::FingerprintMissing));

    let mut written = Vec::new();
    let id = verified.transaction_id();
    let mut writer = MessageWriter::new(&mut written, MessageType::BINDING_REQUEST, id);
    for attribute in verified.attributes().filter(|a| a.attribute_type != AttributeType::MESSAGE_INTEGRITY) {
        writer.attribute(attribute.attribute_type, attribute.value).unwrap();
    }
    assert_eq!(writer.finish_without_fingerprint(Some(&key)), datagram.len());
    assert_eq!(written, datagram);
}

/// The RFC pads with spaces, this encoder with zeros. A response whose SOFTWARE ends with padding therefore differs in
/// that byte and in the attributes computed over it.
#[test]
fn encoded_samples_differ_in_padding_only() {
    let key = IntegrityKey::short_term(vectors::PASSWORD);
    for sample in [vectors::request(), vectors::ipv4_response(), vectors::ipv6_response()] {
        let message = Message::decode(&sample).unwrap();
        let mut written = Vec::new();
        let mut writer = MessageWriter::new(&mut written, message.message_type(), message.transaction_id());
        if let Some(software) = message.software().unwrap() {
            writer.software(software).unwrap();
        }
        if let Some(address) = message.xor_mapped_address().unwrap() {
            writer.xor_mapped_address(address).unwrap();
        }
        if let Some(priority) = message.priority().unwrap() {
            writer.priority(priority).unwrap();
        }
        if let Some(tie_breaker) = message.ice_controlled().unwrap() {
            writer.ice_controlled(tie_breaker).unwrap();
        }
        if let Some(username) = message.username().unwrap() {
            writer.username(username).unwrap();
        }
        assert_eq!(writer.finish(Some(&key)), sample.len());

        let computed = 24 + 8;
        let (ours, theirs) = (&written[..written.len() - computed], &sample[..sample.len() - computed]);
        let differing: Vec<_> = ours.iter().zip(theirs).filter(|(ours, theirs)| ours != theirs).collect();
        assert!(differing.iter().all(|(ours, theirs)| (**ours, **theirs) == (0, b' ')), "{differing:?}");
        let verified = Message::decode(&written).unwrap().verify(&key).unwrap();
        verified.check_fingerprint().unwrap();
    }
}
