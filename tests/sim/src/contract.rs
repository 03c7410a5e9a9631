//! The contract of the workspace's state machines, as checks that run two stories and compare them.
//!
//! 1. Any order and number of polls gives the same result.
//! 2. Inputs cannot fail: junk is discarded and counted and changes nothing. A failed command leaves no trace.
//! 3. A `now` that goes back is treated as the latest one.
//! 4. After `handle_timeout(poll_timeout())` the next deadline is later or `None`, which every
//!    [`World`] insists on; and `handle_input(now)` first does what `handle_timeout(now)` would.
//! 5. The same seed gives the same story.
//!
//! A [`Subject`] says how to build and to command two peers of a layer. A script of random commands, waits and
//! junk is drawn from the seed and played in a reference world and in one that is served as differently as the
//! contract allows; whatever then differs in events, deadlines or on the wire is a [`Violation`].

mod replay;
mod script;
mod story;

use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::link::Link;
use crate::node::Node;
use crate::rng::Rng;
use crate::seeds::for_each_seed;
use crate::world::{Polling, Violation, World};

pub use replay::{polls_may_wait, same_seed_same_story};
use script::{Action, Script};
use story::play;

/// The sockets of the two peers.
pub const ADDRESSES: [SocketAddr; 2] = [
    SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::new(10, 0, 0, 1), 5000)),
    SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::new(10, 0, 0, 2), 5000)),
];

/// A layer under test: two peers that talk to each other from [`ADDRESSES`].
pub trait Subject {
    /// One peer.
    type Node: Node;
    /// Anything an application can ask of one.
    type Command: Clone + Debug;

    /// Two peers that know each other and begin to connect. The same seed gives the same peers.
    fn pair(&self, now: Instant, seed: u64) -> [Self::Node; 2];

    /// A random command, right or wrong in its state.
    fn command(&self, rng: &mut Rng) -> Self::Command;

    /// Does what the command says to `node`; `peer` is there for the signalling between the two.
    ///
    /// # Errors
    /// The command's own error, printed. An error claims that neither peer was changed.
    fn execute(
        &self,
        node: &mut Self::Node,
        peer: &mut Self::Node,
        now: Instant,
        command: &Self::Command,
    ) -> Result<(), String>;

    /// What two runs must have in common of a datagram. The default is for layers with the same bytes in
    /// every run.
    fn wire(&self, datagram: &[u8]) -> String {
        format!("{} {datagram:02x?}", crate::describe(datagram))
    }

    /// How many inputs a peer has dropped for any reason.
    fn discarded(&self, node: &Self::Node) -> u64;

    /// Whether a peer may keep such a datagram for a while, bounded, and forget it with what it was kept for. Then
    /// nobody need count it. The default is for layers that keep nothing.
    fn may_hold(&self, _datagram: &[u8]) -> bool {
        false
    }

    /// Whether an output says that the connection is dead.
    fn is_failure(&self, output: &<Self::Node as Node>::Output) -> bool;

    /// Whether an output says that a permission to send has ended. A node may then withdraw what it has queued,
    /// so what it sends depends on when it was polled, from there on.
    fn withdraws(&self, output: &<Self::Node as Node>::Output) -> bool;

    /// Whether a peer has reached what it is for.
    fn is_connected(&self, node: &Self::Node) -> bool;
}

/// Insists on `check` for the seeds `0..seeds`, or for the one that `SIM_SEED` names.
///
/// # Panics
/// With the violation and its seed.
pub fn hold<S: Subject, T>(
    subject: &S,
    seeds: u64,
    check: impl Fn(&S, u64) -> Result<T, Violation>,
) -> Vec<T> {
    let mut kept = Vec::new();
    for_each_seed(seeds, |seed| match check(subject, seed) {
        Ok(value) => kept.push(value),
        Err(violation) => panic!("{violation}"),
    });
    kept
}

/// Rule 1: polls in any order and number, until the first permission to send ends.
///
/// # Errors
/// The first difference.
pub fn polls_do_not_matter<S: Subject>(subject: &S, seed: u64) -> Result<(), Violation> {
    let script = Script::random(subject, seed);
    let eager = play(subject, &script, world(seed))?;
    let shuffled = play(subject, &script, world(seed).with_polling(Polling::Shuffled))?;
    let end = eager.first_output(|output| subject.withdraws(output)).unwrap_or(Duration::MAX);
    eager.before(end).must_equal(&shuffled.before(end), "when polls are shuffled")
}

/// Rule 2, second half: the commands that failed might as well not have been given. Returns how many did.
///
/// # Errors
/// The first difference.
pub fn failed_commands_leave_no_trace<S: Subject>(subject: &S, seed: u64) -> Result<usize, Violation> {
    let script = Script::random(subject, seed);
    let with = play(subject, &script, world(seed))?;
    let failed: Vec<bool> = with.answers.iter().map(Result::is_err).collect();
    let mut without = play(subject, &script.without_commands(&failed), world(seed))?;
    without.answers.clone_from(&with.answers);
    with.must_equal(&without, "when the failed commands are left out")?;
    Ok(failed.into_iter().filter(|failed| *failed).count())
}

