//! The rule `plain-english`: retired words and phrases, sentences that open with a relative clause, long test names.
//!
//! Knows the list in `xtask/plain-english.toml`. Does not know grammar: it finds what a reader would stumble over
//! most often, and leaves the rest to review.

use std::fmt;

use super::prose::{Kind, Passage, passages};
use super::{Finding, TextFile, Tree};

const LIST: &str = "xtask/plain-english.toml";

/// The rules of the list.
#[derive(Debug, Default)]
struct List {
    retired: Vec<Retired>,
    openers: Vec<String>,
    /// The greatest share of sentences that may open so, in per cent.
    opener_share: f64,
    /// The most characters of a test's name.
    test_name: usize,
    exceptions: Vec<Exception>,
}

/// A word or phrase that is not used, and what to write instead.
#[derive(Debug)]
struct Retired {
    text: String,
    instead: String,
}

/// A place where a retired phrase may stand.
#[derive(Debug)]
struct Exception {
    path: String,
    text: String,
}

/// The figures of a tree, as the summary line of `cargo xtask tidy` prints them.
#[derive(Debug, Default)]
pub(super) struct Figures {
    retired: usize,
    sentences: usize,
    opened: usize,
    test_names: Vec<String>,
}

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    match read_list(tree) {
        Ok(Some(list)) => examine(tree, &list).1,
        Ok(None) => Vec::new(),
        Err(message) => vec![Finding::whole(LIST, message)],
    }
}

/// Returns the figures of the tree; all are zero where the list is missing.
pub(super) fn figures(tree: &Tree) -> Figures {
    read_list(tree).ok().flatten().map(|list| examine(tree, &list).0).unwrap_or_default()
}

fn examine(tree: &Tree, list: &List) -> (Figures, Vec<Finding>) {
    let (mut figures, mut findings, mut opened) = (Figures::default(), Vec::new(), Vec::new());
    let mut used = vec![false; list.exceptions.len()];
    for file in tree.files.iter().filter(|file| file.path != LIST) {
        for passage in passages(file) {
            for retired in list.retired.iter().filter(|retired| holds_words(&passage.text, &retired.text)) {
                let excepted = list.exceptions.iter().position(|exception| {
                    exception.path == file.path && exception.text.eq_ignore_ascii_case(&retired.text)
                });
                if let Some(index) = excepted {
                    used[index] = true;
                    continue;
                }
                figures.retired += 1;
                findings.push(at(file, &passage, format!("`{}`: {}", retired.text, retired.instead)));
            }
            if passage.kind == Kind::Text {
                for sentence in passage.sentences() {
                    figures.sentences += 1;
                    if list.openers.iter().any(|opener| opens_with(sentence, opener)) {
                        opened.push(at(file, &passage, format!("opens with a relative clause: {sentence}")));
                    }
                }
            }
        }
        for (offset, name) in test_names(file) {
            if name.len() > list.test_name {
                let message = format!("the test's name has {} characters: {name}", name.len());
                findings.push(file.fails_at(offset, message));
            }
            figures.test_names.push(name.to_owned());
        }
    }
    figures.opened = opened.len();
    if figures.opener_share() > list.opener_share {
        findings.append(&mut opened);
    }
    for (exception, _) in list.exceptions.iter().zip(used).filter(|(_, used)| !used) {
        let message = format!("the exception for `{}` in {} is not needed", exception.text, exception.path);
        findings.push(Finding::whole(LIST, message));
    }
    (figures, findings)
}

fn at(file: &TextFile, passage: &Passage, message: String) -> Finding {
    Finding { line: passage.line, ..Finding::whole(&file.path, message) }
}

/// Returns whether the words of `phrase` stand in `text` in this order, whole, in any case.
fn holds_words(text: &str, phrase: &str) -> bool {
    let (text, phrase) = (text.to_ascii_lowercase(), phrase.to_ascii_lowercase());
    super::source::find_words(&text, &phrase).next().is_some()
}

/// A question may open with any word.
fn opens_with(sentence: &str, opener: &str) -> bool {
    let opens = sentence.strip_prefix(opener).is_some_and(|rest| rest.starts_with([' ', ',']));
    opens && !sentence.ends_with('?')
}

/// The names of the tests of a file, with their offsets.
fn test_names(file: &TextFile) -> Vec<(usize, &str)> {
    let Some(rust) = &file.rust else { return Vec::new() };
    let code = rust.code();
    let mut names = Vec::new();
    for mark in ["#[test]", "#[tokio::test"] {
        for (start, _) in code.match_indices(mark) {
            let Some(found) = code[start..].find("fn ") else { continue };
            let offset = start + found + 3;
            let length = code[offset..].find(|letter: char| !letter.is_alphanumeric() && letter != '_');
            names.push((offset, &code[offset..offset + length.unwrap_or(0)]));
        }
    }
    names
}

impl Figures {
    fn opener_share(&self) -> f64 {
        percent(self.opened, self.sentences)
    }

    fn longest_name(&self) -> usize {
        self.test_names.iter().map(String::len).max().unwrap_or_default()
    }

