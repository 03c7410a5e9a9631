//! Consent (RFC 7675): when it ends to the millisecond, and who can end it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ice_agent::{Config, Event, Failure};
use peer_transport::SendError;
use sim::contract::ADDRESSES;
use sim::{Link, NodeId, Verdict, World, describe};

use super::{Outcome, Story, millis};
use crate::call::{Call, Setting, Side, address};
use crate::ice_node::IceNode;

pub(super) fn stories() -> Vec<Story> {
    vec![
        Story::new("consent", "ends 30.000 s after the last proof", expires_exactly),
        Story::new("consent", "the same on a socket that is never idle", expires_on_a_busy_socket),
        Story::new("consent", "a proof 1 ms before the end renews it", just_in_time),
        Story::new("consent", "a proof 1 ms after the end does not", one_millisecond_late),
        Story::new("consent", "an authenticated 403 ends it at once", revoked),
        Story::new("consent", "a forged 403 does nothing", forged_refusal),
    ]
}

/// RFC 7675 section 5.1.
const EXPIRY: Duration = Duration::from_secs(30);
const DELAY: Duration = Duration::from_millis(20);
const MS: Duration = Duration::from_millis(1);

/// Two agents that are connected, and what the tap of the story may decide about the right one's answers.
struct Stage {
    world: World<IceNode>,
    left: NodeId,
    answers: Rc<RefCell<Answers>>,
}

/// What becomes of the success responses that the right agent sends.
struct Answers {
    policy: Policy,
    /// When the last one that is let through arrives.
    last_proof: Duration,
}

#[derive(Clone, Copy)]
enum Policy {
    Pass,
    Drop,
    /// The next one is held back until this time, those behind it vanish.
    HoldOneUntil(Duration),
}

fn stage(world: World<IceNode>) -> Result<Stage, String> {
    let mut world = world.with_link(Link::new().delay(DELAY));
    let configs = [Config::default(), Config::default()];
    let [left, right] = IceNode::pair(world.now(), configs, ADDRESSES, world.seed());
    let left = world.add("left", ADDRESSES[0], left);
    let right = world.add("right", ADDRESSES[1], right);
    let answers = Rc::new(RefCell::new(Answers { policy: Policy::Pass, last_proof: Duration::ZERO }));
    let rules = Rc::clone(&answers);
    world.tap(move |flight| {
        if flight.from != ADDRESSES[1] || !describe(flight.bytes).contains("success") {
            return Verdict::Pass;
        }
        let mut rules = rules.borrow_mut();
        match rules.policy {
            Policy::Pass => {
                rules.last_proof = flight.at + DELAY;
                Verdict::Pass
            }
            Policy::Drop => Verdict::Drop,
            Policy::HoldOneUntil(arrival) => {
                rules.policy = Policy::Drop;
                Verdict::Delay(arrival.saturating_sub(flight.at + DELAY))
            }
        }
    });
    for _ in 0..1000 {
        // Junk keeps both agents awake where the world never serves their timers.
        for to in ADDRESSES {
            world.inject(([192, 0, 2, 1], 9).into(), to, vec![0; 20]);
        }
        pass(&mut world, 10 * MS)?;
    }
    let connected = [left, right].iter().all(|id| world.node(*id).agent.selected_pair().is_some());
    let stage = Stage { world, left, answers };
    if connected { Ok(stage) } else { Err(stage.fail("not connected")) }
}

fn pass(world: &mut World<IceNode>, duration: Duration) -> Result<(), String> {
    world.try_run_until(duration, |_| false).map(drop).map_err(|violation| violation.0)
}

impl Stage {
    fn fail(&self, what: &str) -> String {
        format!("seed {}, at {:?}: {what}\n{}", self.world.seed(), self.world.elapsed(), self.world.trace())
    }

    fn pass_until(&mut self, at: Duration) -> Result<(), String> {
        let left = at.saturating_sub(self.world.elapsed());
        pass(&mut self.world, left)
    }

    /// When the left agent lost consent, and why.
    fn lost(&self) -> Option<(Duration, Failure)> {
        self.world.outputs(self.left).iter().find_map(|(at, event)| match event {
            Event::ConsentLost { failure, .. } => Some((*at, *failure)),
            _ => None,
        })
    }

    /// No answer comes through from now on; when consent has to end.
    fn fall_silent(&mut self) -> Result<Duration, String> {
        self.answers.borrow_mut().policy = Policy::Drop;
        // Whatever is on its way arrives.
        pass(&mut self.world, DELAY + MS)?;
        Ok(self.answers.borrow().last_proof + EXPIRY)
    }
}

/// The answers stop; consent ends thirty seconds after the last one to the nanosecond, by the agent's own timer.
///
/// # Errors
/// What went wrong.
pub fn expires_exactly(seed: u64) -> Outcome {
    let mut stage = stage(World::new(seed))?;
    let end = stage.fall_silent()?;
    stage.pass_until(end + Duration::from_secs(5))?;
    match stage.lost() {
        Some((at, Failure::ConsentExpired { age, .. })) if at == end && age == EXPIRY => Ok(millis(age)),
        other => Err(stage.fail(&format!("expected the end at {end:?}, got {other:?}"))),
    }
}

