//! Steps 1 to 4: a ClientHello, and the server's flight.

use crate::codec::Width;
use crate::config::DtlsRole;
use crate::crypto::group::NamedGroup;
use crate::crypto::key_exchange::Response;
use crate::crypto::suite::CipherSuite;
use crate::crypto::verify::verifiable_in_dtls13;
use crate::discard::Discard;
use crate::dtls12;
use crate::dtls13::key_schedule::HandshakeSecrets;
use crate::dtls13::server::authentication::AwaitCertificate;
use crate::dtls13::server::negotiate::{self, Choice, Share};
use crate::dtls13::server::{Next, State};
use crate::dtls13::{
    DOWNGRADE_TO_12, Selected, begin_handshake_epoch, begin_writing, log_application, log_handshake,
    signed_content,
};
use crate::extension::key_share::KeyShareEntry;
use crate::extension::{self, ExtensionType};
use crate::failure::{Failure, Incompatible, Misbehaved};
use crate::handshake::step::{Context, Step};
use crate::handshake::{HandshakeType, Message};
use crate::message::certificate_request13;
use crate::message::certificate_verify::CertificateVerify;
use crate::message::certificate13::Certificate13;
use crate::message::client_hello::ClientHello;
use crate::message::hello_retry_request::HelloRetryRequest;
use crate::message::server_hello::ServerHello;
use crate::message::version::ProtocolVersion;
use crate::record::epoch::Epoch;
use crate::record::epoch::FIRST_APPLICATION_EPOCH;

/// Before step 1, or after step 2.
pub(crate) enum AwaitClientHello {
    First,
    /// This server, or a gate in front of it, has requested another ClientHello with a share of this group and this
    /// suite.
    Retried {
        group: NamedGroup,
        suite: CipherSuite,
    },
}

impl AwaitClientHello {
    pub(super) const fn has_retried(&self) -> bool {
        matches!(self, Self::Retried { .. })
    }

