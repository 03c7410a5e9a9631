//! The associations of a transport by slot: current, next, draining.
//!
//! Knows where each association is stored. Does not know what it is used for.

use dtls_core::Connection;

use super::PeerTransport;
use super::association::Established;
use super::generation::{Current, RestartState};
use crate::association_id::AssociationId;

/// The associations that may exist at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// The sending association, or the initial handshake.
    Current,
    /// The association of a restart.
    Next,
    /// The previous association, which only reads.
    Draining,
}

impl Slot {
    /// In the order in which their events are read.
    pub(super) const ALL: [Self; 3] = [Self::Current, Self::Next, Self::Draining];
}

impl PeerTransport {
    pub(super) fn established(&self, slot: Slot) -> Option<&Established> {
        match slot {
            Slot::Current => self.current.established(),
            Slot::Next => match &self.restart.as_ref()?.state {
                RestartState::Unconfirmed(association) => Some(association),
                RestartState::Offered | RestartState::Retained { .. } | RestartState::Handshaking(_) => None,
            },
            Slot::Draining => self.draining.as_ref().map(|draining| &draining.association),
        }
    }

    pub(super) fn established_mut(&mut self, slot: Slot) -> Option<&mut Established> {
        match slot {
            Slot::Current => self.current.established_mut(),
            Slot::Next => match &mut self.restart.as_mut()?.state {
                RestartState::Unconfirmed(association) => Some(association),
                RestartState::Offered | RestartState::Retained { .. } | RestartState::Handshaking(_) => None,
            },
            Slot::Draining => self.draining.as_mut().map(|draining| &mut draining.association),
        }
    }

    pub(super) fn has(&self, slot: Slot) -> bool {
        self.connection(slot).is_some()
    }

    pub(super) fn connection(&self, slot: Slot) -> Option<&Connection> {
        if let Some(association) = self.established(slot) {
            return Some(&association.connection);
        }
        match (slot, &self.current) {
            (Slot::Current, Current::Handshaking(handshaking)) => Some(&handshaking.connection),
            (Slot::Next, _) => match &self.restart.as_ref()?.state {
                RestartState::Handshaking(attempt) => Some(&attempt.handshaking.connection),
                RestartState::Offered | RestartState::Retained { .. } | RestartState::Unconfirmed(_) => None,
            },
            _ => None,
        }
    }

    pub(super) fn connection_mut(&mut self, slot: Slot) -> Option<&mut Connection> {
        match slot {
            Slot::Current => match &mut self.current {
                Current::Absent => None,
                Current::Handshaking(handshaking) => Some(&mut handshaking.connection),
                Current::Established(association) => Some(&mut association.connection),
            },
            Slot::Next => match &mut self.restart.as_mut()?.state {
                RestartState::Handshaking(attempt) => Some(&mut attempt.handshaking.connection),
                RestartState::Unconfirmed(association) => Some(&mut association.connection),
                RestartState::Offered | RestartState::Retained { .. } => None,
            },
            Slot::Draining => Some(&mut self.draining.as_mut()?.association.connection),
        }
    }

    pub(super) fn connections(&self) -> impl Iterator<Item = &Connection> {
        Slot::ALL.into_iter().filter_map(|slot| self.connection(slot))
    }

    pub(super) fn for_each_connection(&mut self, mut act: impl FnMut(&mut Connection)) {
        for slot in Slot::ALL {
            if let Some(connection) = self.connection_mut(slot) {
                act(connection);
            }
        }
    }

    pub(super) fn number(&self, slot: Slot) -> Option<AssociationId> {
        if let Some(association) = self.established(slot) {
            return Some(association.identity.number);
        }
        match (slot, &self.current, &self.restart) {
            (Slot::Current, Current::Handshaking(handshaking), _) => Some(handshaking.identity.number),
            (Slot::Next, _, Some(restart)) => match &restart.state {
                RestartState::Handshaking(attempt) => Some(attempt.handshaking.identity.number),
                RestartState::Offered | RestartState::Retained { .. } | RestartState::Unconfirmed(_) => None,
            },
            _ => None,
        }
    }
}
