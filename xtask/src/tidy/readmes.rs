//! The rule `crate-readme`: each product crate has a README whose first sentence and first example are those of its
//! crate page.
//!
//! Knows `crates/*/README.md` and `crates/*/src/lib.rs`. Does not compile the example; the crate page's doctest does.

use super::{Finding, TextFile, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let pages = tree.files.iter().filter_map(|file| Some((file, crate_folder(&file.path)?)));
    pages.flat_map(|(page, folder)| compare(tree, page, folder)).collect()
}

/// Returns `crates/stun` for `crates/stun/src/lib.rs`.
fn crate_folder(path: &str) -> Option<&str> {
    let folder = path.strip_suffix("/src/lib.rs")?;
    (folder.starts_with("crates/") && folder.matches('/').count() == 1).then_some(folder)
}

fn compare(tree: &Tree, page: &TextFile, folder: &str) -> Vec<Finding> {
    let path = format!("{folder}/README.md");
    let Some(readme) = tree.files.iter().find(|file| file.path == path) else {
        return vec![Finding::whole(
            &path,
            "is missing; it has one sentence, the first example and the limits",
        )];
    };
    let docs = crate_docs(&page.text);
    let mut findings = Vec::new();
    let (here, there) = (first_sentence(&readme.text), first_sentence(&docs));
    if here != there {
        let message = format!("its first sentence is not that of the crate page: {here:?} and {there:?}");
        findings.push(Finding::whole(&path, message));
    }
    match (first_example(&readme.text), first_example(&docs)) {
        (Some(here), Some(there)) if here == there => {}
        (Some(_), Some(_)) => {
            findings.push(Finding::whole(&path, "its first example is not that of the crate page"));
        }
        (None, _) => findings.push(Finding::whole(&path, "has no example in Rust")),
        (_, None) => findings.push(Finding::whole(&page.path, "the crate page has no example")),
    }
    findings
}

/// The `//!` lines at the top, as Markdown.
fn crate_docs(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// The first sentence below the title.
fn first_sentence(markdown: &str) -> String {
    let paragraph = markdown
        .split("\n\n")
        .map(str::trim)
        .find(|paragraph| !paragraph.is_empty() && !paragraph.starts_with('#'))
        .unwrap_or_default();
    let words = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = words.find(". ").map_or(words.len(), |stop| stop + 1);
    words[..end].to_owned()
}

/// The first Rust block without the lines that rustdoc hides.
fn first_example(markdown: &str) -> Option<Vec<&str>> {
    let mut lines = markdown.lines();
    lines.by_ref().find(|line| {
        let language = line.trim().strip_prefix("```");
        language.is_some_and(|language| {
            language.is_empty() || language.starts_with("rust") || language.starts_with("no_run")
        })
    })?;
    let body = lines.take_while(|line| line.trim() != "```");
    Some(body.map(str::trim_end).filter(|line| *line != "#" && !line.starts_with("# ")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str =
        "//! STUN messages, in\n//! place. More.\n//!\n//! ```\n//! # use x::y;\n//! let a = 1;\n//! ```\n";

    fn found(readme: &str) -> Vec<String> {
        let tree = Tree::of(&[("crates/stun/src/lib.rs", PAGE), ("crates/stun/README.md", readme)]);
        check(&tree).iter().map(|finding| finding.message.clone()).collect()
    }

    #[test]
    fn same_sentence_and_example_pass() {
        assert_eq!(found("# stun\n\nSTUN messages, in place.\n\n```rust\nlet a = 1;\n```\n"), [""; 0]);
    }

    #[test]
    fn other_sentence_or_example_is_found() {
        assert!(found("# stun\n\nSTUN.\n\n```rust\nlet a = 1;\n```\n")[0].contains("first sentence"));
        assert!(
            found("# stun\n\nSTUN messages, in place.\n\n```rust\nlet b = 1;\n```\n")[0]
                .contains("first example")
        );
        assert_eq!(found("# stun\n\nSTUN messages, in place.\n"), ["has no example in Rust"]);
    }

    #[test]
    fn crate_without_readme_is_found() {
        let found = check(&Tree::of(&[("crates/stun/src/lib.rs", PAGE)]));
        assert_eq!(found[0].path, "crates/stun/README.md");
        assert_eq!(check(&Tree::of(&[("xtask/src/lib.rs", PAGE), ("crates/stun/src/a.rs", PAGE)])), []);
    }
}
