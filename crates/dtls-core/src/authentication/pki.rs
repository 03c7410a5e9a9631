//! Verification of a certificate by a public key infrastructure (RFC 5280), with webpki.
//!
//! Knows the roots, the name and the time from the application. Does not know a clock or revocation.

use crate::config::DtlsRole;
use crate::failure::Untrusted;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::time::SystemTime;

/// Checks that `leaf` leads to one of `roots` through `issuers`, is valid at `now` for the role of its owner, and has
/// the name `name`, if one is required.
pub(super) fn verify(
    leaf: &[u8],
    issuers: &[CertificateDer<'_>],
    owner: DtlsRole,
    roots: &[Vec<u8>],
    name: Option<&str>,
    now: SystemTime,
) -> Result<(), Untrusted> {
    let leaf = CertificateDer::from(leaf);
    let leaf = webpki::EndEntityCert::try_from(&leaf).map_err(|error| untrusted(&error))?;
    let roots: Vec<CertificateDer<'_>> =
        roots.iter().map(|root| CertificateDer::from(root.as_slice())).collect();
    let anchors: Vec<_> =
        roots.iter().filter_map(|root| webpki::anchor_from_trusted_cert(root).ok()).collect();
    let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| Untrusted::NotYetValid)?;
    let usage = match owner {
        DtlsRole::Client => webpki::KeyUsage::client_auth(),
        DtlsRole::Server => webpki::KeyUsage::server_auth(),
    };
    let now = UnixTime::since_unix_epoch(since_1970);
    leaf.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, issuers, now, usage, None, None)
        .map_err(|error| untrusted(&error))?;
    let Some(name) = name else { return Ok(()) };
    let name = ServerName::try_from(name).map_err(|_| Untrusted::NotValidForName)?;
    leaf.verify_is_valid_for_subject_name(&name).map_err(|error| untrusted(&error))
}

fn untrusted(error: &webpki::Error) -> Untrusted {
    match error {
        webpki::Error::CertExpired { .. } => Untrusted::Expired,
        webpki::Error::CertNotValidYet { .. } => Untrusted::NotYetValid,
        webpki::Error::UnknownIssuer => Untrusted::UnknownIssuer,
        webpki::Error::CertNotValidForName(_) => Untrusted::NotValidForName,
        _ => Untrusted::Unacceptable,
    }
}
