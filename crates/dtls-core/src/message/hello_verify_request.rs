//! HelloVerifyRequest (RFC 6347 section 4.2.1): the server's cookie.

use crate::codec::{Malformed, Reader, Width, Writer};
use crate::message::version::ProtocolVersion;

/// The cookie to return. The version has no meaning (RFC 6347 section 4.2.1).
#[derive(Clone, Copy, Debug)]
pub(crate) struct HelloVerifyRequest<'a> {
    pub(crate) cookie: &'a [u8],
}

impl<'a> HelloVerifyRequest<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        reader.u16()?;
        let cookie = reader.vector8()?;
        reader.finish()?;
        Ok(Self { cookie })
    }

    /// The version is always that of DTLS 1.0, as the RFC recommends.
    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.u16(ProtocolVersion::DTLS10.0);
        writer.block(Width::One).bytes(self.cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hello_verify_request_contains_the_cookie() {
        assert_eq!(HelloVerifyRequest::decode(&[0xfe, 0xff, 2, 8, 9]).unwrap().cookie, [8, 9]);
        assert!(HelloVerifyRequest::decode(&[0xfe, 0xff, 2, 8]).is_err());
        assert!(HelloVerifyRequest::decode(&[0xfe, 0xff, 1, 8, 9]).is_err());
        let mut written = Vec::new();
        HelloVerifyRequest { cookie: &[8, 9] }.write(&mut Writer::new(&mut written));
        assert_eq!(written, [0xfe, 0xff, 2, 8, 9]);
    }
}
