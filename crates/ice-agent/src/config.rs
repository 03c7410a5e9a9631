//! What an application may decide about ICE, with the bounds on what a peer can grow.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::hook::BindingPolicy;

/// How an agent behaves. Shared by any number of agents behind an [`Arc`].
///
/// Every field has a reasoned default, so `Config { lite: true, ..Config::default() }` reads well.
#[derive(Clone)]
pub struct Config {
    /// Whether this is a lite implementation: answers checks and sends none (RFC 8445 section 2.5).
    pub lite: bool,
    /// Ta, the pace of new checks (RFC 8445 section 14.2); 50 ms. Shorter than 5 ms is treated as 5 ms.
    pub pacing: Duration,
    /// The smallest RTO of a check (RFC 8445 section 14.3); 500 ms, and never less.
    pub initial_rto: Duration,
    /// How long a generation looks for its first usable pair once it knows the peer's parameters.
    /// RFC 8863 section 4 asks for 39.5 s before giving up, which is the default.
    pub patience: Duration,
    /// How long a controlling agent waits for a better pair before it nominates the best usable one; 100 ms.
    /// Data flows meanwhile.
    pub nomination_wait: Duration,
    /// The basic period of consent checks; each is 0.8 to 1.2 times this. 5 s, and RFC 7675 section 5.1 allows no
    /// less outside of tests.
    pub consent_interval: Duration,
    /// How long after the last proof consent expires; 30 s. `None` never lets it expire.
    pub consent_timeout: Option<Duration>,
    /// How long a lite agent believes in a peer without an authenticated request, 30 s. `None` always does.
    pub liveness_timeout: Option<Duration>,
    /// How long old credentials are answered after a restart has selected its pair, at most; 3 s.
    pub drain: Duration,
    /// May refuse authenticated requests.
    pub binding_policy: Option<Arc<dyn BindingPolicy>>,
    /// Largest datagram that is looked at, in bytes: 2048 leaves room for every attribute of a check.
    pub max_datagram: usize,
    /// Most local candidates: 32 is more than an interface list of a server.
    pub max_local_candidates: usize,
    /// Most candidates of the peer per generation, learnt ones included: 64.
    pub max_remote_candidates: usize,
    /// Most pairs per generation: 100 as RFC 8445 section 6.1.2.5 proposes.
    pub max_pairs: usize,
    /// Most checks that are remembered while the peer's parameters are unknown: 16, a second of Chromium.
    pub max_early_checks: usize,
    /// Most transactions that are awaited for one pair: 8 is what a consent timeout of 30 s can leave open.
    pub max_transactions_per_pair: usize,
    /// Most outgoing messages that wait for `poll_transmit`: 64. More are not sent; checks are repeated.
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
