//! The checks of one candidate pair: its state, its transactions, its consent (RFC 8445 section 6.1.2.6).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use stun::TransactionId;

use crate::agent::generation_id::GenerationId;
use crate::candidate::{Candidate, Foundation};
use crate::check::retransmission::Retransmission;
use crate::check::role::IceRole;
use crate::event::Failure;
use crate::pair::consent::Consent;
use crate::pair::priority::pair_priority;
use crate::pair::{CandidatePair, PairState};
use crate::path::Path;

/// Identifies a pair within its generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PairId(pub(crate) u32);

/// A pair of the checklist. `path` has the addresses in packets: the base of the local candidate and the remote
/// address.
pub(crate) struct ChecklistPair {
    pub(crate) id: PairId,
    pub(crate) path: Path,
    pub(crate) local: Candidate,
    pub(crate) remote: Candidate,
    pub(crate) priority: u64,
    pub(crate) status: Status,
    /// A request or a response authenticated here, so data may be received.
    pub(crate) authenticated: bool,
    /// The controlling peer nominated the pair, perhaps before our own check succeeded.
    pub(crate) peer_nominated: bool,
    /// The time of the latest authenticated message here.
    pub(crate) last_authenticated: Option<Instant>,
    /// The pending transactions, oldest first.
    pub(crate) transactions: VecDeque<Transaction>,
    /// The peer-reflexive candidate that the peer reported for us here.
    pub(crate) mapped_candidate: Option<Candidate>,
    pub(crate) rtt: Option<Duration>,
    /// A failure that was observed here and is more specific than a timeout.
    pub(crate) specific_failure: Option<Failure>,
}

/// The states of RFC 8445 with their data, and the end of consent (RFC 7675).
pub(crate) enum Status {
    Frozen,
    Waiting,
    InProgress(Sent),
    Succeeded { consent: Consent, nomination: Nomination },
    Failed,
    Ended,
}

/// The progress of the nomination of a succeeded pair.
pub(crate) enum Nomination {
    /// Not nominated.
    None,
    /// The decision to nominate; the check waits for its turn.
    Wanted,
    /// The check with USE-CANDIDATE is pending.
    InProgress(Sent),
    /// Nominated, by us or by the peer.
    Done,
}

/// A request that is retransmitted until it is answered or fails.
pub(crate) struct Sent {
    pub(crate) bytes: Vec<u8>,
    pub(crate) transaction_id: TransactionId,
    pub(crate) retransmission: Retransmission,
}

/// A request that may still be answered.
#[derive(Clone, Copy)]
pub(crate) struct Transaction {
    pub(crate) id: TransactionId,
    pub(crate) sent_at: Instant,
    /// Sent more than once, so its response is no RTT sample (Karn's algorithm).
    pub(crate) retransmitted: bool,
    pub(crate) role: IceRole,
    pub(crate) purpose: Purpose,
}

/// The reason for a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Check,
    Nomination,
    Consent,
}

impl ChecklistPair {
    pub(crate) fn new(id: PairId, path: Path, local: Candidate, remote: Candidate, role: IceRole) -> Self {
        Self {
            id,
            path,
            local,
            remote,
            priority: pair_priority(role, local.priority(), remote.priority()),
            status: Status::Frozen,
            authenticated: false,
            peer_nominated: false,
            last_authenticated: None,
            transactions: VecDeque::new(),
            mapped_candidate: None,
            rtt: None,
            specific_failure: None,
        }
    }

    pub(crate) fn foundation(&self) -> (Foundation, Foundation) {
        (self.local.foundation(), self.remote.foundation())
    }

    pub(crate) const fn state(&self) -> PairState {
        match self.status {
            Status::Frozen => PairState::Frozen,
            Status::Waiting => PairState::Waiting,
            Status::InProgress(_) => PairState::InProgress,
            Status::Succeeded { .. } => PairState::Succeeded,
            Status::Failed => PairState::Failed,
            Status::Ended => PairState::Ended,
        }
    }

    pub(crate) const fn consent(&self) -> Option<&Consent> {
        match &self.status {
            Status::Succeeded { consent, .. } => Some(consent),
            _ => None,
        }
    }

    pub(crate) const fn is_usable(&self) -> bool {
        matches!(self.status, Status::Succeeded { .. })
    }

    pub(crate) const fn is_nominated(&self) -> bool {
        matches!(self.status, Status::Succeeded { nomination: Nomination::Done, .. })
    }

    pub(crate) const fn is_being_nominated(&self) -> bool {
        matches!(
            self.status,
            Status::Succeeded { nomination: Nomination::Wanted | Nomination::InProgress(_), .. }
        )
    }

    /// Returns whether the check of this pair is due or pending.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.status, Status::Frozen | Status::Waiting | Status::InProgress(_))
    }

    /// Returns whether the check had to be retransmitted, which makes a response unlikely.
    pub(crate) fn is_doubtful(&self) -> bool {
        let id = self.sent().map(|sent| sent.transaction_id);
        self.transactions.iter().any(|transaction| transaction.retransmitted && Some(transaction.id) == id)
    }

    /// Returns the retransmitted request, if there is one.
    pub(crate) const fn sent(&self) -> Option<&Sent> {
        match &self.status {
            Status::InProgress(sent) | Status::Succeeded { nomination: Nomination::InProgress(sent), .. } => {
                Some(sent)
            }
            _ => None,
        }
    }

    pub(crate) const fn sent_mut(&mut self) -> Option<&mut Sent> {
        match &mut self.status {
            Status::InProgress(sent) | Status::Succeeded { nomination: Nomination::InProgress(sent), .. } => {
                Some(sent)
            }
            _ => None,
        }
    }

    pub(crate) fn transaction(&self, id: TransactionId) -> Option<Transaction> {
        self.transactions.iter().find(|transaction| transaction.id == id).copied()
    }

    /// Adds a pending transaction. The oldest one is dropped if there are too many.
    pub(crate) fn add_transaction(&mut self, transaction: Transaction, bound: usize) {
        while self.transactions.len() >= bound.max(1) {
            self.transactions.pop_front();
        }
        self.transactions.push_back(transaction);
    }

    pub(crate) fn consume(&mut self, id: TransactionId) {
        self.transactions.retain(|transaction| transaction.id != id);
    }

    /// Ends consent: nothing is sent, awaited or answered here under these credentials.
    pub(crate) fn end(&mut self) {
        self.status = Status::Ended;
        self.transactions.clear();
    }

    pub(crate) fn snapshot(&self, generation: GenerationId) -> CandidatePair {
        CandidatePair {
            generation,
            path: self.path,
            local: self.mapped_candidate.unwrap_or(self.local),
            remote: self.remote,
            priority: self.priority,
            state: self.state(),
            nominated: self.is_nominated(),
            rtt: self.rtt,
        }
    }
}
