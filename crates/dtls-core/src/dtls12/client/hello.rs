//! Steps 1 to 4: the offer, and the check of the server's selection.

use crate::config::{Authentication, Config};
use crate::crypto::suite::KeyExchange;
use crate::crypto::verify::VERIFIABLE;
use crate::discard::Discard;
use crate::dtls12::Selected;
use crate::dtls12::client::State;
use crate::dtls12::client::key_exchange::AwaitCertificate;
use crate::dtls12::client::psk::AwaitPskHint;
use crate::extension::{
    self, ExtensionType, ec_point_formats, extended_master_secret, renegotiation_info,
    signature_algorithms::SignatureAlgorithms, supported_groups::SupportedGroups,
};
use crate::failure::{Failure, Incompatible, Misbehaved};
use crate::handshake::step::{Context, Step};
use crate::handshake::{HandshakeType, Message, Outgoing};
use crate::message::Random;
use crate::message::client_hello::ClientHello;
use crate::message::hello_verify_request::HelloVerifyRequest;
use crate::message::server_hello::ServerHello;
use crate::message::version::ProtocolVersion;
use crate::negotiated_extensions::{self, NegotiatedExtensions};
use crate::record::epoch::Epoch;

/// The maximum number of returned cookies. A server may ask again if its cookie expired in flight; forged requests must
/// not cause endless ClientHellos.
const MAX_COOKIES: u8 = 4;

/// After step 1 or 3.
#[derive(Default)]
pub(crate) struct AwaitServerHello {
    cookies: u8,
}

impl AwaitServerHello {
    /// Step 1.
    pub(crate) fn begin(config: &Config, random: &Random, outgoing: &mut Outgoing) -> Self {
        send_client_hello(config, random, &[], outgoing);
        Self { cookies: 0 }
    }

    /// Steps 2 and 3.
    pub(super) fn on_hello_verify_request(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<State> {
        let Ok(request) = HelloVerifyRequest::decode(message.body) else {
            return Step::Stay(State::AwaitServerHello(self), Discard::Malformed);
        };
        let next = match self.take_cookie() {
            Ok(next) => next,
            Err(same) => return Step::Stay(State::AwaitServerHello(same), Discard::UnexpectedMessage),
        };
        cx.outgoing.transcript.restart();
        // The random and the offer stay the same; only the cookie may differ (RFC 6347 section 4.2.1).
        send_client_hello(cx.config, cx.local_random, request.cookie, cx.outgoing);
        Step::Advance(State::AwaitServerHello(next))
    }

    /// Counts a cookie. At the limit the state is returned unchanged.
    pub(crate) const fn take_cookie(self) -> Result<Self, Self> {
        if self.cookies < MAX_COOKIES { Ok(Self { cookies: self.cookies + 1 }) } else { Err(self) }
    }

    /// The first message of step 4.
    pub(crate) fn on_server_hello(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<State> {
        let Ok(hello) = ServerHello::decode(message.body) else {
            return Step::Stay(State::AwaitServerHello(self), Discard::Malformed);
        };
        let selected = check_selection(&hello, cx.config, cx.local_random);
        if selected.is_ok() {
            *cx.remote_random = Some(hello.random);
            cx.outgoing.transcript.receive(message);
        }
        Step::from_result(selected.map(|selected| match selected.suite.key_exchange {
            KeyExchange::Ecdhe(_) => State::AwaitCertificate(AwaitCertificate { selected }),
            KeyExchange::Psk => State::AwaitPskHint(AwaitPskHint { selected }),
        }))
    }
}

fn send_client_hello(config: &Config, random: &Random, cookie: &[u8], outgoing: &mut Outgoing) {
    outgoing.flight.begin();
    outgoing.push(Epoch::Plaintext, HandshakeType::CLIENT_HELLO, |writer| {
        ClientHello::write(writer, random, cookie, config.suites().map(|suite| suite.suite), |writer| {
            extension::write(writer, ExtensionType::EXTENDED_MASTER_SECRET, |_| {});
            extension::write(writer, ExtensionType::RENEGOTIATION_INFO, renegotiation_info::write_empty);
            if matches!(config.authentication, Authentication::Certificates { .. }) {
                extension::write(writer, ExtensionType::SUPPORTED_GROUPS, |writer| {
                    SupportedGroups::write(writer, config.groups_of_dtls12());
                });
                extension::write(writer, ExtensionType::EC_POINT_FORMATS, ec_point_formats::write);
                extension::write(writer, ExtensionType::SIGNATURE_ALGORITHMS, |writer| {
                    SignatureAlgorithms::write(writer, &VERIFIABLE);
                });
            }
            NegotiatedExtensions::offer(writer, config);
        });
    });
}

/// Checks that the server selected from our offer.
fn check_selection(
    hello: &ServerHello<'_>,
    config: &Config,
    client_random: &Random,
) -> Result<Selected, Failure> {
    if hello.version != ProtocolVersion::DTLS12 {
        return Err(Incompatible::Version.into());
    }
    let suite = config.suites().find(|suite| suite.suite == hello.suite);
    let suite = suite.ok_or(Misbehaved::SelectedUnoffered)?;
    if hello.compression != 0 {
        return Err(Misbehaved::SelectedUnoffered.into());
    }
    let extensions = hello.extensions;
    if extensions.iter().any(|(kind, _)| !is_offered(kind, config)) {
        return Err(Misbehaved::UnsolicitedExtension.into());
    }
    let extended = extended_master_secret::decode(extensions.get(ExtensionType::EXTENDED_MASTER_SECRET));
    if !extended.map_err(|_| Misbehaved::Malformed)? {
        return Err(Incompatible::ExtendedMasterSecret.into());
    }
    // A missing response is accepted (RFC 5746 section 4.1), because this side never renegotiates.
    if let Some(body) = extensions.get(ExtensionType::RENEGOTIATION_INFO)
        && renegotiation_info::decode(body) != Ok(&[])
    {
        return Err(Misbehaved::BadRenegotiationInfo.into());
    }
    if let Some(body) = extensions.get(ExtensionType::EC_POINT_FORMATS)
        && !ec_point_formats::names_uncompressed(body).map_err(|_| Misbehaved::Malformed)?
    {
        return Err(Incompatible::PointFormat.into());
    }
    let carried = NegotiatedExtensions::check(extensions, config)?;
    Ok(Selected { client_random: *client_random, server_random: hello.random, suite, carried })
}

/// RFC 5246 section 7.4.1.4: a server may only respond to offered extensions.
fn is_offered(kind: ExtensionType, config: &Config) -> bool {
    match kind {
        ExtensionType::EXTENDED_MASTER_SECRET
        | ExtensionType::RENEGOTIATION_INFO
        | ExtensionType::EC_POINT_FORMATS
        // RFC 8422 forbids this response, but some servers send it, and it has no effect.
        | ExtensionType::SUPPORTED_GROUPS => true,
        _ => negotiated_extensions::is_offered(kind, config),
    }
}
