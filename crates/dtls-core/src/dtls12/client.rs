//! The client's handshake of DTLS 1.2.
//!
//! ```text
//! 1. -> ClientHello                5. -> Certificate (where requested), ClientKeyExchange,
//! 2. <- HelloVerifyRequest               CertificateVerify, ChangeCipherSpec, Finished
//! 3. -> ClientHello with cookie    6. <- ChangeCipherSpec, Finished
//! 4. <- ServerHello, Certificate,
//!       ServerKeyExchange, CertificateRequest, ServerHelloDone
//! ```
//!
//! Steps 2 and 3 are at the server's discretion. With a pre-shared key there are no certificates, and step 4 is
//! ServerHello, ServerKeyExchange (if there is a hint), ServerHelloDone. The epoch of a record contains all information
//! of a ChangeCipherSpec, so no state waits for one.

mod hello;
mod key_exchange;
mod psk;
mod reply;

use crate::discard::Discard;
use crate::handshake::step::{Answer, Answered, Context, Step};
use crate::handshake::{HandshakeType, Message};

pub(crate) use hello::AwaitServerHello;
use key_exchange::{AwaitCertificate, AwaitServerHelloDone, AwaitServerKeyExchange, AwaitVerdict};
use psk::{AwaitPsk, AwaitPskHelloDone, AwaitPskHint};
use reply::AwaitFinished;

/// The message that the client waits for.
#[expect(clippy::enum_variant_names, reason = "each variant has the name of its state")]
pub(crate) enum State {
    AwaitServerHello(AwaitServerHello),
    AwaitCertificate(AwaitCertificate),
    AwaitVerdict(AwaitVerdict),
    AwaitServerKeyExchange(AwaitServerKeyExchange),
    AwaitServerHelloDone(AwaitServerHelloDone),
    AwaitPskHint(AwaitPskHint),
    AwaitPskHelloDone(AwaitPskHelloDone),
    AwaitPsk(AwaitPsk),
    AwaitFinished(AwaitFinished),
}

impl State {
    /// Handles the next message of the server.
    pub(crate) fn handle(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<Self> {
        match (self, message.kind, message.protected) {
            (Self::AwaitServerHello(state), HandshakeType::HELLO_VERIFY_REQUEST, false) => {
                state.on_hello_verify_request(message, cx)
            }
            (Self::AwaitServerHello(state), HandshakeType::SERVER_HELLO, false) => {
                state.on_server_hello(message, cx)
            }
            (Self::AwaitCertificate(state), HandshakeType::CERTIFICATE, false) => {
                state.on_certificate(message, cx)
            }
            (Self::AwaitServerKeyExchange(state), HandshakeType::SERVER_KEY_EXCHANGE, false) => {
                state.on_server_key_exchange(message, cx)
            }
            (Self::AwaitServerHelloDone(state), HandshakeType::CERTIFICATE_REQUEST, false) => {
                state.on_certificate_request(message, cx)
            }
            (Self::AwaitServerHelloDone(state), HandshakeType::SERVER_HELLO_DONE, false) => {
                state.on_server_hello_done(message, cx)
            }
            (Self::AwaitPskHint(state), HandshakeType::SERVER_KEY_EXCHANGE, false) => {
                state.on_server_key_exchange(message, cx)
            }
            (Self::AwaitPskHint(state), HandshakeType::SERVER_HELLO_DONE, false) => {
                state.on_server_hello_done(message, cx)
            }
            (Self::AwaitPskHelloDone(state), HandshakeType::SERVER_HELLO_DONE, false) => {
                state.on_server_hello_done(message, cx)
            }
            (Self::AwaitFinished(state), HandshakeType::FINISHED, true) => state.on_finished(message, cx),
            (state, _, _) => Step::Stay(state, Discard::UnexpectedMessage),
        }
    }

    /// Handles the application's answer.
    pub(crate) fn on_answer(self, answer: Answer, cx: &mut Context<'_>) -> Answered<Self> {
        match (self, answer) {
            (Self::AwaitVerdict(state), Answer::Verdict(verdict)) => {
                Answered::from_result(state.on_verdict(verdict).map(Self::AwaitServerKeyExchange))
            }
            (Self::AwaitPsk(state), Answer::Psk(psk)) => {
                Answered::from_result(state.on_psk(psk, cx).map(Self::AwaitFinished))
            }
            (other, _) => Answered::NotAsked(other),
        }
    }

    pub(crate) const fn awaits_answer(&self) -> bool {
        matches!(self, Self::AwaitVerdict(_) | Self::AwaitPsk(_))
    }

    /// Returns whether our Finished was sent, so that further records are protected.
    pub(crate) const fn has_finished(&self) -> bool {
        matches!(self, Self::AwaitFinished(_))
    }
}
