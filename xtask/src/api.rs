//! `cargo xtask api`: compares the public API of each product crate with the committed list in `docs/api`.
//!
//! Knows how rustdoc's JSON is made. The library `public-api` turns it into lines.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use public_api::Builder;

use crate::command::{Answer, Command, unexpected};
use crate::process;
use crate::project::Project;

pub(crate) const COMMAND: Command = Command {
    name: "api",
    summary: "public API of each crate compared with docs/api, so that a change is seen in review",
    help,
    run,
};

const FOLDER: &str = "docs/api";
const LIMIT: Duration = Duration::from_secs(15 * 60);

fn help() -> String {
    "Usage: cargo xtask api [--record]

  --record       writes the present API to docs/api/CRATE.txt

Lists the public items of each product crate with default features, one line each, and compares the lines with
docs/api/CRATE.txt. The check fails for a line that was added or removed; --record accepts the change, and the
diff of docs/api shows it to reviewers. Derived, automatic and blanket implementations are left out.
"
    .into()
}

fn run(project: &Project, arguments: Vec<OsString>) -> Answer {
    let mut record = false;
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            lexopt::Arg::Long("record") => record = true,
            other => return Err(unexpected("api", &other)),
        }
    }
    let crates = project.product_crates()?;
    let (mut items, mut changed) = (0, Vec::new());
    for package in &crates {
        let text = public_items(project, &package.name)?;
        items += text.lines().count();
        let path = project.root.join(FOLDER).join(format!("{}.txt", package.name));
        if record {
            fs::create_dir_all(project.root.join(FOLDER)).map_err(|error| format!("{FOLDER}: {error}"))?;
            fs::write(&path, &text).map_err(|error| format!("{}: {error}", path.display()))?;
            continue;
        }
        let difference = difference(&fs::read_to_string(&path).unwrap_or_default(), &text);
        if !difference.is_empty() {
            print!("{}:\n{difference}", package.name);
            changed.push(package.name.as_str());
        }
    }
    if record {
        println!("api: {items} public items of {} crates recorded in {FOLDER}", crates.len());
    } else if changed.is_empty() {
        println!("api: {items} public items of {} crates are as recorded", crates.len());
    } else {
        println!(
            "api: {} changed; to record an intended change: cargo xtask api --record",
            changed.join(", ")
        );
    }
    Ok(if changed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns one line for each public item.
fn public_items(project: &Project, name: &str) -> Result<String, String> {
    let target = project.target_directory()?;
    let mut rustdoc = project.cargo(&["rustdoc", "--quiet", "--lib", "-p", name, "--target-dir"]);
    rustdoc.arg(&target).args([
        "--",
        "-Z",
        "unstable-options",
        "--output-format",
        "json",
        "--cap-lints",
        "allow",
    ]);
    // rustdoc's JSON is unstable, so the stable toolchain must be told to write it. rust-toolchain.toml pins its form.
    rustdoc.env("RUSTC_BOOTSTRAP", "1");
    let run = process::collected(&mut rustdoc, LIMIT, |_| {})?;
    if !run.success {
        return Err(format!("rustdoc of {name} failed:\n{}", run.output));
    }
    let json = target.join("doc").join(format!("{}.json", name.replace('-', "_")));
    let api = Builder::from_rustdoc_json(&json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .map_err(|error| format!("{}: {error}", json.display()))?;
    Ok(api.items().fold(String::new(), |mut text, item| {
        let _ = writeln!(text, "{item}");
        text
    }))
}

/// Returns the lines that are in only one of the texts, in order.
fn difference(recorded: &str, present: &str) -> String {
    let lines = |text| -> BTreeSet<&str> { str::lines(text).collect() };
    let (before, now) = (lines(recorded), lines(present));
    let mut text = String::new();
    for line in before.symmetric_difference(&now) {
        let sign = if now.contains(line) { '+' } else { '-' };
        let _ = writeln!(text, "  {sign} {line}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_and_removed_lines_are_shown() {
        assert_eq!(difference("a\nb\n", "b\nc\n"), "  - a\n  + c\n");
        assert_eq!(difference("a\nb\n", "a\nb\n"), "");
    }
}
