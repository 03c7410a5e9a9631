//! HelloRetryRequest (RFC 8446 section 4.1.4): a ServerHello that asks for another ClientHello.

use crate::codec::Writer;
use crate::crypto::group::NamedGroup;
use crate::crypto::suite::CipherSuite;
use crate::dtls13::RETRY_RANDOM;
use crate::extension::{self, ExtensionType, cookie};
use crate::message::server_hello::ServerHello;
use crate::message::version::ProtocolVersion;

/// The requirements for the next ClientHello.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HelloRetryRequest<'a> {
    pub(crate) suite: CipherSuite,
    /// A share of this group is required instead of the sent ones.
    pub(crate) group: Option<NamedGroup>,
    pub(crate) cookie: Option<&'a [u8]>,
}

impl HelloRetryRequest<'_> {
    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        ServerHello::write(writer, &RETRY_RANDOM, self.suite, |writer| {
            extension::write(writer, ExtensionType::SUPPORTED_VERSIONS, |writer| {
                writer.u16(ProtocolVersion::DTLS13.0);
            });
            if let Some(group) = self.group {
                extension::write(writer, ExtensionType::KEY_SHARE, |writer| writer.u16(group.0));
            }
            if let Some(bytes) = self.cookie {
                extension::write(writer, ExtensionType::COOKIE, |writer| cookie::write(writer, bytes));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extension::key_share::decode_retry;

    #[test]
    fn hello_retry_request_is_a_server_hello() {
        let mut body = Vec::new();
        let suite = CipherSuite::AES_128_GCM_SHA256;
        let request = HelloRetryRequest { suite, group: Some(NamedGroup::SECP256R1), cookie: Some(b"abc") };
        request.write(&mut Writer::new(&mut body));
        let hello = ServerHello::decode(&body).unwrap();
        assert_eq!((hello.random, hello.suite), (RETRY_RANDOM, suite));
        let group = hello.extensions.get(ExtensionType::KEY_SHARE).map(decode_retry);
        assert_eq!(group, Some(Ok(NamedGroup::SECP256R1)));
        let cookie = hello.extensions.get(ExtensionType::COOKIE).map(cookie::decode);
        assert_eq!(cookie, Some(Ok(&b"abc"[..])));
    }
}
