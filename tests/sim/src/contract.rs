//! The contract of the workspace's state machines, as checks that compare two runs.
//!
//! 1. Any order and number of polls gives the same result.
//! 2. Inputs cannot fail: a malformed datagram is discarded and counted and changes nothing. A failed command changes
//!    nothing.
//! 3. A `now` that goes back is treated as the latest one.
//! 4. After `handle_timeout(poll_timeout())` the next deadline is later or `None`, which every [`World`] checks; and
//!    `handle_input(now)` first does what `handle_timeout(now)` would do.
//! 5. The same seed gives the same run.
//!
//! A [`Subject`] creates and commands two peers of a layer. A script of random commands, waits and malformed datagrams
//! is generated from the seed. It runs in a reference world, and in one that serves the nodes as differently as the
//! contract allows; any difference in events, deadlines or on the wire is a [`Violation`].

mod replay;
mod run;
mod script;

use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::link::Link;
use crate::node::Node;
use crate::rng::Rng;
use crate::seeds::for_each_seed;
use crate::world::{Polling, Violation, World};

pub use replay::{polls_may_wait, same_seed_same_run};
use run::play;
use script::{Action, Script};

/// The addresses of the two peers' sockets.
pub const ADDRESSES: [SocketAddr; 2] = [
    SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::new(10, 0, 0, 1), 5000)),
    SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::new(10, 0, 0, 2), 5000)),
];

/// A layer under test: two peers that talk to each other from [`ADDRESSES`].
pub trait Subject {
    /// One peer.
    type Node: Node;
    /// A call by an application.
    type Command: Clone + Debug;

    /// Two peers with each other's parameters that begin to connect. The same seed gives the same peers.
    fn pair(&self, now: Instant, seed: u64) -> [Self::Node; 2];

    /// A random command, allowed in its state or not.
    fn command(&self, rng: &mut Rng) -> Self::Command;

    /// Runs the command on `node`; `peer` serves for the signalling between the two.
    ///
    /// # Errors
    ///
    ///
    /// The command's own error, printed. An error claims that neither peer was changed.
    fn execute(
        &self,
        node: &mut Self::Node,
        peer: &mut Self::Node,
        now: Instant,
        command: &Self::Command,
    ) -> Result<(), String>;

    /// The part of a datagram that two runs must have in common. The default is for layers with the same bytes in every
    /// run.
    fn wire(&self, datagram: &[u8]) -> String {
        format!("{} {datagram:02x?}", crate::describe(datagram))
    }

    /// How many inputs a peer has discarded for any reason.
    fn discarded(&self, node: &Self::Node) -> u64;

    /// Whether a peer may keep such a datagram for a limited time and drop it without counting it. The default is for
    /// layers that keep nothing.
    fn may_hold(&self, _datagram: &[u8]) -> bool {
        false
    }

    /// Whether an output reports the end of the connection.
    fn is_failure(&self, output: &<Self::Node as Node>::Output) -> bool;

    /// Whether an output reports that a permission to send has ended. From there on, a node may drop its queued output,
    /// so its datagrams depend on the time of the polls.
    fn withdraws(&self, output: &<Self::Node as Node>::Output) -> bool;

    /// Whether a peer is connected.
    fn is_connected(&self, node: &Self::Node) -> bool;
}

/// Runs `check` with the seeds `0..seeds`, or with the one in `SIM_SEED`.
///
/// # Panics
///
///
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
///
///
/// The first difference.
pub fn polls_do_not_matter<S: Subject>(subject: &S, seed: u64) -> Result<(), Violation> {
    let script = Script::random(subject, seed);
    let eager = play(subject, &script, world(seed))?;
    let shuffled = play(subject, &script, world(seed).with_polling(Polling::Shuffled))?;
    let end = eager.first_output(|output| subject.withdraws(output)).unwrap_or(Duration::MAX);
    eager.before(end).must_equal(&shuffled.before(end), "when polls are shuffled")
}

/// Rule 2, second half: failed commands change nothing. Returns how many commands failed.
///
/// # Errors
///
///
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

