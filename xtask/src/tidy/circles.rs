//! The rule `no-circles`: the files of a crate do not import each other in a circle.
//!
//! Knows `use` declarations and the paths of files. A module and its own parent or child do not make a circle: a face
//! file declares its parts, and the parts extend its types.

use std::collections::{BTreeMap, BTreeSet};

use super::source::RustSource;
use super::{Finding, Tree};

/// `["connection", "receive"]` for `src/connection/receive.rs`.
type Module = Vec<String>;
type Imports = BTreeMap<Module, BTreeSet<Module>>;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut crates: BTreeMap<&str, BTreeMap<Module, &RustSource>> = BTreeMap::new();
    for (file, rust) in tree.rust() {
        if let Some((source, module)) = place(&file.path) {
            crates.entry(source).or_default().insert(module, rust);
        }
    }
    let mut findings = Vec::new();
    for (source, files) in &crates {
        for circle in circles(&imports(files)) {
            let names: Vec<String> = circle.iter().map(|module| module.join("::")).collect();
            let message = format!("these modules import each other in a circle: {}", names.join(", "));
            findings.push(Finding::whole(source, message));
        }
    }
    findings
}

/// Returns the source folder and the module of a file in `crates/` or `xtask/`.
fn place(path: &str) -> Option<(&str, Module)> {
    if !path.starts_with("crates/") && !path.starts_with("xtask/") {
        return None;
    }
    let end = path.find("/src/")? + "/src".len();
    let inside = path.get(end + 1..)?.strip_suffix(".rs")?;
    let mut module: Module = inside.split('/').map(str::to_owned).collect();
    if matches!(module.last()?.as_str(), "lib" | "main" | "mod") {
        module.pop();
    }
    Some((path.get(..end)?, module))
}

fn imports(files: &BTreeMap<Module, &RustSource>) -> Imports {
    let related = |one: &Module, other: &Module| one.starts_with(other) || other.starts_with(one);
    let mut imports = Imports::new();
    for (module, rust) in files {
        let targets = rust
            .find("use")
            .filter_map(|offset| rust.code().get(offset + "use".len()..)?.split(';').next())
            .flat_map(paths)
            .filter_map(|path| target(module, &path, files))
            .filter(|target| !related(module, target))
            .collect();
        imports.insert(module.clone(), targets);
    }
    imports
}

/// Expands `a::{b, c::d}` to `a::b` and `a::c::d`.
fn paths(declaration: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    expand(&[], declaration, &mut found);
    found
}

fn expand(prefix: &[String], text: &str, found: &mut Vec<Vec<String>>) {
    let (head, group) = match text.split_once('{') {
        Some((head, rest)) => (head, rest.rsplit_once('}').map(|(group, _)| group)),
        None => (text, None),
    };
    let head = head.split(" as ").next().unwrap_or(head);
    let mut path = prefix.to_vec();
    path.extend(head.split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned));
    let Some(group) = group else {
        found.push(path);
        return;
    };
    let (mut depth, mut start) = (0_usize, 0);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                expand(&path, &group[start..at], found);
                start = at + 1;
            }
            _ => {}
        }
    }
    if !group[start..].trim().is_empty() {
        expand(&path, &group[start..], found);
    }
}

/// Returns the file that a path leads into. The root file of the crate declares everything and is left out.
fn target(module: &Module, path: &[String], files: &BTreeMap<Module, &RustSource>) -> Option<Module> {
    let mut absolute: Module = match path.first()?.as_str() {
        "crate" => path[1..].to_vec(),
        "self" => module.iter().chain(&path[1..]).cloned().collect(),
        "super" => {
            let up = path.iter().take_while(|part| *part == "super").count();
            let base = module.get(..module.len().checked_sub(up)?)?;
            base.iter().chain(&path[up..]).cloned().collect()
        }
        _ => return None,
    };
    while !absolute.is_empty() && !files.contains_key(&absolute) {
        absolute.pop();
    }
    (!absolute.is_empty() && !module.is_empty() && absolute != *module).then_some(absolute)
}

/// Returns the groups of modules that reach each other.
fn circles(imports: &Imports) -> Vec<Vec<Module>> {
    let reach: BTreeMap<&Module, BTreeSet<&Module>> =
        imports.keys().map(|module| (module, reachable(module, imports))).collect();
    let mut circles: Vec<Vec<Module>> = Vec::new();
    for (module, reached) in &reach {
        if !reached.contains(module) || circles.iter().any(|circle| circle.contains(module)) {
            continue;
        }
        let mutual =
            reached.iter().filter(|other| reach.get(**other).is_some_and(|back| back.contains(module)));
        circles.push(mutual.map(|other| (*other).clone()).collect());
    }
    circles
}

fn reachable<'a>(from: &Module, imports: &'a Imports) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&Module> = imports.get(from).into_iter().flatten().collect();
    while let Some(module) = open.pop() {
        if reached.insert(module) {
            open.extend(imports.get(module).into_iter().flatten());
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn circle_of_two_files_is_found() {
        let a = ("crates/x/src/a.rs", "use crate::{b::c::D, e};\n");
        let b = ("crates/x/src/b/c.rs", "use super::super::a;\n");
        assert_eq!(
            found(&[a, b, ("crates/x/src/e.rs", "")]),
            ["crates/x/src: these modules import each other in a circle: a, b::c"]
        );
    }

    #[test]
    fn import_in_one_direction_passes() {
        let a = ("crates/x/src/a.rs", "use crate::b::{C, d as e};\n");
        assert_eq!(found(&[a, ("crates/x/src/b.rs", "use std::a;\n")]), [""; 0]);
    }

    #[test]
    fn face_file_and_its_parts_make_no_circle() {
        let face = ("crates/x/src/a.rs", "use self::b::C;\n");
        assert_eq!(found(&[face, ("crates/x/src/a/b.rs", "use super::A;\n")]), [""; 0]);
    }

    #[test]
    fn imports_of_tests_do_not_count() {
        let a = ("crates/x/src/a.rs", "#[cfg(test)]\nmod tests {\n use crate::b;\n}\n");
        assert_eq!(found(&[a, ("crates/x/src/b.rs", "use crate::a;\n")]), [""; 0]);
    }
}
