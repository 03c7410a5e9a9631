//! Tells every story with many seeds and prints what became of them.
//!
//! `--seeds N` (100), `--only TEXT` (stories whose row contains it), `--json PATH`. Exit status 1 where a story did
//! not go as it must.

use std::process::ExitCode;
use std::time::Instant;

use scenarios::stories;
use scenarios::table::{self, Row};

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(what) => {
            eprintln!("{what}\nusage: scenarios [--seeds N] [--only TEXT] [--json PATH]");
            return ExitCode::from(2);
        }
    };
    // A story that panics is a row of the table; its message would only tear the table apart.
    std::panic::set_hook(Box::new(|_| {}));
    let start = Instant::now();
    println!("{}", table::heading());
    let mut rows: Vec<Row> = Vec::new();
    for story in stories::all() {
        if !format!("{} {}", story.name, story.subject).contains(&arguments.only) {
            continue;
        }
        let row = table::tell(&story, arguments.seeds);
        println!("{}", table::line(&row));
        rows.push(row);
    }
    if let Some(path) = &arguments.json
        && let Err(error) = std::fs::write(path, table::json(&rows))
    {
        eprintln!("cannot write {path}: {error}");
        return ExitCode::from(2);
    }
    let short = rows.iter().filter(|row| !row.is_met()).count();
    let told: u64 = rows.iter().map(|row| row.seeds).sum();
    let seconds = start.elapsed().as_secs_f64();
    if rows.is_empty() {
        println!("no story is called {:?}", arguments.only);
        ExitCode::from(2)
    } else if short > 0 {
        println!("scenarios: {short} of {} stories fell short ({told} told in {seconds:.0} s)", rows.len());
        ExitCode::FAILURE
    } else {
        println!("scenarios: all {} stories went as they must ({told} told in {seconds:.0} s)", rows.len());
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
