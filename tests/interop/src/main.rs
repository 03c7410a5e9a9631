//! Interop with independent implementations over real sockets.
//!
//! `interop PEER [--json PATH]` runs every scenario with one peer, prints a table, and exits with a status other than 0
//! when a cell failed. `cargo xtask interop` builds it and provides the foreign programs.

mod absent;
mod browser;
mod certificates;
mod dtls;
mod openssl;
mod program;
mod relay;
mod report;
mod udp_peer;
mod wireshark;

use std::path::PathBuf;
use std::process::ExitCode;

use report::Report;

const USAGE: &str = "Usage: interop PEER [--only TEXT] [--json PATH]

Peers: openssl, gnutls, dimpl, pion, boring, chromium, firefox, tshark, wireshark
  --only TEXT    plays only the cells whose role and scenario contain TEXT
  --json PATH    writes the rows as {peer, role, scenario, outcome, detail}";

/// A peer's name and the function that runs its scenarios.
const PEERS: &[(&str, Play)] = &[
    ("openssl", openssl::run),
    ("gnutls", dtls::gnutls),
    ("dimpl", dtls::dimpl),
    ("pion", dtls::pion),
    ("boring", dtls::boring),
    ("chromium", browser::chromium),
    ("firefox", browser::firefox),
    ("tshark", wireshark::tshark),
    ("wireshark", wireshark::newer),
];

type Play = fn(&mut Report);

struct Request {
    peer: &'static str,
    play: Play,
    only: Option<String>,
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    match parse().and_then(|request| judge(&request)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("interop: {message}");
            ExitCode::FAILURE
        }
    }
}

fn judge(request: &Request) -> Result<bool, String> {
    let mut report = Report::new(request.peer, absent::read()?, request.only.clone());
    (request.play)(&mut report);
    report.finish(request.json.as_deref())
}

fn parse() -> Result<Request, String> {
    let (mut peer, mut only, mut json) = (None, None, None);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            lexopt::Arg::Long("json") => json = Some(PathBuf::from(value(&mut parser)?)),
            lexopt::Arg::Long("only") => only = Some(value(&mut parser)?.to_string_lossy().into_owned()),
            lexopt::Arg::Value(name) if peer.is_none() => {
                let known = PEERS.iter().find(|(known, _)| name == **known);
                peer = Some(*known.ok_or_else(|| format!("no peer {}\n{USAGE}", name.to_string_lossy()))?);
            }
            _ => return Err(USAGE.into()),
        }
    }
    let (peer, play) = peer.ok_or(USAGE)?;
    Ok(Request { peer, play, only, json })
}

fn value(parser: &mut lexopt::Parser) -> Result<std::ffi::OsString, String> {
    parser.value().map_err(|error| error.to_string())
}