/// Rule 2, first half: junk of every size and kind, from strangers and in the peer's name, in every state.
/// It is counted and changes nothing that the application sees.
///
/// # Errors
/// The first difference, or the first junk datagram that was not counted.
pub fn junk_changes_nothing<S: Subject>(subject: &S, seed: u64) -> Result<(), Violation> {
    let script = Script::random(subject, seed);
    let quiet = play(subject, &script.without_junk(), world(seed))?;
    let noisy = play(subject, &script, world(seed))?;
    quiet.outputs_must_equal(&noisy, "when there is junk")?;
    let junk = script.steps.iter().filter(|step| matches!(step.action, Action::Junk { .. })).count();
    let more = noisy.discarded.iter().sum::<u64>().saturating_sub(quiet.discarded.iter().sum());
    let held = noisy.uncounted.iter().filter(|bytes| subject.may_hold(bytes)).count();
    if more < u64::try_from(junk - held).unwrap_or(u64::MAX) {
        // What is held for a moment is counted later, so a suspect need not be guilty.
        let suspects: Vec<String> = noisy.uncounted.iter().map(|bytes| crate::describe(bytes)).collect();
        let (suspects, trace) = (suspects.join("\n  "), noisy.trace);
        let what = format!("{junk} junk datagrams, {more} more discards; not counted at once:\n  {suspects}");
        return Err(Violation(format!("seed {seed}: {what}\nthe trace:\n{trace}")));
    }
    Ok(())
}

/// Rule 2 once more: datagrams of the very conversation, cut short, extended, repeated or with bytes changed.
/// They may end a handshake once; they never panic, never fail twice, never keep a node busy.
///
/// # Errors
/// A second failure of one peer, or a breach of rule 4 on the way.
pub fn mutations_never_panic<S: Subject>(subject: &S, seed: u64) -> Result<(), Violation> {
    let script = Script::mutating(subject, seed);
    let story = play(subject, &script, world(seed))?;
    for outputs in &story.outputs {
        let failures = outputs.iter().filter(|(_, output)| subject.is_failure(output)).count();
        // A restart from the dead earns the right to fail again.
        let lives = 1 + story.answers.iter().filter(|answer| answer.is_ok()).count();
        if failures > lives {
            return Err(Violation(format!("seed {seed}: a peer failed {failures} times in {lives} lives")));
        }
    }
    Ok(())
}

/// Rule 3: instants of the past are the latest one.
///
/// # Errors
/// The first difference.
pub fn time_never_goes_back<S: Subject>(subject: &S, seed: u64) -> Result<(), Violation> {
    let script = Script::random(subject, seed);
    let straight = play(subject, &script, world(seed))?;
    let wayward = play(subject, &script, world(seed).with_backward_clock(Duration::from_secs(20)))?;
    straight.must_equal(&wayward, "when the clock goes back")
}

/// Rule 4, second half: on a thread that is late for every deadline, a datagram alone does what a timeout
/// followed by the datagram does.
///
/// # Errors
/// The first difference.
pub fn inputs_serve_deadlines<S: Subject>(subject: &S, seed: u64) -> Result<(), Violation> {
    let lateness = Duration::from_millis(1 + Rng::labelled(seed, "lateness").below(2_000));
    let script = Script::random(subject, seed);
    let both = play(subject, &script, world(seed).with_lateness(lateness).with_timeout_before_input())?;
    let input = play(subject, &script, world(seed).with_lateness(lateness))?;
    both.must_equal(&input, "when datagrams come without a timeout before them")
}

/// Not a rule of the contract but what makes the others worth something: two peers whom nobody commands connect.
///
/// # Errors
/// Where they do not within twenty seconds.
pub fn they_connect<S: Subject>(subject: &S, seed: u64) -> Result<(), Violation> {
    let mut world = world(seed);
    let ids = story::people(subject, &mut world);
    let connected = world.try_run_until(Duration::from_secs(20), |world| {
        ids.iter().all(|id| subject.is_connected(world.node(*id)))
    })?;
    match connected {
        Some(_) => Ok(()),
        None => Err(Violation(format!("seed {seed}: not connected; the trace:\n{}", world.trace()))),
    }
}

/// A world with a link that is good, fair or bad, as the seed will have it.
fn world<N: Node>(seed: u64) -> World<N> {
    let mut rng = Rng::labelled(seed, "link");
    let delay = Duration::from_millis(1 + rng.below(60));
    let loss = rng.pick(&[0.0, 0.0, 0.1, 0.3]).copied().unwrap_or_default();
    let mut link = Link::new().delay(delay).loss(loss);
    if rng.chance(0.5) {
        link = link.jitter(Duration::from_millis(20)).reorder(0.1, Duration::from_millis(15)).duplicate(0.1);
    }
    World::new(seed).with_link(link)
}
