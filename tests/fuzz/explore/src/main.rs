//! Runs one fuzz target under libFuzzer for some minutes. `cargo xtask fuzz` starts this program.
//!
//! Runs cargo-fuzz on a binary of `targets/`, starting from the committed corpus. New inputs that reach new code stay
//! in `found/`, which is not committed, so that the next run starts from them. An input that fails a check is copied
//! into the committed corpus, where `cargo test -p fuzz` replays it. This program does not know the checks of a target.

use std::{
    env, fs,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::Duration,
};

fn main() -> ExitCode {
    match explore() {
        Ok(verdict) => verdict,
        Err(reason) => {
            eprintln!("fuzz: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn explore() -> Result<ExitCode, String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let targets = targets(&root)?;
    let Some(Order { target, time }) = Order::read(&targets)? else {
        println!("{}", help(&targets));
        return Ok(ExitCode::SUCCESS);
    };
    check_tools()?;

    let outcome = run(&root, &target, time)?;
    let Outcome { runs, coverage, finds, success } = &outcome;
    let minutes = time.as_secs_f64() / 60.0;
    if finds.is_empty() && *success {
        println!("fuzz {target}: passed, {runs} runs in {minutes} min, coverage {coverage}, nothing found");
        return Ok(ExitCode::SUCCESS);
    }
    if finds.is_empty() {
        return Err("cargo fuzz did not come to an end; what it said is above".into());
    }
    for find in finds {
        let kept = keep(&root, &target, find)?;
        println!("found {}; `cargo test -p fuzz` replays it from now on", kept.display());
    }
    println!("fuzz {target}: FAILED, {} found after {runs} runs", finds.len());
    Ok(ExitCode::FAILURE)
}

/// The requested run.
struct Order {
    target: String,
    time: Duration,
}

impl Order {
    /// `None` where help is asked for.
    fn read(targets: &[String]) -> Result<Option<Self>, String> {
        let (mut target, mut minutes) = (None, 5.0_f64);
        let mut arguments = lexopt::Parser::from_env();
        while let Some(argument) = arguments.next().map_err(|error| error.to_string())? {
            match argument {
                lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return Ok(None),
                lexopt::Arg::Long("minutes") => {
                    let value = arguments.value().map_err(|error| error.to_string())?;
                    minutes = value
                        .to_str()
                        .and_then(|text| text.parse().ok())
                        .filter(|minutes| (0.01..=10_000.0).contains(minutes))
                        .ok_or("`--minutes` takes a number from 0.01 to 10000")?;
                }
                lexopt::Arg::Value(name) if target.is_none() => target = Some(name),
                other => return Err(other.unexpected().to_string()),
            }
        }
        let target = target.ok_or_else(|| help(targets))?;
        let target = targets.iter().find(|known| target == known.as_str()).ok_or_else(|| {
            format!("there is no target {}; there are {}", target.display(), targets.join(", "))
        })?;
        Ok(Some(Self { target: target.clone(), time: Duration::from_secs_f64(minutes * 60.0) }))
    }
}

fn help(targets: &[String]) -> String {
    format!(
        "Usage: cargo xtask fuzz TARGET [--minutes N]\n\nTargets: {}\nN is 5 where it is not given.",
        targets.join(", ")
    )
}

/// The names of the sources in `targets/`.
fn targets(root: &Path) -> Result<Vec<String>, String> {
    let folder = root.join("targets");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .map_err(|error| format!("{}: {error}", folder.display()))?
        .filter_map(|entry| entry.ok()?.path().file_stem()?.to_str().map(str::to_owned))
        .collect();
    names.sort();
    Ok(names)
}

/// cargo-fuzz needs a nightly compiler for libFuzzer's instrumentation.
fn check_tools() -> Result<(), String> {
    let missing = [
        (vec!["run", "nightly", "rustc", "--version"], "rustup toolchain install nightly"),
        (vec!["run", "nightly", "cargo", "fuzz", "--version"], "cargo install cargo-fuzz --locked"),
    ]
    .into_iter()
    .find(|(probe, _)| {
        let probe = rustup(probe).stdout(Stdio::null()).stderr(Stdio::null()).status();
        !probe.is_ok_and(|status| status.success())
    });
    missing.map_or(Ok(()), |(_, install)| Err(format!("a tool is missing; install it with `{install}`")))
}

/// rustup with the nightly toolchain, without the environment variables that the starting cargo set.
fn rustup(arguments: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command.args(arguments);
    for variable in ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTC", "RUSTDOC", "RUSTFLAGS"] {
        command.env_remove(variable);
    }
    command
}

/// The result of a libFuzzer run.
struct Outcome {
    runs: u64,
    coverage: String,
    /// Inputs that failed a check.
    finds: Vec<PathBuf>,
    success: bool,
}

fn run(root: &Path, target: &str, time: Duration) -> Result<Outcome, String> {
    let found = root.join("found").join(target);
    fs::create_dir_all(&found).map_err(|error| format!("{}: {error}", found.display()))?;
    let corpus = corpus(root, target);
    // No sanitizer: the project has no unsafe code, and a target runs twice as often without one.
    let mut child = rustup(&["run", "nightly", "cargo", "fuzz", "run", "--sanitizer", "none"])
        .args(["--features", "libfuzzer", "--fuzz-dir"])
        .args([root, Path::new(target), &found, &corpus])
        .args(["--", "-print_final_stats=1", "-timeout=20"])
        .arg(format!("-max_total_time={}", time.as_secs().max(1)))
        .current_dir(root)
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("rustup: {error}"))?;
    let mut outcome = Outcome { runs: 0, coverage: "unknown".into(), finds: Vec::new(), success: false };
    if let Some(report) = child.stderr.take() {
        for line in BufReader::new(report).lines().map_while(io::Result::ok) {
            eprintln!("{line}");
            outcome.note(root, &line);
        }
    }
    outcome.success = child.wait().map_err(|error| format!("cargo fuzz: {error}"))?.success();
    Ok(outcome)
}

impl Outcome {
    /// Reads the numbers from libFuzzer's report.
    fn note(&mut self, root: &Path, line: &str) {
        if let Some(runs) = line.strip_prefix("stat::number_of_executed_units:") {
            self.runs = runs.trim().parse().unwrap_or(self.runs);
        }
        if let Some((_, rest)) = line.split_once(" cov: ") {
            self.coverage = rest.split_whitespace().next().unwrap_or("unknown").to_owned();
        }
        if let Some((_, path)) = line.split_once("Test unit written to ") {
            self.finds.push(root.join(path.trim()));
        }
    }
}

/// Copies a failing input into the committed corpus.
fn keep(root: &Path, target: &str, find: &Path) -> Result<PathBuf, String> {
    let name = find.file_name().ok_or("a find without a name")?;
    let kept = corpus(root, target).join(name);
    fs::copy(find, &kept).map_err(|error| format!("{}: {error}", find.display()))?;
    Ok(kept)
}

/// The committed inputs of a target.
fn corpus(root: &Path, target: &str) -> PathBuf {
    root.parent().unwrap_or(root).join("corpus").join(target)
}
