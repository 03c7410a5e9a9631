//! The server's selection from a ClientHello in DTLS 1.3, as pure functions.

use crate::certificate::Certificate;
use crate::config::Config;
use crate::crypto::group::NamedGroup;
use crate::crypto::sign::SignatureScheme;
use crate::crypto::suite13::Suite13;
use crate::dtls13::{identity, suites};
use crate::extension::key_share::KeyShares;
use crate::extension::signature_algorithms::SignatureAlgorithms;
use crate::extension::supported_groups::SupportedGroups;
use crate::extension::{ExtensionType, Extensions, supported_versions};
use crate::failure::{Failure, Incompatible, Misbehaved};
use crate::message::client_hello::ClientHello;
use crate::message::version::ProtocolVersion;
use crate::negotiated_extensions::NegotiatedExtensions;

/// The selection.
pub(super) struct Choice<'c, 'm> {
    pub(super) suite: &'static Suite13,
    pub(super) share: Share<'m>,
    pub(super) certificate: &'c Certificate,
    pub(super) scheme: SignatureScheme,
    pub(super) carried: NegotiatedExtensions,
}

/// The group, with the client's share if it sent one.
#[derive(Clone, Copy)]
pub(super) enum Share<'m> {
    Given(NamedGroup, &'m [u8]),
    Missing(NamedGroup),
}

/// Returns whether a ClientHello offers DTLS 1.3.
pub(super) fn offers_dtls13(hello: &ClientHello<'_>) -> Result<bool, Failure> {
    let versions = hello.extensions.get(ExtensionType::SUPPORTED_VERSIONS);
    let offered = versions.map(|body| supported_versions::contains(body, ProtocolVersion::DTLS13));
    Ok(offered.transpose().map_err(malformed)?.unwrap_or(false))
}

/// Selects by RFC 8446 section 4.1.1, in our order of preference.
pub(super) fn choose<'c, 'm>(hello: &ClientHello<'m>, config: &'c Config) -> Result<Choice<'c, 'm>, Failure> {
    if !hello.offers_only_null_compression() || !hello.legacy_cookie.is_empty() {
        return Err(Misbehaved::SelectedUnoffered.into());
    }
    let extensions = hello.extensions;
    let suite = suites(config).find(|suite| hello.offers(suite.suite)).ok_or(Incompatible::Suite)?;
    let share = choose_share(extensions, config)?;
    let schemes = extensions.get(ExtensionType::SIGNATURE_ALGORITHMS).ok_or(Misbehaved::MissingExtension)?;
    let schemes = SignatureAlgorithms::decode(schemes).map_err(malformed)?;
    let (certificate, scheme) = identity::choose(config, schemes).ok_or(Incompatible::SignatureScheme)?;
    let carried = NegotiatedExtensions::choose(extensions, config)?;
    Ok(Choice { suite, share, certificate, scheme, carried })
}

fn malformed(_: crate::codec::Malformed) -> Failure {
    Misbehaved::Malformed.into()
}

/// Returns our first group with a share of the client, or else the first common group: a round trip costs more than a
/// less preferred group.
fn choose_share<'m>(extensions: Extensions<'m>, config: &Config) -> Result<Share<'m>, Failure> {
    let groups = extensions.get(ExtensionType::SUPPORTED_GROUPS).ok_or(Misbehaved::MissingExtension)?;
    let groups = SupportedGroups::decode(groups).map_err(malformed)?;
    let shares = extensions.get(ExtensionType::KEY_SHARE).ok_or(Misbehaved::MissingExtension)?;
    let shares = KeyShares::decode(shares).map_err(malformed)?;
    let mut common = config.groups.iter().copied().filter(|group| groups.contains(*group)).peekable();
    let first = *common.peek().ok_or(Incompatible::Group)?;
    let given = common.find_map(|group| shares.get(group).map(|share| Share::Given(group, share)));
    Ok(given.unwrap_or(Share::Missing(first)))
}
