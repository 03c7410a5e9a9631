//! What a handshake state is given with a message, and what it answers.
//!
//! The states of both versions and both roles speak in these terms; the connection acts on them. Knows no
//! message and no state.

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
use crate::record::protect::RecordLayer;

/// What a state may touch while it handles a message.
pub(crate) struct Context<'a> {
    pub(crate) config: &'a Config,
    pub(crate) random: &'a SystemRandom,
    /// A server of both versions changes its end where it settles for DTLS 1.2.
    pub(crate) local_random: &'a mut Random,
    pub(crate) remote_random: &'a mut Option<Random>,
    pub(crate) outgoing: &'a mut Outgoing,
    pub(crate) records: &'a mut RecordLayer,
    pub(crate) events: &'a mut Events,
}

/// What a message did.
pub(crate) enum Step<S> {
    /// It was the next one.
    Advance(S),
    /// It was none, and nothing has changed.
    Stay(S, Discard),
    /// It was the last one.
    Connect(Connected),
    /// It ends the connection.
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

    /// What a message led to, where it could be decoded.
    pub(crate) fn from_result(result: Result<impl Into<S>, Failure>) -> Self {
        match result {
            Ok(next) => Self::Advance(next.into()),
            Err(failure) => Self::Fail(failure),
        }
    }
}

/// What the application answers to a question of the handshake.
pub(crate) enum Answer {
    Verdict(CertificateVerdict),
    /// `None` where there is none.
    Psk(Option<Psk>),
}

/// What the application's answer did.
pub(crate) enum Answered<S> {
    /// The handshake goes on.
    Advance(S),
    /// It ends the connection.
    Fail(Failure),
    /// Nothing was asked.
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
