//! The rule `retired-identifiers`: names that were replaced by standard terms do not come back.
//!
//! Knows the list in `xtask/retired-identifiers.toml`. Looks at code, tests included; `plain-english` looks at prose.

use super::source::find_words;
use super::{Finding, Tree};

const LIST: &str = "xtask/retired-identifiers.toml";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(list) = tree.files.iter().find(|file| file.path == LIST) else { return Vec::new() };
    let retired = match read(&list.text) {
        Ok(retired) => retired,
        Err(message) => return vec![Finding::whole(LIST, message)],
    };
    let mut findings = Vec::new();
    for (file, rust) in tree.rust() {
        for (name, instead) in &retired {
            for offset in find_words(rust.code(), name) {
                findings.push(file.fails_at(offset, format!("`{name}` is retired; use `{instead}`")));
            }
        }
    }
    findings
}

/// Returns each retired name with its replacement.
fn read(text: &str) -> Result<Vec<(String, String)>, String> {
    let table: toml::Table = text.parse().map_err(|error| format!("is not TOML: {error}"))?;
    table
        .iter()
        .map(|(name, instead)| {
            let instead = instead.as_str().ok_or_else(|| format!("`{name}` has no replacement"))?;
            Ok((name.clone(), instead.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retired_name_is_found_as_a_whole_word() {
        let list = (LIST, "old_name = \"new_name\"\n");
        let code = ("a.rs", "fn old_name() {}\nfn old_names() {}\n// old_name\n");
        let found: Vec<_> = check(&Tree::of(&[list, code])).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["a.rs:1: `old_name` is retired; use `new_name`"]);
    }
}
