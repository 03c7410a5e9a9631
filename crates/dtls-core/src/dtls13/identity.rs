//! Selection of our certificate, and the signature with its key, in DTLS 1.3.

use crate::certificate::Certificate;
use crate::config::{Authentication, Config};
use crate::crypto::sign::SignatureScheme;
use crate::extension::signature_algorithms::SignatureAlgorithms;

/// Returns our first certificate whose key has a signature scheme that the peer verifies and DTLS 1.3 allows.
pub(crate) fn choose<'c>(
    config: &'c Config,
    schemes: SignatureAlgorithms<'_>,
) -> Option<(&'c Certificate, SignatureScheme)> {
    let Authentication::Certificates { own, .. } = &config.authentication else { return None };
    own.iter().find_map(|certificate| {
        let mut ours = certificate.key().schemes().iter();
        let scheme = ours.find(|scheme| scheme.is_dtls13() && schemes.contains(**scheme))?;
        Some((certificate, *scheme))
    })
}
