//! Steps 5 and 6: our key share, our signature, and the Finished of both sides.

use crate::authentication::PeerAuthenticated;
use crate::config::DtlsRole;
use crate::crypto::group::{KeyShare, NamedGroup};
use crate::discard::Discard;
use crate::dtls12::client::State;
use crate::dtls12::client::key_exchange::{AwaitServerHelloDone, Requested};
use crate::dtls12::connected::Connected;
use crate::dtls12::key_schedule::MasterSecret;
use crate::failure::{Failure, Operation};
use crate::handshake::step::{Context, Step};
use crate::handshake::{HandshakeType, Message};
use crate::message::certificate::Certificate;
use crate::message::certificate_verify::CertificateVerify;
use crate::message::client_key_exchange::ClientKeyExchange;
use crate::record::epoch::Epoch;

/// After step 5.
pub(crate) struct AwaitFinished {
    master: MasterSecret,
    server: PeerAuthenticated,
    group: Option<NamedGroup>,
}

impl AwaitServerHelloDone {
    pub(super) fn on_server_hello_done(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<State> {
        if !message.body.is_empty() {
            return Step::Stay(State::AwaitServerHelloDone(self), Discard::Malformed);
        }
        cx.outgoing.transcript.receive(message);
        Step::from_result(self.reply(cx).map(State::AwaitFinished))
    }

    /// Step 5.
    fn reply(self, cx: &mut Context<'_>) -> Result<AwaitFinished, Failure> {
        let Self { selected, server, group, share, request } = self;
        let ours = KeyShare::generate(group, cx.random)?;
        let outgoing = &mut *cx.outgoing;
        outgoing.flight.begin();

        match &request {
            Requested::Nothing => {}
            // RFC 5246 section 7.4.6: a client without a suitable certificate sends an empty one, and the server
            // decides.
            Requested::Unsuitable => {
                outgoing.push(Epoch::Plaintext, HandshakeType::CERTIFICATE, |writer| {
                    Certificate::write(writer, std::iter::empty());
                });
            }
            Requested::Certificate { own, .. } => {
                outgoing.push(Epoch::Plaintext, HandshakeType::CERTIFICATE, |writer| {
                    Certificate::write(writer, own.chain());
                });
            }
        }
        outgoing.push(Epoch::Plaintext, HandshakeType::CLIENT_KEY_EXCHANGE, |writer| {
            ClientKeyExchange::write(writer, ours.public());
        });
        let session_hash = outgoing.transcript.hash(selected.suite.hash);
        let (master, key_log) = MasterSecret::derive(selected, &ours.agree(&share)?, &session_hash);
        cx.events.push_key_log(cx.config, key_log);

        if let Requested::Certificate { own, scheme } = &request {
            let signature = own.key().sign(*scheme, outgoing.transcript.bytes(), cx.random)?;
            outgoing.push(Epoch::Plaintext, HandshakeType::CERTIFICATE_VERIFY, |writer| {
                CertificateVerify::write(writer, *scheme, &signature);
            });
        }

        finish(master, server, Some(group), cx)
    }
}

/// The end of step 5, for every kind of server authentication.
pub(super) fn finish(
    master: MasterSecret,
    server: PeerAuthenticated,
    group: Option<NamedGroup>,
    cx: &mut Context<'_>,
) -> Result<AwaitFinished, Failure> {
    let keys = master.record_keys(DtlsRole::Client).ok_or(Failure::Crypto(Operation::KeyExchange))?;
    cx.records.install(keys.write, keys.read);
    cx.outgoing.flight.push_change_cipher_spec();
    let transcript = cx.outgoing.transcript.hash(master.selected().suite.hash);
    let verify_data = master.verify_data(DtlsRole::Client, &transcript);
    cx.outgoing.push(Epoch::Protected, HandshakeType::FINISHED, |writer| writer.bytes(&verify_data));
    Ok(AwaitFinished { master, server, group })
}

impl AwaitFinished {
    /// Step 6.
    pub(super) fn on_finished(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<State> {
        let Self { master, server, group } = self;
        let transcript = cx.outgoing.transcript.hash(master.selected().suite.hash);
        match master.verify_finished(DtlsRole::Server, &transcript, message.body) {
            Ok(finished) => Step::Connect(Box::new(Connected::new(server, finished, master, group)).into()),
            Err(failure) => Step::Fail(failure),
        }
    }
}
