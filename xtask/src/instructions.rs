//! `cargo xtask bench --instructions`: compares instruction counts of a handshake and of a record with recorded ones.
//!
//! Times depend on the machine and its load; instruction counts of our own code hardly do. Callgrind counts them while
//! `tests/bench/src/bin/workload.rs` runs; `tests/bench/instructions.json` has the recorded counts. Only our own code
//! is compared, because ring and the C library select their code by the processor. A count that fell by more than the
//! tolerance fails too: without a new record, a later rise to the old count would pass.

mod callgrind;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use crate::command::Answer;
use crate::process::{self, Collected};
use crate::program::VALGRIND;
use crate::project::Project;
use callgrind::Instructions;

/// The tolerance of a count, in per cent of the recorded one.
const TOLERANCE: f64 = 3.0;

const RECORD: &str = "tests/bench/instructions.json";
const PROGRAM: &str = "workload";

/// The time limit of the build and of each count.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// The average of one workload.
struct Count {
    name: String,
    instructions: Instructions,
    recorded: Option<u64>,
}

/// The outcome of all workloads, as text.
struct Verdict {
    passed: bool,
    line: String,
    table: String,
}

/// Counts, and compares the counts with the recorded ones, or records them.
pub(crate) fn run(project: &Project, record: bool) -> Answer {
    let counts = count(project)?;
    let verdict = judge(&counts);
    print!("{}", verdict.table);
    if record {
        let figures: BTreeMap<_, _> =
            counts.iter().map(|count| (count.name.as_str(), count.instructions.ours)).collect();
        let text = serde_json::to_string_pretty(&json!(figures)).map_err(|error| error.to_string())?;
        std::fs::write(project.root.join(RECORD), text + "\n")
            .map_err(|error| format!("{RECORD}: {error}"))?;
        println!("instructions: recorded in {RECORD}");
        return Ok(ExitCode::SUCCESS);
    }
    println!("instructions: {}", verdict.line);
    Ok(if verdict.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn count(project: &Project) -> Result<Vec<Count>, String> {
    VALGRIND.provide(false)?;
    let target = project.target_directory()?;
    let mut build = project.cargo(&["build", "--release", "--locked", "--no-default-features"]);
    build.args(["--manifest-path", "tests/bench/Cargo.toml", "--bin", PROGRAM, "--target-dir"]).arg(&target);
    succeeded(process::collected(&mut build, LIMIT, |_| {})?)?;
    let program = target.join("release").join(PROGRAM);
    let recorded = recorded(project)?;
    let listing = process::stdout(&mut process::clean(&program))?;
    let workloads = listing.lines().filter_map(|line| line.split_once(' '));
    workloads
        .map(|(name, times)| {
            let times = times.parse().map_err(|error| format!("{PROGRAM}: {times}: {error}"))?;
            let sum = under_callgrind(&program, name, &target)?;
            let each = |sum: u64| sum / u64::max(times, 1);
            let Instructions { ours, ring, system } = sum;
            let instructions = Instructions { ours: each(ours), ring: each(ring), system: each(system) };
            Ok(Count { name: name.to_owned(), instructions, recorded: recorded.get(name).copied() })
        })
        .collect()
}

fn under_callgrind(program: &Path, workload: &str, target: &Path) -> Result<Instructions, String> {
    let file: PathBuf = target.join(format!("callgrind.{workload}"));
    let mut valgrind = process::clean(VALGRIND.name);
    valgrind
        .args(["--tool=callgrind", "--cache-sim=no", "--toggle-collect=*workload*measured*"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
        .arg(workload);
    succeeded(process::collected(&mut valgrind, LIMIT, |_| {})?)?;
    let output = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(callgrind::read(&output, PROGRAM))
}

fn succeeded(run: Collected) -> Result<(), String> {
    if run.success { Ok(()) } else { Err(run.output) }
}

fn recorded(project: &Project) -> Result<BTreeMap<String, u64>, String> {
    let text = std::fs::read_to_string(project.root.join(RECORD)).unwrap_or_else(|_| "{}".into());
    let figures: Value = serde_json::from_str(&text).map_err(|error| format!("{RECORD}: {error}"))?;
    let figures = figures.as_object().into_iter().flatten();
    Ok(figures.filter_map(|(name, figure)| Some((name.clone(), figure.as_u64()?))).collect())
}

fn judge(counts: &[Count]) -> Verdict {
    let mut table = format!(
        "{:<18} {:>10} {:>10} {:>8}  {:>10} {:>10}\n",
        "each", "ours", "recorded", "change", "ring", "system"
    );
    let mut off = Vec::new();
    for Count { name, instructions, recorded } in counts {
        let change = recorded.and_then(|recorded| change(instructions.ours, recorded));
        let shown = change.map_or_else(|| "-".into(), |change| format!("{change:+.1} %"));
        let known = recorded.map_or_else(|| "-".into(), |recorded| recorded.to_string());
        let Instructions { ours, ring, system } = instructions;
        let _ = writeln!(table, "{name:<18} {ours:>10} {known:>10} {shown:>8}  {ring:>10} {system:>10}");
        if change.is_none_or(|change| change.abs() > TOLERANCE) {
            off.push(format!("{name} {shown}"));
        }
    }
    let line = if off.is_empty() {
        format!("{} counts within {TOLERANCE} % of the recorded ones", counts.len())
    } else {
        format!("{}; to record an intended change: cargo xtask bench --instructions --record", off.join(", "))
    };
    Verdict { passed: off.is_empty() && !counts.is_empty(), line, table }
}

/// Returns the growth in per cent.
fn change(now: u64, recorded: u64) -> Option<f64> {
    let exact = |number: u64| u32::try_from(number).ok().map(f64::from);
    Some((exact(now)? - exact(recorded)?) * 100.0 / exact(recorded)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(ours: u64, recorded: Option<u64>) -> bool {
        let instructions = Instructions { ours, ..Instructions::default() };
        judge(&[Count { name: "record".into(), instructions, recorded }]).passed
    }

    #[test]
    fn three_per_cent_pass_and_four_fail() {
        for (ours, passes) in [(1_030, true), (970, true), (1_040, false), (960, false)] {
            assert_eq!(verdict(ours, Some(1_000)), passes, "{ours}");
        }
    }

    #[test]
    fn count_without_record_fails() {
        assert!(!verdict(1_000, None));
        assert!(!judge(&[]).passed);
    }
}
