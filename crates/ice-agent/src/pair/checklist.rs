//! The checklist of one generation (RFC 8445 section 6.1.2): pairs by priority, and the next pair to check.
//!
//! Knows the order. Sends nothing and does not know time.

use std::collections::VecDeque;

use stun::TransactionId;

use crate::candidate::{Candidate, Foundation};
use crate::check::role::IceRole;
use crate::pair::checklist_pair::{ChecklistPair, Nomination, PairId, Status, Transaction};
use crate::pair::priority::pair_priority;
use crate::path::Path;

/// Pairs in descending order of priority, and the triggered-check queue.
#[derive(Default)]
pub(crate) struct Checklist {
    pairs: Vec<ChecklistPair>,
    triggered: VecDeque<PairId>,
    next_id: u32,
}

impl Checklist {
    pub(crate) fn pairs(&self) -> impl Iterator<Item = &ChecklistPair> {
        self.pairs.iter()
    }

    pub(crate) fn pairs_mut(&mut self) -> impl Iterator<Item = &mut ChecklistPair> {
        self.pairs.iter_mut()
    }

    pub(crate) fn get(&self, id: PairId) -> Option<&ChecklistPair> {
        self.pairs.iter().find(|pair| pair.id == id)
    }

    pub(crate) fn get_mut(&mut self, id: PairId) -> Option<&mut ChecklistPair> {
        self.pairs.iter_mut().find(|pair| pair.id == id)
    }

    pub(crate) fn on_path(&self, path: Path) -> Option<&ChecklistPair> {
        self.pairs.iter().find(|pair| pair.path == path)
    }

    pub(crate) fn on_path_mut(&mut self, path: Path) -> Option<&mut ChecklistPair> {
        self.pairs.iter_mut().find(|pair| pair.path == path)
    }

    pub(crate) fn with_transaction(&self, id: TransactionId) -> Option<(&ChecklistPair, Transaction)> {
        self.pairs.iter().find_map(|pair| Some((pair, pair.transaction(id)?)))
    }

    /// Returns the best pair on which data may be sent.
    pub(crate) fn best_usable(&self) -> Option<&ChecklistPair> {
        self.pairs.iter().find(|pair| pair.is_usable())
    }

    /// Adds a pair unless the path has a pair already (pruning, RFC 8445 section 6.1.2.4). If the list is full, the
    /// pair of lowest priority is removed that is neither usable nor marks lost consent (section 6.1.2.5).
    pub(crate) fn add(
        &mut self,
        path: Path,
        local: Candidate,
        remote: Candidate,
        role: IceRole,
        bound: usize,
    ) -> Option<PairId> {
        if let Some(pair) = self.on_path(path) {
            return Some(pair.id);
        }
        let id = PairId(self.next_id);
        let mut pair = ChecklistPair::new(id, path, local, remote, role);
        if self.pairs.len() >= bound {
            let (index, least) =
                self.pairs.iter().enumerate().rev().find(|(_, pair)| {
                    matches!(pair.status, Status::Frozen | Status::Waiting | Status::Failed)
                })?;
            if least.priority >= pair.priority {
                return None;
            }
            let removed = self.pairs.remove(index);
            self.triggered.retain(|id| *id != removed.id);
        }
        self.next_id = self.next_id.wrapping_add(1);
        pair.status = self.initial_status(pair.foundation());
        self.pairs.push(pair);
        self.sort();
        Some(id)
    }

    /// One pair of each foundation starts as Waiting; the others are Frozen until it succeeds (RFC 8445 section
    /// 6.1.2.6, RFC 8838 section 12).
    fn initial_status(&self, foundation: (Foundation, Foundation)) -> Status {
        let like = || self.pairs.iter().filter(|pair| pair.foundation() == foundation);
        if like().any(ChecklistPair::is_usable) || !like().any(ChecklistPair::is_open) {
            Status::Waiting
        } else {
            Status::Frozen
        }
    }

    pub(crate) fn trigger(&mut self, id: PairId) {
        if !self.triggered.contains(&id) {
            self.triggered.push_back(id);
        }
    }

