//! Certificates: from PEM files, and as fingerprints.
//!
//! Reads files and computes SHA-256. It verifies nothing.

use std::path::Path;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};

use crate::console::hexadecimal;

/// A certificate and its key as DER.
pub struct Identity {
    /// The certificate.
    pub certificate: Vec<u8>,
    /// The key as PKCS#8.
    pub key: Vec<u8>,
}

impl Identity {
    /// Reads both files.
    ///
    /// # Errors
    ///
    ///
    /// A file that cannot be read or holds something else.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, String> {
        let said = |path: &Path, error: rustls_pki_types::pem::Error| format!("{}: {error}", path.display());
        let der = CertificateDer::from_pem_file(certificate).map_err(|error| said(certificate, error))?;
        let pkcs8 = PrivateKeyDer::from_pem_file(key).map_err(|error| said(key, error))?;
        Ok(Self { certificate: der.to_vec(), key: pkcs8.secret_der().to_vec() })
    }
}

/// A certificate's fingerprint as in SDP (RFC 8122 section 5).
#[must_use]
pub fn fingerprint(certificate: &[u8]) -> String {
    format!("sha-256 {}", hexadecimal(&Sha256::digest(certificate), ":"))
}
