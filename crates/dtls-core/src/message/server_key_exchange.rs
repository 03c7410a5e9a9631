//! ServerKeyExchange with an elliptic curve share (RFC 8422 section 5.4).

use crate::codec::{Malformed, Reader, Width, Writer};
use crate::crypto::group::NamedGroup;
use crate::crypto::sign::SignatureScheme;
use crate::message::Random;

const NAMED_CURVE: u8 = 3;

/// The server's share, signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerKeyExchange<'a> {
    pub(crate) group: NamedGroup,
    pub(crate) share: &'a [u8],
    /// Group and share as they came, which is what the signature covers.
    pub(crate) params: &'a [u8],
    pub(crate) scheme: SignatureScheme,
    pub(crate) signature: &'a [u8],
}

impl<'a> ServerKeyExchange<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        if reader.u8()? != NAMED_CURVE {
            return Err(Malformed);
        }
        let group = NamedGroup(reader.u16()?);
        let share = reader.vector8()?;
        let params = body.get(..body.len() - reader.rest().len()).ok_or(Malformed)?;
        let scheme = SignatureScheme(reader.u16()?);
        let signature = reader.vector16()?;
        reader.finish()?;
        Ok(Self { group, share, params, scheme, signature })
    }

    pub(crate) fn write_params(writer: &mut Writer<'_>, group: NamedGroup, share: &[u8]) {
        writer.u8(NAMED_CURVE);
        writer.u16(group.0);
        writer.block(Width::One).bytes(share);
    }

    pub(crate) fn write(writer: &mut Writer<'_>, params: &[u8], scheme: SignatureScheme, signature: &[u8]) {
        writer.bytes(params);
        writer.u16(scheme.0);
        writer.block(Width::Two).bytes(signature);
    }

    /// What the signature covers.
    pub(crate) fn signed(client_random: &Random, server_random: &Random, params: &[u8]) -> Vec<u8> {
        [&client_random[..], server_random, params].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_nothing_shorter() {
        let (mut params, mut body) = (Vec::new(), Vec::new());
        ServerKeyExchange::write_params(&mut Writer::new(&mut params), NamedGroup::X25519, &[9; 32]);
        let scheme = SignatureScheme::ECDSA_SECP256R1_SHA256;
        ServerKeyExchange::write(&mut Writer::new(&mut body), &params, scheme, b"signature");
        let decoded = ServerKeyExchange::decode(&body).unwrap();
        assert_eq!(
            (decoded.group, decoded.share, decoded.params),
            (NamedGroup::X25519, &[9; 32][..], &params[..])
        );
        assert_eq!((decoded.scheme, decoded.signature), (scheme, &b"signature"[..]));
        for len in 0..body.len() {
            assert!(ServerKeyExchange::decode(&body[..len]).is_err(), "{len}");
        }
    }
}
