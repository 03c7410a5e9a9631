//! The long forms of the commands: too long for `ci`, run by hand, with a record of the last passed run.
//!
//! Knows which arguments make a run a long one, and the record `docs/long-runs.toml`. Does not start anything.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::process;
use crate::project::Project;

const RECORD: &str = "docs/long-runs.toml";

/// One long form.
struct LongForm {
    /// The command as a user types it, without what varies.
    command: &'static str,
    /// Returns whether a command with these arguments is this form or a longer one.
    matches: fn(&str, &[String]) -> bool,
}

const FORMS: &[LongForm] = &[
    LongForm {
        command: "cargo xtask scenarios --seeds 1000",
        matches: |name, words| {
            name == "scenarios" && number(words, "--seeds") >= Some(1000.0) && !has(words, "--only")
        },
    },
    LongForm { command: "cargo xtask bench", matches: |name, words| name == "bench" && words.is_empty() },
    LongForm {
        command: "cargo xtask bench dtls --with-boring",
        matches: |name, words| {
            name == "bench" && has(words, "dtls") && has(words, "--with-boring") && !has(words, "--rounds")
        },
    },
    LongForm {
        command: "cargo xtask interop boring",
        matches: |name, words| name == "interop" && has(words, "boring"),
    },
    LongForm {
        command: "cargo xtask interop wireshark",
        matches: |name, words| name == "interop" && has(words, "wireshark"),
    },
    LongForm {
        command: "cargo xtask fuzz TARGET --minutes 30",
        matches: |name, words| name == "fuzz" && number(words, "--minutes") >= Some(30.0),
    },
];

/// The last passed run of a form.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    command: String,
    date: String,
    commit: String,
    verdict: String,
}

fn has(words: &[String], word: &str) -> bool {
    words.iter().any(|found| found == word)
}

/// Returns the number after an option.
fn number(words: &[String], option: &str) -> Option<f64> {
    words.iter().skip_while(|word| *word != option).nth(1)?.parse().ok()
}

/// Writes a passed run into the record, if the arguments make it a long one.
pub(crate) fn note(
    project: &Project,
    name: &str,
    arguments: &[OsString],
    verdict: &str,
) -> Result<(), String> {
    let words: Vec<String> = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let Some(form) = FORMS.iter().find(|form| (form.matches)(name, &words)) else { return Ok(()) };
    let path = project.root.join(RECORD);
    let mut runs = read(&path)?;
    runs.retain(|run| run.command != form.command);
    let git = |arguments: &[&str]| {
        process::stdout(Command::new("git").current_dir(&project.root).args(arguments))
            .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
    };
    let date = process::stdout(Command::new("date").args(["-u", "+%F"]))
        .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned());
    runs.push(Run {
        command: form.command.to_owned(),
        date,
        commit: git(&["rev-parse", "--short", "HEAD"]),
        verdict: verdict.to_owned(),
    });
    std::fs::write(&path, text(&runs)).map_err(|error| format!("{RECORD}: {error}"))?;
    println!("recorded in {RECORD}");
    Ok(())
}

/// Returns one line per long form with its last passed run, for the end of `cargo xtask ci`.
pub(crate) fn summary(project: &Project) -> Result<String, String> {
    let runs = read(&project.root.join(RECORD))?;
    let mut lines = String::from("long forms, started by hand:\n");
    for form in FORMS {
        let run = runs.iter().find(|run| run.command == form.command);
        let last = run.map_or_else(
            || "no passed run is recorded".to_owned(),
            |run| format!("last passed on {} at {}: {}", run.date, run.commit, run.verdict),
        );
        let _ = writeln!(lines, "  {:<40} {last}", form.command);
    }
    Ok(lines)
}

fn read(path: &Path) -> Result<Vec<Run>, String> {
    let Ok(text) = std::fs::read_to_string(path) else { return Ok(Vec::new()) };
    let table: toml::Table = text.parse().map_err(|error| format!("{RECORD}: {error}"))?;
    let rows = table.get("run").and_then(toml::Value::as_array).cloned().unwrap_or_default();
    rows.iter().map(run).collect()
}

fn run(row: &toml::Value) -> Result<Run, String> {
    let field = |key: &str| {
        let text = row.get(key).and_then(toml::Value::as_str);
        text.map(str::to_owned).ok_or_else(|| format!("{RECORD}: a run without `{key}`"))
    };
    Ok(Run {
        command: field("command")?,
        date: field("date")?,
        commit: field("commit")?,
        verdict: field("verdict")?,
    })
}

fn text(runs: &[Run]) -> String {
    let mut text = String::from(
        "# The last passed run of each command that is too long for `cargo xtask ci`. The commands write this file.\n",
    );
    let quoted = |text: &str| toml::Value::from(text).to_string();
    for Run { command, date, commit, verdict } in runs {
        let fields = [("command", command), ("date", date), ("commit", commit), ("verdict", verdict)];
        text.push_str("\n[[run]]\n");
        for (key, value) in fields {
            let _ = writeln!(text, "{key} = {}", quoted(value));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(name: &str, words: &[&str]) -> Option<&'static str> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        FORMS.iter().find(|form| (form.matches)(name, &words)).map(|form| form.command)
    }

    #[test]
    fn thousand_seeds_are_a_long_run_and_999_are_not() {
        assert!(form("scenarios", &["--seeds", "1000"]).is_some());
        assert_eq!(form("scenarios", &["--seeds", "999"]), None);
        assert_eq!(form("scenarios", &["--seeds", "1000", "--only", "nat"]), None);
        assert_eq!(form("scenarios", &[]), None);
    }

    #[test]
    fn short_fuzzing_and_few_rounds_are_not_long() {
        assert!(form("fuzz", &["stun_message", "--minutes", "30"]).is_some());
        assert_eq!(form("fuzz", &["stun_message", "--minutes", "29"]), None);
        assert_eq!(form("bench", &["--rounds", "1"]), None);
        assert_eq!(form("bench", &[]), Some("cargo xtask bench"));
    }

    #[test]
    fn record_reads_back_as_written() {
        let runs = vec![Run {
            command: "cargo xtask bench".into(),
            date: "2026-12-01".into(),
            commit: "20189ac".into(),
            verdict: "a \"quoted\" verdict".into(),
        }];
        let table: toml::Table = text(&runs).parse().unwrap();
        let rows = table["run"].as_array().unwrap();
        assert_eq!(rows.iter().map(run).collect::<Result<Vec<_>, _>>(), Ok(runs));
    }
}
