//! The rules of RFC 8489 for valid but unusual messages, and the errors of the encoder.

use stun::{
    AttributeType, Error, ErrorCode, ExtraAttribute, HEADER_LEN, IntegrityKey, Message, MessageType,
    MessageWriter, TransactionId, is_stun,
};

use crate::vectors;

/// A message with these raw attributes and a correct length, without integrity and fingerprint.
fn message_of(attributes: &[(AttributeType, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (attribute_type, value) in attributes {
        body.extend(attribute_type.0.to_be_bytes());
        body.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0xff);
    }
    let mut datagram = vec![0x00, 0x01];
    datagram.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    datagram.extend(0x2112_a442_u32.to_be_bytes());
    datagram.extend([9; 12]);
    datagram.extend(body);
    datagram
}

fn writer(buffer: &mut Vec<u8>) -> MessageWriter<'_> {
    MessageWriter::new(buffer, MessageType::BINDING_REQUEST, TransactionId::from([9; 12]))
}

#[test]
fn first_attribute_of_a_type_counts() {
    let datagram = message_of(&[
        (AttributeType::PRIORITY, &[0, 0, 0, 1]),
        (AttributeType::PRIORITY, &[0, 0, 0, 2]),
        (AttributeType::USERNAME, b"first"),
        (AttributeType::USERNAME, b"second"),
    ]);
    let message = Message::decode(&datagram).unwrap();
    assert_eq!(message.priority(), Ok(Some(1)));
    assert_eq!(message.username(), Ok(Some("first")));
}

#[test]
fn malformed_first_attribute_is_an_error_before_a_valid_one() {
    let datagram =
        message_of(&[(AttributeType::PRIORITY, &[0, 0, 1]), (AttributeType::PRIORITY, &[0, 0, 0, 2])]);
    let message = Message::decode(&datagram).unwrap();
    assert_eq!(message.priority(), Err(Error::Malformed(AttributeType::PRIORITY)));
}

#[test]
fn attributes_behind_integrity_do_not_count() {
    let key = IntegrityKey::short_term("password");
    let mut datagram = Vec::new();
    let mut message = writer(&mut datagram);
    message.priority(1).unwrap();
    message.finish_without_fingerprint(Some(&key));
    // An on-path attacker appends USE-CANDIDATE and corrects the length. The HMAC does not cover it.
    datagram.extend([0x00, 0x25, 0x00, 0x00]);
    let length = u16::try_from(datagram.len() - HEADER_LEN).unwrap();
    datagram[2..4].copy_from_slice(&length.to_be_bytes());

    let verified = Message::decode(&datagram).unwrap().verify(&key).unwrap();
    assert!(!verified.use_candidate());
    assert_eq!(verified.attributes().count(), 2);
}

#[test]
fn second_integrity_does_not_count() {
    let key = IntegrityKey::short_term("password");
    let mut datagram = Vec::new();
    writer(&mut datagram).finish_without_fingerprint(Some(&key));
    let integrity = datagram.get(HEADER_LEN..).unwrap().to_vec();
    // The forged attribute comes first, the valid one second.
    datagram.truncate(HEADER_LEN);
    datagram.extend([0x00, 0x08, 0x00, 0x14].iter().chain(&[0xaa; 20]));
    datagram.extend(integrity);
    datagram[3] = 48;
    let message = Message::decode(&datagram).unwrap();
    assert_eq!(message.verify(&key).map(drop), Err(Error::IntegrityMismatch));
}

#[test]
fn integrity_behind_integrity_sha256_does_not_count() {
    let mut datagram = message_of(&[
        (AttributeType::MESSAGE_INTEGRITY_SHA256, &[1; 32]),
        (AttributeType::MESSAGE_INTEGRITY, &[2; 20]),
        (AttributeType::PRIORITY, &[0, 0, 0, 1]),
    ]);
    let message = Message::decode(&datagram).unwrap();
    assert!(!message.has_integrity());
    assert_eq!(message.priority(), Ok(None));
    // Behind MESSAGE-INTEGRITY it counts, and ends the attributes that count.
    datagram = message_of(&[
        (AttributeType::MESSAGE_INTEGRITY, &[2; 20]),
        (AttributeType::MESSAGE_INTEGRITY_SHA256, &[1; 32]),
        (AttributeType::PRIORITY, &[0, 0, 0, 1]),
        (AttributeType::FINGERPRINT, &[0; 4]),
    ]);
    let types: Vec<_> =
        Message::decode(&datagram).unwrap().attributes().map(|attribute| attribute.attribute_type).collect();
    assert_eq!(
        types,
        [
            AttributeType::MESSAGE_INTEGRITY,
            AttributeType::MESSAGE_INTEGRITY_SHA256,
            AttributeType::FINGERPRINT
        ]
    );
}

