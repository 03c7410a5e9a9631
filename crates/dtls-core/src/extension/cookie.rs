//! `cookie` (RFC 8446 section 4.2.2): returned unchanged.

use crate::codec::{Malformed, Reader, Width, Writer};

/// Returns the cookie of a HelloRetryRequest.
pub(crate) fn decode(body: &[u8]) -> Result<&[u8], Malformed> {
    let mut reader = Reader::new(body);
    let cookie = reader.vector16()?;
    reader.finish()?;
    if cookie.is_empty() { Err(Malformed) } else { Ok(cookie) }
}

pub(crate) fn write(writer: &mut Writer<'_>, cookie: &[u8]) {
    writer.block(Width::Two).bytes(cookie);
}
