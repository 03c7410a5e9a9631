//! Which SRTP profile both sides take (RFC 5764 section 4.1): the same decision in both versions.
//!
//! Knows the extension and the configuration. Knows nothing about which message carries it.

use crate::config::UseSrtp;
use crate::extension::use_srtp::SrtpProtection;
use crate::extension::{ExtensionType, Extensions};
use crate::failure::{Failure, Incompatible, Misbehaved};

/// What a server answers: its first profile that the client offers. The client's MKI is not used: we answer an
/// empty one (RFC 5764 section 4.1.3).
pub(crate) fn choose(extensions: Extensions<'_>, ours: &UseSrtp) -> Result<Option<u16>, Failure> {
    let offered = extensions.get(ExtensionType::USE_SRTP).map(SrtpProtection::decode).transpose();
    let offered = offered.map_err(|_| Misbehaved::Malformed)?;
    let chosen = offered.and_then(|offered| {
        ours.profiles().iter().copied().find(|profile| offered.profiles.contains(*profile))
    });
    match (chosen, ours) {
        (None, UseSrtp::Required(_)) => Err(Incompatible::SrtpProfile.into()),
        (chosen, _) => Ok(chosen),
    }
}

/// What a client takes from the answer: one profile of its own, and the empty MKI that it offered (RFC 5764 section
/// 4.1.1).
pub(crate) fn check(extensions: Extensions<'_>, offered: &UseSrtp) -> Result<Option<u16>, Failure> {
    let Some(body) = extensions.get(ExtensionType::USE_SRTP) else {
        return match offered {
            UseSrtp::Required(_) => Err(Incompatible::SrtpProfile.into()),
            UseSrtp::Unused | UseSrtp::Offered(_) => Ok(None),
        };
    };
    let answer = SrtpProtection::decode(body).map_err(|_| Misbehaved::Malformed)?;
    let mut chosen = answer.profiles.iter();
    match (chosen.next(), chosen.next()) {
        (Some(profile), None) if offered.profiles().contains(&profile) => {
            if answer.mki.is_empty() {
                Ok(Some(profile))
            } else {
                Err(Misbehaved::UnexpectedMki.into())
            }
        }
        _ => Err(Misbehaved::SelectedUnoffered.into()),
    }
}
