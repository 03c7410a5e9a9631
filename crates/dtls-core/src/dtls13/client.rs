//! The client's handshake of DTLS 1.3, and the hellos of a client that offers both versions.
//!
//! ```text
//! 1. -> ClientHello                       4. <- ServerHello, EncryptedExtensions,
//! 2. <- HelloRetryRequest                       CertificateRequest, Certificate,
//!       (or HelloVerifyRequest)                 CertificateVerify, Finished
//! 3. -> ClientHello                       5. -> Certificate, CertificateVerify, Finished
//!                                         6. <- ACK
//! ```
//!
//! Steps 2 and 3 are at the server's discretion. A ServerHello that selects DTLS 1.2 hands over to its states.

mod authentication;
mod hello;

use crate::discard::Discard;
use crate::dtls12;
use crate::handshake::step::{Answer, Answered, Context, Step};
use crate::handshake::{HandshakeType, Message};

use authentication::{AwaitCertificate, AwaitCertificateVerify, AwaitFinished, AwaitVerdict};
use hello::AwaitEncryptedExtensions;
pub(crate) use hello::AwaitServerHello;

/// The message that the client waits for.
#[expect(clippy::enum_variant_names, reason = "each variant has the name of its state")]
pub(crate) enum State {
    AwaitServerHello(AwaitServerHello),
    AwaitEncryptedExtensions(AwaitEncryptedExtensions),
    AwaitCertificate(AwaitCertificate),
    AwaitVerdict(AwaitVerdict),
    AwaitCertificateVerify(AwaitCertificateVerify),
    AwaitFinished(AwaitFinished),
}

/// The state after a message.
pub(crate) enum Next {
    Dtls13(State),
    /// The server selected DTLS 1.2.
    Dtls12(dtls12::client::State),
}

impl From<State> for Next {
    fn from(state: State) -> Self {
        Self::Dtls13(state)
    }
}

impl State {
    /// Handles the next message of the server.
    pub(crate) fn handle(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<Next> {
        match (self, message.kind, message.protected) {
            (Self::AwaitServerHello(state), HandshakeType::HELLO_VERIFY_REQUEST, false) => {
                state.on_hello_verify_request(message, cx)
            }
            (Self::AwaitServerHello(state), HandshakeType::SERVER_HELLO, false) => {
                state.on_server_hello(message, cx)
            }
            (Self::AwaitEncryptedExtensions(state), HandshakeType::ENCRYPTED_EXTENSIONS, true) => {
                state.on_encrypted_extensions(message, cx)
            }
            (Self::AwaitCertificate(state), HandshakeType::CERTIFICATE_REQUEST, true) => {
                state.on_certificate_request(message, cx)
            }
            (Self::AwaitCertificate(state), HandshakeType::CERTIFICATE, true) => {
                state.on_certificate(message, cx)
            }
            (Self::AwaitCertificateVerify(state), HandshakeType::CERTIFICATE_VERIFY, true) => {
                state.on_certificate_verify(message, cx)
            }
            (Self::AwaitFinished(state), HandshakeType::FINISHED, true) => state.on_finished(message, cx),
            (state, _, _) => Step::Stay(state.into(), Discard::UnexpectedMessage),
        }
    }

    /// Handles the application's answer.
    pub(crate) fn on_answer(self, answer: Answer) -> Answered<Self> {
        match (self, answer) {
            (Self::AwaitVerdict(state), Answer::Verdict(verdict)) => {
                Answered::from_result(state.on_verdict(verdict).map(Self::AwaitCertificateVerify))
            }
            (other, _) => Answered::NotAsked(other),
        }
    }

    pub(crate) const fn awaits_answer(&self) -> bool {
        matches!(self, Self::AwaitVerdict(_))
    }

    /// Returns whether the server has selected DTLS 1.3.
    pub(crate) const fn has_settled(&self) -> bool {
        match self {
            Self::AwaitServerHello(state) => state.has_retried(),
            _ => true,
        }
    }

    /// Returns whether the keys of epoch 2 are installed.
    pub(crate) const fn is_protected(&self) -> bool {
        !matches!(self, Self::AwaitServerHello(_))
    }
}
