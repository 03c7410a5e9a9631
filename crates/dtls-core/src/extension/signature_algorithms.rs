//! `signature_algorithms` (RFC 5246 section 7.4.1.4.1); a CertificateRequest carries the same list.

use crate::codec::{Malformed, Reader, U16List, Width, Writer};
use crate::crypto::sign::SignatureScheme;

/// The schemes that the sender verifies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignatureAlgorithms<'a>(U16List<'a>);

impl<'a> SignatureAlgorithms<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let list = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(list)
    }

    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        U16List::decode(reader).map(Self)
    }

    pub(crate) fn contains(self, scheme: SignatureScheme) -> bool {
        self.0.contains(scheme.0)
    }

    pub(crate) fn write(writer: &mut Writer<'_>, schemes: &[SignatureScheme]) {
        let mut list = writer.block(Width::Two);
        for scheme in schemes {
            list.u16(scheme.0);
        }
    }
}
