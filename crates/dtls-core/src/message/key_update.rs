//! KeyUpdate (RFC 8446 section 4.6.3).

use crate::codec::{Reader, Writer};
use crate::failure::Misbehaved;

/// Whether the sender requests a KeyUpdate of the other direction too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyUpdate {
    NotRequested,
    Requested,
}

impl KeyUpdate {
    pub(crate) fn decode(body: &[u8]) -> Result<Self, Misbehaved> {
        let malformed = |_| Misbehaved::Malformed;
        let mut reader = Reader::new(body);
        let request = reader.u8().map_err(malformed)?;
        reader.finish().map_err(malformed)?;
        match request {
            0 => Ok(Self::NotRequested),
            1 => Ok(Self::Requested),
            _ => Err(Misbehaved::IllegalKeyUpdate),
        }
    }

    pub(crate) fn write(self, writer: &mut Writer<'_>) {
        writer.u8(match self {
            Self::NotRequested => 0,
            Self::Requested => 1,
        });
    }
}
