//! Consent (RFC 7675): when it expires, to the millisecond, and who can revoke it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ice_agent::{Config, Event, Failure};
use peer_transport::SendError;
use sim::contract::ADDRESSES;
use sim::{Link, NodeId, Verdict, World, describe};

use super::{Outcome, Scenario, millis};
use crate::call::{Call, Setting, Side, address};
use crate::ice_node::IceNode;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("consent", "ends 30.000 s after the last proof", expires_exactly),
        Scenario::new("consent", "the same on a socket that is never idle", expires_on_a_busy_socket),
        Scenario::new("consent", "a proof 1 ms before the end renews it", just_in_time),
        Scenario::new("consent", "a proof 1 ms after the end does not", one_millisecond_late),
        Scenario::new("consent", "an authenticated 403 ends it at once", revoked),
        Scenario::new("consent", "a forged 403 does nothing", forged_refusal),
    ]
}

/// RFC 7675 section 5.1.
const EXPIRY: Duration = Duration::from_secs(30);
const DELAY: Duration = Duration::from_millis(20);
const MS: Duration = Duration::from_millis(1);

/// Two connected agents, and the control of the right agent's responses.
struct Setup {
    world: World<IceNode>,
    left: NodeId,
    answers: Rc<RefCell<Answers>>,
}

/// Selects which of the right agent's success responses are delivered.
struct Answers {
    policy: Policy,
    /// When the last delivered response arrives.
    last_proof: Duration,
}

#[derive(Clone, Copy)]
enum Policy {
    Pass,
    Drop,
    /// Delays the next response until this time and drops those after it.
    HoldOneUntil(Duration),
}

fn setup(world: World<IceNode>) -> Result<Setup, String> {
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
        // Malformed datagrams wake both agents where the world does not serve their timers.
        for to in ADDRESSES {
            world.inject(([192, 0, 2, 1], 9).into(), to, vec![0; 20]);
        }
        pass(&mut world, 10 * MS)?;
    }
    let connected = [left, right].iter().all(|id| world.node(*id).agent.selected_pair().is_some());
    let setup = Setup { world, left, answers };
    if connected { Ok(setup) } else { Err(setup.fail("not connected")) }
}

fn pass(world: &mut World<IceNode>, duration: Duration) -> Result<(), String> {
    world.try_run_until(duration, |_| false).map(drop).map_err(|violation| violation.0)
}

impl Setup {
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

    /// Drops all responses from now on. Returns the time when consent must expire.
    fn stop_responses(&mut self) -> Result<Duration, String> {
        self.answers.borrow_mut().policy = Policy::Drop;
        // Datagrams in flight arrive first.
        pass(&mut self.world, DELAY + MS)?;
        Ok(self.answers.borrow().last_proof + EXPIRY)
    }
}

/// The responses stop. Consent expires exactly thirty seconds after the last one, by the agent's own timer.
///
/// # Errors
///
///
/// A check fails.
pub fn expires_exactly(seed: u64) -> Outcome {
    let mut setup = setup(World::new(seed))?;
    let end = setup.stop_responses()?;
    setup.pass_until(end + Duration::from_secs(5))?;
    match setup.lost() {
        Some((at, Failure::ConsentExpired { age, .. })) if at == end && age == EXPIRY => Ok(millis(age)),
        other => Err(setup.fail(&format!("expected the end at {end:?}, got {other:?}"))),
    }
}

