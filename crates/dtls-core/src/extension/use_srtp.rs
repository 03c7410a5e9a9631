//! `use_srtp` (RFC 5764 section 4.1): protection profiles and an MKI, which is not supported.

use crate::codec::{Malformed, Reader, U16List, Width, Writer};

/// SRTP protection profile ids (RFC 5764 section 4.1.2, RFC 7714 section 14.2).
pub mod srtp_profile {
    /// `SRTP_AES128_CM_HMAC_SHA1_80`
    pub const AES128_CM_SHA1_80: u16 = 0x0001;
    /// `SRTP_AES128_CM_HMAC_SHA1_32`
    pub const AES128_CM_SHA1_32: u16 = 0x0002;
    /// `SRTP_AEAD_AES_128_GCM`
    pub const AEAD_AES_128_GCM: u16 = 0x0007;
    /// `SRTP_AEAD_AES_256_GCM`
    pub const AEAD_AES_256_GCM: u16 = 0x0008;
}

/// Both hellos have the same form; a server's list has one entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SrtpProtection<'a> {
    pub(crate) profiles: U16List<'a>,
    pub(crate) mki: &'a [u8],
}

impl<'a> SrtpProtection<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let decoded = Self { profiles: U16List::decode(&mut reader)?, mki: reader.vector8()? };
        reader.finish()?;
        Ok(decoded)
    }

    pub(crate) fn write(writer: &mut Writer<'_>, profiles: &[u16]) {
        {
            let mut list = writer.block(Width::Two);
            for profile in profiles {
                list.u16(*profile);
            }
        }
        writer.u8(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_keep_their_order_with_empty_mki() {
        let mut body = Vec::new();
        SrtpProtection::write(&mut Writer::new(&mut body), &[8, 1]);
        assert_eq!(body, [0, 4, 0, 8, 0, 1, 0]);
        let decoded = SrtpProtection::decode(&body).unwrap();
        assert!(decoded.profiles.iter().eq([8, 1]) && decoded.mki.is_empty());
        assert!(SrtpProtection::decode(&[0, 2, 0, 8]).is_err());
        assert_eq!(SrtpProtection::decode(&[0, 2, 0, 8, 1, 9]).unwrap().mki, [9]);
    }
}
