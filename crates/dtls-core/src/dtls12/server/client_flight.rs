//! Steps 3 and 4: the client's certificate and signature, and the Finished of both sides.

use crate::authentication::{
    self, AnonymousAccepted, CertificateAccepted, PeerAuthenticated, Presented, VerificationResult,
};
use crate::config::DtlsRole;
use crate::crypto::group::{KeyShare, NamedGroup};
use crate::discard::Discard;
use crate::dtls12::Selected;
use crate::dtls12::connected::Connected;
use crate::dtls12::key_schedule::MasterSecret;
use crate::dtls12::server::State;
use crate::event::{CertificateVerdict, Event};
use crate::failure::{Failure, Operation};
use crate::handshake::step::{Context, Step};
use crate::handshake::{HandshakeType, Message};
use crate::message::certificate::Certificate;
use crate::message::certificate_verify::CertificateVerify;
use crate::message::client_key_exchange::ClientKeyExchange;
use crate::record::epoch::Epoch;

/// After step 2.
pub(crate) struct AwaitCertificate {
    pub(super) selected: Selected,
    pub(super) share: KeyShare,
}

/// The application decides about the client's certificate.
pub(crate) struct AwaitVerdict {
    selected: Selected,
    share: KeyShare,
    presented: Presented,
}

/// After the client's Certificate.
pub(crate) struct AwaitClientKeyExchange {
    selected: Selected,
    share: KeyShare,
    client: Client,
}

/// The client's Certificate.
enum Client {
    Certificate(Presented, CertificateAccepted),
    Anonymous(AnonymousAccepted),
}

/// After the client's key share, before the proof of possession of its certificate's key.
pub(crate) struct AwaitCertificateVerify {
    master: MasterSecret,
    group: NamedGroup,
    presented: Presented,
    accepted: CertificateAccepted,
}

/// After all plaintext messages.
pub(crate) struct AwaitFinished {
    master: MasterSecret,
    group: Option<NamedGroup>,
    client: PeerAuthenticated,
}

impl AwaitCertificate {
    pub(super) fn on_certificate(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<State> {
        let Ok(chain) = Certificate::decode(message.body) else {
            return Step::Stay(State::AwaitCertificate(self), Discard::Malformed);
        };
        cx.outgoing.transcript.receive(message);
        Step::from_result(self.judge(chain, cx))
    }

    fn judge(self, chain: Certificate<'_>, cx: &mut Context<'_>) -> Result<State, Failure> {
        let Self { selected, share } = self;
        let client = match authentication::judge(cx.config, chain.chain(), DtlsRole::Client)? {
            Some((presented, VerificationResult::Accepted(accepted))) => {
                Client::Certificate(presented, accepted)
            }
            Some((presented, VerificationResult::Ask { chain })) => {
                cx.events.push(Event::CertificateReceived { chain });
                return Ok(State::AwaitVerdict(AwaitVerdict { selected, share, presented }));
            }
            None => Client::Anonymous(authentication::accept_anonymous(cx.config)?),
        };
        Ok(State::AwaitClientKeyExchange(AwaitClientKeyExchange { selected, share, client }))
    }
}

impl AwaitVerdict {
    pub(super) fn on_verdict(self, verdict: CertificateVerdict) -> Result<AwaitClientKeyExchange, Failure> {
        let Self { selected, share, presented } = self;
        let accepted = authentication::apply_verdict(verdict)?;
        Ok(AwaitClientKeyExchange { selected, share, client: Client::Certificate(presented, accepted) })
    }
}

impl AwaitClientKeyExchange {
    pub(super) fn on_client_key_exchange(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<State> {
        let Ok(exchange) = ClientKeyExchange::decode(message.body) else {
            return Step::Stay(State::AwaitClientKeyExchange(self), Discard::Malformed);
        };
        cx.outgoing.transcript.receive(message);
        Step::from_result(self.agree(&exchange, cx))
    }

    fn agree(self, exchange: &ClientKeyExchange<'_>, cx: &mut Context<'_>) -> Result<State, Failure> {
        let Self { selected, share, client } = self;
        let group = share.group();
        let session_hash = cx.outgoing.transcript.hash(selected.suite.hash);
        let (master, key_log) = MasterSecret::derive(selected, &share.agree(exchange.share)?, &session_hash);
        cx.events.push_key_log(cx.config, key_log);
        match client {
            Client::Certificate(presented, accepted) => {
                let state = AwaitCertificateVerify { master, group, presented, accepted };
                Ok(State::AwaitCertificateVerify(state))
            }
            Client::Anonymous(accepted) => {
                AwaitFinished::begin(master, Some(group), PeerAuthenticated::anonymous(accepted), cx)
            }
        }
    }
}

impl AwaitCertificateVerify {
    pub(super) fn on_certificate_verify(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<State> {
        let Ok(verify) = CertificateVerify::decode(message.body) else {
            return Step::Stay(State::AwaitCertificateVerify(self), Discard::Malformed);
        };
        let authenticated = self.authenticate(&verify, cx);
        cx.outgoing.transcript.receive(message);
        Step::from_result(authenticated)
    }

    fn authenticate(self, verify: &CertificateVerify<'_>, cx: &mut Context<'_>) -> Result<State, Failure> {
        let Self { master, group, presented, accepted } = self;
        let verified =
            presented.key.verify(verify.scheme, cx.outgoing.transcript.bytes(), verify.signature)?;
        let client = PeerAuthenticated::by_certificate(accepted, verified, presented.leaf);
        AwaitFinished::begin(master, Some(group), client, cx)
    }
}

impl AwaitFinished {
    /// From here on the keys of epoch 1 deprotect the client's Finished, and nothing else yet.
    pub(super) fn begin(
        master: MasterSecret,
        group: Option<NamedGroup>,
        client: PeerAuthenticated,
        cx: &mut Context<'_>,
    ) -> Result<State, Failure> {
        let keys = master.record_keys(DtlsRole::Server).ok_or(Failure::Crypto(Operation::KeyExchange))?;
        cx.records.install(keys.write, keys.read);
        Ok(State::AwaitFinished(Self { master, group, client }))
    }

    /// Returns whether the client is authenticated before its Finished.
    pub(super) const fn has_signature(&self) -> bool {
        matches!(self.client, PeerAuthenticated::Certificate { .. })
    }

    pub(super) fn on_finished(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<State> {
        let Self { master, group, client } = self;
        let hash = master.selected().suite.hash;
        let transcript = cx.outgoing.transcript.hash(hash);
        let finished = match master.verify_finished(DtlsRole::Client, &transcript, message.body) {
            Ok(finished) => finished,
            Err(failure) => return Step::Fail(failure),
        };
        cx.outgoing.transcript.receive(message);

        // Step 4.
        let transcript = cx.outgoing.transcript.hash(hash);
        let verify_data = master.verify_data(DtlsRole::Server, &transcript);
        cx.outgoing.flight.begin();
        cx.outgoing.flight.push_change_cipher_spec();
        cx.outgoing.push(Epoch::Protected, HandshakeType::FINISHED, |writer| writer.bytes(&verify_data));
        Step::Connect(Box::new(Connected::new(client, finished, master, group)).into())
    }
}
