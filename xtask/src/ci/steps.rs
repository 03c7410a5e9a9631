//! The steps of `cargo xtask ci`, in the order in which they tell most for the time they take.
//!
//! Knows the commands. Knows nothing about the order of the day: which steps run is decided above.

use std::process::Command;
use std::time::Duration;

use super::Outcome;
use super::platforms;
use crate::program::CARGO_DENY;
use crate::project::Project;
use crate::{deny, instructions, interop, process, spec, tidy};

/// Told the newest line of output, to show it.
pub(crate) type Progress<'a> = &'a dyn Fn(&str);

/// One line of the summary.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    run: Run,
}

/// What a step does.
enum Run {
    Check(fn(&Project, Progress<'_>) -> Result<Outcome, String>),
    /// Plays with the peer of this name in [`interop::PEERS`].
    Peer(&'static str),
}

impl Step {
    /// Does it.
    pub(crate) fn run(&self, project: &Project, progress: Progress<'_>) -> Result<Outcome, String> {
        match self.run {
            Run::Check(check) => check(project, progress),
            Run::Peer(name) => interop(project, progress, name),
        }
    }
}

pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "format",
        summary: "cargo fmt --check, also in the workspaces beside",
        run: Run::Check(format),
    },
    Step { name: "tidy", summary: "cargo xtask tidy", run: Run::Check(tidy) },
    Step {
        name: "spec",
        summary: "cargo xtask spec: no MUST without a test or a reason",
        run: Run::Check(spec),
    },
    Step { name: "deny", summary: "cargo xtask deny: licences, duplicates, sources", run: Run::Check(deny) },
    Step { name: "clippy", summary: "all targets, warnings denied", run: Run::Check(clippy) },
    Step { name: "docs", summary: "cargo doc without a warning", run: Run::Check(docs) },
    Step { name: "tests", summary: "cargo test --workspace, doctests included", run: Run::Check(tests) },
    Step { name: "demo", summary: "cargo xtask demo", run: Run::Check(demo) },
    Step { name: "interop-openssl", summary: "cargo xtask interop openssl", run: Run::Peer("openssl") },
    Step { name: "interop-gnutls", summary: "cargo xtask interop gnutls", run: Run::Peer("gnutls") },
    Step { name: "interop-dimpl", summary: "cargo xtask interop dimpl", run: Run::Peer("dimpl") },
    Step { name: "interop-pion", summary: "cargo xtask interop pion", run: Run::Peer("pion") },
    Step { name: "interop-chromium", summary: "cargo xtask interop chromium", run: Run::Peer("chromium") },
    Step { name: "interop-firefox", summary: "cargo xtask interop firefox", run: Run::Peer("firefox") },
    Step { name: "interop-tshark", summary: "cargo xtask interop tshark", run: Run::Peer("tshark") },
    Step { name: "satellites", summary: "cargo check of the workspaces beside", run: Run::Check(satellites) },
    Step {
        name: "backend",
        summary: "clippy and tests of what has cryptography, on aws-lc-rs instead of ring",
        run: Run::Check(backend),
    },
    Step { name: "instructions", summary: "cargo xtask bench --instructions", run: Run::Check(instructions) },
    Step {
        name: "platforms",
        summary: "cargo check for the targets that are installed",
        run: Run::Check(platforms::step),
    },
];

/// No step needs longer, even from cold on two cores; one that does hangs.
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

fn tidy(project: &Project, _: Progress<'_>) -> Result<Outcome, String> {
    let verdict = tidy::check(project)?;
    Ok(outcome(verdict.passed, verdict.line, verdict.findings))
}

fn spec(project: &Project, _: Progress<'_>) -> Result<Outcome, String> {
    let verdict = spec::check(project)?;
    Ok(outcome(verdict.passed, verdict.line, verdict.findings))
}

fn deny(project: &Project, progress: Progress<'_>) -> Result<Outcome, String> {
    CARGO_DENY.provide(false)?;
    in_turn(vec![deny::check(project)], progress, "bans, licenses, sources", "deny.toml is not kept")
}

fn clippy(project: &Project, progress: Progress<'_>) -> Result<Outcome, String> {
    let command =
        project.cargo(&["clippy", "--workspace", "--all-targets", "--keep-going", "--", "-D", "warnings"]);
    in_turn(vec![command], progress, "no warnings", "warnings")
}

/// After the workspaces beside, which build aws-lc-rs for a peer.
fn backend(project: &Project, progress: Progress<'_>) -> Result<Outcome, String> {
    const PACKAGES: [&str; 8] =
        ["-p", "dtls-core", "-p", "srtp", "-p", "peer-transport", "--features", "peer-transport/aws-lc-rs"];
    let cargo = |command: &str, rest: &[&str]| project.cargo(&[&[command][..], &PACKAGES, rest].concat());
    // Which variant is a large one depends on the backend, and is judged on ring.
    let lints = ["--all-targets", "--", "-D", "warnings", "-A", "clippy::large_enum_variant"];
    let clippy = cargo("clippy", &lints);
    let clippy = in_turn(vec![clippy], progress, "no warnings", "warnings on aws-lc-rs")?;
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

fn demo(project: &Project, progress: Progress<'_>) -> Result<Outcome, String> {
    judged(project.cargo(&["run", "-p", "peer-transport-tokio", "--example", "demo"]), progress)
}

fn interop(project: &Project, progress: Progress<'_>, name: &str) -> Result<Outcome, String> {
    let peer = interop::find(name)?;
    peer.provide(false)?;
    for mut build in peer.builds(project)? {
        let run = process::collected(&mut build, LIMIT, progress)?;
        if !run.success {
            return Ok(outcome(false, "the interop programs do not build".into(), run.output));
        }
    }
    judged(peer.command(project, None)?, progress)
}

fn satellites(project: &Project, progress: Progress<'_>) -> Result<Outcome, String> {
    let folders = project.satellites();
    if folders.is_empty() {
        return Ok(Outcome::NotChecked("there are none".into()));
    }
    // In the target folder of the main workspace, where most of what they need is built already.
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

fn instructions(project: &Project, progress: Progress<'_>) -> Result<Outcome, String> {
    let verdict = instructions::check(project, progress)?;
    Ok(outcome(verdict.passed, verdict.line, verdict.table))
}

/// Runs one command after the other, and fails with all output where one of them fails.
fn in_turn(commands: Vec<Command>, progress: Progress<'_>, good: &str, bad: &str) -> Result<Outcome, String> {
    let (mut success, mut output) = (true, String::new());
    for mut command in commands {
        let run = process::collected(&mut command, LIMIT, progress)?;
        success &= run.success;
        output.push_str(&run.output);
    }
    Ok(outcome(success, if success { good.into() } else { bad.into() }, output))
}

/// Runs a program that ends with its own verdict in one line.
fn judged(mut command: Command, progress: Progress<'_>) -> Result<Outcome, String> {
    let run = process::collected(&mut command, LIMIT, progress)?;
    Ok(outcome(run.success, run.last_line, run.output))
}

fn outcome(success: bool, detail: String, output: String) -> Outcome {
    if success { Outcome::Passed(detail) } else { Outcome::Failed { detail, output } }
}

/// The sums of libtest's `test result:` lines.
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
    fn each_interop_step_plays_with_the_peer_that_it_names() {
        let mut played = 0;
        for step in STEPS {
            match (step.name.strip_prefix("interop-"), &step.run) {
                (None, Run::Check(_)) => {}
                (Some(named), Run::Peer(peer)) => {
                    assert_eq!(named, *peer);
                    assert!(interop::find(peer).is_ok(), "{peer} is no peer");
                    played += 1;
                }
                _ => panic!("{} does what another step's name says", step.name),
            }
        }
        assert!(played > 0);
    }

    #[test]
    fn test_results_are_summed_over_all_programs() {
        let output = "running 3 tests\ntest result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
                      test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        assert_eq!(TestCount::of(output), TestCount { passed: 4, failed: 2, ignored: 1 });
    }
}
