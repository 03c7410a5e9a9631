//! `cargo check` for other platforms whose targets are installed.
//!
//! Knows the targets that the project supports. Installs none.

use std::process::Command;

use super::{Outcome, Progress};
use crate::process;
use crate::project::Project;
use std::time::Duration;

/// One target, and the crates that must compile for it.
struct Platform {
    target: &'static str,
    scope: Scope,
}

/// The crates that must compile.
enum Scope {
    /// The product crates, driver included.
    Product,
    /// The crates without sockets.
    SansIo,
}

const PLATFORMS: &[Platform] = &[
    Platform { target: "aarch64-unknown-linux-gnu", scope: Scope::Product },
    Platform { target: "x86_64-pc-windows-msvc", scope: Scope::Product },
    Platform { target: "aarch64-apple-darwin", scope: Scope::Product },
    Platform { target: "wasm32-unknown-unknown", scope: Scope::SansIo },
];

const SANS_IO: [&str; 6] = ["stun", "ice-agent", "dtls-core", "srtp-keys", "srtp", "peer-transport"];
const DRIVER: &str = "peer-transport-tokio";
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// Checks the installed targets, and names the missing ones.
pub(super) fn step(project: &Project, progress: Progress<'_>) -> Result<Outcome, String> {
    let installed = installed_targets();
    let (present, absent): (Vec<_>, Vec<_>) =
        PLATFORMS.iter().partition(|platform| installed.iter().any(|target| target == platform.target));
    let (mut failed, mut output) = (Vec::new(), String::new());
    for platform in &present {
        let run = process::collected(&mut platform.check(project), LIMIT, progress)?;
        if !run.success {
            failed.push(platform.target);
            output.push_str(&run.output);
        }
    }
    let names = |platforms: &[&Platform]| {
        platforms.iter().map(|platform| platform.target).collect::<Vec<_>>().join(", ")
    };
    let mut detail = Vec::new();
    if !present.is_empty() {
        detail.push(format!("checked: {}", names(&present)));
    }
    if !absent.is_empty() {
        detail.push(format!("not installed, so not checked: {}", names(&absent)));
    }
    Ok(if !failed.is_empty() {
        Outcome::Failed { detail: format!("does not compile for {}", failed.join(", ")), output }
    } else if present.is_empty() {
        Outcome::NotChecked(detail.join("; "))
    } else {
        Outcome::Passed(detail.join("; "))
    })
}

impl Platform {
    fn check(&self, project: &Project) -> Command {
        let mut command = project.cargo(&["check", "--target", self.target]);
        for name in SANS_IO {
            command.args(["-p", name]);
        }
        if matches!(self.scope, Scope::Product) {
            command.args(["-p", DRIVER]);
        }
        command
    }
}

/// Returns the targets of the toolchain in use: each has a folder in its sysroot.
fn installed_targets() -> Vec<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let Ok(sysroot) = process::stdout(Command::new(rustc).args(["--print", "sysroot"])) else {
        return Vec::new();
    };
    let folder = std::path::Path::new(sysroot.trim()).join("lib/rustlib");
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let has_core = |entry: &std::fs::DirEntry| entry.path().join("lib").is_dir();
    entries.flatten().filter(has_core).map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
