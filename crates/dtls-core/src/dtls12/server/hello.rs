//! Steps 1 and 2: a ClientHello, and the server's flight.

use crate::crypto::group::KeyShare;
use crate::crypto::sign::SignatureScheme;
use crate::crypto::verify::VERIFIABLE;
use crate::discard::Discard;
use crate::dtls12::Selected;
use crate::dtls12::server::State;
use crate::dtls12::server::client_flight::AwaitCertificate;
use crate::dtls12::server::negotiate::{self, Answer, Credentials};
use crate::dtls12::server::psk::AwaitPskIdentity;
use crate::extension::{self, ExtensionType, ec_point_formats, renegotiation_info};
use crate::failure::Failure;
use crate::handshake::step::{Context, Step};
use crate::handshake::{HandshakeType, Message, Outgoing};
use crate::message::certificate::Certificate;
use crate::message::certificate_request::CertificateRequest;
use crate::message::client_hello::ClientHello;
use crate::message::psk_key_exchange::PskKeyExchange;
use crate::message::server_hello::ServerHello;
use crate::message::server_key_exchange::ServerKeyExchange;
use crate::record::epoch::Epoch;

/// Before step 1.
pub(crate) struct AwaitClientHello;

impl AwaitClientHello {
    pub(crate) fn on_client_hello(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<State> {
        let Ok(hello) = ClientHello::decode(message.body) else {
            return Step::Stay(State::AwaitClientHello(self), Discard::Malformed);
        };
        *cx.remote_random = Some(hello.random);
        cx.outgoing.transcript.receive(message);
        Step::from_result(answer(&hello, cx))
    }
}

/// Step 2.
fn answer(hello: &ClientHello<'_>, cx: &mut Context<'_>) -> Result<State, Failure> {
    let choice = negotiate::choose(hello, cx.config)?;
    let selected = Selected {
        client_random: hello.random,
        server_random: *cx.local_random,
        suite: choice.suite,
        carried: choice.carried,
    };
    cx.outgoing.flight.begin();
    push_server_hello(&selected, &choice.answer, cx.outgoing);
    let next = match choice.credentials {
        Credentials::Certificate { group, certificate, scheme } => {
            let share = KeyShare::generate(group, cx.random)?;
            push_certificate(&selected, certificate, scheme, &share, cx)?;
            State::AwaitCertificate(AwaitCertificate { selected, share })
        }
        Credentials::Psk { hint } => {
            if let Some(hint) = hint {
                cx.outgoing.push(Epoch::Plaintext, HandshakeType::SERVER_KEY_EXCHANGE, |writer| {
                    PskKeyExchange::write(writer, hint);
                });
            }
            State::AwaitPskIdentity(AwaitPskIdentity { selected })
        }
    };
    cx.outgoing.push(Epoch::Plaintext, HandshakeType::SERVER_HELLO_DONE, |_| {});
    Ok(next)
}

fn push_server_hello(selected: &Selected, answer: &Answer, outgoing: &mut Outgoing) {
    outgoing.push(Epoch::Plaintext, HandshakeType::SERVER_HELLO, |writer| {
        ServerHello::write(writer, &selected.server_random, selected.suite.suite, |writer| {
            extension::write(writer, ExtensionType::EXTENDED_MASTER_SECRET, |_| {});
            if answer.renegotiation_info {
                extension::write(writer, ExtensionType::RENEGOTIATION_INFO, renegotiation_info::write_empty);
            }
            if answer.ec_point_formats {
                extension::write(writer, ExtensionType::EC_POINT_FORMATS, ec_point_formats::write);
            }
            selected.carried.answer(writer);
        });
    });
}

/// Writes Certificate, ServerKeyExchange and CertificateRequest.
fn push_certificate(
    selected: &Selected,
    certificate: &crate::certificate::Certificate,
    scheme: SignatureScheme,
    share: &KeyShare,
    cx: &mut Context<'_>,
) -> Result<(), Failure> {
    cx.outgoing.push(Epoch::Plaintext, HandshakeType::CERTIFICATE, |writer| {
        Certificate::write(writer, certificate.chain());
    });

    let (group, share) = (share.group(), share.public());
    let Selected { client_random, server_random, .. } = selected;
    let signed = ServerKeyExchange::signed(client_random, server_random, group, share)?;
    let signature = certificate.key().sign(scheme, signed.as_ref(), cx.random)?;
    cx.outgoing.push(Epoch::Plaintext, HandshakeType::SERVER_KEY_EXCHANGE, |writer| {
        ServerKeyExchange { group, share, scheme, signature: &signature }.write(writer);
    });

    cx.outgoing.push(Epoch::Plaintext, HandshakeType::CERTIFICATE_REQUEST, |writer| {
        CertificateRequest::write(writer, &VERIFIABLE);
    });
    Ok(())
}
