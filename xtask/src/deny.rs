//! `cargo xtask deny`: licences, duplicates and sources of the dependencies, by cargo-deny and `deny.toml`.
//!
//! Knows how cargo-deny is called. `deny.toml` has the rules.

use std::ffi::OsString;
use std::process;

use crate::command::{Answer, Command, unexpected};
use crate::process as child;
use crate::program::CARGO_DENY;
use crate::project::Project;

pub(crate) const COMMAND: Command = Command {
    name: "deny",
    summary: "licences, duplicates and sources of the dependencies, by cargo-deny",
    help,
    run,
};

fn help() -> String {
    "Usage: cargo xtask deny [--install] [--advisories]

  --install      installs cargo-deny first where it is missing (about two minutes)
  --advisories   also checks the RustSec database, which it downloads

`deny.toml` has the rules, and the reason of each exception.
"
    .into()
}

fn run(project: &Project, arguments: Vec<OsString>) -> Answer {
    let (mut install, mut advisories) = (false, false);
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            lexopt::Arg::Long("install") => install = true,
            lexopt::Arg::Long("advisories") => advisories = true,
            other => return Err(unexpected("deny", &other)),
        }
    }
    CARGO_DENY.provide(install)?;
    let mut command = check(project);
    if advisories {
        command.arg("advisories");
    }
    child::passed_through(&mut command)
}

/// Returns the check that needs no network.
pub(crate) fn check(project: &Project) -> process::Command {
    project.cargo(&["deny", "--log-level", "warn", "check", "bans", "licenses", "sources"])
}
