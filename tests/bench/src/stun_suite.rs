//! STUN: the cost of a connectivity check to the agent that answers it.
//!
//! Verify: decodes a check of the size that browsers send, verifies its FINGERPRINT and MESSAGE-INTEGRITY and reads its
//! USERNAME. Respond: builds and signs the success response. "bare" is the CRC and the HMAC over as many bytes, with
//! both pads cached.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Instant;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use stun::{AttributeType, IntegrityKey, Message, MessageType, MessageWriter, TransactionId};
use stun_rs::attributes::stun::{Fingerprint, MessageIntegrity, UserName, XorMappedAddress};
use stun_rs::{
    DecoderContextBuilder, HMACKey, MessageClass, MessageDecoderBuilder, MessageEncoderBuilder,
    StunMessageBuilder, methods,
};

use crate::allocations;
use crate::measure::{Effort, Subject, compare};
use crate::report::{BARE, OURS, Report};

const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt0q";
const PEER: &str = "stun-rs";

/// Messages per turn.
const BATCH: u32 = 64;

/// The highest allowed ratio to the CRC and the HMAC alone. Our overhead is the same on every processor, and a
/// processor with SHA instructions makes the rest small; the best library measured on such a processor has the ratio
/// 2.3.
const TO_BARE: f64 = 2.00;

pub(crate) fn run(effort: Effort, report: &mut Report) {
    let request = request();
    let outcome = compare(effort, || vec![ours_verify(&request), bare(&request), peer_verify(&request)]);
    let figure = format!("verify a check of {} B", request.len());
    report.compare(&figure, &outcome, Some(TO_BARE), Some((PEER, 1.0)));

    let response = response();
    let outcome = compare(effort, || vec![ours_respond(), bare(&response), peer_respond()]);
    let figure = format!("build and sign a response of {} B", response.len());
    report.compare(&figure, &outcome, Some(TO_BARE), Some((PEER, 1.0)));

    for (figure, mut subject) in [("verify", ours_verify(&request)), ("respond", ours_respond())] {
        (subject.work)();
        let count = allocations::during(|| {
            (subject.work)();
        });
        report.exact(format!("{figure}, {BATCH} messages"), count, "allocs", 0);
    }
}

/// A check like that of Chromium: USERNAME, network cost, role, USE-CANDIDATE, PRIORITY, integrity, fingerprint.
fn request() -> Vec<u8> {
    let mut request = Vec::new();
    let mut writer = MessageWriter::new(&mut request, MessageType::BINDING_REQUEST, transaction_id());
    writer
        .username("h6vY:evtj")
        .and_then(|writer| writer.attribute(AttributeType(0xc057), &[0, 1, 0, 10]))
        .and_then(|writer| writer.ice_controlling(0x932f_f9b1_5126_3b36))
        .and_then(MessageWriter::use_candidate)
        .and_then(|writer| writer.priority(0x6e00_01ff))
        .expect("attributes that fit");
    writer.finish(Some(&IntegrityKey::short_term(PASSWORD)));
    request
}

fn response() -> Vec<u8> {
    let mut response = Vec::new();
    respond(&IntegrityKey::short_term(PASSWORD), &mut response);
    response
}

fn respond(key: &IntegrityKey, out: &mut Vec<u8>) {
    let mut writer = MessageWriter::new(out, MessageType::BINDING_SUCCESS, transaction_id());
    writer.xor_mapped_address(address()).expect("an attribute that fits");
    writer.finish(Some(key));
}

fn transaction_id() -> TransactionId {
    TransactionId::from([7; 12])
}

fn address() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 32_853))
}

fn subject<'w>(name: &'static str, mut once: impl FnMut() + 'w) -> Subject<'w> {
    let work = move || {
        let start = Instant::now();
        for _ in 0..BATCH {
            once();
        }
        start.elapsed()
    };
    Subject { name, operations: BATCH, work: Box::new(work) }
}

fn ours_verify(request: &[u8]) -> Subject<'_> {
    let key = IntegrityKey::short_term(PASSWORD);
    subject(OURS, move || {
        let message = Message::decode(black_box(request)).expect("a STUN message");
        message.check_fingerprint().expect("a fingerprint that matches");
        let verified = message.verify(&key).expect("an authentic message");
        black_box(verified.username().expect("a username"));
    })
}

fn ours_respond() -> Subject<'static> {
    let key = IntegrityKey::short_term(PASSWORD);
    let mut out = Vec::with_capacity(200);
    subject(OURS, move || {
        out.clear();
        respond(black_box(&key), &mut out);
        black_box(&out);
    })
}

/// The HMAC covers all but the last two attributes, 24 and 8 bytes, and the CRC all but the last.
fn bare(message: &[u8]) -> Subject<'_> {
    let key = Hmac::<Sha1>::new_from_slice(PASSWORD.as_bytes()).expect("a key of any length");
    subject(BARE, move || {
        let message = black_box(message);
        black_box(crc32fast::hash(&message[..message.len() - 8]));
        let mut mac = key.clone();
        mac.update(&message[..message.len() - 32]);
        black_box(mac.finalize());
    })
}

fn peer_verify(request: &[u8]) -> Subject<'_> {
    let key = HMACKey::new_short_term(PASSWORD).expect("a password");
    let context = DecoderContextBuilder::default().with_key(key).with_validation().build();
    let decoder = MessageDecoderBuilder::default().with_context(context).build();
    subject(PEER, move || {
        let (message, _) = decoder.decode(black_box(request)).expect("an authentic message");
        black_box(message.get::<UserName>().expect("a username"));
    })
}

fn peer_respond() -> Subject<'static> {
    let key = HMACKey::new_short_term(PASSWORD).expect("a password");
    let encoder = MessageEncoderBuilder::default().build();
    let mut out = [0; 200];
    subject(PEER, move || {
        let message = StunMessageBuilder::new(methods::BINDING, MessageClass::SuccessResponse)
            .with_transaction_id(stun_rs::TransactionId::from([7; 12]))
            .with_attribute(XorMappedAddress::from(address()))
            .with_attribute(MessageIntegrity::new(key.clone()))
            .with_attribute(Fingerprint::default())
            .build();
        black_box(encoder.encode(&mut out, black_box(&message)).expect("a message that fits"));
    })
}
