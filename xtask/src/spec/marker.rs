//! Markers: `//= id` on a line of its own, above a test or above a type that rules out a violation.
//!
//! Knows lines and the items below them. Does not know the ledgers.

use crate::tidy::{TextFile, Tree};

/// One marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) id: String,
    pub(crate) path: String,
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) place: Place,
}

/// The kind of item below a marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A test, or a function in `tests/` that is part of one.
    Test { name: String },
    /// Product code.
    Code,
    /// Test code that is no function, and so cannot fail.
    Nothing,
}

const PREFIX: &str = "//= ";

/// Returns all markers of `crates/` and `tests/`.
pub(crate) fn find(tree: &Tree) -> Vec<Marker> {
    let in_scope = |path: &str| path.starts_with("crates/") || path.starts_with("tests/");
    tree.files.iter().filter(|file| file.rust.is_some() && in_scope(&file.path)).flat_map(of_file).collect()
}

fn of_file(file: &TextFile) -> Vec<Marker> {
    let lines: Vec<&str> = file.text.lines().collect();
    let mut markers = Vec::new();
    let mut offset = 0;
    for (index, line) in file.text.split_inclusive('\n').enumerate() {
        if let Some(id) = line.trim().strip_prefix(PREFIX) {
            let is_test = file.path.starts_with("tests/")
                || file.rust.as_ref().is_some_and(|rust| rust.is_test(offset));
            let place = match (is_test, function_below(&lines[index + 1..])) {
                (false, _) => Place::Code,
                // The cells of an interop run are functions without a test attribute.
                (true, Some((name, marked))) if marked || file.path.starts_with("tests/") => {
                    Place::Test { name }
                }
                (true, _) => Place::Nothing,
            };
            markers.push(Marker {
                id: id.trim().to_owned(),
                path: file.path.clone(),
                line: index + 1,
                place,
            });
        }
        offset += line.len();
    }
    markers
}

/// Returns the function that these lines begin with, and whether a test attribute stands above it.
fn function_below(lines: &[&str]) -> Option<(String, bool)> {
    let mut is_test = false;
    for line in lines.iter().map(|line| line.trim()) {
        if line.starts_with("//") {
            continue;
        }
        if line.starts_with("#[") || line.starts_with(')') {
            is_test |= line == "#[test]" || line.ends_with("::test]") || line.starts_with("#[tokio::test(");
            continue;
        }
        let signature = line.split_once("fn ")?;
        let starts = signature
            .0
            .split_whitespace()
            .all(|word| word.starts_with("pub") || matches!(word, "async" | "const"));
        let name: String =
            signature.1.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
        return starts.then_some((name, is_test));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(path: &str, text: &str) -> Vec<Place> {
        find(&Tree::of(&[(path, text)])).into_iter().map(|marker| marker.place).collect()
    }

    fn test(name: &str) -> Place {
        Place::Test { name: name.into() }
    }

    #[test]
    fn marker_belongs_to_the_test_below() {
        let text = "//! A.\n//= rfc1-1-a\n//= rfc1-1-b\n/// Why.\n#[test]\n#[expect(lint, reason = \"so\")]\nfn it_holds() {}\n";
        let markers = find(&Tree::of(&[("crates/x/tests/a.rs", text)]));
        assert_eq!(
            markers[0],
            Marker {
                id: "rfc1-1-a".into(),
                path: "crates/x/tests/a.rs".into(),
                line: 2,
                place: test("it_holds")
            }
        );
        assert_eq!((markers[1].id.as_str(), markers[1].line), ("rfc1-1-b", 3));
    }

    #[test]
    fn product_code_is_distinguished_from_tests() {
        let text = "//= rfc1-1-a\nstruct Proof(());\n#[cfg(test)]\nmod tests {\n    //= rfc1-1-b\n    #[test]\n    fn b() {}\n}\n";
        assert_eq!(places("crates/x/src/a.rs", text), [Place::Code, test("b")]);
    }

    #[test]
    fn marker_without_test_is_no_evidence() {
        let text = "//= rfc1-1-a\nfn not_run() {}\n//= rfc1-1-b\nlet x = 1;\n//= rfc1-1-c\n";
        assert_eq!(places("crates/x/tests/a.rs", text), [Place::Nothing, Place::Nothing, Place::Nothing]);
    }

    #[test]
    fn interop_cell_needs_no_attribute() {
        assert_eq!(
            places("tests/interop/src/cells.rs", "//= rfc1-1-a\npub(crate) fn cell() {}\n"),
            [test("cell")]
        );
    }

    #[test]
    fn markers_in_xtask_are_ignored() {
        assert_eq!(places("xtask/src/a.rs", "//= rfc1-1-a\nfn a() {}\n"), []);
    }
}
