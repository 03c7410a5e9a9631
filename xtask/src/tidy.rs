//! `cargo xtask tidy`: does the tree keep the rules of the project: layering, purity, names, language, links?
//!
//! Knows the rules' names and reasons; each group of rules has its file. Reads text and compiles nothing.

mod circles;
mod commits;
mod files;
mod identifiers;
mod layering;
mod marks;
mod plain_english;
mod prose;
mod purity;
mod readmes;
mod source;
mod threats;

use std::ffi::OsString;
use std::fmt::{self, Write as _};
use std::fs;
use std::process::ExitCode;

use crate::command::{Answer, Command, unexpected};
use crate::project::{Package, Project};
use commits::History;
use source::RustSource;

pub(crate) const COMMAND: Command = Command {
    name: "tidy",
    summary: "rules of the tree: layering, purity, names, language, links; takes seconds",
    help,
    run,
};

/// The input of the rules: packages, and text files by their path from the root.
pub(crate) struct Tree {
    pub(crate) packages: Vec<Package>,
    pub(crate) files: Vec<TextFile>,
    /// The path of every file, including files that are not text.
    pub(crate) paths: Vec<String>,
    history: History,
}

/// One file, with its code where it is Rust.
pub(crate) struct TextFile {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) rust: Option<RustSource>,
}

/// One place that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) path: String,
    /// Counted from 1; 0 means the file as a whole.
    pub(crate) line: usize,
    pub(crate) message: String,
    pub(crate) severity: Severity,
}

/// Whether a finding fails the check or is only shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    Fails,
    Warns,
}

/// A rule: its name, its reason, and its check.
struct Rule {
    name: &'static str,
    reason: &'static str,
    check: fn(&Tree) -> Vec<Finding>,
}

const RULES: &[Rule] = &[
    Rule {
        name: "layering",
        reason: "a crate depends only on the layers below it in docs/ARCHITECTURE.md",
        check: layering::edges,
    },
    Rule {
        name: "no-io-crates",
        reason: "no runtime, socket or entropy crate below the driver",
        check: layering::io_crates,
    },
    Rule {
        name: "no-circles",
        reason: "the files of a crate do not import each other in a circle",
        check: circles::check,
    },
    Rule {
        name: "shared-lints",
        reason: "product crates take the workspace's lints, so none is silently softer",
        check: layering::shared_lints,
    },
    Rule {
        name: "unpublished",
        reason: "members are `publish = false` until the owner picks names",
        check: layering::unpublished,
    },
    Rule {
        name: "purity",
        reason: "no clock, socket, thread or entropy below the driver",
        check: purity::check,
    },
    Rule {
        name: "quiet",
        reason: "unauthenticated input is logged at debug at most, so that no sender can fill a log",
        check: purity::quiet,
    },
    Rule {
        name: "one-backend",
        reason: "in dtls-core only one folder names ring, so that another backend can replace it",
        check: purity::backend,
    },
    Rule { name: "header", reason: "a file opens with `//!` that says what it is for", check: files::header },
    Rule {
        name: "file-name",
        reason: "a file is named after its concept: no util, helper, common, misc, v2",
        check: files::name,
    },
    Rule {
        name: "file-length",
        reason: "a file fits in the head: 450 lines, tests not counted",
        check: files::length,
    },
    Rule { name: "links", reason: "relative links in Markdown lead to a file", check: files::links },
    Rule {
        name: "threats",
        reason: "docs/THREATS.md and docs/threats.toml have the same attacks, and each named test exists",
        check: threats::threats,
    },
    Rule {
        name: "lockfile-sources",
        reason: "dependencies come from the public registry, for every reader of the lock file",
        check: files::lockfile_sources,
    },
    Rule {
        name: "lint-reasons",
        reason: "`#[allow]` and `#[expect]` give a reason",
        check: marks::lint_reasons,
    },
    Rule {
        name: "crate-readme",
        reason: "a crate's README and its crate page open with the same sentence and example",
        check: readmes::check,
    },
    Rule { name: "no-stubs", reason: "no stub macros and no marks for later work", check: marks::stubs },
    Rule {
        name: "plain-english",
        reason: "comments, strings and documents use plain technical English; xtask/plain-english.toml",
        check: plain_english::check,
    },
    Rule {
        name: "retired-identifiers",
        reason: "a name that a standard term replaced does not return; xtask/retired-identifiers.toml",
        check: identifiers::check,
    },
    Rule {
        name: "commit-subjects",
        reason: "a commit's subject is `crate: imperative`, at most 72 characters",
        check: commits::check,
    },
    Rule {
        name: "machine-paths",
        reason: "no path of one machine in the project",
        check: marks::machine_paths,
    },
];

