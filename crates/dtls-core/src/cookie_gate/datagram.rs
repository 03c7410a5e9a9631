//! What a datagram holds of a ClientHello. Everything else is named and passed over.

use crate::codec::Reader;
use crate::cookie_gate::assembly::Assembly;
use crate::discard::Discard;
use crate::handshake::{Fragment, HandshakeType, Message};
use crate::record::{ContentType, HEADER_LEN, RecordHeader, RecordNumber, first_record, unified};

/// The longest ClientHello that is put together: two post-quantum shares and room to spare.
const MAX_CLIENT_HELLO: usize = 8 * 1024;
/// A client counts its ClientHellos from zero: one without a cookie, one with, and some more where cookies expired
/// under way. An honest one never comes here.
const MAX_SEQUENCE: u16 = 16;

/// What was found. The record is the last that was needed.
pub(super) enum Found<'d> {
    Whole(RecordNumber, Message<'d>),
    Pieces(RecordNumber, Assembly),
}

/// Looks through the records of a datagram.
pub(super) fn find(datagram: &[u8]) -> Result<Found<'_>, Discard> {
    let mut search = Search { pieces: None, reason: None };
    let mut rest = datagram;
    loop {
        let (header, content) = match first(rest) {
            Ok(record) => record,
            Err(reason) => {
                search.note(reason);
                break;
            }
        };
        match search.look_through(header, content) {
            Ok(Some(message)) => return Ok(Found::Whole(header.number, message)),
            Ok(None) => {}
            Err(reason) => search.note(reason),
        }
        rest = rest.get(HEADER_LEN + content.len()..).unwrap_or_default();
        if rest.is_empty() {
            break;
        }
    }
    match search.pieces {
        Some((number, assembly)) => Ok(Found::Pieces(number, assembly)),
        None => Err(search.reason.unwrap_or(Discard::UnexpectedMessage)),
    }
}

/// What was seen so far.
struct Search {
    pieces: Option<(RecordNumber, Assembly)>,
    /// Why the first thing was passed over that was.
    reason: Option<Discard>,
}

impl Search {
    fn note(&mut self, reason: Discard) {
        self.reason.get_or_insert(reason);
    }

    /// Takes pieces out of a record, or a whole ClientHello, which is all that is wanted.
    fn look_through<'d>(
        &mut self,
        header: RecordHeader,
        content: &'d [u8],
    ) -> Result<Option<Message<'d>>, Discard> {
        let mut reader = handshake(header, content)?;
        while !reader.is_empty() {
            let fragment = Fragment::decode(&mut reader).map_err(|_| Discard::Truncated)?;
            check(&fragment)?;
            if let Some(message) = fragment.whole(false) {
                return Ok(Some(message));
            }
            match &mut self.pieces {
                Some((number, assembly)) => {
                    assembly.add(&fragment)?;
                    *number = header.number;
                }
                None => self.pieces = Some((header.number, Assembly::new(&fragment))),
            }
        }
        Ok(None)
    }
}

fn first(datagram: &[u8]) -> Result<(RecordHeader, &[u8]), Discard> {
    match datagram.first() {
        Some(first) if unified::is_unified(*first) => Err(Discard::UnknownEpoch),
        _ => first_record(datagram),
    }
}

/// The content of a plaintext handshake record.
fn handshake(header: RecordHeader, content: &[u8]) -> Result<Reader<'_>, Discard> {
    if header.number.epoch != 0 {
        return Err(Discard::UnknownEpoch);
    }
    match header.content_type {
        ContentType::Handshake if content.is_empty() => Err(Discard::Truncated),
        ContentType::Handshake => Ok(Reader::new(content)),
        // A server that keeps nothing ignores it (RFC 8446 section 4.2.2).
        ContentType::ChangeCipherSpec => Err(Discard::UnexpectedMessage),
        ContentType::Alert => Err(Discard::PlaintextAlert),
        ContentType::Ack => Err(Discard::PlaintextAck),
        ContentType::ApplicationData => Err(Discard::PlaintextData),
    }
}

fn check(fragment: &Fragment<'_>) -> Result<(), Discard> {
    if fragment.kind != HandshakeType::CLIENT_HELLO || fragment.sequence >= MAX_SEQUENCE {
        return Err(Discard::UnexpectedMessage);
    }
    if fragment.length > MAX_CLIENT_HELLO {
        return Err(Discard::ReassemblyFull);
    }
    Ok(())
}
