//! Inspection of a datagram without a connection, for a layer that routes to several connections.

use crate::codec::Reader;
use crate::discard::Discard;
use crate::handshake::{Fragment, HandshakeType};
use crate::record::epoch::HANDSHAKE_EPOCH;
use crate::record::unified::{self, UnifiedHeader};
use crate::record::{ContentType, first_record};

/// The unencrypted content of the first record of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peek {
    /// The epoch of the first record: 0 is plaintext, all others are protected. A protected record of DTLS 1.3 has only
    /// the two low bits; then this is the first epoch with these bits, 2 to 5.
    pub epoch: u16,
    /// The hello in the first record, if it is plaintext and contains one or a fragment of one.
    pub hello: Option<Hello>,
}

/// A hello message, with the random that identifies its handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hello {
    /// A ClientHello; the random is `None` in a fragment without it.
    Client(Option<[u8; 32]>),
    /// A ServerHello, with the same rule; or a HelloVerifyRequest, which has no random.
    Server(Option<[u8; 32]>),
}

/// Inspects the first record of a datagram. Nothing is authenticated.
///
/// # Errors
/// The reason why every connection would discard it.
pub fn peek(datagram: &[u8]) -> Result<Peek, Discard> {
    if datagram.first().is_some_and(|first| unified::is_unified(*first)) {
        let bits = u16::from(UnifiedHeader::read(datagram)?.epoch_bits);
        let epoch = if bits < HANDSHAKE_EPOCH { bits + 4 } else { bits };
        return Ok(Peek { epoch, hello: None });
    }
    let (header, content) = first_record(datagram)?;
    let epoch = header.number.epoch;
    if epoch != 0 || header.content_type != ContentType::Handshake {
        return Ok(Peek { epoch, hello: None });
    }
    let fragment = Fragment::decode(&mut Reader::new(content)).map_err(|_| Discard::Truncated)?;
    let hello = match fragment.kind {
        HandshakeType::CLIENT_HELLO => Some(Hello::Client(hello_random(&fragment))),
        HandshakeType::SERVER_HELLO => Some(Hello::Server(hello_random(&fragment))),
        HandshakeType::HELLO_VERIFY_REQUEST => Some(Hello::Server(None)),
        _ => None,
    };
    Ok(Peek { epoch, hello })
}

/// Both hellos begin with a version and the random.
pub(crate) fn hello_random(fragment: &Fragment<'_>) -> Option<[u8; 32]> {
    if fragment.offset != 0 {
        return None;
    }
    let mut reader = Reader::new(fragment.body);
    reader.u16().ok()?;
    reader.array().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(kind: u8, offset: u8, body: &[u8]) -> Vec<u8> {
        let len = u8::try_from(body.len()).unwrap();
        let mut datagram = vec![22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, len + 12];
        datagram.extend([kind, 0, 0, 200, 0, 0, 0, 0, offset, 0, 0, len]);
        datagram.extend(body);
        datagram
    }

    #[test]
    fn hellos_show_their_random() {
        let mut body = vec![0xfe, 0xfd];
        body.extend([7; 32]);
        body.push(0);
        let shown = |datagram: &[u8]| peek(datagram).unwrap().hello;
        assert_eq!(shown(&hello(1, 0, &body)), Some(Hello::Client(Some([7; 32]))));
        assert_eq!(shown(&hello(2, 0, &body)), Some(Hello::Server(Some([7; 32]))));
        assert_eq!(shown(&hello(1, 35, &body)), Some(Hello::Client(None)));
        assert_eq!(shown(&hello(1, 0, &body[..33])), Some(Hello::Client(None)));
        assert_eq!(shown(&hello(3, 0, &[0xfe, 0xff, 0])), Some(Hello::Server(None)));
        assert_eq!(shown(&hello(11, 0, &body)), None);
    }

    #[test]
    fn protected_dtls13_records_are_not_plaintext() {
        for (first, epoch) in [(0x2c, 4), (0x2d, 5), (0x2e, 2), (0x2f, 3)] {
            assert_eq!(peek(&[first, 0, 0, 0, 1, 9]), Ok(Peek { epoch, hello: None }));
        }
        assert_eq!(peek(&[0x2f, 0, 0, 0, 2, 9]), Err(Discard::Truncated));
    }

    #[test]
    fn protected_records_show_their_epoch_only() {
        let mut datagram = hello(1, 0, &[0; 40]);
        datagram[4] = 1;
        assert_eq!(peek(&datagram), Ok(Peek { epoch: 1, hello: None }));
        assert_eq!(peek(&datagram[..30]), Err(Discard::Truncated));
        assert_eq!(peek(b"\x80\x60 rtp"), Err(Discard::NotDtls));
        assert_eq!(peek(&[]), Err(Discard::Truncated));
    }
}
