//! `cargo xtask package`: builds the packages of the product crates as they would be published.
//!
//! Knows how manifests change for that: names, versions, `publish`. Uploads nothing and changes no tracked file.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use toml::{Table, Value};

use crate::command::{Answer, Command, unexpected};
use crate::process;
use crate::project::Project;

pub(crate) const COMMAND: Command = Command {
    name: "package",
    summary: "packages of the product crates, built under target/ as a registry would get them",
    help,
    run,
};

/// The prefix of the package names where none is given. Library names do not change.
const PREFIX: &str = "webrtc-transport-";

fn help() -> String {
    format!(
        "Usage: cargo xtask package [--prefix TEXT]

  --prefix TEXT  begins each package name with TEXT (default: {PREFIX})

Some names of the crates are taken in the public registry, so the tree does not publish them. This command copies
the product crates to target/package-tree, adds the prefix to the package names, keeps the library names, removes
`publish = false`, adds versions to the dependencies between the crates, and runs `cargo package` there. cargo
compiles each package from its archive. The archives are in target/package-tree/target/package.
"
    )
}

fn run(project: &Project, arguments: Vec<OsString>) -> Answer {
    let mut prefix = PREFIX.to_owned();
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            lexopt::Arg::Long("prefix") => {
                prefix = parser.value().map_err(|error| error.to_string())?.to_string_lossy().into_owned();
            }
            other => return Err(unexpected("package", &other)),
        }
    }
    let tree = project.target_directory()?.join("package-tree");
    copy(project, &tree)?;
    let names = rewrite(project, &tree, &prefix)?;
    let mut cargo = project.cargo(&["package", "--quiet", "--allow-dirty"]);
    cargo.current_dir(&tree).env_remove("CARGO_TARGET_DIR").arg("--target-dir").arg(tree.join("target"));
    for name in &names {
        cargo.args(["--package", name]);
    }
    if process::passed_through(&mut cargo)? != ExitCode::SUCCESS {
        println!("package: cargo package failed in {}", tree.display());
        return Ok(ExitCode::FAILURE);
    }
    for archive in archives(&tree.join("target/package"))? {
        let size = fs::metadata(&archive).map_or(0, |file| file.len().div_ceil(1024));
        let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
        println!("  {name:<48} {size:>5} KiB");
    }
    println!("package: {} packages built from their archives", names.len());
    Ok(ExitCode::SUCCESS)
}

/// Copies the files of the product crates, the root manifest, the lock file and the licences.
fn copy(project: &Project, tree: &Path) -> Result<(), String> {
    // Old build results stay, so that a second run compiles little.
    for folder in ["crates", "licences"] {
        let _ = fs::remove_dir_all(tree.join(folder));
    }
    let wanted = |path: &str| {
        path.starts_with("crates/")
            || ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "clippy.toml"].contains(&path)
    };
    let crates: Vec<String> =
        project.product_crates()?.iter().map(|package| folder(&package.manifest).to_owned()).collect();
    for path in project.files()?.iter().filter(|path| wanted(path)) {
        copy_file(&project.root.join(path), &tree.join(path))?;
    }
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        for folder in &crates {
            copy_file(&project.root.join(licence), &tree.join(folder).join(licence))?;
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> Result<(), String> {
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    fs::copy(from, to).map(|_| ()).map_err(|error| format!("{}: {error}", from.display()))
}

/// Changes the manifests of the copy, and returns the new package names.
fn rewrite(project: &Project, tree: &Path, prefix: &str) -> Result<Vec<String>, String> {
    let crates = project.product_crates()?;
    let names: Vec<&str> = crates.iter().map(|package| package.name.as_str()).collect();
    let manifests: Vec<&str> = crates.iter().map(|package| package.manifest.as_str()).collect();
    edit(&tree.join("Cargo.toml"), |root| root_manifest(root, prefix, &names, &manifests))?;
    for package in &crates {
        edit(&tree.join(&package.manifest), |manifest| crate_manifest(manifest, prefix, &names))?;
    }
    // The lock file of the whole workspace names members that the copy does not have.
    Ok(names.iter().map(|name| format!("{prefix}{name}")).collect())
}

fn edit(path: &Path, change: impl FnOnce(&mut Table) -> Result<(), String>) -> Result<(), String> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    let mut table: Table = text.parse().map_err(|error| format!("{shown}: {error}"))?;
    change(&mut table).map_err(|message| format!("{shown}: {message}"))?;
    fs::write(path, table.to_string()).map_err(|error| format!("{shown}: {error}"))
}

