//! One candidate pair at work: its state, its transactions, its consent (RFC 8445 section 6.1.2.6).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use stun::TransactionId;

use crate::candidate::{Candidate, Foundation};
use crate::consent::Consent;
use crate::event::Failure;
use crate::generation::Generation;
use crate::pair::{Pair, PairState};
use crate::path::Path;
use crate::priority;
use crate::repeat::Repeat;
use crate::role::IceRole;

/// Names a pair within its generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PairId(pub(crate) u32);

/// A pair of the checklist. `path` is what packets show: the local candidate's base and the remote address.
pub(crate) struct CandidatePair {
    pub(crate) id: PairId,
    pub(crate) path: Path,
    pub(crate) local: Candidate,
    pub(crate) remote: Candidate,
    pub(crate) priority: u64,
    pub(crate) status: Status,
    /// A request or a response authenticated here, so data may come in.
    pub(crate) authenticated: bool,
    /// The controlling peer nominated it, perhaps before our own check succeeded.
    pub(crate) peer_nominated: bool,
    /// When something last authenticated here.
    pub(crate) heard: Option<Instant>,
    /// What we still accept answers to, oldest first.
    pub(crate) transactions: VecDeque<Transaction>,
    /// The peer-reflexive candidate as which the peer sees us here.
    pub(crate) seen_as: Option<Candidate>,
    pub(crate) rtt: Option<Duration>,
    /// What went wrong here that says more than silence does.
    pub(crate) complaint: Option<Failure>,
}

/// The states of RFC 8445 with what belongs to each, and the end that RFC 7675 adds.
pub(crate) enum Status {
    Frozen,
    Waiting,
    InProgress(Sent),
    Succeeded { consent: Consent, nomination: Nomination },
    Failed,
    Ended,
}

/// How far the nomination of a succeeded pair is.
pub(crate) enum Nomination {
    /// Not nominated.
    None,
    /// We decided to nominate it; the check waits for its turn.
    Wanted,
    /// The check with USE-CANDIDATE is on its way.
    InProgress(Sent),
    /// Nominated, by us or by the peer.
    Done,
}

/// A request that is repeated until it is answered or given up.
pub(crate) struct Sent {
    pub(crate) bytes: Vec<u8>,
    pub(crate) transaction_id: TransactionId,
    pub(crate) repeat: Repeat,
}

/// A request that may still be answered.
#[derive(Clone, Copy)]
pub(crate) struct Transaction {
    pub(crate) id: TransactionId,
    pub(crate) sent_at: Instant,
    /// Sent more than once, so that its answer says nothing about the round trip (Karn).
    pub(crate) repeated: bool,
    pub(crate) role: IceRole,
    pub(crate) purpose: Purpose,
}

/// Why a request was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Check,
    Nomination,
    Consent,
}

impl CandidatePair {
    pub(crate) fn new(id: PairId, path: Path, local: Candidate, remote: Candidate, role: IceRole) -> Self {
        Self {
            id,
            path,
            local,
            remote,
            priority: priority::pair(role, local.priority(), remote.priority()),
            status: Status::Frozen,
            authenticated: false,
            peer_nominated: false,
            heard: None,
            transactions: VecDeque::new(),
            seen_as: None,
            rtt: None,
            complaint: None,
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

    /// Whether its check is still to come or to be answered.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.status, Status::Frozen | Status::Waiting | Status::InProgress(_))
    }

    /// Whether its check had to be repeated, which makes an answer doubtful.
    pub(crate) fn is_doubtful(&self) -> bool {
        let id = self.sent().map(|sent| sent.transaction_id);
        self.transactions.iter().any(|transaction| transaction.repeated && Some(transaction.id) == id)
    }

    /// The repeated request, if there is one.
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

    /// Remembers a request; the oldest one is forgotten when there are too many.
    pub(crate) fn await_answer(&mut self, transaction: Transaction, bound: usize) {
        while self.transactions.len() >= bound.max(1) {
            self.transactions.pop_front();
        }
        self.transactions.push_back(transaction);
    }

    pub(crate) fn consume(&mut self, id: TransactionId) {
        self.transactions.retain(|transaction| transaction.id != id);
    }

    /// Consent has ended: nothing is sent, awaited or answered here under these credentials.
    pub(crate) fn end(&mut self) {
        self.status = Status::Ended;
        self.transactions.clear();
    }

    pub(crate) fn snapshot(&self, generation: Generation) -> Pair {
        Pair {
            generation,
            path: self.path,
            local: self.seen_as.unwrap_or(self.local),
            remote: self.remote,
            priority: self.priority,
            state: self.state(),
            nominated: self.is_nominated(),
            rtt: self.rtt,
        }
    }
}
