//! Nomination and selection (RFC 8445 section 8.1.1).
//!
//! Knows which pairs are usable and nominated. Sends nothing: a nomination becomes a triggered check.
//!
//! A controlling agent nominates the best usable pair: at once if no better pair can follow, otherwise after a short
//! wait. On the controlled side the peer may nominate any pair on any check; the nominated pair of the highest priority
//! is selected, unless it stopped responding while the peer nominates another one.

use std::time::Instant;

use crate::agent::context::Context;
use crate::agent::generation::{Generation, GenerationState};
use crate::check::role::IceRole;
use crate::event::{Event, SelectionReason};
use crate::pair::checklist::Checklist;
use crate::pair::checklist_pair::{ChecklistPair, Nomination, PairId, Status};

impl Generation {
    /// Nominates and selects according to the present state of the pairs.
    pub(crate) fn select(&mut self, now: Instant, cx: &mut Context) {
        if !self.is_active() {
            return;
        }
        if self.selected_pair().is_some_and(|pair| !pair.is_nominated()) {
            self.selected = None;
        }
        if self.nomination_due(cx).is_some_and(|due| now >= due) || self.can_nominate_now(cx) {
            self.nominate();
        }
        let current = self.selected_pair();
        let Some(best) = self.checklist.pairs().find(|pair| pair.is_nominated()) else { return };
        let reason = match current {
            Some(current) if current.id == best.id || current.priority >= best.priority => return,
            Some(_) => SelectionReason::HigherPriority,
            None if self.has_selected => SelectionReason::Fallback,
            None => SelectionReason::Nominated,
        };
        let (id, priority, pair) = (best.id, best.priority, best.snapshot(self.id));
        self.selected = Some(id);
        self.has_selected = true;
        self.checklist.freeze_below(priority);
        cx.emit(Event::PairSelected { pair, reason });
    }

    /// The peer nominates `id`. If its previous choice has received nothing for two consent intervals, the peer has
    /// moved without a restart, as a browser does after a network change, and the previous nomination no longer counts.
    pub(crate) fn follow_nomination(&mut self, now: Instant, cx: &Context, id: PairId) {
        let silence = cx.config.consent_interval.saturating_mul(2);
        let Some(selected) = self.selected.filter(|selected| *selected != id) else { return };
        if !self.checklist.get(id).is_some_and(ChecklistPair::is_usable) {
            return;
        }
        let Some(selected) = self.checklist.get_mut(selected) else { return };
        let is_silent = selected
            .last_authenticated
            .is_none_or(|last_authenticated| now.saturating_duration_since(last_authenticated) >= silence);
        if let Status::Succeeded { nomination, .. } = &mut selected.status
            && is_silent
        {
            *nomination = Nomination::None;
            selected.peer_nominated = false;
        }
    }

    /// Returns when the controlling side stops waiting for a better pair, if it has one to nominate.
    pub(crate) fn nomination_due(&self, cx: &Context) -> Option<Instant> {
        match self.state {
            GenerationState::Usable { since } if self.has_to_nominate(cx) => {
                Some(since + cx.config.nomination_wait)
            }
            _ => None,
        }
    }

    fn has_to_nominate(&self, cx: &Context) -> bool {
        cx.role == IceRole::Controlling
            && !cx.config.lite
            && self.selected.is_none()
            && self.checklist.best_usable().is_some()
            && !self.checklist.pairs().any(|pair| pair.is_nominated() || pair.is_being_nominated())
    }

    /// Returns whether no pair better than the best usable one can follow.
    fn can_nominate_now(&self, cx: &Context) -> bool {
        self.has_to_nominate(cx)
            && cx.local_complete
            && self.remote_complete
            && !has_open_better_pair(&self.checklist)
    }

    fn nominate(&mut self) {
        let Some(id) = self.checklist.best_usable().map(|pair| pair.id) else { return };
        if let Some(ChecklistPair { status: Status::Succeeded { nomination, .. }, .. }) =
            self.checklist.get_mut(id)
        {
            *nomination = Nomination::Wanted;
            self.checklist.trigger(id);
        }
    }
}

fn has_open_better_pair(checklist: &Checklist) -> bool {
    checklist.pairs().take_while(|pair| !pair.is_usable()).any(ChecklistPair::is_open)
}
