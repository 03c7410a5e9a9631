//! Steps 1 to 3 and the beginning of step 4: the offer, and the check of the server's selection.

use crate::codec::Malformed;
use crate::config::{Config, DtlsRole};
use crate::crypto::backend::rand::SystemRandom;
use crate::crypto::key_exchange::Offer;
use crate::crypto::suite13::Suite13;
use crate::crypto::verify::verifiable_in_dtls13;
use crate::discard::Discard;
use crate::dtls12;
use crate::dtls13::client::authentication::AwaitCertificate;
use crate::dtls13::client::{Next, State};
use crate::dtls13::key_schedule::{FinishedKeys, HandshakeSecrets, MasterSalt};
use crate::dtls13::{
    DOWNGRADE_TO_10, DOWNGRADE_TO_12, RETRY_RANDOM, Selected, begin_handshake_epoch, log_handshake, suites,
};
use crate::extension::key_share::{KeyShareEntry, KeyShares, decode_retry};
use crate::extension::signature_algorithms::SignatureAlgorithms;
use crate::extension::supported_groups::SupportedGroups;
use crate::extension::{
    self, ExtensionType, Extensions, cookie, ec_point_formats, renegotiation_info, supported_versions,
};
use crate::failure::{Failure, Incompatible, Misbehaved};
use crate::handshake::step::{Context, Step};
use crate::handshake::{HandshakeType, Message, Outgoing};
use crate::message::Random;
use crate::message::client_hello::ClientHello;
use crate::message::encrypted_extensions;
use crate::message::hello_verify_request::HelloVerifyRequest;
use crate::message::server_hello::ServerHello;
use crate::message::version::ProtocolVersion;
use crate::negotiated_extensions::{self, NegotiatedExtensions};
use crate::record::epoch::Epoch;

/// After step 1 or 3.
pub(crate) struct AwaitServerHello {
    offer: Offer,
    retry: Retry,
}

/// Whether the server has requested another ClientHello.
enum Retry {
    NotAsked,
    /// By a HelloVerifyRequest of DTLS 1.2, which excludes 1.3 (RFC 9147 section 5.1).
    Verified(dtls12::client::AwaitServerHello),
    /// By a HelloRetryRequest, which has selected the suite.
    Retried(&'static Suite13),
}

/// After the ServerHello.
pub(crate) struct AwaitEncryptedExtensions {
    selected: Selected,
    finished: FinishedKeys,
    master_salt: MasterSalt,
}

impl AwaitServerHello {
    pub(super) const fn has_retried(&self) -> bool {
        matches!(self.retry, Retry::Retried(_))
    }

    /// Step 1.
    pub(crate) fn begin(
        config: &Config,
        client_random: &Random,
        random: &SystemRandom,
        outgoing: &mut Outgoing,
    ) -> Result<Self, Failure> {
        let offer = Offer::generate(&config.groups, random)?;
        send_client_hello(config, client_random, &offer, Cookies::default(), outgoing);
        Ok(Self { offer, retry: Retry::NotAsked })
    }

    /// Step 2 in DTLS 1.2: the next ClientHello only differs in the cookie.
    pub(super) fn on_hello_verify_request(
        mut self,
        message: &Message<'_>,
        cx: &mut Context<'_>,
    ) -> Step<Next> {
        let Ok(request) = HelloVerifyRequest::decode(message.body) else {
            return Step::Stay(State::AwaitServerHello(self).into(), Discard::Malformed);
        };
        let asked = match self.retry {
            // Only a server of DTLS 1.2 sends a HelloVerifyRequest.
            _ if !cx.config.allows_dtls12() => return Step::Fail(Incompatible::Version.into()),
            Retry::NotAsked => dtls12::client::AwaitServerHello::default(),
            Retry::Verified(state) => state,
            Retry::Retried(_) => return Step::Fail(Misbehaved::UnexpectedMessage.into()),
        };
        let verified = match asked.take_cookie() {
            Ok(verified) => verified,
            Err(same) => {
                self.retry = Retry::Verified(same);
                return Step::Stay(State::AwaitServerHello(self).into(), Discard::UnexpectedMessage);
            }
        };
        cx.outgoing.transcript.restart();
        let cookies = Cookies { legacy: request.cookie, extension: None };
        send_client_hello(cx.config, cx.local_random, &self.offer, cookies, cx.outgoing);
        self.retry = Retry::Verified(verified);
        Step::Advance(State::AwaitServerHello(self).into())
    }

