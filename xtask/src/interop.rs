//! `cargo xtask interop`: builds `tests/interop` and what it talks to, and runs it against real peers.
//!
//! Knows the peers and the programs that they need. The scenarios are in `tests/interop`.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self as std_process, ExitCode};

use serde_json::Value;

use crate::commands::{Answer, Command, unexpected};
use crate::process;
use crate::program::{self, Program};
use crate::project::Project;

pub(crate) const COMMAND: Command = Command {
    name: "interop",
    summary: "is it right, or only consistent with itself? real peers: openssl, chromium",
    help,
    run,
};

/// Somebody else's implementation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    what: &'static str,
    programs: &'static [Program],
    /// What is built beside the runner: the arguments of `cargo build`.
    builds: &'static [&'static [&'static str]],
}

pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "openssl",
        what: "DTLS 1.2 with use_srtp, both roles",
        programs: &[program::OPENSSL],
        builds: &[],
    },
    Peer {
        name: "chromium",
        what: "a browser's media, ICE restarts, revoked consent",
        programs: &[program::CHROMIUM],
        builds: &[&["-p", "peer-transport-tokio", "--example", "whip"]],
    },
];

fn help() -> String {
    let mut text = String::from(
        "Usage: cargo xtask interop [PEER..] [--install] [--json PATH]\n\nPeers, all of them by default:\n",
    );
    for peer in PEERS {
        let _ = writeln!(text, "  {:<10} {}", peer.name, peer.what);
    }
    text.push_str(
        "
  --install      installs programs that are missing
  --json PATH    writes the rows as {peer, role, scenario, outcome, detail}

Each row is one scenario. A row that could not be tried fails, unless tests/interop/absent.toml lists it
with the reason; then the reason is printed. docs/TESTING.md says how to read a failure.
",
    );
    text
}

fn run(project: &Project, arguments: Vec<OsString>) -> Answer {
    let (mut peers, mut install, mut json) = (Vec::new(), false, None);
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            lexopt::Arg::Long("install") => install = true,
            lexopt::Arg::Long("json") => {
                json = Some(PathBuf::from(parser.value().map_err(|error| error.to_string())?));
            }
            lexopt::Arg::Value(name) => peers.push(find(&name.to_string_lossy())?),
            other => return Err(unexpected("interop", &other)),
        }
    }
    if peers.is_empty() {
        peers.extend(PEERS);
    }
    // All that is missing is said before anything is built.
    let missing: Vec<_> = peers.iter().filter_map(|peer| peer.provide(install).err()).collect();
    if !missing.is_empty() {
        return Err(missing.join("\nxtask: "));
    }
    for peer in &peers {
        for mut build in peer.builds(project)? {
            if process::passed_through(&mut build)? != ExitCode::SUCCESS {
                return Err("the interop programs do not build".into());
            }
        }
    }
    let (mut short, mut rows) = (Vec::new(), Vec::new());
    for peer in &peers {
        let own = json.as_deref().map(|path| beside(path, peer.name));
        if process::passed_through(&mut peer.command(project, own.as_deref())?)? != ExitCode::SUCCESS {
            short.push(peer.name);
        }
        if let Some(own) = own {
            rows.extend(take_rows(&own)?);
        }
        println!();
    }
    if let Some(path) = json {
        write_json(&path, &Value::Array(rows))?;
    }
    let names: Vec<_> = peers.iter().map(|peer| peer.name).collect();
    if short.is_empty() {
        println!("interop: {} passed", names.join(" and "));
        return Ok(ExitCode::SUCCESS);
    }
    println!("interop: fell short with {}", short.join(" and "));
    Ok(ExitCode::FAILURE)
}

fn find(name: &str) -> Result<&'static Peer, String> {
    PEERS.iter().find(|peer| peer.name == name).ok_or_else(|| {
        let names: Vec<_> = PEERS.iter().map(|peer| peer.name).collect();
        format!("there is no peer `{name}`; there are {}", names.join(", "))
    })
}

impl Peer {
    /// Makes sure that the peer's programs are here.
    pub(crate) fn provide(&self, install: bool) -> Result<(), String> {
        self.programs.iter().try_for_each(|program| program.provide(install))
    }

    /// Builds the runner and what this peer needs beside it, all into one folder, where the runner finds it.
    pub(crate) fn builds(&self, project: &Project) -> Result<Vec<std_process::Command>, String> {
        let target = project.target_directory()?;
        let runner: &[&str] = &["-p", "interop", "--bin", "interop"];
        let build = |arguments: &&[&str]| {
            let mut command = project.cargo(&["build"]);
            command.args(*arguments).arg("--target-dir").arg(&target);
            command
        };
        Ok([runner].iter().chain(self.builds).map(build).collect())
    }

    /// Runs the scenarios; what [`Peer::builds`] names comes first.
    pub(crate) fn command(
        &self,
        project: &Project,
        json: Option<&Path>,
    ) -> Result<std_process::Command, String> {
        let mut command = process::clean(project.target_directory()?.join("debug").join("interop"));
        command.current_dir(&project.root).arg(self.name);
        if let Some(path) = json {
            command.arg("--json").arg(path);
        }
        Ok(command)
    }
}

/// `rows.json` becomes `rows.json.openssl`: each peer's rows, before they are joined.
fn beside(path: &Path, peer: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(peer);
    name.into()
}

fn take_rows(path: &Path) -> Result<Vec<Value>, String> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    let _ = fs::remove_file(path);
    match serde_json::from_str(&text) {
        Ok(Value::Array(rows)) => Ok(rows),
        Ok(_) => Err(format!("{shown} holds no array of rows")),
        Err(error) => Err(format!("{shown}: {error}")),
    }
}

/// Writes rows where somebody asked for them.
pub(crate) fn write_json(path: &Path, rows: &Value) -> Result<(), String> {
    fs::write(path, format!("{rows:#}\n")).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_peer_are_written_beside_the_file_that_was_asked_for() {
        assert_eq!(beside(Path::new("out/rows.json"), "openssl"), PathBuf::from("out/rows.json.openssl"));
    }

    #[test]
    fn an_unknown_peer_is_answered_with_the_known_ones() {
        assert!(find("netscape").is_err_and(|message| message.contains("chromium")));
    }
}