/// Nobody serves the agent's timers, as on a thread that reads a socket without end: a datagram of junk a
/// nanosecond before the end changes nothing, one at the end ends it.
///
/// # Errors
/// What went wrong.
pub fn expires_on_a_busy_socket(seed: u64) -> Outcome {
    let never = Duration::from_secs(100_000_000);
    let mut stage = stage(World::new(seed).with_lateness(never))?;
    let end = stage.fall_silent()?;
    let junk = |stage: &mut Stage| {
        stage.world.inject(([192, 0, 2, 1], 9).into(), ADDRESSES[0], vec![0; 20]);
        pass(&mut stage.world, Duration::ZERO)
    };
    while stage.world.elapsed() + 10 * MS < end {
        junk(&mut stage)?;
        pass(&mut stage.world, 10 * MS)?;
    }
    stage.pass_until(end.saturating_sub(Duration::from_nanos(1)))?;
    junk(&mut stage)?;
    if let Some(lost) = stage.lost() {
        return Err(stage.fail(&format!("too early: {lost:?}, expected {end:?}")));
    }
    stage.pass_until(end)?;
    junk(&mut stage)?;
    match stage.lost() {
        Some((at, Failure::ConsentExpired { age, .. })) if at == end && age == EXPIRY => Ok(millis(age)),
        other => Err(stage.fail(&format!("expected the end at {end:?}, got {other:?}"))),
    }
}

/// An answer that arrives a millisecond before the end: consent lasts thirty seconds more.
///
/// # Errors
/// What went wrong.
pub fn just_in_time(seed: u64) -> Outcome {
    let (stage, end) = proof_at_the_end(seed, |end| end.saturating_sub(MS))?;
    let renewed = end.saturating_sub(MS) + EXPIRY;
    match stage.lost() {
        Some((at, Failure::ConsentExpired { .. })) if at == renewed => Ok(millis(at.saturating_sub(end))),
        other => Err(stage.fail(&format!("expected {renewed:?}, got {other:?}"))),
    }
}

/// The same answer two milliseconds later: too late.
///
/// # Errors
/// What went wrong.
pub fn one_millisecond_late(seed: u64) -> Outcome {
    let (stage, end) = proof_at_the_end(seed, |end| end + MS)?;
    match stage.lost() {
        Some((at, Failure::ConsentExpired { .. })) if at == end => Ok(millis(EXPIRY)),
        other => Err(stage.fail(&format!("expected {end:?}, got {other:?}"))),
    }
}

fn proof_at_the_end(
    seed: u64,
    arrival: impl FnOnce(Duration) -> Duration,
) -> Result<(Stage, Duration), String> {
    let mut stage = stage(World::new(seed))?;
    let end = stage.fall_silent()?;
    // The last checks before the end go out four to six seconds apart.
    stage.pass_until(end.saturating_sub(Duration::from_secs(8)))?;
    stage.answers.borrow_mut().policy = Policy::HoldOneUntil(arrival(end));
    stage.pass_until(end + EXPIRY + Duration::from_secs(5))?;
    Ok((stage, end))
}

/// The peer takes its consent back: the next check is refused, and from then on not one packet is sent.
///
/// # Errors
/// What went wrong.
pub fn revoked(seed: u64) -> Outcome {
    let mut call = Call::new(Setting::new(seed, 0.0).by_seed());
    call.connect()?;
    call.pass(Duration::from_secs(2))?;
    call.world.act(call.id(Side::Right), |peer, now| peer.transport.revoke_consent(now));
    let start = call.world.elapsed();
    call.wait("the left side knows", |call| {
        call.events(Side::Left).any(|(_, event)| {
            let revoked = |failure: &Failure| matches!(failure, Failure::ConsentRevoked { .. });
            matches!(event, peer_transport::Event::ConsentLost { failure, .. } if revoked(failure))
        })
    })?;
    let took = call.world.elapsed().saturating_sub(start);
    for side in Side::BOTH {
        call.send_one(side);
    }
    let refusals = call.refused.concat();
    call.insist(refusals == [SendError::NotPermitted; 2], format!("{refusals:?}"))?;
    let sent = |call: &Call| Side::BOTH.map(|side| call.world.tally(call.id(side)).sent);
    let before = sent(&call);
    call.pass(Duration::from_secs(60))?;
    // The right side still says 403 to whoever asks; the left one says nothing at all.
    call.insist(sent(&call)[0] == before[0], "the left side goes on sending")?;
    // RFC 7675 section 5.1: the next check comes within 1.2 times 5 s.
    call.insist(took <= Duration::from_secs(7), format!("took {took:?}"))?;
    Ok(millis(took))
}

/// Somebody who sees the requests, and has not the password, answers them all with 403 ahead of the peer.
///
/// # Errors
/// What went wrong.
pub fn forged_refusal(seed: u64) -> Outcome {
    let mut call = Call::new(Setting::new(seed, 0.0).by_seed());
    call.connect()?;
    let seen: Rc<RefCell<Vec<Vec<u8>>>> = Rc::default();
    let forged = Rc::new(Cell::new(0_u32));
    let requests = Rc::clone(&seen);
    call.world.tap(move |flight| {
        if flight.from == address(Side::Left) && describe(flight.bytes).contains("request") {
            requests.borrow_mut().push(flight.bytes.clone());
        }
        Verdict::Pass
    });
    call.stream(true);
    for _ in 0..2000 {
        call.pass(20 * MS)?;
        for request in seen.borrow_mut().drain(..) {
            // Binding error response, the request's transaction, ERROR-CODE 403 and nothing else.
            let mut refusal = vec![0x01, 0x11, 0, 8];
            refusal.extend(request.get(4..20).unwrap_or_default());
            refusal.extend([0, 9, 0, 4, 0, 0, 4, 3]);
            call.world.inject(address(Side::Right), address(Side::Left), refusal);
            forged.set(forged.get() + 1);
        }
    }
    call.settle()?;
    call.insist(forged.get() > 5, format!("only {} refusals were forged", forged.get()))?;
    call.insist(Side::BOTH.iter().all(|side| call.is_connected(*side)), "the forger won")?;
    let ledger = call.ledger();
    call.insist(ledger.lost_beyond_link == 0 && ledger.refused == 0, format!("{ledger:?}"))?;
    Ok(0.0)
}
