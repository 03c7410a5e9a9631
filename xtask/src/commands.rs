//! The table of commands, and the overview that `cargo xtask --help` prints.
//!
//! Knows the names of the commands. Does not know how a command does its work.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::process::ExitCode;

use crate::command::{Answer, Command};
use crate::project::Project;
use crate::{api, ci, demo, deny, forward, interop, package, spec, tidy};

const COMMANDS: &[Command] = &[
    demo::COMMAND,
    ci::COMMAND,
    tidy::COMMAND,
    spec::COMMAND,
    deny::COMMAND,
    api::COMMAND,
    package::COMMAND,
    interop::COMMAND,
    forward::SCENARIOS,
    forward::BENCH,
    forward::FUZZ,
];

/// Runs the command with this name. Without a name, prints the overview and fails.
pub(crate) fn run(name: Option<&str>, arguments: Vec<OsString>) -> Answer {
    let Some(name) = name else {
        print!("{}", overview());
        return Ok(ExitCode::FAILURE);
    };
    if matches!(name, "--help" | "-h" | "help") {
        let topic = arguments.first().map(|topic| topic.to_string_lossy().into_owned());
        match topic {
            None => print!("{}", overview()),
            Some(topic) => print!("{}", describe(find(&topic)?)),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let command = find(name)?;
    // The words after `--` belong to the program that the command starts.
    if arguments.iter().take_while(|word| *word != "--").any(|word| word == "--help" || word == "-h") {
        print!("{}", describe(command));
        return Ok(ExitCode::SUCCESS);
    }
    (command.run)(&Project::locate()?, arguments)
}

fn find(name: &str) -> Result<&'static Command, String> {
    COMMANDS.iter().find(|command| command.name == name).ok_or_else(|| {
        let names: Vec<_> = COMMANDS.iter().map(|command| command.name).collect();
        format!(
            "unknown command `{name}`; the commands are {}. `cargo xtask --help` explains them",
            names.join(", ")
        )
    })
}

fn describe(command: &Command) -> String {
    format!("{}\n\n{}\n", command.summary, (command.help)().trim_end())
}

fn overview() -> String {
    let mut text =
        String::from("The project's tasks.\n\nUsage: cargo xtask COMMAND [OPTIONS]\n\nCommands:\n");
    for command in COMMANDS {
        let _ = writeln!(text, "  {:<10} {}", command.name, command.summary);
    }
    text.push_str(
        "
Examples:
  cargo xtask demo                      runs the whole stack over loopback, in some seconds
  cargo xtask demo --serve              the same with your browser as the peer
  cargo xtask ci --skip interop         before a commit, on a machine without Chromium
  cargo xtask ci --only clippy          one step
  cargo xtask spec rfc9147 --rows       each requirement with its test
  cargo xtask interop openssl           our DTLS against that of OpenSSL
  cargo xtask interop chromium --install

A command that checks something prints a table and a one-line verdict, and exits with a status other than 0 if
a row failed. demo, ci, spec, interop, scenarios and bench also write their rows as JSON with `--json PATH`.
`cargo xtask COMMAND --help` explains a command.
",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overview_names_every_command() {
        let text = overview();
        for command in COMMANDS {
            assert!(text.contains(command.summary), "{} is missing", command.name);
        }
    }

    #[test]
    fn every_help_shows_its_usage() {
        for command in COMMANDS {
            let help = (command.help)();
            assert!(help.contains(&format!("Usage: cargo xtask {}", command.name)), "{}", command.name);
        }
    }

    #[test]
    fn unknown_command_lists_the_known_ones() {
        let Err(message) = find("teach") else { panic!("`teach` was found") };
        assert!(message.contains("demo") && message.contains("ci"), "{message}");
    }
}
