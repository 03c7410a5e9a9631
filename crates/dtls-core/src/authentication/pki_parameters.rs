//! Checks of the roots and the name that an application configures for a public key infrastructure (RFC 5280).
//!
//! Does not know the configuration, which calls it.

use rustls_pki_types::{CertificateDer, ServerName};

/// Returns whether these bytes can be a root.
pub(crate) fn is_root(der: &[u8]) -> bool {
    webpki::anchor_from_trusted_cert(&CertificateDer::from(der)).is_ok()
}

/// Returns whether a certificate can have this name.
pub(crate) fn is_name(name: &str) -> bool {
    ServerName::try_from(name).is_ok()
}
