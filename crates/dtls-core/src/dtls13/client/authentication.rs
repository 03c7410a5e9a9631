//! Steps 4 and 5: the server's authentication, and our own flight.

use crate::authentication::{self, CertificateAccepted, PeerAuthenticated, Presented, VerificationResult};
use crate::certificate::Certificate;
use crate::config::DtlsRole;
use crate::crypto::sign::SignatureScheme;
use crate::dtls13::client::{Next, State};
use crate::dtls13::connected::Connected;
use crate::dtls13::key_schedule::{FinishedKeys, FinishedVerified, MasterSalt};
use crate::dtls13::{
    Selected, begin_reading, begin_writing, identity, log_application, log_exporter, signed_content,
};
use crate::event::{CertificateVerdict, Event};
use crate::failure::{Failure, Misbehaved, Refusal};
use crate::handshake::step::{Context, Step};
use crate::handshake::{HandshakeType, Message};
use crate::message::certificate_request13;
use crate::message::certificate_verify::CertificateVerify;
use crate::message::certificate13::Certificate13;
use crate::negotiated_extensions::NegotiatedExtensions;
use crate::record::epoch::Epoch;
use crate::record::epoch::FIRST_APPLICATION_EPOCH;

/// The data of the handshake in progress.
struct Course {
    selected: Selected,
    finished: FinishedKeys,
    master_salt: MasterSalt,
    carried: NegotiatedExtensions,
    request: Request,
}

/// The server's request for a certificate.
enum Request {
    None,
    /// None of our certificates fits.
    Unsuitable,
    Certificate {
        own: Certificate,
        scheme: SignatureScheme,
    },
}

/// After EncryptedExtensions.
pub(crate) struct AwaitCertificate(Course);

/// The application decides about the server's certificate.
pub(crate) struct AwaitVerdict {
    course: Course,
    presented: Presented,
}

/// After the server's Certificate.
pub(crate) struct AwaitCertificateVerify {
    course: Course,
    presented: Presented,
    accepted: CertificateAccepted,
}

/// After the server's signature.
pub(crate) struct AwaitFinished {
    course: Course,
    server: PeerAuthenticated,
}

impl AwaitCertificate {
    pub(super) const fn new(
        selected: Selected,
        finished: FinishedKeys,
        master_salt: MasterSalt,
        carried: NegotiatedExtensions,
    ) -> Self {
        Self(Course { selected, finished, master_salt, carried, request: Request::None })
    }

    pub(super) fn on_certificate_request(
        mut self,
        message: &Message<'_>,
        cx: &mut Context<'_>,
    ) -> Step<Next> {
        let Request::None = self.0.request else {
            return Step::Fail(Misbehaved::UnexpectedMessage.into());
        };
        let schemes = match certificate_request13::decode(message.body) {
            Ok(schemes) => schemes,
            Err(fault) => return Step::Fail(fault.into()),
        };
        self.0.request = match identity::choose(cx.config, schemes) {
            Some((own, scheme)) => Request::Certificate { own: own.clone(), scheme },
            None => Request::Unsuitable,
        };
        cx.outgoing.transcript.receive(message);
        Step::Advance(State::AwaitCertificate(self).into())
    }

