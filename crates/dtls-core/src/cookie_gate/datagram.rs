//! Extraction of a ClientHello from a datagram. Other content is skipped with a reason.

use crate::codec::Reader;
use crate::cookie_gate::assembly::Assembly;
use crate::discard::Discard;
use crate::handshake::{Fragment, HandshakeType, Message};
use crate::record::{ContentType, HEADER_LEN, RecordHeader, RecordNumber, first_record, unified};

/// The maximum ClientHello that is reassembled: two post-quantum shares and more.
const MAX_CLIENT_HELLO: usize = 8 * 1024;
/// A client numbers its ClientHellos from zero: one without a cookie, one with, and more if cookies expired in flight.
/// A legitimate client stays below this.
const MAX_SEQUENCE: u16 = 16;

/// The result. The record is the last one that was needed.
pub(super) enum Found<'d> {
    Whole(RecordNumber, Message<'d>),
    Fragments(RecordNumber, Assembly),
}

/// Searches the records of a datagram.
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
        Some((number, assembly)) => Ok(Found::Fragments(number, assembly)),
        None => Err(search.reason.unwrap_or(Discard::UnexpectedMessage)),
    }
}

/// The search so far.
struct Search {
    pieces: Option<(RecordNumber, Assembly)>,
    /// The reason of the first skipped content.
    reason: Option<Discard>,
}

impl Search {
    fn note(&mut self, reason: Discard) {
        self.reason.get_or_insert(reason);
    }

    /// Takes fragments from a record, or a whole ClientHello, which ends the search.
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

/// Returns the content of a plaintext handshake record.
fn handshake(header: RecordHeader, content: &[u8]) -> Result<Reader<'_>, Discard> {
    if header.number.epoch != 0 {
        return Err(Discard::UnknownEpoch);
    }
    match header.content_type {
        ContentType::Handshake if content.is_empty() => Err(Discard::Truncated),
        ContentType::Handshake => Ok(Reader::new(content)),
        // A stateless server ignores it (RFC 8446 section 4.2.2).
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
