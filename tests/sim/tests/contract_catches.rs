//! Each check of the contract passes a node that keeps it, and catches one that breaks the rule it is named after.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its stage may stop there")]

use std::time::{Duration, Instant};

use sim::contract::{self, ADDRESSES, Subject};
use sim::pinger::{Heard, Pinger};
use sim::{Ecn, Node, Path, Rng, Sent, Violation};

const SEEDS: u64 = 20;

/// What is wrong with a [`Flawed`] pinger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    Nothing,
    /// Rule 1: does its work in a poll.
    PollMovesDeadline,
    /// Rule 1: an output that was not drained before the next input is gone.
    DrainFirst,
    /// Rule 2: dies of a byte it does not know.
    JunkKills,
    /// Rule 2: reports its death for every byte it does not know.
    DiesAgainAndAgain,
    /// Rule 2: drops junk without counting it.
    JunkUncounted,
    /// Rule 2: a refused command postpones the next ping.
    FailedCommandWaits,
    /// Rule 3: believes a clock that goes back.
    BelievesThePast,
    /// Rule 4: wants the same deadline again.
    DeadlineStays,
    /// Rule 4: a datagram on a busy socket is read without a look at the clock.
    InputForgetsDeadline,
    /// Rule 5: draws from somewhere else than its seed.
    OwnDice,
}

#[derive(Debug)]
struct Flawed {
    flaw: Flaw,
    pinger: Pinger,
    dead: bool,
    undrained: Option<Heard>,
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
    type Output = Heard;

    fn handle_input(&mut self, now: Instant, path: Path, ecn: Ecn, payload: &mut [u8]) {
        let junk = !matches!(payload, [b'?' | b'!', _]);
        match self.flaw {
            Flaw::DrainFirst => self.undrained = None,
            Flaw::JunkKills if junk => self.dead = true,
            Flaw::DiesAgainAndAgain if junk => self.undrained = Some(Heard::Silence),
            Flaw::JunkUncounted if junk => return,
            Flaw::OwnDice => {
                static DICE: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
                self.counted += DICE.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 7;
            }
            Flaw::BelievesThePast => {
                // The answer carries the age of the last input, modulo what fits.
                let behind = self.latest.is_some_and(|latest| now < latest);
                self.latest = Some(now);
                self.counted += u64::from(behind);
            }
            Flaw::InputForgetsDeadline => {
                // Late deadlines are noticed by a timeout alone: here a ping is answered before that.
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
        if self.flaw == Flaw::BelievesThePast {
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

    fn poll_output(&mut self) -> Option<Heard> {
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
        // Both call along the left one's path: a second caller makes a busier story.
        let answer = node.pinger.call(now, Path { local: ADDRESSES[0], remote: ADDRESSES[1] });
        if answer.is_err() && node.flaw == Flaw::FailedCommandWaits {
            node.deadline_offset += Duration::from_millis(1);
        }
        answer.map_err(|busy| format!("{busy:?}"))
    }

    fn discarded(&self, node: &Flawed) -> u64 {
        node.pinger.discarded() + node.counted
    }

    fn is_failure(&self, output: &Heard) -> bool {
        *output == Heard::Silence
    }

    fn withdraws(&self, _output: &Heard) -> bool {
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
    ("junk", contract::junk_changes_nothing, &[Flaw::JunkKills, Flaw::JunkUncounted]),
    ("mutations", contract::mutations_never_panic, &[Flaw::DiesAgainAndAgain]),
    ("time", contract::time_never_goes_back, &[Flaw::BelievesThePast]),
    ("deadlines", contract::inputs_serve_deadlines, &[Flaw::DeadlineStays, Flaw::InputForgetsDeadline]),
    ("seeds", contract::same_seed_same_story, &[Flaw::OwnDice]),
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
fn each_check_catches_the_flaw_it_is_there_for() {
    for (name, check, flaws) in CHECKS {
        for flaw in flaws {
            assert!(caught(check, *flaw).is_some(), "{name} does not see {flaw:?}");
        }
    }
}

#[test]
fn commands_do_fail_in_the_scripts_so_that_their_check_is_not_empty() {
    let failed: usize = (0..SEEDS)
        .map(|seed| contract::failed_commands_leave_no_trace(&Pingers(Flaw::Nothing), seed).unwrap())
        .sum();
    assert!(failed > 100, "{failed}");
}
