//! `supported_versions` (RFC 8446 section 4.2.1): a list from the client, one version from the server.

use crate::codec::{Malformed, Reader, Width, Writer};
use crate::message::version::ProtocolVersion;

/// Returns whether the list of a ClientHello contains the version.
pub(crate) fn contains(body: &[u8], version: ProtocolVersion) -> Result<bool, Malformed> {
    let mut reader = Reader::new(body);
    let (versions, odd) = reader.vector8()?.as_chunks();
    reader.finish()?;
    if versions.is_empty() || !odd.is_empty() {
        return Err(Malformed);
    }
    Ok(versions.iter().any(|each| u16::from_be_bytes(*each) == version.0))
}

/// Returns the version that a ServerHello selects.
pub(crate) fn decode_selected(body: &[u8]) -> Result<ProtocolVersion, Malformed> {
    let mut reader = Reader::new(body);
    let version = ProtocolVersion(reader.u16()?);
    reader.finish()?;
    Ok(version)
}

/// Writes the list of a ClientHello.
pub(crate) fn write(writer: &mut Writer<'_>, versions: &[ProtocolVersion]) {
    let mut list = writer.block(Width::One);
    for version in versions {
        list.u16(version.0);
    }
}
