//! The scenarios: each is a function of a seed that returns a duration in milliseconds, or the failure.

pub mod connect;
pub mod consent;
pub mod paths;
pub mod random_datagrams;
pub mod restart;

use dtls_core::Versions;

/// The duration of the decisive part in milliseconds of virtual time; or the failure, with the trace.
pub type Outcome = Result<f64, String>;

/// One row of the table.
pub struct Scenario {
    /// The subject of the scenario.
    pub name: &'static str,
    /// The circumstances.
    pub subject: String,
    /// Runs it with a seed.
    pub run: Box<dyn Fn(u64) -> Outcome + Send + Sync>,
}

impl Scenario {
    fn new(
        name: &'static str,
        subject: impl Into<String>,
        run: impl Fn(u64) -> Outcome + Send + Sync + 'static,
    ) -> Self {
        Self { name, subject: subject.into(), run: Box::new(run) }
    }
}

/// All scenarios.
#[must_use]
pub fn all() -> Vec<Scenario> {
    let mut scenarios = connect::scenarios();
    scenarios.extend(paths::scenarios());
    scenarios.extend(restart::scenarios());
    scenarios.extend(consent::scenarios());
    scenarios.extend(random_datagrams::scenarios());
    scenarios
}

/// The loss rates of the scenarios.
pub const LOSSES: [f64; 3] = [0.0, 0.1, 0.3];

/// The versions of the scenarios, by name.
const VERSIONS: [(&str, Versions); 2] = [("1.2", Versions::Dtls12), ("1.3", Versions::Dtls13)];

fn percent(loss: f64) -> String {
    format!("{:.0}% loss", loss * 100.0)
}

fn millis(duration: std::time::Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
