//! The rule `threats`: `docs/THREATS.md` describes each attack, and `docs/threats.toml` names its tests.
//!
//! Knows headings, labels and names of tests. Runs none of the tests; `cargo test` does.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Finding, TextFile, Tree};

const PAGE: &str = "docs/THREATS.md";
const LEDGER: &str = "docs/threats.toml";
const LABELS: [&str; 2] = ["- **Attacker:**", "- **Answer:**"];

pub(super) fn threats(tree: &Tree) -> Vec<Finding> {
    let file = |path: &str| tree.files.iter().find(|file| file.path == path);
    let Some(page) = file(PAGE) else { return Vec::new() };
    let Some(ledger) = file(LEDGER) else {
        return vec![Finding::whole(LEDGER, "is missing; it names the tests of each attack")];
    };
    let attacks = attacks(&page.text);
    let entries = match entries(&ledger.text) {
        Ok(entries) => entries,
        Err((offset, message)) => return vec![ledger.fails_at(offset, message)],
    };
    let mut findings = Vec::new();
    for attack in &attacks {
        for label in LABELS.iter().filter(|label| !attack.text.contains(**label)) {
            findings.push(page.fails_at(attack.offset, format!("an attack without `{label}`")));
        }
        if entries.iter().filter(|entry| entry.title == attack.title).count() != 1 {
            let message = format!("`{}` does not have exactly one entry in {LEDGER}", attack.title);
            findings.push(page.fails_at(attack.offset, message));
        }
    }
    for entry in &entries {
        if !attacks.iter().any(|attack| attack.title == entry.title) {
            let message = format!("{PAGE} has no heading `{}`", entry.title);
            findings.push(ledger.fails_at(entry.offset, message));
        }
        if entry.id != anchor(&entry.title) {
            let message = format!("the id of `{}` is its anchor, `{}`", entry.title, anchor(&entry.title));
            findings.push(ledger.fails_at(entry.offset, message));
        }
        if entry.tests.is_empty() != entry.has_exception {
            let message = format!("`{}` has tests or an `exception`, and not both", entry.id);
            findings.push(ledger.fails_at(entry.offset, message));
        }
        for (offset, test) in &entry.tests {
            if let Some(message) = missing(tree, test) {
                findings.push(ledger.fails_at(*offset, message));
            }
        }
    }
    findings
}

/// A section of the third level of the page.
struct Attack<'a> {
    offset: usize,
    title: &'a str,
    text: &'a str,
}

fn attacks(text: &str) -> Vec<Attack<'_>> {
    let starts = text.match_indices("\n### ").map(|(offset, _)| offset + 1);
    let section = |offset: usize| {
        let after = offset + "### ".len();
        let ends = ["\n## ", "\n### "].iter().filter_map(|next| Some(after + text[after..].find(next)?));
        let text = &text[after..ends.min().unwrap_or(text.len())];
        Attack { offset, title: text.lines().next().unwrap_or_default(), text }
    };
    starts.map(section).collect()
}

/// The anchor that the repository host gives a heading.
fn anchor(title: &str) -> String {
    let lower = title.to_lowercase();
    let kept = lower.chars().filter(|symbol| symbol.is_alphanumeric() || matches!(symbol, ' ' | '-' | '_'));
    kept.map(|symbol| if symbol == ' ' { '-' } else { symbol }).collect()
}

/// One `[[attack]]` of the ledger.
struct Entry {
    offset: usize,
    id: String,
    title: String,
    tests: Vec<(usize, String)>,
    has_exception: bool,
}

/// Reads the ledger. An error has its offset.
fn entries(text: &str) -> Result<Vec<Entry>, (usize, String)> {
    let document = DeTable::parse(text).map_err(|error| {
        (error.span().map_or(0, |span| span.start), error.message().trim_end().to_owned())
    })?;
    let Some(DeValue::Array(rows)) = document.get_ref().get("attack").map(Spanned::get_ref) else {
        return Err((0, "no `[[attack]]`".into()));
    };
    rows.iter().map(entry).collect()
}

fn entry(row: &Spanned<DeValue<'_>>) -> Result<Entry, (usize, String)> {
    let offset = row.span().start;
    let DeValue::Table(table) = row.get_ref() else { return Err((offset, "an attack is a table".into())) };
    let (mut id, mut title, mut exception, mut tests) = (None, None, None, Vec::new());
    for (key, value) in table {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("id", DeValue::String(text)) => id = Some(text.to_string()),
            ("title", DeValue::String(text)) => title = Some(text.to_string()),
            ("exception", DeValue::String(text)) => exception = Some(text.to_string()),
            ("tests", DeValue::Array(names)) => {
                for name in names {
                    let DeValue::String(text) = name.get_ref() else {
                        return Err((name.span().start, "a test is `path::name`".into()));
                    };
                    tests.push((name.span().start, text.to_string()));
                }
            }
            (key, _) => return Err((value.span().start, format!("`{key}` is unknown or of another type"))),
        }
    }
    let (Some(id), Some(title)) = (id, title) else { return Err((offset, "no `id` or no `title`".into())) };
    let has_exception = exception.is_some_and(|reason| !reason.trim().is_empty());
    Ok(Entry { offset, id, title, tests, has_exception })
}