fn help() -> String {
    let mut text = String::from("Usage: cargo xtask tidy\n\nThe rules and their reasons:\n");
    for rule in RULES {
        let _ = writeln!(text, "  {:<16} {}", rule.name, rule.reason);
    }
    text.push_str("\nA finding is printed as `path:line: rule: what`. A warning does not fail the check.\n");
    text
}

fn run(project: &Project, arguments: Vec<OsString>) -> Answer {
    let mut parser = lexopt::Parser::from_args(arguments);
    if let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        return Err(unexpected("tidy", &argument));
    }
    let verdict = check(project)?;
    print!("{}", verdict.findings);
    println!("language: {}", verdict.language);
    println!("tidy: {}", verdict.line);
    Ok(if verdict.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The outcome of all rules.
pub(crate) struct Verdict {
    pub(crate) passed: bool,
    pub(crate) line: String,
    /// One line each.
    pub(crate) findings: String,
    /// The figures of the rule `plain-english`.
    pub(crate) language: String,
}

/// Checks every rule.
pub(crate) fn check(project: &Project) -> Result<Verdict, String> {
    let tree = Tree::read(project)?;
    let (mut findings, mut failures, mut warnings) = (String::new(), 0, 0);
    for rule in RULES {
        let mut found = (rule.check)(&tree);
        found.sort();
        for finding in found {
            let severity = match finding.severity {
                Severity::Fails => {
                    failures += 1;
                    ""
                }
                Severity::Warns => {
                    warnings += 1;
                    "warning: "
                }
            };
            let _ = writeln!(findings, "{severity}{finding} [{}]", rule.name);
        }
    }
    let line =
        format!("{} rules, {} files: {failures} broken, {warnings} warnings", RULES.len(), tree.paths.len());
    let language = plain_english::figures(&tree).to_string();
    Ok(Verdict { passed: failures == 0, line, findings, language })
}

impl Tree {
    /// The tree as it is on disk.
    pub(crate) fn read(project: &Project) -> Result<Self, String> {
        let paths = project.files()?;
        let mut files = Vec::new();
        for path in &paths {
            let bytes = fs::read(project.root.join(path)).map_err(|error| format!("{path}: {error}"))?;
            // Files that are not UTF-8 are fuzz corpora or pictures.
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(TextFile::new(path.clone(), text));
            }
        }
        let history = History::read(project);
        Ok(Self { packages: project.packages()?, files, paths, history }.with_declared_tests())
    }

    /// A tree of files in memory, for the tests of the rules.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let paths = files.iter().map(|(path, _)| (*path).to_owned()).collect();
        let files =
            files.iter().map(|(path, text)| TextFile::new((*path).to_owned(), (*text).to_owned())).collect();
        Self { packages: Vec::new(), files, paths, history: History::Missing }.with_declared_tests()
    }

    /// A tree of packages without files, for the tests of the rules.
    #[cfg(test)]
    pub(crate) fn of_packages(packages: Vec<Package>) -> Self {
        Self { packages, files: Vec::new(), paths: Vec::new(), history: History::Missing }
    }

    /// A file that another declares by `#[cfg(test)] mod name;` is a test as a whole.
    fn with_declared_tests(mut self) -> Self {
        let declared: Vec<String> =
            self.rust().flat_map(|(file, rust)| rust.test_modules(&file.path)).collect();
        for file in &mut self.files {
            let is_declared = |stem: &String| {
                file.path == format!("{stem}.rs") || file.path.starts_with(&format!("{stem}/"))
            };
            if declared.iter().any(is_declared)
                && let Some(rust) = &mut file.rust
            {
                rust.mark_all_as_test();
            }
        }
        self
    }

    /// The Rust files.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&TextFile, &RustSource)> {
        self.files.iter().filter_map(|file| Some((file, file.rust.as_ref()?)))
    }
}

impl TextFile {
    fn new(path: String, text: String) -> Self {
        let is_rust = path.rsplit_once('.').is_some_and(|(_, extension)| extension == "rs");
        let rust = is_rust.then(|| RustSource::new(&path, &text));
        Self { path, text, rust }
    }

    /// A finding at a byte offset of this file.
    pub(crate) fn fails_at(&self, offset: usize, message: impl Into<String>) -> Finding {
        let line = 1 + self.text.bytes().take(offset).filter(|&byte| byte == b'\n').count();
        Finding { path: self.path.clone(), line, message: message.into(), severity: Severity::Fails }
    }
}

impl Finding {
    /// A finding about a file as a whole.
    pub(crate) fn whole(path: &str, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: 0, message: message.into(), severity: Severity::Fails }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(out, "{}: {}", self.path, self.message),
            line => write!(out, "{}:{line}: {}", self.path, self.message),
        }
    }
}
