//! Each check of the contract passes a correct node, and detects a node that breaks its rule.

#![expect(clippy::unwrap_used, reason = "a test stops where its set-up fails")]

use std::time::{Duration, Instant};

use sim::contract::{self, ADDRESSES, Subject};
use sim::pinger::{PingOutput, Pinger};
use sim::{Ecn, Node, Path, Rng, Sent, Violation};

const SEEDS: u64 = 20;

/// The flaw of a [`Flawed`] pinger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    Nothing,
    /// Rule 1: does work in a poll.
    PollMovesDeadline,
    /// Rule 1: loses an output that was not polled before the next input.
    DrainFirst,
    /// Rule 2: ends on an unknown byte.
    MalformedEnds,
    /// Rule 2: reports its end for every unknown byte.
    EndsRepeatedly,
    /// Rule 2: discards a malformed datagram without counting it.
    MalformedUncounted,
    /// Rule 2: a failed command delays the next ping.
    FailedCommandWaits,
    /// Rule 3: accepts a clock that goes back.
    AcceptsEarlierTime,
    /// Rule 4: repeats the same deadline.
    DeadlineStays,
    /// Rule 4: handles a datagram without serving an expired deadline.
    InputForgetsDeadline,
    /// Rule 5: uses random numbers from outside the seed.
    OwnRandomNumbers,
}

#[derive(Debug)]
struct Flawed {
    flaw: Flaw,
    pinger: Pinger,
    dead: bool,
    undrained: Option<PingOutput>,
    transmitted: u32,
    deadline_offset: Duration,
    counted: u64,
    latest: Option<Instant>,
}

impl Flawed {
    fn new(flaw: Flaw) -> Self {
        Self {
            flaw,
            pinger: Pinger::new(),
            dead: false,
            undrained: None,
            transmitted: 0,
            deadline_offset: Duration::ZERO,
            counted: 0,
            latest: None,
        }
    }
}

impl Node for Flawed {
    type Output = PingOutput;

    fn handle_input(&mut self, now: Instant, path: Path, ecn: Ecn, payload: &mut [u8]) {
        let malformed = !matches!(payload, [b'?' | b'!', _]);
        match self.flaw {
            Flaw::DrainFirst => self.undrained = None,
            Flaw::MalformedEnds if malformed => self.dead = true,
            Flaw::EndsRepeatedly if malformed => self.undrained = Some(PingOutput::Silence),
            Flaw::MalformedUncounted if malformed => return,
            Flaw::OwnRandomNumbers => {
                static DICE: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
                self.counted += DICE.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 7;
            }
            Flaw::AcceptsEarlierTime => {
                // The answer carries the age of the last input, modulo what fits.
                let behind = self.latest.is_some_and(|latest| now < latest);
                self.latest = Some(now);
                self.counted += u64::from(behind);
            }
            Flaw::InputForgetsDeadline => {
                // Only a timeout serves an expired deadline; here a ping is answered before that.
                let due = self.pinger.poll_timeout().is_some_and(|deadline| deadline <= now);
                self.counted += u64::from(due);
            }
            _ => {}
        }
        if !self.dead {
            self.pinger.handle_input(now, path, ecn, payload);
        }
        if self.flaw == Flaw::DrainFirst {
            self.undrained = self.pinger.poll_output();
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.flaw == Flaw::AcceptsEarlierTime {
            self.latest = Some(now);
        }
        if self.flaw != Flaw::DeadlineStays {
            self.pinger.handle_timeout(now);
        }
    }

    fn poll_transmit(&mut self, buffer: &mut Vec<u8>) -> Option<Sent> {
        let sent = self.pinger.poll_transmit(buffer)?;
        self.transmitted += 1;
        if self.flaw == Flaw::PollMovesDeadline {
            self.deadline_offset = Duration::from_millis(u64::from(self.transmitted));
        }
        Some(sent)
    }

    fn poll_output(&mut self) -> Option<PingOutput> {
        self.undrained.take().or_else(|| self.pinger.poll_output())
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.dead {
            None
        } else {
            self.pinger.poll_timeout().map(|deadline| deadline + self.deadline_offset)
        }
    }
}

struct Pingers(Flaw);

#[derive(Clone, Debug)]
struct Call;

impl Subject for Pingers {
    type Node = Flawed;
    type Command = Call;

