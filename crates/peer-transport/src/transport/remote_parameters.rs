//! Sets the peer's signalled parameters: the first ones start ICE, new credentials open the next generation.
//!
//! Everything that can fail is built first, so a refused command changes nothing. Knows what was signalled.
//! Does not know packets: `route` and `switchover` react to them.

use std::sync::Arc;
use std::time::Instant;

use dtls_core::{Authentication, PeerPolicy, UseSrtp};
use ice_agent::{Applied, IceRole};

use super::association::{Handshaking, Identity};
use super::generation::{Attempt, Current, Decision, Restart, RestartState};
use super::phase::Phase;
use super::signalling::{LocalDtls, SignalledParameters, Signalling};
use super::verdict::{self, SignallingDecision};
use super::{PeerTransport, dtls_role};
use crate::association_id::AssociationId;
use crate::error::Error;
use crate::parameters::{DescriptionKind, Parameters, Setup};

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
                || parameters.setup == Setup::ActPass
                || known.setup == Setup::ActPass);
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
        let local = self.signalling.local.clone().for_answer(kind, role, &parameters);
        let signalled = SignalledParameters::new(&local, &parameters, role);
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
        let local = local.for_answer(kind, role, &parameters);
        let signalled = SignalledParameters::new(&local, &parameters, role);
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
        let deadline = now + self.config.handshake.handshake_timeout;
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
            self.current.clear();
        }
        self.restart = Some(Restart { generation, rollback, state });
        Ok(applied)
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
            // Required, so that a peer without a common profile gets an alert instead of a connection without media.
            use_srtp: if profiles.is_empty() { UseSrtp::Unused } else { UseSrtp::Required(profiles) },
            versions: self.config.dtls_versions,
            mtu: self.config.mtu,
            retransmit: self.config.handshake,
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
