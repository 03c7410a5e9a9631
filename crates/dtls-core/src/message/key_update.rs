//! KeyUpdate (RFC 8446 section 4.6.3).

use crate::codec::{Malformed, Reader, Writer};

/// Whether the sender wants new keys in the other direction too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyUpdate {
    NotRequested,
    Requested,
}

impl KeyUpdate {
    pub(crate) fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let request = match reader.u8()? {
            0 => Self::NotRequested,
            1 => Self::Requested,
            _ => return Err(Malformed),
        };
        reader.finish()?;
        Ok(request)
    }

    pub(crate) fn write(self, writer: &mut Writer<'_>) {
        writer.u8(match self {
            Self::NotRequested => 0,
            Self::Requested => 1,
        });
    }
}
