//! The input and the result of a handshake state.
//!
//! The states of both versions and both roles use these types, and the connection applies them. Does not know messages
//! or states.

use crate::config::Config;
use crate::connected::Connected;
use crate::crypto::backend::rand::SystemRandom;
use crate::discard::Discard;
use crate::event::CertificateVerdict;
use crate::events::Events;
use crate::failure::Failure;
use crate::handshake::Outgoing;
use crate::message::Random;
use crate::psk::Psk;
use crate::record::layer::RecordLayer;

/// The parts of the connection that a state may change while it handles a message.
pub(crate) struct Context<'a> {
    pub(crate) config: &'a Config,
    pub(crate) random: &'a SystemRandom,
    /// A server of both versions changes the end of its random if it selects DTLS 1.2.
    pub(crate) local_random: &'a mut Random,
    pub(crate) remote_random: &'a mut Option<Random>,
    pub(crate) outgoing: &'a mut Outgoing,
    pub(crate) records: &'a mut RecordLayer,
    pub(crate) events: &'a mut Events,
}

/// The result of a message.
pub(crate) enum Step<S> {
    /// The expected message: the handshake advances.
    Advance(S),
    /// Unexpected message; the state is unchanged.
    Stay(S, Discard),
    /// The last message of the handshake.
    Connect(Connected),
    /// The message ends the connection.
    Fail(Failure),
}

impl<S> Step<S> {
    pub(crate) fn map<T>(self, into: impl FnOnce(S) -> T) -> Step<T> {
        match self {
            Self::Advance(state) => Step::Advance(into(state)),
            Self::Stay(state, reason) => Step::Stay(into(state), reason),
            Self::Connect(connected) => Step::Connect(connected),
            Self::Fail(failure) => Step::Fail(failure),
        }
    }

    /// Returns the result of a decoded message.
    pub(crate) fn from_result(result: Result<impl Into<S>, Failure>) -> Self {
        match result {
            Ok(next) => Self::Advance(next.into()),
            Err(failure) => Self::Fail(failure),
        }
    }
}

/// The application's answer to a request of the handshake.
pub(crate) enum Answer {
    Verdict(CertificateVerdict),
    /// `None` if there is no key.
    Psk(Option<Psk>),
}

/// The result of the application's answer.
pub(crate) enum Answered<S> {
    /// The handshake advances.
    Advance(S),
    /// The answer ends the connection.
    Fail(Failure),
    /// There was no request.
    NotAsked(S),
}

impl<S> Answered<S> {
    pub(crate) fn map<T>(self, into: impl FnOnce(S) -> T) -> Answered<T> {
        match self {
            Self::Advance(state) => Answered::Advance(into(state)),
            Self::Fail(failure) => Answered::Fail(failure),
            Self::NotAsked(state) => Answered::NotAsked(into(state)),
        }
    }

    pub(crate) fn from_result(result: Result<S, Failure>) -> Self {
        match result {
            Ok(next) => Self::Advance(next),
            Err(failure) => Self::Fail(failure),
        }
    }
}
