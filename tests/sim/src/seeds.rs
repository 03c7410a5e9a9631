//! Many seeds, one of which fails: says which, and how to run it alone.

/// Tells one seed from the others: the environment variable that picks it.
const SEED_VARIABLE: &str = "SIM_SEED";

/// Runs `story` with `count` seeds, or with the one of the environment variable `SIM_SEED`.
///
/// When a story panics, its seed is printed after it.
pub fn for_each_seed(count: u64, mut story: impl FnMut(u64)) {
    let chosen = std::env::var(SEED_VARIABLE).ok().and_then(|text| text.trim().parse::<u64>().ok());
    let seeds = chosen.map_or(0..count, |seed| seed..seed.saturating_add(1));
    for seed in seeds {
        let confession = Confession(seed);
        story(seed);
        drop(confession);
    }
}

/// Speaks up only while a panic passes by.
struct Confession(u64);

impl Drop for Confession {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with seed {0}; run it alone with {SEED_VARIABLE}={0}", self.0);
        }
    }
}
