//! Restarts: fresh and retained associations, with continuous media.

use std::time::Duration;

use dtls_core::Versions;
use peer_transport::{DescriptionKind, DtlsRestart, Error, Event, RestartOutcome, SendError, State};
use sim::{Link, Rng};

use super::{LOSSES, Outcome, Scenario, VERSIONS, connect, millis, percent};
use crate::call::{Call, Setting, Side, restart_options};

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for (version, versions) in VERSIONS {
        for loss in LOSSES {
            for (certificate, rotate, tls_ids) in [
                ("same certificate", false, true),
                ("new certificate", true, true),
                ("same certificate, no tls-id", false, false),
            ] {
                let subject = format!("DTLS {version}, {certificate}, {}", percent(loss));
                scenarios.push(Scenario::new("restart, fresh", subject, move |seed| {
                    let mut setting = Setting::new(seed, loss).by_seed().with_versions(versions);
                    setting.tls_ids = tls_ids;
                    fresh(setting, rotate)
                }));
            }
        }
    }
    for loss in [0.0, 0.1] {
        let subject = format!("a peer that keeps its association, {}", percent(loss));
        scenarios.push(Scenario::new("restart, retained", subject, move |seed| retained(seed, loss)));
    }
    for lost in 1..=3 {
        let subject = format!("last flight lost {lost}x");
        scenarios
            .push(Scenario::new("restart, fresh", subject, move |seed| without_the_last_flight(seed, lost)));
    }
    scenarios.push(Scenario::new("restart", "both sides at once", glare));
    scenarios.push(Scenario::new("restart", "offered, then abandoned", abandoned));
    scenarios.push(Scenario::new("restart", "while one is under way", twice));
    scenarios.push(Scenario::new("restart", "from failed", from_failed));
    scenarios.push(Scenario::new("restart", "from closed by us", |seed| from_closed(seed, Side::Left)));
    scenarios
        .push(Scenario::new("restart", "from closed by the peer", |seed| from_closed(seed, Side::Right)));
    scenarios
}

/// An ICE restart during a stream creates a fresh association on both sides. Every packet arrives except for the losses
/// of the link; the keys are new and equal on both sides.
///
/// # Errors
///
///
/// A check fails.
pub fn fresh(setting: Setting, rotate: bool) -> Outcome {
    let seed = setting.seed;
    let mut call = Call::new(setting);
    call.connect()?;
    restart_in_mid_stream(&mut call, seed, rotate)
}

fn restart_in_mid_stream(call: &mut Call, seed: u64, rotate: bool) -> Outcome {
    let before = call.keys(Side::Left);
    call.stream(true);
    call.pass(Duration::from_millis(500))?;
    let initiator = if Rng::labelled(seed, "initiator").chance(0.5) { Side::Left } else { Side::Right };
    let start = call.world.elapsed();
    let outcomes = call.restart(initiator, restart_options(rotate.then_some(3)))?;
    let took = call.world.elapsed().saturating_sub(start);
    let all_fresh = outcomes.iter().all(|outcome| matches!(outcome, RestartOutcome::FreshHandshake { .. }));
    call.check(all_fresh, format!("not fresh on both sides: {outcomes:?}"))?;
    // The side whose final flight may be lost moves its sending a little after the outcome.
    call.pass(Duration::from_secs(1))?;
    call.settle()?;
    for side in Side::BOTH {
        let moved = call.events(side).filter(|(_, event)| matches!(event, Event::KeysChanged { .. })).count();
        call.check(moved == 2, format!("{side:?} changed its keys {moved} times"))?;
        call.check(call.is_connected(side), format!("{side:?} is not connected in the end"))?;
    }
    let after = call.keys(Side::Left);
    call.check(after.is_some() && after != before, "the keys are the old ones")?;
    call.check(after == call.keys(Side::Right), "the new keys differ between the sides")?;
    let ledger = call.ledger();
    call.check(ledger.lost_beyond_link == 0, format!("{ledger:?}"))?;
    call.check(ledger.refused == 0, format!("{:?}", call.refused))?;
    Ok(millis(took))
}

/// The server's final flight of the fresh DTLS 1.2 handshake is lost: no packet is lost with it.
///
/// # Errors
///
///
/// A check fails.
pub fn without_the_last_flight(seed: u64, lost: u32) -> Outcome {
    let mut call = Call::new(Setting::new(seed, 0.0).by_seed().with_versions(Versions::Dtls12));
    call.connect()?;
    let dropped = connect::lose_last_flights(&mut call, lost);
    let took = restart_in_mid_stream(&mut call, seed, false)?;
    call.check(dropped.get() == lost, format!("only {} flights were lost", dropped.get()))?;
    Ok(took)
}

