//! The rule `commit-subjects`: `crate: imperative`, at most 72 characters, no final stop.
//!
//! Knows the subjects since the commit that `xtask/commits-checked-after` names. Older ones stay as they are.

use super::{Finding, Severity, Tree};
use crate::process;
use crate::project::Project;
use std::process::Command;

/// Holds the id of the newest commit that is not checked.
pub(super) const SINCE: &str = "xtask/commits-checked-after";
const LONGEST: usize = 72;

/// One commit of the history.
#[derive(Debug)]
pub(crate) struct Commit {
    id: String,
    subject: String,
}

/// The commits to check.
#[derive(Debug, Default)]
pub(crate) enum History {
    Known(Vec<Commit>),
    /// The clone is shallow, or no clone at all.
    #[default]
    Missing,
}

impl History {
    /// Reads the subjects that the rule checks. Merge commits have no subject of their own.
    pub(super) fn read(project: &Project) -> Self {
        let Ok(since) = std::fs::read_to_string(project.root.join(SINCE)) else { return Self::Missing };
        let range = format!("{}..HEAD", since.trim());
        let mut git = Command::new("git");
        git.current_dir(&project.root).args(["log", "--no-merges", "--format=%h %s", &range]);
        process::stdout(&mut git).map_or(Self::Missing, |log| Self::Known(parse(&log)))
    }
}

fn parse(log: &str) -> Vec<Commit> {
    log.lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(id, subject)| Commit { id: id.to_owned(), subject: subject.to_owned() })
        .collect()
}

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    match &tree.history {
        History::Known(commits) => commits
            .iter()
            .filter_map(|Commit { id, subject }| {
                let fault = fault(subject)?;
                Some(Finding::whole(id, format!("{fault}: {subject}")))
            })
            .collect(),
        History::Missing if tree.paths.iter().any(|path| path == SINCE) => {
            let message = "commit subjects are not checked: the commit that it names is not in this clone";
            vec![Finding { severity: Severity::Warns, ..Finding::whole(SINCE, message) }]
        }
        History::Missing => Vec::new(),
    }
}

/// Returns what is wrong with a subject.
fn fault(subject: &str) -> Option<String> {
    let length = subject.chars().count();
    if length > LONGEST {
        return Some(format!("the subject has {length} characters, at most {LONGEST} are allowed"));
    }
    let Some((scope, action)) = subject.split_once(": ") else {
        return Some("the subject has no `crate: ` in front".into());
    };
    let is_scope = |letter: char| letter.is_ascii_alphanumeric() || "-_./, ".contains(letter);
    if scope.is_empty() || !scope.chars().all(is_scope) {
        return Some("the subject has no `crate: ` in front".into());
    }
    if action.ends_with('.') {
        return Some("the subject ends with a full stop".into());
    }
    action.trim().is_empty().then(|| "the subject says nothing after `crate: `".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subject_with_scope_and_action_passes() {
        for subject in [
            "stun: reject attributes after FINGERPRINT",
            "xtask, docs: check the READMEs",
            "README: show the demo",
        ] {
            assert_eq!(fault(subject), None, "{subject}");
        }
    }

    #[test]
    fn subject_of_72_characters_passes_and_73_fails() {
        let subject = |length: usize| format!("stun: {}", "x".repeat(length - 6));
        assert_eq!(fault(&subject(72)), None);
        assert!(fault(&subject(73)).is_some());
    }

    #[test]
    fn subject_without_scope_or_with_stop_fails() {
        for subject in ["Repair the decoder", "stun:repair", ": repair", "stun: repair the decoder."] {
            assert!(fault(subject).is_some(), "{subject}");
        }
    }

    #[test]
    fn missing_history_is_a_warning() {
        let found = check(&Tree::of(&[(SINCE, "abc\n")]));
        assert_eq!(found[0].severity, Severity::Warns);
        assert_eq!(check(&Tree::of(&[])), []);
    }

    #[test]
    fn log_lines_are_read_as_id_and_subject() {
        let commits = parse("abc stun: x\ndef dtls-core: y z\n");
        assert_eq!(commits[1].id, "def");
        assert_eq!(commits[1].subject, "dtls-core: y z");
    }
}
