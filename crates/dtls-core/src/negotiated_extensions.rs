//! The negotiated extensions that both versions share: the SRTP profile (RFC 5764 section 4.1) and the application
//! protocol (RFC 7301).
//!
//! Knows the extensions and the configuration. Does not know the messages that carry them.

use crate::application_protocol::ApplicationProtocol;
use crate::codec::Writer;
use crate::config::{Config, UseSrtp};
use crate::extension::alpn::ProtocolNames;
use crate::extension::use_srtp::SrtpProtection;
use crate::extension::{self, ExtensionType, Extensions};
use crate::failure::{Failure, Incompatible, Misbehaved};

/// The negotiated values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct NegotiatedExtensions {
    pub(crate) srtp_profile: Option<u16>,
    pub(crate) protocol: Option<ApplicationProtocol>,
}

impl NegotiatedExtensions {
    /// Selects from the extensions of a ClientHello, on a server.
    pub(crate) fn choose(offered: Extensions<'_>, config: &Config) -> Result<Self, Failure> {
        Ok(Self {
            srtp_profile: choose_profile(offered, &config.use_srtp)?,
            protocol: choose_protocol(offered, &config.application_protocols)?,
        })
    }

    /// Checks the extensions of the server's response, on a client.
    pub(crate) fn check(answered: Extensions<'_>, config: &Config) -> Result<Self, Failure> {
        Ok(Self {
            srtp_profile: check_profile(answered, &config.use_srtp)?,
            protocol: check_protocol(answered, &config.application_protocols)?,
        })
    }

    /// Writes the offer of a client.
    pub(crate) fn offer(writer: &mut Writer<'_>, config: &Config) {
        let profiles = config.use_srtp.profiles();
        if !profiles.is_empty() {
            extension::write(writer, ExtensionType::USE_SRTP, |writer| {
                SrtpProtection::write(writer, profiles);
            });
        }
        write_protocols(writer, &config.application_protocols);
    }

    /// Writes the response of a server.
    pub(crate) fn answer(self, writer: &mut Writer<'_>) {
        if let Some(profile) = self.srtp_profile {
            extension::write(writer, ExtensionType::USE_SRTP, |writer| {
                SrtpProtection::write(writer, &[profile]);
            });
        }
        write_protocols(writer, self.protocol.as_slice());
    }
}

/// Returns whether a client with this configuration offers the extension.
pub(crate) fn is_offered(kind: ExtensionType, config: &Config) -> bool {
    match kind {
        ExtensionType::USE_SRTP => !config.use_srtp.profiles().is_empty(),
        ExtensionType::ALPN => !config.application_protocols.is_empty(),
        _ => false,
    }
}

fn write_protocols(writer: &mut Writer<'_>, protocols: &[ApplicationProtocol]) {
    if !protocols.is_empty() {
        extension::write(writer, ExtensionType::ALPN, |writer| {
            ProtocolNames::write(writer, protocols.iter().map(|protocol| protocol.0.as_bytes()));
        });
    }
}

/// Returns our first profile that the client offers. The client's MKI is not used: we respond with an empty one (RFC
/// 5764 section 4.1.3).
fn choose_profile(extensions: Extensions<'_>, ours: &UseSrtp) -> Result<Option<u16>, Failure> {
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

/// Returns the profile of a response: one of our own, with the empty MKI that we offered (RFC 5764 section 4.1.1).
fn check_profile(extensions: Extensions<'_>, offered: &UseSrtp) -> Result<Option<u16>, Failure> {
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

/// Returns our first protocol that the client offers. If either side has none, there is nothing to negotiate (RFC 7301
/// section 3.2).
fn choose_protocol(
    extensions: Extensions<'_>,
    ours: &[ApplicationProtocol],
) -> Result<Option<ApplicationProtocol>, Failure> {
    let Some(body) = extensions.get(ExtensionType::ALPN).filter(|_| !ours.is_empty()) else {
        return Ok(None);
    };
    let offered = ProtocolNames::decode(body).map_err(|_| Misbehaved::Malformed)?;
    let is_offered =
        |protocol: &&ApplicationProtocol| offered.iter().any(|name| name == protocol.0.as_bytes());
    Ok(Some(*ours.iter().find(is_offered).ok_or(Incompatible::ApplicationProtocol)?))
}

/// Returns the protocol of a response: exactly one, and one of ours (RFC 7301 section 3.1). A server without the
/// extension leaves it out.
fn check_protocol(
    extensions: Extensions<'_>,
    ours: &[ApplicationProtocol],
) -> Result<Option<ApplicationProtocol>, Failure> {
    let Some(body) = extensions.get(ExtensionType::ALPN) else { return Ok(None) };
    let answer = ProtocolNames::decode(body).map_err(|_| Misbehaved::Malformed)?;
    let mut names = answer.iter();
    let chosen = match (names.next(), names.next()) {
        (Some(name), None) => ours.iter().find(|protocol| protocol.0.as_bytes() == name),
        _ => None,
    };
    Ok(Some(*chosen.ok_or(Misbehaved::SelectedUnoffered)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(answer: &[&str]) -> Result<Option<ApplicationProtocol>, Failure> {
        let mut block = Vec::new();
        extension::write(&mut Writer::new(&mut block), ExtensionType::ALPN, |writer| {
            ProtocolNames::write(writer, answer.iter().map(|name| name.as_bytes()));
        });
        let ours = [ApplicationProtocol::WEBRTC, ApplicationProtocol::CONFIDENTIAL_WEBRTC];
        check_protocol(Extensions::decode_block(&block).unwrap(), &ours)
    }

    #[test]
    fn server_selects_one_offered_protocol() {
        let unoffered = Err(Misbehaved::SelectedUnoffered.into());
        assert_eq!(checked(&["c-webrtc"]), Ok(Some(ApplicationProtocol::CONFIDENTIAL_WEBRTC)));
        assert_eq!(checked(&["h3"]), unoffered);
        assert_eq!(checked(&["webrtc", "c-webrtc"]), unoffered);
        assert_eq!(checked(&[""]), Err(Misbehaved::Malformed.into()));
    }
}
