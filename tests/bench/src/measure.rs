//! Interleaved rounds: in each round every subject works for a moment, one after the other.
//!
//! A busy, hot or shared machine changes its speed over seconds, but all subjects of one round see the same machine. So
//! times are medians over rounds, and ratios are medians of the ratios within rounds.

use std::time::Duration;

/// How long to measure.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
}

impl Effort {
    /// Returns whether the rounds suffice to compare times with their goals.
    pub(crate) fn judges_times(self) -> bool {
        self.rounds >= FEWEST_JUDGED_ROUNDS
    }
}

/// With fewer rounds, one busy moment of the machine decides a median.
const FEWEST_JUDGED_ROUNDS: usize = 100;

impl Default for Effort {
    fn default() -> Self {
        Self { rounds: 600 }
    }
}

/// Something to measure: a name, and work that returns how long `operations` of it took. The set-up of the work is not
/// part of that time.
pub(crate) struct Subject<'w> {
    pub(crate) name: &'static str,
    pub(crate) operations: u32,
    pub(crate) work: Box<dyn FnMut() -> Duration + 'w>,
}

/// The result of a comparison, in the order in which the subjects were given.
pub(crate) struct Outcome {
    /// Nanoseconds per operation, for each subject one figure per round.
    rounds: Vec<(&'static str, Vec<f64>)>,
}

impl Outcome {
    /// The median of each subject, in nanoseconds per operation.
    pub(crate) fn medians(&self) -> impl Iterator<Item = (&'static str, f64)> {
        self.rounds.iter().map(|(name, times)| (*name, median(times.clone())))
    }

    /// How much longer `subject` takes than `base`.
    pub(crate) fn ratio(&self, subject: &str, base: &str) -> Option<f64> {
        let times =
            |wanted: &str| self.rounds.iter().find(|(name, _)| *name == wanted).map(|(_, times)| times);
        Some(median(times(subject)?.iter().zip(times(base)?).map(|(subject, base)| subject / base).collect()))
    }
}

/// Measures the subjects in turns. It creates them again several times, because the addresses of buffers and keys
/// change a figure by several per cent. The first round after each creation warms up and is not counted. Each round
/// begins with another subject, so that no subject always follows the same one.
pub(crate) fn compare<'w>(effort: Effort, subjects: impl Fn() -> Vec<Subject<'w>>) -> Outcome {
    let mut rounds: Vec<(&'static str, Vec<f64>)> = Vec::new();
    for sitting in 0..SITTINGS {
        // Moves the allocations after it to other addresses.
        let ballast = vec![0_u8; sitting * 1_040 + 16];
        let mut subjects = subjects();
        rounds.resize_with(subjects.len(), || ("", Vec::new()));
        for round in 0..=effort.rounds.div_ceil(SITTINGS) {
            for turn in 0..subjects.len() {
                let turn = (turn + round) % subjects.len();
                let subject = &mut subjects[turn];
                let time = (subject.work)();
                rounds[turn].0 = subject.name;
                if round > 0 {
                    rounds[turn].1.push(time.as_secs_f64() * 1e9 / f64::from(subject.operations));
                }
            }
        }
        drop(std::hint::black_box(ballast));
    }
    Outcome { rounds }
}

const SITTINGS: usize = 20;

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
