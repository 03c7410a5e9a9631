//! A peer of an endpoint for commands. Each command updates the endpoint's indexes.
//!
//! There is no `DerefMut`, which would bypass the indexes, and no `Drop`, which would extend the borrow of the
//! endpoint beyond the last command.

use std::ops::Deref;
use std::time::Instant;

use ice_agent::{Applied, Candidate, GenerationId, Ufrag};

use super::PeerId;
use super::indexes::{Indexes, Peer};
use crate::config::RestartOptions;
use crate::error::{Error, SendError};
use crate::media::MediaSender;
use crate::media::{Evidence, MediaReceiver};
use crate::parameters::{DescriptionKind, Parameters};
use crate::transport::PeerTransport;

/// A [`PeerTransport`] at an [`Endpoint`](crate::Endpoint), borrowed for commands.
///
/// Dereferences to the transport for read access. The commands are those of the transport and are documented
/// there.
pub struct PeerMut<'e> {
    id: PeerId,
    peer: &'e mut Peer,
    indexes: &'e mut Indexes,
}

impl<'e> PeerMut<'e> {
    pub(super) const fn new(id: PeerId, peer: &'e mut Peer, indexes: &'e mut Indexes) -> Self {
        Self { id, peer, indexes }
    }

    /// The peer's id.
    #[must_use]
    pub const fn id(&self) -> PeerId {
        self.id
    }

    /// See [`PeerTransport::set_remote_parameters`].
    ///
    /// # Errors
    /// See there.
    pub fn set_remote_parameters(
        &mut self,
        now: Instant,
        kind: DescriptionKind,
        parameters: Parameters,
    ) -> Result<Applied, Error> {
        self.command(|transport| transport.set_remote_parameters(now, kind, parameters))
    }

    /// See [`PeerTransport::add_local_candidate`].
    ///
    /// # Errors
    /// See there.
    pub fn add_local_candidate(&mut self, now: Instant, candidate: Candidate) -> Result<(), Error> {
        self.command(|transport| transport.add_local_candidate(now, candidate))
    }

    /// See [`PeerTransport::remove_local_candidate`].
    pub fn remove_local_candidate(&mut self, now: Instant, candidate: &Candidate) {
        self.command(|transport| transport.remove_local_candidate(now, candidate));
    }

    /// See [`PeerTransport::add_remote_candidate`].
    ///
    /// # Errors
    /// See there.
    pub fn add_remote_candidate(
        &mut self,
        now: Instant,
        candidate: Candidate,
        ufrag: Option<&Ufrag>,
    ) -> Result<(), Error> {
        self.command(|transport| transport.add_remote_candidate(now, candidate, ufrag))
    }

    /// See [`PeerTransport::end_of_local_candidates`].
    pub fn end_of_local_candidates(&mut self, now: Instant) {
        self.command(|transport| transport.end_of_local_candidates(now));
    }

    /// See [`PeerTransport::end_of_remote_candidates`].
    pub fn end_of_remote_candidates(&mut self, now: Instant, ufrag: Option<&Ufrag>) {
        self.command(|transport| transport.end_of_remote_candidates(now, ufrag));
    }

    /// See [`PeerTransport::restart`].
    ///
    /// # Errors
    /// See there.
    pub fn restart(&mut self, now: Instant, options: RestartOptions) -> Result<GenerationId, Error> {
        self.command(|transport| transport.restart(now, options))
    }

    /// See [`PeerTransport::rollback_restart`].
    ///
    /// # Errors
    /// See there.
    pub fn rollback_restart(&mut self, now: Instant) -> Result<(), Error> {
        self.command(|transport| transport.rollback_restart(now))
    }

    /// See [`PeerTransport::set_restart_options`].
    pub fn set_restart_options(&mut self, options: RestartOptions) {
        self.command(|transport| transport.set_restart_options(options));
    }

    /// See [`PeerTransport::send_data`].
    ///
    /// # Errors
    /// See there.
    pub fn send_data(&mut self, now: Instant, data: &[u8]) -> Result<(), SendError> {
        self.command(|transport| transport.send_data(now, data))
    }

    /// See [`PeerTransport::revoke_consent`].
    pub fn revoke_consent(&mut self, now: Instant) {
        self.command(|transport| transport.revoke_consent(now));
    }

    /// See [`PeerTransport::close`]. The peer stays at the endpoint until it is removed.
    pub fn close(&mut self, now: Instant) {
        self.command(|transport| transport.close(now));
    }

    /// See [`PeerTransport::detach_outbound`].
    ///
    /// # Errors
    /// See there.
    pub fn detach_outbound(&mut self, now: Instant) -> Result<MediaSender, Error> {
        self.command(|transport| transport.detach_outbound(now))
    }

    /// See [`PeerTransport::detach_inbound`].
    ///
    /// # Errors
    /// See there.
    pub fn detach_inbound(&mut self, now: Instant) -> Result<MediaReceiver, Error> {
        self.command(|transport| transport.detach_inbound(now))
    }

    /// See [`PeerTransport::note_authenticated`].
    pub fn note_authenticated(&mut self, now: Instant, evidence: Evidence) {
        self.command(|transport| transport.note_authenticated(now, evidence));
    }

    fn command<T>(&mut self, act: impl FnOnce(&mut PeerTransport) -> T) -> T {
        let answer = act(&mut self.peer.transport);
        self.indexes.update_after_command(self.id, self.peer);
        answer
    }
}

impl Deref for PeerMut<'_> {
    type Target = PeerTransport;

    fn deref(&self) -> &PeerTransport {
        &self.peer.transport
    }
}
