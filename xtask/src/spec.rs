//! `cargo xtask spec`: the requirements of the RFCs, each with its test or the reason why it has none.
//!
//! Knows the command line and the tables. [`ledger`] reads the ledgers, [`marker`] the markers.

mod count;
mod join;
mod ledger;
mod marker;
mod section;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::command::{Answer, Command, unexpected};
use crate::interop::write_json;
use crate::project::Project;
use crate::tidy::Tree;
use join::{Joined, Outcome, Row};
use ledger::Ledger;
use section::Section;

pub(crate) const COMMAND: Command = Command {
    name: "spec",
    summary: "requirements of the RFCs joined with the tests; fails for a MUST without a test",
    help,
    run,
};

const FOLDER: &str = "docs/rfc/";

fn help() -> String {
    format!(
        "Usage: cargo xtask spec [RFC..] [--rows] [--json PATH]
       cargo xtask spec count FILE [RFC]

  RFC            shows only these ledgers, such as rfc9147; the check covers all of them
  --rows         also shows each requirement with its evidence
  --json PATH    writes the rows as {{rfc, section, id, level, text, outcome, evidence, reason}}

Each file of docs/rfc lists the requirements of one RFC in our own words, and the number of requirements of level
MUST in each section. The line `//= ID` above a test claims a requirement. The check fails for

  - a requirement without a test, without a reason (`exception`) and without types that rule out a violation
    (`by_construction`, with the marker above the type)
  - an exception although a test claims the requirement
  - a section with fewer rows of level MUST than its text has requirements
  - a marker with an unknown id or without a test below it, and an id that occurs twice

docs/rfc/README.md explains the files, and how to add one.

`count FILE` counts the requirements in the text of an RFC (.txt, or .md for a draft); the project does not contain
these texts. It fails if the ledger RFC has other numbers. Without RFC it takes the ledger with the name of the file,
if there is one. The counting rule:
{}
",
        count::RULE
    )
}

/// The options of the command line.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    names: Vec<String>,
    rows: bool,
    json: Option<PathBuf>,
}

impl Request {
    fn parse(arguments: Vec<OsString>) -> Result<Self, String> {
        let mut request = Self::default();
        let mut parser = lexopt::Parser::from_args(arguments);
        while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
            match argument {
                lexopt::Arg::Long("rows") => request.rows = true,
                lexopt::Arg::Long("json") => {
                    request.json = Some(parser.value().map_err(|error| error.to_string())?.into());
                }
                lexopt::Arg::Value(name) => request.names.push(name.to_string_lossy().into_owned()),
                other => return Err(unexpected("spec", &other)),
            }
        }
        Ok(request)
    }
}

