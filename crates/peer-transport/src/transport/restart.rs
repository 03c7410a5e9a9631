//! Remote parameters and restarts: which generation they open, and with which DTLS role and certificates.
//!
//! Everything that can fail is built first, so a refused command changes nothing. Knows what was signalled.
//! Does not know packets: `switchover` reacts to them.

use std::sync::Arc;
use std::time::Instant;

use dtls_core::{Authentication, DtlsRole, PeerPolicy, UseSrtp};
use ice_agent::{Applied, Generation, IceRole};

use super::PeerTransport;
use super::association::{Handshaking, Identity};
use super::dtls_role;
use super::expiry::Expiry;
use super::generation::{
    Attempt, Current, Decision, Fallback, LocalDtls, Restart, RestartState, RollbackState, Signalling,
};
use super::phase::Phase;
use super::verdict::{self, SignalledParameters, SignalledSide, SignallingDecision};
use crate::association_id::AssociationId;
use crate::config::{DtlsRestart, RestartCertificates, RestartOptions, Role};
use crate::error::Error;
use crate::parameters::{DescriptionKind, Parameters};

impl PeerTransport {
    /// Sets the peer's signalled parameters.
    ///
    /// The first call starts ICE. Equal parameters change nothing. Parameters with a new ufrag and password are
    /// an ICE restart: the peer's own restart, or its answer to the local one. A fresh DTLS handshake then
    /// starts under them while the previous association continues to carry media, and
    /// [`local_parameters`](Self::local_parameters) returns the parameters for the answer.
    ///
    /// # Errors
    /// [`Error::Glare`] for an offer while the local restart offer is outstanding, [`Error::ParametersChanged`]
    /// if only DTLS parameters changed, [`Error::RoleConflict`], [`Error::NoFingerprint`], [`Error::Closed`] if
    /// the transport is closed and the parameters are no restart, and [`Error::Ice`], for example if only one
    /// of ufrag and password changed.
    pub fn set_remote_parameters(
        &mut self,
        now: Instant,
        kind: DescriptionKind,
        parameters: Parameters,
    ) -> Result<Applied, Error> {
        let now = self.advance(now);
        let applied = match self.relation(&parameters)? {
            Relation::Unchanged => Ok(Applied::Unchanged),
            Relation::First => self.set_first(now, kind, parameters),
            Relation::AnswerToRestart if kind == DescriptionKind::Offer => Err(Error::Glare),
            Relation::AnswerToRestart => {
                let local = self.signalling.local.clone();
                self.open_generation(now, kind, parameters, local)
            }
            Relation::PeerRestart => {
                let local = self.next_local_dtls(self.restart_options.clone())?;
                let applied = self.open_generation(now, kind, parameters, local)?;
                // A peer that has not received the answer cannot have started this generation's handshake.
                self.clear_early_hello();
                Ok(applied)
            }
        };
        self.route(now);
        applied
    }

    /// Compares new parameters with the known ones.
    fn relation(&self, parameters: &Parameters) -> Result<Relation, Error> {
        if let Some(Restart { state: RestartState::Offered, .. }) = &self.restart {
            return Ok(Relation::AnswerToRestart);
        }
        let Some(known) = &self.signalling.remote else { return Ok(Relation::First) };
        if known.ice.ufrag != parameters.ice.ufrag || known.ice.password != parameters.ice.password {
            return Ok(Relation::PeerRestart);
        }
        let same_dtls = known.fingerprints == parameters.fingerprints
            && known.tls_id == parameters.tls_id
            // An offer says actpass even after an answer has fixed the role.
            && (known.setup == parameters.setup
                || parameters.setup == crate::parameters::Setup::ActPass
                || known.setup == crate::parameters::Setup::ActPass);
        match (self.phase, same_dtls) {
            (Phase::Closed, _) => Err(Error::Closed),
            (_, true) => Ok(Relation::Unchanged),
            (_, false) => Err(Error::ParametersChanged),
        }
    }

    fn set_first(
        &mut self,
        now: Instant,
        kind: DescriptionKind,
        parameters: Parameters,
    ) -> Result<Applied, Error> {
        if self.phase == Phase::Closed {
            return Err(Error::Closed);
        }
        let ice_role = self.config.ice_role.unwrap_or_else(|| self.ice_role(kind, &parameters));
        let requested_role = self.signalling.local.requested_role;
        let role = dtls_role::derive(kind, requested_role, parameters.setup, None, ice_role)?;
        let local = local_for_answer(self.signalling.local.clone(), kind, role, &parameters);
        let signalled = signalled(&local, &parameters, role);
        let identity =
            Identity { number: AssociationId::FIRST, generation: self.ice.generation(), role, signalled };
        let handshaking = Handshaking::new(now, identity, self.dtls_config(&local, &parameters)?)?;
        let previous_role = self.ice.role();
        self.ice.set_role(now, ice_role);
        let applied = self
            .ice
            .set_remote_parameters(now, parameters.ice.clone())
            .inspect_err(|_| self.ice.set_role(now, previous_role))?;
        let _first = self.number_association();
        self.signalling = Signalling { local, remote: Some(parameters) };
        self.current = Current::Handshaking(Box::new(handshaking));
        Ok(applied)
    }

