//! Rules about whole files: header, name, length, links, lock file.
//!
//! Knows paths and lines. Does not look at items.

use std::path::{Component, Path, PathBuf};

use super::{Finding, Severity, Tree};

/// Names that state no concept.
const EMPTY_NAMES: [&str; 9] =
    ["util", "utils", "helper", "helpers", "common", "commons", "misc", "v2", "stuff"];

/// A longer file is a warning.
const LONG: usize = 450;
/// A longer file fails.
const TOO_LONG: usize = 700;

pub(super) fn header(tree: &Tree) -> Vec<Finding> {
    tree.rust()
        .filter(|(file, _)| !file.text.starts_with("//!"))
        .map(|(file, _)| file.fails_at(0, "does not open with `//!`"))
        .collect()
}

pub(super) fn name(tree: &Tree) -> Vec<Finding> {
    let empty = |path: &&String| {
        path.split('/').any(|part| {
            let stem = part.split('.').next().unwrap_or(part);
            stem.split(['_', '-']).any(|word| EMPTY_NAMES.contains(&word.to_ascii_lowercase().as_str()))
        })
    };
    tree.paths.iter().filter(empty).map(|path| Finding::whole(path, "the name states no concept")).collect()
}

pub(super) fn length(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, rust) in tree.rust() {
        let lines = rust.lines_without_tests();
        if lines <= LONG {
            continue;
        }
        let severity = if lines > TOO_LONG { Severity::Fails } else { Severity::Warns };
        let message = format!("{lines} lines without tests; at most {LONG} are easy to read");
        findings.push(Finding { severity, ..Finding::whole(&file.path, message) });
    }
    findings
}

pub(super) fn links(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| has_extension(&file.path, "md")) {
        let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
        for (offset, target) in link_targets(&file.text) {
            let target = target.split('#').next().unwrap_or(target);
            let elsewhere = target.contains("://") || target.starts_with("mailto:");
            if target.is_empty() || elsewhere {
                continue;
            }
            if !resolve(folder, target).is_some_and(|path| exists(tree, &path)) {
                findings.push(file.fails_at(offset, format!("the link to `{target}` has no target")));
            }
        }
    }
    findings
}

pub(super) fn lockfile_sources(tree: &Tree) -> Vec<Finding> {
    const PUBLIC: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    let mut findings = Vec::new();
    for file in &tree.files {
        let mut offset = 0;
        for line in file.text.split_inclusive('\n') {
            let foreign = match file.path.rsplit('/').next() {
                Some("Cargo.lock") => line.starts_with("source = ") && line.trim() != PUBLIC,
                Some("config.toml") => line.starts_with("[source") || line.starts_with("[registr"),
                _ => false,
            };
            if foreign {
                findings.push(file.fails_at(offset, format!("not the public registry: {}", line.trim())));
            }
            offset += line.len();
        }
    }
    findings
}

/// Returns the targets of `[text](target)`, outside fenced code.
fn link_targets(text: &str) -> Vec<(usize, &str)> {
    let (mut targets, mut offset, mut fenced) = (Vec::new(), 0, false);
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if !fenced {
            for (at, _) in line.match_indices("](") {
                let target = &line[at + 2..];
                if let Some(end) = target.find([')', ' ']) {
                    targets.push((offset + at, &target[..end]));
                }
            }
        }
        offset += line.len();
    }
    targets
}

fn resolve(folder: &Path, target: &str) -> Option<String> {
    let mut path = PathBuf::new();
    let joined = if target.starts_with('/') { PathBuf::from(target) } else { folder.join(target) };
    for component in joined.components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path.to_string_lossy().into_owned())
}

fn exists(tree: &Tree, path: &str) -> bool {
    let inside = format!("{path}/");
    path.is_empty() || tree.paths.iter().any(|known| known == path || known.starts_with(&inside))
}

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_without_header_is_found() {
        let found = header(&Tree::of(&[("a.rs", "use b;\n//! late\n"), ("c.rs", "//! Says it.\n")]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "a.rs");
    }

    #[test]
    fn empty_names_are_found_anywhere_in_a_path() {
        for path in ["src/utils.rs", "src/helpers/x.rs", "src/test_util.rs", "src/v2.rs", "docs/misc.md"] {
            assert_eq!(name(&Tree::of(&[(path, "")])).len(), 1, "{path}");
        }
        assert_eq!(name(&Tree::of(&[("src/commands.rs", ""), ("src/utility.rs", "")])), []);
    }

    #[test]
    fn tests_do_not_count_as_length() {
        let body = "fn a() {}\n".repeat(LONG);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "fn b() {}\n".repeat(TOO_LONG));
        assert_eq!(length(&Tree::of(&[("a.rs", &format!("{body}{tests}"))])), []);
        let warned = length(&Tree::of(&[("a.rs", &format!("{body}fn c() {{}}\n{tests}"))]));
        assert_eq!(warned[0].severity, Severity::Warns);
        let failed = length(&Tree::of(&[("a.rs", &"fn a() {}\n".repeat(TOO_LONG + 1))]));
        assert_eq!(failed[0].severity, Severity::Fails);
    }

    #[test]
    fn link_without_target_is_found() {
        let text = "[a](docs/A.md#top) [b](docs) [c](https://example.org/x) [d](#here)\n[e](docs/gone.md)\n";
        let found =
            links(&Tree::of(&[("README.md", text), ("docs/A.md", "[up](../README.md) [out](../../x)")]));
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "README.md:2: the link to `docs/gone.md` has no target",
                "docs/A.md:1: the link to `../../x` has no target"
            ]
        );
    }

    #[test]
    fn fenced_code_has_no_links() {
        assert_eq!(links(&Tree::of(&[("README.md", "```\nv[i](x)\n```\n")])), []);
    }

    #[test]
    fn private_registry_is_found() {
        let lock = (
            "Cargo.lock",
            "source = \"registry+https://github.com/rust-lang/crates.io-index\"\nsource = \"registry+https://mirror.example/index\"\n",
        );
        let config = (".cargo/config.toml", "[source.crates-io]\nreplace-with = \"mirror\"\n");
        let found = lockfile_sources(&Tree::of(&[lock, config]));
        assert_eq!(found.iter().map(|finding| finding.line).collect::<Vec<_>>(), [2, 1]);
    }
}
