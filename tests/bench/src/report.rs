//! The rows of a run: a table for people, JSON for machines, one line of verdict.

use std::fmt::Write;
use std::process::ExitCode;

use crate::measure::Outcome;

/// One figure of one subject.
struct Row {
    figure: String,
    subject: &'static str,
    value: f64,
    unit: &'static str,
    /// The highest value that meets the goal; `None` for a figure without a goal.
    goal: Option<f64>,
}

impl Row {
    /// Compares the printed value: a value that rounds to its goal meets it.
    fn met(&self) -> Option<bool> {
        self.goal.map(|goal| rounded(self.value, self.unit) <= goal)
    }
}

/// All figures of a run.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

/// The name of our own subject in every figure.
pub(crate) const OURS: &str = "ours";
/// The name of the primitives that our code is built from.
pub(crate) const BARE: &str = "bare";
/// The unit of a time divided by another time.
const RATIO: &str = "x";

impl Report {
    /// The times of a comparison. `to_bare` and `to_peers` are the highest ratios allowed to the bare primitives and to
    /// each other library; a library that does not take part is skipped.
    pub(crate) fn compare(
        &mut self,
        figure: &str,
        outcome: &Outcome,
        to_bare: Option<f64>,
        to_peers: impl IntoIterator<Item = (&'static str, f64)>,
    ) {
        for (subject, value) in outcome.medians() {
            self.row(figure.to_owned(), subject, value, "ns", None);
        }
        let goals = to_bare.map(|goal| (BARE, goal)).into_iter().chain(to_peers);
        for (base, goal) in goals {
            if let Some(ratio) = outcome.ratio(OURS, base) {
                self.row(format!("{figure}, to {base}"), OURS, ratio, RATIO, Some(goal));
            }
        }
    }

    /// The ratio of one part of the work to the bare primitives, without a goal.
    pub(crate) fn share(&mut self, figure: &str, outcome: &Outcome, part: &'static str, base: &'static str) {
        if let Some(ratio) = outcome.ratio(part, base) {
            self.row(format!("{figure}, to {base}"), part, ratio, RATIO, None);
        }
    }

    /// An exact figure of ours that must not exceed `goal`.
    pub(crate) fn exact(
        &mut self,
        figure: String,
        value: u64,
        unit: &'static str,
        goal: impl Into<Option<u64>>,
    ) {
        self.row(figure, OURS, exact(value), unit, goal.into().map(exact));
    }

    /// An exact figure of a peer, to compare ours with.
    pub(crate) fn compared(&mut self, figure: String, peer: &'static str, value: u64, unit: &'static str) {
        self.row(figure, peer, exact(value), unit, None);
    }

    fn row(
        &mut self,
        figure: String,
        subject: &'static str,
        value: f64,
        unit: &'static str,
        goal: Option<f64>,
    ) {
        self.rows.push(Row { figure, subject, value, unit, goal });
    }

    /// Prints the table. The column `met` is empty for ratios of times unless `times` is set.
    pub(crate) fn print(&self, times: bool) {
        println!("{:<60} {:<9} {:>12} {:<9} {:>8}  met", "figure", "subject", "value", "unit", "at most");
        for row in &self.rows {
            let goal = row.goal.map_or_else(|| "-".to_owned(), |goal| shown(goal, row.unit));
            let judged = times || row.unit != RATIO;
            let met = row.met().filter(|_| judged).map_or("", |met| if met { "yes" } else { "NO" });
            let value = shown(row.value, row.unit);
            println!("{:<60} {:<9} {value:>12} {:<9} {goal:>8}  {met}", row.figure, row.subject, row.unit);
        }
    }

    pub(crate) fn to_json(&self, times: bool) -> String {
        let mut json = "[".to_owned();
        for (i, row) in self.rows.iter().enumerate() {
            let separator = if i == 0 { "" } else { "," };
            let value = rounded(row.value, row.unit);
            let goal = row.goal.map_or_else(|| "null".to_owned(), |goal| goal.to_string());
            let judged = times || row.unit != RATIO;
            let met = row.met().filter(|_| judged).map_or_else(|| "null".to_owned(), |met| met.to_string());
            // Figures, subjects and units are constants of this program without quotes or backslashes.
            let _ = write!(
                json,
                "{separator}\n  {{\"figure\": \"{}\", \"subject\": \"{}\", \"value\": {value}, \"unit\": \"{}\", \
                 \"goal\": {goal}, \"met\": {met}}}",
                row.figure, row.subject, row.unit,
            );
        }
        json.push_str("\n]\n");
        json
    }

    /// Prints one line with the outcome, and returns success if every goal was met. Ratios of times count only if
    /// `times` is set; exact figures always count.
    pub(crate) fn verdict(&self, times: bool) -> ExitCode {
        let counts = |row: &&Row| row.goal.is_some() && (times || row.unit != RATIO);
        let goals = self.rows.iter().filter(counts).count();
        let missed: Vec<&str> = self
            .rows
            .iter()
            .filter(counts)
            .filter(|row| row.met() == Some(false))
            .map(|row| row.figure.as_str())
            .collect();
        if missed.is_empty() {
            let rest = if times { "" } else { "; times are not compared with their goals in so few rounds" };
            println!("bench: all {goals} goals met{rest}");
            ExitCode::SUCCESS
        } else {
            println!("bench: {} of {goals} goals missed: {}", missed.len(), missed.join("; "));
            ExitCode::FAILURE
        }
    }
}

fn exact(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

fn rounded(value: f64, unit: &str) -> f64 {
    let steps = if unit == RATIO { 100.0 } else { 10.0 };
    (value * steps).round() / steps
}

fn shown(value: f64, unit: &str) -> String {
    match unit {
        RATIO => format!("{value:.2}"),
        "ns" => format!("{value:.1}"),
        _ => format!("{value}"),
    }
}