    pub(crate) fn untrigger(&mut self, id: PairId) {
        self.triggered.retain(|each| *each != id);
    }

    /// Returns the pair to check at the next Ta (RFC 8445 section 6.1.4.2). After a selection, only pairs of higher
    /// priority get ordinary checks.
    pub(crate) fn next(&self, selected: Option<u64>) -> Option<PairId> {
        let worthwhile = |pair: &&ChecklistPair| selected.is_none_or(|selected| pair.priority > selected);
        let triggered = self.triggered.front().copied();
        let waiting = || {
            let mut pairs = self.pairs.iter().filter(worthwhile);
            pairs.find(|pair| matches!(pair.status, Status::Waiting)).map(|pair| pair.id)
        };
        let frozen = || {
            let mut pairs = self.pairs.iter().filter(worthwhile);
            pairs.find(|pair| self.can_unfreeze(pair)).map(|pair| pair.id)
        };
        triggered.or_else(waiting).or_else(frozen)
    }

    /// Returns whether no check of the foundation is waiting or likely to be answered. RFC 8445 waits until such a
    /// check has failed, which takes as long as the whole search; a check that had to be retransmitted no longer blocks
    /// its foundation.
    fn can_unfreeze(&self, pair: &ChecklistPair) -> bool {
        let busy = |other: &ChecklistPair| {
            other.foundation() == pair.foundation()
                && matches!(other.status, Status::Waiting | Status::InProgress(_))
                && !other.is_doubtful()
        };
        matches!(pair.status, Status::Frozen) && !self.pairs.iter().any(busy)
    }

    /// A success unfreezes the pairs of its foundation (RFC 8445 section 7.2.5.3.3).
    pub(crate) fn unfreeze(&mut self, foundation: (Foundation, Foundation)) {
        for pair in &mut self.pairs {
            if pair.foundation() == foundation && matches!(pair.status, Status::Frozen) {
                pair.status = Status::Waiting;
            }
        }
    }

    /// After a selection, the checks of pairs with lower priority stop (RFC 8445 section 8.1.2).
    pub(crate) fn freeze_below(&mut self, selected: u64) {
        for pair in &mut self.pairs {
            if pair.priority < selected && matches!(pair.status, Status::InProgress(_)) {
                pair.status = Status::Frozen;
            }
        }
    }

    /// Returns the number of checks that are waiting or in progress, for the RTO (RFC 8445 section 14.3).
    pub(crate) fn active_checks(&self) -> u32 {
        let load = |pair: &&ChecklistPair| matches!(pair.status, Status::Waiting | Status::InProgress(_));
        u32::try_from(self.pairs.iter().filter(load).count()).unwrap_or(u32::MAX)
    }

    /// Pair priorities depend on the role (RFC 8445 section 7.2.5.1), and so do nominations.
    pub(crate) fn switch_role(&mut self, role: IceRole) {
        for pair in &mut self.pairs {
            pair.priority = pair_priority(role, pair.local.priority(), pair.remote.priority());
            if pair.is_being_nominated()
                && let Status::Succeeded { nomination, .. } = &mut pair.status
            {
                *nomination = Nomination::None;
            }
        }
        self.sort();
    }

    /// Replaces a peer-reflexive candidate by the candidate that the peer announced.
    pub(crate) fn update_remote(&mut self, remote: Candidate, role: IceRole) {
        for pair in &mut self.pairs {
            if pair.remote.address() == remote.address() {
                pair.remote = remote;
                pair.priority = pair_priority(role, pair.local.priority(), remote.priority());
            }
        }
        self.sort();
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&ChecklistPair) -> bool) {
        self.pairs.retain(keep);
        let Self { pairs, triggered, .. } = self;
        triggered.retain(|id| pairs.iter().any(|pair| pair.id == *id));
    }

    /// Stops all checks and drops all transactions. The set of authenticated paths stays.
    pub(crate) fn end(&mut self) {
        for pair in &mut self.pairs {
            pair.end();
        }
        self.triggered.clear();
    }

    fn sort(&mut self) {
        self.pairs.sort_by_key(|pair| (std::cmp::Reverse(pair.priority), pair.id));
    }
}
