//! ServerKeyExchange with an elliptic curve share (RFC 8422 section 5.4).

use crate::codec::{Malformed, Reader, Width, Writer};
use crate::crypto::group::NamedGroup;
use crate::crypto::sign::SignatureScheme;
use crate::crypto::signed_content::SignedContent;
use crate::failure::Failure;
use crate::message::Random;

const NAMED_CURVE: u8 = 3;

/// The server's share, signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerKeyExchange<'a> {
    pub(crate) group: NamedGroup,
    pub(crate) share: &'a [u8],
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
        let scheme = SignatureScheme(reader.u16()?);
        let signature = reader.vector16()?;
        reader.finish()?;
        Ok(Self { group, share, scheme, signature })
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.bytes(&share_head(self.group, self.share));
        writer.bytes(self.share);
        writer.u16(self.scheme.0);
        writer.block(Width::Two).bytes(self.signature);
    }

    /// The input of the signature: both randoms and the parameters, which are group and share.
    pub(crate) fn signed(
        client_random: &Random,
        server_random: &Random,
        group: NamedGroup,
        share: &[u8],
    ) -> Result<SignedContent, Failure> {
        SignedContent::of(&[client_random, server_random, &share_head(group, share), share])
    }
}

/// Returns the parameters before the share. No supported share is longer than 255 bytes.
fn share_head(group: NamedGroup, share: &[u8]) -> [u8; 4] {
    let [high, low] = group.0.to_be_bytes();
    [NAMED_CURVE, high, low, u8::try_from(share.len()).unwrap_or(u8::MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_exchange_decodes_as_written_and_truncated_one_fails() {
        let mut body = Vec::new();
        let (group, scheme) = (NamedGroup::X25519, SignatureScheme::ECDSA_SECP256R1_SHA256);
        let share = [9; 32];
        ServerKeyExchange { group, share: &share, scheme, signature: b"signature" }
            .write(&mut Writer::new(&mut body));
        let decoded = ServerKeyExchange::decode(&body).unwrap();
        assert_eq!((decoded.group, decoded.share), (group, &share[..]));
        assert_eq!((decoded.scheme, decoded.signature), (scheme, &b"signature"[..]));
        let signed = ServerKeyExchange::signed(&[1; 32], &[2; 32], group, &share).unwrap();
        // The parameters at the start of the message.
        assert_eq!(signed.as_ref(), [&[1; 32], &[2; 32], &body[..4 + 32]].concat());
        for len in 0..body.len() {
            assert!(ServerKeyExchange::decode(&body[..len]).is_err(), "{len}");
        }
    }
}
