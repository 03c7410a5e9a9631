//! What the gate answers: one plaintext record, under the number of the record that it answers.
//!
//! A sender that keeps no count cannot repeat a number that way (RFC 6347 section 4.2.1).

use crate::alert::{Alert, AlertDescription};
use crate::codec::Writer;
use crate::handshake::{HandshakeType, Message};
use crate::message::hello_verify_request::HelloVerifyRequest;
use crate::message::version::ProtocolVersion;
use crate::record::{ContentType, RecordHeader, RecordNumber};

/// A HelloVerifyRequest, as the answer to a message of this sequence.
pub(super) fn verify(number: RecordNumber, sequence: u16, cookie: &[u8], out: &mut Vec<u8>) {
    let mut body = Vec::new();
    HelloVerifyRequest { cookie }.write(&mut Writer::new(&mut body));
    let kind = HandshakeType::HELLO_VERIFY_REQUEST;
    // Clients take either version here; the ClientHello comes in a record of the lower one.
    write_message(
        number,
        ProtocolVersion::DTLS10,
        Message { kind, sequence, body: &body, protected: false },
        out,
    );
}

/// A HelloRetryRequest with this body, likewise.
pub(super) fn retry(number: RecordNumber, sequence: u16, body: &[u8], out: &mut Vec<u8>) {
    let kind = HandshakeType::SERVER_HELLO;
    write_message(number, ProtocolVersion::DTLS12, Message { kind, sequence, body, protected: false }, out);
}

/// A fatal alert.
pub(super) fn alert(number: RecordNumber, description: AlertDescription, out: &mut Vec<u8>) {
    let alert = Alert::fatal(description).encode();
    write_record(number, ProtocolVersion::DTLS12, ContentType::Alert, &alert, out);
}

fn write_message(number: RecordNumber, version: ProtocolVersion, message: Message<'_>, out: &mut Vec<u8>) {
    let mut content = Vec::new();
    message.write(&mut Writer::new(&mut content));
    write_record(number, version, ContentType::Handshake, &content, out);
}

fn write_record(
    number: RecordNumber,
    version: ProtocolVersion,
    content_type: ContentType,
    content: &[u8],
    out: &mut Vec<u8>,
) {
    // The largest is a HelloRetryRequest of less than 200 bytes.
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    RecordHeader { content_type, version, number }.write(length, out);
    out.extend_from_slice(content);
}
