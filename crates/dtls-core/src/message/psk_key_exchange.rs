//! The key exchange messages of a pre-shared key (RFC 4279 section 2): the same form in both directions.

use crate::codec::{Malformed, Reader, Width, Writer};

/// ServerKeyExchange: the server's hint. ClientKeyExchange: the client's identity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PskKeyExchange<'a> {
    pub(crate) name: &'a [u8],
}

impl<'a> PskKeyExchange<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let name = reader.vector16()?;
        reader.finish()?;
        Ok(Self { name })
    }

    pub(crate) fn write(writer: &mut Writer<'_>, name: &[u8]) {
        writer.block(Width::Two).bytes(name);
    }
}