#[test]
fn fingerprint_must_be_last() {
    let datagram =
        message_of(&[(AttributeType::FINGERPRINT, &[0; 4]), (AttributeType::PRIORITY, &[0, 0, 0, 1])]);
    assert_eq!(Message::decode(&datagram).map(drop), Err(Error::FingerprintNotLast));
    let datagram =
        message_of(&[(AttributeType::FINGERPRINT, &[0; 4]), (AttributeType::FINGERPRINT, &[0; 4])]);
    assert_eq!(Message::decode(&datagram).map(drop), Err(Error::FingerprintNotLast));
}

#[test]
fn integrity_and_fingerprint_have_one_size() {
    for (attribute_type, len) in [(AttributeType::MESSAGE_INTEGRITY, 20), (AttributeType::FINGERPRINT, 4)] {
        for wrong in [0, len - 1, len + 1] {
            let datagram = message_of(&[(attribute_type, &vec![0; wrong])]);
            assert_eq!(Message::decode(&datagram).map(drop), Err(Error::Malformed(attribute_type)));
        }
        Message::decode(&message_of(&[(attribute_type, &vec![0; len])])).unwrap();
    }
}

#[test]
fn padding_may_be_anything() {
    let datagram = message_of(&[(AttributeType::USERNAME, b"a"), (AttributeType::PRIORITY, &[0, 0, 0, 1])]);
    assert!(datagram.ends_with(&[0, 0, 0, 1]) && datagram.contains(&0xff));
    let message = Message::decode(&datagram).unwrap();
    assert_eq!(message.username(), Ok(Some("a")));
    assert_eq!(message.priority(), Ok(Some(1)));
}

#[test]
fn length_field_must_be_correct_multiple_of_four() {
    let sound = message_of(&[(AttributeType::PRIORITY, &[0, 0, 0, 1])]);
    for wrong in [0, 4, 7, 9, 10, 12, 0xffff] {
        let mut datagram = sound.clone();
        datagram[2..4].copy_from_slice(&u16::to_be_bytes(wrong));
        assert_eq!(Message::decode(&datagram).map(drop), Err(Error::LengthMismatch), "length {wrong}");
    }
    // The length matches the datagram but is not a multiple of four.
    let mut datagram = sound.clone();
    datagram.push(0);
    datagram[3] = 9;
    assert_eq!(Message::decode(&datagram).map(drop), Err(Error::LengthMismatch));
}

#[test]
fn only_unknown_required_attributes_are_listed() {
    let datagram = message_of(&[
        (AttributeType(0x7fff), b"required"),
        (AttributeType(0x8000), b"optional"),
        (AttributeType::PRIORITY, &[0, 0, 0, 1]),
        (AttributeType(0x0002), b""),
        (AttributeType::MESSAGE_INTEGRITY, &[0; 20]),
        (AttributeType(0x0003), b"does not count"),
    ]);
    let message = Message::decode(&datagram).unwrap();
    let unknown: Vec<_> = message.unknown_required(&[AttributeType::PRIORITY]).collect();
    assert_eq!(unknown, [AttributeType(0x7fff), AttributeType(0x0002)]);

    let mut response = Vec::new();
    let mut writer = MessageWriter::new(&mut response, MessageType::BINDING_ERROR, message.transaction_id());
    writer.error_code(ErrorCode::UNKNOWN_ATTRIBUTE, ErrorCode::UNKNOWN_ATTRIBUTE.reason()).unwrap();
    writer.unknown_attributes(&unknown).unwrap();
    writer.finish(None);
    let response = Message::decode(&response).unwrap();
    assert_eq!(response.error_code(), Ok(Some((ErrorCode::UNKNOWN_ATTRIBUTE, "Unknown Attribute"))));
    assert_eq!(response.unknown_attributes().unwrap().unwrap().collect::<Vec<_>>(), unknown);
}

#[test]
fn username_limit_is_763_received_and_508_sent() {
    let readable = "u".repeat(763);
    let datagram = message_of(&[(AttributeType::USERNAME, readable.as_bytes())]);
    assert_eq!(Message::decode(&datagram).unwrap().username(), Ok(Some(&*readable)));
    let datagram = message_of(&[(AttributeType::USERNAME, &[b'u'; 764])]);
    let malformed = Err(Error::Malformed(AttributeType::USERNAME));
    assert_eq!(Message::decode(&datagram).unwrap().username(), malformed);
    let datagram = message_of(&[(AttributeType::USERNAME, b"not \xff UTF-8")]);
    assert_eq!(Message::decode(&datagram).unwrap().username(), malformed);

    let mut buffer = Vec::new();
    let mut writer = writer(&mut buffer);
    writer.username(&readable[..508]).unwrap();
    assert_eq!(writer.username(&readable[..509]).map(drop), Err(Error::TooLong(AttributeType::USERNAME)));
}