    fn median_words(&self) -> usize {
        let mut words: Vec<usize> = self
            .test_names
            .iter()
            .map(|name| name.split('_').filter(|word| !word.is_empty()).count())
            .collect();
        words.sort_unstable();
        words.get(words.len() / 2).copied().unwrap_or_default()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} retired words in {} sentences, {:.2} % of which open with a relative clause; {} test names, \
             the longest of {} characters, median {} words",
            self.retired,
            self.sentences,
            self.opener_share(),
            self.test_names.len(),
            self.longest_name(),
            self.median_words(),
        )
    }
}

fn percent(part: usize, whole: usize) -> f64 {
    let exact = |count: usize| u32::try_from(count).map_or(f64::INFINITY, f64::from);
    if whole == 0 { 0.0 } else { exact(part) * 100.0 / exact(whole) }
}

/// Returns `None` where the tree has no list.
fn read_list(tree: &Tree) -> Result<Option<List>, String> {
    let Some(file) = tree.files.iter().find(|file| file.path == LIST) else { return Ok(None) };
    let table: toml::Table = file.text.parse().map_err(|error| format!("is not TOML: {error}"))?;
    let mut list = List { opener_share: 100.0, test_name: usize::MAX, ..List::default() };
    let rows = |key: &str| table.get(key).and_then(toml::Value::as_array).cloned().unwrap_or_default();
    for row in rows("retired") {
        list.retired.push(Retired { text: field(&row, "text")?, instead: field(&row, "instead")? });
    }
    for row in rows("exception") {
        // A reason is required, and read by people only.
        field(&row, "reason")?;
        list.exceptions.push(Exception { path: field(&row, "path")?, text: field(&row, "text")? });
    }
    let limits = table.get("limits").ok_or("has no `[limits]`")?;
    let openers = limits.get("openers").and_then(toml::Value::as_array).cloned().unwrap_or_default();
    list.openers = openers.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect();
    list.opener_share =
        limits.get("opener_percent").and_then(toml::Value::as_float).ok_or("has no `opener_percent`")?;
    let name = limits.get("test_name_characters").and_then(toml::Value::as_integer);
    list.test_name =
        name.and_then(|name| usize::try_from(name).ok()).ok_or("has no `test_name_characters`")?;
    Ok(Some(list))
}

fn field(row: &toml::Value, key: &str) -> Result<String, String> {
    let text = row.get(key).and_then(toml::Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| format!("a row without `{key}`: {row:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "[limits]\nopeners = [\"Thus\"]\nopener_percent = 50.0\ntest_name_characters = 12\n\
                         [[retired]]\ntext = \"old word\"\ninstead = \"new word\"\n";

    fn found(list: &str, path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(LIST, list), (path, text)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn retired_phrase_is_found_across_lines() {
        let expected = ["a.rs:2: `old word`: new word"];
        assert_eq!(found(RULES, "a.rs", "fn a() {}\n/// An Old\n/// word.\n"), expected);
        assert_eq!(found(RULES, "a.rs", "fn a() {}\nfn b() { c(\"an old word\") }\n"), expected);
        assert_eq!(found(RULES, "a.rs", "fn old_word() {}\n/// Bold words.\n"), [""; 0]);
    }

    #[test]
    fn exception_covers_one_phrase_of_one_file() {
        let exception = |path: &str| {
            format!("{RULES}[[exception]]\npath = \"{path}\"\ntext = \"old word\"\nreason = \"a quote\"\n")
        };
        assert_eq!(found(&exception("a.md"), "a.md", "An old word.\n"), [""; 0]);
        assert_eq!(
            found(&exception("b.md"), "a.md", "An old word.\n"),
            [
                "a.md:1: `old word`: new word",
                "xtask/plain-english.toml: the exception for `old word` in b.md is not needed"
            ]
        );
    }

    #[test]
    fn exception_needs_a_reason() {
        let list = format!("{RULES}[[exception]]\npath = \"a.md\"\ntext = \"old word\"\n");
        assert!(found(&list, "a.md", "x\n")[0].contains("without `reason`"));
    }

    #[test]
    fn openers_fail_above_their_share_only() {
        let half = "Thus it is. It is so.\n";
        assert_eq!(found(RULES, "a.md", half), [""; 0]);
        let two_thirds = "Thus it is. It is so. Thus it was.\n";
        assert_eq!(found(RULES, "a.md", two_thirds).len(), 2);
        assert_eq!(found(RULES, "a.md", "Thus is it so?\n"), [""; 0]);
    }

    #[test]
    fn long_test_name_is_found() {
        let text = "#[test]\n#[ignore]\nfn twelve_chars() {}\n#[test]\nfn twelve_chars_() {}\n";
        let text = text.replace("twelve_chars", "twelve_char");
        assert_eq!(found(RULES, "a.rs", &text), [""; 0], "11 and 12 characters are allowed");
        let text = text.replace("twelve_char_", "thirteen_char");
        assert_eq!(found(RULES, "a.rs", &text), ["a.rs:5: the test's name has 13 characters: thirteen_char"]);
    }
}
