//! A ledger: the requirements of one RFC, row by row, from `docs/rfc/NAME.toml`.
//!
//! Knows the form of the file and rejects unknown keys. Does not know the tests.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::section::Section;

/// One file.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// The name of the file without its extension, such as `rfc9147`.
    pub(crate) name: String,
    pub(crate) title: String,
    /// The number of requirements of level MUST in each section, as `cargo xtask spec count` counts them.
    pub(crate) musts: BTreeMap<Section, usize>,
    pub(crate) rows: Vec<Requirement>,
}

/// One row: one requirement.
#[derive(Debug)]
pub(crate) struct Requirement {
    /// `rfc9147-4.2.1-a`.
    pub(crate) id: String,
    pub(crate) section: Section,
    pub(crate) level: Level,
    /// One line, in our words.
    pub(crate) text: String,
    pub(crate) answer: Answer,
    /// The line of `[[requirement]]` in the file.
    pub(crate) line: usize,
}

/// The evidence that a row asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A test with the marker of the row.
    Test,
    /// A type that rules out a violation, with the marker above it.
    Construction { reason: String },
    /// None, for this reason.
    Exception { reason: String },
    /// The evidence of the row with this id, which has the same meaning.
    Same { id: String },
}

/// The requirement words of RFC 2119.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Must,
    MustNot,
    Should,
    ShouldNot,
    May,
}

impl Level {
    /// RFC 2119 has several words for each level.
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "MUST" | "SHALL" | "REQUIRED" => Self::Must,
            "MUST NOT" | "SHALL NOT" => Self::MustNot,
            "SHOULD" | "RECOMMENDED" => Self::Should,
            "SHOULD NOT" | "NOT RECOMMENDED" => Self::ShouldNot,
            "MAY" | "OPTIONAL" => Self::May,
            _ => return None,
        })
    }

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::MustNot => "MUST NOT",
            Self::Should => "SHOULD",
            Self::ShouldNot => "SHOULD NOT",
            Self::May => "MAY",
        }
    }

    /// Returns whether `[musts]` counts the level.
    pub(crate) const fn is_must(self) -> bool {
        matches!(self, Self::Must | Self::MustNot)
    }
}

type Table<'a> = DeTable<'a>;
type Value<'a> = Spanned<DeValue<'a>>;

impl Ledger {
    /// Reads the text of `docs/rfc/{name}.toml`. An error names the line.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, String> {
        let line = |offset: usize| 1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count();
        let at = |offset: usize, message: String| format!("docs/rfc/{name}.toml:{}: {message}", line(offset));
        let document = DeTable::parse(text).map_err(|error| {
            at(error.span().map_or(0, |span| span.start), error.message().trim_end().to_owned())
        })?;
        let document = document.get_ref();
        only(document, &["rfc", "musts", "requirement"]).map_err(|(offset, message)| at(offset, message))?;
        let (rfc, _) = table_in(document, "rfc").map_err(|message| at(0, message))?;
        only(rfc, &["title", "url"]).map_err(|(offset, message)| at(offset, message))?;
        let title = string(rfc, "title").map_err(|message| at(0, format!("[rfc]: {message}")))?;
        string(rfc, "url").map_err(|message| at(0, format!("[rfc]: {message}")))?;

        let (counts, _) = table_in(document, "musts").map_err(|message| at(0, message))?;
        let mut musts = BTreeMap::new();
        for (section, count) in counts {
            let offset = section.span().start;
            let number = Section::parse(section.get_ref())
                .ok_or_else(|| at(offset, format!("`{}` is no section", section.get_ref())))?;
            let count = match count.get_ref() {
                DeValue::Integer(count) => count.as_str().parse().ok(),
                _ => None,
            };
            musts.insert(number, count.ok_or_else(|| at(offset, "a count is a number".into()))?);
        }

        let rows = match document.get("requirement").map(Spanned::get_ref) {
            Some(DeValue::Array(rows)) => rows.iter().map(|row| {
                let offset = row.span().start;
                Requirement::parse(name, row, line(offset)).map_err(|message| at(offset, message))
            }),
            Some(_) => return Err(at(0, "`requirement` is not a list of tables".into())),
            None => return Err(at(0, "no `[[requirement]]`".into())),
        };
        let rows = rows.collect::<Result<_, _>>()?;
        Ok(Self { name: name.to_owned(), title, musts, rows })
    }
}

/// The keys of a row that replace a test.
const REASONS: [&str; 3] = ["by_construction", "exception", "same_as"];

