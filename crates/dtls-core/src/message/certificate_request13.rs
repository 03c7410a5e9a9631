//! CertificateRequest of DTLS 1.3 (RFC 8446 section 4.3.2).

use crate::codec::{Malformed, Reader, Width, Writer};
use crate::crypto::sign::SignatureScheme;
use crate::extension::signature_algorithms::SignatureAlgorithms;
use crate::extension::{self, ExtensionType, Extensions};
use crate::failure::Misbehaved;

/// Returns the signature schemes that the server verifies. The authorities are ignored.
pub(crate) fn decode(body: &[u8]) -> Result<SignatureAlgorithms<'_>, Misbehaved> {
    let malformed = |_| Misbehaved::Malformed;
    let extensions = extensions(body).map_err(malformed)?;
    extensions.check_places(&[ExtensionType::SIGNATURE_ALGORITHMS])?;
    let schemes = extensions.get(ExtensionType::SIGNATURE_ALGORITHMS).ok_or(Misbehaved::MissingExtension)?;
    SignatureAlgorithms::decode(schemes).map_err(malformed)
}

/// The request context is empty during the handshake.
fn extensions(body: &[u8]) -> Result<Extensions<'_>, Malformed> {
    let mut reader = Reader::new(body);
    if !reader.vector8()?.is_empty() || reader.is_empty() {
        return Err(Malformed);
    }
    let extensions = Extensions::decode(&mut reader)?;
    reader.finish()?;
    Ok(extensions)
}

/// Writes a request for these signature schemes.
pub(crate) fn write(writer: &mut Writer<'_>, schemes: &[SignatureScheme]) {
    writer.u8(0);
    let mut extensions = writer.block(Width::Two);
    extension::write(&mut extensions, ExtensionType::SIGNATURE_ALGORITHMS, |writer| {
        SignatureAlgorithms::write(writer, schemes);
    });
}
