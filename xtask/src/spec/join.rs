//! Joins ledgers and markers: the evidence of each requirement, and the errors in the claims.
//!
//! Knows rows and markers as values. Reads no files and prints nothing.

use std::collections::BTreeMap;

use super::ledger::{Answer, Ledger, Level, Requirement};
use super::marker::{Marker, Place};
use super::section::Section;

/// The ledgers joined with the markers of the tree.
#[derive(Debug)]
pub(crate) struct Joined<'a> {
    /// In the order of the ledgers.
    pub(crate) rows: Vec<Row<'a>>,
    /// The errors, one line each.
    pub(crate) findings: Vec<String>,
}

/// A requirement with its evidence.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) requirement: &'a Requirement,
    pub(crate) outcome: Outcome,
    /// `path:line name` of each marker. A row with `same_as` has the evidence of the other row.
    pub(crate) evidence: Vec<String>,
}

/// The kind of evidence of a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Tested,
    Constructed,
    Excepted,
    Missing,
}

impl Row<'_> {
    /// Returns the reason why there is no test; empty if there is one.
    pub(crate) fn reason(&self) -> String {
        match &self.requirement.answer {
            Answer::Test => String::new(),
            Answer::Construction { reason } | Answer::Exception { reason } => reason.clone(),
            Answer::Same { id } => format!("the same as {id}"),
        }
    }
}

impl Outcome {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Tested => "tested",
            Self::Constructed => "by construction",
            Self::Excepted => "excepted",
            Self::Missing => "missing",
        }
    }
}

/// Joins the ledgers with the markers.
pub(crate) fn join<'a>(ledgers: &'a [Ledger], markers: &[Marker]) -> Joined<'a> {
    let mut findings = Vec::new();
    let known = known(ledgers, &mut findings);
    let mut at: BTreeMap<&str, Vec<&Marker>> = BTreeMap::new();
    for marker in markers {
        let place = format!("{}:{}", marker.path, marker.line);
        if !known.contains_key(marker.id.as_str()) {
            findings.push(format!("{place}: docs/rfc has no row `{}`", marker.id));
        } else if marker.place == Place::Nothing {
            findings.push(format!("{place}: there is no test below `{}`", marker.id));
        } else {
            at.entry(&marker.id).or_default().push(marker);
        }
    }
    let mut rows = Vec::new();
    for ledger in ledgers {
        for requirement in &ledger.rows {
            let here = at.get(requirement.id.as_str()).map(Vec::as_slice).unwrap_or_default();
            let judged = judge(requirement, here, &known, &at);
            let (outcome, evidence) = judged.unwrap_or_else(|message| {
                findings.push(format!("{}: {message}", place(ledger, requirement)));
                (Outcome::Missing, Vec::new())
            });
            rows.push(Row { ledger, requirement, outcome, evidence });
        }
        findings.extend(uncovered(ledger));
    }
    Joined { rows, findings }
}

fn place(ledger: &Ledger, requirement: &Requirement) -> String {
    format!("docs/rfc/{}.toml:{}: {}", ledger.name, requirement.line, requirement.id)
}

/// Returns the rows by id. An id that occurs twice is a finding.
fn known<'a>(ledgers: &'a [Ledger], findings: &mut Vec<String>) -> BTreeMap<&'a str, &'a Requirement> {
    let mut known = BTreeMap::new();
    for ledger in ledgers {
        for requirement in &ledger.rows {
            if known.insert(requirement.id.as_str(), requirement).is_some() {
                findings.push(format!("{}: the id occurs twice", place(ledger, requirement)));
            }
        }
    }
    known
}

type Rows<'a> = BTreeMap<&'a str, &'a Requirement>;
type Markers<'a> = BTreeMap<&'a str, Vec<&'a Marker>>;

fn judge(
    requirement: &Requirement,
    markers: &[&Marker],
    known: &Rows<'_>,
    at: &Markers<'_>,
) -> Result<(Outcome, Vec<String>), String> {
    let tests = || markers.iter().filter(|marker| matches!(marker.place, Place::Test { .. }));
    let evidence: Vec<_> = markers.iter().map(|marker| shown(marker)).collect();
    match &requirement.answer {
        Answer::Test if tests().next().is_some() => Ok((Outcome::Tested, evidence)),
        Answer::Test if markers.is_empty() => Err("has no test with its marker, and no exception".into()),
        Answer::Test => Err("only code has its marker; add a test or `by_construction`".into()),
        Answer::Construction { .. } if tests().next().is_some() => {
            Err("has a test, so it needs no `by_construction`".into())
        }
        Answer::Construction { .. } if markers.is_empty() => Err("no code has its marker".into()),
        Answer::Construction { .. } => Ok((Outcome::Constructed, evidence)),
        Answer::Exception { .. } if markers.is_empty() => Ok((Outcome::Excepted, evidence)),
        Answer::Exception { .. } => Err(format!("is an exception, but {} claims it", evidence.join(", "))),
        Answer::Same { .. } if !markers.is_empty() => {
            Err(format!("the marker at {} belongs above the row that `same_as` names", evidence.join(", ")))
        }
        Answer::Same { id } => {
            let other = known.get(id.as_str()).ok_or_else(|| format!("there is no `{id}`"))?;
            if matches!(other.answer, Answer::Same { .. }) {
                return Err(format!("`{id}` has `same_as` itself"));
            }
            if requirement.level.is_must() && !other.level.is_must() {
                return Err(format!("`{id}` is only a {}", other.level.word()));
            }
            let there = at.get(id.as_str()).map(Vec::as_slice).unwrap_or_default();
            judge(other, there, known, at).map_err(|_| format!("`{id}` has no evidence either"))
        }
    }
}

