//! Selection of our certificate, and the signature with its key.

use crate::certificate::Certificate;
use crate::config::{Authentication, Config};
use crate::crypto::sign::SignatureScheme;
use crate::crypto::suite::KeyKind;
use crate::extension::signature_algorithms::SignatureAlgorithms;

/// Returns our first certificate of an accepted kind whose key has a signature scheme that the peer verifies.
pub(crate) fn choose<'c>(
    config: &'c Config,
    schemes: SignatureAlgorithms<'_>,
    welcome: impl Fn(KeyKind) -> bool,
) -> Option<(&'c Certificate, SignatureScheme)> {
    let own = match &config.authentication {
        Authentication::Certificates { own, .. } => own.as_slice(),
        Authentication::Psk { .. } => &[],
    };
    own.iter().filter(|certificate| welcome(certificate.key().kind())).find_map(|certificate| {
        let scheme = certificate.key().schemes().iter().find(|scheme| schemes.contains(**scheme))?;
        Some((certificate, *scheme))
    })
}
