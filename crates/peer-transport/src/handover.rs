//! When sending moves to the keys of a new generation, and what silence means meanwhile.
//!
//! The side that knows that the other has everything moves at once. The side whose last flight may be lost
//! goes on under the old keys until something authenticates under the new ones, or until nothing of the old
//! ones is heard any more. Then the old keys read for a moment, and are erased.

use std::time::{Duration, Instant};

use dtls_core::{Connection, Negotiated};

use crate::association::Established;
use crate::error::Failure;
use crate::event::{Event, RestartOutcome, Side};
use crate::expiry::Expiry;
use crate::generation::{Before, Current, Draining, Judgement, Restart, Stage};
use crate::reception::Slot;
use crate::timer::Timer;
use crate::transport::PeerTransport;
use crate::verdict::{self, Attempted};

/// The old keys are erased this long after the move even if the new ones are never heard: a peer that is
/// silent for so long has nothing on its way.
const LONGEST_DRAIN: Duration = Duration::from_secs(30);

impl Stage {
    /// Whether the restart's outcome was told.
    pub(crate) fn is_settled(&self) -> bool {
        match self {
            Self::Offered | Self::Retained { .. } => false,
            Self::Handshaking(attempt) => attempt.judgement == Judgement::Retained,
            Self::Moving(_) => true,
        }
    }

    /// Whether the association before is that of the new generation, too: by signalling, or judged so.
    pub(crate) fn retains(&self) -> bool {
        match self {
            Self::Offered | Self::Moving(_) => false,
            Self::Retained { .. } => true,
            Self::Handshaking(attempt) => attempt.judgement == Judgement::Retained,
        }
    }
}

impl PeerTransport {
    /// A handshake is complete.
    pub(crate) fn connected(&mut self, now: Instant, slot: Slot, negotiated: Negotiated) {
        match slot {
            Slot::Current => self.first_connected(now, negotiated),
            Slot::Next => self.next_connected(now, negotiated),
            Slot::Draining => {}
        }
    }

    fn first_connected(&mut self, now: Instant, negotiated: Negotiated) {
        match std::mem::replace(&mut self.current, Current::Absent) {
            Current::Handshaking(handshaking) => {
                match handshaking.establish(now, negotiated, &self.config.srtp) {
                    Ok(association) => {
                        self.current = Current::Established(Box::new(association));
                        self.announce_keys();
                    }
                    Err(failure) => self.fail(now, failure),
                }
            }
            other => self.current = other,
        }
    }

    fn next_connected(&mut self, now: Instant, negotiated: Negotiated) {
        let Some(Restart { generation, before, stage }) = self.restart.take() else { return };
        let Stage::Handshaking(attempt) = stage else {
            self.restart = Some(Restart { generation, before, stage });
            return;
        };
        let told = attempt.judgement == Judgement::Retained;
        let association = match attempt.handshaking.establish(now, negotiated, &self.config.srtp) {
            Ok(association) => association,
            Err(failure) => return self.settle_failed_attempt(now, generation, before, told, failure),
        };
        let number = association.identity.number;
        let waits = association.peer_may_miss_our_last_flight() && self.current.established().is_some();
        self.restart = Some(Restart { generation, before, stage: Stage::Moving(Box::new(association)) });
        if !told {
            self.events.push(Event::RestartCompleted {
                generation,
                outcome: RestartOutcome::FreshHandshake { association: number },
            });
        }
        if !waits {
            self.move_sending(now);
        }
    }

    /// Something that only a connected peer can send authenticated under an association.
    pub(crate) fn heard_under(&mut self, now: Instant, slot: Slot) {
        match slot {
            Slot::Next => {
                self.move_sending(now);
                self.shorten_drain(now);
            }
            Slot::Current if self.is_set_aside() => {}
            Slot::Current => self.shorten_drain(now),
            Slot::Draining if self.is_set_aside() => self.take_back(now),
            Slot::Draining => {}
        }
    }

    /// Another restart begins while a complete association waits for the proof that the peer has it. The peer
    /// may never get it, so the one before goes on sending, and this one only reads.
    pub(crate) fn set_aside(&mut self, now: Instant) {
        match self.restart.take() {
            Some(Restart { stage: Stage::Moving(next), .. }) if self.current.established().is_some() => {
                self.draining = Some(Draining { association: *next, until: now + LONGEST_DRAIN });
            }
            other => {
                self.restart = other;
                self.move_sending(now);
            }
        }
    }

    /// Whether what drains is younger than what sends.
    fn is_set_aside(&self) -> bool {
        let number = |association: &Established| association.identity.number;
        let draining = self.draining.as_ref().map(|draining| number(&draining.association));
        // Without one that sends, what drains is older: it only reads, whatever arrives.
        let current = self.current.established().map(number);
        current.is_some() && draining > current
    }

