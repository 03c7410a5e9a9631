//! The same messages through our codec and through `stun-rs`: equal bytes and equal meaning in both directions.

use std::net::SocketAddr;

use proptest::prelude::*;
use stun::{
    AttributeType, Class, ErrorCode, ExtraAttribute, IntegrityKey, Message, MessageType, MessageWriter,
    Method, TransactionId,
};
use stun_rs::{
    DecoderContextBuilder, HMACKey, MessageClass, MessageDecoder, MessageDecoderBuilder, MessageEncoder,
    StunMessage, StunMessageBuilder,
    attributes::{ice, stun as rich},
    methods,
};

/// The content of a message in types that both libraries have.
#[derive(Clone, Debug)]
struct Spec {
    class: Class,
    id: [u8; 12],
    attributes: Vec<Value>,
    password: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Username(String),
    Software(String),
    Priority(u32),
    UseCandidate,
    Controlled(u64),
    Controlling(u64),
    Mapped(SocketAddr),
    Error(u16, String),
    Unknown(Vec<u16>),
}

impl Spec {
    fn write_ours(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let kind = MessageType { class: self.class, method: Method::BINDING };
        let mut writer = MessageWriter::new(&mut bytes, kind, TransactionId::from(self.id));
        for value in &self.attributes {
            match value {
                Value::Username(text) => writer.username(text),
                Value::Software(text) => writer.software(text),
                Value::Priority(priority) => writer.priority(*priority),
                Value::UseCandidate => writer.use_candidate(),
                Value::Controlled(tie_breaker) => writer.ice_controlled(*tie_breaker),
                Value::Controlling(tie_breaker) => writer.ice_controlling(*tie_breaker),
                Value::Mapped(address) => writer.xor_mapped_address(*address),
                Value::Error(code, reason) => writer.error_code(ErrorCode::new(*code).unwrap(), reason),
                Value::Unknown(types) => {
                    let types: Vec<_> = types.iter().map(|unknown| stun::AttributeType(*unknown)).collect();
                    writer.unknown_attributes(&types)
                }
            }
            .unwrap();
        }
        let len = writer.finish(self.password.as_ref().map(IntegrityKey::short_term).as_ref());
        assert_eq!(len, bytes.len());
        bytes
    }

    fn write_theirs(&self) -> Vec<u8> {
        let class = match self.class {
            Class::Request => MessageClass::Request,
            Class::Indication => MessageClass::Indication,
            Class::Success => MessageClass::SuccessResponse,
            Class::Error => MessageClass::ErrorResponse,
        };
        let mut builder =
            StunMessageBuilder::new(methods::BINDING, class).with_transaction_id(self.id.into());
        for value in &self.attributes {
            builder = match value {
                Value::Username(text) => builder.with_attribute(rich::UserName::new(text).unwrap()),
                Value::Software(text) => builder.with_attribute(rich::Software::new(text).unwrap()),
                Value::Priority(priority) => builder.with_attribute(ice::Priority::from(*priority)),
                Value::UseCandidate => builder.with_attribute(ice::UseCandidate::default()),
                Value::Controlled(tie_breaker) => {
                    builder.with_attribute(ice::IceControlled::from(*tie_breaker))
                }
                Value::Controlling(tie_breaker) => {
                    builder.with_attribute(ice::IceControlling::from(*tie_breaker))
                }
                Value::Mapped(address) => builder.with_attribute(rich::XorMappedAddress::from(*address)),
                Value::Error(code, reason) => builder
                    .with_attribute(rich::ErrorCode::from(stun_rs::ErrorCode::new(*code, reason).unwrap())),
                Value::Unknown(types) => {
                    let mut unknown = rich::UnknownAttributes::default();
                    for value in types {
                        unknown.add(*value);
                    }
                    builder.with_attribute(unknown)
                }
            };
        }
        if let Some(password) = &self.password {
            builder = builder
                .with_attribute(rich::MessageIntegrity::new(HMACKey::new_short_term(password).unwrap()));
        }
        let message = builder.with_attribute(rich::Fingerprint::default()).build();
        let mut bytes = vec![0; 4096];
        let len = MessageEncoder::default().encode(&mut bytes, &message).unwrap();
        bytes.truncate(len);
        bytes
    }
}

