//! One run of a script, and the first difference between two runs.

use std::cell::RefCell;
use std::fmt::Debug;
use std::rc::Rc;
use std::time::Duration;

use crate::classify::Class;
use crate::contract::script::{Action, Script};
use crate::contract::{ADDRESSES, Subject};
use crate::node::Node;
use crate::world::{NodeId, Verdict, Violation, World};

/// Everything that can be observed of two peers.
pub(super) struct Run<S: Subject> {
    pub(super) seed: u64,
    pub(super) outputs: Vec<Vec<(Duration, <S::Node as Node>::Output)>>,
    pub(super) answers: Vec<Result<(), String>>,
    /// Malformed datagrams that no counter counted at once.
    pub(super) uncounted: Vec<Vec<u8>>,
    pub(super) trace: String,
    pub(super) discarded: [u64; 2],
    wire: [Vec<(Duration, String)>; 2],
    deadlines: Vec<Vec<(Duration, Option<Duration>)>>,
}

/// Adds the two peers of `subject` to a world.
pub(super) fn add_pair<S: Subject>(subject: &S, world: &mut World<S::Node>) -> [NodeId; 2] {
    let [left, right] = subject.pair(world.now(), world.seed());
    [world.add("left", ADDRESSES[0], left), world.add("right", ADDRESSES[1], right)]
}

pub(super) fn play<S: Subject>(
    subject: &S,
    script: &Script<S::Command>,
    mut world: World<S::Node>,
) -> Result<Run<S>, Violation> {
    let ids = add_pair(subject, &mut world);
    let sent = Rc::new(RefCell::new([const { Vec::new() }; 2]));
    let log = Rc::clone(&sent);
    world.tap(move |flight| {
        let side = usize::from(flight.from == ADDRESSES[1]);
        log.borrow_mut()[side].push((flight.at, flight.bytes.clone()));
        Verdict::Pass
    });
    let mut answers = Vec::new();
    let mut uncounted = Vec::new();
    for step in &script.steps {
        world.try_run_until(step.after, |_| false)?;
        match &step.action {
            Action::Command { side, command } => {
                let answer = world.act_on_both(ids[*side], ids[1 - side], |node, peer, now| {
                    subject.execute(node, peer, now, command)
                });
                world.note(format!("{side}: {command:?} -> {answer:?}"));
                answers.push(answer);
            }
            Action::Malformed { side, from, bytes } => {
                let before = subject.discarded(world.node(ids[*side]));
                world.inject(*from, ADDRESSES[*side], bytes.clone());
                world.try_run_until(Duration::ZERO, |_| false)?;
                if subject.discarded(world.node(ids[*side])) == before {
                    uncounted.push(bytes.clone());
                }
            }
            Action::Mutate { side, mutation } => {
                let original = {
                    let sent = sent.borrow();
                    let sent: &Vec<(Duration, Vec<u8>)> = &sent[1 - side];
                    sent.len()
                        .checked_sub(1 + mutation.back)
                        .and_then(|n| sent.get(n))
                        .map(|(_, b)| b.clone())
                };
                if let Some(bytes) = original {
                    world.inject(ADDRESSES[1 - side], ADDRESSES[*side], mutation.apply(bytes));
                }
            }
            Action::Wait => {}
        }
    }
    world.try_run_until(Duration::from_secs(2), |_| false)?;
    let wire = {
        sent.borrow().clone().map(|mut sent: Vec<(Duration, Vec<u8>)>| {
            // The order between two protocols within one instant is up to the node.
            sent.sort_by_key(|(at, bytes)| (*at, Class::of(bytes)));
            sent.iter().map(|(at, bytes)| (*at, subject.wire(bytes))).collect()
        })
    };
    Ok(Run {
        seed: world.seed(),
        outputs: ids.iter().map(|id| world.outputs(*id).to_vec()).collect(),
        answers,
        uncounted,
        discarded: ids.map(|id| subject.discarded(world.node(id))),
        wire,
        deadlines: ids.iter().map(|id| world.deadlines(*id).to_vec()).collect(),
        trace: world.trace().to_string(),
    })
}

impl<S: Subject> Run<S> {
    /// The time of the first output that matches.
    pub(super) fn first_output(&self, like: impl Fn(&<S::Node as Node>::Output) -> bool) -> Option<Duration> {
        self.outputs.iter().flatten().filter(|(_, output)| like(output)).map(|(at, _)| *at).min()
    }

    /// The run up to `end`, without the totals, which are known at the end only.
    pub(super) fn before(mut self, end: Duration) -> Self {
        if end < Duration::MAX {
            self.outputs.iter_mut().for_each(|outputs| outputs.retain(|(at, _)| *at < end));
            self.wire.iter_mut().for_each(|wire| wire.retain(|(at, _)| *at < end));
            self.deadlines.iter_mut().for_each(|deadlines| deadlines.retain(|(at, _)| *at < end));
            self.answers.clear();
            self.discarded = [0; 2];
        }
        self
    }

    /// Checks that everything is equal.
    pub(super) fn must_equal(&self, other: &Self, when: &str) -> Result<(), Violation> {
        self.outputs_must_equal(other, when)?;
        for side in 0..2 {
            let what = |kind: &str| format!("{kind} of {} {when}", ["left", "right"][side]);
            self.same(other, &self.wire[side], &other.wire[side], &what("the transmits"))?;
            self.same(other, &self.deadlines[side], &other.deadlines[side], &what("the deadlines"))?;
        }
        self.same(other, &self.discarded, &other.discarded, &format!("the discards {when}"))
    }

    /// Checks that the application's view is equal: outputs, and the results of its commands.
    pub(super) fn outputs_must_equal(&self, other: &Self, when: &str) -> Result<(), Violation> {
        self.same(other, &self.answers, &other.answers, &format!("the answers to commands {when}"))?;
        for (side, name) in ["left", "right"].into_iter().enumerate() {
            let what = format!("the outputs of {name} {when}");
            self.same(other, &self.outputs[side], &other.outputs[side], &what)?;
        }
        Ok(())
    }

    fn same<T: Debug + PartialEq>(
        &self,
        other: &Self,
        ours: &[T],
        theirs: &[T],
        what: &str,
    ) -> Result<(), Violation> {
        if ours == theirs {
            return Ok(());
        }
        let first = ours.iter().zip(theirs).take_while(|(ours, theirs)| ours == theirs).count();
        Err(Violation(format!(
            "seed {}: {what} differ from number {first} on:\n  reference: {:?}\n  variant:   {:?}\n\
             the reference's trace:\n{}the variant's trace:\n{}",
            self.seed,
            ours.get(first),
            theirs.get(first),
            self.trace,
            other.trace,
        )))
    }
}
