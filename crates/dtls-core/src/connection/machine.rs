//! The state machine of a handshake: one per role and version, and the change of the version.
//!
//! Forwards messages to the states in `dtls12` and `dtls13`. Does not know records or flights.

use crate::discard::Discard;
use crate::dtls12::{client, server};
use crate::dtls13;
use crate::handshake::Message;
use crate::handshake::step::{Answer, Answered, Context, Step};
use crate::record::epoch::{Epoch, FIRST_APPLICATION_EPOCH};

/// The state machine of the role.
pub(super) enum Machine {
    Client(client::State),
    Server(server::State),
    /// DTLS 1.3, or both versions before the ServerHello.
    Client13(dtls13::client::State),
    /// DTLS 1.3, or both versions before the ClientHello.
    Server13(dtls13::server::State),
    /// While a message is handled, and after one that ended the handshake: an alert is still sent in this epoch.
    Moved(Epoch),
}

impl Machine {
    pub(super) fn handle(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<Self> {
        match self {
            Self::Client(state) => state.handle(message, cx).map(Self::Client),
            Self::Server(state) => state.handle(message, cx).map(Self::Server),
            Self::Client13(state) => state.handle(message, cx).map(|next| match next {
                dtls13::client::Next::Dtls13(state) => Self::Client13(state),
                dtls13::client::Next::Dtls12(state) => Self::Client(state),
            }),
            Self::Server13(state) => state.handle(message, cx).map(|next| match next {
                dtls13::server::Next::Dtls13(state) => Self::Server13(state),
                dtls13::server::Next::Dtls12(state) => Self::Server(state),
            }),
            Self::Moved(epoch) => Step::Stay(Self::Moved(epoch), Discard::UnexpectedMessage),
        }
    }

    pub(super) fn on_answer(self, answer: Answer, cx: &mut Context<'_>) -> Answered<Self> {
        match self {
            Self::Client(state) => state.on_answer(answer, cx).map(Self::Client),
            Self::Server(state) => state.on_answer(answer, cx).map(Self::Server),
            Self::Client13(state) => state.on_answer(answer).map(Self::Client13),
            Self::Server13(state) => state.on_answer(answer).map(Self::Server13),
            Self::Moved(epoch) => Answered::NotAsked(Self::Moved(epoch)),
        }
    }

    /// Returns whether messages wait for the application's answer.
    pub(super) const fn awaits_answer(&self) -> bool {
        match self {
            Self::Client(state) => state.awaits_answer(),
            Self::Server(state) => state.awaits_answer(),
            Self::Client13(state) => state.awaits_answer(),
            Self::Server13(state) => state.awaits_answer(),
            Self::Moved(_) => false,
        }
    }

    /// Returns whether another ClientHello may replace this attempt.
    pub(super) const fn is_replaceable(&self) -> bool {
        match self {
            Self::Server(state) => state.is_replaceable(),
            Self::Server13(state) => state.is_replaceable(),
            Self::Client(_) | Self::Client13(_) | Self::Moved(_) => false,
        }
    }

    /// Returns the epoch of the next record.
    pub(super) const fn epoch(&self) -> Epoch {
        match self {
            Self::Client(state) if state.has_finished() => Epoch::Protected,
            Self::Moved(epoch) => *epoch,
            Self::Client13(_) if self.is_dtls13_protected() => Epoch::Handshake,
            // Its Finished was sent with the flight.
            Self::Server13(_) if self.is_dtls13_protected() => Epoch::Application(FIRST_APPLICATION_EPOCH),
            _ => Epoch::Plaintext,
        }
    }

    /// Returns whether DTLS 1.3 is selected and its handshake keys are installed.
    pub(super) const fn is_dtls13_protected(&self) -> bool {
        match self {
            Self::Client13(state) => state.is_protected(),
            Self::Server13(state) => state.is_protected(),
            Self::Client(_) | Self::Server(_) | Self::Moved(_) => false,
        }
    }

    /// Returns whether both sides know that the version is DTLS 1.3.
    pub(super) const fn has_settled_dtls13(&self) -> bool {
        match self {
            Self::Client13(state) => state.has_settled(),
            Self::Server13(state) => state.has_settled(),
            Self::Client(_) | Self::Server(_) | Self::Moved(_) => false,
        }
    }

    /// Takes the state out of the enum.
    pub(super) const fn take(&mut self) -> Self {
        let epoch = self.epoch();
        std::mem::replace(self, Self::Moved(epoch))
    }

    /// Returns whether the peer may still report a failure in plaintext: until it has shown that it has keys.
    pub(super) const fn accepts_plaintext_alert(&self) -> bool {
        match self {
            Self::Client13(state) => !state.is_protected(),
            Self::Server13(state) => !state.has_received_protected(),
            Self::Client(_) | Self::Server(_) | Self::Moved(_) => !self.awaits_answer(),
        }
    }

    /// Returns whether records of the peer's flight are tracked for an ACK after the keys are installed. A client
    /// starts with the ServerHello, whose fragments arrive before the keys.
    pub(super) const fn tracks_records(&self) -> bool {
        matches!(self, Self::Client13(_)) || self.is_dtls13_protected()
    }
}
