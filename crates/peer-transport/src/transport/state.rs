//! Derives the transport's state and reports its changes.
//!
//! The table of states is in the crate's documentation.

use super::PeerTransport;
use super::phase::Phase;
use crate::event::{Event, State};

impl PeerTransport {
    /// Derives the state from the fields.
    fn derive_state(&self) -> State {
        let restarting = self.restart.as_ref().is_some_and(|restart| !restart.state.has_outcome());
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Failed(_) => State::Failed,
            Phase::Open if self.signalling.remote.is_none() => State::New,
            Phase::Open if restarting || self.sending_path(self.now).is_err() => State::Connecting,
            Phase::Open => State::Connected,
        }
    }

    /// Reports a state that was not reported yet. A failure has an event of its own.
    pub(super) fn report_state(&mut self) {
        let state = self.derive_state();
        if state != self.reported_state {
            self.reported_state = state;
            if state != State::Failed {
                self.events.push(Event::StateChanged(state));
            }
        }
    }
}