/// The attributes that both libraries know, decoded by ours.
fn read_ours(message: &Message<'_>) -> Option<Vec<Value>> {
    let mut values = Vec::new();
    values.extend(message.username().ok()?.map(|text| Value::Username(text.into())));
    values.extend(message.software().ok()?.map(|text| Value::Software(text.into())));
    values.extend(message.priority().ok()?.map(Value::Priority));
    values.extend(message.use_candidate().then_some(Value::UseCandidate));
    values.extend(message.ice_controlled().ok()?.map(Value::Controlled));
    values.extend(message.ice_controlling().ok()?.map(Value::Controlling));
    values.extend(message.xor_mapped_address().ok()?.map(Value::Mapped));
    values
        .extend(message.error_code().ok()?.map(|(code, reason)| Value::Error(code.number(), reason.into())));
    values.extend(
        message
            .unknown_attributes()
            .ok()?
            .map(|types| Value::Unknown(types.map(|unknown| unknown.0).collect())),
    );
    Some(values)
}

/// The same attributes, decoded by `stun-rs`, in the same order.
fn read_theirs(message: &StunMessage) -> Vec<Value> {
    let mut values = Vec::new();
    values.extend(
        message.get::<rich::UserName>().map(|a| Value::Username(a.expect_user_name().as_str().into())),
    );
    values.extend(
        message.get::<rich::Software>().map(|a| Value::Software(a.expect_software().as_str().into())),
    );
    values.extend(message.get::<ice::Priority>().map(|a| Value::Priority(a.expect_priority().as_u32())));
    values.extend(message.get::<ice::UseCandidate>().map(|_| Value::UseCandidate));
    values.extend(
        message.get::<ice::IceControlled>().map(|a| Value::Controlled(a.expect_ice_controlled().as_u64())),
    );
    values.extend(
        message.get::<ice::IceControlling>().map(|a| Value::Controlling(a.expect_ice_controlling().as_u64())),
    );
    values.extend(
        message
            .get::<rich::XorMappedAddress>()
            .map(|a| Value::Mapped(*a.expect_xor_mapped_address().socket_address())),
    );
    values.extend(message.get::<rich::ErrorCode>().map(|a| {
        let code = a.expect_error_code().error_code();
        Value::Error(code.error_code(), code.reason().into())
    }));
    values.extend(
        message
            .get::<rich::UnknownAttributes>()
            .map(|a| Value::Unknown(a.expect_unknown_attributes().attributes().to_vec())),
    );
    values
}

/// A decoder that requires FINGERPRINT and, with a password, MESSAGE-INTEGRITY.
fn their_decoder(password: Option<&str>) -> MessageDecoder {
    let mut context = DecoderContextBuilder::default().with_validation();
    if let Some(password) = password {
        context = context.with_key(HMACKey::new_short_term(password).unwrap());
    }
    MessageDecoderBuilder::default().with_context(context.build()).build()
}

/// Encodes one text attribute with `stun-rs` and returns its value.
fn their_text(attribute_type: AttributeType, text: &str) -> Option<Vec<u8>> {
    let builder = StunMessageBuilder::new(methods::BINDING, MessageClass::Indication);
    let builder = match attribute_type {
        AttributeType::SOFTWARE => builder.with_attribute(rich::Software::new(text).ok()?),
        AttributeType::REALM => builder.with_attribute(rich::Realm::new(text).ok()?),
        _ => builder.with_attribute(rich::Nonce::new(text).ok()?),
    };
    let mut bytes = vec![0; 1024];
    let len = MessageEncoder::default().encode(&mut bytes, &builder.build()).unwrap();
    bytes.truncate(len);
    Message::decode(&bytes).unwrap().attribute(attribute_type).map(<[u8]>::to_vec)
}

/// An attribute of a refusal, in both libraries.
#[derive(Clone, Debug)]
enum Extra {
    Software(String),
    Realm(String),
    Nonce(String),
    Server(SocketAddr),
}

