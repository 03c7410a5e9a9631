//! The server's handshake of DTLS 1.3, and the first ClientHello of a server with both versions.
//!
//! ```text
//! 1. <- ClientHello                4. -> ServerHello, EncryptedExtensions, CertificateRequest,
//! 2. -> HelloRetryRequest                Certificate, CertificateVerify, Finished
//! 3. <- ClientHello                5. <- Certificate, CertificateVerify, Finished
//!                                  6. -> ACK
//! ```
//!
//! Steps 2 and 3 happen if the client has no share of one of our groups. No application data is sent before step 5 has
//! authenticated the client. A ClientHello without DTLS 1.3 is handed over to the states of DTLS 1.2.

mod authentication;
mod hello;
mod negotiate;

use crate::config::Config;
use crate::crypto::group::NamedGroup;
use crate::crypto::suite13::Suite13;
use crate::discard::Discard;
use crate::dtls12;
use crate::failure::{Failure, Incompatible};
use crate::handshake::step::{Answer, Answered, Context, Step};
use crate::handshake::{HandshakeType, Message};
use crate::message::client_hello::ClientHello;

use authentication::{AwaitCertificate, AwaitCertificateVerify, AwaitFinished, AwaitVerdict};
pub(crate) use hello::AwaitClientHello;
use negotiate::Share;

/// The message that the server waits for.
#[expect(clippy::enum_variant_names, reason = "each variant has the name of its state")]
pub(crate) enum State {
    AwaitClientHello(AwaitClientHello),
    AwaitCertificate(AwaitCertificate),
    AwaitVerdict(AwaitVerdict),
    AwaitCertificateVerify(AwaitCertificateVerify),
    AwaitFinished(AwaitFinished),
}

/// Checks whether a ClientHello would be accepted, by either version: an unacceptable one replaces no attempt.
pub(crate) fn would_answer(message: &Message<'_>, config: &Config) -> Result<(), Discard> {
    let hello = ClientHello::decode(message.body).map_err(|_| Discard::Malformed)?;
    preview(&hello, config).map(|_| ()).map_err(|_| Discard::FreshClientHello)
}

/// The result of a negotiation preview.
#[derive(Clone, Copy)]
pub(crate) enum Preview {
    Dtls12,
    Dtls13 {
        suite: &'static Suite13,
        group: NamedGroup,
        /// Whether the ClientHello has no share of the selected group.
        lacks_share: bool,
    },
}

/// Returns the selection of a server with this configuration, without any effect.
pub(crate) fn preview(hello: &ClientHello<'_>, config: &Config) -> Result<Preview, Failure> {
    if negotiate::offers_dtls13(hello)? && config.allows_dtls13() {
        let negotiate::Choice { suite, share, .. } = negotiate::choose(hello, config)?;
        let (group, lacks_share) = match share {
            Share::Given(group, _) => (group, false),
            Share::Missing(group) => (group, true),
        };
        return Ok(Preview::Dtls13 { suite, group, lacks_share });
    }
    if !config.allows_dtls12() {
        return Err(Incompatible::Version.into());
    }
    dtls12::server::would_answer(hello, config)?;
    Ok(Preview::Dtls12)
}

/// The state after a message.
pub(crate) enum Next {
    Dtls13(State),
    /// The client only offers DTLS 1.2.
    Dtls12(dtls12::server::State),
}

impl From<State> for Next {
    fn from(state: State) -> Self {
        Self::Dtls13(state)
    }
}

impl State {
    /// Handles the next message of the client.
    pub(crate) fn handle(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<Next> {
        match (self, message.kind, message.protected) {
            (Self::AwaitClientHello(state), HandshakeType::CLIENT_HELLO, false) => {
                state.on_client_hello(message, cx)
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

    /// Returns whether another ClientHello may replace this attempt, because the client is not authenticated yet. An
    /// attempt that waits for the application stays, so that the answer cannot apply to another client.
    pub(crate) const fn is_replaceable(&self) -> bool {
        match self {
            Self::AwaitClientHello(state) => state.has_retried(),
            Self::AwaitCertificate(_) | Self::AwaitCertificateVerify(_) => true,
            Self::AwaitVerdict(_) | Self::AwaitFinished(_) => false,
        }
    }

    /// Returns whether a record of epoch 2 of the client has arrived.
    pub(crate) const fn has_received_protected(&self) -> bool {
        !matches!(self, Self::AwaitClientHello(_) | Self::AwaitCertificate(_))
    }

    /// Returns whether DTLS 1.3 is selected.
    pub(crate) const fn has_settled(&self) -> bool {
        match self {
            Self::AwaitClientHello(state) => state.has_retried(),
            _ => true,
        }
    }

    /// Returns whether the keys of epoch 2 are installed.
    pub(crate) const fn is_protected(&self) -> bool {
        !matches!(self, Self::AwaitClientHello(_))
    }
}
