//! The rest of step 4: the server's certificate and its signed key share.

use crate::authentication::{self, CertificateAccepted, PeerAuthenticated, Presented, VerificationResult};
use crate::config::DtlsRole;
use crate::crypto::group::NamedGroup;
use crate::crypto::sign::SignatureScheme;
use crate::crypto::suite::KeyExchange;
use crate::discard::Discard;
use crate::dtls12::client::State;
use crate::dtls12::{Selected, identity};
use crate::event::{CertificateVerdict, Event};
use crate::failure::{Failure, Incompatible, Misbehaved, Refusal};
use crate::handshake::Message;
use crate::handshake::step::{Context, Step};
use crate::message::certificate::Certificate;
use crate::message::certificate_request::CertificateRequest;
use crate::message::server_key_exchange::ServerKeyExchange;

/// After the ServerHello.
pub(crate) struct AwaitCertificate {
    pub(super) selected: Selected,
}

/// The application decides about the server's certificate.
pub(crate) struct AwaitVerdict {
    selected: Selected,
    presented: Presented,
}

/// After an accepted certificate.
pub(crate) struct AwaitServerKeyExchange {
    selected: Selected,
    presented: Presented,
    accepted: CertificateAccepted,
}

/// After the server proved possession of the certificate's key.
pub(crate) struct AwaitServerHelloDone {
    pub(super) selected: Selected,
    pub(super) server: PeerAuthenticated,
    pub(super) group: NamedGroup,
    pub(super) share: Vec<u8>,
    pub(super) request: Requested,
}

/// The server's request for a certificate, and our choice.
pub(super) enum Requested {
    Nothing,
    /// A certificate is requested, and none of ours fits.
    Unsuitable,
    /// This certificate, with this signature scheme.
    Certificate {
        own: crate::certificate::Certificate,
        scheme: SignatureScheme,
    },
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
        let Self { selected } = self;
        let (presented, judgement) = authentication::judge(cx.config, chain.chain(), DtlsRole::Server)?
            .ok_or(Refusal::NoCertificate)?;
        if KeyExchange::Ecdhe(presented.key.kind()) != selected.suite.key_exchange {
            return Err(Incompatible::CertificateKey.into());
        }
        Ok(match judgement {
            VerificationResult::Accepted(accepted) => {
                State::AwaitServerKeyExchange(AwaitServerKeyExchange { selected, presented, accepted })
            }
            VerificationResult::Ask { chain } => {
                cx.events.push(Event::CertificateReceived { chain });
                State::AwaitVerdict(AwaitVerdict { selected, presented })
            }
        })
    }
}

impl AwaitVerdict {
    pub(super) fn on_verdict(self, verdict: CertificateVerdict) -> Result<AwaitServerKeyExchange, Failure> {
        let Self { selected, presented } = self;
        let accepted = authentication::apply_verdict(verdict)?;
        Ok(AwaitServerKeyExchange { selected, presented, accepted })
    }
}

impl AwaitServerKeyExchange {
    pub(super) fn on_server_key_exchange(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<State> {
        let Ok(exchange) = ServerKeyExchange::decode(message.body) else {
            return Step::Stay(State::AwaitServerKeyExchange(self), Discard::Malformed);
        };
        cx.outgoing.transcript.receive(message);
        Step::from_result(self.verify(&exchange, cx).map(State::AwaitServerHelloDone))
    }

    fn verify(
        self,
        exchange: &ServerKeyExchange<'_>,
        cx: &Context<'_>,
    ) -> Result<AwaitServerHelloDone, Failure> {
        let Self { selected, presented, accepted } = self;
        if !cx.config.groups_of_dtls12().any(|group| group == exchange.group) {
            return Err(Misbehaved::SelectedUnoffered.into());
        }
        let Selected { client_random, server_random, .. } = &selected;
        let signed = ServerKeyExchange::signed(client_random, server_random, exchange.group, exchange.share)?;
        let verified = presented.key.verify(exchange.scheme, signed.as_ref(), exchange.signature)?;
        Ok(AwaitServerHelloDone {
            selected,
            server: PeerAuthenticated::by_certificate(accepted, verified, presented.leaf),
            group: exchange.group,
            share: exchange.share.to_vec(),
            request: Requested::Nothing,
        })
    }
}

impl AwaitServerHelloDone {
    pub(super) fn on_certificate_request(
        mut self,
        message: &Message<'_>,
        cx: &mut Context<'_>,
    ) -> Step<State> {
        if !matches!(self.request, Requested::Nothing) {
            return Step::Stay(State::AwaitServerHelloDone(self), Discard::UnexpectedMessage);
        }
        let Ok(request) = CertificateRequest::decode(message.body) else {
            return Step::Stay(State::AwaitServerHelloDone(self), Discard::Malformed);
        };
        cx.outgoing.transcript.receive(message);
        self.request = match identity::choose(cx.config, request.schemes, |kind| request.accepts(kind)) {
            Some((own, scheme)) => Requested::Certificate { own: own.clone(), scheme },
            None => Requested::Unsuitable,
        };
        Step::Advance(State::AwaitServerHelloDone(self))
    }
}
