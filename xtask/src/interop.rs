//! `cargo xtask interop`: builds `tests/interop` and its peers, and runs it against them.
//!
//! Knows the peers and the programs that they need. `tests/interop` has the scenarios.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self as std_process, ExitCode};

use serde_json::Value;

use crate::command::{Answer, Command, unexpected};
use crate::long_runs;
use crate::process;
use crate::program::{self, Program};
use crate::project::Project;

pub(crate) const COMMAND: Command = Command {
    name: "interop",
    summary: "interoperability with other stacks: DTLS libraries, browsers, Wireshark",
    help,
    run,
};

/// A foreign implementation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    what: &'static str,
    programs: &'static [Program],
    builds: &'static [Build],
}

/// A program or package that the runner needs.
#[derive(Debug, Clone, Copy)]
enum Build {
    /// The arguments of `cargo build`.
    Cargo(&'static [&'static str]),
    /// A folder with a Go module, and the name of its program.
    Go { folder: &'static str, program: &'static str },
    /// A folder with a lock file of npm.
    Npm { folder: &'static str },
}

pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "openssl",
        what: "OpenSSL: DTLS 1.2, both roles",
        programs: &[program::OPENSSL],
        builds: &[],
    },
    Peer {
        name: "gnutls",
        what: "GnuTLS: DTLS 1.2, both roles",
        programs: &[program::GNUTLS, program::OPENSSL],
        builds: &[],
    },
    Peer {
        name: "dimpl",
        what: "dimpl: DTLS 1.2 and 1.3, both roles",
        programs: &[program::OPENSSL],
        builds: &[Build::Cargo(&[
            "--locked",
            "--manifest-path",
            "tests/interop/dtls-peers/Cargo.toml",
            "--bin",
            "dimpl-peer",
        ])],
    },
    Peer {
        name: "pion",
        what: "pion/dtls: DTLS 1.2, both roles",
        programs: &[program::GO, program::OPENSSL],
        builds: &[Build::Go { folder: "tests/interop/dtls-peers/pion", program: "pion-peer" }],
    },
    Peer {
        name: BORING,
        what: "BoringSSL: DTLS 1.2 and 1.3, both roles; only by name, because it takes minutes to build",
        programs: &[program::CMAKE, program::CLANG, program::LIBCLANG, program::OPENSSL],
        builds: &[Build::Cargo(&[
            "--locked",
            "--manifest-path",
            "tests/interop/dtls-peers/Cargo.toml",
            "--features",
            "boring",
            "--bin",
            "boring-peer",
        ])],
    },
    Peer {
        name: "chromium",
        what: "Chromium: media, ICE restarts, revoked consent",
        programs: &[program::CHROMIUM],
        builds: &[Build::Cargo(&["-p", "whip"])],
    },
    Peer {
        name: "firefox",
        what: "Firefox: media, ICE restarts, revoked consent",
        programs: &[program::FIREFOX],
        builds: &[Build::Cargo(&["-p", "whip"])],
    },
    Peer {
        name: "tshark",
        what: "Wireshark decrypts our DTLS 1.2 with our key log",
        programs: &[program::TSHARK],
        builds: &[],
    },
    Peer {
        name: WIRESHARK,
        what: "Wireshark 4.4 from npm decrypts DTLS 1.2 and 1.3; only by name, because it downloads 40 MB",
        programs: &[program::NODE, program::NPM],
        builds: &[Build::Npm { folder: "tests/interop/wireshark" }],
    },
];

/// The peers behind the name `dtls`. The C++ of `boring` takes minutes to build, so `boring` is included only if it is
/// built already or requested.
const DTLS: &[&str] = &["openssl", "gnutls", "dimpl", "pion"];
const BORING: &str = "boring";
/// Downloads from npm need an explicit request.
const WIRESHARK: &str = "wireshark";

fn help() -> String {
    let mut text = String::from(
        "Usage: cargo xtask interop [PEER..] [--with-boring] [--install] [--json PATH]\n\nPeers (default: all except those that say otherwise):\n",
    );
    for peer in PEERS {
        let _ = writeln!(text, "  {:<10} {}", peer.name, peer.what);
    }
    let _ = writeln!(text, "  {:<10} {}", "dtls", DTLS.join(", "));
    text.push_str(
        "
  --with-boring  includes BoringSSL even if it is not built yet
  --install      installs missing programs
  --json PATH    writes the rows as {peer, role, scenario, outcome, detail}

Each row is one scenario. A scenario that could not run fails, unless tests/interop/absent.toml lists it with
the reason; then the reason is printed. docs/TESTING.md explains how to read a failure.
",
    );
    text
}

