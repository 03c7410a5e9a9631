//! The state that all generations of an agent share.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stun::TransactionId;

use crate::agent::transmit::Outbox;
use crate::candidate::Candidate;
use crate::check::role::{Claim, IceRole};
use crate::config::Config;
use crate::event::Event;
use crate::seed::Generator;
use crate::stats::Stats;

/// Configuration, role, local candidates, random generator, queues for messages and events.
pub(crate) struct Context {
    pub(crate) config: Arc<Config>,
    pub(crate) role: IceRole,
    pub(crate) tie_breaker: u64,
    pub(crate) local_candidates: Vec<Candidate>,
    /// No more local candidates will be added.
    pub(crate) local_complete: bool,
    pub(crate) generator: Generator,
    pub(crate) outbox: Outbox,
    pub(crate) events: VecDeque<Event>,
    pub(crate) stats: Stats,
    /// The earliest time of a new check, by Ta.
    pub(crate) next_check: Instant,
}

impl Context {
    pub(crate) const fn claim(&self) -> Claim {
        Claim { role: self.role, tie_breaker: self.tie_breaker }
    }

    pub(crate) fn transaction_id(&mut self) -> TransactionId {
        TransactionId::from(self.generator.bytes::<12>())
    }

    pub(crate) fn emit(&mut self, event: Event) {
        tracing::debug!(?event);
        self.events.push_back(event);
    }

    /// RFC 8445 section 14.2 requires a pace of at least 5 ms.
    pub(crate) fn pacing(&self) -> Duration {
        self.config.pacing.max(Duration::from_millis(5))
    }

    /// Returns the best candidate at each base; the redundant ones would be pruned (RFC 8445 section 6.1.2.4).
    pub(crate) fn bases(&self) -> Vec<Candidate> {
        let mut bases: Vec<Candidate> = Vec::new();
        for candidate in &self.local_candidates {
            match bases.iter_mut().find(|known| known.base() == candidate.base()) {
                Some(known) if known.priority() >= candidate.priority() => {}
                Some(known) => *known = *candidate,
                None => bases.push(*candidate),
            }
        }
        bases
    }
}