impl Requirement {
    fn parse(ledger: &str, row: &Value<'_>, line: usize) -> Result<Self, String> {
        let DeValue::Table(table) = row.get_ref() else { return Err("a requirement is a table".into()) };
        only(table, &["id", "section", "level", "text", REASONS[0], REASONS[1], REASONS[2]])
            .map_err(|(_, message)| message)?;
        let id = string(table, "id")?;
        let section = string(table, "section")?;
        let tag = id
            .strip_prefix(&format!("{ledger}-{section}-"))
            .ok_or_else(|| format!("`{id}` does not begin with `{ledger}-{section}-`"))?;
        if tag.is_empty()
            || !tag.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        {
            return Err(format!("`{id}` ends in `{tag}`; use lower-case letters, digits and `-`"));
        }
        let level = string(table, "level")?;
        let given: Vec<_> = REASONS.iter().filter(|key| table.contains_key(**key)).collect();
        let answer = match given[..] {
            [] => Answer::Test,
            [key] => {
                let value = string(table, key)?;
                match *key {
                    "by_construction" => Answer::Construction { reason: value },
                    "exception" => Answer::Exception { reason: value },
                    _ => Answer::Same { id: value },
                }
            }
            _ => return Err(format!("`{id}` has more than one of {}", REASONS.join(", "))),
        };
        Ok(Self {
            section: Section::parse(&section).ok_or_else(|| format!("`{section}` is not a section"))?,
            level: Level::of(&level).ok_or_else(|| format!("`{level}` is not a word of RFC 2119"))?,
            text: string(table, "text")?,
            id,
            answer,
            line,
        })
    }
}

fn table_in<'t, 'a>(table: &'t Table<'a>, key: &str) -> Result<(&'t Table<'a>, usize), String> {
    let value = table.get(key).ok_or_else(|| format!("no `[{key}]`"))?;
    match value.get_ref() {
        DeValue::Table(table) => Ok((table, value.span().start)),
        _ => Err(format!("`{key}` is no table")),
    }
}

fn string(table: &Table<'_>, key: &str) -> Result<String, String> {
    match table.get(key).map(Spanned::get_ref) {
        Some(DeValue::String(text)) if text.contains('\n') => Err(format!("`{key}` is one line")),
        Some(DeValue::String(text)) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        _ => Err(format!("no `{key}`")),
    }
}

/// Rejects an unknown key, because a misspelt key would have no effect.
fn only(table: &Table<'_>, known: &[&str]) -> Result<(), (usize, String)> {
    match table.keys().find(|key| !known.contains(&key.get_ref().as_ref())) {
        Some(key) => Err((key.span().start, format!("unknown key `{}`", key.get_ref()))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "[rfc]\ntitle = \"T\"\nurl = \"U\"\n\n[musts]\n\"4.1\" = 2\n\n";

    fn row(more: &str) -> String {
        format!(
            "{HEAD}[[requirement]]\nid = \"rfc1-4.1-a\"\nsection = \"4.1\"\nlevel = \"MUST NOT\"\ntext = \"words\"\n{more}"
        )
    }

    fn refused(text: &str) -> String {
        Ledger::parse("rfc1", text).expect_err("the ledger was taken")
    }

    #[test]
    fn ledger_is_read() {
        let ledger = Ledger::parse("rfc1", &row("exception = \"because\"\n")).unwrap();
        assert_eq!(ledger.musts.values().collect::<Vec<_>>(), [&2]);
        let row = &ledger.rows[0];
        assert_eq!((row.id.as_str(), row.level, row.line), ("rfc1-4.1-a", Level::MustNot, 8));
        assert_eq!(row.answer, Answer::Exception { reason: "because".into() });
    }

    #[test]
    fn id_contains_ledger_and_section() {
        let text = row("").replace("rfc1-4.1-a", "rfc1-4.2-a");
        assert_eq!(refused(&text), "docs/rfc/rfc1.toml:8: `rfc1-4.2-a` does not begin with `rfc1-4.1-`");
        assert!(refused(&row("").replace("4.1-a", "4.1-A")).contains("lower-case"));
    }

    #[test]
    fn misspelt_key_or_level_is_rejected() {
        assert!(refused(&row("exeption = \"x\"\n")).contains("unknown key `exeption`"));
        assert!(refused(&row("").replace("MUST NOT", "MUSTNT")).contains("not a word of RFC 2119"));
    }

    #[test]
    fn row_has_one_reason_that_is_not_empty() {
        assert!(refused(&row("exception = \" \"\n")).contains("no `exception`"));
        assert!(refused(&row("exception = \"a\"\nsame_as = \"b\"\n")).contains("more than one"));
    }

    #[test]
    fn invalid_toml_is_rejected_with_its_line() {
        assert!(refused("[rfc]\ntitle = \n").starts_with("docs/rfc/rfc1.toml:2: "));
    }
}
