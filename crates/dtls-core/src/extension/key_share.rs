//! `key_share` (RFC 8446 section 4.2.8): a list from the client, one share or a group from the server.

use crate::codec::{Malformed, Reader, Width, Writer};
use crate::crypto::group::NamedGroup;

/// A received share, not validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyShareEntry<'a> {
    pub(crate) group: NamedGroup,
    pub(crate) share: &'a [u8],
}

impl<'a> KeyShareEntry<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let group = NamedGroup(reader.u16()?);
        let share = reader.vector16()?;
        if share.is_empty() { Err(Malformed) } else { Ok(Self { group, share }) }
    }

    /// Decodes the form of a ServerHello.
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let entry = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(entry)
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.u16(self.group.0);
        writer.block(Width::Two).bytes(self.share);
    }
}

/// The form of a ClientHello, possibly empty.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyShares<'a> {
    list: &'a [u8],
}

impl<'a> KeyShares<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let list = reader.vector16()?;
        reader.finish()?;
        let mut rest = Reader::new(list);
        while !rest.is_empty() {
            KeyShareEntry::read(&mut rest)?;
        }
        Ok(Self { list })
    }

    /// Returns the first share of a group.
    pub(crate) fn get(self, group: NamedGroup) -> Option<&'a [u8]> {
        let mut reader = Reader::new(self.list);
        std::iter::from_fn(|| KeyShareEntry::read(&mut reader).ok())
            .find(|entry| entry.group == group)
            .map(|entry| entry.share)
    }

    pub(crate) fn write<'k>(writer: &mut Writer<'_>, shares: impl Iterator<Item = KeyShareEntry<'k>>) {
        let mut list = writer.block(Width::Two);
        shares.for_each(|share| share.write(&mut list));
    }
}

/// Returns whether a ClientHello has exactly one share, as required after a HelloRetryRequest with a group (RFC 8446
/// section 4.1.2).
pub(crate) fn is_single(body: &[u8]) -> bool {
    let mut reader = Reader::new(body);
    let list = reader.vector16();
    list.and_then(KeyShareEntry::decode).is_ok()
}

/// Decodes the form of a HelloRetryRequest.
pub(crate) fn decode_retry(body: &[u8]) -> Result<NamedGroup, Malformed> {
    let mut reader = Reader::new(body);
    let group = NamedGroup(reader.u16()?);
    reader.finish()?;
    Ok(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_decode_as_written() {
        let entry = |group, share| KeyShareEntry { group, share };
        let mut body = Vec::new();
        let shares = [entry(NamedGroup::X25519, &b"abc"[..]), entry(NamedGroup::SECP256R1, b"d")];
        KeyShares::write(&mut Writer::new(&mut body), shares.into_iter());
        let read = KeyShares::decode(&body).unwrap();
        assert_eq!(read.get(NamedGroup::X25519), Some(&b"abc"[..]));
        assert_eq!(read.get(NamedGroup::SECP256R1), Some(&b"d"[..]));
        assert_eq!(read.get(NamedGroup::SECP384R1), None);
        for len in 0..body.len() {
            assert!(KeyShares::decode(&body[..len]).is_err(), "{len}");
        }
        assert!(KeyShares::decode(&[0, 0]).unwrap().get(NamedGroup::X25519).is_none());
        assert!(KeyShareEntry::decode(&[0, 29, 0, 0]).is_err());
        assert!(!is_single(&body) && !is_single(&[0, 0]) && !is_single(&[]));
        assert!(is_single(&[0, 5, 0, 29, 0, 1, 7]));
    }
}
