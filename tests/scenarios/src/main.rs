//! Runs every scenario with many seeds and prints a table of the results.
//!
//! `--seeds N` (100), `--only TEXT` (scenarios whose row contains it), `--json PATH`. The exit status is 1 when a
//! scenario failed.

use std::process::ExitCode;
use std::time::Instant;

use ::scenarios::scenarios;
use ::scenarios::table::{self, Row};

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(what) => {
            eprintln!("{what}\nusage: scenarios [--seeds N] [--only TEXT] [--json PATH]");
            return ExitCode::from(2);
        }
    };
    // A panic becomes a row of the table; its message would break the table's layout.
    std::panic::set_hook(Box::new(|_| {}));
    let start = Instant::now();
    println!("{}", table::heading());
    let mut rows: Vec<Row> = Vec::new();
    for scenario in scenarios::all() {
        if !format!("{} {}", scenario.name, scenario.subject).contains(&arguments.only) {
            continue;
        }
        let row = table::run(&scenario, arguments.seeds);
        println!("{}", table::line(&row));
        rows.push(row);
    }
    if let Some(path) = &arguments.json
        && let Err(error) = std::fs::write(path, table::json(&rows))
    {
        eprintln!("cannot write {path}: {error}");
        return ExitCode::from(2);
    }
    let failed = rows.iter().filter(|row| !row.is_met()).count();
    let runs: u64 = rows.iter().map(|row| row.seeds).sum();
    let seconds = start.elapsed().as_secs_f64();
    if rows.is_empty() {
        println!("no scenario matches {:?}", arguments.only);
        ExitCode::from(2)
    } else if failed > 0 {
        println!("scenarios: {failed} of {} scenarios failed ({runs} runs in {seconds:.0} s)", rows.len());
        ExitCode::FAILURE
    } else {
        println!("scenarios: all {} scenarios passed ({runs} runs in {seconds:.0} s)", rows.len());
        ExitCode::SUCCESS
    }
}

struct Arguments {
    seeds: u64,
    only: String,
    json: Option<String>,
}

impl Arguments {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self { seeds: 100, only: String::new(), json: None };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--seeds" => {
                    arguments.seeds = value()?.parse().map_err(|_| "--seeds needs a number".to_owned())?;
                }
                "--only" => arguments.only = value()?,
                "--json" => arguments.json = Some(value()?),
                other => return Err(format!("unknown argument {other}")),
            }
        }
        Ok(arguments)
    }
}
