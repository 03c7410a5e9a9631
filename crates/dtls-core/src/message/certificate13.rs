//! Certificate of DTLS 1.3 (RFC 8446 section 4.4.2): a chain whose entries may carry extensions.

use crate::codec::{Malformed, Reader, Width, Writer};
use crate::extension::Extensions;
use crate::failure::Misbehaved;

/// A received chain; empty if the sender has no certificate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Certificate13<'a> {
    list: &'a [u8],
}

impl<'a> Certificate13<'a> {
    /// An extension of an entry responds to one of ours, and none that we send allows a response there.
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, Misbehaved> {
        let malformed = |_| Misbehaved::Malformed;
        let list = Self::list(body).map_err(malformed)?;
        let mut rest = Reader::new(list);
        while !rest.is_empty() {
            let extensions = Self::read_extensions(&mut rest).map_err(malformed)?;
            extensions.check_places(&[])?;
            if !extensions.is_empty() {
                return Err(Misbehaved::UnsolicitedExtension);
            }
        }
        Ok(Self { list })
    }

    /// The request context is empty during the handshake, and we never request a certificate later.
    fn list(body: &'a [u8]) -> Result<&'a [u8], Malformed> {
        let mut reader = Reader::new(body);
        if !reader.vector8()?.is_empty() {
            return Err(Malformed);
        }
        let list = reader.vector24()?;
        reader.finish()?;
        Ok(list)
    }

    /// Reads the extensions of an entry.
    fn read_extensions(entries: &mut Reader<'a>) -> Result<Extensions<'a>, Malformed> {
        if entries.vector24()?.is_empty() {
            return Err(Malformed);
        }
        Extensions::decode_block(entries.vector16()?)
    }

    /// Returns the certificates as DER.
    pub(crate) fn chain(self) -> impl Iterator<Item = &'a [u8]> + Clone {
        let mut reader = Reader::new(self.list);
        std::iter::from_fn(move || {
            let certificate = reader.vector24().ok()?;
            reader.vector16().ok()?;
            Some(certificate)
        })
    }

    pub(crate) fn write<'c>(writer: &mut Writer<'_>, chain: impl Iterator<Item = &'c [u8]>) {
        writer.u8(0);
        let mut list = writer.block(Width::Three);
        chain.for_each(|certificate| {
            list.block(Width::Three).bytes(certificate);
            list.u16(0);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chain_decodes_as_written_and_truncated_one_fails() {
        let mut body = Vec::new();
        Certificate13::write(&mut Writer::new(&mut body), [&b"leaf"[..], b"ca"].into_iter());
        assert!(Certificate13::decode(&body).unwrap().chain().eq([&b"leaf"[..], b"ca"]));
        for len in 0..body.len() {
            assert!(Certificate13::decode(&body[..len]).is_err(), "{len}");
        }
        assert_eq!(Certificate13::decode(&[0, 0, 0, 0]).unwrap().chain().count(), 0);
        assert!(Certificate13::decode(&[1, 7, 0, 0, 0]).is_err());
    }
}
