//! EncryptedExtensions (RFC 8446 section 4.3.1): the server's responses that are encrypted.

use crate::codec::{Malformed, Reader};
use crate::extension::Extensions;

/// Decodes the whole message, which is one block of extensions.
pub(crate) fn decode(body: &[u8]) -> Result<Extensions<'_>, Malformed> {
    let mut reader = Reader::new(body);
    if reader.is_empty() {
        return Err(Malformed);
    }
    let extensions = Extensions::decode(&mut reader)?;
    reader.finish()?;
    Ok(extensions)
}
