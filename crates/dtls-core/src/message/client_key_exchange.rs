//! ClientKeyExchange with an elliptic curve share (RFC 8422 section 5.7).

use crate::codec::{Malformed, Reader, Width, Writer};

/// The client's share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientKeyExchange<'a> {
    pub(crate) share: &'a [u8],
}

impl<'a> ClientKeyExchange<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let share = reader.vector8()?;
        reader.finish()?;
        Ok(Self { share })
    }

    pub(crate) fn write(writer: &mut Writer<'_>, share: &[u8]) {
        writer.block(Width::One).bytes(share);
    }
}
