//! ClientHello (RFC 6347 section 4.2.1).

use crate::codec::{Malformed, Reader, U16List, Width, Writer};
use crate::crypto::suite::CipherSuite;
use crate::extension::{ExtensionType, Extensions, cookie};
use crate::message::Random;
use crate::message::version::ProtocolVersion;

const NULL_COMPRESSION: u8 = 0;

/// A received ClientHello. The session id is ignored, because there is no resumption.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientHello<'a> {
    pub(crate) version: ProtocolVersion,
    pub(crate) random: Random,
    /// The fields that a second ClientHello repeats before and behind the cookie: version, random and session id, then
    /// cipher suites and compression methods.
    pub(crate) parameters: [&'a [u8]; 2],
    /// The cookie of DTLS 1.2; empty in an offer of DTLS 1.3 (RFC 9147 section 5.3).
    pub(crate) legacy_cookie: &'a [u8],
    suites: U16List<'a>,
    compression: &'a [u8],
    pub(crate) extensions: Extensions<'a>,
}

impl<'a> ClientHello<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let version = ProtocolVersion(reader.u16()?);
        let random = reader.array()?;
        if reader.vector8()?.len() > 32 {
            return Err(Malformed);
        }
        let before = until(body, reader);
        let legacy_cookie = reader.vector8()?;
        let behind = reader.rest();
        let suites = U16List::decode(&mut reader)?;
        let compression = reader.vector8()?;
        let parameters = [before, until(behind, reader)];
        let extensions = Extensions::decode(&mut reader)?;
        reader.finish()?;
        Ok(Self { version, random, parameters, legacy_cookie, suites, compression, extensions })
    }

    /// Returns the cookies of both versions, if the start of a ClientHello contains them: a non-empty one of DTLS 1.2,
    /// and the extension of DTLS 1.3.
    pub(crate) fn cookies(beginning: &'a [u8]) -> [Option<&'a [u8]>; 2] {
        let mut reader = Reader::new(beginning);
        let legacy = Self::legacy_cookie(&mut reader).ok();
        let extension = legacy.and_then(|_| Self::cookie_extension(reader).ok());
        [legacy.filter(|cookie| !cookie.is_empty()), extension]
    }

    fn legacy_cookie(reader: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
        reader.take(2 + 32)?;
        reader.vector8()?;
        reader.vector8()
    }

    fn cookie_extension(mut reader: Reader<'a>) -> Result<&'a [u8], Malformed> {
        reader.vector16()?;
        reader.vector8()?;
        reader.u16()?;
        loop {
            let kind = ExtensionType(reader.u16()?);
            let body = reader.vector16()?;
            if kind == ExtensionType::COOKIE {
                return cookie::decode(body);
            }
        }
    }

    pub(crate) fn offers(&self, suite: CipherSuite) -> bool {
        self.suites.contains(suite.0)
    }

    /// Returns whether only null compression is offered, as DTLS 1.3 requires (RFC 8446 section 4.1.2).
    pub(crate) fn offers_only_null_compression(&self) -> bool {
        self.compression == [NULL_COMPRESSION]
    }

    pub(crate) fn offers_null_compression(&self) -> bool {
        self.compression.contains(&NULL_COMPRESSION)
    }

    /// Writes a ClientHello without a session id.
    pub(crate) fn write(
        writer: &mut Writer<'_>,
        random: &Random,
        cookie: &[u8],
        suites: impl Iterator<Item = CipherSuite>,
        extensions: impl FnOnce(&mut Writer<'_>),
    ) {
        writer.u16(ProtocolVersion::DTLS12.0);
        writer.bytes(random);
        writer.u8(0);
        writer.block(Width::One).bytes(cookie);
        {
            let mut list = writer.block(Width::Two);
            for suite in suites {
                list.u16(suite.0);
            }
        }
        writer.block(Width::One).u8(NULL_COMPRESSION);
        extensions(&mut writer.block(Width::Two));
    }
}

/// Returns the bytes before the rest that `reader` has left.
fn until<'a>(bytes: &'a [u8], reader: Reader<'_>) -> &'a [u8] {
    bytes.get(..bytes.len().saturating_sub(reader.rest().len())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Vec<u8> {
        let mut body = Vec::new();
        let suites = [CipherSuite(0xc02b), CipherSuite(0xcca9)].into_iter();
        ClientHello::write(&mut Writer::new(&mut body), &[7; 32], b"cookie", suites, |writer| {
            crate::extension::write(writer, ExtensionType::EXTENDED_MASTER_SECRET, |_| {});
        });
        body
    }

    #[test]
    fn client_hello_decodes_as_written() {
        let body = written();
        let hello = ClientHello::decode(&body).unwrap();
        assert_eq!((hello.version, hello.random), (ProtocolVersion::DTLS12, [7; 32]));
        assert!(hello.offers(CipherSuite(0xcca9)) && !hello.offers(CipherSuite(0x1301)));
        assert!(hello.offers_null_compression());
        assert_eq!(hello.extensions.get(ExtensionType::EXTENDED_MASTER_SECRET), Some(&[][..]));
    }

    #[test]
    fn parameters_are_all_fields_but_cookie_and_extensions() {
        let body = written();
        let [before, behind] = ClientHello::decode(&body).unwrap().parameters;
        assert_eq!(before, &body[..35]);
        assert_eq!(behind, &body[35 + 7..body.len() - 6]);
    }

    #[test]
    fn cookies_are_found_in_a_partial_hello() {
        let mut body = Vec::new();
        let suites = std::iter::once(CipherSuite(0x1301));
        ClientHello::write(&mut Writer::new(&mut body), &[7; 32], b"old", suites, |writer| {
            crate::extension::write(writer, ExtensionType(9), |writer| writer.bytes(&[1; 20]));
            crate::extension::write(writer, ExtensionType::COOKIE, |writer| cookie::write(writer, b"new"));
            crate::extension::write(writer, ExtensionType(10), |_| {});
        });
        for len in 0..=body.len() {
            let legacy = (len >= 39).then_some(&b"old"[..]);
            let extension = (len + 4 >= body.len()).then_some(&b"new"[..]);
            assert_eq!(ClientHello::cookies(&body[..len]), [legacy, extension], "{len}");
        }
        assert_eq!(ClientHello::cookies(&written())[1], None);
    }

    #[test]
    fn truncated_or_extended_hello_is_malformed() {
        let body = written();
        // Without its extension block a ClientHello is valid again, as old clients send it.
        let without_extensions = body.len() - 6;
        for len in (0..body.len()).filter(|len| *len != without_extensions) {
            assert_eq!(ClientHello::decode(&body[..len]).err(), Some(Malformed), "{len}");
        }
        let excess = [&body[..], &[0]].concat();
        assert_eq!(ClientHello::decode(&excess).err(), Some(Malformed));
    }
}
