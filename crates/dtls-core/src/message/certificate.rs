//! Certificate (RFC 5246 section 7.4.2): a chain, the sender's certificate first.

use crate::codec::{Malformed, Reader, Width, Writer};

/// A received chain; empty if the client has no certificate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Certificate<'a> {
    list: &'a [u8],
}

impl<'a> Certificate<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let list = reader.vector24()?;
        reader.finish()?;
        let mut rest = Reader::new(list);
        while !rest.is_empty() {
            if rest.vector24()?.is_empty() {
                return Err(Malformed);
            }
        }
        Ok(Self { list })
    }

    /// Returns the certificates as DER.
    pub(crate) fn chain(self) -> impl Iterator<Item = &'a [u8]> + Clone {
        let mut reader = Reader::new(self.list);
        std::iter::from_fn(move || reader.vector24().ok())
    }

    pub(crate) fn write<'c>(writer: &mut Writer<'_>, chain: impl Iterator<Item = &'c [u8]>) {
        let mut list = writer.block(Width::Three);
        chain.for_each(|certificate| list.block(Width::Three).bytes(certificate));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chain_decodes_as_written() {
        let mut body = Vec::new();
        Certificate::write(&mut Writer::new(&mut body), [&b"leaf"[..], b"ca"].into_iter());
        assert!(Certificate::decode(&body).unwrap().chain().eq([&b"leaf"[..], b"ca"]));
        assert_eq!(Certificate::decode(&[0, 0, 0]).unwrap().chain().count(), 0);
        assert!(Certificate::decode(&body[..body.len() - 1]).is_err());
        assert!(Certificate::decode(&[0, 0, 3, 0, 0, 0]).is_err());
    }
}
