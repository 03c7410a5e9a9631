//! Commands that start a program of `tests/` and pass their arguments to it: scenarios, bench, fuzz.
//!
//! Knows which package and profile each command needs. Does not interpret the options of the programs.

use std::ffi::OsString;

use crate::command::{Answer, Command};
use crate::instructions;
use crate::long_runs;
use crate::process;
use crate::project::Project;

pub(crate) const SCENARIOS: Command = Command {
    name: "scenarios",
    summary: "two of our peers over a virtual network with loss, delay and NAT, as a table",
    help: || {
        "Usage: cargo xtask scenarios [--seeds N] [--only TEXT] [--json PATH]

  --seeds N      runs each scenario with N seeds (default: 100)
  --only TEXT    runs only the scenarios whose row contains TEXT
  --json PATH    writes the rows as JSON

Runs tests/scenarios over the virtual network of tests/sim, in virtual time: an hour of network traffic takes
milliseconds. Builds in the release profile, which is faster in total from a few hundred seeds on. A failed
row names its first failing seed; docs/TESTING.md explains how to run that seed again.
"
        .into()
    },
    run: |project, arguments| {
        start(
            project,
            "scenarios",
            &["run", "--release", "-p", "scenarios", "--bin", "scenarios"],
            &arguments,
        )
    },
};

pub(crate) const BENCH: Command = Command {
    name: "bench",
    summary: "speed beside other libraries and the bare primitives, as ratios",
    help: || {
        "Usage: cargo xtask bench [SUITE..] [--with-boring] [--aws-lc-rs] [--rounds N] [--json PATH]
       cargo xtask bench --instructions [--record]

  SUITE          srtp, stun or dtls (default: all)
  --with-boring  adds BoringSSL to dtls; its C++ needs cmake, clang and libclang, and minutes to build
  --aws-lc-rs    builds our crates with aws-lc-rs instead of ring
  --rounds N     measures N rounds (default: 600); more rounds reduce the noise. With fewer than 100 rounds
                 the program prints times but does not compare them with their goals
  --json PATH    writes the rows as {figure, subject, value, unit, goal, met}
  --instructions counts the instructions of our own code in a DTLS handshake and in a record, with callgrind,
                 and compares the counts with tests/bench/instructions.json
  --record       with --instructions: writes the new counts to that file

Runs tests/bench in the release profile. tests/bench is a separate workspace, because it compiles other
stacks; the first build takes minutes. Compare the ratios: absolute times depend on the machine.
"
        .into()
    },
    run: |project, arguments| {
        if arguments.iter().any(|word| word == "--instructions") {
            return instructions::run(project, arguments.iter().any(|word| word == "--record"));
        }
        // `tests/bench` has two programs, so cargo must be told which one to run.
        let mut cargo = vec![
            "run",
            "--release",
            "--locked",
            "--manifest-path",
            "tests/bench/Cargo.toml",
            "--bin",
            "bench",
        ];
        // These options select features of the build; the program does not know them.
        for (word, feature) in BUILD_OPTIONS {
            if arguments.iter().any(|argument| argument == word) {
                cargo.extend(["--features", feature]);
            }
        }
        start(project, "bench", &cargo, &arguments)
    },
};

pub(crate) const FUZZ: Command = Command {
    name: "fuzz",
    summary: "explores one fuzz target for some minutes; `cargo test` replays the corpus",
    help: || {
        "Usage: cargo xtask fuzz TARGET --minutes N

Explores one target of tests/fuzz with libFuzzer. It needs a nightly toolchain and cargo-fuzz, and prints the
install command where one of them is missing. A failing input becomes a file of the corpus, which
`cargo test -p fuzz` replays.
"
        .into()
    },
    run: |project, arguments| {
        let cargo = ["run", "--release", "--locked", "--manifest-path", "tests/fuzz/explore/Cargo.toml"];
        start(project, "fuzz", &cargo, &arguments)
    },
};

/// Options of `bench` that select a feature of its build.
const BUILD_OPTIONS: [(&str, &str); 2] = [("--with-boring", "boring"), ("--aws-lc-rs", "aws-lc-rs")];

/// Runs the program, and records a passed run of a long form.
fn start(project: &Project, name: &str, cargo: &[&str], arguments: &[OsString]) -> Answer {
    let for_the_build = |word: &OsString| BUILD_OPTIONS.iter().any(|(option, _)| word == option);
    let mut command = project.cargo(cargo);
    // Separate workspaces share the target folder, where most of their dependencies are built already.
    command.arg("--target-dir").arg(project.target_directory()?);
    command.arg("--").args(arguments.iter().filter(|word| *word != "--" && !for_the_build(word)));
    let run = process::shown_through(&mut command)?;
    if run.success {
        long_runs::note(project, name, arguments, &run.last_line)?;
    }
    Ok(run.code)
}
