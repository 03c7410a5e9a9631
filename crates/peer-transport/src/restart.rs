//! Remote parameters and restarts: which generation they open, and with which DTLS role and identity.
//!
//! What can fail is built first, so a refused command leaves no trace. Knows what was signalled;
//! what then happens on the wire is in `handover`.

use std::sync::Arc;
use std::time::Instant;

use dtls_core::{Authentication, DtlsRole, PeerPolicy, UseSrtp};
use ice_agent::{Applied, Generation, IceRole};

use crate::association::{Association, Handshaking, Identity};
use crate::config::{DtlsRestart, RestartCertificates, RestartOptions, Role};
use crate::error::Error;
use crate::expiry::Expiry;
use crate::generation::{
    Attempt, Before, Current, Judgement, LocalDtls, Otherwise, Restart, Signalling, Stage,
};
use crate::parameters::{DescriptionKind, Parameters};
use crate::phase::Phase;
use crate::setup;
use crate::transport::PeerTransport;
use crate::verdict::{self, BySignalling, Ends, Signalled};

impl PeerTransport {
    /// Tells what the peer said about itself.
    ///
    /// The first time, ICE begins. Equal parameters again change nothing. With a new ufrag and password it
    /// is an ICE restart, the peer's own or its answer to ours, and a fresh DTLS handshake begins under them
    /// while the association before goes on; [`local_parameters`](Self::local_parameters) are then ours for
    /// the answer.
    ///
    /// # Errors
    /// [`Error::Glare`] for an offer while our restart offer is out, [`Error::ParametersChanged`] where only
    /// DTLS changed, [`Error::RoleConflict`], [`Error::NoFingerprint`], [`Error::Closed`] where the transport
    /// is closed and these are no restart, and [`Error::Ice`], where only one of ufrag and password changed
    /// for example.
    pub fn set_remote_parameters(
        &mut self,
        now: Instant,
        kind: DescriptionKind,
        parameters: Parameters,
    ) -> Result<Applied, Error> {
        let now = self.advance(now);
        let applied = match self.relation(&parameters)? {
            Relation::Repeated => Ok(Applied::Unchanged),
            Relation::First => self.set_first(now, kind, parameters),
            Relation::AnswerToRestart if kind == DescriptionKind::Offer => Err(Error::Glare),
            Relation::AnswerToRestart => {
                let local = self.signalling.local.clone();
                self.open_generation(now, kind, parameters, local)
            }
            Relation::PeerRestart => {
                let local = self.renewed_local(self.restart_options.clone())?;
                let applied = self.open_generation(now, kind, parameters, local)?;
                // A peer that has not our answer yet cannot have begun this generation's handshake.
                self.forget_early();
                Ok(applied)
            }
        };
        self.route(now);
        applied
    }

