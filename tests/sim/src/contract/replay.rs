//! Second runs: the same seed twice, and recorded inputs with late polls.
//!
//! Where a layer's bytes are the same in every run, the inputs of one run can be given to a second pair of peers, whose
//! polls may then come seconds and many inputs later.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use crate::clock::epoch;
use crate::contract::run::play;
use crate::contract::script::Script;
use crate::contract::{Subject, world};
use crate::node::{Ecn, Node, Path, Sent};
use crate::rng::Rng;
use crate::world::Violation;

/// Rule 5: two runs of one seed are equal.
///
/// # Errors
///
///
/// The first difference.
pub fn same_seed_same_run<S: Subject>(subject: &S, seed: u64) -> Result<(), Violation> {
    let script = Script::random(subject, seed);
    let once = play(subject, &script, world(seed))?;
    let again = play(subject, &script, world(seed))?;
    once.must_equal(&again, "in a second run")
}

/// Rule 1 in full: polls that come many inputs and seconds later give the same output in the same order, except that a
/// node may drop output that it may no longer send, for example after consent expired. Only for layers with the same
/// bytes in every run.
///
/// # Errors
///
///
/// The first difference.
pub fn polls_may_wait<S: Subject>(subject: &S, seed: u64) -> Result<(), Violation> {
    let script = Script::random(subject, seed);
    let recorder = Recorder { subject, log: Log::default() };
    play(&recorder, &script, world(seed))?;
    let log = recorder.log.borrow();
    let eager = replay(subject, &log, seed, || true);
    let mut rng = Rng::labelled(seed, "waiting");
    let late = replay(subject, &log, seed, || rng.chance(0.05));
    eager.must_equal(&late, seed)
}

type Log<C> = Rc<RefCell<Vec<(Instant, usize, RecordedInput<C>)>>>;

/// An input of a peer.
enum RecordedInput<C> {
    Input { path: Path, ecn: Ecn, payload: Vec<u8> },
    Timeout,
    Command(C),
}

/// A subject that records the inputs of its peers.
struct Recorder<'a, S: Subject> {
    subject: &'a S,
    log: Log<S::Command>,
}

struct Recording<N, C> {
    side: usize,
    node: N,
    log: Log<C>,
}

impl<S: Subject> Subject for Recorder<'_, S> {
    type Node = Recording<S::Node, S::Command>;
    type Command = S::Command;

    fn pair(&self, now: Instant, seed: u64) -> [Self::Node; 2] {
        let mut side = 0..2;
        self.subject.pair(now, seed).map(|node| {
            let side = side.next().unwrap_or_default();
            Recording { side, node, log: Rc::clone(&self.log) }
        })
    }

    fn command(&self, rng: &mut Rng) -> S::Command {
        self.subject.command(rng)
    }

    fn execute(
        &self,
        node: &mut Self::Node,
        peer: &mut Self::Node,
        now: Instant,
        command: &S::Command,
    ) -> Result<(), String> {
        self.log.borrow_mut().push((now, node.side, RecordedInput::Command(command.clone())));
        self.subject.execute(&mut node.node, &mut peer.node, now, command)
    }

    fn discarded(&self, node: &Self::Node) -> u64 {
        self.subject.discarded(&node.node)
    }

    fn may_hold(&self, datagram: &[u8]) -> bool {
        self.subject.may_hold(datagram)
    }

    fn is_failure(&self, output: &<S::Node as Node>::Output) -> bool {
        self.subject.is_failure(output)
    }

    fn withdraws(&self, output: &<S::Node as Node>::Output) -> bool {
        self.subject.withdraws(output)
    }

    fn is_connected(&self, node: &Self::Node) -> bool {
        self.subject.is_connected(&node.node)
    }
}

impl<N: Node, C> Node for Recording<N, C> {
    type Output = N::Output;

    fn handle_input(&mut self, now: Instant, path: Path, ecn: Ecn, payload: &mut [u8]) {
        let input = RecordedInput::Input { path, ecn, payload: payload.to_vec() };
        self.log.borrow_mut().push((now, self.side, input));
        self.node.handle_input(now, path, ecn, payload);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.log.borrow_mut().push((now, self.side, RecordedInput::Timeout));
        self.node.handle_timeout(now);
    }

    fn poll_transmit(&mut self, buffer: &mut Vec<u8>) -> Option<Sent> {
        self.node.poll_transmit(buffer)
    }

    fn poll_output(&mut self) -> Option<N::Output> {
        self.node.poll_output()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.node.poll_timeout()
    }
}

/// The output of two peers in a replay.
struct Given<O> {
    outputs: [Vec<O>; 2],
    transmits: [Vec<(Path, Vec<u8>)>; 2],
    deadlines: Vec<[Option<Instant>; 2]>,
}

/// Gives the recorded inputs to a second pair of peers, and polls whenever `poll` says so, and at the end.
fn replay<S: Subject>(
    subject: &S,
    log: &[(Instant, usize, RecordedInput<S::Command>)],
    seed: u64,
    mut poll: impl FnMut() -> bool,
) -> Given<<S::Node as Node>::Output> {
    let [mut left, mut right] = subject.pair(epoch(), seed);
    let mut given = Given { outputs: [vec![], vec![]], transmits: [vec![], vec![]], deadlines: Vec::new() };
    for (now, side, input) in log {
        let (node, peer) = if *side == 0 { (&mut left, &mut right) } else { (&mut right, &mut left) };
        match input {
            RecordedInput::Input { path, ecn, payload } => {
                node.handle_input(*now, *path, *ecn, &mut payload.clone());
            }
            RecordedInput::Timeout => node.handle_timeout(*now),
            // The same earlier inputs decide whether it is refused, so the result is the same.
            RecordedInput::Command(command) => _ = subject.execute(node, peer, *now, command),
        }
        given.deadlines.push([left.poll_timeout(), right.poll_timeout()]);
        if poll() {
            given.drain(0, &mut left);
            given.drain(1, &mut right);
        }
    }
    given.drain(0, &mut left);
    given.drain(1, &mut right);
    given
}

impl<O: Clone + std::fmt::Debug + PartialEq> Given<O> {
    fn drain<N: Node<Output = O>>(&mut self, side: usize, node: &mut N) {
        let mut buffer = Vec::new();
        while let Some(sent) = node.poll_transmit(&mut buffer) {
            let start = buffer.len().saturating_sub(sent.len);
            self.transmits[side].push((sent.path, buffer.split_off(start)));
        }
        while let Some(output) = node.poll_output() {
            self.outputs[side].push(output);
        }
    }

    fn must_equal(&self, late: &Self, seed: u64) -> Result<(), Violation> {
        let changed = |what: String| Err(Violation(format!("seed {seed}: polls that wait change {what}")));
        let differs = self.deadlines.iter().zip(&late.deadlines).position(|(eager, late)| eager != late);
        if let Some(input) = differs {
            return changed(format!("the deadlines after input {input}"));
        }
        for (side, name) in ["left", "right"].into_iter().enumerate() {
            if self.outputs[side] != late.outputs[side] {
                let (eager, late) = (&self.outputs[side], &late.outputs[side]);
                return changed(format!("the outputs of {name}: {eager:?} became {late:?}"));
            }
            let mut eager = self.transmits[side].iter();
            if let Some(added) =
                late.transmits[side].iter().position(|late| !eager.any(|eager| eager == late))
            {
                return changed(format!("the transmits of {name}: number {added} is new or out of order"));
            }
        }
        Ok(())
    }
}