/// The world does not serve the agent's timers, like a thread that reads a busy socket: a malformed datagram a
/// nanosecond before the expiry changes nothing, one at the expiry ends consent.
///
/// # Errors
///
///
/// A check fails.
pub fn expires_on_a_busy_socket(seed: u64) -> Outcome {
    let never = Duration::from_secs(100_000_000);
    let mut setup = setup(World::new(seed).with_lateness(never))?;
    let end = setup.stop_responses()?;
    let malformed = |setup: &mut Setup| {
        setup.world.inject(([192, 0, 2, 1], 9).into(), ADDRESSES[0], vec![0; 20]);
        pass(&mut setup.world, Duration::ZERO)
    };
    while setup.world.elapsed() + 10 * MS < end {
        malformed(&mut setup)?;
        pass(&mut setup.world, 10 * MS)?;
    }
    setup.pass_until(end.saturating_sub(Duration::from_nanos(1)))?;
    malformed(&mut setup)?;
    if let Some(lost) = setup.lost() {
        return Err(setup.fail(&format!("too early: {lost:?}, expected {end:?}")));
    }
    setup.pass_until(end)?;
    malformed(&mut setup)?;
    match setup.lost() {
        Some((at, Failure::ConsentExpired { age, .. })) if at == end && age == EXPIRY => Ok(millis(age)),
        other => Err(setup.fail(&format!("expected the end at {end:?}, got {other:?}"))),
    }
}

/// A response that arrives a millisecond before the expiry: consent lasts thirty seconds more.
///
/// # Errors
///
///
/// A check fails.
pub fn just_in_time(seed: u64) -> Outcome {
    let (setup, end) = proof_at_the_end(seed, |end| end.saturating_sub(MS))?;
    let renewed = end.saturating_sub(MS) + EXPIRY;
    match setup.lost() {
        Some((at, Failure::ConsentExpired { .. })) if at == renewed => Ok(millis(at.saturating_sub(end))),
        other => Err(setup.fail(&format!("expected {renewed:?}, got {other:?}"))),
    }
}

/// The same response two milliseconds later: too late.
///
/// # Errors
///
///
/// A check fails.
pub fn one_millisecond_late(seed: u64) -> Outcome {
    let (setup, end) = proof_at_the_end(seed, |end| end + MS)?;
    match setup.lost() {
        Some((at, Failure::ConsentExpired { .. })) if at == end => Ok(millis(EXPIRY)),
        other => Err(setup.fail(&format!("expected {end:?}, got {other:?}"))),
    }
}

fn proof_at_the_end(
    seed: u64,
    arrival: impl FnOnce(Duration) -> Duration,
) -> Result<(Setup, Duration), String> {
    let mut setup = setup(World::new(seed))?;
    let end = setup.stop_responses()?;
    // The last checks before the expiry leave four to six seconds apart.
    setup.pass_until(end.saturating_sub(Duration::from_secs(8)))?;
    setup.answers.borrow_mut().policy = Policy::HoldOneUntil(arrival(end));
    setup.pass_until(end + EXPIRY + Duration::from_secs(5))?;
    Ok((setup, end))
}

/// The peer revokes its consent: the next check is refused, and no packet is sent after that.
///
/// # Errors
///
///
/// A check fails.
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
    call.check(refusals == [SendError::NotPermitted; 2], format!("{refusals:?}"))?;
    let sent = |call: &Call| Side::BOTH.map(|side| call.world.tally(call.id(side)).sent);
    let before = sent(&call);
    call.pass(Duration::from_secs(60))?;
    // The right side answers every check with 403; the left side sends nothing at all.
    call.check(sent(&call)[0] == before[0], "the left side still sends")?;
    // RFC 7675 section 5.1: the next check comes within 1.2 times 5 s.
    call.check(took <= Duration::from_secs(7), format!("took {took:?}"))?;
    Ok(millis(took))
}

/// An attacker who sees the requests, but does not have the password, answers all of them with 403 before the peer.
///
/// # Errors
///
///
/// A check fails.
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
    call.check(forged.get() > 5, format!("only {} refusals were forged", forged.get()))?;
    call.check(Side::BOTH.iter().all(|side| call.is_connected(*side)), "a forged 403 ended the connection")?;
    let ledger = call.ledger();
    call.check(ledger.lost_beyond_link == 0 && ledger.refused == 0, format!("{ledger:?}"))?;
    Ok(0.0)
}
