//! The steps of `cargo xtask ci`: cheap checks first, then the builds, then the slow programs.
//!
//! Knows the commands. Does not decide which steps run.

use std::process::Command;
use std::time::Duration;

use super::platforms;
use super::{Outcome, Progress};
use crate::program::{CARGO_DENY, CARGO_FUZZ, VALGRIND};
use crate::project::Project;
use crate::{interop, process};

/// One line of the summary.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    run: Run,
}

/// The work of a step.
enum Run {
    Check(fn(&Project, Progress<'_>) -> Result<Outcome, String>),
    /// `cargo xtask` with these words; its last line is the verdict.
    Task(&'static [&'static str]),
    /// The peer of this name in [`interop::PEERS`].
    Peer(&'static str),
}

impl Step {
    const fn check(
        name: &'static str,
        summary: &'static str,
        check: fn(&Project, Progress<'_>) -> Result<Outcome, String>,
    ) -> Self {
        Self { name, summary, run: Run::Check(check) }
    }

    const fn task(name: &'static str, summary: &'static str, words: &'static [&'static str]) -> Self {
        Self { name, summary, run: Run::Task(words) }
    }

    const fn peer(name: &'static str, summary: &'static str, peer: &'static str) -> Self {
        Self { name, summary, run: Run::Peer(peer) }
    }

    /// Runs the step.
    pub(crate) fn run(&self, project: &Project, progress: Progress<'_>) -> Result<Outcome, String> {
        match self.run {
            Run::Check(check) => check(project, progress),
            Run::Task(words) => judged(task(project, words), progress),
            Run::Peer(name) => {
                interop::find(name)?.provide(false)?;
                judged(task(project, &["interop", name]), progress)
            }
        }
    }
}

pub(crate) const STEPS: &[Step] = &[
    Step::check("format", "cargo fmt --check, in the separate workspaces too", format),
    Step::task("tidy", "cargo xtask tidy", &["tidy"]),
    Step::task("spec", "cargo xtask spec: each MUST has a test or a reason", &["spec"]),
    Step::check("deny", "cargo xtask deny: licences, duplicates, sources", deny),
    Step::check("help", "cargo xtask COMMAND --help for every command", help),
    Step::check("clippy", "all targets, warnings denied", clippy),
    Step::check("docs", "cargo doc without a warning", docs),
    Step::task("api", "cargo xtask api", &["api"]),
    Step::check("tests", "cargo test --workspace, doctests included", tests),
    Step::check("echo", "the first example: cargo run -p peer-transport-tokio --example echo", echo),
    Step::task("demo", "cargo xtask demo", &["demo"]),
    Step::task("scenarios", "cargo xtask scenarios --seeds 2", &["scenarios", "--seeds", "2"]),
    Step::peer("interop-openssl", "cargo xtask interop openssl", "openssl"),
    Step::peer("interop-gnutls", "cargo xtask interop gnutls", "gnutls"),
    Step::peer("interop-dimpl", "cargo xtask interop dimpl", "dimpl"),
    Step::peer("interop-pion", "cargo xtask interop pion", "pion"),
    Step::peer("interop-chromium", "cargo xtask interop chromium", "chromium"),
    Step::peer("interop-firefox", "cargo xtask interop firefox", "firefox"),
    Step::peer("interop-tshark", "cargo xtask interop tshark", "tshark"),
    Step::check("satellites", "cargo check of the separate workspaces", satellites),
    Step::check("backend", "clippy and tests of the cryptographic crates with aws-lc-rs", backend),
    Step::check("lean", "clippy and tests without default features; cargo tree has no stun-rs", lean),
    Step::check("instructions", "cargo xtask bench --instructions", instructions),
    Step::task("bench", "cargo xtask bench --rounds 1; times are not judged", &["bench", "--rounds", "1"]),
    Step::check("fuzz", "cargo xtask fuzz for seconds, where nightly and cargo-fuzz are installed", fuzz),
    Step::task("package", "cargo xtask package", &["package"]),
    Step::check("platforms", "cargo check for the installed targets", platforms::step),
];

/// The time limit of one step. No step needs as much, even without a build cache on two cores.
const LIMIT: Duration = Duration::from_secs(20 * 60);

fn format(project: &Project, progress: Progress<'_>) -> Result<Outcome, String> {
    let mut commands = vec![project.cargo(&["fmt", "--all", "--check", "--", "--color", "never"])];
    for folder in project.satellites() {
        let manifest = format!("{folder}/Cargo.toml");
        commands.push(project.cargo(&[
            "fmt",
            "--check",
            "--manifest-path",
            &manifest,
            "--",
            "--color",
            "never",
        ]));
    }
    in_turn(commands, progress, "all formatted", "cargo fmt --all would change files")
}

fn deny(project: &Project, progress: Progress<'_>) -> Result<Outcome, String> {
    CARGO_DENY.provide(false)?;
    in_turn(vec![task(project, &["deny"])], progress, "bans, licenses, sources", "deny.toml is violated")
}

fn help(project: &Project, progress: Progress<'_>) -> Result<Outcome, String> {
    let overview = process::stdout(&mut task(project, &["--help"]))?;
    let commands: Vec<_> = listed_commands(&overview).map(|name| task(project, &[name, "--help"])).collect();
    let good = format!("{} commands", commands.len());
    if commands.is_empty() {
        return Err("`cargo xtask --help` lists no command".into());
    }
    in_turn(commands, progress, &good, "a command without help")
}

/// The first words of the lines below `Commands:`.
fn listed_commands(overview: &str) -> impl Iterator<Item = &str> {
    let lines = overview.lines().skip_while(|line| *line != "Commands:").skip(1);
    lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next())
}

fn echo(project: &Project, progress: Progress<'_>) -> Result<Outcome, String> {
    let example = project.cargo(&["run", "--quiet", "-p", "peer-transport-tokio", "--example", "echo"]);
    in_turn(vec![example], progress, "RTP and data came back", "the example failed")
}

fn instructions(project: &Project, progress: Progress<'_>) -> Result<Outcome, String> {
    VALGRIND.provide(false)?;
    judged(task(project, &["bench", "--instructions"]), progress)
}

/// Shows that the command works; minutes of fuzzing are started by hand.
fn fuzz(project: &Project, progress: Progress<'_>) -> Result<Outcome, String> {
    if !process::succeeds(Command::new("rustup").args(["run", "nightly", "rustc", "--version"])) {
        return Ok(Outcome::NotChecked("needs a nightly toolchain".into()));
    }
    if !CARGO_FUZZ.is_here() {
        return Ok(Outcome::NotChecked(CARGO_FUZZ.missing()));
    }
    judged(task(project, &["fuzz", "stun_message", "--minutes", "0.1"]), progress)
}

/// `cargo xtask WORDS`, as a user types it.
fn task(project: &Project, words: &[&str]) -> Command {
    project.cargo(&[&["xtask"], words].concat())
}

fn clippy(project: &Project, progress: Progress<'_>) -> Result<Outcome, String> {
    let command =
        project.cargo(&["clippy", "--workspace", "--all-targets", "--keep-going", "--", "-D", "warnings"]);
    in_turn(vec![command], progress, "no warnings", "warnings")
}

/// Runs after `satellites`, which builds aws-lc-rs for a peer.
fn backend(project: &Project, progress: Progress<'_>) -> Result<Outcome, String> {
    const PACKAGES: [&str; 8] =
        ["-p", "dtls-core", "-p", "srtp", "-p", "peer-transport", "--features", "peer-transport/aws-lc-rs"];
    let cargo = |command: &str, rest: &[&str]| project.cargo(&[&[command][..], &PACKAGES, rest].concat());
    // The sizes of enum variants depend on the backend; the lint applies to the default backend.
    let lints = ["--all-targets", "--", "-D", "warnings", "-A", "clippy::large_enum_variant"];
    let clippy = cargo("clippy", &lints);
    let clippy = in_turn(vec![clippy], progress, "no warnings", "warnings on aws-lc-rs")?;
    if matches!(clippy, Outcome::Passed(_)) {
        counted(cargo("test", &["--no-fail-fast"]), progress)
    } else {
        Ok(clippy)
    }
}

/// The build without default features. Development dependencies may still have stun-rs.
fn lean(project: &Project, progress: Progress<'_>) -> Result<Outcome, String> {
    const PACKAGES: [&str; 7] =
        ["-p", "stun", "-p", "ice-agent", "-p", "peer-transport", "--no-default-features"];
    for package in ["peer-transport", "peer-transport-tokio"] {
        let tree = ["tree", "-p", package, "--no-default-features", "-e", "normal", "--prefix", "none"];
        let output = process::stdout(&mut project.cargo(&tree))?;
        if output.lines().any(|line| line.starts_with("stun-rs ")) {
            let detail = format!("{package} depends on stun-rs without default features");
            return Ok(Outcome::Failed { detail, output });
        }
    }
    let cargo = |command: &str, rest: &[&str]| project.cargo(&[&[command][..], &PACKAGES, rest].concat());
    let clippy = cargo("clippy", &["--all-targets", "--", "-D", "warnings"]);
    let clippy = in_turn(vec![clippy], progress, "no warnings", "warnings without default features")?;
    if matches!(clippy, Outcome::Passed(_)) {
        counted(cargo("test", &["--no-fail-fast"]), progress)
    } else {
        Ok(clippy)
    }
}

fn docs(project: &Project, progress: Progress<'_>) -> Result<Outcome, String> {
    let mut command = project.cargo(&["doc", "--no-deps", "--workspace", "--keep-going"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    in_turn(vec![command], progress, "no warnings", "warnings")
}

fn tests(project: &Project, progress: Progress<'_>) -> Result<Outcome, String> {
    counted(project.cargo(&["test", "--workspace", "--no-fail-fast"]), progress)
}

/// Runs tests and counts them.
fn counted(mut command: Command, progress: Progress<'_>) -> Result<Outcome, String> {
    let run = process::collected(&mut command, LIMIT, progress)?;
    let count = TestCount::of(&run.output);
    let detail = format!("{} passed, {} failed, {} ignored", count.passed, count.failed, count.ignored);
    Ok(outcome(run.success, detail, run.output))
}

fn satellites(project: &Project, progress: Progress<'_>) -> Result<Outcome, String> {
    let folders = project.satellites();
    if folders.is_empty() {
        return Ok(Outcome::NotChecked("there is no separate workspace".into()));
    }
    // The target folder of the main workspace holds most of their dependencies, already built.
    let target = project.target_directory()?.to_string_lossy().into_owned();
    let check = |folder: &&str| {
        let manifest = format!("{folder}/Cargo.toml");
        project.cargo(&[
            "check",
            "--locked",
            "--all-targets",
            "--manifest-path",
            &manifest,
            "--target-dir",
            &target,
        ])
    };
    let commands = folders.iter().map(check).collect();
    in_turn(commands, progress, &folders.join(", "), "do not compile")
}

/// Runs the commands in order. If one of them fails, the step fails with the output of all.
fn in_turn(commands: Vec<Command>, progress: Progress<'_>, good: &str, bad: &str) -> Result<Outcome, String> {
    let (mut success, mut output) = (true, String::new());
    for mut command in commands {
        let run = process::collected(&mut command, LIMIT, progress)?;
        success &= run.success;
        output.push_str(&run.output);
    }
    Ok(outcome(success, if success { good.into() } else { bad.into() }, output))
}

/// Runs a program whose last line is its verdict.
fn judged(mut command: Command, progress: Progress<'_>) -> Result<Outcome, String> {
    let run = process::collected(&mut command, LIMIT, progress)?;
    Ok(outcome(run.success, run.last_line, run.output))
}

fn outcome(success: bool, detail: String, output: String) -> Outcome {
    if success { Outcome::Passed(detail) } else { Outcome::Failed { detail, output } }
}

/// The sums over the `test result:` lines of libtest.
#[derive(Debug, Default, PartialEq, Eq)]
struct TestCount {
    passed: usize,
    failed: usize,
    ignored: usize,
}

impl TestCount {
    fn of(output: &str) -> Self {
        let mut count = Self::default();
        for line in output.lines().filter_map(|line| line.trim().strip_prefix("test result:")) {
            for part in line.split([';', '.']) {
                let mut words = part.split_whitespace();
                if let (Some(Ok(number)), Some(what)) = (words.next().map(str::parse::<usize>), words.next())
                {
                    match what {
                        "passed" => count.passed += number,
                        "failed" => count.failed += number,
                        "ignored" => count.ignored += number,
                        _ => {}
                    }
                }
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interop_step_runs_the_peer_of_its_name() {
        let mut played = 0;
        for step in STEPS {
            match (step.name.strip_prefix("interop-"), &step.run) {
                (None, Run::Check(_) | Run::Task(_)) => {}
                (Some(named), Run::Peer(peer)) => {
                    assert_eq!(named, *peer);
                    assert!(interop::find(peer).is_ok(), "{peer} is no peer");
                    played += 1;
                }
                _ => panic!("the name of {} does not fit its work", step.name),
            }
        }
        assert!(played > 0);
    }

    #[test]
    fn commands_are_read_from_the_overview() {
        let overview =
            "Tasks.\n\nUsage: x\n\nCommands:\n  demo  see it\n  ci    all\n\nExamples:\n  cargo x\n";
        assert_eq!(listed_commands(overview).collect::<Vec<_>>(), ["demo", "ci"]);
    }

    #[test]
    fn test_results_of_all_programs_are_summed() {
        let output = "running 3 tests\ntest result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
                      test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        assert_eq!(TestCount::of(output), TestCount { passed: 4, failed: 2, ignored: 1 });
    }
}