/// A peer that restarts only ICE, keeps its association and ignores our ClientHello, as browsers do: both sides report
/// a retained association within 5 s of the negotiation, and media never stops.
///
/// # Errors
///
///
/// A check fails.
pub fn retained(seed: u64, loss: f64) -> Outcome {
    let mut setting = Setting::new(seed, loss).by_seed();
    setting.tls_ids = false;
    setting.configs[1].restart.dtls = DtlsRestart::OnChange;
    let mut call = Call::new(setting);
    call.connect()?;
    let before = call.keys(Side::Left);
    call.stream(true);
    call.pass(Duration::from_millis(500))?;
    let start = call.world.elapsed();
    let outcomes = call.restart(Side::Left, restart_options(None))?;
    let took = call.world.elapsed().saturating_sub(start);
    let proven = |outcome: &RestartOutcome| {
        matches!(outcome, RestartOutcome::AssociationRetained { proven: true, .. })
    };
    call.check(proven(&outcomes[0]), format!("{outcomes:?}"))?;
    let passed = |outcome: &RestartOutcome| matches!(outcome, RestartOutcome::AssociationRetained { .. });
    call.check(outcomes.iter().all(passed), format!("{outcomes:?}"))?;
    call.settle()?;
    call.check(Side::BOTH.iter().all(|side| call.keys(*side) == before), "the keys changed")?;
    let ledger = call.ledger();
    call.check(ledger.lost_beyond_link == 0 && ledger.refused == 0, format!("{ledger:?}"))?;
    Ok(millis(took))
}

/// Both sides offer at once: both report glare, one rolls back, and the other's restart completes.
///
/// # Errors
///
///
/// A check fails.
pub fn glare(seed: u64) -> Outcome {
    let mut call = Call::new(Setting::new(seed, 0.1).by_seed());
    call.connect()?;
    call.stream(true);
    let seen = Side::BOTH.map(|side| call.events(side).count());
    for side in Side::BOTH {
        let options = restart_options(None);
        let restarted = call.world.act(call.id(side), |peer, now| peer.transport.restart(now, options));
        restarted.map_err(|error| call.fail(error))?;
    }
    let offers = Side::BOTH.map(|side| call.peer(side).description());
    for (side, offer) in Side::BOTH.into_iter().zip(offers) {
        let id = call.id(side.other());
        let accepted = call.world.act(id, |peer, now| peer.set_remote(now, DescriptionKind::Offer, offer));
        call.check(accepted == Err(Error::Glare), format!("no glare but {accepted:?}"))?;
    }
    let start = call.world.elapsed();
    let abandoned = call.world.act(call.id(Side::Right), |peer, now| peer.transport.rollback_restart(now));
    abandoned.map_err(|error| call.fail(error))?;
    call.negotiate(Side::Left)?;
    call.outcomes(seen)?;
    let took = call.world.elapsed().saturating_sub(start);
    call.pass(Duration::from_secs(1))?;
    call.settle()?;
    let ledger = call.ledger();
    call.check(ledger.lost_beyond_link == 0 && ledger.refused == 0, format!("{ledger:?}"))?;
    Ok(millis(took))
}

/// Signalling rolls the offer back: the call continues unchanged.
///
/// # Errors
///
///
/// A check fails.
pub fn abandoned(seed: u64) -> Outcome {
    // Without loss: at 10 % loss, five consent checks in a row, which must not be retransmitted, are lost now and then.
    let mut call = Call::new(Setting::new(seed, 0.0).by_seed());
    call.connect()?;
    let before = call.keys(Side::Left);
    call.stream(true);
    call.pass(Duration::from_millis(200))?;
    let left = call.id(Side::Left);
    let restarted = call.world.act(left, |peer, now| peer.transport.restart(now, restart_options(Some(4))));
    restarted.map_err(|error| call.fail(error))?;
    call.pass(Duration::from_secs(2))?;
    let abandoned = call.world.act(left, |peer, now| peer.transport.rollback_restart(now));
    abandoned.map_err(|error| call.fail(error))?;
    // Longer than consent lasts: the old generation must still check consent.
    call.pass(Duration::from_secs(40))?;
    call.settle()?;
    call.check(call.keys(Side::Left) == before, "the keys changed")?;
    call.check(Side::BOTH.iter().all(|side| call.is_connected(*side)), "not connected any more")?;
    let ledger = call.ledger();
    call.check(ledger.lost_beyond_link == 0 && ledger.refused == 0, format!("{ledger:?}"))?;
    Ok(millis(Duration::from_secs(2)))
}

