//! `supported_groups` (RFC 8422 section 5.1.1).

use crate::codec::{Malformed, Reader, U16List, Width, Writer};
use crate::crypto::group::NamedGroup;

/// The groups of a ClientHello, in the client's order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SupportedGroups<'a>(U16List<'a>);

impl<'a> SupportedGroups<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let list = U16List::decode(&mut reader)?;
        reader.finish()?;
        Ok(Self(list))
    }

    pub(crate) fn contains(self, group: NamedGroup) -> bool {
        self.0.contains(group.0)
    }

    pub(crate) fn write(writer: &mut Writer<'_>, groups: impl Iterator<Item = NamedGroup>) {
        let mut list = writer.block(Width::Two);
        for group in groups {
            list.u16(group.0);
        }
    }
}
