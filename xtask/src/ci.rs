//! `cargo xtask ci`: every check of the project, one line each with its time, and a verdict.
//!
//! Knows the selection of steps on the command line. [`steps`] has the steps themselves.

mod platforms;
mod steps;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use crate::command::{Answer, Command, unexpected};
use crate::interop::write_json;
use crate::long_runs;
use crate::process::ProgressLine;
use crate::project::Project;
use steps::{STEPS, Step};

pub(crate) const COMMAND: Command = Command {
    name: "ci",
    summary: "all checks before a commit is shared; one line per step with its time",
    help,
    run,
};

/// Receives the newest line of output, to show it.
type Progress<'a> = &'a dyn Fn(&str);

/// The outcome of a step.
pub(crate) enum Outcome {
    Passed(String),
    /// This machine cannot run the step, for this reason. The line prints it; it is no failure.
    NotChecked(String),
    Failed {
        detail: String,
        output: String,
    },
}

/// The options of the command line.
#[derive(Default)]
struct Request {
    only: Vec<String>,
    skip: Vec<String>,
    json: Option<PathBuf>,
}

/// One line of the summary.
struct Row {
    step: &'static str,
    outcome: Outcome,
    took: Duration,
}

fn help() -> String {
    let mut text = String::from(
        "Usage: cargo xtask ci [--only STEP].. [--skip STEP].. [--json PATH]\n\nSteps in order:\n",
    );
    for step in STEPS {
        let _ = writeln!(text, "  {:<18} {}", step.name, step.summary);
    }
    text.push_str(
        "
  --only STEP    runs only this step; may be given several times
  --skip STEP    leaves this step out; may be given several times
  --json PATH    writes the rows as {step, outcome, seconds, detail}

`interop` means every interop step. A failed step shows its output, and the other steps still run. A step that
the machine cannot run, such as a platform without its target, prints the reason on its line.
The exit status is 0 only if no step failed. The last lines list the long forms of the commands, which are
started by hand, with the date of their last passed run.
",
    );
    text
}

fn run(project: &Project, arguments: Vec<OsString>) -> Answer {
    let request = Request::parse(arguments)?;
    let mut rows = Vec::new();
    for step in STEPS.iter().filter(|step| request.wants(step.name)) {
        let line = ProgressLine::start(format!("{:<18}", step.name));
        let outcome = step.run(project, &|newest| line.show(newest)).unwrap_or_else(|message| {
            Outcome::Failed { detail: message.lines().next().unwrap_or_default().to_owned(), output: message }
        });
        let took = line.finish(&outcome.line());
        if let Outcome::Failed { output, detail } = &outcome
            && output.trim() != detail
        {
            show_output(step, output);
        }
        rows.push(Row { step: step.name, outcome, took });
    }
    if let Some(path) = &request.json {
        write_json(path, &Value::Array(rows.iter().map(Row::json).collect()))?;
    }
    print!("\n{}", long_runs::summary(project)?);
    Ok(verdict(&rows, &request))
}

impl Request {
    fn parse(arguments: Vec<OsString>) -> Result<Self, String> {
        let mut request = Self::default();
        let mut parser = lexopt::Parser::from_args(arguments);
        while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
            let owned = match argument {
                lexopt::Arg::Long(word @ ("only" | "skip" | "json")) => word.to_owned(),
                other => return Err(unexpected("ci", &other)),
            };
            let value = parser.value().map_err(|error| error.to_string())?;
            if owned == "json" {
                request.json = Some(value.into());
                continue;
            }
            let name = value.to_string_lossy().into_owned();
            if !STEPS.iter().any(|step| is_named(step.name, &name)) {
                let names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
                return Err(format!("unknown step `{name}`; the steps are {}", names.join(", ")));
            }
            if owned == "only" { request.only.push(name) } else { request.skip.push(name) }
        }
        Ok(request)
    }

    fn wants(&self, step: &str) -> bool {
        let named = |names: &[String]| names.iter().any(|name| is_named(step, name));
        (self.only.is_empty() || named(&self.only)) && !named(&self.skip)
    }
}

/// Returns whether `name` selects the step: `interop` selects `interop-openssl` and each other `interop-` step.
fn is_named(step: &str, name: &str) -> bool {
    step == name || step.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))
}

impl Outcome {
    fn line(&self) -> String {
        match self {
            Self::Passed(detail) => format!("ok    {detail}"),
            Self::NotChecked(detail) => format!("-     {detail}"),
            Self::Failed { detail, .. } => format!("FAIL  {detail}"),
        }
    }
}

impl Row {
    fn json(&self) -> Value {
        let (outcome, detail) = match &self.outcome {
            Outcome::Passed(detail) => ("passed", detail),
            Outcome::NotChecked(detail) => ("not checked", detail),
            Outcome::Failed { detail, .. } => ("failed", detail),
        };
        let tenths = (self.took.as_secs_f64() * 10.0).round() / 10.0;
        json!({ "step": self.step, "outcome": outcome, "seconds": tenths, "detail": detail })
    }
}

fn show_output(step: &Step, output: &str) {
    println!("\n---- output of {} ----", step.name);
    println!("{}", output.trim_end());
    println!("---- end of {}; alone: cargo xtask ci --only {} ----\n", step.name, step.name);
}

fn verdict(rows: &[Row], request: &Request) -> ExitCode {
    let took: Duration = rows.iter().map(|row| row.took).sum();
    let names = |wanted: fn(&Outcome) -> bool| -> Vec<&str> {
        rows.iter().filter(|row| wanted(&row.outcome)).map(|row| row.step).collect()
    };
    let failed = names(|outcome| matches!(outcome, Outcome::Failed { .. }));
    let unchecked = names(|outcome| matches!(outcome, Outcome::NotChecked(_)));
    let left_out: Vec<_> = STEPS.iter().map(|step| step.name).filter(|name| !request.wants(name)).collect();
    let mut line = format!("{} of {} steps passed", rows.len() - failed.len() - unchecked.len(), rows.len());
    for (what, steps) in [("failed", &failed), ("not checked here", &unchecked), ("left out", &left_out)] {
        if !steps.is_empty() {
            let _ = write!(line, "; {what}: {}", steps.join(", "));
        }
    }
    println!("\nci: {line}; {:.0} s", took.as_secs_f64());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(words: &[&str]) -> Result<Request, String> {
        Request::parse(words.iter().map(Into::into).collect())
    }

    #[test]
    fn every_step_runs_by_default() {
        let request = request(&[]).unwrap();
        assert!(STEPS.iter().all(|step| request.wants(step.name)));
    }

    #[test]
    fn prefix_skips_a_family_of_steps() {
        let request = request(&["--skip", "interop"]).unwrap();
        assert!(
            !request.wants("interop-openssl") && !request.wants("interop-chromium") && request.wants("tests")
        );
    }

    #[test]
    fn skip_overrides_only() {
        let request = request(&["--only", "tests", "--only", "docs", "--skip", "docs"]).unwrap();
        assert!(request.wants("tests") && !request.wants("docs") && !request.wants("clippy"));
    }

    #[test]
    fn unknown_step_lists_the_known_ones() {
        assert!(request(&["--only", "testing"]).is_err_and(|message| message.contains("tests")));
    }
}
