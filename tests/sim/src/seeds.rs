//! Runs a test with many seeds; on a failure it prints the seed and how to run it alone.

/// Runs this seed alone.
const SEED_VARIABLE: &str = "SIM_SEED";
/// Runs this many seeds instead of the test's own count, for example more of them at night.
const COUNT_VARIABLE: &str = "SIM_SEEDS";

/// Runs `test` with the seeds `0..count`. The environment variable `SIM_SEED` selects one seed instead, and `SIM_SEEDS`
/// another count.
///
/// When a run panics, its seed is printed after the panic.
pub fn for_each_seed(count: u64, mut run: impl FnMut(u64)) {
    let seeds = match (number(SEED_VARIABLE), number(COUNT_VARIABLE)) {
        (Some(seed), _) => seed..seed.saturating_add(1),
        (None, other) => 0..other.unwrap_or(count),
    };
    for seed in seeds {
        let confession = SeedReport(seed);
        run(seed);
        drop(confession);
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.trim().parse().ok()
}

/// Prints the seed when it is dropped during a panic.
struct SeedReport(u64);

impl Drop for SeedReport {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with seed {0}; run it alone with {SEED_VARIABLE}={0}", self.0);
        }
    }
}
