//! The prose of a text file: comments and string literals of Rust, paragraphs of Markdown, comments elsewhere.
//!
//! Knows the form of each kind of file. Does not check the words.

use super::TextFile;
use super::source::RustSource;

/// A run of prose: a comment block, a string literal, a Markdown paragraph, list item or table row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Passage {
    /// The line on which it begins, counted from 1.
    pub(crate) line: usize,
    /// Its words on one line, so that a phrase is found across a line break.
    pub(crate) text: String,
    pub(crate) kind: Kind,
}

/// The kind of a passage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Sentences for a reader: comments and documents.
    Text,
    /// A string literal, which is often a fragment of a sentence.
    Literal,
}

impl Passage {
    /// The sentences of two words or more.
    pub(crate) fn sentences(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.text.as_str();
        let next = move || {
            if rest.is_empty() {
                return None;
            }
            let ends = |(at, end): &(usize, char)| {
                matches!(end, '.' | '!' | '?' | ':') && rest[at + end.len_utf8()..].starts_with(' ')
            };
            let end = rest.char_indices().find(ends).map_or(rest.len(), |(at, end)| at + end.len_utf8());
            let (sentence, tail) = rest.split_at(end);
            rest = tail.trim_start();
            Some(sentence.trim())
        };
        std::iter::from_fn(next).filter(|sentence| sentence.contains(' '))
    }
}

/// Returns the passages of a file in their order; none where the kind of file holds no prose.
pub(crate) fn passages(file: &TextFile) -> Vec<Passage> {
    let extension = file.path.rsplit_once('.').map_or("", |(_, extension)| extension);
    match (&file.rust, extension) {
        (Some(rust), _) => of_rust(&file.text, rust),
        (None, "md") => of_markdown(&file.text),
        (None, "toml") => of_toml(&file.text),
        (None, "html") => of_html(&file.text),
        (None, "js" | "mjs" | "go") => of_script(&file.text, "//"),
        (None, "sh" | "py" | "yml" | "yaml") => of_script(&file.text, "#"),
        _ => Vec::new(),
    }
}

/// Collects lines into passages.
#[derive(Default)]
struct Collector {
    passages: Vec<Passage>,
    open: Option<Passage>,
}

impl Collector {
    fn add(&mut self, line: usize, words: &str, kind: Kind) {
        let words = words.trim();
        if words.is_empty() {
            return self.close();
        }
        match &mut self.open {
            Some(open) if open.kind == kind => {
                open.text.push(' ');
                open.text.push_str(words);
            }
            _ => {
                self.close();
                self.open = Some(Passage { line, text: words.to_owned(), kind });
            }
        }
    }

    fn alone(&mut self, line: usize, words: &str, kind: Kind) {
        self.close();
        self.add(line, words, kind);
        self.close();
    }

    fn close(&mut self) {
        self.passages.extend(self.open.take());
    }

    fn finish(mut self) -> Vec<Passage> {
        self.close();
        self.passages
    }
}

fn of_rust(text: &str, rust: &RustSource) -> Vec<Passage> {
    let (mut comments, mut literals) = (Collector::default(), Collector::default());
    let (mut offset, mut fenced) = (0, false);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let code = rust.code().get(offset..offset + line.len()).unwrap_or_default();
        // A comment is blank to the end of its line, its slashes included; a literal keeps its quotes.
        let comment = line
            .match_indices("//")
            .map(|(at, _)| at)
            .find(|&at| code.get(at..).is_some_and(|rest| rest.trim().is_empty()) && !in_literal(code, at));
        if let Some(at) = comment {
            let words = line[at..].trim_start_matches('/').trim_start_matches('!');
            // `//= id` ties code to a requirement; it is no sentence.
            let is_marker = words.starts_with('=');
            let fence = words.trim_start().starts_with("```");
            fenced ^= fence;
            if fence || is_marker {
                comments.close();
            } else if fenced {
                comments.add(index + 1, example_comment(words), Kind::Text);
            } else {
                let stands_alone = line[..at].trim().is_empty();
                if !stands_alone || begins_item(words.trim()) {
                    comments.close();
                }
                comments.add(index + 1, words, Kind::Text);
                if !stands_alone {
                    comments.close();
                }
            }
        } else {
            fenced = false;
            comments.close();
        }
        let end = comment.unwrap_or(line.len());
        let inside: String = line[..end]
            .char_indices()
            .map(|(at, letter)| {
                let kept = code.get(at..at + letter.len_utf8()).is_some_and(|kept| kept != " ");
                if kept { '\u{1}' } else { letter }
            })
            .collect();
        for literal in inside.split('\u{1}').filter(|part| !part.trim().is_empty()) {
            literals.alone(index + 1, literal, Kind::Literal);
        }
        offset += line.len();
    }
    let mut passages = comments.finish();
    passages.extend(literals.finish());
    passages
}

/// Returns whether an opening quote before `at` has no closing one: then `//` belongs to a literal.
fn in_literal(code: &str, at: usize) -> bool {
    code.get(..at).is_some_and(|before| before.matches('"').count() % 2 == 1)
}