/// Returns why `path::name` is not a test.
fn missing(tree: &Tree, test: &str) -> Option<String> {
    let Some((path, function)) = test.split_once("::") else {
        return Some(format!("`{test}` is not `path::name`"));
    };
    let Some(file) = tree.files.iter().find(|file| file.path == path) else {
        return Some(format!("there is no file `{path}`"));
    };
    (!has_test(file, function)).then(|| format!("`{path}` has no test `{function}`"))
}

/// Returns whether the file has a function of this name under `#[test]`, with only attributes between them.
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
    const ATTACK: &str =
        "# Threats\n\n### Hello floods\n- **Attacker:** off-path.\n- **Answer:** a bound.\n\n## Next\n";

    fn found(page: &str, ledger: &str) -> Vec<String> {
        let tree = Tree::of(&[(PAGE, page), (LEDGER, ledger), TESTS]);
        threats(&tree).iter().map(ToString::to_string).collect()
    }

    fn entry(evidence: &str) -> String {
        format!("[[attack]]\nid = \"hello-floods\"\ntitle = \"Hello floods\"\n{evidence}\n")
    }

    fn with_tests(name: &str) -> String {
        entry(&format!("tests = [\n    \"{name}\",\n]"))
    }

    #[test]
    fn existing_test_or_exception_passes() {
        assert_eq!(found(ATTACK, &with_tests("crates/x/tests/a.rs::it_holds")), [""; 0]);
        assert_eq!(found(ATTACK, &entry("exception = \"It cannot be measured.\"")), [""; 0]);
    }

    #[test]
    fn missing_test_is_found_with_its_line() {
        for (name, message) in [
            ("crates/x/tests/a.rs::it_is_gone", "`crates/x/tests/a.rs` has no test `it_is_gone`"),
            ("crates/x/tests/a.rs::it_is_no_test", "`crates/x/tests/a.rs` has no test `it_is_no_test`"),
            ("crates/x/b.rs::it_holds", "there is no file `crates/x/b.rs`"),
            ("it_holds", "`it_holds` is not `path::name`"),
        ] {
            assert_eq!(found(ATTACK, &with_tests(name)), [format!("{LEDGER}:5: {message}")]);
        }
    }

    #[test]
    fn entry_has_tests_or_an_exception() {
        let expected = [format!("{LEDGER}:1: `hello-floods` has tests or an `exception`, and not both")];
        assert_eq!(found(ATTACK, &entry("")), expected);
        let both = with_tests("crates/x/tests/a.rs::it_holds") + "exception = \"No.\"\n";
        assert_eq!(found(ATTACK, &both), expected);
    }

    #[test]
    fn page_and_ledger_have_the_same_attacks() {
        let ledger = entry("exception = \"No.\"");
        let other = ATTACK.replace("Hello floods", "Floods");
        assert_eq!(
            found(&other, &ledger),
            [
                format!("{PAGE}:3: `Floods` does not have exactly one entry in {LEDGER}"),
                format!("{LEDGER}:1: {PAGE} has no heading `Hello floods`"),
            ]
        );
        let twice = format!("{ledger}{ledger}");
        assert_eq!(
            found(ATTACK, &twice),
            [format!("{PAGE}:3: `Hello floods` does not have exactly one entry in {LEDGER}")]
        );
    }

    #[test]
    fn id_is_the_anchor_of_the_heading() {
        let ledger = entry("exception = \"No.\"").replace("hello-floods", "floods");
        assert_eq!(
            found(ATTACK, &ledger),
            [format!("{LEDGER}:1: the id of `Hello floods` is its anchor, `hello-floods`")]
        );
        assert_eq!(anchor("Forged, stolen and 403s"), "forged-stolen-and-403s");
    }

    #[test]
    fn attack_names_attacker_and_answer() {
        let page = ATTACK.replace("- **Answer:** a bound.\n", "");
        assert_eq!(
            found(&page, &entry("exception = \"No.\"")),
            [format!("{PAGE}:3: an attack without `- **Answer:**`")]
        );
    }

    #[test]
    fn unknown_key_is_found() {
        let found = found(ATTACK, &entry("test = \"crates/x/tests/a.rs::it_holds\""));
        assert_eq!(found, [format!("{LEDGER}:4: `test` is unknown or of another type")]);
    }
}