fn run(project: &Project, arguments: Vec<OsString>) -> Answer {
    let (mut names, mut with_boring, mut install, mut json) = (Vec::new(), false, false, None);
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            lexopt::Arg::Long("install") => install = true,
            lexopt::Arg::Long("with-boring") => with_boring = true,
            lexopt::Arg::Long("json") => {
                json = Some(PathBuf::from(parser.value().map_err(|error| error.to_string())?));
            }
            lexopt::Arg::Value(name) => names.push(name.to_string_lossy().into_owned()),
            other => return Err(unexpected("interop", &other)),
        }
    }
    with_boring |= is_built(project, BORING)?;
    let peers = select(&names, with_boring)?;
    // Report every missing program before the first build.
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
    let (mut verdicts, mut failed, mut rows) = (Vec::new(), false, Vec::new());
    for peer in &peers {
        let own = json.as_deref().map(|path| beside(path, peer.name));
        let run = process::shown_through(&mut peer.command(project, own.as_deref())?)?;
        failed |= !run.success;
        if run.success {
            long_runs::note(project, "interop", &[peer.name.into()], &run.last_line)?;
        }
        verdicts.push(run.last_line);
        if let Some(own) = own {
            rows.extend(take_rows(&own)?);
        }
        println!();
    }
    if let Some(path) = json {
        write_json(&path, &Value::Array(rows))?;
    }
    println!("{}", verdicts.join("; "));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Returns the peers of these names, each once. Without names, returns all peers that need no request.
fn select(names: &[String], with_boring: bool) -> Result<Vec<&'static Peer>, String> {
    let boring = with_boring.then_some(BORING);
    let mut chosen: Vec<&str> = Vec::new();
    if names.is_empty() {
        let names = PEERS.iter().map(|peer| peer.name);
        chosen.extend(names.filter(|name| (with_boring || *name != BORING) && *name != WIRESHARK));
    }
    for name in names {
        match name.as_str() {
            "dtls" => chosen.extend(DTLS.iter().copied().chain(boring)),
            name => chosen.push(name),
        }
    }
    let mut peers: Vec<&'static Peer> = Vec::new();
    for name in chosen {
        let peer = find(name)?;
        if !peers.iter().any(|known| known.name == peer.name) {
            peers.push(peer);
        }
    }
    Ok(peers)
}

fn is_built(project: &Project, name: &str) -> Result<bool, String> {
    Ok(project.target_directory()?.join("debug").join(format!("{name}-peer")).is_file())
}

/// The peer of this name.
pub(crate) fn find(name: &str) -> Result<&'static Peer, String> {
    PEERS.iter().find(|peer| peer.name == name).ok_or_else(|| {
        let names: Vec<_> = PEERS.iter().map(|peer| peer.name).collect();
        format!("unknown peer `{name}`; the peers are {}", names.join(", "))
    })
}

impl Peer {
    /// Finds or installs the programs of the peer.
    pub(crate) fn provide(&self, install: bool) -> Result<(), String> {
        self.programs.iter().try_for_each(|program| program.provide(install))
    }

    /// Returns the builds of the runner and of the programs that the peer needs. All results go to one folder, where
    /// the runner finds them.
    pub(crate) fn builds(&self, project: &Project) -> Result<Vec<std_process::Command>, String> {
        let target = project.target_directory()?;
        let runner = Build::Cargo(&["-p", "interop", "--bin", "interop"]);
        let build = |build: &Build| match build {
            Build::Cargo(arguments) => {
                let mut command = project.cargo(&["build"]);
                command.args(*arguments).arg("--target-dir").arg(&target);
                command
            }
            Build::Go { folder, program } => {
                let mut command = std_process::Command::new("go");
                command.current_dir(project.root.join(folder)).args(["build", "-trimpath", "-o"]);
                command.arg(target.join("debug").join(program)).arg(".");
                command
            }
            Build::Npm { folder } => {
                let mut command = std_process::Command::new("npm");
                command.current_dir(project.root.join(folder)).args(["ci", "--no-audit", "--no-fund"]);
                command
            }
        };
        Ok([runner].iter().chain(self.builds).map(build).collect())
    }

    /// Returns the run of the scenarios. The commands of [`Peer::builds`] must have succeeded.
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

/// Returns `rows.json.openssl` for `rows.json`: the file of one peer, before all rows are joined.
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
        Ok(_) => Err(format!("{shown} does not contain an array of rows")),
        Err(error) => Err(format!("{shown}: {error}")),
    }
}

/// Writes the rows to a file.
pub(crate) fn write_json(path: &Path, rows: &Value) -> Result<(), String> {
    fs::write(path, format!("{rows:#}\n")).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_peer_have_their_own_file() {
        assert_eq!(beside(Path::new("out/rows.json"), "openssl"), PathBuf::from("out/rows.json.openssl"));
    }

    #[test]
    fn dtls_names_the_stacks_that_build_quickly() {
        let names = |names: &[&str], with_boring| -> Vec<&str> {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            select(&names, with_boring).unwrap().iter().map(|peer| peer.name).collect()
        };
        assert_eq!(names(&["dtls"], false), DTLS);
        assert_eq!(names(&["dtls", "pion"], true), ["openssl", "gnutls", "dimpl", "pion", "boring"]);
        assert_eq!(names(&["boring"], false), ["boring"]);
        let all = names(&[], false);
        assert!(!all.contains(&BORING) && !all.contains(&WIRESHARK) && all.contains(&"chromium"));
    }

    #[test]
    fn unknown_peer_lists_the_known_ones() {
        assert!(find("netscape").is_err_and(|message| message.contains("chromium")));
    }
}
