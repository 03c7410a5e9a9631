//! `application_layer_protocol_negotiation` (RFC 7301 section 3.1): protocol names, in the same form in both hellos.

use crate::codec::{Malformed, Reader, Width, Writer};

/// The names of a list. Each has at least one byte.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProtocolNames<'a>(&'a [u8]);

impl<'a> ProtocolNames<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let list = reader.vector16()?;
        reader.finish()?;
        let mut names = Reader::new(list);
        loop {
            if names.vector8()?.is_empty() {
                return Err(Malformed);
            }
            if names.is_empty() {
                return Ok(Self(list));
            }
        }
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        let mut reader = Reader::new(self.0);
        std::iter::from_fn(move || reader.vector8().ok())
    }

    pub(crate) fn write<'n>(writer: &mut Writer<'_>, names: impl Iterator<Item = &'n [u8]>) {
        let mut list = writer.block(Width::Two);
        for name in names {
            list.block(Width::One).bytes(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_order_and_are_not_empty() {
        let mut body = Vec::new();
        let names = [&b"webrtc"[..], b"c-webrtc"];
        ProtocolNames::write(&mut Writer::new(&mut body), names.into_iter());
        assert_eq!(body, *b"\x00\x10\x06webrtc\x08c-webrtc");
        assert!(ProtocolNames::decode(&body).unwrap().iter().eq(names));
        for len in 0..body.len() {
            assert!(ProtocolNames::decode(&body[..len]).is_err(), "{len}");
        }
        for malformed in [&[0, 0][..], &[0, 1, 0], &[0, 3, 1, b'a', 0], &[0, 2, 1, b'a', 9]] {
            assert!(ProtocolNames::decode(malformed).is_err(), "{malformed:?}");
        }
    }
}
