//! The table of commands: what each is called, what it says about itself, what it runs.
//!
//! Knows names and help texts. Knows nothing about how a command does its work.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::process::ExitCode;

use crate::project::Project;
use crate::{ci, demo, deny, forward, interop, spec, tidy};

/// What a command answers: the exit status, or one line about why it could not do its work.
pub(crate) type Answer = Result<ExitCode, String>;

/// One `cargo xtask NAME`.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// One line in the overview.
    pub(crate) summary: &'static str,
    /// What `--help` adds: usage, options, how to read the output.
    pub(crate) help: fn() -> String,
    pub(crate) run: fn(&Project, Vec<OsString>) -> Answer,
}

const COMMANDS: &[Command] = &[
    demo::COMMAND,
    ci::COMMAND,
    tidy::COMMAND,
    spec::COMMAND,
    deny::COMMAND,
    interop::COMMAND,
    forward::SCENARIOS,
    forward::BENCH,
    forward::FUZZ,
];

/// Runs the command called `name`; without one, shows the overview.
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
    // Everything after `--` belongs to the program that the command starts.
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
            "there is no command `{name}`; there are {}. `cargo xtask --help` explains them",
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
  cargo xtask demo                      see the whole stack work, in some seconds
  cargo xtask demo --serve              the same with your browser as the peer
  cargo xtask ci --skip interop         before a commit, on a machine without Chromium
  cargo xtask ci --only clippy          one step of it
  cargo xtask spec rfc9147 --rows       each requirement with the test that answers it
  cargo xtask interop openssl           our DTLS against OpenSSL's
  cargo xtask interop chromium --install

A command that judges prints a table, ends with a one-line verdict and exits non-zero when something fell
short; demo, ci, spec, interop, scenarios and bench write their rows as JSON with `--json PATH`.
`cargo xtask COMMAND --help` says more.
",
    );
    text
}

/// The line about an argument that the command does not know.
pub(crate) fn unexpected(command: &str, argument: &lexopt::Arg<'_>) -> String {
    let word = match argument {
        lexopt::Arg::Short(letter) => format!("-{letter}"),
        lexopt::Arg::Long(word) => format!("--{word}"),
        lexopt::Arg::Value(word) => word.to_string_lossy().into_owned(),
    };
    format!("`{word}` is not known here; `cargo xtask {command} --help` lists what is")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overview_names_every_command() {
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
    fn an_unknown_command_is_answered_with_the_known_ones() {
        let Err(message) = find("teach") else { panic!("`teach` was found") };
        assert!(message.contains("demo") && message.contains("ci"), "{message}");
    }
}
