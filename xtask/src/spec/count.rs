//! Counts the requirements of level MUST in the text of an RFC, section by section.
//!
//! Knows the text form of RFCs and the Markdown of drafts. Does not know the ledgers.

use std::collections::BTreeMap;

use super::section::Section;

/// The counting rule, for people who check it.
pub(crate) const RULE: &str = "\
Every MUST, SHALL and REQUIRED in capitals counts one for the section whose heading stands above it; MUST NOT
and SHALL NOT count one as well, NOT REQUIRED counts none. Left out are the paragraph that explains these words
(BCP 14), page headers and footers, the table of contents, and what stands before the first numbered section.";

/// Returns the number of requirements of level MUST of each section that has one.
pub(crate) fn musts(text: &str) -> BTreeMap<Section, usize> {
    let markdown = text.starts_with("---");
    let mut heading = if markdown { Heading::Markdown(Markdown::default()) } else { Heading::Plain };
    let mut counts = BTreeMap::new();
    let mut here: Option<Section> = None;
    let mut paragraph = String::new();
    for line in text.lines().map(|line| line.trim_start_matches('\u{c}')).filter(|line| !is_page_edge(line)) {
        if let Some(section) = heading.of(line) {
            add(&mut counts, here.as_ref(), &paragraph);
            paragraph.clear();
            here = Some(section);
        } else if line.trim().is_empty() {
            // A page break puts blank lines into a paragraph. That changes no count: only the short explanation of the
            // requirement words is matched as a whole paragraph.
            add(&mut counts, here.as_ref(), &paragraph);
            paragraph.clear();
        } else {
            paragraph.push_str(line);
            paragraph.push('\n');
        }
    }
    add(&mut counts, here.as_ref(), &paragraph);
    counts
}

fn add(counts: &mut BTreeMap<Section, usize>, section: Option<&Section>, paragraph: &str) {
    let Some(section) = section else { return };
    let count = requirements(paragraph);
    if count > 0 {
        *counts.entry(section.clone()).or_default() += count;
    }
}

fn requirements(paragraph: &str) -> usize {
    if explains_the_words(paragraph) {
        return 0;
    }
    let words: Vec<_> = paragraph
        .split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let is_required = |index: usize| match words[index] {
        "MUST" | "SHALL" => true,
        "REQUIRED" => index == 0 || words[index - 1] != "NOT",
        _ => false,
    };
    (0..words.len()).filter(|&index| is_required(index)).count()
}

/// Returns whether this is the paragraph of BCP 14, in its old or new wording. Drafts in Markdown have
/// `{::boilerplate bcp14}` instead.
fn explains_the_words(paragraph: &str) -> bool {
    let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase();
    line.contains("key words") && line.contains("\"must not\"") && line.contains("interpreted as described")
}

/// `Rescorla & Modadugu   Standards Track   [Page 7]` and `RFC 6347   DTLS   January 2012`.
fn is_page_edge(line: &str) -> bool {
    let footer = line.ends_with(']') && line.contains("[Page ");
    let header = line.starts_with("RFC ")
        && line.ends_with(|character: char| character.is_ascii_digit())
        && line.contains("   ");
    footer || header
}

/// The form of the headings.
enum Heading {
    /// `4.2.1.  Title` and `Appendix A.  Title` at the first column; a table of contents is indented.
    Plain,
    Markdown(Markdown),
}

impl Heading {
    fn of(&mut self, line: &str) -> Option<Section> {
        match self {
            Self::Plain => plain(line),
            Self::Markdown(markdown) => markdown.heading(line),
        }
    }
}

fn plain(line: &str) -> Option<Section> {
    let line = line.strip_prefix("Appendix ").unwrap_or(line);
    let (number, title) = line.split_once(' ')?;
    // A number at the first column without a dot is data.
    let section = Section::parse(number.strip_suffix('.')?)?;
    (!title.trim().is_empty()).then_some(section)
}

/// The Markdown of a draft has no section numbers, so the headings are counted.
#[derive(Default)]
struct Markdown {
    /// `None` outside the body: in the metadata and the abstract.
    first: Option<&'static str>,
    current: Option<Section>,
    in_figure: bool,
}

impl Markdown {
    fn heading(&mut self, line: &str) -> Option<Section> {
        match line.trim_end() {
            "--- middle" => self.part("1"),
            "--- back" => self.part("A"),
            line if line.starts_with("~~~") || line.starts_with("```") => self.in_figure = !self.in_figure,
            _ => {}
        }
        let depth = line.bytes().take_while(|&byte| byte == b'#').count();
        if depth == 0 || self.in_figure {
            return None;
        }
        let section = match &self.current {
            Some(current) => current.next(depth),
            None => Section::parse(self.first?)?,
        };
        self.current = Some(section.clone());
        Some(section)
    }

    fn part(&mut self, first: &'static str) {
        self.first = Some(first);
        self.current = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(text: &str) -> Vec<(String, usize)> {
        musts(text).into_iter().map(|(section, count)| (section.to_string(), count)).collect()
    }

    fn expect(text: &str, counts: &[(&str, usize)]) {
        let counts: Vec<_> = counts.iter().map(|&(section, count)| (section.to_owned(), count)).collect();
        assert_eq!(counted(text), counts);
    }

    #[test]
    fn each_word_counts_for_its_section() {
        let text = "1.  One\n\n   A MUST b and\n   MUST NOT c; it SHALL\n   NOT d.\n\n1.1. Two\n\n   REQUIRED, NOT REQUIRED, must, MUSTER.\n";
        expect(text, &[("1", 3), ("1.1", 1)]);
    }

    #[test]
    fn appendix_is_a_section() {
        expect("9.  Nine\n\n   x\n\nAppendix B.  Limits\n\nB.1.  More\n\n   MUST\n", &[("B.1", 1)]);
    }

    #[test]
    fn contents_and_abstract_are_not_counted() {
        expect("   MUST\n\n   1.  One MUST\n     1.1.  Two\n\n1.  One\n\n   SHALL\n", &[("1", 1)]);
    }

    #[test]
    fn explanation_of_the_words_is_not_counted() {
        let text = "2.  Terms\n\n   The key words \"MUST\", \"MUST\n   NOT\", \"SHALL\" are to be interpreted as\n   described in RFC 2119.\n\n   One MUST stays.\n";
        expect(text, &[("2", 1)]);
    }

    #[test]
    fn page_break_is_not_counted() {
        let text = "1.  One\n\n   A MUST\n\nA & B          Standards Track          [Page 7]\n\u{c}\nRFC 9999      All MUST hold      January 2012\n\n   NOT b.\n";
        expect(text, &[("1", 1)]);
    }

    #[test]
    fn headings_of_a_draft_get_numbers() {
        let text = "---\ntitle: MUST\n--- abstract\nMUST\n--- middle\n# One\n~~~\n# MUST\n~~~\n## Two\nMUST\n# Three\nMUST\n--- back\n# Four\n## Five\nMUST\n";
        expect(text, &[("1", 1), ("1.1", 1), ("2", 1), ("A.1", 1)]);
    }

    #[test]
    fn data_with_a_leading_number_is_no_heading() {
        expect("4.  Four\n\n   MUST\n\n0001 0002\n16 octets\n\n   MUST\n", &[("4", 2)]);
    }
}