    pub(super) fn on_client_hello(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<Next> {
        let Ok(hello) = ClientHello::decode(message.body) else {
            return Step::Stay(State::AwaitClientHello(self).into(), Discard::Malformed);
        };
        // The answer to a retry has the same random (RFC 8446 section 4.1.2); another random belongs to another client.
        if self.has_retried() && *cx.remote_random != Some(hello.random) {
            return Step::Stay(State::AwaitClientHello(self).into(), Discard::UnexpectedMessage);
        }
        match (negotiate::offers_dtls13(&hello), &self) {
            (Ok(true), _) => Step::from_result(self.answer(&hello, message, cx)),
            (Ok(false), Self::First) if cx.config.allows_dtls12() => hand_over(message, cx),
            (Ok(false), Self::First) => Step::Fail(Incompatible::Version.into()),
            (Ok(false), Self::Retried { .. }) => Step::Fail(Misbehaved::SelectedUnoffered.into()),
            (Err(failure), _) => Step::Fail(failure),
        }
    }

    fn answer(
        self,
        hello: &ClientHello<'_>,
        message: &Message<'_>,
        cx: &mut Context<'_>,
    ) -> Result<State, Failure> {
        let config = cx.config;
        let choice = negotiate::choose(hello, config)?;
        *cx.remote_random = Some(hello.random);
        let transcript = &mut cx.outgoing.transcript;
        transcript.become_dtls13();
        transcript.receive(message);
        match (self, choice.share) {
            (Self::First, Share::Given(group, share)) => answer(hello, &choice, group, share, cx),
            (Self::First, Share::Missing(group)) => Ok(ask_again(&choice, group, cx)),
            (Self::Retried { group, suite }, Share::Given(given, share))
                if given == group && choice.suite.suite == suite =>
            {
                answer(hello, &choice, group, share, cx)
            }
            // The second ClientHello must contain the requested share (RFC 8446 section 4.1.2).
            (Self::Retried { .. }, _) => Err(Misbehaved::SelectedUnoffered.into()),
        }
    }
}

/// The states of DTLS 1.2 handle the ClientHello. The random tells a client with 1.3 about a downgrade (RFC 8446
/// section 4.1.3).
fn hand_over(message: &Message<'_>, cx: &mut Context<'_>) -> Step<Next> {
    if let Some(end) = cx.local_random.last_chunk_mut() {
        *end = DOWNGRADE_TO_12;
    }
    dtls12::server::AwaitClientHello.on_client_hello(message, cx).map(Next::Dtls12)
}

/// Step 2.
fn ask_again(choice: &Choice<'_, '_>, group: NamedGroup, cx: &mut Context<'_>) -> State {
    let suite = choice.suite.suite;
    let outgoing = &mut *cx.outgoing;
    outgoing.transcript.fold(choice.suite.hash);
    outgoing.flight.begin();
    outgoing.push(Epoch::Plaintext, HandshakeType::SERVER_HELLO, |writer| {
        HelloRetryRequest { suite, group: Some(group), cookie: None }.write(writer);
    });
    State::AwaitClientHello(AwaitClientHello::Retried { group, suite })
}

/// Step 4.
fn answer(
    hello: &ClientHello<'_>,
    choice: &Choice<'_, '_>,
    group: NamedGroup,
    theirs: &[u8],
    cx: &mut Context<'_>,
) -> Result<State, Failure> {
    let (suite, hash) = (choice.suite, choice.suite.hash);
    let response = Response::to(group, theirs, cx.random)?;
    let selected = Selected { client_random: hello.random, server_random: *cx.local_random, suite, group };
    let outgoing = &mut *cx.outgoing;
    outgoing.flight.begin();
    outgoing.push(Epoch::Plaintext, HandshakeType::SERVER_HELLO, |writer| {
        ServerHello::write(writer, &selected.server_random, suite.suite, |writer| {
            extension::write(writer, ExtensionType::SUPPORTED_VERSIONS, |writer| {
                writer.u16(ProtocolVersion::DTLS13.0);
            });
            extension::write(writer, ExtensionType::KEY_SHARE, |writer| {
                KeyShareEntry { group, share: response.share() }.write(writer);
            });
        });
    });
    let transcript = outgoing.transcript.hash(hash);
    let HandshakeSecrets { traffic, master_salt } =
        HandshakeSecrets::derive(suite, response.secret(), &transcript);
    let finished = begin_handshake_epoch(DtlsRole::Server, &traffic, cx)?;
    log_handshake(&selected, &traffic, cx);
    let outgoing = &mut *cx.outgoing;
    outgoing.push(Epoch::Handshake, HandshakeType::ENCRYPTED_EXTENSIONS, |writer| {
        let mut extensions = writer.block(Width::Two);
        choice.carried.answer(&mut extensions);
    });
    outgoing.push(Epoch::Handshake, HandshakeType::CERTIFICATE_REQUEST, |writer| {
        certificate_request13::write(writer, verifiable_in_dtls13(cx.config.verifies_chains()));
    });
    outgoing.push(Epoch::Handshake, HandshakeType::CERTIFICATE, |writer| {
        Certificate13::write(writer, choice.certificate.chain());
    });
    let content = signed_content(DtlsRole::Server, &outgoing.transcript.hash(hash))?;
    let signature = choice.certificate.key().sign(choice.scheme, content.as_ref(), cx.random)?;
    outgoing.push(Epoch::Handshake, HandshakeType::CERTIFICATE_VERIFY, |writer| {
        CertificateVerify::write(writer, choice.scheme, &signature);
    });
    let verify_data = finished.ours.verify_data(&outgoing.transcript.hash(hash));
    outgoing.push(Epoch::Handshake, HandshakeType::FINISHED, |writer| writer.bytes(verify_data.as_ref()));
    let application = master_salt.application(&outgoing.transcript.hash(hash));
    // After its Finished a server sends with the application keys (RFC 8446 appendix A.2), even an alert that refuses
    // the client.
    begin_writing(FIRST_APPLICATION_EPOCH, &application.traffic.server, cx)?;
    log_application(&selected, &application, cx);
    let state = AwaitCertificate::new(selected, finished.theirs, application, choice.carried);
    Ok(State::AwaitCertificate(state))
}
