//! The form of one command: its name, its texts, its function.
//!
//! Knows no particular command.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::project::Project;

/// The result of a command: the exit status, or one line with the reason why it could not do its work.
pub(crate) type Answer = Result<ExitCode, String>;

/// One `cargo xtask NAME`.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// One line in the overview.
    pub(crate) summary: &'static str,
    /// The text of `--help` below the summary: usage, options, how to read the output.
    pub(crate) help: fn() -> String,
    pub(crate) run: fn(&Project, Vec<OsString>) -> Answer,
}

/// Returns the message about an argument that the command does not accept.
pub(crate) fn unexpected(command: &str, argument: &lexopt::Arg<'_>) -> String {
    let word = match argument {
        lexopt::Arg::Short(letter) => format!("-{letter}"),
        lexopt::Arg::Long(word) => format!("--{word}"),
        lexopt::Arg::Value(word) => word.to_string_lossy().into_owned(),
    };
    format!("unknown argument `{word}`; `cargo xtask {command} --help` lists the known ones")
}
