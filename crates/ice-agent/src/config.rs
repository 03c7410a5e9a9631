//! The configuration of ICE, with the limits on what a peer can grow.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::check::binding_policy::BindingPolicy;

/// The configuration of an agent. Any number of agents share it behind an [`Arc`].
///
/// Every field has a default, so `Config { lite: true, ..Config::default() }` suffices.
#[derive(Clone)]
pub struct Config {
    /// Whether this is a lite implementation, which answers checks and sends none (RFC 8445 section 2.5).
    pub lite: bool,
    /// Ta, the pace of new checks (RFC 8445 section 14.2); 50 ms. Less than 5 ms counts as 5 ms.
    pub pacing: Duration,
    /// The minimum RTO of a check (RFC 8445 section 14.3); 500 ms, and never less.
    pub initial_rto: Duration,
    /// The time for the first usable pair of a generation, counted from the remote parameters; 39.5 s, as RFC 8863
    /// section 4 requires before failure.
    pub patience: Duration,
    /// The time for which a controlling agent waits for a better pair before it nominates the best usable one; 100 ms.
    /// Data flows meanwhile.
    pub nomination_wait: Duration,
    /// The base period of consent checks; each interval is 0.8 to 1.2 times this. 5 s; RFC 7675 section 5.1 forbids
    /// less outside of tests.
    pub consent_interval: Duration,
    /// Consent expires this long after its last proof; 30 s. With `None` it never expires.
    pub consent_timeout: Option<Duration>,
    /// A lite agent fails after this long without an authenticated request, 30 s. With `None` it never does.
    pub liveness_timeout: Option<Duration>,
    /// The maximum time for which old credentials are answered after a restart has selected its pair; 3 s.
    pub drain: Duration,
    /// The policy that may refuse authenticated requests.
    pub binding_policy: Option<Arc<dyn BindingPolicy>>,
    /// The maximum size of a datagram that is processed, in bytes: 2048 leaves room for every attribute of a check.
    pub max_datagram: usize,
    /// The maximum number of local candidates: 32 exceeds the number of interfaces of a server.
    pub max_local_candidates: usize,
    /// The maximum number of remote candidates per generation, peer-reflexive ones included: 64.
    pub max_remote_candidates: usize,
    /// The maximum number of pairs per generation: 100, as RFC 8445 section 6.1.2.5 proposes.
    pub max_pairs: usize,
    /// The maximum number of early checks, before the remote parameters are set: 16, a second of Chromium's checks.
    pub max_early_checks: usize,
    /// The maximum number of pending transactions per pair: 8, as many as a consent timeout of 30 s can leave open.
    pub max_transactions_per_pair: usize,
    /// The maximum number of queued messages: 64. Further messages are dropped; checks are retransmitted.
    pub max_queued_transmits: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lite: false,
            pacing: Duration::from_millis(50),
            initial_rto: Duration::from_millis(500),
            patience: Duration::from_millis(39_500),
            nomination_wait: Duration::from_millis(100),
            consent_interval: Duration::from_secs(5),
            consent_timeout: Some(Duration::from_secs(30)),
            liveness_timeout: Some(Duration::from_secs(30)),
            drain: Duration::from_secs(3),
            binding_policy: None,
            max_datagram: 2048,
            max_local_candidates: 32,
            max_remote_candidates: 64,
            max_pairs: 100,
            max_early_checks: 16,
            max_transactions_per_pair: 8,
            max_queued_transmits: 64,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("lite", &self.lite)
            .field("consent_interval", &self.consent_interval)
            .field("consent_timeout", &self.consent_timeout)
            .field("binding_policy", &self.binding_policy.is_some())
            .finish_non_exhaustive()
    }
}
