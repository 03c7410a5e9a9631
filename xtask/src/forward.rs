//! Commands that start a program of `tests/` and pass their arguments on: scenarios, bench, fuzz.
//!
//! Knows where the programs lie and in which profile they make sense. Their options are theirs.

use std::ffi::OsString;

use crate::commands::{Answer, Command};
use crate::instructions;
use crate::process;
use crate::project::Project;

pub(crate) const SCENARIOS: Command = Command {
    name: "scenarios",
    summary: "do two of ours connect through a bad network? stories over a virtual one, as a table",
    help: || {
        "Usage: cargo xtask scenarios [--seeds N] [--only TEXT] [--json PATH]

  --seeds N      tells each story under so many seeds (100)
  --only TEXT    only the stories whose row contains TEXT
  --json PATH    writes the rows

Tells the stories of tests/scenarios over the virtual network of tests/sim, in virtual time: an hour of
network takes a moment. Built in the release profile, because it pays off from some hundred seeds on. A row
that fell short names its first seed; docs/TESTING.md says how to repeat it.
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
        "Usage: cargo xtask bench [SUITE..] [--with-boring] [--aws-lc-rs] [--rounds N] [--json PATH]
       cargo xtask bench --instructions [--record]

  SUITE          srtp, stun or dtls; all of them by default
  --with-boring  lets BoringSSL take part in dtls; its C++ takes minutes to build and needs cmake, clang
                 and libclang
  --aws-lc-rs    builds ours on aws-lc-rs instead of ring
  --rounds N     more rounds give calmer figures
  --json PATH    writes the rows as {figure, subject, value, unit, goal, met}
  --instructions counts the instructions of a DTLS handshake and of a record that are our own, with callgrind,
                 and compares them with tests/bench/instructions.json
  --record       writes down what was counted, where more or less is meant

Runs tests/bench in the release profile. It is a workspace of its own, because it compiles other stacks;
the first build takes minutes. Read the ratios: absolute times belong to the machine.
"
        .into()
    },
    run: |project, mut arguments| {
        if arguments.iter().any(|word| word == "--instructions") {
            return instructions::run(project, arguments.iter().any(|word| word == "--record"));
        }
        let mut cargo = vec!["run", "--release", "--manifest-path", "tests/bench/Cargo.toml"];
        // They decide what is built, and the program need not hear of them.
        for (word, feature) in [("--with-boring", "boring"), ("--aws-lc-rs", "aws-lc-rs")] {
            let before = arguments.len();
            arguments.retain(|argument| argument != word);
            if arguments.len() < before {
                cargo.extend(["--features", feature]);
            }
        }
        start(project, &cargo, arguments)
    },
};

pub(crate) const FUZZ: Command = Command {
    name: "fuzz",
    summary: "can bytes break it? explores one target for some minutes; the corpus replays in cargo test",
    help: || {
        "Usage: cargo xtask fuzz TARGET --minutes N

Explores one target of tests/fuzz with libFuzzer, which needs a nightly toolchain and cargo-fuzz; where they
are missing it says so. Each function of tests/fuzz/src that TARGETS lists is a target. What it finds becomes a
file of the corpus, which `cargo test -p fuzz` replays from then on.
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
