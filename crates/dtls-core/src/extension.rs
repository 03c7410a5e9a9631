//! Hello extensions on the wire (RFC 5246 section 7.4.1.4), one per file.

pub(crate) mod alpn;
pub(crate) mod cookie;
pub(crate) mod ec_point_formats;
pub(crate) mod extended_master_secret;
pub(crate) mod key_share;
pub(crate) mod renegotiation_info;
pub(crate) mod signature_algorithms;
pub(crate) mod supported_groups;
pub(crate) mod supported_versions;
pub(crate) mod use_srtp;

use crate::codec::{Malformed, Reader, Width, Writer};
use crate::failure::Misbehaved;

/// The registered number of an extension. Unknown values are ordinary values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExtensionType(pub(crate) u16);

impl ExtensionType {
    pub(crate) const SUPPORTED_GROUPS: Self = Self(10);
    pub(crate) const EC_POINT_FORMATS: Self = Self(11);
    pub(crate) const SIGNATURE_ALGORITHMS: Self = Self(13);
    pub(crate) const USE_SRTP: Self = Self(14);
    pub(crate) const ALPN: Self = Self(16);
    pub(crate) const EXTENDED_MASTER_SECRET: Self = Self(23);
    pub(crate) const SUPPORTED_VERSIONS: Self = Self(43);
    pub(crate) const COOKIE: Self = Self(44);
    pub(crate) const KEY_SHARE: Self = Self(51);
    pub(crate) const RENEGOTIATION_INFO: Self = Self(0xff01);

    /// The known types, whose place in the messages is therefore checked.
    const KNOWN: [Self; 10] = [
        Self::SUPPORTED_GROUPS,
        Self::EC_POINT_FORMATS,
        Self::SIGNATURE_ALGORITHMS,
        Self::USE_SRTP,
        Self::ALPN,
        Self::EXTENDED_MASTER_SECRET,
        Self::SUPPORTED_VERSIONS,
        Self::COOKIE,
        Self::KEY_SHARE,
        Self::RENEGOTIATION_INFO,
    ];
}

/// More extensions than in any real hello; keeps the search for duplicates short.
const MAX_EXTENSIONS: usize = 64;

/// The extension block of a hello, with a valid structure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extensions<'a> {
    block: &'a [u8],
}

impl<'a> Extensions<'a> {
    /// The block may be missing. No type may occur twice.
    pub(crate) fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        if reader.is_empty() {
            return Ok(Self { block: &[] });
        }
        Self::decode_block(reader.vector16()?)
    }

    /// Decodes the block without its length.
    pub(crate) fn decode_block(block: &'a [u8]) -> Result<Self, Malformed> {
        let mut rest = Reader::new(block);
        for count in 0.. {
            if rest.is_empty() {
                break;
            }
            let before = Self { block }.iter().take(count);
            let (kind, _) = Self::read_one(&mut rest)?;
            if count >= MAX_EXTENSIONS || before.into_iter().any(|(other, _)| other == kind) {
                return Err(Malformed);
            }
        }
        Ok(Self { block })
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = (ExtensionType, &'a [u8])> {
        let mut reader = Reader::new(self.block);
        std::iter::from_fn(move || Self::read_one(&mut reader).ok())
    }

    /// Returns the body of one extension.
    pub(crate) fn get(self, wanted: ExtensionType) -> Option<&'a [u8]> {
        self.iter().find(|(kind, _)| *kind == wanted).map(|(_, body)| body)
    }

    /// Checks that each known extension is allowed in this message of DTLS 1.3 (RFC 8446 section 4.2).
    pub(crate) fn check_places(self, allowed: &[ExtensionType]) -> Result<(), Misbehaved> {
        let is_misplaced = |kind| ExtensionType::KNOWN.contains(&kind) && !allowed.contains(&kind);
        let any = self.iter().any(|(kind, _)| is_misplaced(kind));
        if any { Err(Misbehaved::MisplacedExtension) } else { Ok(()) }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.block.is_empty()
    }

    fn read_one(reader: &mut Reader<'a>) -> Result<(ExtensionType, &'a [u8]), Malformed> {
        Ok((ExtensionType(reader.u16()?), reader.vector16()?))
    }
}

/// Appends one extension.
pub(crate) fn write(writer: &mut Writer<'_>, kind: ExtensionType, body: impl FnOnce(&mut Writer<'_>)) {
    writer.u16(kind.0);
    body(&mut writer.block(Width::Two));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_decodes_as_written() {
        let mut block = Vec::new();
        {
            let mut writer = Writer::new(&mut block);
            let mut body = writer.block(Width::Two);
            write(&mut body, ExtensionType(7), |writer| writer.u8(9));
            write(&mut body, ExtensionType(8), |_| {});
        }
        let extensions = Extensions::decode(&mut Reader::new(&block)).unwrap();
        assert_eq!(extensions.get(ExtensionType(7)), Some(&[9][..]));
        assert_eq!(extensions.get(ExtensionType(8)), Some(&[][..]));
        assert_eq!(extensions.get(ExtensionType(9)), None);
        assert_eq!(extensions.iter().count(), 2);
    }

    #[test]
    fn missing_block_is_an_empty_one() {
        assert_eq!(Extensions::decode(&mut Reader::new(&[])).unwrap().iter().count(), 0);
    }

    #[test]
    fn duplicate_or_truncated_extension_is_malformed() {
        for block in [&[0, 8, 0, 7, 0, 0, 0, 7, 0, 0][..], &[0, 4, 0, 7, 0, 1], &[0, 3, 0, 7, 0], &[0, 1]] {
            assert_eq!(Extensions::decode(&mut Reader::new(block)).err(), Some(Malformed), "{block:?}");
        }
    }
}