    fn pair(&self, now: Instant, _seed: u64) -> [Flawed; 2] {
        let mut left = Flawed::new(self.0);
        left.pinger.call(now, Path { local: ADDRESSES[0], remote: ADDRESSES[1] }).unwrap();
        [left, Flawed::new(self.0)]
    }

    fn command(&self, _rng: &mut Rng) -> Call {
        Call
    }

    fn execute(&self, node: &mut Flawed, _: &mut Flawed, now: Instant, _: &Call) -> Result<(), String> {
        // Both call along the left one's path, because two callers cause more events.
        let answer = node.pinger.call(now, Path { local: ADDRESSES[0], remote: ADDRESSES[1] });
        if answer.is_err() && node.flaw == Flaw::FailedCommandWaits {
            node.deadline_offset += Duration::from_millis(1);
        }
        answer.map_err(|busy| format!("{busy:?}"))
    }

    fn discarded(&self, node: &Flawed) -> u64 {
        node.pinger.discarded() + node.counted
    }

    fn is_failure(&self, output: &PingOutput) -> bool {
        *output == PingOutput::Silence
    }

    fn withdraws(&self, _output: &PingOutput) -> bool {
        false
    }

    fn is_connected(&self, node: &Flawed) -> bool {
        !node.dead
    }
}

type Check = fn(&Pingers, u64) -> Result<(), Violation>;

const CHECKS: [(&str, Check, &[Flaw]); 8] = [
    ("polls", contract::polls_do_not_matter, &[Flaw::PollMovesDeadline, Flaw::DrainFirst]),
    ("waiting polls", contract::polls_may_wait, &[Flaw::PollMovesDeadline, Flaw::DrainFirst]),
    (
        "failed commands",
        |subject, seed| contract::failed_commands_leave_no_trace(subject, seed).map(drop),
        &[Flaw::FailedCommandWaits],
    ),
    (
        "malformed",
        contract::malformed_datagrams_change_nothing,
        &[Flaw::MalformedEnds, Flaw::MalformedUncounted],
    ),
    ("mutations", contract::mutations_never_panic, &[Flaw::EndsRepeatedly]),
    ("time", contract::time_never_goes_back, &[Flaw::AcceptsEarlierTime]),
    ("deadlines", contract::inputs_serve_deadlines, &[Flaw::DeadlineStays, Flaw::InputForgetsDeadline]),
    ("seeds", contract::same_seed_same_run, &[Flaw::OwnRandomNumbers]),
];

fn caught(check: Check, flaw: Flaw) -> Option<Violation> {
    (0..SEEDS).find_map(|seed| check(&Pingers(flaw), seed).err())
}

#[test]
fn a_node_that_keeps_the_contract_passes_every_check() {
    for (name, check, _) in CHECKS {
        if let Some(violation) = caught(check, Flaw::Nothing) {
            panic!("{name}: {violation}");
        }
    }
}

#[test]
fn each_check_detects_its_flaw() {
    for (name, check, flaws) in CHECKS {
        for flaw in flaws {
            assert!(caught(check, *flaw).is_some(), "{name} does not see {flaw:?}");
        }
    }
}

#[test]
fn some_commands_of_the_scripts_fail() {
    let failed: usize = (0..SEEDS)
        .map(|seed| contract::failed_commands_leave_no_trace(&Pingers(Flaw::Nothing), seed).unwrap())
        .sum();
    assert!(failed > 100, "{failed}");
}
