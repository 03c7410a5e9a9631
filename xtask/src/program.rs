//! Foreign programs: whether they are installed, and how to install them.
//!
//! Knows names, packages and install commands. Installs only on request.

use std::path::PathBuf;
use std::process::Command;

use crate::process;

/// A program that the project uses but does not build.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    source: Source,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    /// A package of Debian and its derivatives.
    Apt(&'static str),
    /// A package of the crate registry, built without optimisation, which saves minutes.
    Cargo(&'static str),
}

pub(crate) const NODE: Program = Program { name: "node", source: Source::Apt("nodejs") };
pub(crate) const NPM: Program = Program { name: "npm", source: Source::Apt("npm") };
pub(crate) const OPENSSL: Program = Program { name: "openssl", source: Source::Apt("openssl") };
pub(crate) const GNUTLS: Program = Program { name: "gnutls-cli", source: Source::Apt("gnutls-bin") };
pub(crate) const GO: Program = Program { name: "go", source: Source::Apt("golang-go") };
pub(crate) const CMAKE: Program = Program { name: "cmake", source: Source::Apt("cmake") };
pub(crate) const CLANG: Program = Program { name: "clang", source: Source::Apt("clang") };
pub(crate) const LIBCLANG: Program = Program { name: "llvm-config", source: Source::Apt("libclang-dev") };
pub(crate) const CHROMIUM: Program = Program { name: "chromium", source: Source::Apt("chromium") };
pub(crate) const FIREFOX: Program = Program { name: "firefox-esr", source: Source::Apt("firefox-esr") };
pub(crate) const TSHARK: Program = Program { name: "tshark", source: Source::Apt("tshark") };
pub(crate) const VALGRIND: Program = Program { name: "valgrind", source: Source::Apt("valgrind") };
pub(crate) const CARGO_DENY: Program = Program { name: "cargo-deny", source: Source::Cargo("cargo-deny") };
pub(crate) const CARGO_FUZZ: Program = Program { name: "cargo-fuzz", source: Source::Cargo("cargo-fuzz") };

impl Program {
    /// Finds the program. If it is missing, installs it if `install` is set, or else returns the install command.
    pub(crate) fn provide(self, install: bool) -> Result<(), String> {
        if self.is_here() {
            return Ok(());
        }
        if !install {
            return Err(self.missing());
        }
        println!("{} is missing: {}", self.name, self.install_command());
        for mut command in self.install_commands() {
            let shown = process::shown(&command);
            let status = command.status().map_err(|error| format!("cannot start {shown}: {error}"))?;
            if !status.success() {
                return Err(format!("{shown} failed ({status})"));
            }
        }
        if self.is_here() {
            Ok(())
        } else {
            Err(format!("{} was installed but is not on the PATH", self.name))
        }
    }

    /// Returns the line that names the program and its install command.
    pub(crate) fn missing(self) -> String {
        format!("{} is not installed; install it with: {}", self.name, self.install_command())
    }

    pub(crate) fn is_here(self) -> bool {
        search_path().iter().any(|folder| folder.join(self.name).is_file())
    }

    fn install_command(self) -> String {
        match self.source {
            Source::Apt(package) => format!("apt-get install -y {package}"),
            Source::Cargo(package) => format!("cargo install --locked --debug {package}"),
        }
    }

    fn install_commands(self) -> Vec<Command> {
        match self.source {
            Source::Apt(package) => {
                vec![
                    privileged("apt-get", &["update", "-q"]),
                    privileged("apt-get", &["install", "-y", package]),
                ]
            }
            Source::Cargo(package) => {
                let mut cargo = process::clean(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
                cargo.args(["install", "--locked", "--debug", package]);
                vec![cargo]
            }
        }
    }
}

/// Packages that ask questions take their defaults.
const QUIET: &str = "DEBIAN_FRONTEND=noninteractive";

fn privileged(program: &str, arguments: &[&str]) -> Command {
    let root = process::stdout(Command::new("id").arg("-u")).is_ok_and(|user| user.trim() == "0");
    let mut command = if root {
        Command::new(program)
    } else {
        // sudo drops the environment.
        let mut sudo = Command::new("sudo");
        sudo.args(["env", QUIET, program]);
        sudo
    };
    let (name, value) = QUIET.split_once('=').unwrap_or((QUIET, ""));
    command.args(arguments).env(name, value).stdin(std::process::Stdio::null());
    command
}

fn search_path() -> Vec<PathBuf> {
    let mut folders: Vec<_> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    // `cargo install` puts programs here even if PATH does not contain the folder.
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    folders.extend(cargo_home.or(home).map(|folder| folder.join("bin")));
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_program_names_its_install_command() {
        let absent = Program { name: "no-such-program-anywhere", source: Source::Apt("nothing") };
        assert!(!absent.is_here());
        assert_eq!(
            absent.provide(false),
            Err("no-such-program-anywhere is not installed; install it with: apt-get install -y nothing"
                .into())
        );
    }

    #[test]
    fn program_on_the_path_is_found() {
        assert!(Program { name: "sh", source: Source::Apt("dash") }.is_here());
    }
}