fn run(project: &Project, arguments: Vec<OsString>) -> Answer {
    let request = Request::parse(arguments)?;
    match request.names.as_slice() {
        [command, file] if command == "count" => return count(project, Path::new(file), None),
        [command, file, ledger] if command == "count" => {
            return count(project, Path::new(file), Some(ledger));
        }
        _ => {}
    }
    let tree = Tree::read(project)?;
    let ledgers = read(&tree)?;
    if let Some(unknown) =
        request.names.iter().find(|name| !ledgers.iter().any(|ledger| ledger.name == **name))
    {
        let names: Vec<_> = ledgers.iter().map(|ledger| ledger.name.as_str()).collect();
        return Err(format!("unknown ledger `{unknown}`; the ledgers are {}", names.join(", ")));
    }
    let joined = join::join(&ledgers, &marker::find(&tree));
    for ledger in &ledgers {
        if request.names.is_empty() || request.names.contains(&ledger.name) {
            print!("{}", table(ledger, &joined, request.rows));
        }
    }
    if let Some(path) = &request.json {
        write_json(path, &Value::Array(joined.rows.iter().map(json_row).collect()))?;
    }
    let verdict = Verdict::of(&ledgers, &joined);
    print!("{}", verdict.findings);
    println!("spec: {}", verdict.line);
    Ok(if verdict.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The outcome of the check.
struct Verdict {
    passed: bool,
    line: String,
    /// One line each.
    findings: String,
}

impl Verdict {
    fn of(ledgers: &[Ledger], joined: &Joined<'_>) -> Self {
        let count = |outcome| joined.rows.iter().filter(|row| row.outcome == outcome).count();
        let line = format!(
            "{} ledgers, {} requirements: {} tested, {} by construction, {} excepted, {} missing; {} findings",
            ledgers.len(),
            joined.rows.len(),
            count(Outcome::Tested),
            count(Outcome::Constructed),
            count(Outcome::Excepted),
            count(Outcome::Missing),
            joined.findings.len(),
        );
        let mut findings = joined.findings.join("\n");
        if !findings.is_empty() {
            findings.push('\n');
        }
        Self { passed: joined.findings.is_empty(), line, findings }
    }
}

/// Reads the ledgers of the tree, by name. A tree without ledgers is an error.
fn read(tree: &Tree) -> Result<Vec<Ledger>, String> {
    let named = |path: &str| Some(path.strip_prefix(FOLDER)?.strip_suffix(".toml")?.to_owned());
    let texts = tree.files.iter().filter_map(|file| Some((named(&file.path)?, &file.text)));
    let ledgers: Vec<_> = texts.map(|(name, text)| Ledger::parse(&name, text)).collect::<Result<_, _>>()?;
    if ledgers.is_empty() { Err(format!("{FOLDER} contains no ledger")) } else { Ok(ledgers) }
}

/// Returns the table of one ledger, with a line for each section.
fn table(ledger: &Ledger, joined: &Joined<'_>, with_rows: bool) -> String {
    let rows: Vec<_> = joined.rows.iter().filter(|row| row.ledger.name == ledger.name).collect();
    let sections: BTreeSet<&Section> =
        ledger.musts.keys().chain(rows.iter().map(|row| &row.requirement.section)).collect();
    let mut text = format!(
        "{}: {}\n  {:<10} {:>5} {:>5} {:>7} {:>6} {:>9} {:>8}\n",
        ledger.name, ledger.title, "section", "MUSTs", "rows", "tested", "built", "excepted", "missing"
    );
    for section in sections {
        let here: Vec<_> = rows.iter().filter(|row| row.requirement.section == *section).copied().collect();
        line(&mut text, &section.to_string(), ledger.musts.get(section).copied().unwrap_or_default(), &here);
        for row in here.iter().filter(|_| with_rows) {
            let answer = if row.evidence.is_empty() { row.reason() } else { row.evidence.join("\n      ") };
            let requirement = row.requirement;
            let _ = writeln!(
                text,
                "    {} {}: {}\n      {}: {answer}",
                requirement.id,
                requirement.level.word(),
                requirement.text,
                row.outcome.word()
            );
        }
    }
    line(&mut text, "all", ledger.musts.values().sum(), &rows);
    text.push('\n');
    text
}

fn line(text: &mut String, section: &str, musts: usize, rows: &[&Row<'_>]) {
    let count = |outcome| rows.iter().filter(|row| row.outcome == outcome).count();
    let _ = writeln!(
        text,
        "  {section:<10} {musts:>5} {:>5} {:>7} {:>6} {:>9} {:>8}",
        rows.len(),
        count(Outcome::Tested),
        count(Outcome::Constructed),
        count(Outcome::Excepted),
        count(Outcome::Missing)
    );
}

fn json_row(row: &Row<'_>) -> Value {
    json!({
        "rfc": row.ledger.name,
        "section": row.requirement.section.to_string(),
        "id": row.requirement.id,
        "level": row.requirement.level.word(),
        "text": row.requirement.text,
        "outcome": row.outcome.word(),
        "evidence": row.evidence,
        "reason": row.reason(),
    })
}

/// Prints the counts of a text, and the sections in which the ledger has other counts. Without a ledger's name, the
/// ledger with the name of the file is compared.
fn count(project: &Project, file: &Path, ledger: Option<&str>) -> Answer {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let counted = count::musts(&text);
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = ledger.unwrap_or(&stem);
    let path = project.root.join(format!("{FOLDER}{name}.toml"));
    println!("[musts]");
    for (section, count) in &counted {
        println!("\"{section}\" = {count}");
    }
    let total: usize = counted.values().sum();
    if ledger.is_none() && !path.is_file() {
        println!("spec: {total} requirements of level MUST; docs/rfc has no ledger of `{name}`");
        return Ok(ExitCode::SUCCESS);
    }
    let ledger = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let ledger = Ledger::parse(name, &ledger)?;
    let differing = differing(&counted, &ledger.musts);
    for (section, in_text, in_ledger) in &differing {
        println!("section {section}: {in_text} in the text, {in_ledger} in {name}.toml");
    }
    println!("spec: {total} requirements of level MUST; {name}.toml differs in {} sections", differing.len());
    Ok(if differing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

type Counts = BTreeMap<Section, usize>;

/// Returns the sections in which two counts differ.
fn differing<'a>(text: &'a Counts, ledger: &'a Counts) -> Vec<(&'a Section, usize, usize)> {
    let sections: BTreeSet<&Section> = text.keys().chain(ledger.keys()).collect();
    let of = |counts: &Counts, section| counts.get(section).copied().unwrap_or_default();
    let both = sections.into_iter().map(|section| (section, of(text, section), of(ledger, section)));
    both.filter(|(_, text, ledger)| text != ledger).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEDGER: &str = "[rfc]\ntitle = \"T\"\nurl = \"U\"\n[musts]\n\"4.1\" = 1\n[[requirement]]\nid = \"rfc1-4.1-a\"\nsection = \"4.1\"\nlevel = \"MUST\"\ntext = \"it holds\"\n";

    #[test]
    fn verdict_covers_the_whole_tree() {
        let test = ("crates/x/tests/a.rs", "//= rfc1-4.1-a\n#[test]\nfn it_holds() {}\n");
        let judged = |files: &[(&str, &str)]| {
            let tree = Tree::of(files);
            let ledgers = read(&tree).unwrap();
            Verdict::of(&ledgers, &join::join(&ledgers, &marker::find(&tree)))
        };
        let verdict = judged(&[("docs/rfc/rfc1.toml", LEDGER), test]);
        assert!(verdict.passed, "{}", verdict.findings);
        assert_eq!(
            verdict.line,
            "1 ledgers, 1 requirements: 1 tested, 0 by construction, 0 excepted, 0 missing; 0 findings"
        );
        assert!(!judged(&[("docs/rfc/rfc1.toml", LEDGER)]).passed);
    }

    #[test]
    fn tree_without_ledgers_is_an_error() {
        assert_eq!(
            read(&Tree::of(&[("docs/rfc/README.md", "")])).err(),
            Some("docs/rfc/ contains no ledger".into())
        );
    }

    #[test]
    fn counts_are_compared_in_all_sections() {
        let counts = |text| count::musts(text);
        let text = counts("1.  A\n\n   MUST\n\n2.  B\n\n   MUST MUST\n");
        let ledger = counts("2.  B\n\n   MUST\n\n3.  C\n\n   MUST\n");
        let found: Vec<_> = differing(&text, &ledger)
            .into_iter()
            .map(|(section, a, b)| (section.to_string(), a, b))
            .collect();
        assert_eq!(found, [("1".to_owned(), 1, 0), ("2".to_owned(), 2, 1), ("3".to_owned(), 0, 1)]);
        assert_eq!(differing(&text, &text), []);
    }

    #[test]
    fn table_shows_sections_and_rows_on_request() {
        let test = ("crates/x/tests/a.rs", "//= rfc1-4.1-a\n#[test]\nfn it_holds() {}\n");
        let tree = Tree::of(&[("docs/rfc/rfc1.toml", LEDGER), test]);
        let ledgers = read(&tree).unwrap();
        let joined = join::join(&ledgers, &marker::find(&tree));
        let shown = table(&ledgers[0], &joined, true);
        assert!(shown.contains("  4.1            1     1       1      0         0        0\n"), "{shown}");
        assert!(
            shown.contains("rfc1-4.1-a MUST: it holds\n      tested: crates/x/tests/a.rs:1 it_holds\n"),
            "{shown}"
        );
        assert!(!table(&ledgers[0], &joined, false).contains("it holds"));
    }
}