    /// Step 2 in DTLS 1.3, or the first message of step 4.
    pub(super) fn on_server_hello(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<Next> {
        let Ok(hello) = ServerHello::decode(message.body) else {
            return Step::Stay(State::AwaitServerHello(self).into(), Discard::Malformed);
        };
        if hello.extensions.get(ExtensionType::SUPPORTED_VERSIONS).is_none() {
            return self.hand_over(&hello, message, cx);
        }
        // The server has begun DTLS 1.2, and only a ServerHello of 1.2 can follow.
        if let Retry::Verified(_) = self.retry {
            return Step::Fail(Misbehaved::SelectedUnoffered.into());
        }
        let next = if hello.random == RETRY_RANDOM {
            self.retry(&hello, message, cx)
        } else {
            self.accept(&hello, message, cx)
        };
        Step::from_result(next)
    }

    /// Hands the handshake over to DTLS 1.2, which the server selected.
    fn hand_over(self, hello: &ServerHello<'_>, message: &Message<'_>, cx: &mut Context<'_>) -> Step<Next> {
        let state = match self.retry {
            // A selected version is final (RFC 8446 section 4.1.4).
            Retry::Retried(_) => return Step::Fail(Misbehaved::SelectedUnoffered.into()),
            _ if !cx.config.allows_dtls12() => return Step::Fail(Incompatible::Version.into()),
            Retry::NotAsked => dtls12::client::AwaitServerHello::default(),
            Retry::Verified(state) => state,
        };
        // Downgrade detected: both sides support 1.3, so 1.3 was removed from the offer (RFC 8446 section 4.1.3).
        if hello.random.ends_with(&DOWNGRADE_TO_12) || hello.random.ends_with(&DOWNGRADE_TO_10) {
            return Step::Fail(Misbehaved::Downgraded.into());
        }
        state.on_server_hello(message, cx).map(Next::Dtls12)
    }

    /// Steps 2 and 3.
    fn retry(
        self,
        hello: &ServerHello<'_>,
        message: &Message<'_>,
        cx: &mut Context<'_>,
    ) -> Result<State, Failure> {
        if self.has_retried() {
            return Err(Misbehaved::UnexpectedMessage.into());
        }
        let mut offer = self.offer;
        let suite = check_selection(hello, cx.config, &RETRY_EXTENSIONS)?;
        let group = hello.extensions.get(ExtensionType::KEY_SHARE).map(decode_retry);
        let group = group.transpose().map_err(malformed)?;
        let cookie = hello.extensions.get(ExtensionType::COOKIE).map(cookie::decode);
        let cookie = cookie.transpose().map_err(malformed)?;
        match group {
            // The second ClientHello would be the same (RFC 8446 section 4.1.4).
            None if cookie.is_none() => return Err(Misbehaved::SelectedUnoffered.into()),
            None => {}
            Some(group) if offer.has(group) || !cx.config.groups.contains(&group) => {
                return Err(Misbehaved::SelectedUnoffered.into());
            }
            Some(group) => offer = Offer::of(group, cx.random)?,
        }
        let transcript = &mut cx.outgoing.transcript;
        transcript.become_dtls13();
        transcript.fold(suite.hash);
        transcript.receive(message);
        let cookies = Cookies { legacy: &[], extension: cookie };
        send_client_hello(cx.config, cx.local_random, &offer, cookies, cx.outgoing);
        Ok(State::AwaitServerHello(Self { offer, retry: Retry::Retried(suite) }))
    }

    fn accept(
        self,
        hello: &ServerHello<'_>,
        message: &Message<'_>,
        cx: &mut Context<'_>,
    ) -> Result<State, Failure> {
        let Self { offer, retry } = self;
        let suite = check_selection(hello, cx.config, &HELLO_EXTENSIONS)?;
        // A retry has selected the suite (RFC 8446 section 4.1.4).
        if matches!(retry, Retry::Retried(settled) if settled.suite != suite.suite) {
            return Err(Misbehaved::SelectedUnoffered.into());
        }
        let theirs = hello.extensions.get(ExtensionType::KEY_SHARE).ok_or(Misbehaved::MissingExtension)?;
        let theirs = KeyShareEntry::decode(theirs).map_err(malformed)?;
        let secret = offer.agree(theirs.group, theirs.share)?;
        let outgoing = &mut *cx.outgoing;
        outgoing.transcript.become_dtls13();
        outgoing.transcript.receive(message);
        // The ServerHello acknowledges our ClientHello.
        outgoing.flight.begin();
        *cx.remote_random = Some(hello.random);
        let selected = Selected {
            client_random: *cx.local_random,
            server_random: hello.random,
            suite,
            group: theirs.group,
        };
        let transcript = outgoing.transcript.hash(suite.hash);
        let HandshakeSecrets { traffic, master_salt } = HandshakeSecrets::derive(suite, &secret, &transcript);
        let finished = begin_handshake_epoch(DtlsRole::Client, &traffic, cx)?;
        log_handshake(&selected, &traffic, cx);
        Ok(State::AwaitEncryptedExtensions(AwaitEncryptedExtensions { selected, finished, master_salt }))
    }
}

impl AwaitEncryptedExtensions {
    pub(super) fn on_encrypted_extensions(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<Next> {
        let Ok(extensions) = encrypted_extensions::decode(message.body) else {
            return Step::Fail(Misbehaved::Malformed.into());
        };
        let Self { selected, finished, master_salt } = self;
        match check_encrypted(extensions, cx.config) {
            Ok(carried) => {
                cx.outgoing.transcript.receive(message);
                let state = AwaitCertificate::new(selected, finished, master_salt, carried);
                Step::Advance(State::AwaitCertificate(state).into())
            }
            Err(failure) => Step::Fail(failure),
        }
    }
}

/// The allowed extensions of EncryptedExtensions. A server may state its preferred groups (RFC 8446 section 4.2.7).
const ENCRYPTED_EXTENSIONS: [ExtensionType; 3] =
    [ExtensionType::SUPPORTED_GROUPS, ExtensionType::USE_SRTP, ExtensionType::ALPN];

fn check_encrypted(extensions: Extensions<'_>, config: &Config) -> Result<NegotiatedExtensions, Failure> {
    let is_offered =
        |kind| kind == ExtensionType::SUPPORTED_GROUPS || negotiated_extensions::is_offered(kind, config);
    extensions.check_places(&ENCRYPTED_EXTENSIONS)?;
    if extensions.iter().any(|(kind, _)| !is_offered(kind)) {
        return Err(Misbehaved::UnsolicitedExtension.into());
    }
    NegotiatedExtensions::check(extensions, config)
}

/// The allowed extensions of a ServerHello of DTLS 1.3.
const HELLO_EXTENSIONS: [ExtensionType; 2] = [ExtensionType::SUPPORTED_VERSIONS, ExtensionType::KEY_SHARE];
/// The allowed extensions of a HelloRetryRequest.
const RETRY_EXTENSIONS: [ExtensionType; 3] =
    [ExtensionType::SUPPORTED_VERSIONS, ExtensionType::KEY_SHARE, ExtensionType::COOKIE];

/// The common check of a ServerHello and a HelloRetryRequest: DTLS 1.3, with a selection from our offer.
fn check_selection(
    hello: &ServerHello<'_>,
    config: &Config,
    allowed: &[ExtensionType],
) -> Result<&'static Suite13, Failure> {
    let extensions = hello.extensions;
    let versions = extensions.get(ExtensionType::SUPPORTED_VERSIONS).unwrap_or_default();
    let version = supported_versions::decode_selected(versions).map_err(malformed)?;
    if version != ProtocolVersion::DTLS13
        || hello.version != ProtocolVersion::DTLS12
        || hello.compression != 0
        // Our ClientHello has no session id to echo (RFC 9147 section 5.3).
        || !hello.session_id.is_empty()
    {
        return Err(Misbehaved::SelectedUnoffered.into());
    }
    extensions.check_places(allowed)?;
    if extensions.iter().any(|(kind, _)| !allowed.contains(&kind)) {
        return Err(Misbehaved::UnsolicitedExtension.into());
    }
    let suite = suites(config).find(|suite| suite.suite == hello.suite);
    Ok(suite.ok_or(Misbehaved::SelectedUnoffered)?)
}

fn malformed(_: Malformed) -> Failure {
    Misbehaved::Malformed.into()
}

/// The cookies to return.
#[derive(Clone, Copy, Default)]
struct Cookies<'a> {
    legacy: &'a [u8],
    extension: Option<&'a [u8]>,
}

fn send_client_hello(
    config: &Config,
    random: &Random,
    offer: &Offer,
    cookies: Cookies<'_>,
    outgoing: &mut Outgoing,
) {
    let with_dtls12 = config.allows_dtls12();
    let dtls12 = config.suites().map(|suite| suite.suite).filter(|_| with_dtls12);
    let verifiable = verifiable_in_dtls13(with_dtls12 || config.verifies_chains());
    let offered = suites(config).map(|suite| suite.suite).chain(dtls12);
    outgoing.flight.begin();
    outgoing.push(Epoch::Plaintext, HandshakeType::CLIENT_HELLO, |writer| {
        ClientHello::write(writer, random, cookies.legacy, offered, |writer| {
            // In front, so that the first fragment of a ClientHello contains it.
            if let Some(bytes) = cookies.extension {
                extension::write(writer, ExtensionType::COOKIE, |writer| cookie::write(writer, bytes));
            }
            extension::write(writer, ExtensionType::SUPPORTED_VERSIONS, |writer| {
                supported_versions::write(writer, config.versions.offered());
            });
            extension::write(writer, ExtensionType::SUPPORTED_GROUPS, |writer| {
                SupportedGroups::write(writer, config.groups.iter().copied());
            });
            extension::write(writer, ExtensionType::KEY_SHARE, |writer| {
                let entries = offer.shares().map(|(group, share)| KeyShareEntry { group, share });
                KeyShares::write(writer, entries);
            });
            extension::write(writer, ExtensionType::SIGNATURE_ALGORITHMS, |writer| {
                SignatureAlgorithms::write(writer, verifiable);
            });
            NegotiatedExtensions::offer(writer, config);
            if with_dtls12 {
                extension::write(writer, ExtensionType::EXTENDED_MASTER_SECRET, |_| {});
                extension::write(writer, ExtensionType::RENEGOTIATION_INFO, renegotiation_info::write_empty);
                extension::write(writer, ExtensionType::EC_POINT_FORMATS, ec_point_formats::write);
            }
        });
    });
}
