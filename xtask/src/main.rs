//! The project's tasks: `cargo xtask --help` lists them.
//!
//! Knows how the parts of the workspace are checked and started. Does not know the protocols.

mod api;
mod ci;
mod command;
mod commands;
mod demo;
mod deny;
mod forward;
mod instructions;
mod interop;
mod long_runs;
mod package;
mod process;
mod program;
mod project;
mod spec;
mod tidy;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let name = arguments.next().map(|name| name.to_string_lossy().into_owned());
    let rest: Vec<_> = arguments.collect();
    match commands::run(name.as_deref(), rest) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}