#[test]
fn address_of_unknown_family_or_length_is_malformed() {
    for value in [
        &[0, 3, 0, 0, 1, 2, 3, 4][..],
        &[0, 1, 0, 0, 1, 2, 3],
        &[0, 1, 0, 0, 1, 2, 3, 4, 5],
        &[0, 2, 0, 0, 1, 2, 3, 4],
        &[0, 1, 0],
        &[],
    ] {
        let datagram = message_of(&[(AttributeType::XOR_MAPPED_ADDRESS, value)]);
        let message = Message::decode(&datagram).unwrap();
        assert_eq!(message.xor_mapped_address(), Err(Error::Malformed(AttributeType::XOR_MAPPED_ADDRESS)));
    }
}

#[test]
fn eight_bytes_distinguish_stun_from_other_protocols() {
    let datagram = vectors::request();
    assert!(is_stun(&datagram));
    assert!(is_stun(&datagram[..8]));
    assert!(!is_stun(&datagram[..7]));
    for (position, byte) in [(0, 0x40), (0, 0x80), (0, 22), (4, 0x20), (7, 0x43)] {
        let mut neighbour = datagram.clone();
        neighbour[position] = byte;
        // 22 is the first byte of a DTLS handshake record, with zero upper bits, so the magic cookie decides.
        assert_eq!(is_stun(&neighbour), byte == 22, "byte {position} = {byte:#x}");
    }
}

#[test]
fn message_is_appended_to_buffer_content() {
    let mut buffer = b"before".to_vec();
    let mut message = writer(&mut buffer);
    message.priority(7).unwrap();
    let len = message.finish(None);
    assert!(buffer.starts_with(b"before"));
    assert_eq!(buffer.len(), 6 + len);
    let message = Message::decode(&buffer[6..]).unwrap();
    message.check_fingerprint().unwrap();
    assert_eq!(message.priority(), Ok(Some(7)));
}

#[test]
fn unfinished_message_is_rejected() {
    let mut buffer = Vec::new();
    writer(&mut buffer).priority(1).unwrap();
    assert_eq!(Message::decode(&buffer).map(drop), Err(Error::LengthMismatch));
}

#[test]
fn caller_cannot_write_integrity_or_fingerprint() {
    let mut buffer = Vec::new();
    let mut message = writer(&mut buffer);
    for reserved in [
        AttributeType::MESSAGE_INTEGRITY,
        AttributeType::MESSAGE_INTEGRITY_SHA256,
        AttributeType::FINGERPRINT,
    ] {
        assert_eq!(message.attribute(reserved, &[0; 20]).map(drop), Err(Error::Reserved(reserved)));
    }
    assert_eq!(message.finish(None), 20 + 8);
}

#[test]
fn longest_message_fits_integrity_and_fingerprint() {
    let key = IntegrityKey::short_term("password");
    let filler = AttributeType(0xc0de);
    let room = 65_532 - 24 - 8 - 4;
    let mut buffer = Vec::new();
    let mut message = writer(&mut buffer);
    assert_eq!(message.attribute(filler, &vec![1; room + 1]).map(drop), Err(Error::TooLong(filler)));
    message.attribute(filler, &vec![1; room]).unwrap();
    assert_eq!(message.use_candidate().map(drop), Err(Error::TooLong(AttributeType::USE_CANDIDATE)));
    assert_eq!(message.finish(Some(&key)), 20 + 65_532);
    let verified = Message::decode(&buffer).unwrap().verify(&key).unwrap();
    verified.check_fingerprint().unwrap();
    assert_eq!(verified.attribute(filler).map(<[u8]>::len), Some(room));
}

#[test]
fn key_longer_than_a_block_is_hashed() {
    for len in [0, 1, 63, 64, 65, 200] {
        let password = "p".repeat(len);
        let mut buffer = Vec::new();
        writer(&mut buffer).finish(Some(&IntegrityKey::short_term(&password)));
        let (short, long) =
            (IntegrityKey::short_term("p".repeat(len + 1)), IntegrityKey::short_term(&password));
        Message::decode(&buffer).unwrap().verify(&long).unwrap();
        assert_eq!(Message::decode(&buffer).unwrap().verify(&short).map(drop), Err(Error::IntegrityMismatch));
    }
}

