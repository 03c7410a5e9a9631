//! Which of our certificates to present, and how to sign with it.

use crate::certificate::Certificate;
use crate::config::{Authentication, Config};
use crate::crypto::sign::SignatureScheme;
use crate::crypto::suite::KeyKind;
use crate::extension::signature_algorithms::SignatureAlgorithms;

/// Our first certificate of a welcome kind whose key signs in a way that the peer verifies.
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
