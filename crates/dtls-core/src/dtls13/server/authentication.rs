//! Step 5: the client's authentication.

use crate::authentication::{self, CertificateAccepted, PeerAuthenticated, Presented, VerificationResult};
use crate::config::DtlsRole;
use crate::dtls13::connected::Connected;
use crate::dtls13::key_schedule::{ApplicationSecrets, FinishedKey, FinishedVerified};
use crate::dtls13::selected::Selected;
use crate::dtls13::server::{Next, State};
use crate::dtls13::{begin_reading, log_exporter, signed_content};
use crate::event::{CertificateVerdict, Event};
use crate::failure::{Failure, Misbehaved};
use crate::handshake::Message;
use crate::handshake::step::{Context, Step};
use crate::message::certificate_verify::CertificateVerify;
use crate::message::certificate13::Certificate13;
use crate::negotiated_extensions::NegotiatedExtensions;
use crate::record::epoch::FIRST_APPLICATION_EPOCH;

/// The data of the handshake in progress.
struct Course {
    selected: Selected,
    /// The key of the client's Finished.
    finished: FinishedKey,
    application: ApplicationSecrets,
    carried: NegotiatedExtensions,
}

/// After step 4.
pub(crate) struct AwaitCertificate(Course);

/// The application decides about the client's certificate.
pub(crate) struct AwaitVerdict {
    course: Course,
    presented: Presented,
}

/// After the client's Certificate.
pub(crate) struct AwaitCertificateVerify {
    course: Course,
    presented: Presented,
    accepted: CertificateAccepted,
}

/// After the client's signature.
pub(crate) struct AwaitFinished {
    course: Course,
    client: PeerAuthenticated,
}

impl AwaitCertificate {
    pub(super) const fn new(
        selected: Selected,
        finished: FinishedKey,
        application: ApplicationSecrets,
        carried: NegotiatedExtensions,
    ) -> Self {
        Self(Course { selected, finished, application, carried })
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
        match authentication::judge(cx.config, chain.chain(), DtlsRole::Client)? {
            Some((presented, VerificationResult::Accepted(accepted))) => {
                let state = AwaitCertificateVerify { course: self.0, presented, accepted };
                Ok(State::AwaitCertificateVerify(state))
            }
            Some((presented, VerificationResult::Ask { chain })) => {
                cx.events.push(Event::CertificateReceived { chain });
                Ok(State::AwaitVerdict(AwaitVerdict { course: self.0, presented }))
            }
            None => {
                let client = PeerAuthenticated::anonymous(authentication::accept_anonymous(cx.config)?);
                Ok(State::AwaitFinished(AwaitFinished { course: self.0, client }))
            }
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
        let verified = signed_content(DtlsRole::Client, &transcript).and_then(|content| {
            presented.key.verify_dtls13(verify.scheme, content.as_ref(), verify.signature)
        });
        let verified = match verified {
            Ok(verified) => verified,
            Err(failure) => return Step::Fail(failure),
        };
        cx.outgoing.transcript.receive(message);
        let client = PeerAuthenticated::by_certificate(accepted, verified, presented.leaf);
        Step::Advance(State::AwaitFinished(AwaitFinished { course, client }).into())
    }
}

impl AwaitFinished {
    pub(super) fn on_finished(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<Next> {
        let transcript = cx.outgoing.transcript.hash(self.course.selected.suite.hash);
        let verified = self.course.finished.verify_finished(&transcript, message.body);
        let connected = verified.and_then(|finished| self.connect(finished, cx));
        match connected {
            Ok(connected) => Step::Connect(Box::new(connected).into()),
            Err(failure) => Step::Fail(failure),
        }
    }

    /// Application data is sent and accepted only from here on, because the client is authenticated.
    fn connect(self, finished: FinishedVerified, cx: &mut Context<'_>) -> Result<Connected, Failure> {
        let Self { course: Course { selected, application, carried, .. }, client } = self;
        cx.outgoing.flight.begin();
        begin_reading(FIRST_APPLICATION_EPOCH, &application.traffic.client, cx)?;
        log_exporter(&selected, &application.exporter, cx);
        Ok(Connected::new(client, finished, selected, carried, application, DtlsRole::Server))
    }
}