    /// The peer has the association that was set aside, and sends under it: so do we.
    fn take_back(&mut self, now: Instant) {
        let Some(Draining { association, .. }) = self.draining.take() else { return };
        let before = std::mem::replace(&mut self.current, Current::Established(Box::new(association)));
        if let Current::Established(before) = before {
            self.draining = Some(Draining { association: *before, until: now + self.config.drain });
        }
        self.announce_keys();
    }

    /// From here on everything is sent under the new keys.
    pub(crate) fn move_sending(&mut self, now: Instant) {
        match self.restart.take() {
            Some(Restart { stage: Stage::Moving(next), .. }) => {
                let before = std::mem::replace(&mut self.current, Current::Established(next));
                match before {
                    Current::Established(association) => {
                        self.stale.note(association.connection.remote_random());
                        self.draining =
                            Some(Draining { association: *association, until: now + LONGEST_DRAIN });
                    }
                    Current::Handshaking(handshaking) => {
                        self.stale.note(handshaking.connection.remote_random());
                    }
                    Current::Absent => {}
                }
                self.announce_keys();
            }
            other => self.restart = other,
        }
    }

    fn shorten_drain(&mut self, now: Instant) {
        let drain = self.config.drain;
        if let Some(draining) = &mut self.draining {
            draining.until = draining.until.min(now + drain);
        }
    }

    fn announce_keys(&mut self) {
        if let Some(association) = self.current.established() {
            self.events.push(Event::KeysChanged {
                association: association.identity.number,
                generation: association.identity.generation,
                profile: association.profile(),
            });
        }
    }

    /// The deadlines of the transport itself, by name.
    pub(crate) fn deadlines(&self) -> impl Iterator<Item = (Timer, Instant)> {
        let stage = self.restart.as_ref().map(|restart| &restart.stage);
        let restart = match stage {
            Some(Stage::Retained { deadline, .. }) => Some(*deadline),
            Some(Stage::Handshaking(attempt)) => Some(attempt.deadline),
            Some(Stage::Offered | Stage::Moving(_)) | None => None,
        };
        let silence = self
            .open_attempt()
            // Once the silence has lasted, each transmission is a moment to judge, and has its own timer.
            .filter(|(_, judgement)| *judgement == Judgement::Open)
            .map(|(attempted, _)| attempted.silent_until(&self.config.retained_verdict));
        let quiet = match (stage, self.current.established()) {
            (Some(Stage::Moving(next)), Some(before)) => {
                let heard = before.last_heard().max(next.last_heard());
                Some(heard + verdict::quiet_time(self.round_trip_time()))
            }
            _ => None,
        };
        let drain = self.draining.as_ref().map(|draining| draining.until);
        [
            (Timer::RestartDeadline, restart),
            (Timer::RetainedVerdict, silence),
            (Timer::QuietMove, quiet),
            (Timer::DrainEnd, drain),
            (Timer::CertificateExpiry, self.untold_expiry().map(|expiry| expiry.due)),
        ]
        .into_iter()
        .filter_map(|(timer, at)| Some((timer, at?)))
    }

    /// Does what is due; each timer that fires is gone afterwards.
    pub(crate) fn meet_deadlines(&mut self, now: Instant) {
        let is_due = |this: &Self, timer: Timer| this.deadlines().any(|(due, at)| due == timer && at <= now);
        if is_due(self, Timer::DrainEnd) {
            self.draining = None;
        }
        if is_due(self, Timer::CertificateExpiry)
            && let Some(Expiry { not_after, .. }) = self.untold_expiry()
        {
            self.expiry_told = Some(not_after);
            self.events.push(Event::CertificateExpiring { not_after });
        }
        if is_due(self, Timer::QuietMove) {
            self.move_sending(now);
        }
        let judged_at = is_due(self, Timer::RetainedVerdict);
        match self.open_attempt() {
            Some((attempted, _)) if attempted.is_retained(now, &self.config.retained_verdict) => {
                self.judge_retained(now);
            }
            Some(_) if judged_at => self.note_long_silence(),
            Some(_) | None => {}
        }
        if is_due(self, Timer::RestartDeadline) {
            self.restart_deadline_passed(now);
        }
    }

    /// The attempt that silence may decide.
    fn open_attempt(&self) -> Option<(Attempted, Judgement)> {
        let restart = self.restart.as_ref()?;
        let Stage::Handshaking(attempt) = &restart.stage else { return None };
        let handshaking = &attempt.handshaking;
        let is_open = match attempt.judgement {
            Judgement::Open | Judgement::OpenInSilence => !handshaking.heard(),
            Judgement::Fresh | Judgement::Retained => false,
        };
        if !is_open || self.current.established().is_none() {
            return None;
        }
        // A peer that has not heard our answers to its checks cannot have begun: that is not silence.
        let begun = handshaking.begun()?;
        let attempted = Attempted {
            since: self.ice.asked_again(restart.generation).map_or(begun, |asked| begun.max(asked)),
            role: handshaking.identity.role,
            transmissions: handshaking.transmissions(),
        };
        Some((attempted, attempt.judgement))
    }

