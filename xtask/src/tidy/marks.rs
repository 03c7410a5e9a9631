//! Rules about marks in the text: silenced lints, stubs, notes for later, paths of one machine.
//!
//! Knows the marks. `concat!` keeps the patterns themselves out of this file, which the rules also check.

use super::source::find_words;
use super::{Finding, Tree};

const STUB_MACROS: [&str; 3] = [concat!("to", "do!("), concat!("un", "implemented!("), concat!("d", "bg!(")];
const NOTES: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const MACHINE_PATHS: [&str; 4] =
    [concat!("/", "work/"), concat!("/", "tmp/"), concat!("/", "root/"), concat!("/", "home/")];

pub(super) fn lint_reasons(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, rust) in tree.rust() {
        for level in ["allow", "expect"] {
            for opening in [format!("#[{level}("), format!("#![{level}(")] {
                for (offset, _) in rust.code().match_indices(&opening) {
                    let attribute = rust.code()[offset..].split(")]").next().unwrap_or_default();
                    if !attribute.contains("reason") {
                        findings.push(file.fails_at(offset, format!("`{level}` without `reason = \"...\"`")));
                    }
                }
            }
        }
    }
    findings
}

pub(super) fn stubs(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, rust) in tree.rust() {
        for stub in STUB_MACROS {
            for offset in find_words(rust.code(), stub) {
                findings.push(file.fails_at(offset, format!("`{stub}..)` is left")));
            }
        }
    }
    let written = |path: &str| {
        ["rs", "toml", "md", "js", "html", "sh"].iter().any(|end| path.ends_with(&format!(".{end}")))
    };
    for file in tree.files.iter().filter(|file| written(&file.path)) {
        for note in NOTES {
            for offset in find_words(&file.text, note) {
                findings.push(file.fails_at(offset, format!("`{note}` is left")));
            }
        }
    }
    findings
}

pub(super) fn machine_paths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        for path in MACHINE_PATHS {
            for (offset, _) in file.text.match_indices(path) {
                // In `https://example.org/work/` or `$folder/tmp/` the slash is not a root.
                let before = file.text[..offset].chars().next_back();
                if !before.is_some_and(|before| before.is_alphanumeric() || "._-}".contains(before)) {
                    findings.push(file.fails_at(offset, format!("`{path}` is a path of one machine")));
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silenced_lint_needs_a_reason() {
        let silent = "#[allow(dead_code)]\nfn a() {}\n#[expect(\n    clippy::all,\n    reason = \"said\",\n)]\nfn b() {}\n";
        let found = lint_reasons(&Tree::of(&[("a.rs", silent), ("b.rs", "#![expect(unused)]\n")]));
        assert_eq!(
            found.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["a.rs:1: `allow` without `reason = \"...\"`", "b.rs:1: `expect` without `reason = \"...\"`"]
        );
    }

    #[test]
    fn stubs_are_found_in_code_and_notes_anywhere() {
        for stub in STUB_MACROS {
            assert_eq!(stubs(&Tree::of(&[("a.rs", &format!("fn a() {{ {stub}) }}"))])).len(), 1, "{stub}");
            assert_eq!(stubs(&Tree::of(&[("a.rs", &format!("// never {stub})\n"))])), []);
        }
        for note in NOTES {
            assert_eq!(stubs(&Tree::of(&[("docs/a.md", &format!("{note}: later"))])).len(), 1, "{note}");
        }
    }

    #[test]
    fn path_of_one_machine_is_found() {
        for path in MACHINE_PATHS {
            assert_eq!(machine_paths(&Tree::of(&[("a.md", &format!("see {path}x"))])).len(), 1, "{path}");
            assert_eq!(machine_paths(&Tree::of(&[("a.md", &format!("https://example.org{path}x"))])), []);
        }
    }
}
