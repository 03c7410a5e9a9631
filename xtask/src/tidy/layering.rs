//! Rules about packages: allowed dependencies, and required lines of each manifest.
//!
//! Knows the layers of docs/ARCHITECTURE.md. Looks at manifests only, not at source.

use super::{Finding, Tree};
use crate::project::Package;

/// The product crates, each with the lower layers that it may depend on.
///
/// `peer-transport` depends on `srtp-keys` because it derives the SRTP keys from the DTLS exporter.
const LAYERS: &[(&str, &[&str])] = &[
    ("stun", &[]),
    ("srtp-keys", &[]),
    ("dtls-core", &[]),
    ("ice-agent", &["stun"]),
    ("srtp", &["srtp-keys"]),
    ("peer-transport", &["ice-agent", "dtls-core", "srtp", "srtp-keys"]),
    (DRIVER, &["peer-transport"]),
];

/// The only product crate that may use sockets, clocks and threads.
pub(super) const DRIVER: &str = "peer-transport-tokio";

/// The members of the workspace that a demo may depend on: those that an application uses.
const FOR_APPLICATIONS: &[&str] = &["peer-transport", DRIVER];

/// Crates that open sockets, run tasks, read clocks or draw entropy.
const IO_CRATES: &[&str] = &[
    "async-io",
    "async-std",
    "chrono",
    "crossbeam-channel",
    "fastrand",
    "futures",
    "getrandom",
    "hyper",
    "libc",
    "mio",
    "nix",
    "quinn-udp",
    "rand",
    "rand_core",
    "reqwest",
    "smol",
    "socket2",
    "time",
    "tokio",
    "tokio-util",
];

/// Returns whether a path belongs to the source of a crate below the driver.
pub(super) fn below_the_driver(path: &str) -> bool {
    LAYERS.iter().filter(|(name, _)| *name != DRIVER).any(|(name, _)| {
        path.strip_prefix("crates/")
            .and_then(|path| path.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with("/src/"))
    })
}

pub(super) fn edges(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        match allowed(package) {
            Some(allowed) => {
                for dependency in package.dependencies.iter().filter(|name| is_member(tree, name)) {
                    if !allowed.contains(&dependency.as_str()) {
                        let message = format!("{} must not depend on {dependency}", package.name);
                        findings.push(Finding::whole(&package.manifest, message));
                    }
                }
            }
            None if package.manifest.starts_with("crates/") => {
                let message = format!("{} is not in the list of layers", package.name);
                findings.push(Finding::whole(&package.manifest, message));
            }
            None => {}
        }
    }
    findings
}

pub(super) fn io_crates(tree: &Tree) -> Vec<Finding> {
    let is_below = |package: &&Package| package.name != DRIVER && is_product(&package.name);
    let below = tree.packages.iter().filter(is_below);
    let mut findings = Vec::new();
    for package in below {
        for dependency in package.dependencies.iter().filter(|name| IO_CRATES.contains(&name.as_str())) {
            let message = format!("{} is below the driver and must not depend on {dependency}", package.name);
            findings.push(Finding::whole(&package.manifest, message));
        }
    }
    findings
}

pub(super) fn shared_lints(tree: &Tree) -> Vec<Finding> {
    let manifests = tree.files.iter().filter(|file| is_manifest_with_shared_lints(&file.path));
    let takes_them = |text: &str| {
        let words: Vec<&str> = text.lines().map(str::trim).collect();
        words.contains(&"lints.workspace = true")
            || words.windows(2).any(|pair| pair == ["[lints]", "workspace = true"])
    };
    manifests
        .filter(|file| !takes_them(&file.text))
        .map(|file| Finding::whole(&file.path, "lacks `lints.workspace = true`"))
        .collect()
}

pub(super) fn unpublished(tree: &Tree) -> Vec<Finding> {
    let open = tree.packages.iter().filter(|package| package.publishable);
    open.map(|package| Finding::whole(&package.manifest, "lacks `publish = false`")).collect()
}

fn allowed(package: &Package) -> Option<&'static [&'static str]> {
    if package.manifest.starts_with("demos/") {
        return Some(FOR_APPLICATIONS);
    }
    LAYERS.iter().find(|(name, _)| *name == package.name).map(|(_, allowed)| *allowed)
}

fn is_product(name: &str) -> bool {
    LAYERS.iter().any(|(product, _)| *product == name)
}

fn is_member(tree: &Tree, name: &str) -> bool {
    tree.packages.iter().any(|package| package.name == name)
}

fn is_manifest_with_shared_lints(path: &str) -> bool {
    let mut parts = path.split('/');
    matches!(parts.next(), Some("crates" | "demos"))
        && parts.nth(1) == Some("Cargo.toml")
        && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[&str]) -> Package {
        Package {
            name: name.into(),
            manifest: format!("crates/{name}/Cargo.toml"),
            publishable: false,
            dependencies: dependencies.iter().map(|name| (*name).into()).collect(),
        }
    }

    #[test]
    fn dependency_on_an_upper_layer_is_found() {
        let tree = Tree::of_packages(vec![package("stun", &["ice-agent"]), package("ice-agent", &["stun"])]);
        let found = edges(&tree);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].message, "stun must not depend on ice-agent");
    }

    #[test]
    fn dependency_between_siblings_is_found() {
        let tree = Tree::of_packages(vec![package("dtls-core", &["srtp-keys"]), package("srtp-keys", &[])]);
        assert_eq!(edges(&tree).len(), 1);
    }

    #[test]
    fn demo_that_bypasses_peer_transport_is_found() {
        let demo =
            |dependency| Package { manifest: "demos/x/Cargo.toml".into(), ..package("x", &[dependency]) };
        let found = |demo| edges(&Tree::of_packages(vec![demo, package("srtp", &[]), package(DRIVER, &[])]));
        assert_eq!(found(demo("srtp")).len(), 1);
        assert_eq!(found(demo(DRIVER)), []);
    }

    #[test]
    fn crate_outside_the_layers_is_found() {
        assert_eq!(edges(&Tree::of_packages(vec![package("commons", &[])])).len(), 1);
    }

    #[test]
    fn allowed_dependencies_pass() {
        let tree = Tree::of_packages(LAYERS.iter().map(|(name, below)| package(name, below)).collect());
        assert_eq!(edges(&tree), []);
    }

    #[test]
    fn runtime_below_the_driver_is_found() {
        let tree = Tree::of_packages(vec![package("srtp", &["tokio"]), package(DRIVER, &["tokio"])]);
        let found = io_crates(&tree);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "crates/srtp/Cargo.toml");
    }

    #[test]
    fn manifest_with_own_lints_is_found() {
        let own = ("crates/stun/Cargo.toml", "[lints.rust]\nmissing_docs = \"allow\"\n");
        let shared = ("crates/srtp/Cargo.toml", "[lints]\nworkspace = true\n");
        let found = shared_lints(&Tree::of(&[own, shared]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "crates/stun/Cargo.toml");
    }

    #[test]
    fn publishable_member_is_found() {
        let open = Package { publishable: true, ..package("stun", &[]) };
        assert_eq!(unpublished(&Tree::of_packages(vec![open])).len(), 1);
    }

    #[test]
    fn driver_and_tests_are_not_below_the_driver() {
        assert!(below_the_driver("crates/peer-transport/src/lib.rs"));
        assert!(!below_the_driver("crates/peer-transport-tokio/src/lib.rs"));
        assert!(!below_the_driver("crates/stun/tests/vectors.rs"));
    }
}
