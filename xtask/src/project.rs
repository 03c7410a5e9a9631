//! The project: its root folder, tracked files and packages.
//!
//! Knows git and `cargo metadata`. Checks nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::process;

/// Separate workspaces. Their dependencies, other stacks or another toolchain, stay out of the main lock file.
const SATELLITES: [&str; 3] = ["tests/bench", "tests/fuzz/explore", "tests/interop/dtls-peers"];

/// The checkout that the tasks work on.
pub(crate) struct Project {
    pub(crate) root: PathBuf,
}

/// One package of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Its manifest, relative to the root.
    pub(crate) manifest: String,
    pub(crate) publishable: bool,
    /// Normal and build dependencies, without those of tests.
    pub(crate) dependencies: Vec<String>,
}

impl Project {
    /// Finds the project from the folder in which `cargo xtask` was called.
    pub(crate) fn locate() -> Result<Self, String> {
        // The alias `cargo xtask` is `cargo run`, which sets this variable.
        let here = match std::env::var_os("CARGO_MANIFEST_DIR") {
            Some(manifest) => PathBuf::from(manifest),
            None => std::env::current_dir().map_err(|error| format!("no current folder: {error}"))?,
        };
        here.ancestors()
            .find(|folder| folder.join("xtask/Cargo.toml").is_file())
            .map(|root| Self { root: root.to_owned() })
            .ok_or_else(|| format!("{} is not inside the project", here.display()))
    }

    /// Returns a cargo command in the root, without the variables of the outer `cargo run`.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = process::clean(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root).args(arguments);
        command
    }

    /// The separate workspaces that exist.
    pub(crate) fn satellites(&self) -> Vec<&'static str> {
        SATELLITES.into_iter().filter(|folder| self.root.join(folder).join("Cargo.toml").is_file()).collect()
    }

    /// The files of the project: tracked files, and new ones that git does not ignore.
    pub(crate) fn files(&self) -> Result<Vec<String>, String> {
        let mut git = Command::new("git");
        git.current_dir(&self.root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let listing = process::stdout(&mut git)?;
        let mut files: Vec<_> = listing
            .split('\0')
            .filter(|file| !file.is_empty() && self.root.join(file).is_file())
            .map(str::to_owned)
            .collect();
        files.sort_unstable();
        files.dedup();
        Ok(files)
    }

    /// The members of the workspace.
    pub(crate) fn packages(&self) -> Result<Vec<Package>, String> {
        let metadata = self.metadata()?;
        let packages = metadata["packages"].as_array().ok_or("cargo metadata lists no packages")?;
        packages.iter().map(|package| self.package(package)).collect()
    }

    /// The members of the workspace in `crates/`.
    pub(crate) fn product_crates(&self) -> Result<Vec<Package>, String> {
        let packages = self.packages()?;
        Ok(packages.into_iter().filter(|package| package.manifest.starts_with("crates/")).collect())
    }

    /// The folder of build results.
    pub(crate) fn target_directory(&self) -> Result<PathBuf, String> {
        let metadata = self.metadata()?;
        metadata["target_directory"].as_str().map(PathBuf::from).ok_or("cargo names no target folder".into())
    }

    fn metadata(&self) -> Result<Value, String> {
        let text = process::stdout(&mut self.cargo(&["metadata", "--no-deps", "--format-version", "1"]))?;
        serde_json::from_str(&text).map_err(|error| format!("cargo metadata is not JSON: {error}"))
    }

    fn package(&self, value: &Value) -> Result<Package, String> {
        let text =
            |key: &str| value[key].as_str().ok_or_else(|| format!("cargo metadata: a package has no {key}"));
        let manifest = Path::new(text("manifest_path")?);
        let manifest = manifest.strip_prefix(&self.root).unwrap_or(manifest);
        let dependencies = value["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(Package {
            name: text("name")?.to_owned(),
            manifest: manifest.to_string_lossy().into_owned(),
            // `publish = false` is an empty list of registries.
            publishable: value["publish"].as_array().is_none_or(|registries| !registries.is_empty()),
            dependencies: dependencies
                .iter()
                .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
                .filter_map(|dependency| dependency["name"].as_str().map(str::to_owned))
                .collect(),
        })
    }
}
