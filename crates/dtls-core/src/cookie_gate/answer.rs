//! The gate's responses: one plaintext record, with the number of the record that it answers.
//!
//! Without a counter, this is how a sender uses no number twice (RFC 6347 section 4.2.1).

use crate::alert::{Alert, AlertDescription};
use crate::codec::Writer;
use crate::handshake::{HandshakeType, Message};
use crate::message::hello_verify_request::HelloVerifyRequest;
use crate::message::version::ProtocolVersion;
use crate::record::{ContentType, RecordHeader, RecordNumber};

/// Writes a HelloVerifyRequest in response to a message with this sequence number.
pub(super) fn verify(number: RecordNumber, sequence: u16, cookie: &[u8], out: &mut Vec<u8>) {
    let mut body = Vec::new();
    HelloVerifyRequest { cookie }.write(&mut Writer::new(&mut body));
    let kind = HandshakeType::HELLO_VERIFY_REQUEST;
    // Clients accept either version here; the record of a first ClientHello has the lower one.
    write_message(
        number,
        ProtocolVersion::DTLS10,
        Message { kind, sequence, body: &body, protected: false },
        out,
    );
}

/// Writes a HelloRetryRequest with this body.
pub(super) fn retry(number: RecordNumber, sequence: u16, body: &[u8], out: &mut Vec<u8>) {
    let kind = HandshakeType::SERVER_HELLO;
    write_message(number, ProtocolVersion::DTLS12, Message { kind, sequence, body, protected: false }, out);
}

/// Writes a fatal alert.
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
    // The longest response is a HelloRetryRequest of less than 200 bytes.
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    RecordHeader { content_type, version, number }.write(length, out);
    out.extend_from_slice(content);
}
