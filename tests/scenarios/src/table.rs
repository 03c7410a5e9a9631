//! The table of results: one row for each story, for people and as JSON.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::stories::{Outcome, Story};

/// What became of one story over all of its seeds.
#[derive(Clone, Debug)]
pub struct Row {
    /// The story.
    pub story: &'static str,
    /// Its circumstances.
    pub subject: String,
    /// How many seeds were told.
    pub seeds: u64,
    /// How many went as they must.
    pub kept: u64,
    /// Median of what they took, in milliseconds of virtual time.
    pub median: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The first seed that did not, and its first words.
    pub first_failure: Option<(u64, String)>,
}

impl Row {
    /// Whether every seed went as it must.
    #[must_use]
    pub const fn is_met(&self) -> bool {
        self.kept == self.seeds
    }
}

/// Tells a story with the seeds `0..seeds` on every processor.
#[must_use]
pub fn tell(story: &Story, seeds: u64) -> Row {
    let next = AtomicU64::new(0);
    let told = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        break;
                    }
                    let outcome = catch_unwind(AssertUnwindSafe(|| (story.tell)(seed)));
                    let outcome = outcome.unwrap_or_else(|_| Err(format!("seed {seed}: panicked")));
                    told.lock().unwrap_or_else(PoisonError::into_inner).push((seed, outcome));
                }
            });
        }
    });
    let mut told = told.into_inner().unwrap_or_else(PoisonError::into_inner);
    told.sort_by_key(|(seed, _)| *seed);
    summarise(story, &told)
}

fn summarise(story: &Story, told: &[(u64, Outcome)]) -> Row {
    let mut took: Vec<f64> = told.iter().filter_map(|(_, outcome)| outcome.as_ref().ok().copied()).collect();
    took.sort_by(f64::total_cmp);
    let first_failure = told.iter().find_map(|(seed, outcome)| {
        let why = outcome.as_ref().err()?;
        Some((*seed, why.lines().next().unwrap_or_default().to_owned()))
    });
    Row {
        story: story.name,
        subject: story.subject.clone(),
        seeds: u64::try_from(told.len()).unwrap_or(u64::MAX),
        kept: u64::try_from(took.len()).unwrap_or(u64::MAX),
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
        row.story,
        row.subject,
        row.kept,
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

/// The line above the table.
#[must_use]
pub fn heading() -> String {
    format!("{:<18} {:<46} {:>11} {:>9} {:>9}", "story", "circumstances", "kept", "median ms", "p99 ms")
}

/// The rows as JSON: `{figure, subject, value, unit, goal, met}`, two for each story.
#[must_use]
pub fn json(rows: &[Row]) -> String {
    let mut lines = Vec::new();
    for row in rows {
        let figure = escape(&format!("{}: {}", row.story, row.subject));
        lines.push(format!(
            "  {{\"figure\": \"{figure}\", \"subject\": \"ours\", \"value\": {}, \"unit\": \"seeds kept\", \
             \"goal\": {}, \"met\": {}}}",
            row.kept,
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
        let story = Story {
            name: "story",
            subject: "every third seed fails".into(),
            tell: Box::new(
                |seed| if seed % 3 == 2 { Err(format!("seed {seed} \"fell\"\ntrace")) } else { Ok(1.0) },
            ),
        };
        let row = tell(&story, 4);
        assert_eq!((row.kept, row.seeds, row.is_met()), (3, 4, false));
        assert_eq!(row.first_failure, Some((2, "seed 2 \"fell\"".into())));
        assert!(line(&row).contains("NOT MET"));
    }

    #[test]
    fn a_story_that_panics_is_a_row_that_failed() {
        let tell_it = |_| -> Outcome { panic!("on purpose") };
        let story = Story { name: "story", subject: String::new(), tell: Box::new(tell_it) };
        assert_eq!(tell(&story, 1).first_failure, Some((0, "seed 0: panicked".into())));
    }
}
