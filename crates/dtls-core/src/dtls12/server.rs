//! The server's handshake of DTLS 1.2.
//!
//! ```text
//! 1. <- ClientHello                4. -> ChangeCipherSpec, Finished
//! 2. -> ServerHello, Certificate,
//!       ServerKeyExchange, CertificateRequest, ServerHelloDone
//! 3. <- Certificate, ClientKeyExchange, CertificateVerify, ChangeCipherSpec, Finished
//! ```
//!
//! With a pre-shared key there are no certificates, and step 2 is ServerHello, ServerKeyExchange (if there is a hint),
//! ServerHelloDone. A client without a certificate omits its CertificateVerify. Application data may follow step 4 at
//! once, because the client is authenticated then.

mod client_flight;
mod hello;
mod negotiate;
mod psk;

use crate::config::Config;
use crate::discard::Discard;
use crate::failure::Failure;
use crate::handshake::step::{Answer, Answered, Context, Step};
use crate::handshake::{HandshakeType, Message};
use crate::message::client_hello::ClientHello;
use client_flight::{
    AwaitCertificate, AwaitCertificateVerify, AwaitClientKeyExchange, AwaitFinished, AwaitVerdict,
};
pub(crate) use hello::AwaitClientHello;
use psk::{AwaitPsk, AwaitPskIdentity, UnknownIdentity};

/// Checks whether a server with this configuration would accept the ClientHello.
pub(crate) fn would_answer(hello: &ClientHello<'_>, config: &Config) -> Result<(), Failure> {
    negotiate::choose(hello, config).map(|_| ())
}

/// The message that the server waits for.
pub(crate) enum State {
    AwaitClientHello(AwaitClientHello),
    AwaitCertificate(AwaitCertificate),
    AwaitVerdict(AwaitVerdict),
    AwaitClientKeyExchange(AwaitClientKeyExchange),
    AwaitCertificateVerify(AwaitCertificateVerify),
    AwaitPskIdentity(AwaitPskIdentity),
    AwaitPsk(AwaitPsk),
    UnknownIdentity(UnknownIdentity),
    AwaitFinished(AwaitFinished),
}

impl State {
    /// Handles the next message of the client.
    pub(crate) fn handle(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<Self> {
        match (self, message.kind, message.protected) {
            (Self::AwaitClientHello(state), HandshakeType::CLIENT_HELLO, false) => {
                state.on_client_hello(message, cx)
            }
            (Self::AwaitCertificate(state), HandshakeType::CERTIFICATE, false) => {
                state.on_certificate(message, cx)
            }
            (Self::AwaitClientKeyExchange(state), HandshakeType::CLIENT_KEY_EXCHANGE, false) => {
                state.on_client_key_exchange(message, cx)
            }
            (Self::AwaitCertificateVerify(state), HandshakeType::CERTIFICATE_VERIFY, false) => {
                state.on_certificate_verify(message, cx)
            }
            (Self::AwaitPskIdentity(state), HandshakeType::CLIENT_KEY_EXCHANGE, false) => {
                state.on_client_key_exchange(message, cx)
            }
            (Self::AwaitFinished(state), HandshakeType::FINISHED, true) => state.on_finished(message, cx),
            (state, _, _) => Step::Stay(state, Discard::UnexpectedMessage),
        }
    }

    /// Handles the application's answer.
    pub(crate) fn on_answer(self, answer: Answer, cx: &mut Context<'_>) -> Answered<Self> {
        match (self, answer) {
            (Self::AwaitVerdict(state), Answer::Verdict(verdict)) => {
                Answered::from_result(state.on_verdict(verdict).map(Self::AwaitClientKeyExchange))
            }
            (Self::AwaitPsk(state), Answer::Psk(psk)) => Answered::from_result(state.on_psk(psk, cx)),
            (other, _) => Answered::NotAsked(other),
        }
    }

    pub(crate) const fn awaits_answer(&self) -> bool {
        matches!(self, Self::AwaitVerdict(_) | Self::AwaitPsk(_))
    }

    /// Returns whether another ClientHello may replace this attempt, because the client is not authenticated yet. An
    /// attempt that waits for the application stays, so that the answer cannot apply to another client.
    pub(crate) const fn is_replaceable(&self) -> bool {
        match self {
            Self::AwaitCertificate(_)
            | Self::AwaitClientKeyExchange(_)
            | Self::AwaitCertificateVerify(_)
            | Self::AwaitPskIdentity(_)
            | Self::UnknownIdentity(_) => true,
            Self::AwaitFinished(state) => !state.has_signature(),
            Self::AwaitClientHello(_) | Self::AwaitVerdict(_) | Self::AwaitPsk(_) => false,
        }
    }
}