/// Returns the comment in a line of an example, or an empty text.
fn example_comment(line: &str) -> &str {
    let line = line.trim();
    let at = if line.starts_with("//") { Some(0) } else { line.find(" // ").map(|at| at + 1) };
    at.map_or("", |at| line[at..].trim_start_matches('/').trim_start_matches('!'))
}

fn begins_item(words: &str) -> bool {
    words.starts_with("- ") || words.starts_with("* ") || words.starts_with('|') || words.starts_with('#')
}

fn of_markdown(text: &str) -> Vec<Passage> {
    let (mut collector, mut fenced) = (Collector::default(), false);
    for (index, line) in text.lines().enumerate() {
        let words = line.trim();
        let fence = words.starts_with("```");
        fenced ^= fence;
        if fence {
            collector.close();
        } else if fenced {
            collector.add(index + 1, example_comment(words), Kind::Text);
        } else if words.starts_with('|') {
            // Each cell is read alone.
            for cell in words.split('|') {
                collector.alone(index + 1, cell, Kind::Text);
            }
        } else {
            if begins_item(words) {
                collector.close();
            }
            collector.add(index + 1, words.trim_start_matches(['-', '*', '#', ' ']), Kind::Text);
        }
    }
    collector.finish()
}

/// Comments, and the values that are sentences.
fn of_toml(text: &str) -> Vec<Passage> {
    let mut collector = Collector::default();
    for (index, line) in text.lines().enumerate() {
        let words = line.trim();
        if let Some(comment) = words.strip_prefix('#') {
            collector.add(index + 1, comment, Kind::Text);
        } else {
            collector.close();
            for value in words.split('"').skip(1).step_by(2).filter(|value| value.contains(' ')) {
                collector.alone(index + 1, value, Kind::Text);
            }
        }
    }
    collector.finish()
}

/// The text between tags; scripts inside a page are read as text, too.
fn of_html(text: &str) -> Vec<Passage> {
    let mut collector = Collector::default();
    for (index, line) in text.lines().enumerate() {
        for part in line.split(['<', '>']) {
            collector.alone(index + 1, part, Kind::Literal);
        }
    }
    collector.finish()
}

fn of_script(text: &str, mark: &str) -> Vec<Passage> {
    let mut collector = Collector::default();
    for (index, line) in text.lines().enumerate() {
        if let Some(comment) = line.trim().strip_prefix(mark) {
            collector.add(index + 1, comment.trim_start_matches('!'), Kind::Text);
        } else {
            collector.close();
            for literal in line.split(['"', '\'', '`']).skip(1).step_by(2) {
                collector.alone(index + 1, literal, Kind::Literal);
            }
        }
    }
    collector.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::Tree;

    fn read(path: &str, text: &str) -> Vec<(usize, String, Kind)> {
        let tree = Tree::of(&[(path, text)]);
        let passages = passages(&tree.files[0]);
        passages.into_iter().map(|passage| (passage.line, passage.text, passage.kind)).collect()
    }

    #[test]
    fn comment_lines_join_into_one_passage() {
        let text = "//! One\n//! two.\n//!\n//! Three.\nfn a() {} // four\n//= rfc1-2-a\n";
        let expected = [(1, "One two."), (4, "Three."), (5, "four")];
        let expected = expected.map(|(line, text)| (line, text.to_owned(), Kind::Text));
        assert_eq!(read("a.rs", text), expected);
    }

    #[test]
    fn literals_are_passages_of_their_own() {
        let text = "fn a() { b(\"see // this\", c); d('x') } // end\n";
        let read = read("a.rs", text);
        assert_eq!(read[0], (1, "end".into(), Kind::Text));
        assert_eq!(read[1], (1, "see // this".into(), Kind::Literal));
    }

    #[test]
    fn fenced_code_is_no_prose() {
        assert_eq!(read("a.rs", "/// ```\n/// let x = 1;\n/// ```\nfn a() {}\n"), []);
        assert_eq!(read("a.md", "```\nlet x = 1;\n```\n"), []);
    }

    #[test]
    fn comments_of_examples_are_prose() {
        let read_text =
            |path, text| read(path, text).into_iter().map(|(_, words, _)| words).collect::<Vec<_>>();
        let rust = "/// ```\n/// // Sends it.\n/// // Again.\n/// send(); // Twice.\n/// ```\nfn a() {}\n";
        assert_eq!(read_text("a.rs", rust), ["Sends it. Again. Twice."]);
        assert_eq!(read_text("a.md", "```\nsend(\"http://x\"); // Once.\n```\n"), ["Once."]);
    }

    #[test]
    fn markdown_cells_and_items_stand_alone() {
        let texts: Vec<_> = read("a.md", "# Head\n- one\n  more\n- two\n\n| a b | c |\n")
            .into_iter()
            .map(|(_, text, _)| text)
            .collect();
        assert_eq!(texts, ["Head", "one more", "two", "a b", "c"]);
    }

    #[test]
    fn sentences_end_at_a_stop_before_a_space() {
        let passage = Passage { line: 1, text: "See 4.2 there. What now? Yes.".into(), kind: Kind::Text };
        assert_eq!(passage.sentences().collect::<Vec<_>>(), ["See 4.2 there.", "What now?"]);
    }
}
