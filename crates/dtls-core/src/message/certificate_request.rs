//! CertificateRequest (RFC 5246 section 7.4.4).

use crate::codec::{Malformed, Reader, Width, Writer};
use crate::crypto::sign::SignatureScheme;
use crate::crypto::suite::KeyKind;
use crate::extension::signature_algorithms::SignatureAlgorithms;

const RSA_SIGN: u8 = 1;
const ECDSA_SIGN: u8 = 64;

/// The certificates that the server accepts. The authorities are ignored, because WebRTC certificates have none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CertificateRequest<'a> {
    types: &'a [u8],
    pub(crate) schemes: SignatureAlgorithms<'a>,
}

impl<'a> CertificateRequest<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let types = reader.vector8()?;
        let schemes = SignatureAlgorithms::read(&mut reader)?;
        let mut authorities = Reader::new(reader.vector16()?);
        reader.finish()?;
        while !authorities.is_empty() {
            authorities.vector16()?;
        }
        Ok(Self { types, schemes })
    }

    pub(crate) fn accepts(&self, kind: KeyKind) -> bool {
        self.types.contains(&match kind {
            KeyKind::Ecdsa => ECDSA_SIGN,
            KeyKind::Rsa => RSA_SIGN,
        })
    }

    /// Writes a request for every supported signature scheme, from any authority.
    pub(crate) fn write(writer: &mut Writer<'_>, schemes: &[SignatureScheme]) {
        writer.block(Width::One).bytes(&[ECDSA_SIGN, RSA_SIGN]);
        SignatureAlgorithms::write(writer, schemes);
        writer.u16(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_decodes_as_written_and_truncated_one_fails() {
        let mut body = Vec::new();
        CertificateRequest::write(&mut Writer::new(&mut body), &[SignatureScheme::ED25519]);
        let decoded = CertificateRequest::decode(&body).unwrap();
        assert!(decoded.accepts(KeyKind::Ecdsa) && decoded.accepts(KeyKind::Rsa));
        assert!(decoded.schemes.contains(SignatureScheme::ED25519));
        for len in 0..body.len() {
            assert!(CertificateRequest::decode(&body[..len]).is_err(), "{len}");
        }
    }
}
