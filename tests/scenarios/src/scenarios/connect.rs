//! Two peers connect: on bad links, without the final flight, and with the certificate of another peer.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use dtls_core::{HashAlgorithm, Versions};
use peer_transport::{DescriptionKind, Event, Failure, State};
use sim::{Class, Link, Verdict, describe};

use super::{LOSSES, Outcome, Scenario, VERSIONS, millis, percent};
use crate::call::{Call, Setting, Side};
use crate::identity::certificate;

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for (version, versions) in VERSIONS {
        for loss in LOSSES {
            let subject = format!("DTLS {version}, {}", percent(loss));
            scenarios
                .push(Scenario::new("connect", subject, move |seed| on_a_bad_link(seed, loss, versions)));
        }
    }
    scenarios.push(Scenario::new("connect", "reordering, duplication, jitter", on_a_reordering_link));
    for lost in 1..=3 {
        let subject = format!("last flight lost {lost}x");
        scenarios.push(Scenario::new("connect", subject, move |seed| without_the_last_flight(seed, lost)));
    }
    for (version, versions) in VERSIONS {
        let subject = format!("DTLS {version}, refused before any key");
        scenarios.push(Scenario::new("wrong fingerprint", subject, move |seed| {
            with_another_certificate(seed, versions)
        }));
    }
    scenarios
}

/// Both connect, and the first second of media arrives except for the losses of the link.
///
/// # Errors
///
///
/// A check fails.
pub fn on_a_bad_link(seed: u64, loss: f64, versions: Versions) -> Outcome {
    connect_and_talk(Setting::new(seed, loss).by_seed().with_versions(versions))
}

/// The same on a link that reorders and duplicates datagrams.
///
/// # Errors
///
///
/// A check fails.
pub fn on_a_reordering_link(seed: u64) -> Outcome {
    let mut setting = Setting::new(seed, 0.05).by_seed();
    setting.link = Link::new()
        .delay(Duration::from_millis(30))
        .jitter(Duration::from_millis(30))
        .loss(0.05)
        .reorder(0.2, Duration::from_millis(40))
        .duplicate(0.2);
    connect_and_talk(setting)
}

fn connect_and_talk(setting: Setting) -> Outcome {
    let mut call = Call::new(setting);
    let took = call.connect()?;
    call.stream(true);
    call.pass(Duration::from_secs(1))?;
    call.settle()?;
    let ledger = call.ledger();
    call.check(ledger.lost_beyond_link == 0 && ledger.refused == 0, format!("{ledger:?}"))?;
    call.check(ledger.received > 40, format!("{ledger:?}"))?;
    call.check(call.keys(Side::Left).is_some(), "no keys")?;
    call.check(call.keys(Side::Left) == call.keys(Side::Right), "different keys")?;
    Ok(millis(took))
}

/// The server's ChangeCipherSpec and Finished of DTLS 1.2 are lost several times: the client retransmits, both connect.
///
/// # Errors
///
///
/// A check fails.
pub fn without_the_last_flight(seed: u64, lost: u32) -> Outcome {
    let mut call = Call::new(Setting::new(seed, 0.0).by_seed().with_versions(Versions::Dtls12));
    let dropped = lose_last_flights(&mut call, lost);
    let took = call.connect()?;
    call.check(dropped.get() == lost, format!("only {} flights were lost", dropped.get()))?;
    Ok(millis(took))
}

/// Drops the next `lost` datagrams with a server's ChangeCipherSpec: those that follow one from the other side.
pub fn lose_last_flights(call: &mut Call, lost: u32) -> Rc<Cell<u32>> {
    let dropped = Rc::new(Cell::new(0));
    let count = Rc::clone(&dropped);
    let mut client = None;
    call.world.tap(move |flight| {
        if Class::of(flight.bytes) != Class::Dtls {
            return Verdict::Pass;
        }
        let what = describe(flight.bytes);
        if what.contains("ClientHello") {
            client = Some(flight.from);
        }
        let is_last = what.contains("ChangeCipherSpec") && client.is_some_and(|client| client != flight.from);
        if is_last && count.get() < lost {
            count.set(count.get() + 1);
            return Verdict::Drop;
        }
        Verdict::Pass
    });
    dropped
}

/// Signalling announces another certificate than the peer sends. The misled side fails with the reason and an alert
/// before it has any keys, and the other side ends too. A DTLS 1.3 client is connected before its server has verified
/// its certificate, so it may have had keys for a moment.
///
/// # Errors
///
///
/// A check fails.
pub fn with_another_certificate(seed: u64, versions: Versions) -> Outcome {
    let mut call = Call::new(Setting::new(seed, 0.0).by_seed().with_versions(versions));
    call.signal(Side::Left, DescriptionKind::Offer)?;
    let mut description = call.peer(Side::Right).description();
    description.0.fingerprints = vec![certificate(7).fingerprint(HashAlgorithm::Sha256)];
    let misled = call.id(Side::Left);
    let accepted =
        call.world.act(misled, |peer, now| peer.set_remote(now, DescriptionKind::Answer, description));
    accepted.map_err(|error| call.fail(error))?;
    let took = call.wait("both failed", |call| {
        Side::BOTH.iter().all(|side| call.peer(*side).transport.state() == State::Failed)
    })?;
    let reason = |side| {
        call.events(side).find_map(|(_, event)| match event {
            Event::Failed(Failure::Dtls { failure, .. }) => Some(*failure),
            _ => None,
        })
    };
    let refused = dtls_core::Failure::Refused(dtls_core::Refusal::FingerprintMismatch);
    call.check(reason(Side::Left) == Some(refused), format!("{:?}", reason(Side::Left)))?;
    let seen = matches!(reason(Side::Right), Some(dtls_core::Failure::AlertReceived(_)));
    call.check(seen, format!("{:?} where an alert was due", reason(Side::Right)))?;
    for side in Side::BOTH {
        let had = call.events(side).any(|(_, event)| matches!(event, Event::KeysChanged { .. }));
        if side == Side::Left || versions == Versions::Dtls12 {
            call.check(!had && call.keys(side).is_none(), format!("{side:?} had keys"))?;
        }
    }
    Ok(millis(took))
}