#[test]
fn extra_attributes_travel_in_an_error_response() {
    let key = IntegrityKey::short_term("password");
    let extras = [
        ExtraAttribute::software("gateway 7").unwrap(),
        ExtraAttribute::realm("example.org").unwrap(),
        ExtraAttribute::nonce("f//499k954d6OL34oL9FSTvy64sA").unwrap(),
        ExtraAttribute::alternate_server("192.0.2.1:3478".parse().unwrap()),
        ExtraAttribute::alternate_server("[2001:db8::1]:3478".parse().unwrap()),
        ExtraAttribute::alternate_domain("relay.example.org").unwrap(),
        ExtraAttribute::opaque(AttributeType(0xc0de), b"eu-west").unwrap(),
    ];
    let mut buffer = Vec::new();
    let id = TransactionId::from([1; 12]);
    let mut writer = MessageWriter::new(&mut buffer, MessageType::BINDING_ERROR, id);
    writer.error_code(ErrorCode::FORBIDDEN, "not here").unwrap();
    for extra in &extras {
        writer.extra(extra).unwrap();
    }
    writer.finish(Some(&key));
    let verified = Message::decode(&buffer).unwrap().verify(&key).unwrap();
    assert_eq!(verified.error_code(), Ok(Some((ErrorCode::FORBIDDEN, "not here"))));
    assert_eq!(verified.software(), Ok(Some("gateway 7")));
    assert_eq!(verified.attribute(AttributeType::REALM), Some(&b"example.org"[..]));
    assert_eq!(
        verified.attribute(AttributeType::ALTERNATE_SERVER),
        Some(&[0, 1, 0x0d, 0x96, 192, 0, 2, 1][..])
    );
    assert_eq!(verified.attribute(AttributeType(0xc0de)), Some(&b"eu-west"[..]));
}

#[test]
fn extra_attribute_of_the_response_is_rejected() {
    for reserved in [AttributeType::ERROR_CODE, AttributeType::XOR_MAPPED_ADDRESS, AttributeType::FINGERPRINT]
    {
        assert_eq!(ExtraAttribute::opaque(reserved, b"").map(drop), Err(Error::Reserved(reserved)));
    }
    let private = AttributeType(0xc0de);
    assert_eq!(ExtraAttribute::opaque(private, &[0; 764]).map(drop), Err(Error::TooLong(private)));
}

#[test]
fn extra_text_follows_its_string_profile() {
    let longest = "ж".repeat(127);
    assert_eq!(ExtraAttribute::software(&longest).unwrap().value(), longest.as_bytes());
    let software = ExtraAttribute::software(&"ж".repeat(128));
    assert_eq!(software.map(drop), Err(Error::TooLong(AttributeType::SOFTWARE)));
    let control = ExtraAttribute::realm("a tab\tis a control character");
    assert_eq!(control.map(drop), Err(Error::Malformed(AttributeType::REALM)));
    let quoted = ExtraAttribute::nonce("a \"quote\" ends it");
    assert_eq!(quoted.map(drop), Err(Error::Malformed(AttributeType::NONCE)));
}

#[test]
fn quoted_pairs_and_outer_spaces_need_the_feature_rich() {
    for (text, value) in [(r#"a \"quote"#, r#"a \"quote"#), (" space ", "space")] {
        for made in [ExtraAttribute::realm(text), ExtraAttribute::nonce(text)] {
            let made = made.ok().map(|attribute| attribute.value().to_vec());
            assert_eq!(made, cfg!(feature = "rich").then(|| value.as_bytes().to_vec()), "{text}");
        }
    }
}

#[test]
fn alternate_domain_must_be_a_host_name() {
    let domain = |name: &str| ExtraAttribute::alternate_domain(name).map(|domain| domain.value().to_vec());
    let label = "a".repeat(63);
    let longest = [&label[..]; 4].join(".");
    assert_eq!(longest.len(), 255);
    for good in ["a", "relay-7.example.org", "xn--e1afmkfd.xn--p1ai", &longest] {
        assert_eq!(domain(good), Ok(good.as_bytes().to_vec()));
    }
    let malformed = Err(Error::Malformed(AttributeType::ALTERNATE_DOMAIN));
    for bad in ["", ".", "a.", "-a", "a-", "a b", "пример.рф", "a..b", &"a".repeat(64)] {
        assert_eq!(domain(bad), malformed, "{bad}");
    }
    assert_eq!(domain(&format!("{longest}a")), Err(Error::TooLong(AttributeType::ALTERNATE_DOMAIN)));
}

#[test]
fn debug_shows_no_secret() {
    let key = IntegrityKey::short_term("hunter2");
    let datagram = vectors::request();
    let message = Message::decode(&datagram).unwrap();
    assert_eq!(format!("{key:?}"), "IntegrityKey(..)");
    assert_eq!(format!("{:?}", message.transaction_id()), "TransactionId(..)");
    let shown = format!("{message:?}");
    assert!(shown.contains("AttributeType(0x0006)"), "{shown}");
    assert!(!shown.contains("evtj") && !shown.contains("b7"), "{shown}");
}
