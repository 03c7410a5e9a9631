//! CertificateVerify (RFC 5246 section 7.4.8, RFC 8446 section 4.4.3): the sender's signature of the handshake.

use crate::codec::{Malformed, Reader, Width, Writer};
use crate::crypto::sign::SignatureScheme;

/// A signature and its scheme.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CertificateVerify<'a> {
    pub(crate) scheme: SignatureScheme,
    pub(crate) signature: &'a [u8],
}

impl<'a> CertificateVerify<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let scheme = SignatureScheme(reader.u16()?);
        let signature = reader.vector16()?;
        reader.finish()?;
        Ok(Self { scheme, signature })
    }

    pub(crate) fn write(writer: &mut Writer<'_>, scheme: SignatureScheme, signature: &[u8]) {
        writer.u16(scheme.0);
        writer.block(Width::Two).bytes(signature);
    }
}
