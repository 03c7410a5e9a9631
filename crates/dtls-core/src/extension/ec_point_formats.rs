//! `ec_point_formats` (RFC 8422 section 5.1.2): uncompressed points are mandatory.

use crate::codec::{Malformed, Reader, Width, Writer};

const UNCOMPRESSED: u8 = 0;

/// Returns whether the list contains the uncompressed form.
pub(crate) fn names_uncompressed(body: &[u8]) -> Result<bool, Malformed> {
    let mut reader = Reader::new(body);
    let formats = reader.vector8()?;
    reader.finish()?;
    if formats.is_empty() { Err(Malformed) } else { Ok(formats.contains(&UNCOMPRESSED)) }
}

pub(crate) fn write(writer: &mut Writer<'_>) {
    writer.block(Width::One).u8(UNCOMPRESSED);
}
