//! Benchmarks, side by side: our code, the bare primitives as a lower bound, and other libraries.
//!
//! `cargo xtask bench [SUITE..] [--rounds N] [--json PATH]`, where a suite is `srtp`, `stun` or `dtls`; all of them
//! without one. Subjects take turns within a round, so that a busy machine slows all of them, and a ratio is the median
//! of the ratios of the rounds. Figures other than times (allocations, disagreements) are exact.
//!
//! Prints a table, ends with a one-line verdict, and exits with a status other than 0 when a goal was missed.

mod allocations;
mod dtls_suite;
mod measure;
mod report;
mod srtp_suite;
mod stun_suite;

use std::process::ExitCode;

use measure::Effort;
use report::Report;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\nusage: bench [srtp] [stun] [dtls] [--rounds N] [--json PATH]");
            return ExitCode::from(2);
        }
    };
    let mut report = Report::default();
    for suite in SUITES {
        if options.suites.is_empty() || options.suites.iter().any(|name| name == suite.name) {
            (suite.run)(options.effort, &mut report);
        }
    }
    report.print(options.effort.judges_times());
    if let Some(path) = options.json
        && let Err(error) = std::fs::write(&path, report.to_json(options.effort.judges_times()))
    {
        eprintln!("{path}: {error}");
        return ExitCode::FAILURE;
    }
    report.verdict(options.effort.judges_times())
}

struct Suite {
    name: &'static str,
    run: fn(Effort, &mut Report),
}

const SUITES: &[Suite] = &[
    Suite { name: "srtp", run: srtp_suite::run },
    Suite { name: "stun", run: stun_suite::run },
    Suite { name: "dtls", run: dtls_suite::run },
];

struct Options {
    suites: Vec<String>,
    effort: Effort,
    json: Option<String>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { suites: Vec::new(), effort: Effort::default(), json: None };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--json" => options.json = Some(arguments.next().ok_or("--json takes a path")?),
                "--rounds" => {
                    let rounds =
                        arguments.next().and_then(|text| text.parse().ok()).filter(|rounds| *rounds > 0);
                    options.effort = Effort { rounds: rounds.ok_or("--rounds takes a number from 1")? };
                }
                name if SUITES.iter().any(|suite| suite.name == name) => options.suites.push(argument),
                _ => return Err(format!("unknown argument: {argument}")),
            }
        }
        Ok(options)
    }
}