fn shown(marker: &Marker) -> String {
    match &marker.place {
        Place::Test { name } => format!("{}:{} {name}", marker.path, marker.line),
        Place::Code | Place::Nothing => format!("{}:{}", marker.path, marker.line),
    }
}

/// Returns the sections whose text has more requirements than the ledger.
fn uncovered(ledger: &Ledger) -> Vec<String> {
    let short = |(section, &musts): (&Section, &usize)| {
        let rows = musts_in(ledger, section);
        (rows < musts).then(|| {
            format!(
                "docs/rfc/{}.toml: section {section} has {musts} requirements of level MUST, but {rows} rows",
                ledger.name
            )
        })
    };
    ledger.musts.iter().filter_map(short).collect()
}

/// The rows of level MUST of one section.
pub(crate) fn musts_in(ledger: &Ledger, section: &Section) -> usize {
    ledger.rows.iter().filter(|row| row.section == *section && Level::is_must(row.level)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ledger with one MUST in section 1, and the lines that each row adds to its table.
    fn ledger(rows: &[(&str, &str)]) -> Vec<Ledger> {
        let mut text = String::from("[rfc]\ntitle = \"T\"\nurl = \"U\"\n[musts]\n\"1\" = 1\n");
        for (id, more) in rows {
            let row = format!(
                "[[requirement]]\nid = \"{id}\"\nsection = \"1\"\nlevel = \"MUST\"\ntext = \"t\"\n{more}\n"
            );
            text.push_str(&row);
        }
        vec![Ledger::parse("rfc1", &text).unwrap()]
    }

    fn test(id: &str) -> Marker {
        Marker {
            id: id.into(),
            path: "crates/x/tests/a.rs".into(),
            line: 7,
            place: Place::Test { name: "a".into() },
        }
    }

    fn code(id: &str) -> Marker {
        Marker { place: Place::Code, ..test(id) }
    }

    fn outcomes(rows: &[(&str, &str)], markers: &[Marker]) -> Result<Vec<Outcome>, Vec<String>> {
        let ledgers = ledger(rows);
        let joined = join(&ledgers, markers);
        if joined.findings.is_empty() {
            Ok(joined.rows.iter().map(|row| row.outcome).collect())
        } else {
            Err(joined.findings)
        }
    }

    fn refused(rows: &[(&str, &str)], markers: &[Marker]) -> String {
        outcomes(rows, markers).expect_err("nothing was found").join("\n")
    }

    const CONSTRUCTED: &str = "by_construction = \"types\"";
    const EXCEPTED: &str = "exception = \"refused\"";

    #[test]
    fn kinds_of_evidence_are_distinguished() {
        let rows = [
            ("rfc1-1-a", ""),
            ("rfc1-1-b", CONSTRUCTED),
            ("rfc1-1-c", EXCEPTED),
            ("rfc1-1-d", "same_as = \"rfc1-1-b\""),
        ];
        let markers = [test("rfc1-1-a"), code("rfc1-1-b")];
        let expected = [Outcome::Tested, Outcome::Constructed, Outcome::Excepted, Outcome::Constructed];
        assert_eq!(outcomes(&rows, &markers), Ok(expected.to_vec()));
    }

    #[test]
    fn requirement_without_evidence_is_found() {
        assert!(refused(&[("rfc1-1-a", "")], &[]).contains("docs/rfc/rfc1.toml:6: rfc1-1-a: has no test"));
        assert!(refused(&[("rfc1-1-a", "")], &[code("rfc1-1-a")]).contains("only code has its marker"));
        assert!(refused(&[("rfc1-1-a", CONSTRUCTED)], &[]).contains("no code"));
    }

    #[test]
    fn needless_reason_is_found() {
        assert!(refused(&[("rfc1-1-a", EXCEPTED)], &[test("rfc1-1-a")]).contains("is an exception, but"));
        assert!(refused(&[("rfc1-1-a", CONSTRUCTED)], &[test("rfc1-1-a")]).contains("needs no"));
    }

    #[test]
    fn marker_without_row_or_test_is_found() {
        let rows = [("rfc1-1-a", EXCEPTED)];
        assert_eq!(
            refused(&rows, &[test("rfc1-1-z")]),
            "crates/x/tests/a.rs:7: docs/rfc has no row `rfc1-1-z`"
        );
        let above_nothing = Marker { place: Place::Nothing, ..test("rfc1-1-a") };
        assert!(refused(&rows, &[above_nothing]).contains("there is no test below"));
    }

    #[test]
    fn same_as_without_target_is_found() {
        let to = |id: &str| format!("same_as = \"{id}\"");
        assert!(refused(&[("rfc1-1-a", &to("rfc1-1-b"))], &[]).contains("there is no `rfc1-1-b`"));
        assert!(refused(&[("rfc1-1-a", &to("rfc1-1-a"))], &[]).contains("`same_as` itself"));
        let unanswered = refused(&[("rfc1-1-a", &to("rfc1-1-b")), ("rfc1-1-b", "")], &[]);
        assert!(unanswered.contains("`rfc1-1-b` has no evidence either"));
    }

    #[test]
    fn duplicate_id_is_found() {
        assert!(refused(&[("rfc1-1-a", EXCEPTED), ("rfc1-1-a", EXCEPTED)], &[]).contains("twice"));
    }

    #[test]
    fn section_with_missing_rows_is_found() {
        let mut ledgers = ledger(&[("rfc1-1-a", EXCEPTED)]);
        ledgers[0].musts.insert(Section::parse("1").unwrap(), 2);
        let findings = join(&ledgers, &[]).findings;
        assert_eq!(findings, ["docs/rfc/rfc1.toml: section 1 has 2 requirements of level MUST, but 1 rows"]);
    }
}
