//! A flood of random datagrams in every state: no connection ends, and every datagram is counted.

use std::time::Duration;

use peer_transport::{DescriptionKind, State};
use sim::{Link, Rng};

use super::{Outcome, Scenario, millis};
use crate::call::{Call, Setting, Side, address, restart_options};

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("random datagrams", "before the peer is known, and while connecting", while_connecting),
        Scenario::new("random datagrams", "while connected", while_connected),
        Scenario::new("random datagrams", "during a restart", while_restarting),
        Scenario::new("random datagrams", "while closed and while failed", while_ended),
    ]
}

/// The interval between two random datagrams for each side.
const RANDOM_INTERVAL: Duration = Duration::from_millis(1);

/// One random datagram for each side, half of them with the peer's source address.
fn send_random(call: &mut Call, rng: &mut Rng) -> u64 {
    for side in Side::BOTH {
        let from = if rng.chance(0.5) { address(side.other()) } else { ([192, 0, 2, 1], 9).into() };
        let len = rng.index(200);
        let mut bytes = rng.bytes(len);
        // Most first bytes belong to no protocol; these do.
        let first = rng.pick(&[0, 1, 20, 21, 23, 0x2c, 0x80, 0x81, 0xff]).copied();
        if let (Some(byte), Some(first)) = (bytes.first_mut(), first) {
            *byte = first;
        }
        call.world.inject(from, address(side), bytes);
    }
    2
}

fn flood(call: &mut Call, rng: &mut Rng, duration: Duration) -> Result<u64, String> {
    let end = call.world.elapsed() + duration;
    let mut sent = 0;
    while call.world.elapsed() < end {
        sent += send_random(call, rng);
        call.pass(RANDOM_INTERVAL)?;
    }
    Ok(sent)
}

fn discarded(call: &Call) -> u64 {
    let of = |side| call.peer(side).transport.stats().discards().map(|(_, times)| times).sum::<u64>();
    Side::BOTH.into_iter().map(of).sum()
}

/// Random datagrams from the start: the peers connect nevertheless.
///
/// # Errors
///
///
/// A check fails.
pub fn while_connecting(seed: u64) -> Outcome {
    let mut call = Call::new(Setting::new(seed, 0.1).by_seed());
    let mut rng = Rng::labelled(seed, "send_random");
    let mut sent = flood(&mut call, &mut rng, Duration::from_millis(200))?;
    call.signal(Side::Left, DescriptionKind::Offer)?;
    sent += flood(&mut call, &mut rng, Duration::from_millis(50))?;
    call.signal(Side::Right, DescriptionKind::Answer)?;
    let start = call.world.elapsed();
    while !Side::BOTH.iter().all(|side| call.is_connected(*side)) {
        sent += send_random(&mut call, &mut rng);
        call.pass(RANDOM_INTERVAL)?;
        let took = call.world.elapsed().saturating_sub(start);
        call.check(took < Duration::from_secs(30), "random datagrams prevent the connection")?;
    }
    let took = call.world.elapsed().saturating_sub(start);
    call.check(discarded(&call) >= sent / 2, format!("{} of {sent} counted", discarded(&call)))?;
    Ok(millis(took))
}

/// Random datagrams between the packets of a call: every packet arrives.
///
/// # Errors
///
///
/// A check fails.
pub fn while_connected(seed: u64) -> Outcome {
    let mut call = Call::new(Setting::new(seed, 0.0).by_seed());
    let mut rng = Rng::labelled(seed, "send_random");
    call.connect()?;
    call.stream(true);
    let before = discarded(&call);
    let sent = flood(&mut call, &mut rng, Duration::from_secs(3))?;
    call.settle()?;
    let counted = discarded(&call) - before;
    call.check(counted >= sent, format!("{counted} of {sent} counted"))?;
    let ledger = call.ledger();
    call.check(ledger.lost_beyond_link == 0 && ledger.refused == 0, format!("{ledger:?}"))?;
    call.check(Side::BOTH.iter().all(|side| call.is_connected(*side)), "not connected any more")?;
    Ok(0.0)
}

/// Random datagrams during a restart: the restart completes, and every packet arrives.
///
/// # Errors
///
///
/// A check fails.
pub fn while_restarting(seed: u64) -> Outcome {
    let mut call = Call::new(Setting::new(seed, 0.1).by_seed());
    let mut rng = Rng::labelled(seed, "send_random");
    call.connect()?;
    let before = call.keys(Side::Left);
    call.stream(true);
    flood(&mut call, &mut rng, Duration::from_millis(100))?;
    let seen = Side::BOTH.map(|side| call.events(side).count());
    let options = restart_options(None);
    let restarted = call.world.act(call.id(Side::Left), |peer, now| peer.transport.restart(now, options));
    restarted.map_err(|error| call.fail(error))?;
    let start = call.world.elapsed();
    call.signal(Side::Left, DescriptionKind::Offer)?;
    flood(&mut call, &mut rng, Duration::from_millis(50))?;
    call.signal(Side::Right, DescriptionKind::Answer)?;
    flood(&mut call, &mut rng, Duration::from_secs(2))?;
    call.outcomes(seen)?;
    let took = call.world.elapsed().saturating_sub(start);
    call.pass(Duration::from_secs(1))?;
    call.settle()?;
    let ledger = call.ledger();
    call.check(ledger.lost_beyond_link == 0 && ledger.refused == 0, format!("{ledger:?}"))?;
    let after = call.keys(Side::Left);
    call.check(after != before && after == call.keys(Side::Right), "the keys are wrong")?;
    Ok(millis(took))
}

/// Random datagrams after the end: there is no output and no deadline, and a restart still connects.
///
/// # Errors
///
///
/// A check fails.
pub fn while_ended(seed: u64) -> Outcome {
    let setting = Setting::new(seed, 0.0).by_seed();
    let link = setting.link;
    let mut call = Call::new(setting);
    let mut rng = Rng::labelled(seed, "send_random");
    call.connect()?;
    call.world.set_default_link(Link::new().loss(1.0));
    call.wait("both failed", |call| {
        Side::BOTH.iter().all(|side| call.peer(*side).transport.state() == State::Failed)
    })?;
    stays_silent(&mut call, &mut rng)?;
    call.world.act(call.id(Side::Left), |peer, now| peer.transport.close(now));
    call.world.act(call.id(Side::Right), |peer, now| peer.transport.close(now));
    stays_silent(&mut call, &mut rng)?;
    for side in Side::BOTH {
        let timeout = sim::Node::poll_timeout(call.peer(side));
        call.check(timeout.is_none(), format!("{side:?} is closed and waits for {timeout:?}"))?;
    }
    call.world.set_default_link(link);
    let start = call.world.elapsed();
    call.restart(Side::Left, restart_options(None))?;
    Ok(millis(call.world.elapsed().saturating_sub(start)))
}

fn stays_silent(call: &mut Call, rng: &mut Rng) -> Result<(), String> {
    let sent = |call: &Call| Side::BOTH.map(|side| call.world.tally(call.id(side)).sent);
    let states = |call: &Call| Side::BOTH.map(|side| call.peer(side).transport.state());
    let before = (sent(call), states(call));
    flood(call, rng, Duration::from_millis(500))?;
    let after = (sent(call), states(call));
    call.check(
        before == after,
        format!("random datagrams changed an ended state: {before:?} became {after:?}"),
    )
}