/// A second restart replaces the first one before it completes.
///
/// # Errors
///
///
/// A check fails.
pub fn twice(seed: u64) -> Outcome {
    let mut call = Call::new(Setting::new(seed, 0.1).by_seed());
    call.connect()?;
    let before = call.keys(Side::Left);
    call.stream(true);
    call.pass(Duration::from_millis(200))?;
    let left = call.id(Side::Left);
    let first = call.world.act(left, |peer, now| peer.transport.restart(now, restart_options(None)));
    first.map_err(|error| call.fail(error))?;
    call.negotiate(Side::Left)?;
    // Some time between the first check and the final flight.
    call.pass(Rng::labelled(seed, "middle").up_to(Duration::from_millis(300)))?;
    let start = call.world.elapsed();
    let seen = Side::BOTH.map(|side| call.events(side).count());
    let second = call.world.act(left, |peer, now| peer.transport.restart(now, restart_options(None)));
    second.map_err(|error| call.fail(error))?;
    call.negotiate(Side::Left)?;
    call.outcomes(seen)?;
    let took = call.world.elapsed().saturating_sub(start);
    call.pass(Duration::from_secs(2))?;
    call.settle()?;
    let after = call.keys(Side::Left);
    call.check(after.is_some() && after != before, "the keys are the old ones")?;
    call.check(after == call.keys(Side::Right), "the keys differ between the sides")?;
    let ledger = call.ledger();
    call.check(ledger.lost_beyond_link == 0 && ledger.refused == 0, format!("{ledger:?}"))?;
    Ok(millis(took))
}

/// The network drops everything until consent has expired on both sides; afterwards a restart reconnects the call.
///
/// # Errors
///
///
/// A check fails.
pub fn from_failed(seed: u64) -> Outcome {
    let setting = Setting::new(seed, 0.1).by_seed();
    let link = setting.link;
    let mut call = Call::new(setting);
    call.connect()?;
    call.world.set_default_link(Link::new().loss(1.0));
    call.wait("both failed", |call| {
        Side::BOTH.iter().all(|side| call.peer(*side).transport.state() == State::Failed)
    })?;
    call.send_one(Side::Left);
    call.check(call.refused[0].last() == Some(&SendError::NotPermitted), format!("{:?}", call.refused))?;
    call.world.set_default_link(link);
    revive(&mut call, Side::Left)
}

/// One side closes and the other receives the close_notify; either may restart, and the call continues with new keys.
///
/// # Errors
///
///
/// A check fails.
pub fn from_closed(seed: u64, restarter: Side) -> Outcome {
    let mut call = Call::new(Setting::new(seed, 0.0).by_seed());
    call.connect()?;
    call.world.act(call.id(Side::Left), |peer, now| peer.transport.close(now));
    call.wait("both closed", |call| {
        Side::BOTH.iter().all(|side| call.peer(*side).transport.state() == State::Closed)
    })?;
    revive(&mut call, restarter)
}

fn revive(call: &mut Call, restarter: Side) -> Outcome {
    let start = call.world.elapsed();
    let options = restart_options(None);
    let restarted = call.world.act(call.id(restarter), |peer, now| peer.transport.restart(now, options));
    restarted.map_err(|error| call.fail(format!("cannot restart: {error}")))?;
    call.negotiate(restarter)?;
    call.wait("both connected again", |call| Side::BOTH.iter().all(|side| call.is_connected(*side)))?;
    let took = call.world.elapsed().saturating_sub(start);
    call.refused = [Vec::new(), Vec::new()];
    call.pass(Duration::from_secs(1))?;
    call.stream(true);
    call.pass(Duration::from_secs(1))?;
    call.settle()?;
    let ledger = call.ledger();
    call.check(ledger.received > 60, format!("{ledger:?}"))?;
    call.check(
        ledger.lost_beyond_link == 0 && ledger.refused == 0,
        format!("{ledger:?} {:?}", call.refused),
    )?;
    call.check(call.keys(Side::Left) == call.keys(Side::Right), "the keys differ between the sides")?;
    Ok(millis(took))
}