impl Extra {
    fn ours(&self) -> ExtraAttribute {
        match self {
            Self::Software(text) => ExtraAttribute::software(text).unwrap(),
            Self::Realm(text) => ExtraAttribute::realm(text).unwrap(),
            Self::Nonce(text) => ExtraAttribute::nonce(text).unwrap(),
            Self::Server(address) => ExtraAttribute::alternate_server(*address),
        }
    }

    fn write_theirs(&self, builder: StunMessageBuilder) -> StunMessageBuilder {
        match self {
            Self::Software(text) => builder.with_attribute(rich::Software::new(text).unwrap()),
            Self::Realm(text) => builder.with_attribute(rich::Realm::new(text).unwrap()),
            Self::Nonce(text) => builder.with_attribute(rich::Nonce::new(text).unwrap()),
            Self::Server(address) => builder.with_attribute(rich::AlternateServer::from(*address)),
        }
    }
}

fn extra() -> impl Strategy<Value = Extra> {
    prop_oneof![
        "\\PC{0,127}".prop_map(Extra::Software),
        "[!#-\\[\\]-~]{1,60}( [!#-\\[\\]-~]{1,60})?".prop_map(Extra::Realm),
        "[!#-\\[\\]-~]{1,60}( [!#-\\[\\]-~]{1,60})?".prop_map(Extra::Nonce),
        any::<([u8; 4], u16)>().prop_map(|(ip, port)| Extra::Server(SocketAddr::new(ip.into(), port))),
        any::<([u8; 16], u16)>().prop_map(|(ip, port)| Extra::Server(SocketAddr::new(ip.into(), port))),
    ]
}

fn text() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9+/:]{1,40}"
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(Value::Username),
        text().prop_map(Value::Software),
        any::<u32>().prop_map(Value::Priority),
        Just(Value::UseCandidate),
        any::<u64>().prop_map(Value::Controlled),
        any::<u64>().prop_map(Value::Controlling),
        any::<([u8; 4], u16)>().prop_map(|(ip, port)| Value::Mapped(SocketAddr::new(ip.into(), port))),
        any::<([u8; 16], u16)>().prop_map(|(ip, port)| Value::Mapped(SocketAddr::new(ip.into(), port))),
        (300_u16..699, "[a-zA-Z ]{0,40}").prop_map(|(code, reason)| Value::Error(code, reason)),
        prop::collection::btree_set(any::<u16>(), 0..9)
            .prop_map(|types| Value::Unknown(types.into_iter().collect())),
    ]
}

fn spec() -> impl Strategy<Value = Spec> {
    let class =
        prop_oneof![Just(Class::Request), Just(Class::Indication), Just(Class::Success), Just(Class::Error)];
    (class, any::<[u8; 12]>(), prop::collection::vec(value(), 0..8), prop::option::of("[a-zA-Z0-9+/]{22,80}"))
        .prop_map(|(class, id, attributes, password)| Spec { class, id, attributes, password })
}

