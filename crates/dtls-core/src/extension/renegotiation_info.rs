//! `renegotiation_info` (RFC 5746 section 3.2), which is empty in a first handshake, and we have no other.

use crate::codec::{Malformed, Reader, Writer};

/// The `renegotiated_connection` that the sender stated.
pub(crate) fn decode(body: &[u8]) -> Result<&[u8], Malformed> {
    let mut reader = Reader::new(body);
    let connection = reader.vector8()?;
    reader.finish()?;
    Ok(connection)
}

pub(crate) fn write_empty(writer: &mut Writer<'_>) {
    writer.u8(0);
}
