//! Many seeds, one of which fails: says which, and how to run it alone.

/// Runs this seed alone.
const SEED_VARIABLE: &str = "SIM_SEED";
/// Runs so many seeds instead of what the test asks for: a few by day, thousands by night.
const COUNT_VARIABLE: &str = "SIM_SEEDS";

/// Runs `story` with the seeds `0..count`. The environment variable `SIM_SEED` picks one of them instead, and
/// `SIM_SEEDS` another count.
///
/// When a story panics, its seed is printed after it.
pub fn for_each_seed(count: u64, mut story: impl FnMut(u64)) {
    let seeds = match (number(SEED_VARIABLE), number(COUNT_VARIABLE)) {
        (Some(seed), _) => seed..seed.saturating_add(1),
        (None, other) => 0..other.unwrap_or(count),
    };
    for seed in seeds {
        let confession = Confession(seed);
        story(seed);
        drop(confession);
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.trim().parse().ok()
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