proptest! {
    #[test]
    fn both_encode_the_same_bytes(spec in spec()) {
        prop_assert_eq!(spec.write_ours(), spec.write_theirs());
    }

    /// Each accepted text has the value that `stun-rs` encodes, with the feature `rich` and without it.
    #[test]
    fn accepted_texts_have_equal_values(text in "\\PC{0,20}|[ -~]{0,140}|[!#-\\[\\]-~]{1,127}") {
        let ours = [ExtraAttribute::software(&text), ExtraAttribute::realm(&text), ExtraAttribute::nonce(&text)];
        for ours in ours.into_iter().flatten() {
            let theirs = their_text(ours.attribute_type(), &text);
            prop_assert_eq!(Some(ours.value()), theirs.as_deref());
        }
    }

    #[test]
    fn both_encode_the_same_refusal(
        id in any::<[u8; 12]>(),
        extras in prop::collection::vec(extra(), 0..4),
        password in "[a-zA-Z0-9+/]{22,80}",
    ) {
        let mut ours = Vec::new();
        let mut writer = MessageWriter::new(&mut ours, MessageType::BINDING_ERROR, id.into());
        writer.error_code(ErrorCode::FORBIDDEN, "Forbidden").unwrap();
        for extra in &extras {
            writer.extra(&extra.ours()).unwrap();
        }
        writer.finish(Some(&IntegrityKey::short_term(&password)));
        let code = rich::ErrorCode::from(stun_rs::ErrorCode::new(403, "Forbidden").unwrap());
        let builder = StunMessageBuilder::new(methods::BINDING, MessageClass::ErrorResponse)
            .with_transaction_id(id.into())
            .with_attribute(code);
        let message = extras
            .iter()
            .fold(builder, |builder, extra| extra.write_theirs(builder))
            .with_attribute(rich::MessageIntegrity::new(HMACKey::new_short_term(&password).unwrap()))
            .with_attribute(rich::Fingerprint::default())
            .build();
        let mut theirs = vec![0; 4096];
        let len = MessageEncoder::default().encode(&mut theirs, &message).unwrap();
        theirs.truncate(len);
        prop_assert_eq!(&ours, &theirs);
    }

    /// `stun-rs` does not know ALTERNATE-DOMAIN, but decodes a message with it.
    #[test]
    fn alternate_domain_is_decoded_as_unknown(name in "[a-z0-9]{1,20}(\\.[a-z0-9]{1,20}){0,3}") {
        let mut ours = Vec::new();
        let mut writer = MessageWriter::new(&mut ours, MessageType::BINDING_ERROR, [1; 12].into());
        writer.error_code(ErrorCode::TRY_ALTERNATE, "Try Alternate").unwrap();
        writer.extra(&ExtraAttribute::alternate_domain(&name).unwrap()).unwrap();
        writer.finish(None);
        let (decoded, len) = their_decoder(None).decode(&ours).unwrap();
        prop_assert_eq!(len, ours.len());
        let types: Vec<_> = decoded.attributes().iter().map(|a| a.attribute_type().as_u16()).collect();
        prop_assert_eq!(types, [0x0009, 0x8003, 0x8028]);
    }

    #[test]
    fn each_decodes_what_the_other_encoded(spec in spec()) {
        let theirs = spec.write_theirs();
        let ours = spec.write_ours();

        let message = Message::decode(&theirs).unwrap();
        message.check_fingerprint().unwrap();
        prop_assert_eq!(message.message_type().class, spec.class);
        prop_assert_eq!(message.transaction_id(), TransactionId::from(spec.id));
        prop_assert_eq!(message.has_integrity(), spec.password.is_some());
        if let Some(password) = &spec.password {
            message.verify(&IntegrityKey::short_term(password)).unwrap();
            prop_assert!(message.verify(&IntegrityKey::short_term("another")).is_err());
        }

        let (decoded, len) = their_decoder(spec.password.as_deref()).decode(&ours).unwrap();
        prop_assert_eq!(len, ours.len());
        prop_assert_eq!(decoded.transaction_id().as_bytes(), &spec.id);
        prop_assert_eq!(read_ours(&message), Some(read_theirs(&decoded)));
        for value in &spec.attributes {
            let first = spec.attributes.iter().find(|v| std::mem::discriminant(*v) == std::mem::discriminant(value));
            prop_assert!(read_theirs(&decoded).contains(first.unwrap()));
        }
    }

    /// A damaged message that our decoder accepts is accepted by `stun-rs` too, with the same meaning.
    #[test]
    fn both_agree_on_damaged_messages(
        spec in spec(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = spec.write_ours();
        for (position, byte) in damage {
            let position = position.index(bytes.len());
            bytes[position] = byte;
        }
        let Ok(message) = Message::decode(&bytes) else { return Ok(()) };
        if let (Ok((decoded, _)), Some(values)) = (MessageDecoder::default().decode(&bytes), read_ours(&message)) {
            prop_assert_eq!(values, read_theirs(&decoded));
        }
        let password = spec.password.as_deref();
        let passed = message.check_fingerprint().is_ok()
            && password.is_none_or(|password| message.verify(&IntegrityKey::short_term(password)).is_ok());
        if passed {
            prop_assert!(their_decoder(password).decode(&bytes).is_ok());
        }
    }
}
