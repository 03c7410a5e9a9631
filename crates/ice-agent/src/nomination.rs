//! Nomination and selection (RFC 8445 section 8.1.1).
//!
//! Knows which pairs are usable and nominated. Sends nothing: a wanted nomination becomes a triggered check.
//!
//! Controlling: the best usable pair is nominated, at once when nothing better can come, otherwise after a
//! short wait. Controlled: the peer nominates as it likes, and may nominate on every check; the nominated
//! pair of the highest priority is selected.

use std::time::Instant;

use crate::candidate_pair::{CandidatePair, Nomination, Status};
use crate::checklist::Checklist;
use crate::context::Context;
use crate::event::{Event, SelectionReason};
use crate::role::IceRole;
use crate::session::{Life, Session};

impl Session {
    /// Nominates and selects what the pairs allow by now.
    pub(crate) fn select(&mut self, now: Instant, cx: &mut Context) {
        if !self.is_active() {
            return;
        }
        if self.selected_pair().is_some_and(|pair| !pair.is_usable()) {
            self.selected = None;
        }
        if self.nomination_due(cx).is_some_and(|due| now >= due) || self.is_ripe(cx) {
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
        let (id, priority, pair) = (best.id, best.priority, best.snapshot(self.generation));
        self.selected = Some(id);
        self.has_selected = true;
        self.checklist.settle_for(priority);
        cx.emit(Event::PairSelected { pair, reason });
    }

    /// When the controlling side stops waiting for a better pair, if it has one to nominate.
    pub(crate) fn nomination_due(&self, cx: &Context) -> Option<Instant> {
        match self.life {
            Life::Usable { since } if self.has_to_nominate(cx) => Some(since + cx.config.nomination_wait),
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

    /// Nothing better than the best usable pair can come any more.
    fn is_ripe(&self, cx: &Context) -> bool {
        self.has_to_nominate(cx)
            && cx.local_complete
            && self.remote_complete
            && !is_something_better_open(&self.checklist)
    }

    fn nominate(&mut self) {
        let Some(id) = self.checklist.best_usable().map(|pair| pair.id) else { return };
        if let Some(CandidatePair { status: Status::Succeeded { nomination, .. }, .. }) =
            self.checklist.get_mut(id)
        {
            *nomination = Nomination::Wanted;
            self.checklist.trigger(id);
        }
    }
}

fn is_something_better_open(checklist: &Checklist) -> bool {
    checklist.pairs().take_while(|pair| !pair.is_usable()).any(CandidatePair::is_open)
}