/// The root manifest: only the product crates are members, and a dependency on one has a version and its new name.
fn root_manifest(root: &mut Table, prefix: &str, names: &[&str], manifests: &[&str]) -> Result<(), String> {
    let workspace = root.get_mut("workspace").and_then(Value::as_table_mut).ok_or("has no `[workspace]`")?;
    let members = manifests.iter().map(|manifest| Value::from(folder(manifest))).collect();
    workspace.insert("members".into(), Value::Array(members));
    workspace.remove("exclude");
    let package = workspace.get_mut("package").and_then(Value::as_table_mut).ok_or("has no package table")?;
    package.remove("publish");
    let version = package.get("version").cloned().ok_or("has no version")?;
    let dependencies =
        workspace.get_mut("dependencies").and_then(Value::as_table_mut).ok_or("has no dependencies")?;
    for name in names {
        if let Some(dependency) = dependencies.get_mut(*name).and_then(Value::as_table_mut) {
            dependency.insert("package".into(), Value::from(format!("{prefix}{name}")));
            dependency.insert("version".into(), version.clone());
        }
    }
    // Only tests use the other members, and a package does without its tests' dependencies.
    dependencies.retain(|name, dependency| names.contains(&name) || dependency.get("path").is_none());
    Ok(())
}

/// The manifest of one crate: the new package name beside the old library name, no test-only dependency on a member.
fn crate_manifest(manifest: &mut Table, prefix: &str, names: &[&str]) -> Result<(), String> {
    let package = manifest.get_mut("package").and_then(Value::as_table_mut).ok_or("has no `[package]`")?;
    let name = package.get("name").and_then(Value::as_str).ok_or("has no name")?.to_owned();
    package.insert("name".into(), Value::from(format!("{prefix}{name}")));
    package.remove("publish");
    let library = manifest.entry("lib").or_insert_with(|| Value::Table(Table::new()));
    library
        .as_table_mut()
        .ok_or("`lib` is not a table")?
        .insert("name".into(), Value::from(name.replace('-', "_")));
    if let Some(dependencies) = manifest.get_mut("dev-dependencies").and_then(Value::as_table_mut) {
        dependencies.retain(|name, dependency| {
            let of_workspace = dependency.get("workspace").is_some() && dependency.get("version").is_none();
            let is_path = dependency.get("path").is_some();
            // A cycle through a development dependency cannot be packaged.
            !(is_path || of_workspace && (names.contains(&name) || name == "sim"))
        });
    }
    for targets in ["test", "example", "bench"] {
        manifest.remove(targets);
    }
    let package = manifest.get_mut("package").and_then(Value::as_table_mut).ok_or("has no `[package]`")?;
    for targets in ["autotests", "autoexamples", "autobenches"] {
        package.insert(targets.into(), Value::from(false));
    }
    Ok(())
}

/// Returns the folder of a manifest.
fn folder(manifest: &str) -> &str {
    manifest.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn archives(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut archives: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "crate"))
        .collect();
    archives.sort();
    Ok(archives)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        text.parse().unwrap()
    }

    #[test]
    fn crate_keeps_its_library_name() {
        let mut manifest = table("[package]\nname = \"ice-agent\"\npublish.workspace = true\n");
        crate_manifest(&mut manifest, "p-", &["ice-agent"]).unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some("p-ice-agent"));
        assert_eq!(manifest["lib"]["name"].as_str(), Some("ice_agent"));
        assert!(manifest["package"].get("publish").is_none());
    }

    #[test]
    fn test_members_are_no_dependency_of_a_package() {
        let mut manifest = table(
            "[package]\nname = \"srtp\"\n[dev-dependencies]\nsim = { workspace = true }\nproptest.workspace = true\n",
        );
        crate_manifest(&mut manifest, "p-", &["srtp"]).unwrap();
        let dependencies = manifest["dev-dependencies"].as_table().unwrap();
        assert_eq!(dependencies.keys().collect::<Vec<_>>(), ["proptest"]);
    }

    #[test]
    fn dependency_on_a_crate_gets_name_and_version() {
        let mut root = table(
            "[workspace]\nmembers = [\"crates/stun\", \"xtask\"]\n[workspace.package]\nversion = \"1.2.3\"\n\
             publish = false\n[workspace.dependencies]\nstun = { path = \"crates/stun\" }\nsim = { path = \"t\" }\n",
        );
        root_manifest(&mut root, "p-", &["stun"], &["crates/stun/Cargo.toml"]).unwrap();
        let stun = &root["workspace"]["dependencies"]["stun"];
        assert_eq!(stun["package"].as_str(), Some("p-stun"));
        assert_eq!(stun["version"].as_str(), Some("1.2.3"));
        assert!(root["workspace"]["dependencies"].get("sim").is_none());
        assert_eq!(root["workspace"]["members"].as_array().unwrap().len(), 1);
    }
}
