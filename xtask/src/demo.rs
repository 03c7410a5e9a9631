//! `cargo xtask demo`: starts a demo, in the terminal or as a server for a browser.
//!
//! Knows the names of the demos and how they are built. Does not know what they show.

use std::ffi::OsString;

use crate::command::{Answer, Command};
use crate::process;
use crate::project::Project;

pub(crate) const COMMAND: Command = Command {
    name: "demo",
    summary: "two peers over loopback with restart and revocation, or a browser with --serve",
    help,
    run,
};

fn help() -> String {
    "Usage: cargo xtask demo [--json PATH] [OPTIONS]
       cargo xtask demo --serve [OPTIONS]

Without --serve, two peers connect over loopback sockets, exchange RTP and RTCP, restart ICE with a fresh
DTLS handshake while media flows, and end when one of them revokes consent. The demo prints a timeline and a
table. The exit status is 0 only if every claim of the table holds. It needs nothing but Rust.

With --serve, the demo serves a page and a WHIP endpoint at the printed address. Open the page in a browser:
the browser sends video and audio and shows what comes back; buttons restart ICE and revoke consent.

Other options go to the program: `cargo xtask demo -- --help` lists those of the first form,
`cargo xtask demo --serve -- --help` those of the server.

Both programs are built in the dev profile, which `cargo test` has mostly built already. Dependencies such as
the ciphers are optimised in it. Do not measure speed here; use `cargo xtask bench`.
"
    .into()
}

fn run(project: &Project, arguments: Vec<OsString>) -> Answer {
    process::passed_through(project.cargo(&["run"]).args(run_arguments(arguments)))
}

/// Returns the arguments of `cargo run`: the package of the demo, and the remaining words for it.
fn run_arguments(arguments: Vec<OsString>) -> Vec<OsString> {
    let serve = arguments.iter().any(|word| word == "--serve");
    let package = if serve { "whip" } else { "two-peers" };
    let mut words: Vec<OsString> = vec!["--package".into(), package.into(), "--".into()];
    words.extend(arguments.into_iter().filter(|word| word != "--serve" && word != "--"));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serve_selects_the_server_and_keeps_the_rest() {
        let words = |arguments: &[&str]| run_arguments(arguments.iter().map(Into::into).collect());
        assert_eq!(words(&["--json", "x"]), ["--package", "two-peers", "--", "--json", "x"]);
        assert_eq!(words(&["--serve", "--", "--help"]), ["--package", "whip", "--", "--help"]);
    }
}
