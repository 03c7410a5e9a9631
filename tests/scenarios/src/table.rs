//! The table of results: one row for each scenario, as text and as JSON.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::scenarios::{Outcome, Scenario};

/// The result of one scenario over all of its seeds.
#[derive(Clone, Debug)]
pub struct Row {
    /// The scenario.
    pub scenario: &'static str,
    /// Its circumstances.
    pub subject: String,
    /// How many seeds were run.
    pub seeds: u64,
    /// How many runs passed.
    pub passed: u64,
    /// Median of the durations, in milliseconds of virtual time.
    pub median: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The first seed that failed, and the first line of its failure.
    pub first_failure: Option<(u64, String)>,
}

impl Row {
    /// Whether every run passed.
    #[must_use]
    pub const fn is_met(&self) -> bool {
        self.passed == self.seeds
    }
}

/// Runs a scenario with the seeds `0..seeds` on every processor.
#[must_use]
pub fn run(scenario: &Scenario, seeds: u64) -> Row {
    let next = AtomicU64::new(0);
    let seen = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        break;
                    }
                    let outcome = catch_unwind(AssertUnwindSafe(|| (scenario.run)(seed)));
                    let outcome = outcome.unwrap_or_else(|_| Err(format!("seed {seed}: panicked")));
                    seen.lock().unwrap_or_else(PoisonError::into_inner).push((seed, outcome));
                }
            });
        }
    });
    let mut seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    seen.sort_by_key(|(seed, _)| *seed);
    summarise(scenario, &seen)
}

fn summarise(scenario: &Scenario, seen: &[(u64, Outcome)]) -> Row {
    let mut took: Vec<f64> = seen.iter().filter_map(|(_, outcome)| outcome.as_ref().ok().copied()).collect();
    took.sort_by(f64::total_cmp);
    let first_failure = seen.iter().find_map(|(seed, outcome)| {
        let why = outcome.as_ref().err()?;
        Some((*seed, why.lines().next().unwrap_or_default().to_owned()))
    });
    Row {
        scenario: scenario.name,
        subject: scenario.subject.clone(),
        seeds: u64::try_from(seen.len()).unwrap_or(u64::MAX),
        passed: u64::try_from(took.len()).unwrap_or(u64::MAX),
        median: percentile(&took, 50),
        p99: percentile(&took, 99),
        first_failure,
    }
}

fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(rank).copied().unwrap_or_default()
}

/// One line of the table.
#[must_use]
pub fn line(row: &Row) -> String {
    let mut line = format!(
        "{:<18} {:<46} {:>5}/{:<5} {:>9.1} {:>9.1}  {}",
        row.scenario,
        row.subject,
        row.passed,
        row.seeds,
        row.median,
        row.p99,
        if row.is_met() { "met" } else { "NOT MET" }
    );
    if let Some((seed, why)) = &row.first_failure {
        let _ = write!(line, "\n    first at seed {seed}: {why}");
    }
    line
}

/// The heading of the table.
#[must_use]
pub fn heading() -> String {
    format!("{:<18} {:<46} {:>11} {:>9} {:>9}", "scenario", "circumstances", "passed", "median ms", "p99 ms")
}

/// The rows as JSON: `{figure, subject, value, unit, goal, met}`, two for each scenario.
#[must_use]
pub fn json(rows: &[Row]) -> String {
    let mut lines = Vec::new();
    for row in rows {
        let figure = escape(&format!("{}: {}", row.scenario, row.subject));
        lines.push(format!(
            "  {{\"figure\": \"{figure}\", \"subject\": \"ours\", \"value\": {}, \"unit\": \"seeds passed\", \
             \"goal\": {}, \"met\": {}}}",
            row.passed,
            row.seeds,
            row.is_met()
        ));
        lines.push(format!(
            "  {{\"figure\": \"{figure}, p99\", \"subject\": \"ours\", \"value\": {:.3}, \"unit\": \"ms\", \
             \"goal\": null, \"met\": null}}",
            row.p99
        ));
    }
    format!("[\n{}\n]\n", lines.join(",\n"))
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert!((percentile(&values, 50) - 50.0).abs() < f64::EPSILON);
        assert!((percentile(&values, 99) - 99.0).abs() < f64::EPSILON);
        assert!((percentile(&values[..1], 99) - 1.0).abs() < f64::EPSILON);
        assert!(percentile(&[], 50).abs() < f64::EPSILON);
    }

    #[test]
    fn one_bad_seed_fails_the_row_and_is_named() {
        let scenario = Scenario {
            name: "scenario",
            subject: "every third seed fails".into(),
            run: Box::new(
                |seed| if seed % 3 == 2 { Err(format!("seed {seed} \"fell\"\ntrace")) } else { Ok(1.0) },
            ),
        };
        let row = run(&scenario, 4);
        assert_eq!((row.passed, row.seeds, row.is_met()), (3, 4, false));
        assert_eq!(row.first_failure, Some((2, "seed 2 \"fell\"".into())));
        assert!(line(&row).contains("NOT MET"));
    }

    #[test]
    fn a_scenario_that_panics_fails_its_row() {
        let panics = |_| -> Outcome { panic!("on purpose") };
        let scenario = Scenario { name: "scenario", subject: String::new(), run: Box::new(panics) };
        assert_eq!(run(&scenario, 1).first_failure, Some((0, "seed 0: panicked".into())));
    }
}
