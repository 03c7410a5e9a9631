//! The server's selection from a ClientHello, as pure functions.

use crate::certificate::Certificate;
use crate::config::{Authentication, Config};
use crate::crypto::group::NamedGroup;
use crate::crypto::sign::SignatureScheme;
use crate::crypto::suite::{CipherSuite, KeyExchange, SuiteParameters};
use crate::dtls12::identity;
use crate::extension::signature_algorithms::SignatureAlgorithms;
use crate::extension::supported_groups::SupportedGroups;
use crate::extension::{
    ExtensionType, Extensions, ec_point_formats, extended_master_secret, renegotiation_info,
    supported_versions,
};
use crate::failure::{Failure, Incompatible, Misbehaved};
use crate::message::client_hello::ClientHello;
use crate::message::version::ProtocolVersion;
use crate::negotiated_extensions::NegotiatedExtensions;

/// The selection.
pub(super) struct Choice<'c> {
    pub(super) suite: &'static SuiteParameters,
    pub(super) credentials: Credentials<'c>,
    pub(super) carried: NegotiatedExtensions,
    /// The optional extensions that the response contains.
    pub(super) answer: Answer,
}

/// The credentials, as the suite requires.
pub(super) enum Credentials<'c> {
    Certificate { group: NamedGroup, certificate: &'c Certificate, scheme: SignatureScheme },
    Psk { hint: Option<&'c [u8]> },
}

pub(super) struct Answer {
    pub(super) renegotiation_info: bool,
    pub(super) ec_point_formats: bool,
}

/// Selects by RFC 5246 section 7.4.1 and RFC 8422 section 5.1, in our order of preference.
pub(super) fn choose<'c>(hello: &ClientHello<'_>, config: &'c Config) -> Result<Choice<'c>, Failure> {
    let extensions = hello.extensions;
    check_version(hello)?;
    if !hello.offers_null_compression() {
        return Err(Misbehaved::SelectedUnoffered.into());
    }
    let extended = extended_master_secret::decode(extensions.get(ExtensionType::EXTENDED_MASTER_SECRET));
    if !extended.map_err(malformed)? {
        return Err(Incompatible::ExtendedMasterSecret.into());
    }
    let answer = Answer {
        renegotiation_info: wants_renegotiation_info(hello)?,
        ec_point_formats: wants_point_formats(extensions)?,
    };
    let (suite, credentials) = match &config.authentication {
        Authentication::Certificates { .. } => choose_certificate(hello, config)?,
        Authentication::Psk { hint } => {
            let suite = config.suites().find(|suite| hello.offers(suite.suite)).ok_or(Incompatible::Suite)?;
            (suite, Credentials::Psk { hint: hint.as_deref() })
        }
    };
    let carried = NegotiatedExtensions::choose(extensions, config)?;
    Ok(Choice { suite, credentials, carried, answer })
}

fn malformed(_: crate::codec::Malformed) -> Failure {
    Misbehaved::Malformed.into()
}

/// RFC 8446 section 4.2.1: if the list is present, only the list counts.
fn check_version(hello: &ClientHello<'_>) -> Result<(), Failure> {
    let offered = match hello.extensions.get(ExtensionType::SUPPORTED_VERSIONS) {
        Some(body) => supported_versions::contains(body, ProtocolVersion::DTLS12).map_err(malformed)?,
        // Later versions have smaller numbers, and a client of a later version supports this one.
        None => hello.version.0 >> 8 == 0xfe && hello.version.0 <= ProtocolVersion::DTLS12.0,
    };
    if offered { Ok(()) } else { Err(Incompatible::Version.into()) }
}

/// RFC 5746 section 3.6: the extension, or the suite in its place. In a first handshake the extension is empty.
fn wants_renegotiation_info(hello: &ClientHello<'_>) -> Result<bool, Failure> {
    match hello.extensions.get(ExtensionType::RENEGOTIATION_INFO) {
        Some(body) if renegotiation_info::decode(body) == Ok(&[]) => Ok(true),
        Some(_) => Err(Misbehaved::BadRenegotiationInfo.into()),
        None => Ok(hello.offers(CipherSuite::EMPTY_RENEGOTIATION_INFO_SCSV)),
    }
}

fn wants_point_formats(extensions: Extensions<'_>) -> Result<bool, Failure> {
    match extensions.get(ExtensionType::EC_POINT_FORMATS) {
        Some(body) if ec_point_formats::names_uncompressed(body).map_err(malformed)? => Ok(true),
        Some(_) => Err(Incompatible::PointFormat.into()),
        None => Ok(false),
    }
}

/// A client without the list accepts any group (RFC 8422 section 4); P-256 is the most common one.
fn choose_group(extensions: Extensions<'_>, config: &Config) -> Result<NamedGroup, Failure> {
    let offered = extensions.get(ExtensionType::SUPPORTED_GROUPS).map(SupportedGroups::decode).transpose();
    let offered = offered.map_err(malformed)?;
    let is_offered =
        |group: NamedGroup| offered.map_or(group == NamedGroup::SECP256R1, |groups| groups.contains(group));
    let group = config.groups_of_dtls12().find(|group| is_offered(*group));
    Ok(group.ok_or(Incompatible::Group)?)
}

/// Returns our first suite that the client offers and for which one of our certificates can sign.
fn choose_certificate<'c>(
    hello: &ClientHello<'_>,
    config: &'c Config,
) -> Result<(&'static SuiteParameters, Credentials<'c>), Failure> {
    let mut suites = config.suites().filter(|suite| hello.offers(suite.suite)).peekable();
    if suites.peek().is_none() {
        return Err(Incompatible::Suite.into());
    }
    let group = choose_group(hello.extensions, config)?;
    // Without the extension the client means SHA-1 (RFC 5246 section 7.4.1.4.1), which is not supported.
    let schemes = hello.extensions.get(ExtensionType::SIGNATURE_ALGORITHMS);
    let schemes =
        SignatureAlgorithms::decode(schemes.ok_or(Incompatible::SignatureScheme)?).map_err(malformed)?;
    let chosen = suites.find_map(|suite| {
        let suits = |kind| KeyExchange::Ecdhe(kind) == suite.key_exchange;
        let (certificate, scheme) = identity::choose(config, schemes, suits)?;
        Some((suite, Credentials::Certificate { group, certificate, scheme }))
    });
    Ok(chosen.ok_or(Incompatible::SignatureScheme)?)
}
