//! Every input of every corpus, and seeded mutations of each; and the three places that have to name a target agree.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use fuzz::{
    TARGETS, Target,
    mutation::{Rng, mutated},
};

/// The seed of the mutations, unless `FUZZ_SEED` is set.
const SEED: u64 = 0x5eed;

#[test]
fn every_corpus_replays() {
    for target in TARGETS {
        for (file, input) in corpus(target) {
            replay(target, &input, &format!("{}", file.display()));
        }
    }
}

#[test]
fn every_corpus_replays_with_mutations() {
    let seed = std::env::var("FUZZ_SEED").map_or(SEED, |seed| seed.parse().expect("FUZZ_SEED is a number"));
    println!("FUZZ_SEED={seed}");
    for target in TARGETS {
        let mut rng = Rng::new(seed);
        for (file, input) in corpus(target) {
            for round in 0..target.mutations {
                let input = mutated(&input, &mut rng);
                replay(target, &input, &format!("mutation {round} of {}, FUZZ_SEED={seed}", file.display()));
            }
        }
    }
}

#[test]
fn targets_corpora_and_binaries_have_the_same_names() {
    let mut names: Vec<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    names.sort();
    assert_eq!(entries(&root().join("corpus")), names);
    let binaries: Vec<_> = entries(&root().join("explore/targets"))
        .into_iter()
        .map(|file| file.strip_suffix(".rs").expect("only sources").to_owned())
        .collect();
    assert_eq!(binaries, names);
    let manifest = fs::read_to_string(root().join("explore/Cargo.toml")).unwrap();
    for name in &names {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "explore/Cargo.toml has no binary {name}");
        assert!(
            fs::read_to_string(root().join(format!("explore/targets/{name}.rs")))
                .unwrap()
                .contains(&format!("fuzz::{name}"))
        );
    }
}

/// Runs one input; on a panic, writes the input to a file from which it can be copied into the corpus.
fn replay(target: &Target, input: &[u8], what: &str) {
    if catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_err() {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-failing-input", target.name));
        fs::write(&path, input).unwrap();
        panic!("{}: {what}; the input of {} bytes is in {}", target.name, input.len(), path.display());
    }
}

/// The inputs of a target by file name.
fn corpus(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = root().join("corpus").join(target.name);
    let inputs: Vec<_> = entries(&folder)
        .into_iter()
        .map(|name| folder.join(name))
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .collect();
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    inputs
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().expect("names are ASCII")).collect();
    names.sort();
    names
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