    /// How new parameters relate to what is known.
    fn relation(&self, parameters: &Parameters) -> Result<Relation, Error> {
        if let Some(Restart { stage: Stage::Offered, .. }) = &self.restart {
            return Ok(Relation::AnswerToRestart);
        }
        let Some(known) = &self.signalling.remote else { return Ok(Relation::First) };
        if known.ice.ufrag != parameters.ice.ufrag || known.ice.password != parameters.ice.password {
            return Ok(Relation::PeerRestart);
        }
        let same_dtls = known.fingerprints == parameters.fingerprints
            && known.tls_id == parameters.tls_id
            // An offer says actpass where the answer before it had decided.
            && (known.setup == parameters.setup
                || parameters.setup == crate::parameters::Setup::ActPass
                || known.setup == crate::parameters::Setup::ActPass);
        match (self.phase, same_dtls) {
            (Phase::Closed, _) => Err(Error::Closed),
            (_, true) => Ok(Relation::Repeated),
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
        let wish = self.signalling.local.wish;
        let role = setup::derive(kind, wish, parameters.setup, None, ice_role)?;
        let local = answering(self.signalling.local.clone(), kind, role, &parameters);
        let ends = ends(&local, &parameters, role);
        let identity = Identity { number: Association::FIRST, generation: self.ice.generation(), role, ends };
        let handshaking = Handshaking::new(now, identity, self.dtls_config(&local, &parameters)?)?;
        let role_before = self.ice.role();
        self.ice.set_role(now, ice_role);
        let applied = self
            .ice
            .set_remote_parameters(now, parameters.ice.clone())
            .inspect_err(|_| self.ice.set_role(now, role_before))?;
        let _first = self.number_association();
        self.signalling = Signalling { local, remote: Some(parameters) };
        self.current = Current::Handshaking(Box::new(handshaking));
        Ok(applied)
    }

    /// RFC 8445 section 6.1.1.
    fn ice_role(&self, kind: DescriptionKind, parameters: &Parameters) -> IceRole {
        match (self.config.ice.lite, parameters.ice.lite, kind) {
            (false, true, _) | (_, _, DescriptionKind::Answer) if !self.config.ice.lite => {
                IceRole::Controlling
            }
            (true, false, _) | (_, _, DescriptionKind::Offer) => IceRole::Controlled,
            _ => IceRole::Controlling,
        }
    }

    /// Opens the next generation under the peer's new parameters.
    fn open_generation(
        &mut self,
        now: Instant,
        kind: DescriptionKind,
        parameters: Parameters,
        local: LocalDtls,
    ) -> Result<Applied, Error> {
        let before = self.current.established().map(|association| &association.identity);
        let role_before = before.map(|identity| identity.role);
        let role = setup::derive(kind, local.wish, parameters.setup, role_before, self.ice.role())?;
        let local = answering(local, kind, role, &parameters);
        let ends = ends(&local, &parameters, role);
        let by_signalling = before.map_or(BySignalling::Fresh, |identity| {
            verdict::by_signalling(&identity.ends, &ends, self.restart_policy())
        });
        let identity = Identity {
            number: self.upcoming_association(),
            generation: self.generation(),
            role,
            ends: ends.clone(),
        };
        // Built even where the association is retained: it proves that the parameters can be used.
        let mut handshaking = Handshaking::new(now, identity, self.dtls_config(&local, &parameters)?)?;
        let applied = self.ice.set_remote_parameters(now, parameters.ice.clone())?;
        let generation = match applied {
            Applied::IceRestart(generation) => generation,
            Applied::First | Applied::Unchanged => return Ok(applied),
        };
        handshaking.identity.generation = generation;
        let deadline = now + self.config.handshake.deadline;
        let judgement = match by_signalling {
            BySignalling::Fresh => Some(Judgement::Fresh),
            BySignalling::Open => Some(Judgement::Open),
            BySignalling::Retained => None,
        };
        let stage = match judgement {
            None => Stage::Retained { ends: Box::new(ends), deadline },
            Some(judgement) => {
                let _number = self.number_association();
                Stage::Handshaking(Box::new(Attempt { handshaking, judgement, deadline }))
            }
        };
        let before = self.give_way(now);
        self.phase = Phase::Open;
        self.signalling = Signalling { local, remote: Some(parameters) };
        if matches!(self.current, Current::Handshaking(_)) {
            self.current = Current::Absent;
        }
        self.restart = Some(Restart { generation, before, stage });
        Ok(applied)
    }

    /// Restarts ICE, and with it DTLS: new credentials, a new tls-id and, where `options` say so, new
    /// certificates. Send [`local_parameters`](Self::local_parameters) as an offer and set the peer's answer.
    /// Until the new generation is connected, the one before goes on.
    ///
    /// Works from every state but [`State::New`](crate::State::New); after a close or a failure it opens the
    /// transport anew. During a restart it replaces that restart.
    ///
    /// # Errors
    /// [`Error::NotStarted`] before the first remote parameters; [`Error::NoCertificate`] for a rotation to
    /// none.
    pub fn restart(&mut self, now: Instant, options: RestartOptions) -> Result<Generation, Error> {
        let now = self.advance(now);
        if self.signalling.remote.is_none() {
            return Err(Error::NotStarted);
        }
        let policy = options.dtls;
        let local = self.renewed_local(options)?;
        let generation = self.ice.restart(now)?;
        let before = self.give_way(now);
        self.phase = Phase::Open;
        self.signalling.local = local;
        self.policy = policy;
        self.forget_early();
        self.restart = Some(Restart { generation, before, stage: Stage::Offered });
        self.route(now);
        Ok(generation)
    }

    /// Goes back to the generation before: signalling rolled the restart back. Where nothing is left of that one,
    /// because it was closed or failed before the restart or during it, the transport is closed or failed again.
    ///
    /// # Errors
    /// [`Error::NoRestart`] where none is under way, or where it is complete.
    pub fn abandon_restart(&mut self, now: Instant) -> Result<(), Error> {
        let now = self.advance(now);
        if self.restart.as_ref().is_none_or(|restart| restart.stage.is_settled()) {
            return Err(Error::NoRestart);
        }
        self.ice.abandon_restart(now)?;
        self.forget_early();
        if let Some(Restart { before: Before { signalling, otherwise }, .. }) = self.restart.take() {
            self.signalling = signalling;
            match otherwise {
                Otherwise::Call if !matches!(self.current, Current::Absent) => {}
                // A first handshake makes room for that of a restart, and is not there to go back to.
                Otherwise::Call | Otherwise::Closed => self.end(now, Phase::Closed),
                Otherwise::Failed(failure) => self.fail(now, failure),
            }
        }
        self.route(now);
        Ok(())
    }

    /// How the peer's next restart is answered.
    pub fn set_restart_options(&mut self, options: RestartOptions) {
        self.restart_options = options;
    }

    /// Makes room for the next generation and tells what to go back to.
    fn give_way(&mut self, now: Instant) -> Before {
        // A generation that is complete is not gone back behind; one that is not is forgotten.
        let before = match &self.restart {
            Some(restart) if !restart.stage.is_settled() => restart.before.clone(),
            Some(_) | None => Before {
                signalling: self.signalling.clone(),
                otherwise: match self.phase {
                    Phase::Open => Otherwise::Call,
                    Phase::Closed => Otherwise::Closed,
                    Phase::Failed(failure) => Otherwise::Failed(failure),
                },
            },
        };
        self.set_aside(now);
        self.drop_restart();
        before
    }

    /// Our DTLS parameters for a generation that begins with an offer of ours.
    fn renewed_local(&mut self, options: RestartOptions) -> Result<LocalDtls, Error> {
        let before = &self.signalling.local;
        let wish = match options.role {
            Role::Auto => self.config.dtls_role,
            wish => wish,
        };
        let (certificates, rotated) = match options.certificates {
            RestartCertificates::Keep => (before.certificates.clone(), false),
            RestartCertificates::Rotate(certificates) if certificates.is_empty() => {
                return Err(Error::NoCertificate);
            }
            RestartCertificates::Rotate(certificates) => (certificates, true),
        };
        let unchanged = !rotated && wish == before.wish;
        let tls_id = match &before.tls_id {
            Some(kept) if options.dtls == DtlsRestart::OnChange && unchanged => Some(kept.clone()),
            _ => Some(self.names.tls_id()),
        };
        let expiry = Expiry::of(&certificates, &self.config);
        Ok(LocalDtls { certificates, expiry, wish, setup: setup::offered(wish), tls_id })
    }

    fn restart_policy(&self) -> DtlsRestart {
        match &self.restart {
            Some(Restart { stage: Stage::Offered, .. }) => self.policy,
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

/// How new remote parameters relate to what is known.
enum Relation {
    First,
    Repeated,
    /// Our restart offer is out.
    AnswerToRestart,
    PeerRestart,
}

/// What an answer says: the role that was derived, and a tls-id only where the offer had one.
fn answering(local: LocalDtls, kind: DescriptionKind, role: DtlsRole, remote: &Parameters) -> LocalDtls {
    match kind {
        DescriptionKind::Answer => local,
        DescriptionKind::Offer => LocalDtls {
            setup: setup::answered(role),
            tls_id: local.tls_id.filter(|_| remote.tls_id.is_some()),
            ..local
        },
    }
}

fn ends(local: &LocalDtls, remote: &Parameters, role: DtlsRole) -> Ends {
    let theirs = match role {
        DtlsRole::Client => DtlsRole::Server,
        DtlsRole::Server => DtlsRole::Client,
    };
    Ends {
        ours: local.signalled(role),
        theirs: Signalled {
            tls_id: remote.tls_id.clone(),
            fingerprints: remote.fingerprints.clone(),
            role: theirs,
        },
    }
}