    const fn note_long_silence(&mut self) {
        if let Some(Restart { stage: Stage::Handshaking(attempt), .. }) = &mut self.restart {
            attempt.judgement = Judgement::OpenInSilence;
        }
    }

    /// The peer has kept the association: so do we. The attempt stays receptive until its deadline.
    fn judge_retained(&mut self, now: Instant) {
        let Some(restart) = &mut self.restart else { return };
        let generation = restart.generation;
        if let Stage::Handshaking(attempt) = &mut restart.stage {
            attempt.judgement = Judgement::Retained;
            let ends = attempt.handshaking.identity.ends.clone();
            self.report_retained(now, generation, ends);
        }
    }

    fn restart_deadline_passed(&mut self, now: Instant) {
        let failure = Failure::HandshakeTimeout { within: self.config.handshake.deadline };
        let Some(restart) = &self.restart else { return };
        if restart.stage.is_settled() {
            self.drop_restart();
        } else if self.previous_works(now) {
            self.fail_restart(now, failure);
        } else {
            self.fail(now, failure);
        }
    }

    /// The handshake of a restart failed.
    pub(crate) fn attempt_failed(&mut self, now: Instant, failure: Failure) {
        let round_trip_time = self.round_trip_time();
        let Some(Restart { generation, before, stage }) = self.restart.take() else { return };
        let mut attempt = match stage {
            Stage::Handshaking(attempt) => attempt,
            // It was complete for us alone: a peer that refuses our last flight goes on under the one before.
            Stage::Moving(next) if self.previous_works(now) => {
                self.stale.note(next.connection.remote_random());
                self.signalling.local = before.signalling.local;
                let association = next.identity.number;
                let by = if ended_by_alert(&failure) { Side::Peer } else { Side::Local };
                return self.events.push(Event::AssociationClosed { association, by });
            }
            Stage::Moving(_) | Stage::Offered | Stage::Retained { .. } => return self.fail(now, failure),
        };
        if is_content(&failure)
            && !attempt.handshaking.connection.is_connected()
            && attempt.handshaking.retry(now, round_trip_time)
        {
            self.restart = Some(Restart { generation, before, stage: Stage::Handshaking(attempt) });
            return;
        }
        let told = attempt.judgement == Judgement::Retained;
        self.settle_failed_attempt(now, generation, before, told, failure);
    }

    fn settle_failed_attempt(
        &mut self,
        now: Instant,
        generation: ice_agent::Generation,
        before: Before,
        told: bool,
        failure: Failure,
    ) {
        if told {
            return;
        }
        if self.previous_works(now) {
            self.signalling.local = before.signalling.local;
            self.events.push(Event::RestartFailed { generation, failure });
        } else {
            self.fail(now, failure);
        }
    }

    /// Whether the association before carries media at this moment.
    pub(crate) fn previous_works(&self, now: Instant) -> bool {
        self.current.established().is_some() && self.ice.permission(now).is_some()
    }

    /// The restart came to nothing; the generation before is as it was.
    pub(crate) fn fail_restart(&mut self, now: Instant, failure: Failure) {
        let Some(restart) = self.restart.take() else { return };
        let (generation, told) = (restart.generation, restart.stage.is_settled());
        // Refused where the new pair is in use already, under the old keys, and where ICE gave it up itself.
        let _refused = self.ice.abandon_restart(now);
        if self.ice.generation() == generation {
            self.signalling.local = restart.before.signalling.local;
        } else {
            self.signalling = restart.before.signalling;
        }
        // The generation before may have ended while this one was still on its way.
        if self.ice.permission(now).is_none() && self.ice.state() == ice_agent::State::Failed {
            return self.fail(now, failure);
        }
        if !told {
            self.events.push(Event::RestartFailed { generation, failure });
        }
    }

    /// Forgets a restart without a word to the application.
    pub(crate) fn drop_restart(&mut self) {
        self.stale.note(self.connection(Slot::Next).and_then(Connection::remote_random));
        self.restart = None;
    }
}

/// Whether the peer was the one that gave up, and said so.
const fn ended_by_alert(failure: &Failure) -> bool {
    matches!(failure, Failure::Dtls { failure: dtls_core::Failure::AlertReceived(_), .. })
}

/// A failure that a packet of an earlier generation could have caused.
const fn is_content(failure: &Failure) -> bool {
    match failure {
        Failure::Dtls { failure, .. } => match failure {
            dtls_core::Failure::Peer(_)
            | dtls_core::Failure::NoOverlap(_)
            | dtls_core::Failure::AlertReceived(_)
            // In DTLS 1.2 a late Certificate of the association before comes in plaintext.
            | dtls_core::Failure::Refused(dtls_core::Refusal::FingerprintMismatch) => true,
            dtls_core::Failure::Refused(_)
            | dtls_core::Failure::Timeout(_)
            | dtls_core::Failure::Crypto(_) => false,
        },
        Failure::Ice(_) | Failure::HandshakeTimeout { .. } | Failure::Keys { .. } => false,
    }
}
