//! `renegotiation_info` (RFC 5746 section 3.2), empty in a first handshake. There is no other handshake.

use crate::codec::{Malformed, Reader, Writer};

/// Returns the `renegotiated_connection` of the sender.
pub(crate) fn decode(body: &[u8]) -> Result<&[u8], Malformed> {
    let mut reader = Reader::new(body);
    let connection = reader.vector8()?;
    reader.finish()?;
    Ok(connection)
}

pub(crate) fn write_empty(writer: &mut Writer<'_>) {
    writer.u8(0);
}