    pub(super) fn on_certificate(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<Next> {
        let chain = match Certificate13::decode(message.body) {
            Ok(chain) => chain,
            Err(fault) => return Step::Fail(fault.into()),
        };
        cx.outgoing.transcript.receive(message);
        Step::from_result(self.judge(chain, cx))
    }

    fn judge(self, chain: Certificate13<'_>, cx: &mut Context<'_>) -> Result<State, Failure> {
        match authentication::judge(cx.config, chain.chain(), DtlsRole::Server)? {
            Some((presented, VerificationResult::Accepted(accepted))) => {
                let state = AwaitCertificateVerify { course: self.0, presented, accepted };
                Ok(State::AwaitCertificateVerify(state))
            }
            Some((presented, VerificationResult::Ask { chain })) => {
                cx.events.push(Event::CertificateReceived { chain });
                Ok(State::AwaitVerdict(AwaitVerdict { course: self.0, presented }))
            }
            None => Err(Refusal::NoCertificate.into()),
        }
    }
}

impl AwaitVerdict {
    pub(super) fn on_verdict(self, verdict: CertificateVerdict) -> Result<AwaitCertificateVerify, Failure> {
        let accepted = authentication::apply_verdict(verdict)?;
        Ok(AwaitCertificateVerify { course: self.course, presented: self.presented, accepted })
    }
}

impl AwaitCertificateVerify {
    pub(super) fn on_certificate_verify(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<Next> {
        let Ok(verify) = CertificateVerify::decode(message.body) else {
            return Step::Fail(Misbehaved::Malformed.into());
        };
        let Self { course, presented, accepted } = self;
        let transcript = cx.outgoing.transcript.hash(course.selected.suite.hash);
        let verified = signed_content(DtlsRole::Server, &transcript).and_then(|content| {
            presented.key.verify_dtls13(verify.scheme, content.as_ref(), verify.signature)
        });
        let verified = match verified {
            Ok(verified) => verified,
            Err(failure) => return Step::Fail(failure),
        };
        cx.outgoing.transcript.receive(message);
        let server = PeerAuthenticated::by_certificate(accepted, verified, presented.leaf);
        Step::Advance(State::AwaitFinished(AwaitFinished { course, server }).into())
    }
}

impl AwaitFinished {
    /// The end of step 4, and step 5.
    pub(super) fn on_finished(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<Next> {
        let transcript = cx.outgoing.transcript.hash(self.course.selected.suite.hash);
        let theirs = &self.course.finished.theirs;
        let connected = theirs.verify_finished(&transcript, message.body).and_then(|finished| {
            cx.outgoing.transcript.receive(message);
            self.answer(finished, cx)
        });
        match connected {
            Ok(connected) => Step::Connect(Box::new(connected).into()),
            Err(failure) => Step::Fail(failure),
        }
    }

    fn answer(self, verified: FinishedVerified, cx: &mut Context<'_>) -> Result<Connected, Failure> {
        let Self { course: Course { selected, finished, master_salt, carried, request }, server } = self;
        let hash = selected.suite.hash;
        let application = master_salt.application(&cx.outgoing.transcript.hash(hash));
        let outgoing = &mut *cx.outgoing;
        outgoing.flight.begin();
        match &request {
            Request::None => {}
            // RFC 8446 section 4.4.2: a client without a suitable certificate sends an empty one, and the server
            // decides.
            Request::Unsuitable => {
                outgoing.push(Epoch::Handshake, HandshakeType::CERTIFICATE, |writer| {
                    Certificate13::write(writer, std::iter::empty());
                });
            }
            Request::Certificate { own, scheme } => {
                outgoing.push(Epoch::Handshake, HandshakeType::CERTIFICATE, |writer| {
                    Certificate13::write(writer, own.chain());
                });
                let content = signed_content(DtlsRole::Client, &outgoing.transcript.hash(hash))?;
                let signature = own.key().sign(*scheme, content.as_ref(), cx.random)?;
                outgoing.push(Epoch::Handshake, HandshakeType::CERTIFICATE_VERIFY, |writer| {
                    CertificateVerify::write(writer, *scheme, &signature);
                });
            }
        }
        let verify_data = finished.ours.verify_data(&outgoing.transcript.hash(hash));
        outgoing.push(Epoch::Handshake, HandshakeType::FINISHED, |writer| writer.bytes(verify_data.as_ref()));
        begin_writing(FIRST_APPLICATION_EPOCH, &application.traffic.client, cx)?;
        begin_reading(FIRST_APPLICATION_EPOCH, &application.traffic.server, cx)?;
        log_application(&selected, &application, cx);
        log_exporter(&selected, &application.exporter, cx);
        Ok(Connected::new(server, verified, selected, carried, application, DtlsRole::Client))
    }
}
