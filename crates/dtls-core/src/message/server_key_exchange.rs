//! ServerKeyExchange with an elliptic curve share (RFC 8422 section 5.4).

use crate::codec::{Malformed, Reader, Width, Writer};
use crate::crypto::group::NamedGroup;
use crate::crypto::sign::SignatureScheme;
use crate::message::Random;

const NAMED_CURVE: u8 = 3;
/// Two randoms and a share of P-384, the longest.
const ROOM_FOR_SIGNED: usize = 64 + 4 + 97;

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

    pub(crate) fn write(
        writer: &mut Writer<'_>,
        write_params: impl FnOnce(&mut Writer<'_>),
        scheme: SignatureScheme,
        signature: &[u8],
    ) {
        write_params(writer);
        writer.u16(scheme.0);
        writer.block(Width::Two).bytes(signature);
    }

    /// What the signature covers: both randoms and the parameters.
    pub(crate) fn signed(
        client_random: &Random,
        server_random: &Random,
        write_params: impl FnOnce(&mut Writer<'_>),
    ) -> Vec<u8> {
        let mut signed = Vec::with_capacity(ROOM_FOR_SIGNED);
        signed.extend_from_slice(client_random);
        signed.extend_from_slice(server_random);
        write_params(&mut Writer::new(&mut signed));
        signed
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
        let write_params = |writer: &mut Writer<'_>| writer.bytes(&params);
        ServerKeyExchange::write(&mut Writer::new(&mut body), write_params, scheme, b"signature");
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