/// Rule 2, first half: malformed datagrams of every size and kind, with the peer's source address and with others, in
/// every state. They are counted and change nothing for the application.
///
/// # Errors
///
///
/// The first difference, or the first malformed datagram that was not counted.
pub fn malformed_datagrams_change_nothing<S: Subject>(subject: &S, seed: u64) -> Result<(), Violation> {
    let script = Script::random(subject, seed);
    let quiet = play(subject, &script.without_malformed(), world(seed))?;
    let noisy = play(subject, &script, world(seed))?;
    quiet.outputs_must_equal(&noisy, "when there is malformed")?;
    let malformed =
        script.steps.iter().filter(|step| matches!(step.action, Action::Malformed { .. })).count();
    let more = noisy.discarded.iter().sum::<u64>().saturating_sub(quiet.discarded.iter().sum());
    let held = noisy.uncounted.iter().filter(|bytes| subject.may_hold(bytes)).count();
    if more < u64::try_from(malformed - held).unwrap_or(u64::MAX) {
        // A datagram that is held for a moment is counted later, so a listed one may be correct.
        let uncounted: Vec<String> = noisy.uncounted.iter().map(|bytes| crate::describe(bytes)).collect();
        let (uncounted, trace) = (uncounted.join("\n  "), noisy.trace);
        let what = format!(
            "{malformed} malformed datagrams, {more} more discards; not counted at once:\n  {uncounted}"
        );
        return Err(Violation(format!("seed {seed}: {what}\nthe trace:\n{trace}")));
    }
    Ok(())
}

/// Rule 2 again: datagrams of the same connection, truncated, extended, duplicated or with bytes changed. They may end
/// a handshake once; they never cause a panic, a second failure or a busy loop.
///
/// # Errors
///
///
/// A second failure of one peer, or a violation of rule 4.
pub fn mutations_never_panic<S: Subject>(subject: &S, seed: u64) -> Result<(), Violation> {
    let script = Script::mutating(subject, seed);
    let run = play(subject, &script, world(seed))?;
    for outputs in &run.outputs {
        let failures = outputs.iter().filter(|(_, output)| subject.is_failure(output)).count();
        // After a restart a connection may fail again.
        let generations = 1 + run.answers.iter().filter(|answer| answer.is_ok()).count();
        if failures > generations {
            return Err(Violation(format!(
                "seed {seed}: a peer failed {failures} times in {generations} generations"
            )));
        }
    }
    Ok(())
}

/// Rule 3: an earlier instant is treated as the latest one.
///
/// # Errors
///
///
/// The first difference.
pub fn time_never_goes_back<S: Subject>(subject: &S, seed: u64) -> Result<(), Violation> {
    let script = Script::random(subject, seed);
    let straight = play(subject, &script, world(seed))?;
    let backward = play(subject, &script, world(seed).with_backward_clock(Duration::from_secs(20)))?;
    straight.must_equal(&backward, "when the clock goes back")
}

/// Rule 4, second half: on a thread that serves every deadline late, a datagram alone has the same effect as a timeout
/// followed by the datagram.
///
/// # Errors
///
///
/// The first difference.
pub fn inputs_serve_deadlines<S: Subject>(subject: &S, seed: u64) -> Result<(), Violation> {
    let lateness = Duration::from_millis(1 + Rng::labelled(seed, "lateness").below(2_000));
    let script = Script::random(subject, seed);
    let both = play(subject, &script, world(seed).with_lateness(lateness).with_timeout_before_input())?;
    let input = play(subject, &script, world(seed).with_lateness(lateness))?;
    both.must_equal(&input, "when datagrams come without a timeout before them")
}

/// Two peers without commands connect. The other checks would be empty without this.
///
/// # Errors
///
///
/// They do not connect within twenty seconds.
pub fn they_connect<S: Subject>(subject: &S, seed: u64) -> Result<(), Violation> {
    let mut world = world(seed);
    let ids = run::add_pair(subject, &mut world);
    let connected = world.try_run_until(Duration::from_secs(20), |world| {
        ids.iter().all(|id| subject.is_connected(world.node(*id)))
    })?;
    match connected {
        Some(_) => Ok(()),
        None => Err(Violation(format!("seed {seed}: not connected; the trace:\n{}", world.trace()))),
    }
}

/// A world whose link is good, fair or bad, depending on the seed.
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
