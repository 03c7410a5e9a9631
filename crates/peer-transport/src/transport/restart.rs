//! The restart command, and the local parameters of the generation that it offers.
//!
//! Everything that can fail is built first, so a refused command changes nothing. The peer's answer is set in
//! `remote_parameters`.

use std::time::Instant;

use ice_agent::GenerationId;

use super::expiry::Expiry;
use super::generation::{Restart, RestartState};
use super::phase::Phase;
use super::signalling::LocalDtls;
use super::{PeerTransport, dtls_role};
use crate::config::{DtlsRestart, RestartCertificates, RestartOptions, Role};
use crate::error::Error;

impl PeerTransport {
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
    pub fn restart(&mut self, now: Instant, options: RestartOptions) -> Result<GenerationId, Error> {
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

    /// Sets the options for answering the peer's next restart.
    pub fn set_restart_options(&mut self, options: RestartOptions) {
        self.restart_options = options;
    }

    /// The local DTLS parameters for a generation that starts with a local offer.
    pub(super) fn next_local_dtls(&mut self, options: RestartOptions) -> Result<LocalDtls, Error> {
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

    pub(super) fn restart_policy(&self) -> DtlsRestart {
        match &self.restart {
            Some(Restart { state: RestartState::Offered, .. }) => self.policy,
            _ => self.restart_options.dtls,
        }
    }
}
