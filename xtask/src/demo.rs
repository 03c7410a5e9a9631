//! `cargo xtask demo`: starts the driver's examples, in the terminal or as a server for a browser.
//!
//! Knows their names and how they are built. What they show is theirs.

use std::ffi::OsString;

use crate::commands::{Answer, Command};
use crate::process;
use crate::project::Project;

pub(crate) const COMMAND: Command = Command {
    name: "demo",
    summary: "see it work: two peers over loopback, restart and revocation; or a browser with --serve",
    help,
    run,
};

fn help() -> String {
    "Usage: cargo xtask demo [--json PATH] [OPTIONS]
       cargo xtask demo --serve [OPTIONS]

Without --serve, two peers connect over real loopback sockets, exchange RTP and RTCP, restart ICE with a
fresh DTLS handshake in mid-stream, and end by a revoked consent. A timeline runs, a table ends it, and the
exit status says whether everything in the table was so. It needs nothing but Rust.

With --serve, a page and a WHIP endpoint are served at the printed address. Open it in a browser, which
sends a picture and sound and shows what comes back; buttons restart ICE and revoke consent.

Other options go to the example: `cargo xtask demo -- --help` lists them, `cargo xtask demo --serve -- --help`
those of the server.

Both are built in the dev profile. There the dependencies, ciphers among them, are optimised, so that some
thousand packets a second cost little, and `cargo test` has built most of it already; a release build
would compile everything once more for nothing that one could see here. Measure with `cargo xtask bench`.
"
    .into()
}

fn run(project: &Project, arguments: Vec<OsString>) -> Answer {
    process::passed_through(
        project.cargo(&["run", "-p", "peer-transport-tokio"]).args(example_arguments(arguments)),
    )
}

/// The arguments of `cargo run` that pick the example and pass the rest on.
fn example_arguments(arguments: Vec<OsString>) -> Vec<OsString> {
    let serve = arguments.iter().any(|word| word == "--serve");
    let example = if serve { "whip" } else { "demo" };
    let mut words: Vec<OsString> = vec!["--example".into(), example.into(), "--".into()];
    words.extend(arguments.into_iter().filter(|word| word != "--serve" && word != "--"));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serve_picks_the_server_and_the_rest_is_passed_on() {
        let words = |arguments: &[&str]| example_arguments(arguments.iter().map(Into::into).collect());
        assert_eq!(words(&["--json", "x"]), ["--example", "demo", "--", "--json", "x"]);
        assert_eq!(words(&["--serve", "--", "--help"]), ["--example", "whip", "--", "--help"]);
    }
}
