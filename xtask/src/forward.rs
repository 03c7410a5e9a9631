//! Commands that start a program of `tests/` and pass their arguments on: scenarios, bench, fuzz.
//!
//! Knows where the programs lie and in which profile they make sense. Their options are theirs.

use std::ffi::OsString;

use crate::commands::{Answer, Command};
use crate::process;
use crate::project::Project;

pub(crate) const SCENARIOS: Command = Command {
    name: "scenarios",
    summary: "do two of ours connect through a bad network? stories over a virtual one, as a table",
    help: || {
        "Usage: cargo xtask scenarios [--json PATH] [OPTIONS]

Runs the stories of tests/scenarios over the virtual network of tests/sim, in virtual time. Options go to
the program: `cargo xtask scenarios -- --help` lists them. A failed row names its seed; docs/TESTING.md
says how to run that seed alone.
"
        .into()
    },
    run: |project, arguments| {
        start(project, &["run", "--release", "-p", "scenarios", "--bin", "scenarios"], arguments)
    },
};

pub(crate) const BENCH: Command = Command {
    name: "bench",
    summary: "is it fast? side by side with other libraries and with the bare primitives, as ratios",
    help: || {
        "Usage: cargo xtask bench [SUITE] [--json PATH] [OPTIONS]

Runs tests/bench in the release profile. It is a workspace of its own, because it compiles other stacks;
the first build takes minutes. Options go to the program: `cargo xtask bench -- --help` lists suites and
options. Read the ratios: absolute times belong to the machine.
"
        .into()
    },
    run: |project, arguments| {
        start(project, &["run", "--release", "--manifest-path", "tests/bench/Cargo.toml"], arguments)
    },
};

pub(crate) const FUZZ: Command = Command {
    name: "fuzz",
    summary: "can bytes break it? explores one target for some minutes; the corpus replays in cargo test",
    help: || {
        "Usage: cargo xtask fuzz TARGET --minutes N

Explores one target of tests/fuzz with new inputs. Arguments go to the program: `cargo xtask fuzz -- --help`
lists the targets. What it finds is written as a file of the corpus, which `cargo test -p fuzz` replays
from then on.
"
        .into()
    },
    run: |project, arguments| {
        start(project, &["run", "--release", "--manifest-path", "tests/fuzz/explore/Cargo.toml"], arguments)
    },
};

fn start(project: &Project, cargo: &[&str], arguments: Vec<OsString>) -> Answer {
    let mut command = project.cargo(cargo);
    command.arg("--").args(arguments.into_iter().filter(|word| word != "--"));
    process::passed_through(&mut command)
}