    /// The ICE role by RFC 8445 section 6.1.1.
    fn ice_role(&self, kind: DescriptionKind, parameters: &Parameters) -> IceRole {
        match (self.config.ice.lite, parameters.ice.lite, kind) {
            (false, true, _) | (_, _, DescriptionKind::Answer) if !self.config.ice.lite => {
                IceRole::Controlling
            }
            (true, false, _) | (_, _, DescriptionKind::Offer) => IceRole::Controlled,
            _ => IceRole::Controlling,
        }
    }

    /// Opens the next generation with the peer's new parameters.
    fn open_generation(
        &mut self,
        now: Instant,
        kind: DescriptionKind,
        parameters: Parameters,
        local: LocalDtls,
    ) -> Result<Applied, Error> {
        let previous = self.current.established().map(|association| &association.identity);
        let previous_role = previous.map(|identity| identity.role);
        let role =
            dtls_role::derive(kind, local.requested_role, parameters.setup, previous_role, self.ice.role())?;
        let local = local_for_answer(local, kind, role, &parameters);
        let signalled = signalled(&local, &parameters, role);
        let decision = previous.map_or(SignallingDecision::Fresh, |identity| {
            verdict::decide_by_signalling(&identity.signalled, &signalled, self.restart_policy())
        });
        let identity = Identity {
            number: self.upcoming_association(),
            generation: self.generation(),
            role,
            signalled: signalled.clone(),
        };
        // Built even if the association is retained, to verify that the parameters are usable.
        let mut handshaking = Handshaking::new(now, identity, self.dtls_config(&local, &parameters)?)?;
        let applied = self.ice.set_remote_parameters(now, parameters.ice.clone())?;
        let generation = match applied {
            Applied::IceRestart(generation) => generation,
            Applied::First | Applied::Unchanged => return Ok(applied),
        };
        handshaking.identity.generation = generation;
        let deadline = now + self.config.handshake.deadline;
        let decision = match decision {
            SignallingDecision::Fresh => Some(Decision::Fresh),
            SignallingDecision::Open => Some(Decision::Open),
            SignallingDecision::Retained => None,
        };
        let state = match decision {
            None => RestartState::Retained { signalled: Box::new(signalled), deadline },
            Some(decision) => {
                let _number = self.number_association();
                RestartState::Handshaking(Box::new(Attempt { handshaking, decision, deadline }))
            }
        };
        let rollback = self.prepare_rollback(now);
        self.phase = Phase::Open;
        self.signalling = Signalling { local, remote: Some(parameters) };
        if matches!(self.current, Current::Handshaking(_)) {
            self.current = Current::Absent;
        }
        self.restart = Some(Restart { generation, rollback, state });
        Ok(applied)
    }

    /// Restarts ICE and DTLS: creates new credentials, a new tls-id and, if `options` ask for it, new
    /// certificates.
    ///
    /// Send [`local_parameters`](Self::local_parameters) as an offer and set the peer's answer. The previous
    /// generation carries media until the new one is connected. A restart works in every state except
    /// [`State::New`](crate::State::New). It reopens a closed or failed transport, and replaces a restart that
    /// is in progress.
    ///
    /// # Errors
    /// [`Error::NotStarted`] before the first remote parameters; [`Error::NoCertificate`] for a rotation to an
    /// empty list.
    pub fn restart(&mut self, now: Instant, options: RestartOptions) -> Result<Generation, Error> {
        let now = self.advance(now);
        if self.signalling.remote.is_none() {
            return Err(Error::NotStarted);
        }
        let policy = options.dtls;
        let local = self.next_local_dtls(options)?;
        let generation = self.ice.restart(now)?;
        let rollback = self.prepare_rollback(now);
        self.phase = Phase::Open;
        self.signalling.local = local;
        self.policy = policy;
        self.clear_early_hello();
        self.restart = Some(Restart { generation, rollback, state: RestartState::Offered });
        self.route(now);
        Ok(generation)
    }

    /// Rolls a restart back to the previous generation, because signalling rolled back the offer. If the
    /// previous generation was closed or failed, before or during the restart, the transport is closed or
    /// failed again.
    ///
    /// # Errors
    /// [`Error::NoRestart`] if no restart is in progress, or if it has completed.
    pub fn rollback_restart(&mut self, now: Instant) -> Result<(), Error> {
        let now = self.advance(now);
        if self.restart.as_ref().is_none_or(|restart| restart.state.has_outcome()) {
            return Err(Error::NoRestart);
        }
        self.ice.rollback_restart(now)?;
        self.clear_early_hello();
        if let Some(Restart { rollback: RollbackState { signalling, fallback }, .. }) = self.restart.take() {
            self.signalling = signalling;
            match fallback {
                Fallback::PreviousGeneration if !matches!(self.current, Current::Absent) => {}
                // The restart discarded the initial handshake, so there is nothing to return to.
                Fallback::PreviousGeneration | Fallback::Closed => self.end(now, Phase::Closed),
                Fallback::Failed(failure) => self.fail(now, failure),
            }
        }
        self.route(now);
        Ok(())
    }

