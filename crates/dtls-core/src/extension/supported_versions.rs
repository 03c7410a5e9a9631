//! `supported_versions` (RFC 8446 section 4.2.1), as far as a server of DTLS 1.2 must read it.

use crate::codec::{Malformed, Reader};
use crate::message::version::ProtocolVersion;

/// Whether the list of a ClientHello names the version.
pub(crate) fn contains(body: &[u8], version: ProtocolVersion) -> Result<bool, Malformed> {
    let mut reader = Reader::new(body);
    let (versions, odd) = reader.vector8()?.as_chunks();
    reader.finish()?;
    if versions.is_empty() || !odd.is_empty() {
        return Err(Malformed);
    }
    Ok(versions.iter().any(|each| u16::from_be_bytes(*each) == version.0))
}
