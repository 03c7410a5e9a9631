//! Steps 1 and 2: a ClientHello, and our answer to it.

use crate::codec::Writer;
use crate::crypto::group::KeyShare;
use crate::crypto::verify::VERIFIABLE;
use crate::discard::Discard;
use crate::dtls12::server::{State, negotiate};
use crate::dtls12::{Context, Selected, Step};
use crate::extension::use_srtp::SrtpProtection;
use crate::extension::{self, ExtensionType, ec_point_formats, renegotiation_info};
use crate::failure::Failure;
use crate::handshake::{HandshakeType, Message};
use crate::message::certificate::Certificate;
use crate::message::certificate_request::CertificateRequest;
use crate::message::client_hello::ClientHello;
use crate::message::server_hello::ServerHello;
use crate::message::server_key_exchange::ServerKeyExchange;
use crate::record::protect::Epoch;

/// Before step 1.
pub(crate) struct AwaitClientHello;

/// After step 2.
pub(crate) struct AwaitCertificate {
    pub(super) selected: Selected,
    pub(super) share: KeyShare,
}

impl AwaitClientHello {
    pub(crate) fn on_client_hello(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<State> {
        let Ok(hello) = ClientHello::decode(message.body) else {
            return Step::Stay(State::AwaitClientHello(self), Discard::Malformed);
        };
        *cx.remote_random = Some(hello.random);
        cx.outgoing.transcript.receive(message);
        Step::from_result(answer(&hello, cx).map(State::AwaitCertificate))
    }
}

/// Step 2.
fn answer(hello: &ClientHello<'_>, cx: &mut Context<'_>) -> Result<AwaitCertificate, Failure> {
    let choice = negotiate::choose(hello, cx.config)?;
    let share = KeyShare::generate(choice.group, cx.random)?;
    let selected = Selected {
        client_random: hello.random,
        server_random: *cx.local_random,
        suite: choice.suite,
        srtp_profile: choice.srtp_profile,
    };
    let outgoing = &mut *cx.outgoing;
    outgoing.flight.begin();

    outgoing.push(Epoch::Plaintext, HandshakeType::SERVER_HELLO, |writer| {
        ServerHello::write(writer, &selected.server_random, selected.suite.suite, |writer| {
            extension::write(writer, ExtensionType::EXTENDED_MASTER_SECRET, |_| {});
            if choice.answer.renegotiation_info {
                extension::write(writer, ExtensionType::RENEGOTIATION_INFO, renegotiation_info::write_empty);
            }
            if choice.answer.ec_point_formats {
                extension::write(writer, ExtensionType::EC_POINT_FORMATS, ec_point_formats::write);
            }
            if let Some(profile) = selected.srtp_profile {
                extension::write(writer, ExtensionType::USE_SRTP, |writer| {
                    SrtpProtection::write(writer, &[profile]);
                });
            }
        });
    });
    outgoing.push(Epoch::Plaintext, HandshakeType::CERTIFICATE, |writer| {
        Certificate::write(writer, choice.certificate.chain());
    });

    let mut params = Vec::new();
    ServerKeyExchange::write_params(&mut Writer::new(&mut params), share.group(), share.public());
    let signed = ServerKeyExchange::signed(&selected.client_random, &selected.server_random, &params);
    let signature = choice.certificate.key().sign(choice.scheme, &signed, cx.random)?;
    outgoing.push(Epoch::Plaintext, HandshakeType::SERVER_KEY_EXCHANGE, |writer| {
        ServerKeyExchange::write(writer, &params, choice.scheme, &signature);
    });

    outgoing.push(Epoch::Plaintext, HandshakeType::CERTIFICATE_REQUEST, |writer| {
        CertificateRequest::write(writer, &VERIFIABLE);
    });
    outgoing.push(Epoch::Plaintext, HandshakeType::SERVER_HELLO_DONE, |_| {});
    Ok(AwaitCertificate { selected, share })
}