    /// Sets the options for answering the peer's next restart.
    pub fn set_restart_options(&mut self, options: RestartOptions) {
        self.restart_options = options;
    }

    /// Drops a restart that is in progress, and returns the state that a rollback of the next one restores.
    fn prepare_rollback(&mut self, now: Instant) -> RollbackState {
        // A completed restart becomes the rollback state; an incomplete one is skipped.
        let previous = match &self.restart {
            Some(restart) if !restart.state.has_outcome() => restart.rollback.clone(),
            Some(_) | None => RollbackState {
                signalling: self.signalling.clone(),
                fallback: match self.phase {
                    Phase::Open => Fallback::PreviousGeneration,
                    Phase::Closed => Fallback::Closed,
                    Phase::Failed(failure) => Fallback::Failed(failure),
                },
            },
        };
        self.drain_unconfirmed(now);
        self.drop_restart();
        previous
    }

    /// The local DTLS parameters for a generation that starts with a local offer.
    fn next_local_dtls(&mut self, options: RestartOptions) -> Result<LocalDtls, Error> {
        let previous = &self.signalling.local;
        let requested_role = match options.role {
            Role::Auto => self.config.dtls_role,
            requested_role => requested_role,
        };
        let (certificates, rotated) = match options.certificates {
            RestartCertificates::Keep => (previous.certificates.clone(), false),
            RestartCertificates::Rotate(certificates) if certificates.is_empty() => {
                return Err(Error::NoCertificate);
            }
            RestartCertificates::Rotate(certificates) => (certificates, true),
        };
        let unchanged = !rotated && requested_role == previous.requested_role;
        let tls_id = match &previous.tls_id {
            Some(kept) if options.dtls == DtlsRestart::OnChange && unchanged => Some(kept.clone()),
            _ => Some(self.tls_ids.generate()),
        };
        let expiry = Expiry::of(&certificates, self.config.expiry_notice, self.config.wall_clock);
        Ok(LocalDtls {
            certificates,
            expiry,
            requested_role,
            setup: dtls_role::offered(requested_role),
            tls_id,
        })
    }

    fn restart_policy(&self) -> DtlsRestart {
        match &self.restart {
            Some(Restart { state: RestartState::Offered, .. }) => self.policy,
            _ => self.restart_options.dtls,
        }
    }

    fn dtls_config(&self, local: &LocalDtls, remote: &Parameters) -> Result<Arc<dtls_core::Config>, Error> {
        if remote.fingerprints.is_empty() {
            return Err(Error::NoFingerprint);
        }
        let profiles: Vec<u16> = self.config.srtp_profiles.iter().map(|profile| profile.id()).collect();
        Ok(Arc::new(dtls_core::Config {
            authentication: Authentication::Certificates {
                own: local.certificates.clone(),
                peer: PeerPolicy::Fingerprints(remote.fingerprints.clone()),
                require_peer: true,
            },
            use_srtp: if profiles.is_empty() { UseSrtp::Unused } else { UseSrtp::Required(profiles) },
            versions: self.config.dtls_versions,
            mtu: self.config.mtu,
            schedule: self.config.handshake,
            key_log: self.config.key_log,
            ..dtls_core::Config::default()
        }))
    }
}

/// How new remote parameters relate to the known ones.
enum Relation {
    First,
    Unchanged,
    /// The local restart offer is outstanding.
    AnswerToRestart,
    PeerRestart,
}

/// The local parameters for an answer: the derived role, and a tls-id only if the offer had one.
fn local_for_answer(
    local: LocalDtls,
    kind: DescriptionKind,
    role: DtlsRole,
    remote: &Parameters,
) -> LocalDtls {
    match kind {
        DescriptionKind::Answer => local,
        DescriptionKind::Offer => LocalDtls {
            setup: dtls_role::answered(role),
            tls_id: local.tls_id.filter(|_| remote.tls_id.is_some()),
            ..local
        },
    }
}

fn signalled(local: &LocalDtls, remote: &Parameters, role: DtlsRole) -> SignalledParameters {
    let remote_role = match role {
        DtlsRole::Client => DtlsRole::Server,
        DtlsRole::Server => DtlsRole::Client,
    };
    SignalledParameters {
        local: local.signalled(role),
        remote: SignalledSide {
            tls_id: remote.tls_id.clone(),
            fingerprints: remote.fingerprints.clone(),
            role: remote_role,
        },
    }
}
