//! `extended_master_secret` (RFC 7627 section 5.1): present and empty.

use crate::codec::Malformed;

/// Returns whether the extension is present. A body that is not empty is malformed.
pub(crate) const fn decode(body: Option<&[u8]>) -> Result<bool, Malformed> {
    match body {
        None => Ok(false),
        Some([]) => Ok(true),
        Some(_) => Err(Malformed),
    }
}
