//! ServerHello (RFC 5246 section 7.4.1.3).

use crate::codec::{Malformed, Reader, Width, Writer};
use crate::crypto::suite::CipherSuite;
use crate::extension::Extensions;
use crate::message::Random;
use crate::message::version::ProtocolVersion;

/// A ServerHello.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerHello<'a> {
    pub(crate) version: ProtocolVersion,
    pub(crate) random: Random,
    pub(crate) session_id: &'a [u8],
    pub(crate) suite: CipherSuite,
    pub(crate) compression: u8,
    pub(crate) extensions: Extensions<'a>,
}

impl<'a> ServerHello<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let version = ProtocolVersion(reader.u16()?);
        let random = reader.array()?;
        let session_id = reader.vector8()?;
        if session_id.len() > 32 {
            return Err(Malformed);
        }
        let suite = CipherSuite(reader.u16()?);
        let compression = reader.u8()?;
        let extensions = Extensions::decode(&mut reader)?;
        reader.finish()?;
        Ok(Self { version, random, session_id, suite, compression, extensions })
    }

    /// Writes a ServerHello without a session id.
    pub(crate) fn write(
        writer: &mut Writer<'_>,
        random: &Random,
        suite: CipherSuite,
        extensions: impl FnOnce(&mut Writer<'_>),
    ) {
        writer.u16(ProtocolVersion::DTLS12.0);
        writer.bytes(random);
        writer.u8(0);
        writer.u16(suite.0);
        writer.u8(0);
        extensions(&mut writer.block(Width::Two));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_hello_decodes_as_written_and_truncated_one_fails() {
        let mut body = Vec::new();
        ServerHello::write(&mut Writer::new(&mut body), &[7; 32], CipherSuite(0xc02b), |writer| {
            crate::extension::write(writer, crate::extension::ExtensionType(23), |_| {});
        });
        let hello = ServerHello::decode(&body).unwrap();
        assert_eq!((hello.random, hello.suite, hello.compression), ([7; 32], CipherSuite(0xc02b), 0));
        for len in (0..body.len()).filter(|len| *len != body.len() - 6) {
            assert!(ServerHello::decode(&body[..len]).is_err(), "{len}");
        }
    }
}
