//! The stories: each a function of a seed that says in milliseconds how long it took, or what went wrong.

pub mod connect;
pub mod consent;
pub mod hostile;
pub mod restart;
pub mod roads;

use dtls_core::Versions;

/// How long the decisive part took, in milliseconds of virtual time; or what went wrong, with the trace.
pub type Outcome = Result<f64, String>;

/// One row of the table.
pub struct Story {
    /// What it is about.
    pub name: &'static str,
    /// Under which circumstances.
    pub subject: String,
    /// Tells it.
    pub tell: Box<dyn Fn(u64) -> Outcome + Send + Sync>,
}

impl Story {
    fn new(
        name: &'static str,
        subject: impl Into<String>,
        tell: impl Fn(u64) -> Outcome + Send + Sync + 'static,
    ) -> Self {
        Self { name, subject: subject.into(), tell: Box::new(tell) }
    }
}

/// Every story there is.
#[must_use]
pub fn all() -> Vec<Story> {
    let mut stories = connect::stories();
    stories.extend(roads::stories());
    stories.extend(restart::stories());
    stories.extend(consent::stories());
    stories.extend(hostile::stories());
    stories
}

/// The rates of loss at which stories are told.
pub const LOSSES: [f64; 3] = [0.0, 0.1, 0.3];

/// The versions that stories tell apart, by name.
const VERSIONS: [(&str, Versions); 2] = [("1.2", Versions::Dtls12), ("1.3", Versions::Dtls13)];

fn percent(loss: f64) -> String {
    format!("{:.0}% loss", loss * 100.0)
}

fn millis(duration: std::time::Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
