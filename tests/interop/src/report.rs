//! The table: one row per cell, printed when the cell ends, and a one-line verdict at the end.
//!
//! Knows rows and the list of absent cells. Knows no peer.

use std::fs;
use std::io::Write as _;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::absent::Absent;

/// The results of a run with one peer so far.
pub(crate) struct Report {
    peer: &'static str,
    absent: Vec<Absent>,
    only: Option<String>,
    rows: Vec<Row>,
    left_out: usize,
}

/// One cell.
struct Row {
    role: String,
    scenario: String,
    outcome: Outcome,
    detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    Absent,
}

impl Report {
    pub(crate) fn new(peer: &'static str, absent: Vec<Absent>, only: Option<String>) -> Self {
        println!("{:<7} {:<8} {:<44} {:>7}  detail", peer, "we are", "scenario", "time");
        Self { peer, absent, only, rows: Vec::new(), left_out: 0 }
    }

    /// Runs one cell: `Err` says what failed and on which side. The notes that `play` adds are the detail.
    pub(crate) fn cell(
        &mut self,
        role: &str,
        scenario: &str,
        play: impl FnOnce(&mut Vec<String>) -> Result<(), String>,
    ) {
        if self.only.as_ref().is_some_and(|only| !format!("{role} {scenario}").contains(only.as_str())) {
            self.left_out += 1;
            return;
        }
        let started = Instant::now();
        let mut notes = Vec::new();
        // A panic of our code fails the cell, and the other cells still run.
        let result = panic::catch_unwind(AssertUnwindSafe(|| play(&mut notes)))
            .unwrap_or_else(|_| Err("our side panicked; standard error says where".into()));
        let listed = self.listed(role, scenario).map(|cell| cell.reason.clone());
        let (outcome, detail, more) = match (result, listed) {
            (Ok(()), None) => (Outcome::Passed, notes.join(", "), String::new()),
            (Ok(()), Some(_)) => {
                (Outcome::Failed, "absent.toml lists it, and it passes".to_owned(), String::new())
            }
            (Err(_), Some(reason)) => (Outcome::Absent, reason, String::new()),
            (Err(message), None) => {
                let (first, rest) = message.split_once('\n').unwrap_or((&message, ""));
                (Outcome::Failed, first.to_owned(), rest.to_owned())
            }
        };
        let took = format!("{:.2} s", started.elapsed().as_secs_f64());
        self.row(role, scenario, outcome, detail, &took);
        for line in more.lines() {
            println!("        | {line}");
        }
    }

    /// Ends the table, writes the rows, and returns whether no cell failed.
    pub(crate) fn finish(mut self, json: Option<&Path>) -> Result<bool, String> {
        // The table includes the listed cells that have no scenario.
        let unplayed: Vec<Absent> =
            self.absent.iter().filter(|cell| self.is_unplayed(cell)).cloned().collect();
        for cell in unplayed {
            self.row(&cell.role, &cell.scenario, Outcome::Absent, cell.reason, "-");
        }
        if let Some(path) = json {
            let rows = Value::Array(self.rows.iter().map(|row| row.json(self.peer)).collect());
            fs::write(path, format!("{rows:#}\n")).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        let count = |wanted| self.rows.iter().filter(|row| row.outcome == wanted).count();
        let (passed, failed, absent) =
            (count(Outcome::Passed), count(Outcome::Failed), count(Outcome::Absent));
        let left_out =
            if self.left_out > 0 { format!(", {} left out", self.left_out) } else { String::new() };
        println!("{}: {passed} passed, {failed} failed, {absent} cannot exist{left_out}", self.peer);
        Ok(failed == 0 && passed > 0)
    }

    fn listed(&self, role: &str, scenario: &str) -> Option<&Absent> {
        self.absent.iter().find(|cell| cell.is(self.peer, role, scenario))
    }

    fn is_unplayed(&self, cell: &Absent) -> bool {
        let played = |row: &Row| cell.is(self.peer, &row.role, &row.scenario);
        cell.peer == self.peer && self.only.is_none() && !self.rows.iter().any(played)
    }

    fn row(&mut self, role: &str, scenario: &str, outcome: Outcome, detail: String, took: &str) {
        println!("{:<7} {role:<8} {scenario:<44} {took:>7}  {detail}", outcome.word());
        let _ = std::io::stdout().flush();
        self.rows.push(Row { role: role.to_owned(), scenario: scenario.to_owned(), outcome, detail });
    }
}

impl Row {
    fn json(&self, peer: &str) -> Value {
        json!({
            "peer": peer,
            "role": self.role,
            "scenario": self.scenario,
            "outcome": self.outcome.word(),
            "detail": self.detail,
        })
    }
}

impl Outcome {
    const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "FAILED",
            Self::Absent => "absent",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let cell = |scenario: &str| Absent {
            peer: "peer".into(),
            role: "client".into(),
            scenario: scenario.into(),
            reason: "so".into(),
        };
        Report::new("peer", vec![cell("listed"), cell("unplayed")], None)
    }

    #[test]
    fn a_failed_cell_fails_the_run() {
        let mut report = report();
        report.cell("client", "good", |_| Ok(()));
        report.cell("client", "bad", |_| Err("no".into()));
        assert_eq!(report.finish(None), Ok(false));
    }

    #[test]
    fn a_listed_cell_may_fail_and_must_not_pass() {
        let mut lenient = report();
        lenient.cell("client", "good", |_| Ok(()));
        lenient.cell("client", "listed", |_| Err("no".into()));
        assert_eq!(lenient.finish(None), Ok(true));
        let mut stale = report();
        stale.cell("client", "listed", |_| Ok(()));
        assert_eq!(stale.finish(None), Ok(false));
    }

    #[test]
    fn a_cell_may_be_listed_for_both_roles() {
        let listed = Absent {
            peer: "peer".into(),
            role: "both".into(),
            scenario: "listed".into(),
            reason: "so".into(),
        };
        let mut report = Report::new("peer", vec![listed], None);
        report.cell("client", "good", |_| Ok(()));
        report.cell("client", "listed", |_| Err("no".into()));
        report.cell("server", "listed", |_| Err("no".into()));
        assert_eq!(report.finish(None), Ok(true));
    }

    #[test]
    fn a_panic_fails_its_cell() {
        let mut report = report();
        report.cell("client", "good", |_| Ok(()));
        report.cell("client", "bad", |_| panic!("on purpose"));
        assert_eq!(report.finish(None), Ok(false));
    }

    #[test]
    fn a_run_without_cells_is_not_a_success() {
        assert_eq!(report().finish(None), Ok(false));
    }
}
