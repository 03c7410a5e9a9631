//! Rules about `docs/THREATS.md`: each attack says who, what answers it, what shows it and what is left open, and each
//! test that it names exists.
//!
//! Knows headings, labels and names of tests. Runs none of them; `cargo test` does.

use super::{Finding, TextFile, Tree};

const PAGE: &str = "docs/THREATS.md";
const LABELS: [&str; 4] = ["- **Attacker:**", "- **Answer:**", "- **Proof:**", "- **Left open:**"];
/// What stands in the proof where there can be no test, followed by the reason.
const NO_TEST: &str = "no test: ";

pub(super) fn threats(tree: &Tree) -> Vec<Finding> {
    let Some(page) = tree.files.iter().find(|file| file.path == PAGE) else { return Vec::new() };
    let mut findings = Vec::new();
    for (offset, attack) in attacks(&page.text) {
        for label in LABELS {
            if !attack.contains(label) {
                findings.push(page.fails_at(offset, format!("an attack without `{label}`")));
            }
        }
        let proof = attack.split_once(LABELS[2]).map_or("", |(_, rest)| rest);
        let proof = proof.split("\n- ").next().unwrap_or(proof);
        if !proof.contains(NO_TEST) && named_tests(proof).next().is_none() {
            findings
                .push(page.fails_at(offset, "an attack with neither a test nor a reason why there is none"));
        }
    }
    for (offset, name) in named_tests(&page.text) {
        if let Some(what) = missing(tree, name) {
            findings.push(page.fails_at(offset, what));
        }
    }
    findings
}

/// The sections of the third level: one attack each.
fn attacks(text: &str) -> Vec<(usize, &str)> {
    let starts: Vec<_> = text.match_indices("\n### ").map(|(offset, _)| offset + 1).collect();
    let end_of = |start: usize| {
        let after = start + 4;
        ["\n## ", "\n### "]
            .iter()
            .filter_map(|next| text[after..].find(next).map(|found| after + found))
            .min()
            .unwrap_or(text.len())
    };
    starts.into_iter().map(|start| (start, &text[start..end_of(start)])).collect()
}

/// Every `path.rs::name` between backticks.
fn named_tests(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut offset = 0;
    text.split('`').enumerate().filter_map(move |(index, part)| {
        let at = offset;
        offset += part.len() + 1;
        (index % 2 == 1 && part.contains(".rs::")).then_some((at, part))
    })
}

/// What is wrong with a test's name.
fn missing(tree: &Tree, name: &str) -> Option<String> {
    let (path, function) = name.split_once("::")?;
    let Some(file) = tree.files.iter().find(|file| file.path == path) else {
        return Some(format!("there is no file `{path}`"));
    };
    (!has_test(file, function)).then(|| format!("`{path}` has no test `{function}`"))
}

/// Whether `#[test]` stands above a function of this name, with nothing but attributes between.
fn has_test(file: &TextFile, function: &str) -> bool {
    let Some(rust) = &file.rust else { return false };
    let code = rust.code();
    code.match_indices(&format!("fn {function}(")).any(|(offset, _)| {
        let before = &code[..offset];
        before.rfind("#[test]").is_some_and(|marked| !before[marked..].contains(['{', '}', ';']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TESTS: (&str, &str) =
        ("crates/x/tests/a.rs", "#[test]\n#[ignore]\nfn it_holds() {}\nfn it_is_no_test() {}\n");

    fn found(page: &str) -> Vec<String> {
        threats(&Tree::of(&[(PAGE, page), TESTS])).iter().map(ToString::to_string).collect()
    }

    fn attack(proof: &str) -> String {
        format!(
            "# Threats\n\n### Floods\n- **Attacker:** all.\n- **Answer:** a bound.\n- **Proof:** {proof}\n- **Left open:** none.\n"
        )
    }

    #[test]
    fn a_test_that_exists_proves_an_attack_answered() {
        assert_eq!(found(&attack("`crates/x/tests/a.rs::it_holds`")), [""; 0]);
        assert_eq!(found(&attack("no test: it cannot be measured.")), [""; 0]);
    }

    #[test]
    fn a_test_that_does_not_exist_is_found_with_its_line() {
        let gone = "`crates/x/tests/a.rs::it_was_renamed`";
        let expected = "docs/THREATS.md:6: `crates/x/tests/a.rs` has no test `it_was_renamed`";
        assert_eq!(found(&attack(gone)), [expected]);
        let expected = "docs/THREATS.md:6: `crates/x/tests/a.rs` has no test `it_is_no_test`";
        assert_eq!(found(&attack("`crates/x/tests/a.rs::it_is_no_test`")), [expected]);
        let expected = "docs/THREATS.md:6: there is no file `crates/x/b.rs`";
        assert_eq!(found(&attack("`crates/x/b.rs::it_holds`")), [expected]);
    }

    #[test]
    fn an_attack_says_everything_that_one_wants_to_know() {
        let page = attack("soon").replace("- **Left open:** none.", "");
        assert_eq!(
            found(&page),
            [
                "docs/THREATS.md:3: an attack without `- **Left open:**`",
                "docs/THREATS.md:3: an attack with neither a test nor a reason why there is none"
            ]
        );
    }
}
